//! Remaining lifetimes, and the time of the last transaction: RFC 5007 §4.1.2.3, RFC 8415 §7.7.

use crate::conformance::row::{ROW, Row, Want};

pub const ROWS: &[Row] = &[
    Row {
        name: "both lifetimes count down",
        rfc: "5007 §4.1.2.2 (4388 §6.4.2: time remaining)",
        ids: &["A1", "S20", "A27"],
        query: "0e 600001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::e01 $zero",
        want: Want::Reply(
            "0f 600001  $me $server
             002d 0032  $c0e  0005 0018 2001:db8:1::e01 left:42200 left:85400  002e 0004 age:1000",
        ),
        ..ROW
    },
    Row {
        name: "preferred lifetime has passed",
        rfc: "5007 §4.1.2.2",
        ids: &["A3", "A1"],
        query: "0e 600002  $me  002c 001f 02 ::  $c0f",
        want: Want::Reply(
            "0f 600002  $me $server
             002d 0032  $c0f  0005 0018 2001:db8:1::f01 00000000 left:85400  002e 0004 age:1000",
        ),
        ..ROW
    },
    Row {
        name: "infinite stays infinite",
        rfc: "8415 §7.7",
        ids: &["A2", "S20"],
        query: "0e 600003  $me  002c 001f 02 ::  $c10",
        want: Want::Reply(
            "0f 600003  $me $server
             002d 0032  $c10  0005 0018 2001:db8:1::1001 $inf  002e 0004 age:1000",
        ),
        ..ROW
    },
    Row {
        name: "infinite valid lifetime, preferred lifetime has passed",
        rfc: "8415 §7.7",
        ids: &["A2", "A3"],
        query: "0e 600004  $me  002c 002d 01 ::  0005 0018 2001:db8:1::1101 $zero",
        want: Want::Reply(
            "0f 600004  $me $server
             002d 0032  $c11  0005 0018 2001:db8:1::1101 00000000 ffffffff  002e 0004 age:1000",
        ),
        ..ROW
    },
    Row {
        name: "CLT_TIME is that of the newest lease, each lease has its own lifetimes",
        rfc: "5007 §4.1.2.3",
        ids: &["A4", "S20", "A1"],
        query: "0e 600005  $me  002c 001f 02 ::  $c16",
        want: Want::Reply(
            "0f 600005  $me $server
             002d 004e  $c16
               0005 0018 2001:db8:1::1601 left:42200 left:85400
               0005 0018 2001:db8:1::1602 left:42900 left:86100
               002e 0004 age:300",
        ),
        ..ROW
    },
    Row {
        name: "CLT_TIME of a source whose clock is ahead",
        rfc: "5007 §4.1.2.3 (a positive value)",
        ids: &["A5", "S20"],
        query: "0e 600006  $me  002c 001f 02 ::  $c01",
        want: Want::Reply(
            "0f 600006  $me $server
             002d 0032  $c01  0005 0018 2001:db8:1::101 ffffffff ffffffff  002e 0004 00000000",
        ),
        ..ROW
    },
    Row {
        name: "the second of the last transaction",
        rfc: "5007 §4.1.2.3",
        ids: &["A5", "A1"],
        query: "0e 600007  $me  002c 001f 02 ::  $c24",
        want: Want::Reply(
            "0f 600007  $me $server
             002d 0032  $c24  0005 0018 2001:db8:1::2401 left:30 left:60  002e 0004 age:0",
        ),
        ..ROW
    },
    Row {
        name: "the last second of the preferred lifetime",
        rfc: "5007 §4.1.2.2",
        ids: &["A3"],
        at: 29,
        query: "0e 600008  $me  002c 001f 02 ::  $c24",
        want: Want::Reply(
            "0f 600008  $me $server
             002d 0032  $c24  0005 0018 2001:db8:1::2401 00000001 0000001f  002e 0004 0000001d",
        ),
        ..ROW
    },
    Row {
        name: "the second at which the preferred lifetime ends",
        rfc: "5007 §4.1.2.2",
        ids: &["A3"],
        at: 30,
        query: "0e 600009  $me  002c 001f 02 ::  $c24",
        want: Want::Reply(
            "0f 600009  $me $server
             002d 0032  $c24  0005 0018 2001:db8:1::2401 00000000 0000001e  002e 0004 0000001e",
        ),
        ..ROW
    },
    Row {
        name: "the last second of the valid lifetime",
        rfc: "5007 §4.1.2.2 (non-zero valid lifetime)",
        ids: &["A3"],
        at: 59,
        query: "0e 60000a  $me  002c 001f 02 ::  $c24",
        want: Want::Reply(
            "0f 60000a  $me $server
             002d 0032  $c24  0005 0018 2001:db8:1::2401 00000000 00000001  002e 0004 0000003b",
        ),
        ..ROW
    },
    Row {
        name: "the second at which the valid lifetime ends, by client-id",
        rfc: "5007 §4.1.2.2 (non-zero valid lifetime)",
        ids: &["A3"],
        at: 60,
        query: "0e 60000b  $me  002c 001f 02 ::  $c24",
        want: Want::Reply("0f 60000b  $me $server"),
        ..ROW
    },
    Row {
        name: "the second at which the valid lifetime ends, by address",
        rfc: "5007 §4.1.2.2 (non-zero valid lifetime)",
        ids: &["A3"],
        at: 60,
        query: "0e 60000c  $me  002c 002d 01 ::  0005 0018 2001:db8:1::2401 $zero",
        want: Want::Reply("0f 60000c  $me $server"),
        ..ROW
    },
    Row {
        name: "the infinite lease a week later",
        rfc: "8415 §7.7",
        ids: &["A2"],
        at: 604_800,
        query: "0e 60000d  $me  002c 001f 02 ::  $c10",
        want: Want::Reply(
            "0f 60000d  $me $server
             002d 0032  $c10  0005 0018 2001:db8:1::1001 ffffffff ffffffff  002e 0004 00093e68",
        ),
        ..ROW
    },
];

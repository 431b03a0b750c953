//! Unusual but valid queries: ignored options, repeated options, copied fields.

use crate::conformance::row::{ROW, Row, Want};

pub const ROWS: &[Row] = &[
    Row {
        name: "our SERVERID",
        rfc: "5007 §4.2.1",
        ids: &["S2"],
        query: "0e 300001  $me $server  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 300001  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "options in another order",
        rfc: "8415 §21",
        ids: &["S2", "A16"],
        query: "0e 300002  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero  $server $me",
        want: Want::Reply("0f 300002  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "transaction-id of ones",
        rfc: "5007 §4.4.1",
        ids: &["S5"],
        query: "0e ffffff  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f ffffff  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "transaction-id of zeros",
        rfc: "5007 §4.4.1",
        ids: &["S5"],
        query: "0e 000000  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 000000  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "requestor's CLIENTID of 130 octets",
        rfc: "5007 §4.2.2, 8415 §11.1",
        ids: &["S6"],
        query: "0e 300003  0001 0082 0002 00000009 62*124  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply(
            "0f 300003  0001 0082 0002 00000009 62*124  $server
             002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "requestor's CLIENTID of an unknown DUID type",
        rfc: "5007 §4.2.2, 8415 §11 (opaque)",
        ids: &["S6"],
        query: "0e 300004  0001 0005 ffff 000102  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply(
            "0f 300004  0001 0005 ffff 000102  $server
             002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "unknown options at message level",
        rfc: "8415 §16",
        ids: &["S44"],
        query: "0e 300005  fffe 0003 010203  $me  fffd 0000  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero
                fffe 0001 00",
        want: Want::Reply("0f 300005  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "unknown options among the query-options",
        rfc: "8415 §16",
        ids: &["S44", "A18"],
        query: "0e 300006  $me  002c 0039 01 ::  fffe 0004 00010203
                0005 0018 2001:db8:1::101 $zero  fffd 0000",
        want: Want::Reply("0f 300006  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "options within IAADDR",
        rfc: "8415 §21.6",
        ids: &["S44", "A18"],
        query: "0e 300007  $me  002c 0033 01 ::  0005 001e 2001:db8:1::101 $zero  000d 0002 0000",
        want: Want::Reply("0f 300007  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "Relay Source Port option outside a relay message",
        rfc: "8357 §5.2",
        ids: &["S37", "S44"],
        query: "0e 300008  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero  0087 0002 0000",
        want: Want::Reply("0f 300008  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "two IAADDRs, the first counts",
        rfc: "5007 §4.1.2.1",
        ids: &["A18"],
        query: "0e 300009  $me  002c 0049 01 ::  0005 0018 2001:db8:1::101 $zero
                0005 0018 2001:db8:1::701 $zero",
        want: Want::Reply("0f 300009  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "two CLIENTIDs in the query-options, the first counts",
        rfc: "5007 §4.1.2.1",
        ids: &["A18"],
        query: "0e 30000a  $me  002c 002d 02 ::  $c01 $c04",
        want: Want::Reply("0f 30000a  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "by address with a CLIENTID beside IAADDR",
        rfc: "5007 §4.1.2.1",
        ids: &["A18"],
        query: "0e 30000b  $me  002c 003b 01 ::  $c04  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 30000b  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "by client-id with an IAADDR beside CLIENTID",
        rfc: "5007 §4.1.2.1",
        ids: &["A18"],
        query: "0e 30000c  $me  002c 003b 02 ::  0005 0018 2001:db8:2::401 $zero  $c01",
        want: Want::Reply("0f 30000c  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "lifetimes in the query mean nothing",
        rfc: "5007 §4.1.2.1",
        ids: &["S32", "A18"],
        query: "0e 30000d  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 00000001 00000002",
        want: Want::Reply("0f 30000d  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
];

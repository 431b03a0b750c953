//! Client and leases of a reply: RFC 5007 §4.1.2.2, §4.4.1 and §4.4.2.

use crate::conformance::row::{ROW, Row, Want};

pub const ROWS: &[Row] = &[
    Row {
        name: "one address, by address",
        rfc: "5007 §4.1.2.1, §4.4.2",
        ids: &["S5", "S6", "S11", "S16", "S17", "S19", "S31", "A14", "A16", "A19", "A22"],
        query: "0e 500001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply(
            "0f 500001                        # LEASEQUERY-REPLY, the query's transaction-id
             $me $server                      # no status option: success
             002d 0032                        # OPTION_CLIENT_DATA, 14 + 28 + 8
               $c01
               0005 0018 2001:db8:1::101 $inf # OPTION_IAADDR, not within an IA_NA
               $clt0",
        ),
        ..ROW
    },
    Row {
        name: "all bindings on the link, by client-id",
        rfc: "5007 §4.1.2.2",
        ids: &["S14", "S17", "S18", "A16"],
        query: "0e 500002  $me  002c 001f 02 ::  $c02",
        want: Want::Reply(
            "0f 500002  $me $server
             002d 0088  $c02
               0005 0018 2001:db8:2::201 $inf   0005 0018 2001:db8:2::202 $inf
               001a 0019 $inf 38 2001:db8:a002:100::   001a 0019 $inf 38 2001:db8:a002:200::
               $clt0",
        ),
        ..ROW
    },
    Row {
        name: "all bindings on the link, by one of its addresses",
        rfc: "5007 §4.1.2.2",
        ids: &["S18", "S19"],
        query: "0e 500003  $me  002c 002d 01 ::  0005 0018 2001:db8:2::202 $zero",
        want: Want::Reply(
            "0f 500003  $me $server
             002d 0088  $c02
               0005 0018 2001:db8:2::201 $inf   0005 0018 2001:db8:2::202 $inf
               001a 0019 $inf 38 2001:db8:a002:100::   001a 0019 $inf 38 2001:db8:a002:200::
               $clt0",
        ),
        ..ROW
    },
    Row {
        name: "all bindings on the link, by an address in a delegated prefix",
        rfc: "5007 §4.1.2.1, §4.1.2.2, §3.3",
        ids: &["S18", "S19"],
        query: "0e 500004  $me  002c 002d 01 ::  0005 0018 2001:db8:a002:1ff:ffff:ffff:ffff:ffff $zero",
        want: Want::Reply(
            "0f 500004  $me $server
             002d 0088  $c02
               0005 0018 2001:db8:2::201 $inf   0005 0018 2001:db8:2::202 $inf
               001a 0019 $inf 38 2001:db8:a002:100::   001a 0019 $inf 38 2001:db8:a002:200::
               $clt0",
        ),
        ..ROW
    },
    Row {
        name: "by a delegated prefix's first address",
        rfc: "5007 §4.1.2.1",
        ids: &["S17", "S19"],
        query: "0e 500005  $me  002c 002d 01 ::  0005 0018 2001:db8:a006:600:: $zero",
        want: Want::Reply(
            "0f 500005  $me $server  002d 0033  $c06  001a 0019 $inf 38 2001:db8:a006:600::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "by an address in a delegated prefix, with link-address",
        rfc: "5007 §4.1.2.1",
        ids: &["S10", "S19"],
        query: "0e 500006  $me  002c 002d 01 2001:db8:2::1  0005 0018 2001:db8:a006:6ab::1 $zero",
        want: Want::Reply(
            "0f 500006  $me $server  002d 0033  $c06  001a 0019 $inf 38 2001:db8:a006:600::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "address before a delegated prefix",
        rfc: "5007 §4.1.2.1",
        ids: &["S19", "S30"],
        query: "0e 500007  $me  002c 002d 01 ::  0005 0018 2001:db8:a006:5ff:ffff:ffff:ffff:ffff $zero",
        want: Want::Reply("0f 500007  $me $server"),
        ..ROW
    },
    Row {
        name: "address past a delegated prefix",
        rfc: "5007 §4.1.2.1",
        ids: &["S19", "S30"],
        query: "0e 500008  $me  002c 002d 01 ::  0005 0018 2001:db8:a006:700:: $zero",
        want: Want::Reply("0f 500008  $me $server"),
        ..ROW
    },
    Row {
        name: "prefix within a prefix: the longest lease decides",
        rfc: "5007 §4.1.2.1 (that client's data alone)",
        ids: &["S19"],
        query: "0e 500009  $me  002c 002d 01 ::  0005 0018 2001:db8:a012:180::5 $zero",
        want: Want::Reply(
            "0f 500009  $me $server  002d 0033  $c13  001a 0019 $inf 40 2001:db8:a012:180::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "prefix within a prefix: past the inner one",
        rfc: "5007 §4.1.2.1",
        ids: &["S19"],
        query: "0e 50000a  $me  002c 002d 01 ::  0005 0018 2001:db8:a012:181::5 $zero",
        want: Want::Reply(
            "0f 50000a  $me $server  002d 0033  $c12  001a 0019 $inf 38 2001:db8:a012:100::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "expired prefix within a prefix: the outer one decides",
        rfc: "5007 §4.1.2.2 (non-zero valid lifetime)",
        ids: &["S19", "A3"],
        query: "0e 50000b  $me  002c 002d 01 ::  0005 0018 2001:db8:a012:190::5 $zero",
        want: Want::Reply(
            "0f 50000b  $me $server  002d 0033  $c12  001a 0019 $inf 38 2001:db8:a012:100::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "address lease within another client's prefix",
        rfc: "5007 §4.1.2.1",
        ids: &["S19"],
        query: "0e 50000c  $me  002c 002d 01 ::  0005 0018 2001:db8:a012:1a0::1 $zero",
        want: Want::Reply(
            "0f 50000c  $me $server  002d 0032  $c15  0005 0018 2001:db8:a012:1a0::1 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "address beside a lease within another client's prefix",
        rfc: "5007 §4.1.2.1",
        ids: &["S19"],
        query: "0e 50000d  $me  002c 002d 01 ::  0005 0018 2001:db8:a012:1a0::2 $zero",
        want: Want::Reply(
            "0f 50000d  $me $server  002d 0033  $c12  001a 0019 $inf 38 2001:db8:a012:100::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "expired address, by address",
        rfc: "5007 §4.1.2.2",
        ids: &["A3", "A10", "S30"],
        query: "0e 50000e  $me  002c 002d 01 ::  0005 0018 2001:db8:1::801 $zero",
        want: Want::Reply("0f 50000e  $me $server"),
        ..ROW
    },
    Row {
        name: "client with an expired lease alone",
        rfc: "5007 §4.1.2.2",
        ids: &["A3", "A10", "S30"],
        query: "0e 50000f  $me  002c 001f 02 ::  $c08",
        want: Want::Reply("0f 50000f  $me $server"),
        ..ROW
    },
    Row {
        name: "expired lease beside a live one is left out",
        rfc: "5007 §4.1.2.2",
        ids: &["A10", "S18"],
        query: "0e 500010  $me  002c 001f 02 ::  $c20",
        want: Want::Reply("0f 500010  $me $server  002d 0032  $c20  0005 0018 2001:db8:1::2001 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "expired address of a client with a live one",
        rfc: "5007 §4.1.2.1",
        ids: &["A10", "S19"],
        query: "0e 500011  $me  002c 002d 01 ::  0005 0018 2001:db8:1::2002 $zero",
        want: Want::Reply("0f 500011  $me $server"),
        ..ROW
    },
    Row {
        name: "declined address",
        rfc: "5007 §4.1.2.2",
        ids: &["A10"],
        query: "0e 500012  $me  002c 002d 01 ::  0005 0018 2001:db8:1::901 $zero",
        want: Want::Reply("0f 500012  $me $server"),
        ..ROW
    },
    Row {
        name: "reclaimed address",
        rfc: "5007 §4.1.2.2",
        ids: &["A10"],
        query: "0e 500013  $me  002c 002d 01 ::  0005 0018 2001:db8:1::a01 $zero",
        want: Want::Reply("0f 500013  $me $server"),
        ..ROW
    },
    Row {
        name: "client with a reclaimed lease alone",
        rfc: "5007 §4.1.2.2",
        ids: &["A10"],
        query: "0e 500014  $me  002c 001f 02 ::  $c0a",
        want: Want::Reply("0f 500014  $me $server"),
        ..ROW
    },
    Row {
        name: "released address",
        rfc: "5007 §4.1.2.2",
        ids: &["A10"],
        query: "0e 500015  $me  002c 002d 01 ::  0005 0018 2001:db8:1::b01 $zero",
        want: Want::Reply("0f 500015  $me $server"),
        ..ROW
    },
    Row {
        name: "registered address",
        rfc: "9686, 5007 §4.1.2.2 (statefully assigned)",
        ids: &["A11"],
        query: "0e 500016  $me  002c 002d 01 ::  0005 0018 2001:db8:1::c01 $zero",
        want: Want::Reply("0f 500016  $me $server"),
        ..ROW
    },
    Row {
        name: "client with a registered address alone",
        rfc: "9686, 5007 §4.1.2.2 (statefully assigned)",
        ids: &["A11"],
        query: "0e 500017  $me  002c 001f 02 ::  $c0c",
        want: Want::Reply("0f 500017  $me $server"),
        ..ROW
    },
    Row {
        name: "lease removed by a later row",
        rfc: "5007 §4.1.2.2",
        ids: &["A10"],
        query: "0e 500018  $me  002c 001f 02 ::  $c0d",
        want: Want::Reply("0f 500018  $me $server"),
        ..ROW
    },
    Row {
        name: "address given to another client by a later row",
        rfc: "5007 §4.1.2.1",
        ids: &["S19"],
        query: "0e 500019  $me  002c 002d 01 ::  0005 0018 2001:db8:1::2501 $zero",
        want: Want::Reply("0f 500019  $me $server  002d 0032  $c26  0005 0018 2001:db8:1::2501 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "client that held that address before",
        rfc: "5007 §4.1.2.1",
        ids: &["S30"],
        query: "0e 50001a  $me  002c 001f 02 ::  $c25",
        want: Want::Reply("0f 50001a  $me $server"),
        ..ROW
    },
    Row {
        name: "client with a DUID of 130 octets, by client-id",
        rfc: "8415 §11.1",
        ids: &["S14", "S17"],
        query: "0e 50001b  $me  002c 0097 02 ::  0001 0082 0002 00000009 61*124",
        want: Want::Reply(
            "0f 50001b  $me $server
             002d 00aa  0001 0082 0002 00000009 61*124  0005 0018 2001:db8:1::3001 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "client with a DUID of 130 octets, by address",
        rfc: "8415 §11.1",
        ids: &["S17", "S19"],
        query: "0e 50001c  $me  002c 002d 01 ::  0005 0018 2001:db8:1::3001 $zero",
        want: Want::Reply(
            "0f 50001c  $me $server
             002d 00aa  0001 0082 0002 00000009 61*124  0005 0018 2001:db8:1::3001 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "DUID that is a part of a client's",
        rfc: "8415 §11 (compared as a whole)",
        ids: &["S30"],
        query: "0e 50001d  $me  002c 001e 02 ::  0001 0009 0003 0001 0200 0000 00",
        want: Want::Reply("0f 50001d  $me $server"),
        ..ROW
    },
];

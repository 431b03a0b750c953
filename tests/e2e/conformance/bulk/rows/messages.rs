//! Messages and their order: RFC 5460 §5.2, §6.3.1 and §7.3.

use crate::conformance::bulk::row::{ROW, Row, Setup, Want, bindings, step};

pub const ROWS: &[Row] = &[
    Row {
        name: "one binding: REPLY and DONE",
        rfc: "5460 §5.2.2",
        ids: &["B2", "B4", "B5", "B7"],
        steps: &[step(
            "{ 0e b30001  $me  002c { 02 ::  $c01 } }",
            &[bindings("b30001", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "our SERVERID in a bulk query",
        rfc: "5007 §4.2.1",
        ids: &["B45"],
        steps: &[step(
            "{ 0e b30002  $server  002c { 02 ::  $c01 }  $me }",
            &[bindings("b30002", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "requestor's CLIENTID is repeated octet for octet",
        rfc: "5460 §5.2, 5007 §4.2.2",
        ids: &["B2"],
        steps: &[step(
            "{ 0e b30003  0001 { 0002 00000009 61*124 }  002c { 02 ::  $cff } }",
            &[Want::One("0f b30003  0001 { 0002 00000009 61*124 } $server")],
        )],
        ..ROW
    },
    Row {
        name: "queries one after the other on one connection",
        rfc: "5460 §6.5, §7.4",
        ids: &["B29", "B33"],
        steps: &[
            step(
                "{ 0e b30004  $me  002c { 02 ::  $c01 } }",
                &[bindings("b30004", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"])],
            ),
            step(
                "{ 0e b30005  $me  002c { 03 2001:db8:98::  $relay-a } }",
                &[Want::One("0f b30005  $me $server  000d { 0009 text }")],
            ),
            step("{ 0e b30006  $me  002c { 02 ::  $cff } }", &[Want::One("0f b30006  $me $server")]),
            step(
                "{ 0e b30007  $me  002c { 04 2001:db8:4:: } }",
                &[bindings(
                    "b30007",
                    &[
                        "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                        "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                    ],
                )],
            ),
        ],
        ..ROW
    },
    Row {
        name: "a transaction-id again, once its query is complete",
        rfc: "5460 §6.5",
        ids: &["B48"],
        steps: &[
            step(
                "{ 0e b30008  $me  002c { 04 2001:db8:4:: } }",
                &[bindings(
                    "b30008",
                    &[
                        "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                        "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                    ],
                )],
            ),
            step(
                "{ 0e b30008  $me  002c { 02 ::  $c01 } }",
                &[bindings("b30008", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"])],
            ),
            step("{ 0e b30008  $me  002c { 02 ::  $cff } }", &[Want::One("0f b30008  $me $server")]),
            step(
                "{ 0e b30008  $me  002c { 01 :: } }",
                &[Want::One("0f b30008  $me $server  000d { 0008 text }")],
            ),
            step("{ 0e b30008  $me  002c { 02 ::  $cff } }", &[Want::One("0f b30008  $me $server")]),
        ],
        ..ROW
    },
    Row {
        name: "queries in parallel",
        rfc: "5460 §6.5, §7.3",
        ids: &["B33", "B5", "B7"],
        steps: &[step(
            "{ 0e b30009  $me  002c { 03 ::  $relay-a } }
             { 0e b3000a  $me  002c { 04 2001:db8:12::1 } }
             { 0e b3000b  $me  002c { 04 2001:db8:99:: } }
             { 0e 000000  $me  002c { 02 ::  $cff } }
             { 0e ffffff  $me  002c { 02 ::  $c01 } }",
            &[
                bindings(
                    "b30009",
                    &[
                        "$c01  0005 { 2001:db8:1::101 $inf }  $clt0",
                        "$c02  0005 { 2001:db8:2::202 $inf }  001a { $inf 38 2001:db8:a002:200:: }  $clt0",
                        "$c03  0005 { 2001:db8:2::303 $inf }  $clt0",
                        "$c04  0005 { 2001:db8:1::404 $inf }  $clt0",
                        "$c04  0005 { 2001:db8:2::404 $inf }  $clt0",
                        "$c05  0005 { 2001:db8:1::501 $inf }  $clt0",
                    ],
                ),
                bindings(
                    "b3000a",
                    &[
                        "$c14  0005 { 2001:db8:12::1401 $inf }  $clt0",
                        "$c15  0005 { 2001:db8:13::1501 $inf }  $clt0",
                        "$c16  0005 { 2001:db8:12::1601 $inf }  $clt0",
                        "$c16  0005 { 2001:db8:13::1601 $inf }  $clt0",
                    ],
                ),
                Want::One("0f b3000b  $me $server  000d { 0009 text }"),
                Want::One("0f 000000  $me $server"),
                bindings("ffffff", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"]),
            ],
        )],
        ..ROW
    },
    Row {
        name: "more queries than are answered in parallel",
        rfc: "5460 §7.3",
        ids: &["B27", "B28"],
        setup: Setup::OneQuery,
        steps: &[step(
            "{ 0e b30010  $me  002c { 04 2001:db8:4:: } }
             { 0e b30011  $me  002c { 02 ::  $cff } }
             { 0e b30012  $me  002c { 02 ::  $c01 } }
             { 0e b30013  $me  002c { 04 2001:db8:99:: } }",
            &[
                bindings(
                    "b30010",
                    &[
                        "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                        "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                    ],
                ),
                Want::One("0f b30011  $me $server"),
                bindings("b30012", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"]),
                Want::One("0f b30013  $me $server  000d { 0009 text }"),
            ],
        )],
        ..ROW
    },
];

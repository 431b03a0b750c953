//! Rights of requestors, and leases that are not all known: RFC 5460 §7.1, RFC 5007 §5.

use crate::conformance::bulk::row::{End, ROW, Row, Setup, Want, bindings, step};

pub const ROWS: &[Row] = &[
    Row {
        name: "a query-type that the requestor may use",
        rfc: "5460 §7.1",
        ids: &["B23"],
        setup: Setup::SomeQueryTypes,
        steps: &[step(
            "{ 0e b90001  $me  002c { 03 ::  $relay-d } }
             { 0e b90002  $me  002c { 01 ::  0005 { 2001:db8:1::101 $zero } } }",
            &[
                bindings("b90001", &["$c0d  0005 { 2001:db8:8::d01 $inf }  $clt0"]),
                bindings("b90002", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"]),
            ],
        )],
        ..ROW
    },
    Row {
        name: "query-types that the requestor may not use",
        rfc: "5460 §7.1",
        ids: &["B23", "B9"],
        setup: Setup::SomeQueryTypes,
        steps: &[step(
            "{ 0e b90003  $me  002c { 02 ::  $c01 } }
             { 0e b90004  $me  002c { 04 2001:db8:1:: } }
             { 0e b90005  $me  002c { 05 ::  0025 { 00000009 aabb } } }",
            &[
                Want::One("0f b90003  $me $server  000d { 000a text }"),
                Want::One("0f b90004  $me $server  000d { 000a text }"),
                Want::One("0f b90005  $me $server  000d { 000a text }"),
            ],
        )],
        ..ROW
    },
    Row {
        name: "the query-type decides before query-options and link",
        rfc: "5460 §7.1; 5007 §4.4.1",
        ids: &["B23"],
        setup: Setup::SomeQueryTypes,
        steps: &[step(
            "{ 0e b90006  $me  002c { 04 :: } }  { 0e b90007  $me  002c { 05 2001:db8:99:: } }",
            &[
                Want::One("0f b90006  $me $server  000d { 000a text }"),
                Want::One("0f b90007  $me $server  000d { 000a text }"),
            ],
        )],
        ..ROW
    },
    Row {
        name: "a restricted requestor gets the bindings that it relayed",
        rfc: "5007 §5",
        ids: &["B54"],
        setup: Setup::Restricted,
        steps: &[step(
            "{ 0e b90008  $me  002c { 03 ::  $relay-a } }  { 0e b90009  $me  002c { 04 2001:db8:1:: } }",
            &[
                bindings(
                    "b90008",
                    &[
                        "$c01  0005 { 2001:db8:1::101 $inf }  $clt0",
                        "$c04  0005 { 2001:db8:1::404 $inf }  $clt0",
                        "$c05  0005 { 2001:db8:1::501 $inf }  $clt0",
                    ],
                ),
                bindings(
                    "b90009",
                    &[
                        "$c01  0005 { 2001:db8:1::101 $inf }  $clt0",
                        "$c04  0005 { 2001:db8:1::404 $inf }  $clt0",
                        "$c05  0005 { 2001:db8:1::501 $inf }  $clt0",
                        "$c0b  0005 { 2001:db8:1::b01 $inf }  $clt0",
                    ],
                ),
            ],
        )],
        ..ROW
    },
    Row {
        name: "a restricted requestor learns nothing of others' bindings, nor that there are none",
        rfc: "5007 §5",
        ids: &["B54"],
        setup: Setup::Restricted,
        steps: &[step(
            "{ 0e b9000a  $me  002c { 03 ::  $relay-d } }
             { 0e b9000b  $me  002c { 03 ::  0035 { ffff } } }
             { 0e b9000c  $me  002c { 04 2001:db8:2:: } }
             { 0e b9000d  $me  002c { 04 2001:db8:5:: } }
             { 0e b9000e  $me  002c { 05 ::  0025 { 0000000a aabb } } }",
            &[
                Want::One("0f b9000a  $me $server  000d { 000a text }"),
                Want::One("0f b9000b  $me $server  000d { 000a text }"),
                Want::One("0f b9000c  $me $server  000d { 000a text }"),
                Want::One("0f b9000d  $me $server  000d { 000a text }"),
                Want::One("0f b9000e  $me $server  000d { 000a text }"),
            ],
        )],
        ..ROW
    },
    Row {
        name: "an unreadable lease in scope: all that is known, then UnspecFail and the end",
        rfc: "5460 §5.2.2, §7.2",
        ids: &["B53", "B10"],
        setup: Setup::Unreadable,
        steps: &[step(
            "{ 0e b9000f  $me  002c { 04 2001:db8:1:: } }",
            &[Want::Bindings {
                xid: "b9000f",
                beside: "",
                data: &[
                    "$c01  0005 { 2001:db8:1::101 $inf }  $clt0",
                    "$c04  0005 { 2001:db8:1::404 $inf }  $clt0",
                    "$c05  0005 { 2001:db8:1::501 $inf }  0005 { 2001:db8:1::502 $inf }  $clt0",
                    "$c0b  0005 { 2001:db8:1::b01 $inf }  $clt0",
                ],
                done: "000d { 0001 text }",
            }],
        )],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "an unreadable lease that may be in scope: never no binding",
        rfc: "5460 §7.2; 5007 §4.3.3",
        ids: &["B53"],
        setup: Setup::Unreadable,
        steps: &[step(
            "{ 0e b90010  $me  002c { 03 ::  $relay-e } }",
            &[Want::One("0f b90010  $me $server  000d { 0001 text }")],
        )],
        ..ROW
    },
];

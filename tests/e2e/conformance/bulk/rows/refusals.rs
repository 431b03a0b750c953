//! Queries that get a status: RFC 5460 §7.2, RFC 5007 §4.1.3. The connection stays open.

use crate::conformance::bulk::row::{End, ROW, Row, Want, bindings, step};

pub const ROWS: &[Row] = &[
    Row {
        name: "by relay-id without RELAY_ID",
        rfc: "5460 §5.3.1",
        ids: &["B11", "B47", "B9"],
        steps: &[step(
            "{ 0e b60001  $me  002c { 03 ::  0025 { 00000009 aabb } } }",
            &[Want::One("0f b60001  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "by relay-id with an empty RELAY_ID",
        rfc: "5460 §5.3.1, §5.4.1",
        ids: &["B11", "B47"],
        steps: &[step(
            "{ 0e b60002  $me  002c { 03 ::  0035 { } } }",
            &[Want::One("0f b60002  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "by remote-id without REMOTE_ID",
        rfc: "5460 §5.3.3",
        ids: &["B15", "B47"],
        steps: &[step(
            "{ 0e b60003  $me  002c { 05 ::  $relay-a } }",
            &[Want::One("0f b60003  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "by remote-id with an enterprise number alone",
        rfc: "4649 §3",
        ids: &["B15", "B47"],
        steps: &[step(
            "{ 0e b60004  $me  002c { 05 ::  0025 { 00000009 } } }",
            &[Want::One("0f b60004  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "by link-address, and there is none",
        rfc: "5460 §5.3.2",
        ids: &["B14", "B47"],
        steps: &[step(
            "{ 0e b60005  $me  002c { 04 :: } }",
            &[Want::One("0f b60005  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk by address without IAADDR",
        rfc: "5007 §4.1.2.1",
        ids: &["B18", "B47"],
        steps: &[step(
            "{ 0e b60006  $me  002c { 01 ::  $c01 } }",
            &[Want::One("0f b60006  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk by client-id without CLIENTID",
        rfc: "5007 §4.1.2.1",
        ids: &["B18", "B47"],
        steps: &[step(
            "{ 0e b60007  $me  002c { 02 :: } }",
            &[Want::One("0f b60007  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk: LQ_QUERY of 16 octets",
        rfc: "5007 §4.1.2.1",
        ids: &["B47"],
        steps: &[step(
            "{ 0e b60008  $me  002c { 03 00*15 } }",
            &[Want::One("0f b60008  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk: empty LQ_QUERY",
        rfc: "5007 §4.1.2.1",
        ids: &["B47"],
        steps: &[step(
            "{ 0e b60009  $me  002c { } }",
            &[Want::One("0f b60009  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk: LQ_QUERY twice",
        rfc: "8415 §24 (singleton)",
        ids: &["B47"],
        steps: &[step(
            "{ 0e b6000a  $me  002c { 02 ::  $c01 }  002c { 02 ::  $c01 } }",
            &[Want::One("0f b6000a  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk: query-options cut short",
        rfc: "5007 §4.1.2.1",
        ids: &["B47"],
        steps: &[step(
            "{ 0e b6000b  $me  002c { 03 ::  $relay-a  0006 0004 0064 } }",
            &[Want::One("0f b6000b  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk: query-options longer than LQ_QUERY, though not than the message",
        rfc: "5007 §4.1.2.1",
        ids: &["B47"],
        steps: &[step(
            "{ 0e b6000c  $me  002c { 03 ::  0035 000a 0003 }  000e { } 000e { } }",
            &[Want::One("0f b6000c  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk: query-type 0",
        rfc: "5007 §4.4.1",
        ids: &["B9"],
        steps: &[step(
            "{ 0e b6000d  $me  002c { 00 ::  $relay-a } }",
            &[Want::One("0f b6000d  $me $server  000d { 0007 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk: query-type 6",
        rfc: "5007 §4.4.1",
        ids: &["B9"],
        steps: &[step(
            "{ 0e b6000e  $me  002c { 06 2001:db8:1::  $relay-a } }",
            &[Want::One("0f b6000e  $me $server  000d { 0007 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk: query-type 255 decides before broken query-options",
        rfc: "5007 §4.4.1",
        ids: &["B9", "B47"],
        steps: &[step(
            "{ 0e b6000f  $me  002c { ff ::  0035 00ff } }",
            &[Want::One("0f b6000f  $me $server  000d { 0007 text }")],
        )],
        ..ROW
    },
    Row {
        name: "refused queries among answered ones",
        rfc: "5460 §6.5.1",
        ids: &["B33", "B9", "B47"],
        steps: &[step(
            "{ 0e b60010  $me  002c { 02 ::  $c01 } }
             { 0e b60011  $me  002c { } }
             { 0e b60012  $me  002c { 02 ::  $c0d } }",
            &[
                bindings("b60010", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"]),
                Want::One("0f b60011  $me $server  000d { 0008 text }"),
                bindings("b60012", &["$c0d  0005 { 2001:db8:8::d01 $inf }  $clt0"]),
            ],
        )],
        ..ROW
    },
    Row {
        name: "STARTTLS without TLS: TLSConnectionRefused, and the connection serves on",
        rfc: "7653 §9.1",
        ids: &["B37"],
        steps: &[
            step("{ 17 b60013 }", &[Want::One("07 b60013  000d { 000f text }")]),
            step(
                "{ 0e b60014  $me  002c { 02 ::  $c01 } }",
                &[bindings("b60014", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"])],
            ),
        ],
        ..ROW
    },
    Row {
        name: "STARTTLS behind a query",
        rfc: "7653 §9.1",
        ids: &["B37"],
        steps: &[step(
            "{ 0e b60015  $me  002c { 02 ::  $c01 } }  { 17 b60016 }",
            &[
                bindings("b60015", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"]),
                Want::One("07 b60016  000d { 000f text }"),
            ],
        )],
        ..ROW
    },
    Row {
        name: "ACTIVELEASEQUERY: NotSupported, then the end",
        rfc: "7653 §9.2",
        ids: &["B36"],
        steps: &[step(
            "{ 16 b60017  $me  002c { 04 2001:db8:1:: } }",
            &[Want::One("0f b60017  $me $server  000d { 000e text }")],
        )],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "ACTIVELEASEQUERY without LQ_QUERY",
        rfc: "7653 §6.2.1, §9.2",
        ids: &["B36"],
        steps: &[step("{ 16 b60018  $me }", &[Want::One("0f b60018  $me $server  000d { 000e text }")])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "ACTIVELEASEQUERY behind a query: that one is answered first",
        rfc: "7653 §9.2",
        ids: &["B36", "B45"],
        steps: &[step(
            "{ 0e b60019  $me  002c { 04 2001:db8:4:: } }  { 16 b6001a  $me }",
            &[
                bindings(
                    "b60019",
                    &[
                        "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                        "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                    ],
                ),
                Want::One("0f b6001a  $me $server  000d { 000e text }"),
            ],
        )],
        end: End::Closed,
        ..ROW
    },
];

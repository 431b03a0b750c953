//! Lifetimes, OPTION_CLT_TIME, OPTION_LQ_START_TIME and OPTION_LQ_END_TIME: RFC 5007 §4.1.2.3, RFC 7653 §6.3.
//!
//! Client 18 was last heard 1000 s, 19 3000 s, 1a 2000 s before the leases were written; client 1b has a
//! lease of 2000 s and one of 500 s before.

use crate::conformance::bulk::row::{ROW, Row, Want, bindings, step};

pub const ROWS: &[Row] = &[
    Row {
        name: "bulk: lifetimes count down, infinite ones stay, a preferred one has passed",
        rfc: "5007 §4.1.2.2, §4.1.2.3",
        ids: &["B59"],
        steps: &[step(
            "{ 0e b50001  $me  002c { 04 2001:db8:6:: } }",
            &[bindings(
                "b50001",
                &[
                    "$c18  0005 { 2001:db8:6::1801 left:42200 left:85400 }  002e { age:1000 }",
                    "$c19  0005 { 2001:db8:6::1901 $inf }  002e { age:3000 }",
                    "$c1a  0005 { 2001:db8:6::1a01 00000000 left:84400 }  002e { age:2000 }",
                    "$c1b  0005 { 2001:db8:6::1b01 left:41200 left:84400 }
                           0005 { 2001:db8:6::1b02 left:42700 left:85900 }  002e { age:500 }",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "START_TIME, inclusive",
        rfc: "7653 §6.3.2",
        ids: &["B39"],
        steps: &[step(
            "{ 0e b50002  $me  002c { 04 2001:db8:6::  0065 { @-1000 } } }",
            &[bindings(
                "b50002",
                &[
                    "$c18  0005 { 2001:db8:6::1801 left:42200 left:85400 }  002e { age:1000 }",
                    "$c1b  0005 { 2001:db8:6::1b02 left:42700 left:85900 }  002e { age:500 }",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "START_TIME a second later",
        rfc: "7653 §6.3.2",
        ids: &["B39"],
        steps: &[step(
            "{ 0e b50003  $me  002c { 04 2001:db8:6::  0065 { @-999 } } }",
            &[bindings(
                "b50003",
                &["$c1b  0005 { 2001:db8:6::1b02 left:42700 left:85900 }  002e { age:500 }"],
            )],
        )],
        ..ROW
    },
    Row {
        name: "END_TIME, inclusive",
        rfc: "7653 §6.3.3",
        ids: &["B40"],
        steps: &[step(
            "{ 0e b50004  $me  002c { 04 2001:db8:6::  0066 { @-3000 } } }",
            &[bindings("b50004", &["$c19  0005 { 2001:db8:6::1901 $inf }  002e { age:3000 }"])],
        )],
        ..ROW
    },
    Row {
        name: "END_TIME a second earlier: no binding",
        rfc: "7653 §6.3.3",
        ids: &["B40", "B8"],
        steps: &[step(
            "{ 0e b50005  $me  002c { 04 2001:db8:6::  0066 { @-3001 } } }",
            &[Want::One("0f b50005  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "START_TIME and END_TIME that are equal",
        rfc: "7653 §6.3.2, §6.3.3",
        ids: &["B39", "B40", "B58"],
        steps: &[step(
            "{ 0e b50006  $me  002c { 04 2001:db8:6::  0065 { @-1000 }  0066 { @-1000 } } }",
            &[bindings(
                "b50006",
                &["$c18  0005 { 2001:db8:6::1801 left:42200 left:85400 }  002e { age:1000 }"],
            )],
        )],
        ..ROW
    },
    Row {
        name: "START_TIME and END_TIME at message level",
        rfc: "7653 §6.3.2, §6.3.3",
        ids: &["B39", "B40"],
        steps: &[step(
            "{ 0e b50007  $me  0066 { @-1000 }  002c { 04 2001:db8:6:: }  0065 { @-1000 } }",
            &[bindings(
                "b50007",
                &["$c18  0005 { 2001:db8:6::1801 left:42200 left:85400 }  002e { age:1000 }"],
            )],
        )],
        ..ROW
    },
    Row {
        name: "END_TIME leaves a lease of a client out: CLT_TIME is the client's still",
        rfc: "7653 §6.3.3, 5007 §4.1.2.3",
        ids: &["B40", "B59"],
        steps: &[step(
            "{ 0e b50008  $me  002c { 02 ::  $c1b  0066 { @-600 } } }",
            &[bindings(
                "b50008",
                &["$c1b  0005 { 2001:db8:6::1b01 left:41200 left:84400 }  002e { age:500 }"],
            )],
        )],
        ..ROW
    },
    Row {
        name: "START_TIME with a query by remote-id",
        rfc: "7653 §6.3.2",
        ids: &["B39"],
        steps: &[
            step(
                "{ 0e b50009  $me  002c { 05 ::  0025 { 00000009 18 }  0065 { @-1000 } } }",
                &[bindings(
                    "b50009",
                    &["$c18  0005 { 2001:db8:6::1801 left:42200 left:85400 }  002e { age:1000 }"],
                )],
            ),
            step(
                "{ 0e b50010  $me  002c { 05 ::  0025 { 00000009 18 }  0065 { @-999 } } }",
                &[Want::One("0f b50010  $me $server")],
            ),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME and END_TIME with a query by address",
        rfc: "7653 §6.3.2, §6.3.3",
        ids: &["B39", "B40"],
        steps: &[
            step(
                "{ 0e b5000a  $me  002c { 01 ::  0005 { 2001:db8:6::1801 $zero }  0065 { @-1000 }  0066 { @-1000 } } }",
                &[bindings(
                    "b5000a",
                    &["$c18  0005 { 2001:db8:6::1801 left:42200 left:85400 }  002e { age:1000 }"],
                )],
            ),
            step(
                "{ 0e b5000b  $me  002c { 01 ::  0005 { 2001:db8:6::1801 $zero }  0065 { @-999 } } }",
                &[Want::One("0f b5000b  $me $server")],
            ),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME after END_TIME",
        rfc: "7653 §6.3.2, §6.3.3",
        ids: &["B58"],
        steps: &[step(
            "{ 0e b5000c  $me  002c { 04 2001:db8:6::  0065 { @-999 }  0066 { @-1000 } } }",
            &[Want::One("0f b5000c  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "START_TIME of 3 octets",
        rfc: "7653 §6.3.2",
        ids: &["B58"],
        steps: &[step(
            "{ 0e b5000d  $me  002c { 04 2001:db8:6::  0065 { 000000 } } }",
            &[Want::One("0f b5000d  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "END_TIME of 5 octets",
        rfc: "7653 §6.3.3",
        ids: &["B58"],
        steps: &[step(
            "{ 0e b5000e  $me  002c { 04 2001:db8:6::  0066 { ffffffff00 } } }",
            &[Want::One("0f b5000e  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
    Row {
        name: "START_TIME twice",
        rfc: "8415 §24 (singleton)",
        ids: &["B58"],
        steps: &[step(
            "{ 0e b5000f  $me  002c { 04 2001:db8:6::  0065 { @-1000 }  0065 { @-1000 } } }",
            &[Want::One("0f b5000f  $me $server  000d { 0008 text }")],
        )],
        ..ROW
    },
];

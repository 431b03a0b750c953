//! QUERY_BY_ADDRESS and QUERY_BY_CLIENTID over TCP: RFC 5460 §7.2, with RFC 5007 §4.4.1.

use crate::conformance::bulk::row::{ROW, Row, Want, bindings, step};

pub const ROWS: &[Row] = &[
    Row {
        name: "bulk by address: all bindings of the client on the link",
        rfc: "5460 §7.2, 5007 §4.1.2.2",
        ids: &["B18", "B7", "B2"],
        steps: &[step(
            "{ 0e b20001  $me  002c { 01 ::  0005 { 2001:db8:1::501 $zero } } }",
            &[bindings(
                "b20001",
                &["$c05  0005 { 2001:db8:1::501 $inf }  0005 { 2001:db8:1::502 $inf }  $clt0"],
            )],
        )],
        ..ROW
    },
    Row {
        name: "bulk by an address inside a delegated prefix",
        rfc: "5460 §7.2, 5007 §4.1.2.1",
        ids: &["B18"],
        steps: &[step(
            "{ 0e b20002  $me  002c { 01 ::  0005 { 2001:db8:a002:2ff::1 $zero } } }",
            &[bindings(
                "b20002",
                &["$c02  0005 { 2001:db8:2::202 $inf }  001a { $inf 38 2001:db8:a002:200:: }  $clt0"],
            )],
        )],
        ..ROW
    },
    Row {
        name: "bulk by address: the other link's bindings stay out",
        rfc: "5460 §7.2, 5007 §4.4.1",
        ids: &["B18"],
        steps: &[step(
            "{ 0e b20003  $me  002c { 01 ::  0005 { 2001:db8:1::404 $zero } } }",
            &[bindings("b20003", &["$c04  0005 { 2001:db8:1::404 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "bulk by address: a free address",
        rfc: "5460 §7.2",
        ids: &["B18", "B8"],
        steps: &[step(
            "{ 0e b20004  $me  002c { 01 ::  0005 { 2001:db8:1::fff $zero } } }",
            &[Want::One("0f b20004  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "bulk by address: an expired one",
        rfc: "5460 §7.2; A3",
        ids: &["B18", "B8", "B59"],
        steps: &[step(
            "{ 0e b20005  $me  002c { 01 ::  0005 { 2001:db8:1::601 $zero } } }",
            &[Want::One("0f b20005  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "bulk by address: one that is not configured",
        rfc: "5460 §7.2, 5007 §4.4.1",
        ids: &["B18", "B9"],
        steps: &[step(
            "{ 0e b20006  $me  002c { 01 ::  0005 { 2001:db8:98::1 $zero } } }",
            &[Want::One("0f b20006  $me $server  000d { 0009 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk by address, on another link",
        rfc: "5460 §7.2; A8",
        ids: &["B18", "B8"],
        steps: &[step(
            "{ 0e b20007  $me  002c { 01 2001:db8:2::  0005 { 2001:db8:1::101 $zero } } }",
            &[Want::One("0f b20007  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "bulk by address, on a link that is not configured",
        rfc: "5460 §7.2, 5007 §4.4.1",
        ids: &["B18", "B9"],
        steps: &[step(
            "{ 0e b20008  $me  002c { 01 2001:db8:99::  0005 { 2001:db8:1::101 $zero } } }",
            &[Want::One("0f b20008  $me $server  000d { 0009 text }")],
        )],
        ..ROW
    },
    Row {
        name: "bulk by client-id: a client on one link",
        rfc: "5460 §7.2",
        ids: &["B18", "B7"],
        steps: &[step(
            "{ 0e b20101  $me  002c { 02 ::  $c02 } }",
            &[bindings(
                "b20101",
                &["$c02  0005 { 2001:db8:2::202 $inf }  001a { $inf 38 2001:db8:a002:200:: }  $clt0"],
            )],
        )],
        ..ROW
    },
    Row {
        name: "bulk by client-id: a client on two links has two messages and no CLIENT_LINK",
        rfc: "5460 §6.3 (CLIENT_LINK MUST NOT be present), §5.2.1",
        ids: &["B17", "B18", "B49", "B4"],
        steps: &[step(
            "{ 0e b20102  $me  002c { 02 ::  $c04 } }",
            &[bindings(
                "b20102",
                &["$c04  0005 { 2001:db8:1::404 $inf }  $clt0", "$c04  0005 { 2001:db8:2::404 $inf }  $clt0"],
            )],
        )],
        ..ROW
    },
    Row {
        name: "bulk by client-id, on one link",
        rfc: "5460 §7.2, 5007 §4.4.1",
        ids: &["B18"],
        steps: &[step(
            "{ 0e b20103  $me  002c { 02 2001:db8:2::1  $c04 } }",
            &[bindings("b20103", &["$c04  0005 { 2001:db8:2::404 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "bulk by client-id, on two links that one address names",
        rfc: "5460 §5.2.1; A6",
        ids: &["B49", "B18"],
        steps: &[step(
            "{ 0e b20104  $me  002c { 02 2001:db8:12::1  $c16 } }",
            &[bindings(
                "b20104",
                &[
                    "$c16  0005 { 2001:db8:12::1601 $inf }  $clt0",
                    "$c16  0005 { 2001:db8:13::1601 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "bulk by client-id: an unknown client",
        rfc: "5460 §7.2",
        ids: &["B8", "B18"],
        steps: &[step("{ 0e b20105  $me  002c { 02 ::  $cff } }", &[Want::One("0f b20105  $me $server")])],
        ..ROW
    },
    Row {
        name: "bulk by client-id: expired alone",
        rfc: "5460 §7.2; A3",
        ids: &["B8", "B59"],
        steps: &[step("{ 0e b20106  $me  002c { 02 ::  $c06 } }", &[Want::One("0f b20106  $me $server")])],
        ..ROW
    },
    Row {
        name: "bulk by client-id: on a link and on no configured link",
        rfc: "5460 §7.2; A9",
        ids: &["B50"],
        steps: &[step(
            "{ 0e b20107  $me  002c { 02 ::  $c0b } }",
            &[bindings(
                "b20107",
                &[
                    "$c0b  0005 { 2001:db8:1::b01 $inf }  $clt0",
                    "$c0b  0005 { 2001:db8:99::b01 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "bulk by client-id: on no configured link alone",
        rfc: "5460 §7.2; A9",
        ids: &["B50"],
        steps: &[step(
            "{ 0e b20108  $me  002c { 02 ::  $c0a } }",
            &[bindings("b20108", &["$c0a  0005 { 2001:db8:99::a01 $inf }  $clt0"])],
        )],
        ..ROW
    },
];

//! Queries by relay-id, link-address and remote-id: RFC 5460 §5.3 and §7.2.

use crate::conformance::bulk::row::{ROW, Row, Want, bindings, step};

pub const ROWS: &[Row] = &[
    Row {
        name: "by relay-id: all links",
        rfc: "5460 §5.3.1",
        ids: &["B11", "B1", "B2", "B3", "B5", "B7", "B16", "B17", "B49", "B51"],
        steps: &[step(
            "{ 0e b10001  $me  002c { 03 ::  $relay-a } }",
            &[bindings(
                "b10001",
                &[
                    "$c01  0005 { 2001:db8:1::101 $inf }  $clt0",
                    "$c02  0005 { 2001:db8:2::202 $inf }  001a { $inf 38 2001:db8:a002:200:: }  $clt0",
                    "$c03  0005 { 2001:db8:2::303 $inf }  $clt0",
                    "$c04  0005 { 2001:db8:1::404 $inf }  $clt0",
                    "$c04  0005 { 2001:db8:2::404 $inf }  $clt0",
                    "$c05  0005 { 2001:db8:1::501 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by relay-id: the outer of two relay agents",
        rfc: "5460 §5.3.1",
        ids: &["B11", "B51"],
        steps: &[step(
            "{ 0e b10002  $me  002c { 03 2001:db8:ffff::2  $relay-b } }",
            &[bindings("b10002", &["$c03  0005 { 2001:db8:2::303 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "by relay-id, on one link",
        rfc: "5460 §5.3.1, §7.2",
        ids: &["B12", "B11"],
        steps: &[step(
            "{ 0e b10003  $me  002c { 03 2001:db8:1::  $relay-a } }",
            &[bindings(
                "b10003",
                &[
                    "$c01  0005 { 2001:db8:1::101 $inf }  $clt0",
                    "$c04  0005 { 2001:db8:1::404 $inf }  $clt0",
                    "$c05  0005 { 2001:db8:1::501 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by relay-id, on the link of a pd-pool",
        rfc: "5460 §7.2",
        ids: &["B12"],
        steps: &[step(
            "{ 0e b10004  $me  002c { 03 2001:db8:a000::1  $relay-a } }",
            &[bindings(
                "b10004",
                &[
                    "$c02  0005 { 2001:db8:2::202 $inf }  001a { $inf 38 2001:db8:a002:200:: }  $clt0",
                    "$c03  0005 { 2001:db8:2::303 $inf }  $clt0",
                    "$c04  0005 { 2001:db8:2::404 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by relay-id, on a link that is not configured",
        rfc: "5460 §7.2",
        ids: &["B13", "B9"],
        steps: &[step(
            "{ 0e b10005  $me  002c { 03 2001:db8:98::1  $relay-a } }",
            &[Want::One("0f b10005  $me $server  000d { 0009 text }")],
        )],
        ..ROW
    },
    Row {
        name: "by relay-id, on a configured link without such bindings",
        rfc: "5460 §7.2",
        ids: &["B8", "B12"],
        steps: &[step(
            "{ 0e b10006  $me  002c { 03 2001:db8:5::1  $relay-a } }",
            &[Want::One("0f b10006  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "by an unknown relay-id",
        rfc: "5460 §6.3, §7.2",
        ids: &["B8", "B11"],
        steps: &[step(
            "{ 0e b10007  $me  002c { 03 ::  0035 { 0003 0001 0200 0000 0aff } } }",
            &[Want::One("0f b10007  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "by the first octets of a relay-id",
        rfc: "5460 §5.3.1",
        ids: &["B8", "B11"],
        steps: &[step(
            "{ 0e b10008  $me  002c { 03 ::  0035 { 0003 0001 0200 0000 0a } } }",
            &[Want::One("0f b10008  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "by a relay-id whose bindings are expired, declined, reclaimed, released and registered",
        rfc: "5460 §5.3.1; A10, A11",
        ids: &["B59", "B8"],
        steps: &[step(
            "{ 0e b10009  $me  002c { 03 ::  $relay-e } }",
            &[Want::One("0f b10009  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "by relay-id: bindings on no configured link have a message of their own",
        rfc: "5460 §5.3.1; A9",
        ids: &["B50"],
        steps: &[step(
            "{ 0e b1000a  $me  002c { 03 ::  $relay-c } }",
            &[bindings(
                "b1000a",
                &[
                    "$c0a  0005 { 2001:db8:99::a01 $inf }  $clt0",
                    "$c0b  0005 { 2001:db8:99::b01 $inf }  $clt0",
                    "$c0b  0005 { 2001:db8:1::b01 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by relay-id on a link: no bindings on no configured link",
        rfc: "5460 §7.2; A9",
        ids: &["B50", "B12"],
        steps: &[step(
            "{ 0e b1000b  $me  002c { 03 2001:db8:1::7  $relay-c } }",
            &[bindings("b1000b", &["$c0b  0005 { 2001:db8:1::b01 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "by relay-id: the relay agent of the last message counts",
        rfc: "5460 §5.4.1",
        ids: &["B16"],
        steps: &[step(
            "{ 0e b1000c  $me  002c { 03 ::  $relay-d } }",
            &[bindings("b1000c", &["$c0d  0005 { 2001:db8:8::d01 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "by relay-id: two subnets of a shared network are one link",
        rfc: "5460 §5.2.1; A7",
        ids: &["B3", "B11"],
        steps: &[step(
            "{ 0e b1000d  $me  002c { 03 2001:db8:3::1  $relay-b } }",
            &[bindings(
                "b1000d",
                &[
                    "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                    "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by relay-id, with more query-options than needed",
        rfc: "8415 §16; A18",
        ids: &["B11"],
        steps: &[step(
            "{ 0e b1000e  $me  03e7 { 616263 }  002c { 03 ::  03e7 { } 0001 { 00 }  $relay-d  $relay-a } }",
            &[bindings("b1000e", &["$c0d  0005 { 2001:db8:8::d01 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "by link-address: an address of the subnet",
        rfc: "5460 §5.3.2",
        ids: &["B14", "B3", "B6", "B59"],
        steps: &[step(
            "{ 0e b10101  $me  002c { 04 2001:db8:1::77 } }",
            &[bindings(
                "b10101",
                &[
                    "$c01  0005 { 2001:db8:1::101 $inf }  $clt0",
                    "$c04  0005 { 2001:db8:1::404 $inf }  $clt0",
                    "$c05  0005 { 2001:db8:1::501 $inf }  0005 { 2001:db8:1::502 $inf }  $clt0",
                    "$c0b  0005 { 2001:db8:1::b01 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by link-address: the configured relay address",
        rfc: "5460 §5.3.2; A6",
        ids: &["B14"],
        steps: &[step(
            "{ 0e b10102  $me  002c { 04 2001:db8:ffff::2 } }",
            &[bindings(
                "b10102",
                &[
                    "$c02  0005 { 2001:db8:2::202 $inf }  001a { $inf 38 2001:db8:a002:200:: }  $clt0",
                    "$c03  0005 { 2001:db8:2::303 $inf }  $clt0",
                    "$c04  0005 { 2001:db8:2::404 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by link-address: the shared network by one of its subnets",
        rfc: "5460 §5.3.2; A7",
        ids: &["B14", "B3"],
        steps: &[step(
            "{ 0e b10103  $me  002c { 04 2001:db8:4:: } }",
            &[bindings(
                "b10103",
                &[
                    "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                    "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by link-address: the relay address of two subnets",
        rfc: "5460 §5.3.2; A7",
        ids: &["B14"],
        steps: &[step(
            "{ 0e b10104  $me  002c { 04 2001:db8:10::1 } }",
            &[bindings(
                "b10104",
                &[
                    "$c12  0005 { 2001:db8:10::1201 $inf }  $clt0",
                    "$c13  0005 { 2001:db8:11::1301 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by link-address: a relay address that names two links",
        rfc: "5460 §5.3.2; A6",
        ids: &["B14", "B49"],
        steps: &[step(
            "{ 0e b10105  $me  002c { 04 2001:db8:12::1 } }",
            &[bindings(
                "b10105",
                &[
                    "$c14  0005 { 2001:db8:12::1401 $inf }  $clt0",
                    "$c15  0005 { 2001:db8:13::1501 $inf }  $clt0",
                    "$c16  0005 { 2001:db8:12::1601 $inf }  $clt0",
                    "$c16  0005 { 2001:db8:13::1601 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by link-address: beside that relay address",
        rfc: "5460 §5.3.2; A6",
        ids: &["B14"],
        steps: &[step(
            "{ 0e b10106  $me  002c { 04 2001:db8:12::2 } }",
            &[bindings(
                "b10106",
                &[
                    "$c14  0005 { 2001:db8:12::1401 $inf }  $clt0",
                    "$c16  0005 { 2001:db8:12::1601 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by link-address: a pd-pool of two subnets",
        rfc: "5460 §5.3.2; A6",
        ids: &["B14"],
        steps: &[step(
            "{ 0e b10107  $me  002c { 04 2001:db8:d000:: } }",
            &[bindings("b10107", &["$c17  001a { $inf 38 2001:db8:d017:: }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "by link-address: a link without leases",
        rfc: "5460 §7.2",
        ids: &["B8", "B14"],
        steps: &[step(
            "{ 0e b10108  $me  002c { 04 2001:db8:5::1 } }",
            &[Want::One("0f b10108  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "by link-address: a link without bindings",
        rfc: "5460 §7.2; A10, A11",
        ids: &["B59", "B8"],
        steps: &[step(
            "{ 0e b10109  $me  002c { 04 2001:db8:ffff::7 } }",
            &[Want::One("0f b10109  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "by link-address: a link that is not configured",
        rfc: "5460 §7.2; RFC 5007 §4.4.1",
        ids: &["B13"],
        steps: &[step(
            "{ 0e b1010a  $me  002c { 04 2001:db8:99::1 } }",
            &[Want::One("0f b1010a  $me $server  000d { 0009 text }")],
        )],
        ..ROW
    },
    Row {
        name: "by link-address: a link-local one",
        rfc: "5460 §5.3.2; A26",
        ids: &["B13"],
        steps: &[step(
            "{ 0e b1010b  $me  002c { 04 fe80::1 } }",
            &[Want::One("0f b1010b  $me $server  000d { 0009 text }")],
        )],
        ..ROW
    },
    Row {
        name: "by link-address, with a relay-id that means nothing there",
        rfc: "5460 §5.3.2; A18",
        ids: &["B14"],
        steps: &[step(
            "{ 0e b1010c  $me  002c { 04 2001:db8:10::99  $relay-a } }",
            &[bindings(
                "b1010c",
                &[
                    "$c12  0005 { 2001:db8:10::1201 $inf }  $clt0",
                    "$c13  0005 { 2001:db8:11::1301 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by remote-id: all links",
        rfc: "5460 §5.3.3",
        ids: &["B15", "B16", "B51"],
        steps: &[step(
            "{ 0e b10201  $me  002c { 05 ::  0025 { 00000009 aabb } } }",
            &[bindings(
                "b10201",
                &[
                    "$c01  0005 { 2001:db8:1::101 $inf }  $clt0",
                    "$c02  0005 { 2001:db8:2::202 $inf }  001a { $inf 38 2001:db8:a002:200:: }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by remote-id: the same identifier of another enterprise",
        rfc: "5460 §5.3.3, 4649 §3",
        ids: &["B15"],
        steps: &[step(
            "{ 0e b10202  $me  002c { 05 ::  0025 { 0000000a aabb } } }",
            &[bindings("b10202", &["$c03  0005 { 2001:db8:2::303 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "by remote-id: that of the inner relay agent",
        rfc: "5460 §5.3.3",
        ids: &["B15"],
        steps: &[step(
            "{ 0e b10203  $me  002c { 05 ::  0025 { 00000009 ccdd } } }",
            &[bindings("b10203", &["$c03  0005 { 2001:db8:2::303 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "by remote-id: a client on two links",
        rfc: "5460 §5.2.1, §6.3",
        ids: &["B49", "B17", "B3", "B4"],
        steps: &[step(
            "{ 0e b10204  $me  002c { 05 ::  0025 { 00000009 0404 } } }",
            &[bindings(
                "b10204",
                &["$c04  0005 { 2001:db8:1::404 $inf }  $clt0", "$c04  0005 { 2001:db8:2::404 $inf }  $clt0"],
            )],
        )],
        ..ROW
    },
    Row {
        name: "by remote-id, on one link",
        rfc: "5460 §7.2",
        ids: &["B12", "B15"],
        steps: &[step(
            "{ 0e b10205  $me  002c { 05 2001:db8:2::9  0025 { 00000009 0404 } } }",
            &[bindings("b10205", &["$c04  0005 { 2001:db8:2::404 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "by remote-id, on another link",
        rfc: "5460 §7.2",
        ids: &["B8", "B12"],
        steps: &[step(
            "{ 0e b10206  $me  002c { 05 2001:db8:8::9  0025 { 00000009 0404 } } }",
            &[Want::One("0f b10206  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "by remote-id, on a link that is not configured",
        rfc: "5460 §7.2",
        ids: &["B13"],
        steps: &[step(
            "{ 0e b10207  $me  002c { 05 2001:db8:99::  0025 { 00000009 0404 } } }",
            &[Want::One("0f b10207  $me $server  000d { 0009 text }")],
        )],
        ..ROW
    },
    Row {
        name: "by an unknown remote-id",
        rfc: "5460 §7.2",
        ids: &["B8", "B15"],
        steps: &[step(
            "{ 0e b10208  $me  002c { 05 ::  0025 { 00000009 aab0 } } }",
            &[Want::One("0f b10208  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "by the remote-id of expired and released bindings",
        rfc: "5460 §7.2; A10",
        ids: &["B59", "B8"],
        steps: &[step(
            "{ 0e b10209  $me  002c { 05 ::  0025 { 00000009 07 } } }",
            &[Want::One("0f b10209  $me $server")],
        )],
        ..ROW
    },
    Row {
        name: "by remote-id: bindings on no configured link have a message of their own",
        rfc: "5460 §5.3.3; A9",
        ids: &["B50"],
        steps: &[step(
            "{ 0e b1020a  $me  002c { 05 ::  0025 { 00000009 99 } } }",
            &[bindings(
                "b1020a",
                &[
                    "$c0a  0005 { 2001:db8:99::a01 $inf }  $clt0",
                    "$c0b  0005 { 2001:db8:99::b01 $inf }  $clt0",
                    "$c0b  0005 { 2001:db8:1::b01 $inf }  $clt0",
                ],
            )],
        )],
        ..ROW
    },
];

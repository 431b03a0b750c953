//! Options of the answers: the ORO in LQ_QUERY, relay data, OPTION_LQ_BASE_TIME, sensitive options.

use crate::conformance::bulk::row::{ROW, Row, Setup, Want, bindings, step};

pub const ROWS: &[Row] = &[
    Row {
        name: "bulk ORO: relay data, name, link-layer address, option of the subnet",
        rfc: "5007 §4.1.2.1, §4.1.2.4, §4.4.2",
        ids: &["B60"],
        steps: &[step(
            "{ 0e b40001  $me  002c { 04 2001:db8:8::  0006 { 002f 0027 004f 0017 } } }",
            &[bindings(
                "b40001",
                &[
                    "$c0c  0005 { 2001:db8:8::c01 $inf }  $clt0  0017 { 2001:db8:8::53 }",
                    "$c0d  0005 { 2001:db8:8::d01 $inf }  $clt0  0017 { 2001:db8:8::53 }
                       002f { 2001:db8:8::1  0c 00 2001:db8:8::1 fe80::8  $relay-d }",
                    "$c1d  0005 { 2001:db8:8::1d01 $inf }  $clt0
                       0027 { 01 06 686f73743164 07 6578616d706c65 03 6e6574 00 }  # S, host1d.example.net.
                       004f { 0001 020000001d01 }
                       0017 { 2001:db8:8::53 }
                       002f { ::
                         0c 01 :: fe80::b
                           0009 { 0c 00 2001:db8:8::1 fe80::1
                             0012 { 74657374 }  0025 { 00000009 0affbeef } } }",
                ],
            )],
        )],
        ..ROW
    },
    Row {
        name: "bulk ORO: unknown codes, repeated ones, those that come anyhow",
        rfc: "5007 §4.4.2",
        ids: &["B60"],
        steps: &[step(
            "{ 0e b40002  $me  002c { 02 ::  $c0d  0006 { 03e7 0017 0000 0001 0005 001a 002e 0017 } } }",
            &[bindings("b40002", &["$c0d  0005 { 2001:db8:8::d01 $inf }  $clt0  0017 { 2001:db8:8::53 }"])],
        )],
        ..ROW
    },
    Row {
        name: "bulk ORO at message level selects nothing",
        rfc: "5007 §4.1.2.1 (distinct and separate)",
        ids: &["B56", "B60"],
        steps: &[step(
            "{ 0e b40003  $me  0006 { 002f 0017 0064 }  002c { 02 ::  $c0d } }",
            &[bindings("b40003", &["$c0d  0005 { 2001:db8:8::d01 $inf }  $clt0"])],
        )],
        ..ROW
    },
    Row {
        name: "bulk: sensitive options are left out, of relay data too",
        rfc: "5007 §4.4.2",
        ids: &["B60"],
        setup: Setup::Sensitive,
        steps: &[step(
            "{ 0e b40004  $me  002c { 02 ::  $c1d  0006 { 0027 004f 002f } } }",
            &[bindings(
                "b40004",
                &["$c1d  0005 { 2001:db8:8::1d01 $inf }  $clt0
                     004f { 0001 020000001d01 }
                     002f { ::
                       0c 01 :: fe80::b
                         0009 { 0c 00 2001:db8:8::1 fe80::1  0012 { 74657374 } } }"],
            )],
        )],
        ..ROW
    },
    Row {
        name: "base-time in each message of the query",
        rfc: "7653 §6.3.1",
        ids: &["B38", "B57"],
        steps: &[step(
            "{ 0e b40101  $me  002c { 04 2001:db8:4::  0006 { 0064 } } }",
            &[Want::Bindings {
                xid: "b40101",
                beside: "0064 { @now }",
                data: &[
                    "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                    "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                ],
                done: "",
            }],
        )],
        ..ROW
    },
    Row {
        name: "base-time without bindings",
        rfc: "7653 §6.3.1",
        ids: &["B38", "B8"],
        steps: &[step(
            "{ 0e b40102  $me  002c { 02 ::  0006 { 0017 0064 }  $cff } }",
            &[Want::One("0f b40102  $me $server  0064 { @now }")],
        )],
        ..ROW
    },
    Row {
        name: "base-time beside an error",
        rfc: "7653 §6.3.1",
        ids: &["B38", "B9"],
        steps: &[step(
            "{ 0e b40103  $me  002c { 04 2001:db8:99::  0006 { 0064 } } }",
            &[Want::One("0f b40103  $me $server  000d { 0009 text }  0064 { @now }")],
        )],
        ..ROW
    },
    Row {
        name: "base-time and other options",
        rfc: "7653 §6.3.1",
        ids: &["B38", "B60"],
        steps: &[step(
            "{ 0e b40104  $me  002c { 03 ::  $relay-d  0006 { 002f 0064 } } }",
            &[Want::Bindings {
                xid: "b40104",
                beside: "0064 { @now }",
                data: &["$c0d  0005 { 2001:db8:8::d01 $inf }  $clt0
                     002f { 2001:db8:8::1  0c 00 2001:db8:8::1 fe80::8  $relay-d }"],
                done: "",
            }],
        )],
        ..ROW
    },
    Row {
        name: "base-time is not in the answer to another query",
        rfc: "7653 §6.3.1",
        ids: &["B38"],
        steps: &[step(
            "{ 0e b40105  $me  002c { 02 ::  $c01  0006 { 0064 } } }  { 0e b40106  $me  002c { 02 ::  $c01 } }",
            &[
                Want::Bindings {
                    xid: "b40105",
                    beside: "0064 { @now }",
                    data: &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"],
                    done: "",
                },
                bindings("b40106", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"]),
            ],
        )],
        ..ROW
    },
];

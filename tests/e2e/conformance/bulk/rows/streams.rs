//! Frames as a stream of octets: RFC 5460 §5.1. Every other row runs octet by octet too.

use crate::conformance::bulk::row::{ROW, Row, Want, bindings, step};

pub const ROWS: &[Row] = &[
    Row {
        name: "a query and half of the next one, then the other half",
        rfc: "5460 §5.1",
        ids: &["B42", "B1"],
        steps: &[
            step(
                "{ 0e b80001  $me  002c { 02 ::  $c01 } }  0035 0e b80002  $me  002c 001f 02 ::",
                &[bindings("b80001", &["$c01  0005 { 2001:db8:1::101 $inf }  $clt0"])],
            ),
            step("$c0d", &[bindings("b80002", &["$c0d  0005 { 2001:db8:8::d01 $inf }  $clt0"])]),
        ],
        ..ROW
    },
    Row {
        name: "a frame cut inside its length",
        rfc: "5460 §5.1",
        ids: &["B42"],
        steps: &[
            step("{ 0e b80003  $me  002c { 02 ::  $cff } }  00", &[Want::One("0f b80003  $me $server")]),
            step(
                "35 0e b80004  $me  002c 001f 02 ::  $c0d",
                &[bindings("b80004", &["$c0d  0005 { 2001:db8:8::d01 $inf }  $clt0"])],
            ),
        ],
        ..ROW
    },
    Row {
        name: "a query of 65,535 octets",
        rfc: "5460 §5.1",
        ids: &["B42", "B1"],
        steps: &[step(
            // 65,535 = 4 + 14 ($me) + 35 (LQ_QUERY) + 4 and 65,478 octets of an unknown option.
            "ffff 0e b80005  $me  002c 001f 02 ::  $c0d  03e7 ffc6 00*65478",
            &[bindings("b80005", &["$c0d  0005 { 2001:db8:8::d01 $inf }  $clt0"])],
        )],
        // Octet by octet it is a test of patience.
        divisible: false,
        ..ROW
    },
];

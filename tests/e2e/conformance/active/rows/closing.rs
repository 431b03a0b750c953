//! Messages beside an active query, and the end of the connection: RFC 7653 §9.4, §9.5.

use crate::conformance::active::row::Step::{Send, Want, WantAll};
use crate::conformance::active::row::{End, ROW, Row};

pub const ROWS: &[Row] = &[
    Row {
        name: "a second active query: NotAllowed, and the first one is terminated",
        rfc: "7653 §9.4, §9.5",
        ids: &["AL38", "AL18", "AL41"],
        steps: &[
            Send("{ 16 a70001  $me }"),
            Want("0f a70001  $me $server"),
            Send("{ 16 a70002  $me }"),
            WantAll(&["0f a70002  $me $server  000d { 000a text }", "10 a70001  000d { 000b text }"]),
        ],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "a bulk query beside an active one: NotAllowed, base-time in the DONE of the other",
        rfc: "7653 §9.4, §9.5, §9.3",
        ids: &["AL38", "AL18", "AL41", "AL20"],
        steps: &[
            Send("{ 16 a70003  $me  0006 { 0064 } }"),
            Want("0f a70003  $me $server  0064 { @now }"),
            Send("{ 0e a70004  $me  002c { 02 ::  $c01 } }"),
            WantAll(&[
                "0f a70004  $me $server  000d { 000a text }",
                "10 a70003  000d { 000b text }  0064 { @now }",
            ]),
        ],
        end: End::Closed,
        ..ROW
    },
];

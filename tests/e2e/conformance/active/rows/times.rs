//! OPTION_LQ_BASE_TIME, OPTION_LQ_START_TIME and the catch-up: RFC 7653 §6.3, §8.4.1, §9.3.

use crate::conformance::active::row::Step::{Await, Change, Send, Tick, Want, WantAll};
use crate::conformance::active::row::{ROW, Row, Setup, Step};

/// Waits until lqd answers a query by client-id over UDP with one address.
macro_rules! known {
    ($client:literal, $address:literal) => {
        Await {
            query: concat!("0e a6ffff  $me  002c { 02 2001:db8:5::  ", $client, " }"),
            reply: concat!(
                "0f a6ffff  $me $server  002d { ",
                $client,
                "  0005 { ",
                $address,
                " $inf }  $clt0 }"
            ),
        }
    };
}

/// Waits until lqd knows no binding of a client.
macro_rules! unknown {
    ($client:literal) => {
        Await {
            query: concat!("0e a6ffff  $me  002c { 02 2001:db8:5::  ", $client, " }"),
            reply: "0f a6ffff  $me $server",
        }
    };
}

/// The second from which a reader wants changes; the log is older.
const NOW: Step = Tick;

pub const ROWS: &[Row] = &[
    Row {
        name: "base-time in every message: REPLY, DATA",
        rfc: "7653 §6.3.1, §9.3",
        ids: &["AL20", "AL21", "AL61"],
        steps: &[
            Send("{ 16 a60001  $me  002c { 02 ::  $c90  0006 { 0064 } } }"),
            Want("0f a60001  $me $server  0064 { @now }"),
            Tick,
            Change(address!("2001:db8:5::9001", "90", "5")),
            Want("11 a60001  0064 { @now }  002d { $c90  0005 { 2001:db8:5::9001 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME now, nothing missed: CatchUpComplete all the same, then live",
        rfc: "7653 §8.4.1, §9.3",
        ids: &["AL22", "AL23"],
        steps: &[
            NOW,
            Send("{ 16 a60002  $me  0065 { @0 }  002c { 02 ::  $c91 } }"),
            Want("0f a60002  $me $server"),
            Want("11 a60002  000d { 000d text }"),
            Change(address!("2001:db8:5::9101", "91", "5")),
            Want("11 a60002  002d { $c91  0005 { 2001:db8:5::9101 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME: what was missed, then CatchUpComplete, base-time in all",
        rfc: "7653 §6.3.2, §8.4.1, §9.3",
        ids: &["AL22", "AL23", "AL20", "AL15"],
        steps: &[
            NOW,
            Change(address!("2001:db8:5::9201", "92", "5")),
            known!("$c92", "2001:db8:5::9201"),
            Send("{ 16 a60003  $me  0006 { 0064 }  0065 { @0 }  002c { 02 ::  $c92 } }"),
            Want("0f a60003  $me $server  0064 { @now }"),
            Want("11 a60003  0064 { @now }  002d { $c92  0005 { 2001:db8:5::9201 $inf }  $clt0 }"),
            Want("11 a60003  000d { 000d text }  0064 { @now }"),
            Change(gone!("2001:db8:5::9201", "92", "5")),
            Want("11 a60003  0064 { @now }  002d { $c92  0005 { 2001:db8:5::9201 $zero }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME in LQ_QUERY",
        rfc: "7653 §6.3.2",
        ids: &["AL22", "AL57"],
        steps: &[
            NOW,
            Change(address!("2001:db8:5::9301", "93", "5")),
            known!("$c93", "2001:db8:5::9301"),
            Send("{ 16 a60004  $me  002c { 02 ::  $c93  0065 { @0 } } }"),
            Want("0f a60004  $me $server"),
            Want("11 a60004  002d { $c93  0005 { 2001:db8:5::9301 $inf }  $clt0 }"),
            Want("11 a60004  000d { 000d text }"),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME a second later than the change",
        rfc: "7653 §6.3.2",
        ids: &["AL22", "AL23"],
        steps: &[
            NOW,
            Change(address!("2001:db8:5::9401", "94", "5")),
            known!("$c94", "2001:db8:5::9401"),
            Tick,
            Send("{ 16 a60005  $me  0065 { @0 }  002c { 02 ::  $c94 } }"),
            Want("0f a60005  $me $server"),
            Want("11 a60005  000d { 000d text }"),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME: a lease that came and went meanwhile is told in its state now",
        rfc: "7653 §7, §8.4.1",
        ids: &["AL22", "AL34", "AL47"],
        steps: &[
            NOW,
            Change(address!("2001:db8:5::9501", "95", "5")),
            known!("$c95", "2001:db8:5::9501"),
            Change(gone!("2001:db8:5::9501", "95", "5")),
            unknown!("$c95"),
            Send("{ 16 a60006  $me  0065 { @0 }  002c { 02 ::  $c95 } }"),
            Want("0f a60006  $me $server"),
            Want("11 a60006  002d { $c95  0005 { 2001:db8:5::9501 $zero }  $clt0 }"),
            Want("11 a60006  000d { 000d text }"),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME: changes of several clients, in any order",
        rfc: "7653 §8.4.1",
        ids: &["AL22", "AL23"],
        steps: &[
            NOW,
            Change(concat!(
                address!("2001:db8:7::9601", "96", "7"),
                address!("2001:db8:7::9701", "97", "7"),
                address!("2001:db8:5::9801", "98", "5"),
            )),
            known!("$c98", "2001:db8:5::9801"),
            Send("{ 16 a60007  $me  0065 { @0 }  002c { 04 2001:db8:7:: } }"),
            Want("0f a60007  $me $server"),
            WantAll(&[
                "11 a60007  002d { $c96  0005 { 2001:db8:7::9601 $inf }  $clt0 }",
                "11 a60007  002d { $c97  0005 { 2001:db8:7::9701 $inf }  $clt0 }",
            ]),
            Want("11 a60007  000d { 000d text }"),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME in the future: live at once, with CatchUpComplete",
        rfc: "7653 §9.3",
        ids: &["AL51", "AL23"],
        steps: &[
            Send("{ 16 a60008  $me  0065 { @1000 }  002c { 02 ::  $c99 } }"),
            Want("0f a60008  $me $server"),
            Want("11 a60008  000d { 000d text }"),
            Change(address!("2001:db8:5::9901", "99", "5")),
            Want("11 a60008  002d { $c99  0005 { 2001:db8:5::9901 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME before the history: DataMissing with base-time, then live, without CatchUpComplete",
        rfc: "7653 §8.4.1, §8.6.2",
        ids: &["AL24", "AL15"],
        steps: &[
            Send("{ 16 a60009  $me  0065 { @-100000 }  002c { 02 ::  $c9a } }"),
            Want("0f a60009  $me $server  000d { 000c text }  0064 { @now }"),
            Change(address!("2001:db8:5::9a01", "9a", "5")),
            Want("11 a60009  002d { $c9a  0005 { 2001:db8:5::9a01 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME before the history, base-time requested",
        rfc: "7653 §8.4.1, §9.3",
        ids: &["AL24", "AL20"],
        steps: &[
            Send("{ 16 a6000a  $me  0006 { 0064 }  0065 { 00000000 } }"),
            Want("0f a6000a  $me $server  000d { 000c text }  0064 { @now }"),
            Change(address!("2001:db8:5::9b01", "9b", "5")),
            Want("11 a6000a  0064 { @now }  002d { $c9b  0005 { 2001:db8:5::9b01 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "START_TIME now, and no history is kept: DataMissing",
        rfc: "7653 §8.4.1, §9.3",
        ids: &["AL24", "AL26"],
        setup: Setup::NoHistory,
        steps: &[
            NOW,
            Send("{ 16 a6000b  $me  0065 { @0 } }"),
            Want("0f a6000b  $me $server  000d { 000c text }  0064 { @now }"),
            Change(address!("2001:db8:5::9c01", "9c", "5")),
            Want("11 a6000b  002d { $c9c  0005 { 2001:db8:5::9c01 $inf }  $clt0 }"),
        ],
        ..ROW
    },
];

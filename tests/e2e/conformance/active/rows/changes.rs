//! Kinds of changes (RFC 7653 §2: any change of the binding state, expiration and deletion too), each in the
//! state at the time of its message (§7).

use crate::conformance::active::row::Step::{Change, Send, Tick, Want, WantAll};
use crate::conformance::active::row::{ROW, Row};

pub const ROWS: &[Row] = &[
    Row {
        name: "a new binding beside those that the client has on the link",
        rfc: "7653 §3, §9.3; 5007 §4.1.2.2",
        ids: &["AL31", "AL34"],
        steps: &[
            Send("{ 16 a30001  $me  002c { 02 ::  $c50 } }"),
            Want("0f a30001  $me $server"),
            Change(address!("2001:db8:2::5001", "50", "2")),
            Want("11 a30001  002d { $c50  0005 { 2001:db8:2::5001 $inf }  $clt0 }"),
            Change(prefix!("2001:db8:a050::", "50", "2")),
            Want(
                "11 a30001  002d { $c50  0005 { 2001:db8:2::5001 $inf }
                                         001a { $inf 38 2001:db8:a050:: }  $clt0 }",
            ),
            // Another link's bindings are not in the message.
            Change(address!("2001:db8:5::5001", "50", "5")),
            Want("11 a30001  002d { $c50  0005 { 2001:db8:5::5001 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "a removal: lifetimes 0, beside what is left on the link",
        rfc: "7653 §2, §7",
        ids: &["AL47", "AL35"],
        steps: &[
            Send("{ 16 a30002  $me  002c { 02 ::  $c51 } }"),
            Want("0f a30002  $me $server"),
            Change(address!("2001:db8:2::5101", "51", "2")),
            Want("11 a30002  002d { $c51  0005 { 2001:db8:2::5101 $inf }  $clt0 }"),
            Change(prefix!("2001:db8:a051::", "51", "2")),
            Want(
                "11 a30002  002d { $c51  0005 { 2001:db8:2::5101 $inf }
                                         001a { $inf 38 2001:db8:a051:: }  $clt0 }",
            ),
            Change(gone!("2001:db8:2::5101", "51", "2")),
            Want(
                "11 a30002  002d { $c51  0005 { 2001:db8:2::5101 $zero }
                                         001a { $inf 38 2001:db8:a051:: }  $clt0 }",
            ),
            Change(prefix!("2001:db8:a051::", "51", "2", "0", "")),
            Want("11 a30002  002d { $c51  001a { $zero 38 2001:db8:a051:: }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "a renewal: lifetimes and CLT_TIME of the new transaction",
        rfc: "7653 §7; 5007 §4.1.2.3",
        ids: &["AL34", "AL31"],
        steps: &[
            Send("{ 16 a30003  $me  002c { 02 ::  $c52 } }"),
            Want("0f a30003  $me $server"),
            Tick,
            Change(
                "2001:db8:5::5201,00:03:00:01:02:00:00:00:00:52,86400,now-100,5,43200,0,1,128,0,0,,,0,,1,0,0",
            ),
            Want(
                "11 a30003  002d { $c52  0005 { 2001:db8:5::5201 left:43100 left:86300 }  002e { age:100 } }",
            ),
            Change("2001:db8:5::5201,00:03:00:01:02:00:00:00:00:52,86400,now,5,43200,0,1,128,0,0,,,0,,1,0,0"),
            Want("11 a30003  002d { $c52  0005 { 2001:db8:5::5201 left:43200 left:86400 }  002e { age:0 } }"),
        ],
        ..ROW
    },
    Row {
        name: "a release that Kea keeps",
        rfc: "7653 §2",
        ids: &["AL35", "AL47"],
        steps: &[
            Send("{ 16 a30004  $me  002c { 02 ::  $c53 } }"),
            Want("0f a30004  $me $server"),
            Change(address!("2001:db8:5::5301", "53", "5")),
            Want("11 a30004  002d { $c53  0005 { 2001:db8:5::5301 $inf }  $clt0 }"),
            Change(address!("2001:db8:5::5301", "53", "5", "4294967295", "3", "")),
            Want("11 a30004  002d { $c53  0005 { 2001:db8:5::5301 $zero }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "a decline: the address is no client's",
        rfc: "7653 §2",
        ids: &["AL35", "AL47"],
        steps: &[
            Send("{ 16 a30005  $me  002c { 01 ::  0005 { 2001:db8:5::5401 $zero } } }"),
            Want("0f a30005  $me $server"),
            Change(address!("2001:db8:5::5401", "54", "5")),
            Want("11 a30005  002d { $c54  0005 { 2001:db8:5::5401 $inf }  $clt0 }"),
            // As Kea writes it: state 1, an empty DUID of three octets.
            Change("2001:db8:5::5401,00:00:00,4294967295,4102444800,5,4294967295,0,1,128,0,0,,,1,,1,0,0"),
            Want("11 a30005  002d { $c54  0005 { 2001:db8:5::5401 $zero }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "a reclaimed lease",
        rfc: "7653 §2",
        ids: &["AL35", "AL47"],
        steps: &[
            Send("{ 16 a30006  $me  002c { 02 ::  $c55 } }"),
            Want("0f a30006  $me $server"),
            Change(address!("2001:db8:5::5501", "55", "5")),
            Want("11 a30006  002d { $c55  0005 { 2001:db8:5::5501 $inf }  $clt0 }"),
            Change(address!("2001:db8:5::5501", "55", "5", "4294967295", "2", "")),
            Want("11 a30006  002d { $c55  0005 { 2001:db8:5::5501 $zero }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "expiry by time is told, without a row of the lease file",
        rfc: "7653 §2 (expiration)",
        ids: &["AL58", "AL35", "AL47"],
        steps: &[
            Send("{ 16 a30007  $me  002c { 02 ::  $c56 } }"),
            Want("0f a30007  $me $server"),
            Change(address!("2001:db8:5::5602", "56", "5")),
            Want("11 a30007  002d { $c56  0005 { 2001:db8:5::5602 $inf }  $clt0 }"),
            Tick,
            // It has some seconds left.
            Change("2001:db8:5::5601,00:03:00:01:02:00:00:00:00:56,100,now-95,5,50,0,1,128,0,0,,,0,,1,0,0"),
            Want(
                "11 a30007  002d { $c56  0005 { 2001:db8:5::5602 $inf }
                                         0005 { 2001:db8:5::5601 00000000 left:5 }  $clt0 }",
            ),
            Want(
                "11 a30007  002d { $c56  0005 { 2001:db8:5::5601 $zero }
                                         0005 { 2001:db8:5::5602 $inf }  $clt0 }",
            ),
            // The row by which Kea reclaims it later changes nothing for readers; the next one does.
            Change("2001:db8:5::5601,00:03:00:01:02:00:00:00:00:56,100,now-95,5,50,0,1,128,0,0,,,2,,1,0,0"),
            Change(gone!("2001:db8:5::5602", "56", "5")),
            Want("11 a30007  002d { $c56  0005 { 2001:db8:5::5602 $zero }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "a renewal before the end: no expiry is told",
        rfc: "7653 §7",
        ids: &["AL58"],
        steps: &[
            Send("{ 16 a30008  $me  002c { 04 2001:db8:6:: } }"),
            Want("0f a30008  $me $server"),
            Tick,
            Change("2001:db8:6::5701,00:03:00:01:02:00:00:00:00:57,100,now-95,6,100,0,1,128,0,0,,,0,,1,0,0"),
            Want("11 a30008  002d { $c57  0005 { 2001:db8:6::5701 left:5 left:5 }  002e { age:95 } }"),
            Change(address!("2001:db8:6::5701", "57", "6")),
            Want("11 a30008  002d { $c57  0005 { 2001:db8:6::5701 $inf }  $clt0 }"),
            // This one ends later, and is told: so is all that ended before.
            Change("2001:db8:6::5702,00:03:00:01:02:00:00:00:00:58,100,now-93,6,100,0,1,128,0,0,,,0,,1,0,0"),
            Want("11 a30008  002d { $c58  0005 { 2001:db8:6::5702 left:7 left:7 }  002e { age:93 } }"),
            Want("11 a30008  002d { $c58  0005 { 2001:db8:6::5702 $zero }  002e { age:93 } }"),
        ],
        ..ROW
    },
    Row {
        name: "an address that passes to another client: the new holder is told, the old one has lost it",
        rfc: "7653 §7",
        ids: &["AL49"],
        steps: &[
            Send("{ 16 a30009  $me  002c { 01 ::  0005 { 2001:db8:5::5901 $zero } } }"),
            Want("0f a30009  $me $server"),
            Change(address!("2001:db8:5::5901", "59", "5")),
            Want("11 a30009  002d { $c59  0005 { 2001:db8:5::5901 $inf }  $clt0 }"),
            // By a row of its own client, Kea takes it back first.
            Change(gone!("2001:db8:5::5901", "59", "5")),
            Want("11 a30009  002d { $c59  0005 { 2001:db8:5::5901 $zero }  $clt0 }"),
            Change(address!("2001:db8:5::5901", "5a", "5")),
            Want("11 a30009  002d { $c5a  0005 { 2001:db8:5::5901 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "several clients at once: each is told",
        rfc: "7653 §9.3",
        ids: &["AL30", "AL34"],
        steps: &[
            Send("{ 16 a3000a  $me  002c { 04 2001:db8:5:: } }"),
            Want("0f a3000a  $me $server"),
            Change(concat!(
                address!("2001:db8:5::5b01", "5b", "5"),
                address!("2001:db8:5::5c01", "5c", "5"),
                address!("2001:db8:5::5d01", "5d", "5"),
            )),
            WantAll(&[
                "11 a3000a  002d { $c5b  0005 { 2001:db8:5::5b01 $inf }  $clt0 }",
                "11 a3000a  002d { $c5c  0005 { 2001:db8:5::5c01 $inf }  $clt0 }",
                "11 a3000a  002d { $c5d  0005 { 2001:db8:5::5d01 $inf }  $clt0 }",
            ]),
        ],
        ..ROW
    },
    Row {
        name: "bindings on no configured link are told, without a filter by link",
        rfc: "7653 §6.2.1",
        ids: &["AL60"],
        steps: &[
            Send("{ 16 a3000b  $me  002c { 02 ::  $c5e } }"),
            Want("0f a3000b  $me $server"),
            Change(address!("2001:db8:98::5e01", "5e", "98")),
            Want("11 a3000b  002d { $c5e  0005 { 2001:db8:98::5e01 $inf }  $clt0 }"),
            Change(gone!("2001:db8:98::5e01", "5e", "98")),
            Want("11 a3000b  002d { $c5e  0005 { 2001:db8:98::5e01 $zero }  $clt0 }"),
        ],
        ..ROW
    },
];

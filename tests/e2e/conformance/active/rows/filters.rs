//! Filters by LQ_QUERY (RFC 7653 §6.2.1): a change is told if the lease matched before or matches after it.

use crate::conformance::active::row::Step::{Change, Send, Want, WantAll};
use crate::conformance::active::row::{ROW, Row, Setup};

/// A filter, a change that it does not let through, one that it does, and the message about that.
macro_rules! filtered {
    ($name:literal, $rfc:literal, $query:literal, $reply:literal, $unseen:expr, $seen:expr, $data:literal) => {
        Row {
            name: $name,
            rfc: $rfc,
            ids: &["AL14"],
            steps: &[Send($query), Want($reply), Change($unseen), Change($seen), Want($data)],
            ..ROW
        }
    };
}

pub const ROWS: &[Row] = &[
    filtered!(
        "active by address",
        "7653 §6.2.1, 5007 §4.1.2.1",
        "{ 16 a40001  $me  002c { 01 ::  0005 { 2001:db8:5::6001 $zero } } }",
        "0f a40001  $me $server",
        address!("2001:db8:5::6002", "60", "5"),
        address!("2001:db8:5::6001", "61", "5"),
        "11 a40001  002d { $c61  0005 { 2001:db8:5::6001 $inf }  $clt0 }"
    ),
    filtered!(
        "active by an address inside a delegated prefix",
        "5007 §4.1.2.1",
        "{ 16 a40002  $me  002c { 01 ::  0005 { 2001:db8:a062:ff::1 $zero } } }",
        "0f a40002  $me $server",
        prefix!("2001:db8:a062:100::", "62", "2"),
        prefix!("2001:db8:a062::", "63", "2"),
        "11 a40002  002d { $c63  001a { $inf 38 2001:db8:a062:: }  $clt0 }"
    ),
    filtered!(
        "active by client-id",
        "5007 §4.1.2.1",
        "{ 16 a40003  $me  002c { 02 ::  $c64 } }",
        "0f a40003  $me $server",
        address!("2001:db8:5::6401", "65", "5"),
        address!("2001:db8:5::6402", "64", "5"),
        "11 a40003  002d { $c64  0005 { 2001:db8:5::6402 $inf }  $clt0 }"
    ),
    filtered!(
        "active by client-id, on one link",
        "5007 §4.1.2.1",
        "{ 16 a40004  $me  002c { 02 2001:db8:5::  $c66 } }",
        "0f a40004  $me $server",
        address!("2001:db8:1::6601", "66", "1"),
        address!("2001:db8:5::6601", "66", "5"),
        "11 a40004  002d { $c66  0005 { 2001:db8:5::6601 $inf }  $clt0 }"
    ),
    filtered!(
        "active by relay-id",
        "5460 §5.3.1",
        "{ 16 a40005  $me  002c { 03 ::  0035 { 0003 0001 020000000a11 } } }",
        "0f a40005  $me $server",
        address!(
            "2001:db8:5::6701",
            "67",
            "5",
            "4294967295",
            "0",
            relay!("2001:db8:5::1", "0035000A00030001020000000A12")
        ),
        address!(
            "2001:db8:5::6801",
            "68",
            "5",
            "4294967295",
            "0",
            relay!("2001:db8:5::1", "0035000A00030001020000000A11")
        ),
        "11 a40005  002d { $c68  0005 { 2001:db8:5::6801 $inf }  $clt0 }"
    ),
    filtered!(
        "active by relay-id, on one link",
        "5460 §5.3.1",
        "{ 16 a40006  $me  002c { 03 2001:db8:5::  0035 { 0003 0001 020000000a13 } } }",
        "0f a40006  $me $server",
        address!(
            "2001:db8:1::6901",
            "69",
            "1",
            "4294967295",
            "0",
            relay!("2001:db8:1::1", "0035000A00030001020000000A13")
        ),
        address!(
            "2001:db8:5::6a01",
            "6a",
            "5",
            "4294967295",
            "0",
            relay!("2001:db8:5::1", "0035000A00030001020000000A13")
        ),
        "11 a40006  002d { $c6a  0005 { 2001:db8:5::6a01 $inf }  $clt0 }"
    ),
    filtered!(
        "active by link-address: the shared network by one of its subnets",
        "5460 §5.3.2",
        "{ 16 a40007  $me  002c { 04 2001:db8:3:: } }",
        "0f a40007  $me $server",
        address!("2001:db8:5::6b01", "6b", "5"),
        address!("2001:db8:4::6c01", "6c", "4"),
        "11 a40007  002d { $c6c  0005 { 2001:db8:4::6c01 $inf }  $clt0 }"
    ),
    filtered!(
        "active by link-address: a prefix of its pd-pool",
        "5460 §5.3.2",
        "{ 16 a40008  $me  002c { 04 2001:db8:ffff::2 } }",
        "0f a40008  $me $server",
        prefix!("2001:db8:d06d::", "6d", "14"),
        prefix!("2001:db8:a06d::", "6d", "2"),
        "11 a40008  002d { $c6d  001a { $inf 38 2001:db8:a06d:: }  $clt0 }"
    ),
    filtered!(
        "active by remote-id",
        "5460 §5.3.3",
        "{ 16 a40009  $me  002c { 05 ::  0025 { 00000009 6e6e } } }",
        "0f a40009  $me $server",
        address!(
            "2001:db8:5::6e01",
            "6e",
            "5",
            "4294967295",
            "0",
            relay!("2001:db8:5::1", "002500060000000A6E6E")
        ),
        address!(
            "2001:db8:5::6f01",
            "6f",
            "5",
            "4294967295",
            "0",
            relay!("2001:db8:5::1", "00250006000000096E6E")
        ),
        "11 a40009  002d { $c6f  0005 { 2001:db8:5::6f01 $inf }  $clt0 }"
    ),
    Row {
        name: "a lease that leaves the filter by relay-id: lifetimes 0, and nothing after it",
        rfc: "7653 §6.2.1, §7",
        ids: &["AL48", "AL14"],
        steps: &[
            Send("{ 16 a4000a  $me  002c { 03 ::  0035 { 0003 0001 020000000a14 } } }"),
            Want("0f a4000a  $me $server"),
            Change(address!(
                "2001:db8:5::7001",
                "70",
                "5",
                "4294967295",
                "0",
                relay!("2001:db8:5::1", "0035000A00030001020000000A14")
            )),
            Want("11 a4000a  002d { $c70  0005 { 2001:db8:5::7001 $inf }  $clt0 }"),
            Change(address!(
                "2001:db8:5::7001",
                "70",
                "5",
                "4294967295",
                "0",
                relay!("2001:db8:5::1", "0035000A00030001020000000A15")
            )),
            Want("11 a4000a  002d { $c70  0005 { 2001:db8:5::7001 $zero }  $clt0 }"),
            Change(gone!("2001:db8:5::7001", "70", "5")),
            Change(address!(
                "2001:db8:5::7101",
                "71",
                "5",
                "4294967295",
                "0",
                relay!("2001:db8:5::1", "0035000A00030001020000000A14")
            )),
            Want("11 a4000a  002d { $c71  0005 { 2001:db8:5::7101 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "a lease that comes into the filter by remote-id",
        rfc: "7653 §6.2.1",
        ids: &["AL48", "AL14"],
        steps: &[
            Send("{ 16 a4000b  $me  002c { 05 ::  0025 { 00000009 7272 } } }"),
            Want("0f a4000b  $me $server"),
            Change(address!("2001:db8:5::7201", "72", "5")),
            Change(address!(
                "2001:db8:5::7201",
                "72",
                "5",
                "4294967295",
                "0",
                relay!("2001:db8:5::1", "00250006000000097272")
            )),
            Want("11 a4000b  002d { $c72  0005 { 2001:db8:5::7201 $inf }  $clt0 }"),
            // It has renewed directly.
            Change(address!("2001:db8:5::7201", "72", "5")),
            Want("11 a4000b  002d { $c72  0005 { 2001:db8:5::7201 $zero }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "a prefix of a pool that two links share passes to the other link: no link loses it",
        rfc: "7653 §6.2.1",
        ids: &["AL48"],
        steps: &[
            Send("{ 16 a4000c  $me  002c { 04 2001:db8:14:: } }"),
            Want("0f a4000c  $me $server"),
            Change(prefix!("2001:db8:d073::", "73", "14")),
            Want("11 a4000c  002d { $c73  001a { $inf 38 2001:db8:d073:: }  $clt0 }"),
            Change(prefix!("2001:db8:d073::", "73", "14", "0", "")),
            Want("11 a4000c  002d { $c73  001a { $zero 38 2001:db8:d073:: }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "active: a restricted requestor is told of what it relays alone",
        rfc: "5007 §5",
        ids: &["AL53", "AL14"],
        setup: Setup::Restricted,
        steps: &[
            Send("{ 16 a4000d  $me }"),
            Want("0f a4000d  $me $server"),
            Change(address!("2001:db8:5::7401", "74", "5")),
            Change(address!(
                "2001:db8:1::7501",
                "75",
                "1",
                "4294967295",
                "0",
                relay!("2001:db8:1::1", "0035000A00030001020000000A01")
            )),
            Want("11 a4000d  002d { $c75  0005 { 2001:db8:1::7501 $inf }  $clt0 }"),
            // Another binding of the same client, on the same link, of another relay agent.
            Change(address!(
                "2001:db8:1::7502",
                "75",
                "1",
                "4294967295",
                "0",
                relay!("2001:db8:5::1", "0035000A00030001020000000A02")
            )),
            Change(address!(
                "2001:db8:1::7601",
                "76",
                "1",
                "4294967295",
                "0",
                relay!("2001:db8:1::1", "0035000A00030001020000000A01")
            )),
            Want("11 a4000d  002d { $c76  0005 { 2001:db8:1::7601 $inf }  $clt0 }"),
            // What leaves its relay agent is removed for it.
            Change(address!(
                "2001:db8:1::7501",
                "75",
                "1",
                "4294967295",
                "0",
                relay!("2001:db8:5::1", "0035000A00030001020000000A02")
            )),
            Want("11 a4000d  002d { $c75  0005 { 2001:db8:1::7501 $zero }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "active: an address passes to a client that the restricted requestor does not see",
        rfc: "5007 §5",
        ids: &["AL53", "AL49"],
        setup: Setup::Restricted,
        steps: &[
            Send("{ 16 a4000e  $me }"),
            Want("0f a4000e  $me $server"),
            Change(address!(
                "2001:db8:1::7701",
                "77",
                "1",
                "4294967295",
                "0",
                relay!("2001:db8:1::1", "0035000A00030001020000000A01")
            )),
            Want("11 a4000e  002d { $c77  0005 { 2001:db8:1::7701 $inf }  $clt0 }"),
            Change(address!("2001:db8:1::7701", "78", "1")),
            Want("11 a4000e  002d { $c77  0005 { 2001:db8:1::7701 $zero }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "active by client-id: an address passes to a client outside the filter",
        rfc: "7653 §6.2.1, §7",
        ids: &["AL48", "AL49"],
        steps: &[
            Send("{ 16 a4000f  $me  002c { 02 ::  $c79 } }"),
            Want("0f a4000f  $me $server"),
            Change(address!("2001:db8:5::7901", "79", "5")),
            Want("11 a4000f  002d { $c79  0005 { 2001:db8:5::7901 $inf }  $clt0 }"),
            Change(address!("2001:db8:5::7901", "7a", "5")),
            Want("11 a4000f  002d { $c79  0005 { 2001:db8:5::7901 $zero }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "a client with bindings on two links: a message for each link",
        rfc: "5460 §5.2.1",
        ids: &["AL31"],
        steps: &[
            Send("{ 16 a40010  $me  002c { 02 ::  $c7b } }"),
            Want("0f a40010  $me $server"),
            Change(
                concat!(address!("2001:db8:1::7b01", "7b", "1"), address!("2001:db8:5::7b01", "7b", "5"),),
            ),
            WantAll(&[
                "11 a40010  002d { $c7b  0005 { 2001:db8:1::7b01 $inf }  $clt0 }",
                "11 a40010  002d { $c7b  0005 { 2001:db8:5::7b01 $inf }  $clt0 }",
            ]),
        ],
        ..ROW
    },
];

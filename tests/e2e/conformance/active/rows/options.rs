//! Requested options: RFC 7653 §3, §6.3.1, §9.3.

use crate::conformance::active::row::Step::{Change, Send, Want};
use crate::conformance::active::row::{ROW, Row, Setup};

/// A lease with a name, a link-layer address and a remote-id, of subnet 8.
macro_rules! named {
    ($address:literal, $client:literal) => {
        concat!(
            $address,
            ",00:03:00:01:02:00:00:00:00:",
            $client,
            ",4294967295,4102444800,8,4294967295,0,1,128,1,1,h.example.net.,02:00:00:00:00:80,0,",
            relay!("2001:db8:8::1", "001200047465737400250008000000090AFFBEEF"),
            ",1,8,0\n"
        )
    };
}

pub const ROWS: &[Row] = &[
    Row {
        name: "active ORO in LQ_QUERY: relay data, name, link-layer address, option of the subnet",
        rfc: "7653 §9.3; 5007 §4.1.2.4, §4.4.2",
        ids: &["AL31", "AL50"],
        steps: &[
            Send("{ 16 a50001  $me  002c { 02 ::  $c80  0006 { 002f 0027 004f 0017 } } }"),
            Want("0f a50001  $me $server"),
            Change(named!("2001:db8:8::8001", "80")),
            Want(
                "11 a50001  002d { $c80  0005 { 2001:db8:8::8001 $inf }  $clt0
                   0027 { 01 01 68 07 6578616d706c65 03 6e6574 00 }  # S, h.example.net.
                   004f { 0001 020000000080 }
                   0017 { 2001:db8:8::53 }
                   002f { 2001:db8:8::1
                     0c 00 2001:db8:8::1 fe80::5  0012 { 74657374 }  0025 { 00000009 0affbeef } } }",
            ),
        ],
        ..ROW
    },
    Row {
        name: "active ORO at message level, without LQ_QUERY",
        rfc: "7653 §6.2.1 (MUST NOT include LQ_QUERY)",
        ids: &["AL50", "AL20"],
        steps: &[
            Send("{ 16 a50002  $me  0006 { 0017 0064 } }"),
            Want("0f a50002  $me $server  0064 { @now }"),
            Change(named!("2001:db8:8::8101", "81")),
            Want(
                "11 a50002  0064 { @now }
                   002d { $c81  0005 { 2001:db8:8::8101 $inf }  $clt0  0017 { 2001:db8:8::53 } }",
            ),
        ],
        ..ROW
    },
    Row {
        name: "active ORO at both levels: both count, each option once",
        rfc: "7653 §6.2.1; 5007 §4.1.2.1",
        ids: &["AL50", "AL20"],
        steps: &[
            Send("{ 16 a50003  $me  0006 { 0064 0017 }  002c { 02 ::  $c82  0006 { 004f 0017 } } }"),
            Want("0f a50003  $me $server  0064 { @now }"),
            Change(named!("2001:db8:8::8201", "82")),
            Want(
                "11 a50003  0064 { @now }
                   002d { $c82  0005 { 2001:db8:8::8201 $inf }  $clt0
                          004f { 0001 020000000080 }  0017 { 2001:db8:8::53 } }",
            ),
        ],
        ..ROW
    },
    Row {
        name: "active: no options and no base-time unless requested",
        rfc: "7653 §6.3.1; 5007 §4.1.2.4",
        ids: &["AL20", "AL31"],
        steps: &[
            Send("{ 16 a50004  $me  002c { 02 ::  $c83 } }"),
            Want("0f a50004  $me $server"),
            Change(named!("2001:db8:8::8301", "83")),
            Want("11 a50004  002d { $c83  0005 { 2001:db8:8::8301 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "active: sensitive options are left out though requested, of relay data too",
        rfc: "7653 §3, §9.3; 5007 §4.4.2",
        ids: &["AL32"],
        setup: Setup::Sensitive,
        steps: &[
            Send("{ 16 a50005  $me  0006 { 0027 }  002c { 02 ::  $c84  0006 { 0027 0025 004f 002f } } }"),
            Want("0f a50005  $me $server"),
            Change(named!("2001:db8:8::8401", "84")),
            Want(
                "11 a50005  002d { $c84  0005 { 2001:db8:8::8401 $inf }  $clt0
                   004f { 0001 020000000080 }
                   002f { 2001:db8:8::1  0c 00 2001:db8:8::1 fe80::5  0012 { 74657374 } } }",
            ),
        ],
        ..ROW
    },
    Row {
        name: "active: no option of a client without bindings",
        rfc: "7653 §2; 5007 §4.4.2",
        ids: &["AL47"],
        steps: &[
            Send("{ 16 a50006  $me  002c { 02 ::  $c85  0006 { 0064 } } }"),
            Want("0f a50006  $me $server  0064 { @now }"),
            Change(named!("2001:db8:8::8501", "85")),
            Want("11 a50006  0064 { @now }  002d { $c85  0005 { 2001:db8:8::8501 $inf }  $clt0 }"),
            Change(gone!("2001:db8:8::8501", "85", "8")),
            Want("11 a50006  0064 { @now }  002d { $c85  0005 { 2001:db8:8::8501 $zero }  $clt0 }"),
        ],
        ..ROW
    },
];

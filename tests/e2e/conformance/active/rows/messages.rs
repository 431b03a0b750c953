//! Messages and their order: RFC 7653 §6.2, §8.4 and §9.3.

use crate::conformance::active::row::Step::{Change, Send, Want};
use crate::conformance::active::row::{End, ROW, Row, Setup};

pub const ROWS: &[Row] = &[
    Row {
        name: "active: REPLY at once, without data",
        rfc: "7653 §6.2.3, §8.6.3",
        ids: &["AL11", "AL12", "AL13", "AL15"],
        steps: &[Send("{ 16 a10001  $me }"), Want("0f a10001  $me $server")],
        ..ROW
    },
    Row {
        name: "active: all updates without LQ_QUERY",
        rfc: "7653 §6.2.1",
        ids: &["AL13", "AL12", "AL30", "AL35", "AL36"],
        steps: &[
            Send("{ 16 a10002  $me }"),
            Want("0f a10002  $me $server"),
            Change(address!("2001:db8:5::4001", "40", "5")),
            Want("11 a10002  002d { $c40  0005 { 2001:db8:5::4001 $inf }  $clt0 }"),
            Change(address!("2001:db8:1::4002", "41", "1")),
            Want("11 a10002  002d { $c41  0005 { 2001:db8:1::4002 $inf }  $clt0 }"),
            Change(prefix!("2001:db8:a042::", "42", "2")),
            Want("11 a10002  002d { $c42  001a { $inf 38 2001:db8:a042:: }  $clt0 }"),
            Change(gone!("2001:db8:5::4001", "40", "5")),
            Want("11 a10002  002d { $c40  0005 { 2001:db8:5::4001 $zero }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "active: transaction-id 0, requestor's CLIENTID octet for octet, our SERVERID",
        rfc: "7653 §6.2.1, §8.1; 5007 §4.2.2",
        ids: &["AL12", "AL15", "AL56"],
        steps: &[
            Send("{ 16 000000  $server  0001 { 0002 00000009 61*124 } }"),
            Want("0f 000000  0001 { 0002 00000009 61*124 } $server"),
            Change(address!("2001:db8:5::4301", "43", "5")),
            Want("11 000000  002d { $c43  0005 { 2001:db8:5::4301 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "active: what is there is not told, only what changes",
        rfc: "7653 §6.2.1 (subsequent to the receipt)",
        ids: &["AL13", "AL14"],
        steps: &[
            Send("{ 16 a10003  $me  002c { 04 2001:db8:1:: } }"),
            Want("0f a10003  $me $server"),
            Change(address!("2001:db8:1::4401", "44", "1")),
            Want("11 a10003  002d { $c44  0005 { 2001:db8:1::4401 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "active behind a bulk query that is answered",
        rfc: "7653 §9.4",
        ids: &["AL38", "AL1"],
        steps: &[
            Send("{ 0e a10004  $me  002c { 02 ::  $cff } }"),
            Want("0f a10004  $me $server"),
            Send("{ 16 a10005  $me  002c { 02 ::  $c45 } }"),
            Want("0f a10005  $me $server"),
            Change(address!("2001:db8:5::4501", "45", "5")),
            Want("11 a10005  002d { $c45  0005 { 2001:db8:5::4501 $inf }  $clt0 }"),
        ],
        // The first transaction-id is not that of the active query.
        end: End::Unchecked,
        ..ROW
    },
    Row {
        name: "keep-alives, each after the idle timeout, without data",
        rfc: "7653 §8.4",
        ids: &["AL27"],
        setup: Setup::Idle,
        steps: &[
            Send("{ 16 a10006  $me }"),
            Want("0f a10006  $me $server"),
            Want("11 a10006"),
            Want("11 a10006"),
            Change(address!("2001:db8:5::4601", "46", "5")),
            Want("11 a10006  002d { $c46  0005 { 2001:db8:5::4601 $inf }  $clt0 }"),
            Want("11 a10006"),
        ],
        ..ROW
    },
    Row {
        name: "keep-alives with base-time",
        rfc: "7653 §8.4, §9.3",
        ids: &["AL27", "AL20"],
        setup: Setup::Idle,
        steps: &[
            Send("{ 16 a10007  $me  0006 { 0064 }  002c { 02 ::  $c47 } }"),
            Want("0f a10007  $me $server  0064 { @now }"),
            Want("11 a10007  0064 { @now }"),
            Want("11 a10007  0064 { @now }"),
        ],
        ..ROW
    },
    Row {
        name: "active: an authentication option means nothing",
        rfc: "7653 §10",
        ids: &["AL44"],
        steps: &[
            Send("{ 16 a10008  $me  000b { 00 00 00 0000000000000001 }  002c { 02 ::  $c48 } }"),
            Want("0f a10008  $me $server"),
            Change(address!("2001:db8:5::4801", "48", "5")),
            Want("11 a10008  002d { $c48  0005 { 2001:db8:5::4801 $inf }  $clt0 }"),
        ],
        ..ROW
    },
];

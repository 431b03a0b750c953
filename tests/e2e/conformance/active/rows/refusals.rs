//! Queries that are refused: RFC 7653 §9.2, §9.3. The connection is closed behind the reply.

use crate::conformance::active::row::Step::{Change, Send, Want};
use crate::conformance::active::row::{End, ROW, Row, Setup};

/// A query that gets a status, and the end of the connection.
macro_rules! refused {
    ($name:literal, $rfc:literal, $ids:expr, $setup:ident, $query:literal, $reply:literal) => {
        Row {
            name: $name,
            rfc: $rfc,
            ids: $ids,
            setup: Setup::$setup,
            steps: &[Send($query), Want($reply)],
            end: End::Closed,
        }
    };
}

/// A message that closes the connection without an answer.
macro_rules! closed {
    ($name:literal, $rfc:literal, $query:literal) => {
        Row { name: $name, rfc: $rfc, ids: &["AL56"], steps: &[Send($query)], end: End::Closed, ..ROW }
    };
}

pub const ROWS: &[Row] = &[
    refused!(
        "active is off by default: NotSupported",
        "7653 §9.1, §9.2",
        &["AL2", "AL10"],
        Off,
        "{ 16 a20001  $me }",
        "0f a20001  $me $server  000d { 000e text }"
    ),
    refused!(
        "active: an access rule forbids it",
        "7653 §8.6.1, §9.3",
        &["AL53", "AL16", "AL17"],
        Forbidden,
        "{ 16 a20003  $me }",
        "0f a20003  $me $server  000d { 000a text }"
    ),
    refused!(
        "active: a query-type that the requestor may not use",
        "7653 §8.6.1, 5460 §7.1",
        &["AL53", "AL16", "AL17"],
        SomeQueryTypes,
        "{ 16 a20004  $me  002c { 04 2001:db8:1:: } }",
        "0f a20004  $me $server  000d { 000a text }"
    ),
    Row {
        name: "active: a query-type that the requestor may use",
        rfc: "5460 §7.1",
        ids: &["AL53"],
        setup: Setup::SomeQueryTypes,
        steps: &[
            Send("{ 16 a20005  $me  002c { 01 ::  0005 { 2001:db8:5::4901 $zero } } }"),
            Want("0f a20005  $me $server"),
            Change(address!("2001:db8:5::4901", "49", "5")),
            Want("11 a20005  002d { $c49  0005 { 2001:db8:5::4901 $inf }  $clt0 }"),
        ],
        ..ROW
    },
    Row {
        name: "bulk where an access rule forbids active",
        rfc: "7653 §9",
        ids: &["AL53", "AL1"],
        setup: Setup::Forbidden,
        steps: &[Send("{ 0e a20006  $me  002c { 02 ::  $cff } }"), Want("0f a20006  $me $server")],
        end: End::Open,
    },
    refused!(
        "active: an unknown query-type",
        "7653 §8.6.1, 5007 §4.4.1",
        &["AL14", "AL16", "AL17"],
        Default,
        "{ 16 a20007  $me  002c { 06 :: } }",
        "0f a20007  $me $server  000d { 0007 text }"
    ),
    refused!(
        "active: query-type 0",
        "7653 §8.6.1, 5007 §4.4.1",
        &["AL14", "AL17"],
        Default,
        "{ 16 a20008  $me  002c { 00 ::  $c01 } }",
        "0f a20008  $me $server  000d { 0007 text }"
    ),
    refused!(
        "active by address without IAADDR",
        "7653 §8.6.1, 5007 §4.1.2.1",
        &["AL14", "AL16", "AL17"],
        Default,
        "{ 16 a20009  $me  002c { 01 :: } }",
        "0f a20009  $me $server  000d { 0008 text }"
    ),
    refused!(
        "active by client-id without CLIENTID",
        "5007 §4.1.2.1",
        &["AL14", "AL17"],
        Default,
        "{ 16 a2000a  $me  002c { 02 :: } }",
        "0f a2000a  $me $server  000d { 0008 text }"
    ),
    refused!(
        "active by relay-id without RELAY_ID",
        "5460 §5.3.1",
        &["AL14", "AL17"],
        Default,
        "{ 16 a2000b  $me  002c { 03 ::  $c01 } }",
        "0f a2000b  $me $server  000d { 0008 text }"
    ),
    refused!(
        "active by link-address, and there is none",
        "5460 §5.3.2",
        &["AL14", "AL17"],
        Default,
        "{ 16 a2000c  $me  002c { 04 :: } }",
        "0f a2000c  $me $server  000d { 0008 text }"
    ),
    refused!(
        "active by remote-id with an enterprise number alone",
        "5460 §5.3.3",
        &["AL14", "AL17"],
        Default,
        "{ 16 a2000d  $me  002c { 05 ::  0025 { 00000009 } } }",
        "0f a2000d  $me $server  000d { 0008 text }"
    ),
    refused!(
        "active: LQ_QUERY of 16 octets",
        "5007 §4.1.2.1",
        &["AL17", "AL56"],
        Default,
        "{ 16 a2000e  $me  002c { 02 00*15 } }",
        "0f a2000e  $me $server  000d { 0008 text }"
    ),
    refused!(
        "active: LQ_QUERY twice",
        "8415 §24 (singleton)",
        &["AL17", "AL56"],
        Default,
        "{ 16 a2000f  $me  002c { 02 ::  $c01 }  002c { 02 ::  $c01 } }",
        "0f a2000f  $me $server  000d { 0008 text }"
    ),
    refused!(
        "active: query-options cut short",
        "5007 §4.1.2.1",
        &["AL17", "AL56"],
        Default,
        "{ 16 a20010  $me  002c { 02 ::  $c01  0006 0004 0064 } }",
        "0f a20010  $me $server  000d { 0008 text }"
    ),
    refused!(
        "active: a link that is not configured",
        "7653 §8.6.1, 5460 §7.2",
        &["AL14", "AL16", "AL17"],
        Default,
        "{ 16 a20011  $me  002c { 04 2001:db8:99:: } }",
        "0f a20011  $me $server  000d { 0009 text }"
    ),
    refused!(
        "active: an error with base-time",
        "7653 §9.3",
        &["AL20", "AL17"],
        Default,
        "{ 16 a20012  $me  002c { 04 2001:db8:99::  0006 { 0064 } } }",
        "0f a20012  $me $server  000d { 0009 text }  0064 { @now }"
    ),
    refused!(
        "END_TIME in an active query",
        "7653 §6.3.3, §9.3",
        &["AL19", "AL16"],
        Default,
        "{ 16 a20013  $me  0066 { @0 } }",
        "0f a20013  $me $server  000d { 0008 text }"
    ),
    refused!(
        "END_TIME in LQ_QUERY of an active query",
        "7653 §6.3.3, §9.3",
        &["AL19"],
        Default,
        "{ 16 a20014  $me  002c { 02 ::  $c01  0066 { @0 } } }",
        "0f a20014  $me $server  000d { 0008 text }"
    ),
    refused!(
        "END_TIME beside START_TIME in an active query, with base-time",
        "7653 §6.3.3, §9.3",
        &["AL19", "AL20"],
        Default,
        "{ 16 a20015  $me  0006 { 0064 }  0065 { @0 }  0066 { @100 } }",
        "0f a20015  $me $server  000d { 0008 text }  0064 { @now }"
    ),
    refused!(
        "active: START_TIME of 3 octets",
        "7653 §6.3.2",
        &["AL57", "AL17"],
        Default,
        "{ 16 a20016  $me  0065 { 000000 } }",
        "0f a20016  $me $server  000d { 0008 text }"
    ),
    refused!(
        "active: START_TIME twice",
        "8415 §24 (singleton)",
        &["AL57", "AL17"],
        Default,
        "{ 16 a20017  $me  0065 { @0 }  0065 { @0 } }",
        "0f a20017  $me $server  000d { 0008 text }"
    ),
    closed!("active: no CLIENTID", "5007 §4.2.1", "{ 16 a20018 }"),
    closed!("active: an empty CLIENTID", "5007 §4.2.1", "{ 16 a20019  0001 { } }"),
    closed!("active: two CLIENTIDs", "8415 §24", "{ 16 a2001a  $me $me }"),
    closed!("active: another SERVERID", "5007 §4.2.1", "{ 16 a2001b  $me  0002 { 0003 0001 02005e005302 } }"),
    closed!("active: an option longer than the message", "8415 §21.1", "{ 16 a2001c  $me  03e7 0005 00 }"),
    closed!(
        "active, relayed over TCP",
        "7653 §3 (no relaying)",
        "{ 0c 00 2001:db8:1::1 fe80::1  0009 { 16 a2001d  $me } }"
    ),
    Row {
        name: "STARTTLS in insecure mode: TLSConnectionRefused, and the connection serves on",
        rfc: "7653 §9.1",
        ids: &["AL4", "AL9"],
        steps: &[
            Send("{ 17 a2001e }"),
            Want("07 a2001e  000d { 000f text }"),
            Send("{ 17 a2001f  $me  03e7 { 00 } }"),
            Want("07 a2001f  000d { 000f text }"),
        ],
        end: End::Open,
        ..ROW
    },
];

//! Discarded datagrams: messages that RFC 5007 §4.2 forbids to answer, and datagrams that do not parse.

use crate::conformance::row::{ROW, Row, Setup, Want};

pub const ROWS: &[Row] = &[
    Row {
        name: "no CLIENTID",
        rfc: "5007 §4.2.1",
        ids: &["S1", "A23"],
        query: "0e 100001  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "CLIENTID in the query-options alone",
        rfc: "5007 §4.2.1",
        ids: &["S1"],
        query: "0e 100002  002c 001f 02 ::  $c01",
        ..ROW
    },
    Row {
        name: "empty CLIENTID",
        rfc: "5007 §4.2.1, 8415 §11.1",
        ids: &["S1", "A17"],
        query: "0e 100003  0001 0000  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "CLIENTID of 131 octets",
        rfc: "8415 §11.1",
        ids: &["S1", "A17"],
        query: "0e 100004  0001 0083 0002 00000009 61*125  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "two CLIENTIDs",
        rfc: "8415 §24 (singleton)",
        ids: &["S1", "A17"],
        query: "0e 100005  $me $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "SERVERID of another server",
        rfc: "5007 §4.2.1",
        ids: &["S2"],
        query: "0e 100006  $me  0002 000a 0003 0001 0200 5e00 5302
                002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "SERVERID that is a part of ours",
        rfc: "5007 §4.2.1",
        ids: &["S2"],
        query: "0e 100007  $me  0002 0009 0003 0001 0200 5e00 53  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "SERVERID that goes on after ours",
        rfc: "5007 §4.2.1",
        ids: &["S2"],
        query: "0e 100008  $me  0002 000b 0003 0001 0200 5e00 5301 00
                002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "empty SERVERID",
        rfc: "5007 §4.2.1",
        ids: &["S2"],
        query: "0e 100009  $me  0002 0000  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "two SERVERIDs, both ours",
        rfc: "8415 §24 (singleton)",
        ids: &["S2", "A17"],
        query: "0e 10000a  $me $server $server  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row { name: "no LQ_QUERY", rfc: "5007 §4.2.1", ids: &["S3"], query: "0e 10000b  $me $server", ..ROW },
    Row {
        name: "LQ_QUERY within another option alone",
        rfc: "5007 §4.2.1",
        ids: &["S3"],
        query: "0e 10000c  $me  002d 0031  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "LEASEQUERY-REPLY",
        rfc: "5007 §4.2.2",
        ids: &["S4"],
        query: "0f 10000d  $me $server  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "relayed LEASEQUERY-REPLY",
        rfc: "5007 §4.2.2",
        ids: &["S4"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 0043  0f 10000e  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "SOLICIT",
        rfc: "8415 §16",
        ids: &["S45", "S32"],
        query: "01 10000f  $me  0003 000c 00000001 00000000 00000000  0008 0002 0000",
        ..ROW
    },
    Row {
        name: "RELEASE of a live lease",
        rfc: "5007 §4.4.1",
        ids: &["S45", "S32"],
        query: "08 100010  $c01 $server  0008 0002 0000
                0003 0028 00000001 00000000 00000000  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "unknown message type",
        rfc: "8415 §16",
        ids: &["S45"],
        query: "fe 100011  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "message type 0",
        rfc: "8415 §16",
        ids: &["S45"],
        query: "00 100012  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "LEASEQUERY-DATA of Bulk Leasequery",
        rfc: "5460 §4, 8415 §16",
        ids: &["S45"],
        query: "11 100013  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "RELAY-REPL",
        rfc: "8415 §16",
        ids: &["S45"],
        query: "0d 00 2001:db8:1::1 fe80::1
                  0009 0043  0e 100014  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row { name: "empty datagram", rfc: "8415 §8", ids: &["A17"], query: "", ..ROW },
    Row { name: "message type alone", rfc: "8415 §8", ids: &["A17"], query: "0e", ..ROW },
    Row { name: "transaction-id cut", rfc: "8415 §8", ids: &["A17"], query: "0e 1000", ..ROW },
    Row { name: "header alone", rfc: "5007 §4.2.1", ids: &["S1", "S3"], query: "0e 100015", ..ROW },
    Row {
        name: "last option cut within its body",
        rfc: "8415 §21.1",
        ids: &["A17"],
        query: "0e 100016  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 00000000 000000",
        ..ROW
    },
    Row {
        name: "three octets after the last option",
        rfc: "8415 §21.1",
        ids: &["A17"],
        query: "0e 100017  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero  000000",
        ..ROW
    },
    Row {
        name: "option-len beyond the datagram in an option that is ignored",
        rfc: "8415 §21.1",
        ids: &["A17"],
        query: "0e 100018  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero  fffe ffff 00",
        ..ROW
    },
    Row {
        name: "not allowed, and no CLIENTID",
        rfc: "5007 §4.2.1",
        ids: &["S1", "S9"],
        setup: Setup::Denied,
        query: "0e 100019  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "not allowed, and for another server",
        rfc: "5007 §4.2.1",
        ids: &["S2", "S9"],
        setup: Setup::Denied,
        query: "0e 10001a  $me  0002 000a 0003 0001 0200 5e00 5302
                002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "not allowed, answered by silence",
        rfc: "5007 §4.4.1",
        ids: &["S9", "A23"],
        setup: Setup::DeniedSilently,
        query: "0e 10001b  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Silence,
        ..ROW
    },
    Row {
        name: "not allowed, relayed for an allowed peer, answered by silence",
        rfc: "5007 §4.4.1",
        ids: &["S9", "A24"],
        setup: Setup::DeniedSilently,
        query: "0c 00 2001:db8:ffff::1 2001:db8:ffff::9
                  0009 0043  0e 10001c  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "RELAY-FORW without RELAY_MSG",
        rfc: "8415 §9.1",
        ids: &["A17"],
        query: "0c 00 2001:db8:1::1 fe80::1  0012 0004 74657374",
        ..ROW
    },
    Row {
        name: "RELAY-FORW cut within its peer-address",
        rfc: "8415 §9",
        ids: &["A17"],
        query: "0c 00 2001:db8:1::1 fe80 0000 0000 0000 0000 0000 0000",
        ..ROW
    },
    Row {
        name: "RELAY-FORW with an empty RELAY_MSG",
        rfc: "8415 §21.10",
        ids: &["A17"],
        query: "0c 00 2001:db8:1::1 fe80::1  0009 0000",
        ..ROW
    },
    Row {
        name: "RELAY-FORW with two RELAY_MSGs",
        rfc: "8415 §24 (singleton)",
        ids: &["A17"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 0043  0e 10001d  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero
                  0009 0043  0e 10001d  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "RELAY-FORW whose last option is cut",
        rfc: "8415 §21.1",
        ids: &["A17"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 0043  0e 10001e  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero
                  0012 0005 74657374",
        ..ROW
    },
    Row {
        name: "RELAY-FORW around a SOLICIT",
        rfc: "8415 §16",
        ids: &["S45"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 0022  01 10001f  $me  0003 000c 00000001 00000000 00000000",
        ..ROW
    },
    Row {
        name: "RELAY-FORW around a RELAY-REPL",
        rfc: "8415 §16",
        ids: &["S45"],
        query: "0c 01 :: fe80::b
                  0009 0069  0d 00 2001:db8:1::1 fe80::1
                    0009 0043  0e 100020  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "relayed query without CLIENTID",
        rfc: "5007 §4.2.1",
        ids: &["S1"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 0035  0e 100021  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
];

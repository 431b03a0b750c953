//! Queries through relay agents, and destinations of their replies: RFC 8415 §18.3.10 and §19.3, RFC 8357
//! §5.2.

use crate::conformance::row::{ROW, Row, Setup, Want};

pub const ROWS: &[Row] = &[
    Row {
        name: "one relay: RELAY-REPL to port 547",
        rfc: "8415 §18.3.10, §19.3, §7.2",
        ids: &["S34", "S35", "S38", "S6"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 0043  0e 800001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 fe80::1
               0009 0056  0f 800001  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "two relays, the example of the RFC",
        rfc: "8415 §19.3",
        ids: &["S34", "S35", "S38"],
        query: "0c 01 :: fe80::a
                  0009 0069  0c 00 2001:db8:1::1 fe80::c
                    0009 0043  0e 800002  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 01 :: fe80::a
               0009 007c  0d 00 2001:db8:1::1 fe80::c
                 0009 0056  0f 800002  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "hop-count is copied unchanged",
        rfc: "8415 §19.3",
        ids: &["S35"],
        query: "0c ff 2001:db8:1::1 fe80::1
                  0009 0043  0e 800003  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d ff 2001:db8:1::1 fe80::1
               0009 0056  0f 800003  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "Interface-Id is copied",
        rfc: "8415 §18.3.10, §21.18",
        ids: &["S36"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0012 0004 74657374
                  0009 0043  0e 800004  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 fe80::1
               0012 0004 74657374
               0009 0056  0f 800004  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "Interface-Id behind RELAY_MSG is copied",
        rfc: "8415 §21.18",
        ids: &["S36"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 0043  0e 800005  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero
                  0012 0003 00ff00",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 fe80::1
               0012 0003 00ff00
               0009 0056  0f 800005  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "empty Interface-Id is copied",
        rfc: "8415 §21.18",
        ids: &["S36"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0012 0000
                  0009 0043  0e 800006  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 fe80::1
               0012 0000
               0009 0056  0f 800006  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "each level has its own Interface-Id",
        rfc: "8415 §21.18",
        ids: &["S36", "S35"],
        query: "0c 01 :: fe80::a
                  0012 0001 61
                  0009 006f  0c 00 2001:db8:1::1 fe80::c
                    0012 0002 6263
                    0009 0043  0e 800007  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 01 :: fe80::a
               0012 0001 61
               0009 0082  0d 00 2001:db8:1::1 fe80::c
                 0012 0002 6263
                 0009 0056  0f 800007  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "other options of a relay are not copied",
        rfc: "8415 §16, §19.3",
        ids: &["S44", "S36"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0025 0008 00000009 0affbeef
                  0012 0004 74657374  fffe 0001 00
                  0009 0043  0e 800008  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 fe80::1
               0012 0004 74657374
               0009 0056  0f 800008  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "Relay Source Port: to the source port, option copied",
        rfc: "8357 §5.2",
        ids: &["S37"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0087 0002 0000
                  0009 0043  0e 800009  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply(
            "0d 00 2001:db8:1::1 fe80::1
               0087 0002 0000
               0009 0056  0f 800009  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "Relay Source Port with a downstream port, behind RELAY_MSG and before Interface-Id",
        rfc: "8357 §5.2",
        ids: &["S37", "S36"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 0043  0e 80000a  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero
                  0087 0002 d431  0012 0004 74657374",
        want: Want::Reply(
            "0d 00 2001:db8:1::1 fe80::1
               0012 0004 74657374  0087 0002 d431
               0009 0056  0f 80000a  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "Relay Source Port in both levels",
        rfc: "8357 §5.2, §6",
        ids: &["S37"],
        query: "0c 01 :: fe80::a
                  0087 0002 0d05
                  0009 006f  0c 00 2001:db8:1::1 fe80::c
                    0087 0002 0000
                    0009 0043  0e 80000b  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply(
            "0d 01 :: fe80::a
               0087 0002 0d05
               0009 0082  0d 00 2001:db8:1::1 fe80::c
                 0087 0002 0000
                 0009 0056  0f 80000b  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "Relay Source Port in the inner level alone: to port 547",
        rfc: "8357 §5.2 (of the packet's sender)",
        ids: &["S37", "S38"],
        query: "0c 01 :: fe80::a
                  0009 006f  0c 00 2001:db8:1::1 fe80::c
                    0087 0002 0000
                    0009 0043  0e 80000c  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 01 :: fe80::a
               0009 0082  0d 00 2001:db8:1::1 fe80::c
                 0087 0002 0000
                 0009 0056  0f 80000c  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "relayed, malformed query",
        rfc: "5007 §4.4.1, 8415 §19.3",
        ids: &["S8", "S34", "A23"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 0027  0e 80000d  $me  002c 0011 01 ::",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 fe80::1
               0009 { 0f 80000d  $me $server  000d { 0008 text } }",
        ),
        ..ROW
    },
    Row {
        name: "relayed, no binding",
        rfc: "5007 §4.3.3 (3), 8415 §19.3",
        ids: &["S30", "S34"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 0035  0e 80000e  $me  002c 001f 02 ::  $cff",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 fe80::1
               0009 0020  0f 80000e  $me $server",
        ),
        ..ROW
    },
    Row {
        name: "the relay's link-address is not the query's",
        rfc: "5007 §4.1.2.1",
        ids: &["S11", "S34"],
        query: "0c 00 2001:db8:2::1 fe80::1
                  0009 0043  0e 80000f  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 00 2001:db8:2::1 fe80::1
               0009 0056  0f 80000f  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "relay data requested through a relay",
        rfc: "5007 §4.1.2.4",
        ids: &["S34", "A13"],
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 003b  0e 800010  $me  002c 0025 02 ::  $c22  0006 0002 002f",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 fe80::1
               0009 008c  0f 800010  $me $server
                 002d 0068  $c22  0005 0018 2001:db8:1::2201 $inf  $clt0
                   002f 0032 ::   0c 00 :: fe80::22",
        ),
        ..ROW
    },
    Row {
        name: "eight relays",
        rfc: "8415 §19.3, §7.6",
        ids: &["S34", "S35", "S48"],
        query: "0c 07 2001:db8:1::7 fe80::7  0009 014d
                0c 06 2001:db8:1::6 fe80::6  0009 0127
                0c 05 2001:db8:1::5 fe80::5  0009 0101
                0c 04 2001:db8:1::4 fe80::4  0009 00db
                0c 03 2001:db8:1::3 fe80::3  0009 00b5
                0c 02 2001:db8:1::2 fe80::2  0009 008f
                0c 01 2001:db8:1::1 fe80::1  0009 0069
                0c 00 2001:db8:1::0 fe80::0  0009 0043
                0e 800011  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 07 2001:db8:1::7 fe80::7  0009 0160
             0d 06 2001:db8:1::6 fe80::6  0009 013a
             0d 05 2001:db8:1::5 fe80::5  0009 0114
             0d 04 2001:db8:1::4 fe80::4  0009 00ee
             0d 03 2001:db8:1::3 fe80::3  0009 00c8
             0d 02 2001:db8:1::2 fe80::2  0009 00a2
             0d 01 2001:db8:1::1 fe80::1  0009 007c
             0d 00 2001:db8:1::0 fe80::0  0009 0056
             0f 800011  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "one relay, limit 1",
        rfc: "5007 §5",
        ids: &["S40"],
        setup: Setup::OneRelay,
        query: "0c 00 2001:db8:1::0 fe80::0  0009 0043
                0e 800014  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::0 fe80::0  0009 0056
             0f 800014  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "two relays, limit 1",
        rfc: "5007 §5",
        ids: &["S40"],
        setup: Setup::OneRelay,
        query: "0c 01 2001:db8:1::1 fe80::1  0009 0069
                0c 00 2001:db8:1::0 fe80::0  0009 0043
                0e 800015  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "relayed, where relayed queries are dropped",
        rfc: "5007 §5",
        ids: &["S40", "A24"],
        setup: Setup::RelayedDropped,
        query: "0c 00 2001:db8:1::0 fe80::0  0009 0043
                0e 800016  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        ..ROW
    },
    Row {
        name: "direct, where relayed queries are dropped",
        rfc: "5007 §5",
        ids: &["S40", "S33"],
        setup: Setup::RelayedDropped,
        query: "0e 800017  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 800017  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "direct: to the source address and port",
        rfc: "8415 §18.3.10",
        ids: &["S33", "A22"],
        query: "0e 800018  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 800018  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
];

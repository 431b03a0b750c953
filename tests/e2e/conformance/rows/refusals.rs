//! Replies with a status code and nothing else: RFC 5007 §4.1.3 and §4.4.1.

use crate::conformance::row::{ROW, Row, Setup, Want};

pub const ROWS: &[Row] = &[
    Row {
        name: "unknown query-type",
        rfc: "5007 §4.1.2.1, §4.4.1",
        ids: &["S7", "S6", "A15", "A16"],
        query: "0e 200001  $me  002c 002d 06 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 200001  $me $server  000d { 0007 text }"),
        ..ROW
    },
    Row {
        name: "query-type 0",
        rfc: "5007 §4.4.1",
        ids: &["S7"],
        query: "0e 200002  $me  002c 002d 00 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 200002  $me $server  000d { 0007 text }"),
        ..ROW
    },
    Row {
        name: "query-type 255, no query-options",
        rfc: "5007 §4.4.1",
        ids: &["S7", "A23"],
        query: "0e 200003  $me  002c 0011 ff ::",
        want: Want::Reply("0f 200003  $me $server  000d { 0007 text }"),
        ..ROW
    },
    Row {
        name: "unknown query-type decides before broken query-options",
        rfc: "5007 §4.4.1",
        ids: &["S7", "A17"],
        query: "0e 200004  $me  002c 0015 07 ::  0005 0018",
        want: Want::Reply("0f 200004  $me $server  000d { 0007 text }"),
        ..ROW
    },
    Row {
        name: "unknown query-type with our SERVERID",
        rfc: "5007 §4.4.1",
        ids: &["S7", "S2"],
        query: "0e 200005  $server $me  002c 0011 64 ::",
        want: Want::Reply("0f 200005  $me $server  000d { 0007 text }"),
        ..ROW
    },
    Row {
        name: "QUERY_BY_RELAY_ID over UDP",
        rfc: "5007 §4.4.1; 5460 §4 once bulk leasequery is offered",
        ids: &["S46", "A23"],
        query: "0e 200006  $me  002c 001f 03 ::  0035 000a 0003 0001 0200 0000 0001",
        want: Want::Reply("0f 200006  $me $server  000d { 0007 text }"),
        ..ROW
    },
    Row {
        name: "QUERY_BY_LINK_ADDRESS over UDP",
        rfc: "5007 §4.4.1, 5460 §4",
        ids: &["S46"],
        query: "0e 200007  $me  002c 0011 04 2001:db8:1::",
        want: Want::Reply("0f 200007  $me $server  000d { 0007 text }"),
        ..ROW
    },
    Row {
        name: "QUERY_BY_REMOTE_ID over UDP",
        rfc: "5007 §4.4.1, 5460 §4",
        ids: &["S46"],
        query: "0e 200008  $me  002c 001d 05 ::  0025 0008 00000009 0affbeef",
        want: Want::Reply("0f 200008  $me $server  000d { 0007 text }"),
        ..ROW
    },
    Row {
        name: "QUERY_BY_REMOTE_ID over UDP decides before broken query-options",
        rfc: "5007 §4.4.1, 5460 §4",
        ids: &["S46", "A17"],
        query: "0e 200009  $me  002c 0013 05 ::  0025",
        want: Want::Reply("0f 200009  $me $server  000d { 0007 text }"),
        ..ROW
    },
    Row {
        name: "by address without IAADDR",
        rfc: "5007 §4.1.2.1, §4.4.1",
        ids: &["S8", "A23"],
        query: "0e 20000a  $me  002c 0011 01 ::",
        want: Want::Reply("0f 20000a  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "by address with a CLIENTID instead of IAADDR",
        rfc: "5007 §4.4.1",
        ids: &["S8", "A18"],
        query: "0e 20000b  $me  002c 001f 01 ::  $c01",
        want: Want::Reply("0f 20000b  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "by address with IAADDR outside LQ_QUERY",
        rfc: "5007 §4.4.1",
        ids: &["S8"],
        query: "0e 20000c  $me  002c 0011 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 20000c  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "by client-id without CLIENTID",
        rfc: "5007 §4.1.2.1, §4.4.1",
        ids: &["S8"],
        query: "0e 20000d  $me  002c 0011 02 ::",
        want: Want::Reply("0f 20000d  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "by client-id with an IAADDR instead of CLIENTID",
        rfc: "5007 §4.4.1",
        ids: &["S8", "A18"],
        query: "0e 20000e  $me  002c 002d 02 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 20000e  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "empty LQ_QUERY",
        rfc: "5007 §4.1.2.1",
        ids: &["A17"],
        query: "0e 20000f  $me  002c 0000",
        want: Want::Reply("0f 20000f  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "LQ_QUERY of 16 octets, and an unknown query-type",
        rfc: "5007 §4.1.2.1",
        ids: &["A17"],
        query: "0e 200010  $me  002c 0010 06 2001 0db8 0001 0000 0000 0000 0000 00",
        want: Want::Reply("0f 200010  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "two LQ_QUERYs",
        rfc: "8415 §24 (singleton)",
        ids: &["A17", "A18"],
        query: "0e 200011  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero
                002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 200011  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "query-options cut within an option header",
        rfc: "8415 §21.1",
        ids: &["A17"],
        query: "0e 200012  $me  002c 002f 01 ::  0005 0018 2001:db8:1::101 $zero  0006",
        want: Want::Reply("0f 200012  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "query-options cut within an option body",
        rfc: "8415 §21.1",
        ids: &["A17"],
        query: "0e 200013  $me  002c 0031 01 ::  0005 0018 2001:db8:1::101 $zero  0006 0002",
        want: Want::Reply("0f 200013  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "IAADDR of 23 octets",
        rfc: "8415 §21.6",
        ids: &["A17"],
        query: "0e 200014  $me  002c 002c 01 ::  0005 0017 2001:db8:1::101 00000000 000000",
        want: Want::Reply("0f 200014  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "IAADDR of 16 octets, the address alone",
        rfc: "8415 §21.6",
        ids: &["A17"],
        query: "0e 200015  $me  002c 0025 01 ::  0005 0010 2001:db8:1::101",
        want: Want::Reply("0f 200015  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "IAADDR with a broken option in it",
        rfc: "8415 §21.6",
        ids: &["A17"],
        query: "0e 200016  $me  002c 0031 01 ::  0005 001c 2001:db8:1::101 $zero  000d 0002",
        want: Want::Reply("0f 200016  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "empty CLIENTID in the query-options",
        rfc: "8415 §11.1",
        ids: &["A17", "S8"],
        query: "0e 200017  $me  002c 0015 02 ::  0001 0000",
        want: Want::Reply("0f 200017  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "CLIENTID of 131 octets in the query-options",
        rfc: "8415 §11.1",
        ids: &["A17"],
        query: "0e 200018  $me  002c 0098 02 ::  0001 0083 0002 00000009 61*125",
        want: Want::Reply("0f 200018  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "ORO of 3 octets",
        rfc: "8415 §21.7",
        ids: &["A17"],
        query: "0e 200019  $me  002c 0034 01 ::  0005 0018 2001:db8:1::101 $zero  0006 0003 0017 00",
        want: Want::Reply("0f 200019  $me $server  000d { 0008 text }"),
        ..ROW
    },
    Row {
        name: "not allowed, by address",
        rfc: "5007 §4.4.1",
        ids: &["S9", "A23", "A24"],
        setup: Setup::Denied,
        query: "0e 20001a  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 20001a  $me $server  000d { 000a text }"),
        ..ROW
    },
    Row {
        name: "not allowed, by client-id",
        rfc: "5007 §4.4.1",
        ids: &["S9"],
        setup: Setup::Denied,
        query: "0e 20001b  $me  002c 001f 02 ::  $c01",
        want: Want::Reply("0f 20001b  $me $server  000d { 000a text }"),
        ..ROW
    },
    Row {
        name: "not allowed, relayed for an allowed peer",
        rfc: "5007 §4.4.1",
        ids: &["S9", "A24"],
        setup: Setup::Denied,
        query: "0c 00 2001:db8:ffff::1 2001:db8:ffff::9
                  0009 0043  0e 20001c  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 00 2001:db8:ffff::1 2001:db8:ffff::9
               0009 { 0f 20001c  $me $server  000d { 000a text } }",
        ),
        ..ROW
    },
    Row {
        name: "allowed, relayed for a peer that is not",
        rfc: "5007 §4.4.1",
        ids: &["S9", "A24"],
        query: "0c 00 2001:db8:1::1 2001:db8:eeee::9
                  0009 0043  0e 20001d  $me  002c 002d 01 ::  0005 0018 2001:db8:1::101 $zero",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 2001:db8:eeee::9
               0009 0056  0f 20001d  $me $server
                 002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "link-address that no link has, by address",
        rfc: "5007 §4.4.1",
        ids: &["S10", "S12", "A8", "A9"],
        query: "0e 20001e  $me  002c 002d 01 2001:db8:77::1  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 20001e  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "link-address that no link has, by client-id",
        rfc: "5007 §4.4.1",
        ids: &["S10", "S12", "A6"],
        query: "0e 20001f  $me  002c 001f 02 2001:db8:77::1  $c01",
        want: Want::Reply("0f 20001f  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "address that no link has",
        rfc: "5007 §4.4.1",
        ids: &["S11", "S12", "A9"],
        query: "0e 200020  $me  002c 002d 01 ::  0005 0018 2001:db8:77::1 $zero",
        want: Want::Reply("0f 200020  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "the address :: without a link-address",
        rfc: "5007 §4.4.1",
        ids: &["S11", "S12"],
        query: "0e 200021  $me  002c 002d 01 ::  0005 0018 :: $zero",
        want: Want::Reply("0f 200021  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "link-local link-address",
        rfc: "5007 §4.1.2.1 (a global address)",
        ids: &["A26"],
        query: "0e 200022  $me  002c 001f 02 fe80::1  $c01",
        want: Want::Reply("0f 200022  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "multicast link-address",
        rfc: "5007 §4.1.2.1 (a global address)",
        ids: &["A26"],
        query: "0e 200023  $me  002c 002d 01 ff05::1:3  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 200023  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "lease in a subnet that is not configured, by address",
        rfc: "5007 §4.1.3",
        ids: &["S11", "S12", "A21"],
        query: "0e 200024  $me  002c 002d 01 ::  0005 0018 2001:db8:99::1701 $zero",
        want: Want::Reply("0f 200024  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "lease in a subnet that is not configured, by client-id",
        rfc: "5007 §4.1.3",
        ids: &["S12", "A21"],
        query: "0e 200025  $me  002c 001f 02 ::  $c17",
        want: Want::Reply("0f 200025  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "17 bindings, without a limit for the reply",
        rfc: "5007 §4.1.2.2",
        ids: &["S17", "A20"],
        query: "0e 200020  $me  002c 001f 02 ::  $c2f",
        want: Want::Reply(
            "0f 200020  $me $server
             002d 01f2  $c2f
               0005 0018 2001:db8:1::2f01 $inf   0005 0018 2001:db8:1::2f02 $inf
               0005 0018 2001:db8:1::2f03 $inf   0005 0018 2001:db8:1::2f04 $inf
               0005 0018 2001:db8:1::2f05 $inf   0005 0018 2001:db8:1::2f06 $inf
               0005 0018 2001:db8:1::2f07 $inf   0005 0018 2001:db8:1::2f08 $inf
               0005 0018 2001:db8:1::2f09 $inf   0005 0018 2001:db8:1::2f0a $inf
               0005 0018 2001:db8:1::2f0b $inf   0005 0018 2001:db8:1::2f0c $inf
               0005 0018 2001:db8:1::2f0d $inf   0005 0018 2001:db8:1::2f0e $inf
               0005 0018 2001:db8:1::2f0f $inf   0005 0018 2001:db8:1::2f10 $inf
               0005 0018 2001:db8:1::2f11 $inf
               $clt0",
        ),
        ..ROW
    },
    Row {
        name: "as many bindings as the limit holds",
        rfc: "5007 §4.1.2.2",
        ids: &["A20"],
        setup: Setup::ShortReplies,
        query: "0e 200021  $me  002c 001f 02 ::  $c2e",
        want: Want::Reply(
            "0f 200021  $me $server
             002d 01d6  $c2e
               0005 0018 2001:db8:1::2e01 $inf   0005 0018 2001:db8:1::2e02 $inf
               0005 0018 2001:db8:1::2e03 $inf   0005 0018 2001:db8:1::2e04 $inf
               0005 0018 2001:db8:1::2e05 $inf   0005 0018 2001:db8:1::2e06 $inf
               0005 0018 2001:db8:1::2e07 $inf   0005 0018 2001:db8:1::2e08 $inf
               0005 0018 2001:db8:1::2e09 $inf   0005 0018 2001:db8:1::2e0a $inf
               0005 0018 2001:db8:1::2e0b $inf   0005 0018 2001:db8:1::2e0c $inf
               0005 0018 2001:db8:1::2e0d $inf   0005 0018 2001:db8:1::2e0e $inf
               0005 0018 2001:db8:1::2e0f $inf   0005 0018 2001:db8:1::2e10 $inf
               $clt0",
        ),
        ..ROW
    },
    Row {
        name: "one binding more than the limit holds, by client-id",
        rfc: "5007 §4.1.2.2, §4.1.3",
        ids: &["A20"],
        setup: Setup::ShortReplies,
        query: "0e 200022  $me  002c 001f 02 ::  $c2f",
        want: Want::Reply("0f 200022  $me $server  000d { 0001 text }"),
        ..ROW
    },
    Row {
        name: "one binding more than the limit holds, by address",
        rfc: "5007 §4.1.2.2, §4.1.3",
        ids: &["A20"],
        setup: Setup::ShortReplies,
        query: "0e 200023  $me  002c 002d 01 ::  0005 0018 2001:db8:1::2f11 $zero",
        want: Want::Reply("0f 200023  $me $server  000d { 0001 text }"),
        ..ROW
    },
    Row {
        name: "requested options beyond the limit",
        rfc: "5007 §4.1.2.2, §4.1.3",
        ids: &["A20"],
        setup: Setup::ShortReplies,
        query: "0e 200024  $me  002c 0025 02 ::  $c2e  0006 0002 0017",
        want: Want::Reply("0f 200024  $me $server  000d { 0001 text }"),
        ..ROW
    },
    Row {
        name: "the relay's part of the reply counts, too",
        rfc: "5007 §4.1.2.2, §4.1.3",
        ids: &["A20"],
        setup: Setup::ShortReplies,
        query: "0c 00 2001:db8:1::1 fe80::1
                  0009 0035  0e 200025  $me  002c 001f 02 ::  $c2e",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 fe80::1
               0009 { 0f 200025  $me $server  000d { 0001 text } }",
        ),
        ..ROW
    },
    Row {
        name: "a refusal longer than the limit is sent nevertheless",
        rfc: "5007 §4.1.3",
        ids: &["A20"],
        setup: Setup::ShortReplies,
        query: "0c 00 2001:db8:1::1 fe80::1
                  0012 0200 69*512
                  0009 0027  0e 200026  $me  002c 0011 63 ::",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 fe80::1
               0012 0200 69*512
               0009 { 0f 200026  $me $server  000d { 0007 text } }",
        ),
        ..ROW
    },
    Row {
        name: "no binding in a reply longer than the limit is not too many",
        rfc: "5007 §4.3.3",
        ids: &["A20"],
        setup: Setup::ShortReplies,
        query: "0c 00 2001:db8:1::1 fe80::1
                  0012 0200 69*512
                  0009 0043  0e 200027  $me  002c 002d 01 ::  0005 0018 2001:db8:1::ffff $zero",
        want: Want::ToRelay(
            "0d 00 2001:db8:1::1 fe80::1
               0012 0200 69*512
               0009 0020  0f 200027  $me $server",
        ),
        ..ROW
    },
];

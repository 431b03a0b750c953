//! Messages that end the connection: RFC 5007 §4.2.1, RFC 5460 §5.1. Answers that are owed are sent first.

use crate::conformance::bulk::row::{End, ROW, Row, bindings, step};

pub const ROWS: &[Row] = &[
    Row {
        name: "no message type that is served: SOLICIT",
        rfc: "5460 §5.2",
        ids: &["B45"],
        steps: &[step("{ 01 b70001  $me }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "LEASEQUERY-REPLY to the server",
        rfc: "5007 §4.2.2",
        ids: &["B45"],
        steps: &[step("{ 0f b70002  $me $server }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "LEASEQUERY-DATA to the server",
        rfc: "5460 §5.2.1",
        ids: &["B45"],
        steps: &[step("{ 11 b70003 }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "LEASEQUERY-DONE to the server",
        rfc: "5460 §5.2.2",
        ids: &["B45"],
        steps: &[step("{ 10 b70004 }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "REPLY to the server",
        rfc: "8415 §16",
        ids: &["B45"],
        steps: &[step("{ 07 b70005  $me $server }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "message type 255",
        rfc: "8415 §16",
        ids: &["B45"],
        steps: &[step("{ ff b70006  $me  002c { 02 ::  $c01 } }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "a relayed query over TCP",
        rfc: "5460 §5.1",
        ids: &["B45"],
        steps: &[step("{ 0c 00 2001:db8:1::1 fe80::1  0009 { 0e b70007  $me  002c { 02 ::  $c01 } } }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "bulk: no CLIENTID",
        rfc: "5007 §4.2.1",
        ids: &["B45"],
        steps: &[step("{ 0e b70008  002c { 02 ::  $c01 } }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "bulk: an empty CLIENTID",
        rfc: "5007 §4.2.1",
        ids: &["B45"],
        steps: &[step("{ 0e b70009  0001 { }  002c { 02 ::  $c01 } }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "bulk: CLIENTID in the query-options alone",
        rfc: "5007 §4.2.1",
        ids: &["B45"],
        steps: &[step("{ 0e b7000a  002c { 02 ::  $c01  $me } }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "bulk: two CLIENTIDs",
        rfc: "8415 §24",
        ids: &["B45"],
        steps: &[step("{ 0e b7000b  $me  002c { 02 ::  $c01 }  $me }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "bulk: another SERVERID",
        rfc: "5007 §4.2.1",
        ids: &["B45"],
        steps: &[step("{ 0e b7000c  $me  0002 { 0003 0001 02005e005302 }  002c { 02 ::  $c01 } }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "bulk: two SERVERIDs, both ours",
        rfc: "8415 §24",
        ids: &["B45"],
        steps: &[step("{ 0e b7000d  $me $server $server  002c { 02 ::  $c01 } }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "bulk: no LQ_QUERY",
        rfc: "5007 §4.2.1",
        ids: &["B45"],
        steps: &[step("{ 0e b7000e  $me }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "bulk: a message without options",
        rfc: "5007 §4.2.1",
        ids: &["B45"],
        steps: &[step("{ 0e b7000f }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "bulk: an option longer than the message",
        rfc: "8415 §21.1",
        ids: &["B45"],
        steps: &[step("{ 0e b70010  $me  002c { 02 ::  $c01 }  03e7 0005 00 }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "bulk: half an option header at the end",
        rfc: "8415 §21.1",
        ids: &["B45"],
        steps: &[step("{ 0e b70011  $me  002c { 02 ::  $c01 }  0006 00 }", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "a frame of no octets",
        rfc: "5460 §5.1",
        ids: &["B46", "B1"],
        steps: &[step("0000", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "a frame of one octet",
        rfc: "5460 §5.1",
        ids: &["B46"],
        steps: &[step("0001 0e", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "a frame of three octets",
        rfc: "5460 §5.1",
        ids: &["B46"],
        steps: &[step("0003 0e b700", &[])],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "good, bad, good: no CLIENTID",
        rfc: "5460 §7.4",
        ids: &["B45"],
        steps: &[step(
            "{ 0e b70101  $me  002c { 04 2001:db8:4:: } }
             { 0e b701ff  002c { 02 ::  $c01 } }
             { 0e b70201  $me  002c { 02 ::  $c01 } }",
            &[bindings(
                "b70101",
                &[
                    "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                    "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                ],
            )],
        )],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "good, bad, good: another message type",
        rfc: "5460 §7.4",
        ids: &["B45"],
        steps: &[step(
            "{ 0e b70102  $me  002c { 04 2001:db8:4:: } }
             { 01 b701ff  $me }
             { 0e b70202  $me  002c { 02 ::  $c01 } }",
            &[bindings(
                "b70102",
                &[
                    "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                    "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                ],
            )],
        )],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "good, bad, good: options that do not parse",
        rfc: "5460 §7.4",
        ids: &["B45"],
        steps: &[step(
            "{ 0e b70103  $me  002c { 04 2001:db8:4:: } }
             { 0e b701ff  $me  002c 0100 00 }
             { 0e b70203  $me  002c { 02 ::  $c01 } }",
            &[bindings(
                "b70103",
                &[
                    "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                    "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                ],
            )],
        )],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "good, bad, good: a frame that is too short",
        rfc: "5460 §7.4",
        ids: &["B45"],
        steps: &[step(
            "{ 0e b70104  $me  002c { 04 2001:db8:4:: } }
             0002 0e01
             { 0e b70204  $me  002c { 02 ::  $c01 } }",
            &[bindings(
                "b70104",
                &[
                    "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                    "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                ],
            )],
        )],
        end: End::Closed,
        ..ROW
    },
    Row {
        name: "good, bad, good: the transaction-id of an open query",
        rfc: "5460 §7.4",
        ids: &["B48", "B45"],
        steps: &[step(
            "{ 0e b70105  $me  002c { 04 2001:db8:4:: } }
             { 0e b70105  $me  002c { 02 ::  $c01 } }
             { 0e b70205  $me  002c { 02 ::  $c01 } }",
            &[bindings(
                "b70105",
                &[
                    "$c10  0005 { 2001:db8:3::1001 $inf }  0005 { 2001:db8:4::1001 $inf }  $clt0",
                    "$c11  0005 { 2001:db8:4::1101 $inf }  $clt0",
                ],
            )],
        )],
        end: End::Closed,
        divisible: false,
        ..ROW
    },
];

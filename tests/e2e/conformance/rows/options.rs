//! Options requested by the ORO in LQ_QUERY, relay data among them: RFC 5007 §4.1.2.1, §4.1.2.4 and §4.4.2.

use crate::conformance::row::{ROW, Row, Setup, Want};

pub const ROWS: &[Row] = &[
    Row {
        name: "option of the subnet",
        rfc: "5007 §4.4.2",
        ids: &["S21", "A16"],
        query: "0e 700001  $me  002c 0033 01 ::  0005 0018 2001:db8:1::101 $zero  0006 0002 0017",
        want: Want::Reply(
            "0f 700001  $me $server
             002d 0046  $c01  0005 0018 2001:db8:1::101 $inf  $clt0
               0017 0010 2001:db8:1::53",
        ),
        ..ROW
    },
    Row {
        name: "option of all subnets",
        rfc: "5007 §4.4.2",
        ids: &["S21"],
        query: "0e 700002  $me  002c 0025 02 ::  $c01  0006 0002 0018",
        want: Want::Reply(
            "0f 700002  $me $server
             002d 0043  $c01  0005 0018 2001:db8:1::101 $inf  $clt0
               0018 000d 07 6578616d706c65 03 6e6574 00   # example.net",
        ),
        ..ROW
    },
    Row {
        name: "option of the shared network",
        rfc: "5007 §4.4.2",
        ids: &["S21", "A7"],
        query: "0e 700003  $me  002c 0025 02 ::  $c03  0006 0002 0017",
        want: Want::Reply(
            "0f 700003  $me $server
             002d 0062  $c03  0005 0018 2001:db8:3::301 $inf  0005 0018 2001:db8:4::301 $inf  $clt0
               0017 0010 2001:db8:3::53",
        ),
        ..ROW
    },
    Row {
        name: "two options in the requested order",
        rfc: "5007 §4.4.2",
        ids: &["S21", "A16"],
        query: "0e 700004  $me  002c 0027 02 ::  $c01  0006 0004 0018 0017",
        want: Want::Reply(
            "0f 700004  $me $server
             002d 0057  $c01  0005 0018 2001:db8:1::101 $inf  $clt0
               0018 000d 07 6578616d706c65 03 6e6574 00   0017 0010 2001:db8:1::53",
        ),
        ..ROW
    },
    Row {
        name: "two options in the other order",
        rfc: "5007 §4.4.2",
        ids: &["S21", "A16"],
        query: "0e 700005  $me  002c 0027 02 ::  $c01  0006 0004 0017 0018",
        want: Want::Reply(
            "0f 700005  $me $server
             002d 0057  $c01  0005 0018 2001:db8:1::101 $inf  $clt0
               0017 0010 2001:db8:1::53   0018 000d 07 6578616d706c65 03 6e6574 00",
        ),
        ..ROW
    },
    Row {
        name: "an option requested twice is returned once",
        rfc: "8415 §24 (singleton)",
        ids: &["S21"],
        query: "0e 700006  $me  002c 0029 02 ::  $c01  0006 0006 0017 03e7 0017",
        want: Want::Reply(
            "0f 700006  $me $server
             002d 0046  $c01  0005 0018 2001:db8:1::101 $inf  $clt0  0017 0010 2001:db8:1::53",
        ),
        ..ROW
    },
    Row {
        name: "options that the reply has anyhow are not repeated",
        rfc: "5007 §4.4.2",
        ids: &["S17", "S21", "A19"],
        query: "0e 700007  $me  002c 002b 02 ::  $c01  0006 0008 0001 0005 001a 002e",
        want: Want::Reply("0f 700007  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "options that the server does not have",
        rfc: "5007 §4.4.2",
        ids: &["S21"],
        query: "0e 700008  $me  002c 0027 02 ::  $c01  0006 0004 03e7 0000",
        want: Want::Reply("0f 700008  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "empty ORO",
        rfc: "8415 §21.7",
        ids: &["S21"],
        query: "0e 700009  $me  002c 0023 02 ::  $c01  0006 0000",
        want: Want::Reply("0f 700009  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "ORO at message level selects nothing",
        rfc: "5007 §4.1.2.1 (distinct and separate)",
        ids: &["S22", "S28"],
        query: "0e 70000a  $me  0006 0008 0017 0018 0027 002f  002c 001f 02 ::  $c07",
        want: Want::Reply("0f 70000a  $me $server  002d 0032  $c07  0005 0018 2001:db8:1::701 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "ORO at message level beside one in LQ_QUERY",
        rfc: "5007 §4.1.2.1 (distinct and separate)",
        ids: &["S22"],
        query: "0e 70000b  $me  0006 0002 0018  002c 0025 02 ::  $c01  0006 0002 0017",
        want: Want::Reply(
            "0f 70000b  $me $server
             002d 0046  $c01  0005 0018 2001:db8:1::101 $inf  $clt0  0017 0010 2001:db8:1::53",
        ),
        ..ROW
    },
    Row {
        name: "ORO before IAADDR",
        rfc: "8415 §21",
        ids: &["S21"],
        query: "0e 70000c  $me  002c 0033 01 ::  0006 0002 0017  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply(
            "0f 70000c  $me $server
             002d 0046  $c01  0005 0018 2001:db8:1::101 $inf  $clt0  0017 0010 2001:db8:1::53",
        ),
        ..ROW
    },
    Row {
        name: "client FQDN, fully qualified, updated forward",
        rfc: "4704 §4",
        ids: &["S21"],
        query: "0e 70000d  $me  002c 0025 02 ::  $c07  0006 0002 0027",
        want: Want::Reply(
            "0f 70000d  $me $server
             002d 004a  $c07  0005 0018 2001:db8:1::701 $inf  $clt0
               0027 0014 01 05 686f737437 07 6578616d706c65 03 6e6574 00   # S, host7.example.net.",
        ),
        ..ROW
    },
    Row {
        name: "client FQDN, a partial name, no updates",
        rfc: "4704 §4.1, §4.2",
        ids: &["S21"],
        query: "0e 70000e  $me  002c 0025 02 ::  $c27  0006 0002 0027",
        want: Want::Reply(
            "0f 70000e  $me $server
             002d 003c  $c27  0005 0018 2001:db8:1::2701 $inf  $clt0
               0027 0006 04 04 70633237                     # N, pc27",
        ),
        ..ROW
    },
    Row {
        name: "client link-layer address",
        rfc: "6939 §4",
        ids: &["S21"],
        query: "0e 70000f  $me  002c 0025 02 ::  $c07  0006 0002 004f",
        want: Want::Reply(
            "0f 70000f  $me $server
             002d 003e  $c07  0005 0018 2001:db8:1::701 $inf  $clt0
               004f 0008 0001 020000000701",
        ),
        ..ROW
    },
    Row {
        name: "name and link-layer address of an older lease, where the newest has none",
        rfc: "5007 §4.4.2",
        ids: &["S21"],
        query: "0e 700010  $me  002c 0027 02 ::  $c21  0006 0004 004f 0027",
        want: Want::Reply(
            "0f 700010  $me $server
             002d 0063  $c21  0005 0018 2001:db8:1::2101 $inf  0005 0018 2001:db8:1::2102 $inf  $clt0
               004f 0008 0001 020000002101   0027 0005 04 03 6f6c64",
        ),
        ..ROW
    },
    Row {
        name: "no relay data unless requested",
        rfc: "5007 §4.1.2.4",
        ids: &["S28"],
        query: "0e 700011  $me  002c 002d 01 ::  0005 0018 2001:db8:1::701 $zero",
        want: Want::Reply("0f 700011  $me $server  002d 0032  $c07  0005 0018 2001:db8:1::701 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "relay data of two relays",
        rfc: "5007 §4.1.2.4",
        ids: &["S26", "S27", "S28", "A13", "A25"],
        query: "0e 700012  $me  002c 0033 01 ::  0005 0018 2001:db8:1::701 $zero  0006 0002 002f",
        want: Want::Reply(
            "0f 700012  $me $server
             002d 00a2  $c07  0005 0018 2001:db8:1::701 $inf  $clt0
               002f 006c ::                       # the outer relay has no link-address; not the inner one's
                 0c 01 :: fe80::b                  # RELAY-FORW of the outer relay
                   0009 0036
                     0c 00 2001:db8:1::1 fe80::1   # RELAY-FORW of the inner one, without RELAY_MSG
                       0012 0004 74657374   0025 0008 00000009 0affbeef",
        ),
        ..ROW
    },
    Row {
        name: "relay data comes last, whatever the requested order",
        rfc: "5007 §4.4.2",
        ids: &["A13", "A16", "S21"],
        query: "0e 700013  $me  002c 0027 02 ::  $c07  0006 0004 002f 004f",
        want: Want::Reply(
            "0f 700013  $me $server
             002d 00ae  $c07  0005 0018 2001:db8:1::701 $inf  $clt0
               004f 0008 0001 020000000701
               002f 006c ::
                 0c 01 :: fe80::b
                   0009 0036
                     0c 00 2001:db8:1::1 fe80::1
                       0012 0004 74657374   0025 0008 00000009 0affbeef",
        ),
        ..ROW
    },
    Row {
        name: "no relay data for a direct client",
        rfc: "5007 §4.1.2.4",
        ids: &["S25"],
        query: "0e 700014  $me  002c 0025 02 ::  $c01  0006 0002 002f",
        want: Want::Reply("0f 700014  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "no relay data for a client once relayed, direct since",
        rfc: "5007 §4.1.2.4 (most recently received)",
        ids: &["S25", "S26"],
        query: "0e 700015  $me  002c 0025 02 ::  $c21  0006 0002 002f",
        want: Want::Reply(
            "0f 700015  $me $server
             002d 004e  $c21  0005 0018 2001:db8:1::2101 $inf  0005 0018 2001:db8:1::2102 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "relay data of a relay without link-address",
        rfc: "5007 §4.1.2.4",
        ids: &["S27", "A25"],
        query: "0e 700016  $me  002c 0025 02 ::  $c22  0006 0002 002f",
        want: Want::Reply(
            "0f 700016  $me $server
             002d 0068  $c22  0005 0018 2001:db8:1::2201 $inf  $clt0
               002f 0032 ::   0c 00 :: fe80::22",
        ),
        ..ROW
    },
    Row {
        name: "relay data in Kea's format before 2.3.2",
        rfc: "5007 §4.1.2.4",
        ids: &["S26", "A25"],
        query: "0e 700017  $me  002c 0025 02 ::  $c23  0006 0002 002f",
        want: Want::Reply(
            "0f 700017  $me $server
             002d 0068  $c23  0005 0018 2001:db8:1::2301 $inf  $clt0
               002f 0032 2001:db8:ffff::23   0c 00 2001:db8:ffff::23 fe80::23",
        ),
        ..ROW
    },
    Row {
        name: "sensitive options are left out, others are not",
        rfc: "5007 §4.4.2",
        ids: &["S23", "S24", "S41"],
        setup: Setup::Sensitive,
        query: "0e 700018  $me  002c 002d 02 ::  $c07  0006 000a 002f 0017 0018 0027 004f",
        want: Want::Reply(
            "0f 700018  $me $server
             002d 004f  $c07  0005 0018 2001:db8:1::701 $inf  $clt0
               0018 000d 07 6578616d706c65 03 6e6574 00   004f 0008 0001 020000000701",
        ),
        ..ROW
    },
    Row {
        name: "sensitive options are left out of relay data too",
        rfc: "5007 §4.4.2, §5",
        ids: &["S23", "S24", "S27", "S41"],
        setup: Setup::SensitiveInRelayData,
        query: "0e 70001a  $me  002c 0027 02 ::  $c07  0006 0004 002f 004f",
        want: Want::Reply(
            "0f 70001a  $me $server
             002d 0096  $c07  0005 0018 2001:db8:1::701 $inf  $clt0
               002f 0060 ::
                 0c 01 :: fe80::b
                   0009 002a
                     0c 00 2001:db8:1::1 fe80::1
                       0012 0004 74657374",
        ),
        ..ROW
    },
    Row {
        name: "sensitive option alone",
        rfc: "5007 §4.4.2",
        ids: &["S24"],
        setup: Setup::Sensitive,
        query: "0e 700019  $me  002c 0033 01 ::  0005 0018 2001:db8:1::101 $zero  0006 0002 0017",
        want: Want::Reply("0f 700019  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
];

//! Link of a query, and clients on several links: RFC 5007 §4.1.2.5 and §4.4.1.

use crate::conformance::row::{ROW, Row, Want};

pub const ROWS: &[Row] = &[
    Row {
        name: "free address of a pool",
        rfc: "5007 §4.3.3 (3)",
        ids: &["S30", "S31", "S11", "A9", "A14"],
        query: "0e 400001  $me  002c 002d 01 ::  0005 0018 2001:db8:1::102 $zero",
        want: Want::Reply("0f 400001  $me $server"),
        ..ROW
    },
    Row {
        name: "free address of a subnet outside its pools",
        rfc: "5007 §4.1.3",
        ids: &["S30", "A9"],
        query: "0e 400002  $me  002c 002d 01 ::  0005 0018 2001:db8:1:0:ffff:ffff:ffff:ffff $zero",
        want: Want::Reply("0f 400002  $me $server"),
        ..ROW
    },
    Row {
        name: "address of a link without leases",
        rfc: "5007 §4.3.3 (3)",
        ids: &["S30", "A9"],
        query: "0e 400003  $me  002c 002d 01 ::  0005 0018 2001:db8:5:: $zero",
        want: Want::Reply("0f 400003  $me $server"),
        ..ROW
    },
    Row {
        name: "address in a pd-pool, outside all subnets, not delegated",
        rfc: "5007 §4.1.3",
        ids: &["S30", "A9"],
        query: "0e 400004  $me  002c 002d 01 ::  0005 0018 2001:db8:afff:ffff::1 $zero",
        want: Want::Reply("0f 400004  $me $server"),
        ..ROW
    },
    Row {
        name: "address just past a pd-pool",
        rfc: "5007 §4.1.3",
        ids: &["S12", "A9"],
        query: "0e 400005  $me  002c 002d 01 ::  0005 0018 2001:db8:b000::1 $zero",
        want: Want::Reply("0f 400005  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "address just past a subnet",
        rfc: "5007 §4.1.3",
        ids: &["S12", "A9"],
        query: "0e 400006  $me  002c 002d 01 ::  0005 0018 2001:db8:1:1:: $zero",
        want: Want::Reply("0f 400006  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "reserved address without a lease",
        rfc: "7653 §9.3 (an option, not taken)",
        ids: &["A12", "S30"],
        query: "0e 400007  $me  002c 002d 01 ::  0005 0018 2001:db8:1::28 $zero",
        want: Want::Reply("0f 400007  $me $server"),
        ..ROW
    },
    Row {
        name: "client with a reservation and no lease",
        rfc: "7653 §9.3 (an option, not taken)",
        ids: &["A12", "S30"],
        query: "0e 400008  $me  002c 001f 02 ::  $c28",
        want: Want::Reply("0f 400008  $me $server"),
        ..ROW
    },
    Row {
        name: "unknown client",
        rfc: "5007 §4.3.3 (3)",
        ids: &["S30", "S31", "S13"],
        query: "0e 400009  $me  002c 001f 02 ::  $cff",
        want: Want::Reply("0f 400009  $me $server"),
        ..ROW
    },
    Row {
        name: "unknown client, on a known link",
        rfc: "5007 §4.3.3 (3)",
        ids: &["S30", "S10"],
        query: "0e 40000a  $me  002c 001f 02 2001:db8:1::  $cff",
        want: Want::Reply("0f 40000a  $me $server"),
        ..ROW
    },
    Row {
        name: "by address, link-address of its link",
        rfc: "5007 §4.4.1",
        ids: &["S10", "A8"],
        query: "0e 40000b  $me  002c 002d 01 2001:db8:1::1  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 40000b  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "by address, link-address of another link",
        rfc: "5007 §4.4.1",
        ids: &["S10", "A8"],
        query: "0e 40000c  $me  002c 002d 01 2001:db8:2::1  0005 0018 2001:db8:1::101 $zero",
        want: Want::Reply("0f 40000c  $me $server"),
        ..ROW
    },
    Row {
        name: "by client-id, link-address of another link",
        rfc: "5007 §4.4.1",
        ids: &["S10"],
        query: "0e 40000d  $me  002c 001f 02 2001:db8:2::1  $c01",
        want: Want::Reply("0f 40000d  $me $server"),
        ..ROW
    },
    Row {
        name: "client found on one link of all",
        rfc: "5007 §4.4.1",
        ids: &["S13", "S14", "S16"],
        query: "0e 40000e  $me  002c 001f 02 ::  $c01",
        want: Want::Reply("0f 40000e  $me $server  002d 0032  $c01  0005 0018 2001:db8:1::101 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "client on two links, link ::",
        rfc: "5007 §4.1.2.5, §4.4.1",
        ids: &["S15", "S13", "S16", "S29"],
        query: "0e 40000f  $me  002c 001f 02 ::  $c04",
        want: Want::Reply("0f 40000f  $me $server  0030 0020  2001:db8:1:: 2001:db8:ffff::2"),
        ..ROW
    },
    Row {
        name: "client on two links, options requested: still no client data",
        rfc: "5007 §4.4.1",
        ids: &["S15"],
        query: "0e 400010  $me  002c 0027 02 ::  $c04  0006 0004 0017 002f",
        want: Want::Reply("0f 400010  $me $server  0030 0020  2001:db8:1:: 2001:db8:ffff::2"),
        ..ROW
    },
    Row {
        name: "client on two links, the first by its reported address",
        rfc: "5007 §4.1.2.5, §4.3.3 (2)",
        ids: &["S29", "S10"],
        query: "0e 400011  $me  002c 001f 02 2001:db8:1::  $c04",
        want: Want::Reply("0f 400011  $me $server  002d 0032  $c04  0005 0018 2001:db8:1::401 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "client on two links, the second by its reported address",
        rfc: "5007 §4.1.2.5, §4.3.3 (2)",
        ids: &["S29", "S10", "S18"],
        query: "0e 400012  $me  002c 001f 02 2001:db8:ffff::2  $c04",
        want: Want::Reply(
            "0f 400012  $me $server
             002d 004f  $c04  0005 0018 2001:db8:2::401 $inf  001a 0019 $inf 38 2001:db8:a004:400::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "client on two links, queried by address: that link alone",
        rfc: "5007 §4.4.1",
        ids: &["S11", "S15", "S18"],
        query: "0e 400013  $me  002c 002d 01 ::  0005 0018 2001:db8:1::401 $zero",
        want: Want::Reply("0f 400013  $me $server  002d 0032  $c04  0005 0018 2001:db8:1::401 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "client on a subnet and on a shared network",
        rfc: "5007 §4.1.2.5",
        ids: &["S15", "A7"],
        query: "0e 400014  $me  002c 001f 02 ::  $c05",
        want: Want::Reply("0f 400014  $me $server  0030 0020  2001:db8:1:: 2001:db8:ffff::3"),
        ..ROW
    },
    Row {
        name: "that shared network by its reported address",
        rfc: "5007 §4.1.2.5, §4.3.3 (2)",
        ids: &["S29", "A7"],
        query: "0e 400015  $me  002c 001f 02 2001:db8:ffff::3  $c05",
        want: Want::Reply("0f 400015  $me $server  002d 0032  $c05  0005 0018 2001:db8:4::501 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "client in both subnets of a shared network is on one link",
        rfc: "8415 §4.1 (link)",
        ids: &["A7", "S14"],
        query: "0e 400016  $me  002c 001f 02 ::  $c03",
        want: Want::Reply(
            "0f 400016  $me $server
             002d 004e  $c03  0005 0018 2001:db8:3::301 $inf  0005 0018 2001:db8:4::301 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "shared network by its second subnet",
        rfc: "5007 §4.4.1",
        ids: &["A6", "A7"],
        query: "0e 400017  $me  002c 001f 02 2001:db8:4::1  $c03",
        want: Want::Reply(
            "0f 400017  $me $server
             002d 004e  $c03  0005 0018 2001:db8:3::301 $inf  0005 0018 2001:db8:4::301 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "shared network, by address in one subnet, link-address in the other",
        rfc: "5007 §4.4.1",
        ids: &["A7", "A8"],
        query: "0e 400018  $me  002c 002d 01 2001:db8:4::1  0005 0018 2001:db8:3::301 $zero",
        want: Want::Reply(
            "0f 400018  $me $server
             002d 004e  $c03  0005 0018 2001:db8:3::301 $inf  0005 0018 2001:db8:4::301 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "link-address is the configured relay of a subnet",
        rfc: "5007 §4.1.2.1",
        ids: &["A6", "S10"],
        query: "0e 400019  $me  002c 001f 02 2001:db8:ffff::2  $c06",
        want: Want::Reply(
            "0f 400019  $me $server  002d 0033  $c06  001a 0019 $inf 38 2001:db8:a006:600::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "link-address is the configured relay of a shared network",
        rfc: "5007 §4.1.2.1",
        ids: &["A6", "A7"],
        query: "0e 40001a  $me  002c 001f 02 2001:db8:ffff::3  $c05",
        want: Want::Reply("0f 40001a  $me $server  002d 0032  $c05  0005 0018 2001:db8:4::501 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "link-address beside a configured relay",
        rfc: "5007 §4.1.3",
        ids: &["A6", "S12"],
        query: "0e 40001b  $me  002c 001f 02 2001:db8:ffff::4  $c06",
        want: Want::Reply("0f 40001b  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "link-address in a pd-pool",
        rfc: "5007 §4.1.2.1",
        ids: &["A6"],
        query: "0e 40001c  $me  002c 001f 02 2001:db8:a000::1  $c06",
        want: Want::Reply(
            "0f 40001c  $me $server  002d 0033  $c06  001a 0019 $inf 38 2001:db8:a006:600::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "subnet within a subnet: the longer prefix is the link",
        rfc: "5007 §4.1.2.1",
        ids: &["A6"],
        query: "0e 40001d  $me  002c 001f 02 2001:db8:6:7::1  $c1a",
        want: Want::Reply("0f 40001d  $me $server  002d 0032  $c1a  0005 0018 2001:db8:6:7::1a $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "subnet within a subnet: its client is not on the outer link",
        rfc: "5007 §4.1.2.1",
        ids: &["A6", "S10"],
        query: "0e 40001e  $me  002c 001f 02 2001:db8:6:8::1  $c1a",
        want: Want::Reply("0f 40001e  $me $server"),
        ..ROW
    },
    Row {
        name: "subnet within a subnet: a client of the outer link",
        rfc: "5007 §4.1.2.1",
        ids: &["A6"],
        query: "0e 40001f  $me  002c 001f 02 2001:db8:6:8::1  $c1b",
        want: Want::Reply("0f 40001f  $me $server  002d 0032  $c1b  0005 0018 2001:db8:6:1::1b $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "client on one link and in a subnet that is not configured",
        rfc: "5007 §4.4.1",
        ids: &["A21", "S14"],
        query: "0e 400020  $me  002c 001f 02 ::  $c18",
        want: Want::Reply("0f 400020  $me $server  002d 0032  $c18  0005 0018 2001:db8:1::1801 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "client with leases in no configured subnet, on a known link",
        rfc: "5007 §4.4.1",
        ids: &["A21", "S10"],
        query: "0e 400021  $me  002c 001f 02 2001:db8:1::1  $c17",
        want: Want::Reply("0f 400021  $me $server"),
        ..ROW
    },
];

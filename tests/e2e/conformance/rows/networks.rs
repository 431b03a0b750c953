//! Links named by a link-address, and the link of a lease, on untidy networks: A6, A7, A9 of
//! `tests/CONFORMANCE.md`.

use crate::conformance::row::{ROW, Row, Want};

pub const ROWS: &[Row] = &[
    Row {
        name: "relay address of two subnets, by client-id: the CPE",
        rfc: "8415 §19.1.1",
        ids: &["A7", "A6", "S10"],
        query: "0e 400100  $me  002c 001f 02 2001:db8:10::1  $c40",
        want: Want::Reply("0f 400100  $me $server  002d 0032  $c40  0005 0018 2001:db8:11::40 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "relay address of two subnets, by client-id: the modem",
        rfc: "8415 §19.1.1",
        ids: &["A7", "A6", "S10"],
        query: "0e 400101  $me  002c 001f 02 2001:db8:10::1  $c41",
        want: Want::Reply("0f 400101  $me $server  002d 0032  $c41  0005 0018 2001:db8:10::41 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "relay address of two subnets, by address: the CPE",
        rfc: "8415 §19.1.1",
        ids: &["A7", "A8", "S10"],
        query: "0e 400102  $me  002c 002d 01 2001:db8:10::1  0005 0018 2001:db8:11::40 $zero",
        want: Want::Reply("0f 400102  $me $server  002d 0032  $c40  0005 0018 2001:db8:11::40 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "an address of the modems' subnet names the CPEs' too",
        rfc: "8415 §19.1.1",
        ids: &["A7", "A6"],
        query: "0e 400103  $me  002c 001f 02 2001:db8:10::99  $c40",
        want: Want::Reply("0f 400103  $me $server  002d 0032  $c40  0005 0018 2001:db8:11::40 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "relay address inside another subnet: a client of that subnet",
        rfc: "5007 §4.1.2.1",
        ids: &["A6", "S10"],
        query: "0e 400104  $me  002c 001f 02 2001:db8:12::1  $c42",
        want: Want::Reply("0f 400104  $me $server  002d 0032  $c42  0005 0018 2001:db8:12::42 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "relay address inside another subnet: a client of the relay's subnet",
        rfc: "5007 §4.1.2.1",
        ids: &["A6", "S10"],
        query: "0e 400105  $me  002c 001f 02 2001:db8:12::1  $c43",
        want: Want::Reply("0f 400105  $me $server  002d 0032  $c43  0005 0018 2001:db8:13::43 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "beside that relay address, the relay's subnet is not named",
        rfc: "5007 §4.1.2.1",
        ids: &["A6", "S10"],
        query: "0e 400106  $me  002c 001f 02 2001:db8:12::2  $c43",
        want: Want::Reply("0f 400106  $me $server"),
        ..ROW
    },
    Row {
        name: "pd-pool of two subnets, by client-id",
        rfc: "5007 §4.1.2.1",
        ids: &["A6"],
        query: "0e 400107  $me  002c 001f 02 2001:db8:d000::1  $c44",
        want: Want::Reply(
            "0f 400107  $me $server  002d 0033  $c44  001a 0019 $inf 38 2001:db8:d044::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "pd-pool of two subnets, by an address inside the prefix",
        rfc: "5007 §4.1.2.1",
        ids: &["A6", "S19"],
        query: "0e 400108  $me  002c 002d 01 2001:db8:d000::1  0005 0018 2001:db8:d044::5 $zero",
        want: Want::Reply(
            "0f 400108  $me $server  002d 0033  $c44  001a 0019 $inf 38 2001:db8:d044::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "pd-pool of two subnets: the prefix is on the second one's link alone",
        rfc: "5007 §4.1.2.1",
        ids: &["A6", "S10"],
        query: "0e 400109  $me  002c 001f 02 2001:db8:14::1  $c44",
        want: Want::Reply("0f 400109  $me $server"),
        ..ROW
    },
    Row {
        name: "client on two links that begin at one address",
        rfc: "5007 §4.1.2.5",
        ids: &["S29", "A7", "S15"],
        query: "0e 40010a  $me  002c 001f 02 ::  $c45",
        want: Want::Reply("0f 40010a  $me $server  0030 0020  2001:db8:16:: 2001:db8:16:1::"),
        ..ROW
    },
    Row {
        name: "links that begin at one address, the inner one by its reported address",
        rfc: "5007 §4.1.2.5",
        ids: &["S29", "A7"],
        query: "0e 40010b  $me  002c 001f 02 2001:db8:16::  $c45",
        want: Want::Reply("0f 40010b  $me $server  002d 0032  $c45  0005 0018 2001:db8:16::45 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "links that begin at one address, the outer one by its reported address",
        rfc: "5007 §4.1.2.5",
        ids: &["S29", "A7"],
        query: "0e 40010c  $me  002c 001f 02 2001:db8:16:1::  $c45",
        want: Want::Reply("0f 40010c  $me $server  002d 0032  $c45  0005 0018 2001:db8:16:1::45 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "prefix around an address of another link, queried on the prefix's link",
        rfc: "5007 §4.4.1",
        ids: &["S19", "S10"],
        query: "0e 40010d  $me  002c 002d 01 2001:db8:18::1  0005 0018 2001:db8:c000:aa::47 $zero",
        want: Want::Reply(
            "0f 40010d  $me $server  002d 0033  $c46  001a 0019 $inf 30 2001:db8:c000::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "prefix around an address of another link, queried on the address's link",
        rfc: "5007 §4.4.1",
        ids: &["S19", "S10"],
        query: "0e 40010e  $me  002c 002d 01 2001:db8:c000:aa::1  0005 0018 2001:db8:c000:aa::47 $zero",
        want: Want::Reply(
            "0f 40010e  $me $server  002d 0032  $c47  0005 0018 2001:db8:c000:aa::47 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "prefix around an address of another link, no link named: the longest lease",
        rfc: "5007 §4.4.1",
        ids: &["S19", "S11"],
        query: "0e 40010f  $me  002c 002d 01 ::  0005 0018 2001:db8:c000:aa::47 $zero",
        want: Want::Reply(
            "0f 40010f  $me $server  002d 0032  $c47  0005 0018 2001:db8:c000:aa::47 $inf  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "address on another link inside the prefix, free there",
        rfc: "5007 §4.4.1",
        ids: &["S19", "S10"],
        query: "0e 400110  $me  002c 002d 01 2001:db8:c000:aa::1  0005 0018 2001:db8:c000:aa::99 $zero",
        want: Want::Reply(
            "0f 400110  $me $server  002d 0033  $c46  001a 0019 $inf 30 2001:db8:c000::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "lease of a removed subnet id, by address",
        rfc: "5007 §4.4.1",
        ids: &["A9", "A21"],
        query: "0e 400111  $me  002c 002d 01 ::  0005 0018 2001:db8:5::48 $zero",
        want: Want::Reply("0f 400111  $me $server  002d 0032  $c48  0005 0018 2001:db8:5::48 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "lease of a removed subnet id, by client-id",
        rfc: "5007 §4.4.1",
        ids: &["A9", "A21"],
        query: "0e 400112  $me  002c 001f 02 ::  $c48",
        want: Want::Reply("0f 400112  $me $server  002d 0032  $c48  0005 0018 2001:db8:5::48 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "lease of a removed subnet id, on the link that contains it",
        rfc: "5007 §4.4.1",
        ids: &["A9", "S10"],
        query: "0e 400113  $me  002c 001f 02 2001:db8:5::1  $c48",
        want: Want::Reply("0f 400113  $me $server  002d 0032  $c48  0005 0018 2001:db8:5::48 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "lease with the id of another subnet, on the link that contains it",
        rfc: "5007 §4.4.1",
        ids: &["A9", "S10"],
        query: "0e 400114  $me  002c 001f 02 2001:db8:5::1  $c49",
        want: Want::Reply("0f 400114  $me $server  002d 0032  $c49  0005 0018 2001:db8:5::49 $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "lease with the id of another subnet is not on that one's link",
        rfc: "5007 §4.4.1",
        ids: &["A9", "S10"],
        query: "0e 400115  $me  002c 001f 02 2001:db8:1::1  $c49",
        want: Want::Reply("0f 400115  $me $server"),
        ..ROW
    },
    Row {
        name: "prefix of a removed subnet id, in a pool of two subnets",
        rfc: "5007 §4.4.1",
        ids: &["A9", "A6"],
        query: "0e 400116  $me  002c 001f 02 2001:db8:15::1  $c4a",
        want: Want::Reply(
            "0f 400116  $me $server  002d 0033  $c4a  001a 0019 $inf 38 2001:db8:d04a::  $clt0",
        ),
        ..ROW
    },
    Row {
        name: "lease with the id of another subnet, on no link, by address",
        rfc: "5007 §4.1.3",
        ids: &["A9", "S12"],
        query: "0e 400117  $me  002c 002d 01 ::  0005 0018 2001:db8:98::4b $zero",
        want: Want::Reply("0f 400117  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "lease with the id of another subnet, on no link, by client-id",
        rfc: "5007 §4.1.3",
        ids: &["A9", "A21"],
        query: "0e 400118  $me  002c 001f 02 ::  $c4b",
        want: Want::Reply("0f 400118  $me $server  000d { 0009 text }"),
        ..ROW
    },
    Row {
        name: "two subnets of one prefix: a client of the first",
        rfc: "5007 §4.1.2.1",
        ids: &["A6"],
        query: "0e 400119  $me  002c 001f 02 2001:db8:20::1  $c4c",
        want: Want::Reply("0f 400119  $me $server  002d 0032  $c4c  0005 0018 2001:db8:20::4c $inf  $clt0"),
        ..ROW
    },
    Row {
        name: "two subnets of one prefix: a client of the second",
        rfc: "5007 §4.1.2.1",
        ids: &["A6"],
        query: "0e 40011a  $me  002c 001f 02 2001:db8:20::1  $c4d",
        want: Want::Reply("0f 40011a  $me $server  002d 0032  $c4d  0005 0018 2001:db8:20::4d $inf  $clt0"),
        ..ROW
    },
];

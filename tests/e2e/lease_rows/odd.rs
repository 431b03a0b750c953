//! Odd rows, each with an older row for its address.

use std::net::Ipv6Addr;

use crate::support::random::Random;

pub(super) const HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,\
                                 fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id";

/// DUID of all older rows.
pub(super) const OLDER_DUID: &[u8] = &[0, 4, 0x0d];

pub(super) struct Case {
    pub(super) address: Ipv6Addr,
    pub(super) older: String,
    pub(super) odd: Vec<u8>,
}

const VALID_LIFETIME: usize = 2;
const LEASE_TYPE: usize = 6;
const PREFIX_LEN: usize = 8;

/// Columns that Kea 2.2 reads: all but the last.
const COLUMNS: std::ops::Range<usize> = 0..17;

/// Returns whether the column may be odd in this kind of row: only Kea 2.2 reads the prefix length of an
/// address.
fn may_be_odd(kind: usize, column: usize) -> bool {
    kind != 0 || column != PREFIX_LEN
}

const NUMBERS: &[&str] = &[
    "",
    "0",
    "1",
    "2",
    "3",
    "56",
    "128",
    "129",
    "-1",
    "-2",
    "+1",
    "-0",
    "+0",
    "00",
    "007",
    "4294967295",
    "4294967296",
    "-4294967295",
    "-4294967296",
    "-2147483648",
    "2147483647",
    "2147483648",
    "-2147483649",
    "65535",
    "65536",
    "-65536",
    "18446744073709551615",
    "18446744073709551616",
    "-18446744073709551615",
    "-18446744073709551616",
    "99999999999999999999",
    "0000000000000000000000000000001",
    "-0000000000000000000000000000001",
    " 1",
    "1 ",
    "\t1",
    "1\0",
    "1\0x",
    "\0",
    "\x001",
    "0x10",
    "1e3",
    "1.0",
    "1.",
    "+-1",
    "--1",
    "++1",
    "+",
    "-",
    "1-",
    "one",
    "true",
    "\u{ff11}",
    "\u{a0}1",
    "1\r",
    "\"1\"",
    "1_000",
    "inf",
    "1699999999",
    "1700004000",
    "1700000001",
    "253402300800",
];

const DUIDS: &[&str] = &[
    "",
    "0",
    "00",
    "00:00",
    "00:00:00",
    "000000",
    "00:00:00:00",
    "0x",
    "0x00",
    "0x0",
    "1",
    "01",
    "12",
    "123",
    "0x123",
    "0x1234",
    "0X12",
    "00:03:00:01:02:00:00:00:00:01",
    "00030001020000000001",
    "0x00030001020000000001",
    "00 03 00 01 02",
    "0 3 0 1 2",
    "0:3:0:1:2",
    "00:3:0:01:AB",
    "AB:CD:EF",
    "abcdef",
    "aBcDeF",
    "0003:0001",
    "00:03:",
    ":00:03",
    "00::03",
    ":",
    "::",
    " ",
    "00 ",
    " 00",
    "00  03",
    "00:03 00",
    "00-03-00",
    "0003000",
    "00:0g:00",
    "zz",
    "00\t03",
    "00\t0301",
    "0003\r",
    "0003\x0b01",
    "0003\0",
    "00:03\0",
    "\"0003\"",
    "0x0 0x1",
    "ff:ff:ff",
    "&#x30&#x30",
    "00:03:00:01:\u{ff11}2",
];

const HOSTNAMES: &[&str] = &[
    "",
    "host",
    "host.example.",
    "a&#x2cb",
    "a&#x2Cb.",
    "a&#x26b",
    "a&b",
    "a&#xzz",
    "&#x&#x41",
    "a..b",
    ".",
    "a b",
    "h\u{fc}lse",
    "x.&#xc3&#xa9",
    "\"quoted\"",
    "-a-",
    "_a._b",
    "a&#x20b",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

const HARDWARE_ADDRESSES: &[&str] = &[
    "",
    "02:00:00:00:00:01",
    "2:0:0",
    "2",
    "02",
    "020000000001",
    "0x02",
    "02:",
    ":02",
    "02::03",
    "g",
    "02 03",
    "02-03",
    "01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:14",
    "01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:14:15",
    "02:\0",
    "\0",
];

/// User contexts, whose commas become escapes. Numbers have at most 63 bits, which is Kea 2.2's limit.
const CONTEXTS: &[&str] = &[
    "",
    "{}",
    " { } ",
    "{ \"a\": 1 }",
    "[]",
    "[ {} ]",
    "1",
    "\"a\"",
    "null",
    "true",
    "x",
    "{",
    "}",
    "{}{}",
    "{} x",
    "{,}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{\"a\":1 \"b\":2}",
    "{\"a\":1,\"b\":2}",
    "{\"a\":1,\"a\":2}",
    "{\"a\":[1,2,]}",
    "{\"a\":[,]}",
    "{\"a\":[1,,2]}",
    "{\"a\":[1}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":tru}",
    "{\"a\":true}",
    "{\"a\":True}",
    "{\"a\":nul}",
    "{\"a\":+1}",
    "{\"a\":-1}",
    "{\"a\":1-2}",
    "{\"a\":-}",
    "{\"a\":.5}",
    "{\"a\":5.}",
    "{\"a\":.}",
    "{\"a\":1e5}",
    "{\"a\":1e}",
    "{\"a\":1e999}",
    "{\"a\":007}",
    "{\"a\":9223372036854775807}",
    "{\"a\":\"\\u00e9\"}",
    "{\"a\":\"\\u0100\"}",
    "{\"a\":\"\\u00g0\"}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\\\\"}",
    "{\"a\":\"b}",
    "{\"a\":\"\\",
    "{\"a\":1} // x",
    "{\"a\":1}\0",
    "{\"a\":\"\0\"}",
    "{\"a\":\"\t\"}",
    "{\"a\":\"\u{fc}\"}",
    "{\"\":1}",
    "{\t\"a\" :\r1}",
    "{}\t",
    "{}\x0b",
    "\u{feff}{}",
    "{\"a\":{\"b\":{\"c\":[[[[{}]]]]}}}",
    "&#x7b&#x7d",
    "{}&#x",
    "{&#x7",
    "{\"a\":\"&#x22}",
    "{\"ISC\":{}}",
    "{\"ISC\":[]}",
    "{\"ISC\":{\"relay-info\":{}}}",
    "{\"ISC\":{\"relay-info\":[]}}",
    "{\"ISC\":{\"relay-info\":[1]}}",
    "{ \"ISC\": { \"relay-info\": [ { \"hop\": 0, \"link\": \"2001:db8::1\", \"peer\": \"fe80::1\" } ] } }",
    "{ \"ISC\": { \"relay-info\": [ { \"hop\": 0, \"link\": \"2001:db8::1\", \"peer\": \"fe80::1\", \"options\": \"0x00120001\" } ] } }",
    "{ \"ISC\": { \"relays\": [ { \"hop\": 300, \"link\": \"x\", \"peer\": \"fe80::1\" }, ] } }",
    "{ \"ISC\": { \"relay-info\": [ { \"hop\": 0, \"link\": \"2001:db8::1\", \"peer\": \"fe80::1\" } ] }",
];

/// Spellings of an address.
fn addresses(address: Ipv6Addr) -> Vec<String> {
    let groups = address.segments().map(|group| format!("{group:04x}")).join(":");
    let text = address.to_string();
    let [.., a, b, c, d] = address.octets();
    vec![
        groups.clone(),
        groups.to_uppercase(),
        text.to_uppercase(),
        format!("{}:{a}.{b}.{c}.{d}", &groups[..29]),
        format!("{}:{a}.{b}.{c}.0{d}", &groups[..29]),
        format!("{text}\0"),
        format!("{text}\0x"),
        format!("{text}%7"),
        format!(" {text}"),
        format!("{text} "),
        format!("{text}/128"),
        format!("[{text}]"),
        format!("0{groups}"),
        format!("{groups}:0"),
        format!("{groups}::"),
        text.replace("::", ":::"),
        String::new(),
        "192.0.2.1".to_owned(),
        "x".to_owned(),
        "\0".to_owned(),
    ]
}

/// Odd values of a column in a row for this address.
fn values(column: usize, address: Ipv6Addr) -> Vec<String> {
    let texts = match column {
        0 => return addresses(address),
        1 => {
            let long = |count| vec!["ab"; count].join(":");
            let all = DUIDS.iter().map(|&text| text.to_owned());
            return all.chain([long(128), long(131), "ab".repeat(128), "ab".repeat(131)]).collect();
        }
        11 => HOSTNAMES,
        12 => HARDWARE_ADDRESSES,
        14 => return CONTEXTS.iter().map(|text| text.replace(',', "&#x2c")).collect(),
        _ => NUMBERS,
    };
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// Returns a good row of an address, a prefix, or a prefix with bits beyond its length.
fn good(kind: usize, number: usize) -> (Ipv6Addr, Vec<String>) {
    // Spaced so that not even a prefix of unknown length reaches the next.
    let base = 0x2001_0db8 << 96 | (2 * number as u128 + 1) << 80;
    let (address, lease_type, prefix_len) = match kind {
        0 => (base | 1, "0", "128"),
        1 => (base, "2", "64"),
        _ => (base | 5 << 32, "2", "64"),
    };
    let address = Ipv6Addr::from(address);
    let row = [
        &address.to_string(),
        "00:03:00:01:02:00:00:00:00:02",
        "4000",
        "1700004000",
        "7",
        "3000",
        lease_type,
        "1234",
        prefix_len,
        "1",
        "0",
        "host.example",
        "02:00:00:00:00:02",
        "0",
        "",
        "6",
        "8",
        "0",
    ];
    (address, row.map(str::to_owned).to_vec())
}

fn case(kind: usize, number: usize, change: impl FnOnce(&mut Vec<String>, Ipv6Addr)) -> Case {
    let (address, mut row) = good(kind, number);
    let older = format!(
        "{address},00:04:0d,4000,1700004000,1,3000,{},1,{},0,0,,,0,,1,0,0",
        row[LEASE_TYPE], row[PREFIX_LEN]
    );
    change(&mut row, address);
    Case { address, older, odd: row.join(",").into_bytes() }
}

/// Each odd value of each column, alone, with a valid lifetime of 0, and in another state.
pub(super) fn one_by_one() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in 0..3 {
        for column in COLUMNS.filter(|&column| may_be_odd(kind, column)) {
            let count = values(column, good(kind, 0).0).len();
            for value in 0..count {
                for ended in 0..3 {
                    let number = cases.len();
                    cases.push(case(kind, number, |row, address| {
                        match ended {
                            0 => {}
                            1 => row[VALID_LIFETIME] = "0".to_owned(),
                            _ => row[13] = "2".to_owned(),
                        }
                        row[column] = values(column, address).swap_remove(value);
                    }));
                }
            }
        }
    }
    cases
}

/// Returns a row with up to four odd values.
pub(super) fn mixed(number: usize, random: &mut Random) -> Case {
    let kind = random.below(3);
    case(kind, number, |row, address| {
        for _ in 0..=random.below(4) {
            let column = random.below(COLUMNS.len());
            if may_be_odd(kind, column) {
                row[column] = random.one_of(&values(column, address)).clone();
            }
        }
    })
}

/// Returns a row with so many values.
pub(super) fn of_values(values: usize) -> Case {
    case(0, values, |row, _| row.resize(values, "7".to_owned()))
}

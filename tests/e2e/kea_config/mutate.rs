//! Test texts for Kea and lqd: odd spellings of the values that lqd reads, and token mutations.

use crate::support::random::Random;

/// Plain values, as in a `user-context`.
pub(super) const PLAIN: &str = r#"{ "a" : [ 1 , -2 , 3.5 , .5 , 5. , 01 , +1 , 1e3 ] , "b" : { "c" : true , "d" : null } ,
    "e\u00e4\/" : "text" , "f" : [ [ ] , { } , [ "x" , ] , ] , # comment
    "g" : false /* comment */ , "h" : "// no comment" }"#;

/// A configuration with everything that lqd reads.
pub(super) const WHOLE: &str = r#"{ "Dhcp6" : { "valid-lifetime" : 4000 , "store-extended-info" : true ,
    "server-id" : { "type" : "EN" , "enterprise-id" : 2495 , "identifier" : "87ABEF7A" , "persist" : false } ,
    "lease-database" : { "type" : "memfile" , "persist" : true , "name" : "/tmp/leases6.csv" , "lfc-interval" : 0 } ,
    "option-def" : [ { "name" : "site" , "code" : 1000 , "type" : "record" ,
      "record-types" : "uint16, string" , "array" : false } ] ,
    "option-data" : [ { "name" : "dns-servers" , "data" : "2001:db8::53, 2001:db8::54" , "always-send" : true } ,
      { "code" : 1000 , "data" : "7, a\\,b" } , { "name" : "preference" , "code" : 7 , "csv-format" : false ,
      "data" : "0a" } ] ,
    "client-classes" : [ { "name" : "phones" , "test" : "member('KNOWN')" , "option-data" : [
      { "name" : "sip-server-addr" , "data" : "2001:db8::60" } ] } ] ,
    "shared-networks" : [ { "name" : "metro" , "relay" : { "ip-addresses" : [ "2001:db8:f::1" ] } ,
      "subnet6" : [ { "id" : 10 , "subnet" : "2001:db8:1::/64" , "pools" : [ { "pool" :
      "2001:db8:1::10 - 2001:db8:1::20" , "option-data" : [ { "name" : "domain-search" , "data" : "a.example" } ] } ,
      { "pool" : "2001:db8:1:0:8000::/80" } ] , "pd-pools" : [ { "prefix" : "2001:db8:8000::" , "prefix-len" : 36 ,
      "delegated-len" : 56 } ] } ] } ] ,
    "subnet6" : [ { "subnet" : "2001:db8:2::/64" , "id" : 2 , "reservations" : [ { "duid" : "01:02:03:04" ,
      "ip-addresses" : [ "2001:db8:2::7" ] , "option-data" : [ { "name" : "nis-servers" , "data" : "::1" } ] } ] ,
      "store-extended-info" : false , "user-context" : { "deep" : [ [ [ ] ] ] } } ] } }"#;

/// Oddly spelt numbers, most of which Kea accepts.
const NUMBERS: [&[u8]; 16] = [
    b"0",
    b"-0",
    b"007",
    b"-01",
    b".25",
    b"-.5",
    b"7.",
    b"1.e2",
    b"1E-2",
    b"+3",
    b"+.5",
    b"-",
    b"1e",
    b"1e999",
    b"99999999999999999999",
    b"9223372036854775807",
];

/// Tokens without effect in most places where Kea accepts them.
const BENIGN: [&[u8]; 8] =
    [b",", b", ,", b"# x\n", b"// \xff\r\n", b"/* \"*/", b"/* \n * // */", b"\t\r", b"\n"];

/// Tokens of odd kinds, for odd places.
const ODD: [&[u8]; 19] = [
    b"true",
    b"false",
    b"null",
    b"True",
    b"NULL",
    b"\"\"",
    b"\"\xe4\xff\"",
    b"\"\\u00fF\"",
    b"\"\\u0100\"",
    b"\"\\q\"",
    b"\"a\tb\"",
    b"\"\\\"\"",
    b"[ ]",
    b"{ }",
    b":",
    b"[",
    b"}",
    b"\x0c",
    b"\"new\" : [ 1 ] ,",
];

/// Token mutator, reproducible by its seed.
pub(super) struct Mutator(Random);

impl Mutator {
    pub(super) fn new(seed: u64) -> Self {
        Self(Random(seed))
    }

    /// Returns the text with one or two tokens deleted, repeated, swapped, replaced or inserted.
    pub(super) fn mutate(&mut self, text: &str) -> Vec<u8> {
        let mut tokens = tokens(text);
        // Few changes, as Kea refuses most texts with many.
        for _ in 0..=self.0.below(2) {
            let at = self.0.below(tokens.len() - 1);
            match self.0.below(10) {
                0 => drop(tokens.remove(at)),
                1 => tokens.insert(at, tokens[at]),
                2 => tokens.swap(at, at + 1),
                3 => tokens.insert(at, *self.0.one_of(&ODD)),
                4 => tokens[at] = *self.0.one_of(&ODD),
                5 | 6 => self.replace_number(&mut tokens),
                _ => tokens.insert(at, *self.0.one_of(&BENIGN)),
            }
        }
        tokens.join(&b' ')
    }

    fn replace_number(&mut self, tokens: &mut [&[u8]]) {
        // Only tokens that are numbers, so that the rest stays valid.
        let is_number = |token: &[u8]| token.iter().all(|octet| b"0123456789.+-e".contains(octet));
        let numbers: Vec<_> = (0..tokens.len()).filter(|&at| is_number(tokens[at])).collect();
        if !numbers.is_empty() {
            tokens[numbers[self.0.below(numbers.len())]] = *self.0.one_of(&NUMBERS);
        }
    }
}

/// Splits a text with blanks between its tokens; strings keep their blanks, line comments their line end.
fn tokens(text: &str) -> Vec<&[u8]> {
    let mut tokens = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.bytes().next() {
        let len = match first {
            // A string ends at a quote before a blank, as tokens are divided by blanks.
            b'"' => rest[1..].find("\" ").or(rest[1..].find("\"\n")).map_or(rest.len(), |end| end + 2),
            b'#' => rest.find('\n').map_or(rest.len(), |end| end + 1),
            b'/' => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => rest.find([' ', '\n']).unwrap_or(rest.len()),
        };
        tokens.push(&rest.as_bytes()[..len]);
        // Tokens are joined by single blanks again.
        rest = rest[len..].trim_start();
    }
    tokens
}

/// Members of `Dhcp6` with oddly spelt values.
pub(super) fn odd_members() -> impl Iterator<Item = Vec<u8>> {
    let subnets = [
        "2001:db8::/032",
        "2001:db8::/+32",
        " 2001:db8 ::/3 2",
        "2001:db8::1.2.3.4/32",
        "fe80::%lo/32",
        "::/0",
        "2001:DB8::ABCD/128",
        "::ffff:192.0.2.1/96",
        "2001:db8::\\t/64",
        "2001\\u003adb8::\\/48",
    ];
    let subnets = subnets.map(|text| format!(r#""subnet6": [ {{ "id": 1, "subnet": "{text}" }} ]"#));
    let addresses = ["::1", "::", "fe80::1%lo", "2001:DB8::1.2.3.4", "::ffff:1.2.3.4", "fe80::1%1"];
    let relays = addresses.map(|text| {
        format!(
            r#""subnet6": [ {{ "subnet": "2001:db8::/32", "relay": {{ "ip-addresses": [ "{text}" ] }} }} ]"#
        )
    });
    let prefixes = addresses.map(|text| {
        let pool = format!(r#"{{ "prefix": "{text}", "prefix-len": 128, "delegated-len": 128 }}"#);
        format!(r#""subnet6": [ {{ "subnet": "2001:db8::/32", "pd-pools": [ {pool} ] }} ]"#)
    });
    let pools = [
        "2001:db8::1-2001:db8::2",
        " 2001:db8::1 - 2001:db8::2 ",
        "2001:db8::/64",
        "2001:db8:: / 64",
        "2001:db8::/064",
        "2001:db8::1",
        "2001:db8::7-2001:db8::7",
        "2001:db8::5/64",
        "2001:db8::/+64",
        "2001:db8::\\t-\\t2001:db8::9",
        "2001:DB8::A-2001:db8::0.0.0.255",
    ];
    let pools = pools.map(|text| {
        format!(r#""subnet6": [ {{ "subnet": "2001:db8::/32", "pools": [ {{ "pool": "{text}" }} ] }} ]"#)
    });
    let rest = ODD_MEMBERS.map(str::to_owned);
    let latin1 =
        b"\"subnet6\": [ { \"subnet\": \"2001:db8::/32\", \"comment\": \"\xe4\", \"option-data\": [ \
                   { \"name\": \"bootfile-url\", \"data\": \"\xff\xe4\" } ] } ]";
    let texts = subnets.into_iter().chain(relays).chain(prefixes).chain(pools).chain(rest);
    texts.map(String::into_bytes).chain([latin1.to_vec()])
}

const LENGTHS: [&str; 8] = ["", "0", "64", "128", "129", "4294967232", "4294967295", "4294967296"];

/// Prefix lengths with every sign, number of leading zeros and number, and identifiers with white space in
/// every place: Kea rejects most.
pub(super) fn odd_digits() -> impl Iterator<Item = Vec<u8>> {
    let lengths = ["", "+", "-", "+-", "--"].iter().flat_map(|sign| {
        let numbers = LENGTHS.iter().flat_map(|number| ["", "0", "00"].map(|noughts| (noughts, number)));
        numbers.map(move |(noughts, number)| format!("{sign}{noughts}{number}"))
    });
    let lengths = lengths.map(|len| format!(r#""subnet6": [ {{ "id": 1, "subnet": "2001:db8::/{len}" }} ]"#));
    let digits = ["8765", "876", "87:65", "8:765"].iter().flat_map(|digits| {
        let place = |at: usize, space| [&digits[..at], space, &digits[at..]].concat();
        (0..=digits.len()).flat_map(move |at| [" ", "\\n", "\\t \\r"].map(|space| place(at, space)))
    });
    let identifiers = digits.map(|identifier| {
        format!(r#""server-id": {{ "type": "EN", "enterprise-id": 9, "identifier": "{identifier}", "persist": false }}"#)
    });
    lengths.chain(identifiers).map(String::into_bytes)
}

const ODD_MEMBERS: [&str; 30] = [
    r#""subnet6": [ { "subnet": "2001:db8:1::/48", "id": 1 }, { "subnet": "2001:db8:1::1/48", "id": 2 } ]"#,
    r#""subnet6": [ ], "shared-networks": [ ], "option-data": [ ], "option-def": [ ], "hooks-libraries": [ ]"#,
    r#""subnet6": [ { "subnet": "2001:db8::/32", "id": 0 }, { "subnet": "2001:db9::/32", "id": 4294967294 } ]"#,
    r#""subnet6": [ { "subnet": "2001:db8::/32", "relay": { "ip-addresses": [ ] } } ]"#,
    r#""subnet6": [ { "subnet": "2001:db8::/32", "relay": { "ip-address": "2001:db8::1" } } ]"#,
    r#""subnet6": [ { "subnet": "2001:db8::/32", "id": 1 }, { "subnet": "2001:db8::/48", "id": 2 } ]"#,
    r#""shared-networks": [ { "name": "empty" }, { "name": "also", "subnet6": [ ] } ]"#,
    r#""shared-networks": [ { "name": "", "subnet6": [ { "subnet": "2001:db8::/32" } ] } ]"#,
    r#""server-id": { "type": "LLT" }, "comment": "half""#,
    r#""server-id": { "type": "LL", "htype": 0, "identifier": "", "persist": true }"#,
    r#""server-id": { "type": "EN", "enterprise-id": 4294967295, "identifier": "0x0aB" }"#,
    r#""server-id": { "type": "LLT", "htype": 8, "identifier": "01:2:03", "time": 4294967295 }"#,
    r#""server-id": { "type": "LL", "identifier": "a 0b c" }"#,
    r#""server-id": { "type": "LL", "identifier": "A65DC7410F05", "enterprise-id": 5 }"#,
    r#""lease-database": { "type": "memfile", "name": "", "lfc-interval": 4294967295 }"#,
    r#""lease-database": { "type": "memfile", "lfc-interval": 0, "max-row-errors": 100 }"#,
    r#""option-data": [ { "name": "dns-servers", "data": "" } ]"#,
    r#""option-data": [ { "code": 65535, "data": "00" } ]"#,
    r#""option-data": [ { "code": 1234, "csv-format": false, "data": "" } ]"#,
    r#""option-data": [ { "code": 23, "name": "dns-servers", "space": "dhcp6", "data": "::1" } ]"#,
    r#""option-data": [ { "code": 65536 } ]"#,
    r#""option-data": [ { "code": 1, "space": "vendor-4491", "data": "00" } ]"#,
    r#""option-data": [ { "name": "vendor-opts", "data": "4491" } ]"#,
    r#""option-data": [ { "name": "domain-search", "data": "a.example., b.example" } ]"#,
    r#""option-def": [ { "name": "e", "code": 1000, "type": "empty", "encapsulate": "x" } ]"#,
    r#""option-def": [ { "name": "e", "code": 1000, "type": "empty", "record-types": "", "array": false } ]"#,
    r#""option-def": [ { "name": "r", "code": 1000, "type": "record", "record-types": "uint8,fqdn", "array": true } ]"#,
    r#""option-def": [ { "name": "o", "code": 1, "type": "uint8", "space": "other" } ]"#,
    r#""client-classes": [ { "name": "a", "only-if-required": true, "option-data": [ ] } ]"#,
    r#""data-directory": "", "subnet6": [ { "subnet": "2001:db8::/32", "store-extended-info": true } ]"#,
];

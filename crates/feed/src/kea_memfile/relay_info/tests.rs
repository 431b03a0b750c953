//! Expected octets are those that ISC Kea 3.3.1's lease_query hook sent for the same relay information, with
//! the peer-address changed to the outermost relay's link-address. Kea's lengths are right for up to three
//! relays; those of the chains of four and five are written by hand (each RELAY_MSG holds 34 octets, 8 of
//! Interface-Id, and the rest).

use super::*;
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn option(json: &str) -> Option<Vec<u8>> {
    let mut options = vec![0xaa];
    let understood = Encoder::default().append_option(json.as_bytes(), &mut options) == Ok(true);
    assert_eq!(options.remove(0), 0xaa);
    assert!(understood || options.is_empty());
    understood.then_some(options)
}

/// The relay information of `count` relays, as Kea writes it.
fn chain(count: usize) -> String {
    let relay = |position: usize| {
        let (hop, number) = (count - 1 - position, position + 1);
        format!(
            r#"{{ "hop": {hop}, "link": "2001:db8:0:{number}::1", "options": "0x00120004{position:08X}",
                  "peer": "fe80::{number}" }}"#
        )
    };
    let relays: Vec<_> = (0..count).map(relay).collect();
    format!(r#"{{ "ISC": {{ "relay-info": [ {} ] }} }}"#, relays.join(", "))
}

const LEVELS: [&str; 5] = [
    "20010db8000000010000000000000001 fe800000000000000000000000000001 0012000400000000",
    "20010db8000000020000000000000001 fe800000000000000000000000000002 0012000400000001",
    "20010db8000000030000000000000001 fe800000000000000000000000000003 0012000400000002",
    "20010db8000000040000000000000001 fe800000000000000000000000000004 0012000400000003",
    "20010db8000000050000000000000001 fe800000000000000000000000000005 0012000400000004",
];

#[test]
fn one_relay() {
    let json = r#"{ "ISC": { "relay-info": [ { "hop": 0, "link": "2001:db8:500::1",
        "peer": "fe80::21d:aaff:fec2:4327",
        "options": "0x0012000F626E6730352F312F352F353A3130350025000A0000118B001DAAC24327",
        "remote-id": "0000118B001DAAC24327" } ] } }"#;
    let expected = "002f0053 20010db8050000000000000000000001
        0c0020010db8050000000000000000000001fe80000000000000021daafffec24327
        0012000f626e6730352f312f352f353a3130350025000a0000118b001daac24327";
    assert_eq!(option(json).unwrap(), hex(expected));
}

#[test]
fn chains_have_right_lengths_at_every_depth() {
    let [a, b, c, d, e] = LEVELS;
    let peer = "20010db8000000010000000000000001";
    let expected = [
        format!("002f003a {peer} 0c00 {a}"),
        format!("002f0068 {peer} 0c01 {a} 0009002a 0c00 {b}"),
        format!("002f0096 {peer} 0c02 {a} 00090058 0c01 {b} 0009002a 0c00 {c}"),
        format!("002f00c4 {peer} 0c03 {a} 00090086 0c02 {b} 00090058 0c01 {c} 0009002a 0c00 {d}"),
        format!(
            "002f00f2 {peer} 0c04 {a} 000900b4 0c03 {b} 00090086 0c02 {c} 00090058 0c01 {d} 0009002a 0c00 {e}"
        ),
    ];
    for (position, expected) in expected.iter().enumerate() {
        assert_eq!(option(&chain(position + 1)).unwrap(), hex(expected), "{} relays", position + 1);
    }
}

#[test]
fn the_deepest_chain_of_33_relays_nests_exactly() {
    let octets = option(&chain(33)).unwrap();
    let mut rest = &octets[4 + 16..];
    for depth in (0..33).rev() {
        assert_eq!(rest[..2], [12, depth]);
        assert_eq!(rest[34..38], [0, 18, 0, 4]);
        if depth > 0 {
            assert_eq!(rest[42..44], [0, 9]);
            assert_eq!(usize::from(u16::from_be_bytes([rest[44], rest[45]])), rest.len() - 46);
            rest = &rest[46..];
        }
    }
    assert_eq!(rest.len(), 42);
    assert_eq!(option(&chain(34)), None);
}

#[test]
fn peer_address_is_the_outermost_link_address_and_never_an_inner_one() {
    let json = |outer: &str, inner: &str| {
        format!(
            r#"{{"ISC":{{"relay-info":[{{"hop":1,"link":"{outer}","peer":"fe80::1"}},
                {{"hop":0,"link":"{inner}","peer":"fe80::2"}}]}}}}"#
        )
    };
    let peer = |outer, inner| <[u8; 16]>::try_from(&option(&json(outer, inner)).unwrap()[4..20]).unwrap();
    assert_eq!(
        Ipv6Addr::from(peer("2001:db8::1", "2001:db8::2")),
        "2001:db8::1".parse::<Ipv6Addr>().unwrap()
    );
    assert_eq!(Ipv6Addr::from(peer("::", "2001:db8::2")), Ipv6Addr::UNSPECIFIED, "not the inner relay's");
    assert_eq!(Ipv6Addr::from(peer("::", "::")), Ipv6Addr::UNSPECIFIED);
}

#[test]
fn the_older_key_and_both() {
    let older = chain(2).replace("relay-info", "relays");
    assert_eq!(option(&older), option(&chain(2)));
    let both = r#"{"ISC":{"relays":[],"relay-info":[{"hop":0,"link":"::","peer":"fe80::1"}]}}"#;
    assert_eq!(option(both).unwrap().len(), 4 + 16 + 34);
    let hidden = chain(1).replace("relay-info", "\\u0072elay-info");
    assert_eq!(option(&hidden), option(&chain(1)));
}

#[test]
fn without_relays_there_is_no_option_and_no_fault() {
    for json in [
        "{}",
        r#"{"a": "relay"}"#,
        r#"{"ISC": {}}"#,
        r#"{"ISC": {"relay-info": []}}"#,
        r#"{"ISC": null, "relay": 1}"#,
    ] {
        assert_eq!(option(json).unwrap(), b"", "{json}");
    }
}

#[test]
fn incomplete_relay_information_is_left_out_whole() {
    let relays = [
        r#"{"link": "::", "peer": "::"}"#,
        r#"{"hop": 0, "peer": "::"}"#,
        r#"{"hop": 0, "link": "::"}"#,
        r#"{"hop": 256, "link": "::", "peer": "::"}"#,
        r#"{"hop": "0", "link": "::", "peer": "::"}"#,
        r#"{"hop": 0, "link": "10.0.0.1", "peer": "::"}"#,
        r#"{"hop": 0, "link": "::", "peer": ""}"#,
        r#"{"hop": 0, "link": "::", "peer": "::", "options": "0x0"}"#,
        r#"{"hop": 0, "link": "::", "peer": "::", "options": "0x001200"}"#,
        r#"{"hop": 0, "link": "::", "peer": "::", "options": "0x0012000200"}"#,
        r#"{"hop": 0, "link": "::", "peer": "::", "options": "0x0009000100"}"#,
        r#"{"hop": 0, "link": "::", "peer": "::", "options": 18}"#,
        "7",
    ];
    let good = r#"{"hop": 1, "link": "::", "peer": "::", "options": "0x00120000"}"#;
    for relay in relays {
        assert_eq!(option(&format!(r#"{{"ISC":{{"relay-info":[{good},{relay}]}}}}"#)), None, "{relay}");
    }
    for json in [r#"{"ISC": {"relay-info": {}}}"#, r#"["relay"]"#, r#"{"ISC": {"relay-info": ["#, "relay"] {
        assert_eq!(option(json), None, "{json}");
    }
}

#[test]
fn a_fault_leaves_nothing_behind_for_the_next_lease() {
    let mut encoder = Encoder::default();
    let bad = chain(3).replace("fe80::3", "x");
    assert_ne!(encoder.append_option(bad.as_bytes(), &mut Vec::new()), Ok(true));
    let mut options = Vec::new();
    assert_eq!(encoder.append_option(chain(2).as_bytes(), &mut options), Ok(true));
    assert_eq!(Some(options), option(&chain(2)));
}

#[test]
fn relay_data_that_does_not_fit_is_left_out() {
    let with_padding = |len: usize| {
        let value = "00".repeat(len);
        format!(
            r#"{{"ISC":{{"relay-info":[{{"hop":0,"link":"::","peer":"::","options":"0x0012{len:04X}{value}"}}
            ]}}}}"#
        )
    };
    // All options of a client: 65,535 octets; before the value of this one: 4 + 16 + 34 + 4.
    let mut options = Vec::new();
    assert_eq!(
        Encoder::default().append_option(with_padding(65_535 - 58).as_bytes(), &mut options),
        Ok(true)
    );
    assert_eq!(options.len(), 65_535);
    assert_eq!(option(&with_padding(65_535 - 57)), None);
    let mut options = vec![0];
    assert_eq!(
        Encoder::default().append_option(with_padding(65_535 - 58).as_bytes(), &mut options),
        Ok(false)
    );
    assert_eq!(options, [0]);
}

/// Whether a text was understood, and the option.
type Reading = (Result<bool, NotAMapError>, Vec<u8>);

/// Results of the scanner and of the parser for any JSON; none from the scanner if the text is not of its
/// shape.
fn both(text: &[u8]) -> (Option<Reading>, Reading) {
    let (mut usual, mut any) = (Vec::new(), Vec::new());
    let scanned = Encoder::default().take_usual(text, &mut usual);
    let parsed = Encoder::default().take_any(text, &mut any);
    (scanned.map(|understood| (Ok(understood), usual)), (parsed, any))
}

#[test]
fn sample_rows_of_kea_are_scanned() {
    let file = include_str!("../../../../../tests/data/sample/kea-leases6.csv");
    let contexts =
        file.lines().skip(1).filter_map(|row| row.split(',').nth(14)).filter(|text| !text.is_empty());
    let mut count = 0;
    for text in contexts {
        let (scanned, parsed) = both(text.as_bytes());
        assert_eq!(scanned, Some(parsed), "{text}");
        count += 1;
    }
    assert!(count > 100, "{count}");
}

/// Pieces of relay information, right and wrong, such as the scanner might take for another than they are.
fn pieces() -> impl Strategy<Value = String> {
    let member = prop::sample::select(vec![
        r#""hop": 0"#,
        r#""hop": 31"#,
        r#""hop": 256"#,
        r#""hop": 01"#,
        r#""hop":-0"#,
        r#""hop": 0e0"#,
        r#""hop": null"#,
        r#""link": "::""#,
        r#""link": "2001:db8::1""#,
        r#""link": "é""#,
        r#""link": "\u003a:""#,
        r#""link": "&#x3a:""#,
        r#""peer": "fe80::1""#,
        r#""peer": "x""#,
        r#""peer": ["#,
        r#""options": "0x00120000""#,
        r#""options": "00:12:0:0""#,
        r#""options": null"#,
        r#""options": """#,
        r#""remote-id": "00""#,
        r#""remote-id": {}"#,
        r#""relay-id": "\n""#,
        r#""other": 1"#,
    ]);
    let comma = || prop::sample::select(vec![",", "&#x2c", "&#x2C ", "&#x2c&#x20", " ", "&#x2c,"]);
    let relay =
        (prop::collection::vec((member, comma()), 0..7), any::<bool>()).prop_map(|(members, whole)| {
            let mut text = String::from(if whole {
                r#"{ "hop": 0&#x2c "link": "::"&#x2c "peer": "::"&#x2c"#
            } else {
                "{"
            });
            members.iter().for_each(|(member, comma)| text.extend([*member, *comma]));
            text.truncate(members.last().map_or(text.len(), |(_, comma)| text.len() - comma.len()));
            text + "}"
        });
    let key = prop::sample::select(vec!["relay-info", "relays", "relay-info\": []&#x2c \"relays", "x"]);
    (key, prop::collection::vec((relay, comma()), 0..4)).prop_map(|(key, relays)| {
        let relays: Vec<String> =
            relays.into_iter().flat_map(|(relay, comma)| [relay, comma.to_owned()]).collect();
        let relays = &relays[..relays.len().saturating_sub(1)];
        format!(r#"{{ "ISC": {{ "{key}": [ {} ] }} }}"#, relays.concat())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn scanner_and_parser_agree(text in pieces(), cut in 0..200usize, octet: u8, damage: bool) {
        let mut text = text.into_bytes();
        if damage && cut < text.len() {
            text[cut] = octet;
        }
        let (scanned, parsed) = both(&text);
        prop_assert!(scanned.is_none_or(|scanned| scanned == parsed), "{}", String::from_utf8_lossy(&text));
    }
}

//! Options of a configuration against octets written by hand from the RFCs that define them.

use super::*;

/// The options and warnings of one subnet with this `option-data`.
fn options(members: &str, option_data: &str) -> (Vec<u8>, Vec<String>) {
    let subnet = format!(r#"{{ "id": 1, "subnet": "2001:db8::/64", "option-data": [ {option_data} ] }}"#);
    let config = dhcp6(&format!(r#"{members} "subnet6": [ {subnet} ]"#)).unwrap();
    (config.links[0].subnets[0].options.given.clone(), warnings(&config))
}

fn served(option_data: &str) -> Vec<u8> {
    let (options, warnings) = options("", option_data);
    assert_eq!(warnings, [""; 0], "{option_data}");
    options
}

#[test]
fn standard_options_are_encoded_as_their_rfcs_say() {
    let rows = [
        // RFC 8415 §21.8, §21.14, §21.17, §21.23
        (r#""name": "preference", "data": "255""#, "0007 0001 ff"),
        (r#""name": "rapid-commit""#, "000e 0000"),
        (r#""name": "vendor-opts", "data": "4491""#, "0011 0004 0000118b"),
        (r#""name": "information-refresh-time", "data": "86400""#, "0020 0004 00015180"),
        // RFC 3319 §3.1, §3.2
        (r#""code": 21, "data": "sip.a.net, b.net""#, "0015 0012 03736970 0161 036e6574 00 0162 036e6574 00"),
        (
            r#""name": "sip-server-addr", "data": "2001:db8::5060""#,
            "0016 0010 20010db8000000000000000000005060",
        ),
        // RFC 3646 §3, §4
        (
            r#""name": "dns-servers", "data": "2001:db8::1, 2001:db8::2""#,
            "0017 0020 20010db8000000000000000000000001 20010db8000000000000000000000002",
        ),
        (r#""name": "domain-search", "data": "a.net""#, "0018 0007 0161 036e6574 00"),
        // RFC 3898 §3, RFC 4075 §4
        (r#""name": "nis-servers", "data": "::1""#, "001b 0010 00000000000000000000000000000001"),
        (r#""name": "sntp-servers", "data": "::2""#, "001f 0010 00000000000000000000000000000002"),
        // RFC 4833 §3: the comma is part of the rule
        (r#""name": "new-posix-timezone", "data": "EST5\\,M3""#, "0029 0007 455354352c4d33"),
        (r#""code": 42, "data": "Europe/Zurich""#, "002a 000d 4575726f70652f5a7572696368"),
        // RFC 5970 §3.1, §3.2
        (r#""code": 59, "data": "tftp://[::1]/x""#, "003b 000e 746674703a2f2f5b3a3a315d2f78"),
        (r#""code": 60, "data": "root, ro""#, "003c 000a 0004 726f6f74 0002 726f"),
        // RFC 6334 §3, RFC 6731 §4.2
        (r#""name": "aftr-name", "data": "aftr.a.net""#, "0040 000c 0461667472 0161 036e6574 00"),
        (
            r#""name": "rdnss-selection", "data": "2001:db8::1, 2, a.net, b.net""#,
            "004a 001f 20010db8000000000000000000000001 02 0161036e657400 0162036e657400",
        ),
        // RFC 7083 §4
        (r#""name": "solmax-rt", "data": "3600""#, "0052 0004 00000e10"),
    ];
    for (option, want) in rows {
        assert_eq!(served(&format!("{{ {option} }}")), octets(want), "{option}");
    }
}

#[test]
fn data_in_hexadecimal_is_served_if_kea_sends_it_as_it_is() {
    let rows = [
        (
            r#""code": 23, "csv-format": false, "data": "0x20010db8000000000000000000000001""#,
            "0017 0010 20010db8000000000000000000000001",
        ),
        (r#""code": 999, "data": "0a0b""#, "03e7 0002 0a0b"),
        (r#""code": 999, "data": "0x0a0b", "csv-format": false"#, "03e7 0002 0a0b"),
        (r#""code": 999, "data": "0a:0b", "csv-format": false"#, "03e7 0002 0a0b"),
        (r#""code": 999, "data": "0A 0B", "csv-format": false"#, "03e7 0002 0a0b"),
        (r#""code": 999, "data": "'ab'", "csv-format": false"#, "03e7 0002 6162"),
        (r#""code": 999"#, "03e7 0000"),
        (
            r#""code": 23, "space": "dhcp6", "always-send": true, "data": "::1""#,
            "0017 0010 00000000000000000000000000000001",
        ),
    ];
    for (option, want) in rows {
        assert_eq!(served(&format!("{{ {option} }}")), octets(want), "{option}");
    }
}

#[test]
fn user_definitions_give_the_format() {
    let definitions = r#""option-def": [
        { "name": "site", "code": 1000, "type": "uint16", "array": true, "space": "dhcp6" },
        { "name": "gate", "code": 1001, "type": "record", "record-types": "boolean, ipv4-address, string" },
        { "name": "flag", "code": 1002, "type": "empty" },
        { "name": "other", "code": 1000, "type": "string", "space": "my-space" } ],"#;
    let option_data = r#"{ "name": "site", "data": "1,2,258" }, { "code": 1001, "data": "true,192.0.2.1,x" },
                         { "name": "flag" }"#;
    let want = "03e8 0006 0001 0002 0102  03e9 0006 01 c0000201 78  03ea 0000";
    assert_eq!(options(definitions, option_data), (octets(want), vec![]));
    let unknown = r#""option-def": [ { "name": "odd", "code": 1003, "type": "float" } ],"#;
    let (none, said) = options(unknown, r#"{ "name": "odd", "data": "1.5" }"#);
    assert!(none.is_empty());
    assert_eq!(
        said,
        [
            "Dhcp6.option-def[0]: a type of this option is not known; options of this definition are left \
             out unless they are given in hexadecimal with \"csv-format\": false",
            "Dhcp6.subnet6[0].option-data[0]: the name of this option is not known, so it is left out; give \
             its code",
        ]
    );
}

#[test]
fn an_option_that_cannot_be_encoded_is_left_out_with_a_warning() {
    let rows = [
        (
            r#""code": 23, "data": "192.0.2.1""#,
            "option 23 is left out: needs an IPv6 address where it has \"192.0.2.1\"",
        ),
        (
            r#""code": 23, "csv-format": false, "data": "0x20010db8""#,
            "option 23 is left out: Kea cuts or changes these octets to fit the format of the option; give the \
             option by its values",
        ),
        (
            r#""code": 23, "data": """#,
            "option 23 is left out: needs 1 value(s) separated by commas, not \"\"",
        ),
        (
            r#""code": 7, "data": "256""#,
            "option 7 is left out: needs a whole number from 0 to 255 where it has \"256\"",
        ),
        (r#""code": 14, "data": "1""#, "option 14 is left out: takes no data; remove it"),
        (r#""code": 999, "data": "xyz""#, "option 999 is left out: needs hexadecimal digits, not \"xyz\""),
        (
            r#""code": 999, "data": "ab", "csv-format": true"#,
            "option 999 is left out: its format is not known; give its data in hexadecimal and \
             \"csv-format\": false, or an option-def",
        ),
        (
            r#""name": "nonsense", "data": "1""#,
            "the name of this option is not known, so it is left out; give its code",
        ),
        (
            r#""name": "iaaddr", "data": "::1,1,1""#,
            "option 5 is left out: it belongs to a lease, not to a subnet; remove it",
        ),
        (
            r#""code": 7, "data": "1", "client-classes": [ "gold" ]"#,
            "option 7 is left out: only clients of a class get it, and leases do not tell the class",
        ),
    ];
    for (option, want) in rows {
        let want = vec![format!("Dhcp6.subnet6[0].option-data[0]: {want}")];
        // It hides the outer level's, which the clients do not get either.
        let outer = r#""option-data": [ { "code": 23, "data": "::1" } ],"#;
        let outer = if option.contains("\"code\": 23") { outer } else { "" };
        assert_eq!(options(outer, &format!("{{ {option} }}")), (vec![], want), "{option}");
    }
    let long = format!(r#"{{ "code": 999, "data": "{}" }}"#, "00".repeat(65536));
    let want = "Dhcp6.subnet6[0].option-data[0]: option 999 is left out: it has more than 65535 octets";
    assert_eq!(options("", &long), (vec![], vec![want.to_owned()]));
}

#[test]
fn options_of_other_spaces_make_their_container_incomplete() {
    let option_data = r#"{ "name": "vendor-opts", "data": "4491" }, { "name": "vendor-opts", "data": "9" },
                         { "space": "vendor-4491", "code": 32, "data": "2001:db8::1" }"#;
    let want = "Dhcp6.subnet6[0].option-data[0]: option 17 is left out: it holds the options of space \
                \"vendor-4491\", which lqd does not encode";
    assert_eq!(
        options("", option_data),
        (vec![], vec![want.to_owned()]),
        "the clients get more than that of 9"
    );
}

#[test]
fn an_option_that_is_never_sent_is_never_answered() {
    let outer = r#""option-data": [ { "code": 23, "data": "::1", "never-send": true } ],"#;
    assert_eq!(
        options(outer, r#"{ "code": 23, "data": "::2" }, { "code": 7, "data": "1" }"#),
        (octets("0007 0001 01"), vec![])
    );
}

#[test]
fn an_option_with_two_values_at_one_level_is_left_out() {
    let want = "Dhcp6.subnet6[0].option-data[1]: option 7 is left out: it has two values here, of which Kea 2 sends \
                the first and Kea 3 the last; remove one";
    let twice = r#"{ "code": 7, "data": "1" }, { "code": 7, "data": "2" }"#;
    assert_eq!(options("", twice), (vec![], vec![want.to_owned()]));
    assert_eq!(served(r#"{ "code": 7, "data": "1" }, { "code": 7, "data": "01" }"#), octets("0007 0001 01"));
    let both = r#"{ "code": 17, "data": "9" }, { "code": 17, "data": "4491" }"#;
    assert_eq!(served(both), octets("0011 0004 00000009  0011 0004 0000118b"));
}

//! Configured options of every data type and notation: an answer holds the octets that Kea sends to the
//! client, or leaves the option out.

use std::path::Path;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::answer::LiveRequestor;
use super::client::{Client, Wants};
use super::kea::Kea;
use super::lab::Lab;
use super::{DEFAULT, follower, plan};
use crate::support::Until;
use crate::support::message::code;

/// First code of the definitions below.
const FIRST: u16 = 1000;

/// Types, whether the last one is an array, and data in Kea's comma-separated notation.
const VALUES: &[(&str, bool, &str)] = &[
    ("binary", false, "0a1B"),
    ("binary", false, "a 1b 0"),
    ("binary", false, "0a,0b"),
    ("boolean", false, "true"),
    ("boolean", false, "FALSE"),
    ("boolean", false, "01"),
    ("boolean", true, "true,0,+1"),
    ("int8", false, "-5"),
    ("int8", false, "-1f"),
    ("int16", false, "-300"),
    ("int32", false, "-70000"),
    ("uint8", false, "012"),
    ("uint8", false, " +7\t"),
    ("uint8", false, "1f"),
    ("uint8", false, "0X1f"),
    ("uint8", false, "1,2"),
    ("uint8", true, "1,,2,"),
    ("uint16", false, "1e3"),
    ("uint16", true, "1,2,258"),
    ("uint32", false, "4294967295"),
    ("uint32", false, "-0"),
    ("ipv4-address", false, "192.0.2.1"),
    ("ipv6-address", false, "2001:db8::1"),
    ("ipv6-address", false, "::ffff:192.0.2.1"),
    ("ipv6-address", true, "::1, ::2"),
    ("ipv6-prefix", false, "2001:db8:ffff::/33"),
    ("ipv6-prefix", false, "2001:db8::1 / 0x40"),
    ("ipv6-prefix", true, "2001:db8::/32,::/0"),
    ("psid", false, "3/4"),
    ("psid", false, "0/0"),
    ("psid", true, "1/4, 0x2/16"),
    ("string", false, "a,b"),
    ("string", false, r"a\,b"),
    ("string", false, r"a\b"),
    ("string", false, r"a\\b"),
    ("string", false, r"a\\,b"),
    ("string", false, r"a\\\,b"),
    ("string", false, r"a\"),
    ("string", false, r",\,x"),
    ("string", false, r"\ a"),
    ("string", false, "  a b \n"),
    ("string", false, "'ä'"),
    ("string", false, "a\r"),
    ("tuple", false, r"a\,b"),
    ("tuple", true, "a, ,bc"),
    ("fqdn", false, "a.Example"),
    ("fqdn", false, "a.example."),
    ("fqdn", false, r"\097\-b.example"),
    ("fqdn", false, r"a\,b.example"),
    ("fqdn", false, "*._a.example"),
    ("fqdn", true, "a.example,b"),
    ("empty", false, ""),
    ("uint8,string", false, "1,a,b"),
    ("uint8, fqdn", true, "1,a.example,b.example"),
    ("uint16,ipv4-address,ipv6-address,boolean,int8,binary", false, "7,192.0.2.1,::1,true,-1,0a0b"),
    ("uint8,tuple,tuple", false, r"1,\\,b"),
    ("uint8,ipv6-prefix,psid", false, "1,::/0,1/4"),
    ("ipv6-address,uint16", true, "::1,2,3,4"),
];

/// The same with `csv-format` false: hexadecimal digits, or quoted text.
const OCTETS: &[(&str, bool, &str)] = &[
    ("string", false, "'a b'"),
    ("string", false, " 'a'b' "),
    ("string", false, "a b"),
    ("string", false, "0xabc"),
    ("string", false, "61:62"),
    ("binary", false, ""),
    ("fqdn", false, "0161016200"),
    ("boolean", false, "02"),
    ("uint8", true, "0102"),
    ("ipv6-prefix", false, "2020010db8"),
    ("psid", false, "043fff"),
    ("uint8,string", false, "01616263"),
    ("uint8,uint16", true, "0102030405"),
];

/// Options that lqd leaves out although Kea sends them: truncated octets, wrongly written lists.
const LEFT_OUT: &[(&str, bool, bool, &str)] = &[
    ("uint8", false, false, "0102"),
    ("uint8,uint16", false, false, "0102030405"),
    ("string", false, false, "6100"),
    ("empty", false, false, "0a"),
    ("tuple", false, false, "0001610002"),
    ("ipv4-address", true, true, "192.0.2.1,192.0.2.2"),
];

/// Options that Kea knows by name.
const STANDARD: &[(u16, &str, &str)] = &[
    (7, "preference", "255"),
    (12, "unicast", "2001:db8::1"),
    (15, "user-class", "0003616263"),
    (21, "sip-server-dns", "sip1.example,sip2.example"),
    (22, "sip-server-addr", "2001:db8::1"),
    (23, "dns-servers", "2001:db8::53, 2001:db8::54"),
    (24, "domain-search", "a.example,b.example"),
    (27, "nis-servers", "::1"),
    (28, "nisp-servers", "::2"),
    (29, "nis-domain-name", "nis.example"),
    (30, "nisp-domain-name", "nisp.example"),
    (31, "sntp-servers", "::3"),
    (32, "information-refresh-time", "86400"),
    (33, "bcmcs-server-dns", "b.example"),
    (34, "bcmcs-server-addr", "::4"),
    (36, "geoconf-civic", "1,2,0a"),
    (37, "remote-id", "4491,0a0b"),
    (38, "subscriber-id", "0a"),
    (40, "pana-agent", "::5"),
    (41, "new-posix-timezone", r"EST5EDT4\,M3.2.0/02:00\,M11.1.0/02:00"),
    (42, "new-tzdb-timezone", "Europe/Zurich"),
    (43, "ero", "1,2"),
    (51, "v6-lost", "lost.example"),
    (52, "capwap-ac-v6", "::6"),
    (53, "relay-id", "0a"),
    (57, "v6-access-domain", "access.example"),
    (58, "sip-ua-cs-list", "ua.example"),
    (59, "bootfile-url", "http://[2001:db8::1]/a"),
    (60, "bootfile-param", r"a,b\,c"),
    (61, "client-arch-type", "7,9"),
    (62, "nii", "1,2,3"),
    (64, "aftr-name", "aftr.example"),
    (65, "erp-local-domain-name", "erp.example"),
    (66, "rsoo", ""),
    (74, "rdnss-selection", "2001:db8::1,3,a.example,b.example"),
    (80, "link-address", "2001:db8::1"),
    (82, "solmax-rt", "3600"),
    (83, "inf-max-rt", "3600"),
    (88, "dhcp4o6-server-addr", "::7,::8"),
    (94, "s46-cont-mape", ""),
    (95, "s46-cont-mapt", ""),
    (96, "s46-cont-lw", ""),
    (103, "v6-captive-portal", "https://portal.example/"),
    (143, "ipv6-address-andsf", "::9"),
];

pub(super) fn every_type() -> Result<(), Failed> {
    if plan::lease_cmds_hook().is_none() {
        return Err(Failed::from("Kea's hook libdhcp_lease_cmds.so is not installed"));
    }
    let rows = rows();
    let lab = Lab::new();
    let kea = Kea::start_with(&lab, |directory| config(directory, &rows));
    let lqd = follower(&kea);
    let requestor = LiveRequestor::new(lqd.address);
    // Some codes at a time, to keep messages far below the limit of UDP.
    for (number, rows) in (1..).zip(rows.chunks(40)) {
        let codes: Vec<u16> = rows.iter().map(|row| row.code).collect();
        let mut client = Client::new(0x70, number, Vec::new());
        let sent = client.solicit_asking(&lab, Wants::Both, &codes);
        let answered = answered(&requestor, &client.duid, Wants::Both, &codes);
        for ConfiguredOption { code, what, left_out } in rows {
            let want = if *left_out { Vec::new() } else { of(&sent, *code) };
            assert_eq!(of(&answered, *code), want, "option {code}, configured as {what}");
            assert!(*left_out || !want.is_empty(), "Kea sends no option {code}, configured as {what}");
        }
    }
    Ok(())
}

/// Waits until lqd knows the client's leases, and returns its options with these codes.
pub(super) fn answered(
    requestor: &LiveRequestor,
    duid: &[u8],
    holds: Wants,
    codes: &[u16],
) -> Vec<(u16, Vec<u8>)> {
    let leases: &[u16] = match holds {
        Wants::Address => &[code::IAADDR],
        Wants::Prefix => &[code::IAPREFIX],
        Wants::Both => &[code::IAADDR, code::IAPREFIX],
    };
    let until = Until::patience();
    loop {
        match requestor.options_of(duid, leases, codes) {
            Ok(options) => return options,
            Err(error) => assert!(until.pending(), "lqd does not know the client's leases: {error}"),
        }
    }
}

/// Returns the values of the options with this code.
pub(super) fn of(options: &[(u16, Vec<u8>)], code: u16) -> Vec<Vec<u8>> {
    options.iter().filter(|option| option.0 == code).map(|option| option.1.clone()).collect()
}

/// A configured option.
struct ConfiguredOption {
    code: u16,
    what: Value,
    left_out: bool,
}

fn rows() -> Vec<ConfiguredOption> {
    let values = VALUES.iter().map(|&(types, array, data)| (types, array, true, data, false));
    let octets = OCTETS.iter().map(|&(types, array, data)| (types, array, false, data, false));
    let left_out = LEFT_OUT.iter().map(|&(types, array, csv, data)| (types, array, csv, data, true));
    let own = (FIRST..).zip(values.chain(octets).chain(left_out));
    let own = own.map(|(code, (types, array, csv, data, left_out))| ConfiguredOption {
        code,
        what: json!({ "types": types, "array": array, "csv-format": csv, "data": data }),
        left_out,
    });
    let standard = STANDARD.iter().map(|&(code, name, data)| ConfiguredOption {
        code,
        what: json!({ "name": name, "data": data }),
        left_out: false,
    });
    own.chain(standard).collect()
}

fn config(directory: &Path, rows: &[ConfiguredOption]) -> Value {
    let mut config = plan::kea_config(directory, DEFAULT);
    let mut definitions = Vec::new();
    let mut data = Vec::new();
    for ConfiguredOption { code, what, .. } in rows {
        if let Some(types) = what["types"].as_str() {
            let record = types.contains(',');
            definitions.push(json!({
                "name": format!("option-{code}"), "code": code, "array": what["array"],
                "type": if record { "record" } else { types }, "record-types": if record { types } else { "" },
            }));
            data.push(json!({ "code": code, "csv-format": what["csv-format"], "data": what["data"] }));
        } else {
            data.push(what.clone());
        }
    }
    config["Dhcp6"]["option-def"] = Value::from(definitions);
    config["Dhcp6"]["option-data"] = Value::from(data);
    config
}

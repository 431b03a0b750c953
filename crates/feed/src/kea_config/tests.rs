//! Whole configurations, from text to links and settings. `tests/data/kea-config` has been accepted by
//! `kea-dhcp6 -t` 2.2.

mod errors;
mod levels;
mod options;
mod text;

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use lqd_index::{LeaseKind, LinkId, Links, Prefix};

use super::*;

/// A file of the sample data.
fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/kea-config").join(name)
}

fn config_of(path: &Path) -> Result<KeaConfig, ConfigError> {
    KeaConfig::from_document(&read(path)?, None)
}

/// Reads a text as a configuration; errors without the name of its folder.
fn config(text: &str) -> Result<KeaConfig, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kea.conf");
    std::fs::write(&path, text).unwrap();
    let without_folder =
        |error: ConfigError| error.to_string().replace(&format!("{}/", folder.path().display()), "");
    config_of(&path).map_err(without_folder)
}

/// The configuration with these members of `Dhcp6`.
fn dhcp6(members: &str) -> Result<KeaConfig, String> {
    config(&format!("{{\"Dhcp6\": {{{members}}}}}"))
}

fn addresses(texts: &[&str]) -> Vec<Ipv6Addr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn prefix(text: &str) -> Prefix {
    let (address, len) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), len: len.parse().unwrap() }
}

fn warnings(config: &KeaConfig) -> Vec<String> {
    config.warnings.iter().map(ToString::to_string).collect()
}

/// Octets from digits with spaces.
fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn a_single_subnet_is_a_link_with_keas_defaults() {
    let config = config_of(&sample("single-subnet.conf")).unwrap();
    assert_eq!(warnings(&config), [""; 0]);
    let [link] = config.links.as_slice() else { panic!("{:?}", config.links) };
    let [subnet] = link.subnets.as_slice() else { panic!("{link:?}") };
    assert_eq!((subnet.id, subnet.prefix), (1024, prefix("2001:db8:1::/64")));
    assert_eq!(subnet.pd_pools, [prefix("2001:db8:8000::/40")]);
    assert_eq!(subnet.options.given, b"\0\x3b\0\x1dhttp://[2001:db8::1]/a#b/*c*/");
    assert_eq!((link.address, &link.relay_addresses), (None, &vec![]));
    assert_eq!(config.lease_database.lease_file().unwrap(), Path::new("/var/lib/kea/kea-leases6.csv"));
    let LeaseDatabase::Memfile { lfc_interval, .. } = config.lease_database else { panic!() };
    assert_eq!(lfc_interval, Some(3600));
    let file = PathBuf::from("/var/lib/kea/kea-dhcp6-serverid");
    assert_eq!(config.server_duid, ServerDuid::File { candidates: vec![file], otherwise: None });
    assert_eq!((config.requesters, config.extended_info), (None, ExtendedInfo::None));
}

#[test]
fn a_shared_network_is_one_link_and_comes_first() {
    let config = config_of(&sample("shared-networks.conf")).unwrap();
    let [network, third, fourth] = config.links.as_slice() else { panic!("{:?}", config.links) };
    let ids = |link: &Link| link.subnets.iter().map(|subnet| subnet.id).collect::<Vec<_>>();
    // The subnets without id are numbered 1, 2 in Kea's order: those of shared networks first.
    assert_eq!([ids(network), ids(third), ids(fourth)], [vec![10, 1], vec![2], vec![40]]);
    assert_eq!(network.relay_addresses, addresses(&["2001:db8:fe::1", "2001:db8:fe::2", "2001:db8:1::1"]));
    assert_eq!(third.relay_addresses, addresses(&["2001:db8:3::f"]));
    assert_eq!(network.subnets[1].pd_pools, [prefix("2001:db8:8000::/36"), prefix("2001:db8:9000::/36")]);
    assert_eq!(fourth.subnets[0].prefix, prefix("2001:db8:4::/64"), "host bits are cut");
    assert_eq!(config.extended_info, ExtendedInfo::Some(vec![10, 2]));
    assert_eq!(config.server_duid.resolve().unwrap(), octets("0002 00007ed9 0123456789abcdef"));
    assert_eq!(
        warnings(&config),
        ["Dhcp6: 2 subnet(s) have no id and were numbered as Kea 2 does, from 1 in the order of the file, \
             shared networks first; give each an id, so that leases keep their subnet when the file changes"]
    );
    let links = Links::new(config.links).unwrap();
    let link = |id, first: &str| links.locate(id, first.parse().unwrap(), LeaseKind::Address).link();
    let of_network = links.named("2001:db8:fe::2".parse().unwrap()).iter().next();
    assert_eq!([link(10, "2001:db8:1::"), link(1, "2001:db8:2::")], [of_network; 2]);
}

#[test]
fn options_of_inner_levels_win() {
    let config = config_of(&sample("shared-networks.conf")).unwrap();
    let options = |link: usize, subnet: usize| config.links[link].subnets[subnet].options.given.clone();
    let dns_of_network = "0017 0020 20010db8000100000000000000000053 20010db8000100000000000000000054";
    let dns = "0017 0010 20010db8ffff00000000000000000053";
    let example_net = "07 6578616d706c65 03 6e6574 00";
    let search = format!("0018 000d {example_net}");
    let search_of_subnet = format!("0018 001e 03 637065 {example_net} {example_net}");
    assert_eq!(options(0, 0), octets(&format!("{dns_of_network}{search_of_subnet}")));
    assert_eq!(options(0, 1), octets(&format!("{dns_of_network}{search}")));
    assert_eq!(options(1, 0), octets(&format!("{dns}{search}")));
}

#[test]
fn many_subnets_are_as_many_links() {
    let subnets: Vec<_> = (1..=5000_u32)
        .map(|id| format!("{{ \"id\": {id}, \"subnet\": \"2001:db8:{id:x}::/48\" }}"))
        .collect();
    let config = dhcp6(&format!("\"subnet6\": [ {} ]", subnets.join(","))).unwrap();
    let links = Links::new(config.links).unwrap();
    assert_eq!((links.len(), links.subnet_count()), (5000, 5000));
    let named = links.named("2001:db8:1388::1".parse().unwrap());
    assert_eq!(named.iter().map(LinkId::number).collect::<Vec<_>>(), [4999]);
}

#[test]
fn subnets_may_share_relay_addresses_and_pd_pools() {
    let config = dhcp6(
        r#""subnet6": [
            { "id": 1, "subnet": "2001:db8:1::/64", "relay": { "ip-addresses": [ "2001:db8::f" ] },
              "pd-pools": [ { "prefix": "2001:db8:8000::", "prefix-len": 40, "delegated-len": 56 } ] },
            { "id": 2, "subnet": "2001:db8:2::/64", "relay": { "ip-addresses": [ "2001:db8::f", "::" ] } },
            { "id": 3, "subnet": "2001:db8:3::/64",
              "pd-pools": [ { "prefix": "2001:db8:8000::", "prefix-len": 40, "delegated-len": 56 } ] } ]"#,
    )
    .unwrap();
    assert_eq!(warnings(&config), [""; 0]);
    let links = Links::new(config.links).unwrap();
    let named = |link_address: &str| {
        let links = links.named(link_address.parse().unwrap());
        links.iter().map(LinkId::number).collect::<BTreeSet<_>>()
    };
    assert_eq!(links.len(), 2);
    assert_eq!(named("2001:db8::f"), [0].into());
    assert_eq!(named("2001:db8:8000::1"), [0, 1].into());
}

#[test]
fn lease_checks() {
    let checks =
        |text: &str| dhcp6(text).map(|config| config.lease_checks).map_err(|error| error.to_string());
    assert_eq!(checks("\"valid-lifetime\": 1"), Ok(LeaseChecks::Keep));
    for (name, expected) in [
        ("none", LeaseChecks::Keep),
        ("warn", LeaseChecks::Keep),
        ("fix", LeaseChecks::Keep),
        ("fix-del", LeaseChecks::DiscardOutside),
        ("del", LeaseChecks::Discard),
    ] {
        assert_eq!(checks(&format!("\"sanity-checks\": {{ \"lease-checks\": \"{name}\" }}")), Ok(expected));
    }
    let error = checks("\"sanity-checks\": { \"lease-checks\": \"fixx\" }").unwrap_err();
    assert!(error.contains("Dhcp6.sanity-checks.lease-checks"), "{error}");
}

#[test]
fn store_extended_info_is_inherited() {
    let subnets = |global: &str, first: &str, second: &str| {
        dhcp6(&format!(
            r#"{global} "subnet6": [ {{ {first} "id": 1, "subnet": "2001:db8:1::/64" }},
                                     {{ {second} "id": 2, "subnet": "2001:db8:2::/64" }} ]"#
        ))
    };
    let (on, off) = (r#""store-extended-info": true,"#, r#""store-extended-info": false,"#);
    let rows = [
        (subnets("", "", ""), ExtendedInfo::None),
        (subnets(on, "", ""), ExtendedInfo::All),
        (subnets("", on, on), ExtendedInfo::All),
        (subnets(on, "", off), ExtendedInfo::Some(vec![1])),
        (subnets(off, "", on), ExtendedInfo::Some(vec![2])),
        (subnets(on, off, off), ExtendedInfo::None),
    ];
    for (config, want) in rows {
        assert_eq!(config.unwrap().extended_info, want);
    }
}

#[test]
fn requesters_are_those_of_the_hook() {
    let hook = |library: &str| {
        dhcp6(&format!(
            r#""hooks-libraries": [ {{ "library": "/x/libdhcp_lease_cmds.so" }}, {{ "library": "{library}",
               "parameters": {{ "requesters": [ "2001:db8::1", "2001:db8:1::5/64" ] }} }} ]"#
        ))
        .unwrap()
        .requesters
    };
    let want = Some(vec!["2001:db8::1/128".parse().unwrap(), "2001:db8:1::/64".parse().unwrap()]);
    assert_eq!(hook("/usr/lib/kea/hooks/libdhcp_lease_query.so"), want);
    assert_eq!(hook("libdhcp_lease_query.so"), want);
    assert_eq!(hook("/usr/lib/kea/hooks/libdhcp_ping_check.so"), None);
}

#[test]
fn the_lease_file_lies_in_the_data_directory() {
    let file = |members: &str, data_dir: Option<&str>| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kea.conf");
        std::fs::write(&path, format!("{{\"Dhcp6\": {{{members}}}}}")).unwrap();
        let config = KeaConfig::from_document(&read(&path).unwrap(), data_dir.map(Path::new)).unwrap();
        config
            .lease_database
            .lease_file()
            .map(|file| file.display().to_string())
            .map_err(|error| error.to_string())
    };
    let rows = [
        ("", None, "/var/lib/kea/kea-leases6.csv"),
        ("", Some("/data"), "/data/kea-leases6.csv"),
        (r#""data-directory": "/own""#, Some("/data"), "/own/kea-leases6.csv"),
        (r#""lease-database": { "type": "memfile", "name": "six.csv" }"#, Some("/data"), "/data/six.csv"),
        (r#""lease-database": { "type": "memfile", "name": "/l/six.csv" }"#, Some("/data"), "/l/six.csv"),
    ];
    for (members, data_dir, want) in rows {
        assert_eq!(file(members, data_dir).as_deref(), Ok(want), "{members}");
    }
    let errors = [
        (
            r#""lease-database": { "type": "memfile", "persist": false }"#,
            "Dhcp6.lease-database: \"persist\" is false, so Kea writes no lease file that could be followed; \
             set it to true",
        ),
        (
            r#""lease-database": { "type": "postgresql", "name": "kea" }"#,
            "Dhcp6.lease-database: the leases are in postgresql; lqd follows memfile only; use \
             \"type\": \"memfile\", or name a lease file with --kea-leases",
        ),
    ];
    for (members, want) in errors {
        assert_eq!(file(members, None), Err(want.to_owned()), "{members}");
    }
}

#[test]
fn the_server_duid_is_configured_or_in_keas_file() {
    let folder = tempfile::tempdir().unwrap();
    let resolve = |server_id: &str| {
        let path = folder.path().join("kea.conf");
        std::fs::write(&path, format!(r#"{{"Dhcp6": {{ "server-id": {{ {server_id} }} }}}}"#)).unwrap();
        let config = KeaConfig::from_document(&read(&path).unwrap(), Some(folder.path())).unwrap();
        let error =
            |error: ConfigError| error.to_string().replace(&folder.path().display().to_string(), "DIR");
        config.server_duid.resolve().map_err(error)
    };
    // RFC 8415 §11.2 to §11.4; the first of each kind leaves nothing open.
    let llt = r#""type": "LLT", "htype": 6, "time": 287454020, "identifier": "0a0027000001""#;
    let ll = r#""type": "LL", "htype": 1, "identifier": "0a0027000001""#;
    let en = r#""type": "EN", "enterprise-id": 9, "identifier": "0cc084d303000912""#;
    let changing = "Dhcp6.server-id: \"persist\" is false and parts of the DUID are not given, so Kea makes \
                    a new one at each start; give all parts, or set persist to true, or give the DUID with \
                    --server-duid";
    let unknown = "the server's DUID is not known: Dhcp6.server-id does not give all its parts, and Kea's \
                   file DIR/kea-dhcp6-serverid does not exist; start Kea once, or complete server-id, or \
                   give the DUID with --server-duid";
    let rows = [
        (llt, Ok(octets("0001 0006 11223344 0a0027000001"))),
        (ll, Ok(octets("0003 0001 0a0027000001"))),
        (en, Ok(octets("0002 00000009 0cc084d303000912"))),
        (r#""type": "LL", "identifier": "0a0027000001""#, Ok(octets("0003 0001 0a0027000001"))),
        // White space parts nothing, as in Kea.
        (r#""type": "LL", "identifier": "8\n765""#, Ok(octets("0003 0001 8765"))),
        (r#""type": "LL", "identifier": "8 7 6 5""#, Ok(octets("0003 0001 8765"))),
        (r#""type": "LL", "identifier": " 87\t65\r""#, Ok(octets("0003 0001 8765"))),
        (r#""type": "LL", "identifier": "87 6""#, Ok(octets("0003 0001 8706"))),
        (r#""type": "EN", "identifier": "87ef", "persist": false"#, Ok(octets("0002 000009bf 87ef"))),
        (r#""type": "LLT", "htype": 1, "identifier": "0a00""#, Err(unknown.to_owned())),
        (r#""type": "LLT", "persist": false"#, Err(changing.to_owned())),
    ];
    for (server_id, want) in rows {
        assert_eq!(resolve(server_id), want, "{server_id}");
    }
    let file = folder.path().join("kea-dhcp6-serverid");
    std::fs::write(&file, "00:01:00:01:2a:\n0b:0c:0d:0a:00:27:00:00:01 ").unwrap();
    let in_file = octets("0001 0001 2a0b0c0d 0a0027000001");
    let rows = [
        (ll, Ok(octets("0003 0001 0a0027000001"))),
        (r#""type": "LL", "identifier": "0a0027000001""#, Ok(in_file.clone())),
        (r#""type": "LLT""#, Ok(in_file)),
        (r#""type": "LLT", "persist": false"#, Err(changing.to_owned())),
    ];
    for (server_id, want) in rows {
        assert_eq!(resolve(server_id), want, "{server_id}");
    }
    for text in ["", "00:01", "not a duid", &"00".repeat(131)] {
        std::fs::write(&file, text).unwrap();
        let want = "DIR/kea-dhcp6-serverid: does not hold a DUID, such as 00:03:00:01:0a:00:27:00:00:01; let \
                    Kea write it, or give --server-duid";
        assert_eq!(resolve(r#""type": "LLT""#), Err(want.to_owned()), "{text:?}");
    }
}

#[test]
fn the_server_id_file_is_looked_for_beside_the_leases_too() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kea-dhcp6-serverid"), "00:03:00:01:0a:00:27:00:00:01").unwrap();
    let leases = folder.path().join("leases.csv");
    let members = format!(
        r#""data-directory": "/nonexistent", "lease-database": {{ "type": "memfile", "name": "{}" }}"#,
        leases.display()
    );
    assert_eq!(dhcp6(&members).unwrap().server_duid.resolve().unwrap(), octets("0003 0001 0a0027000001"));
}

#[test]
fn subnets_in_a_database_are_warned_of() {
    let config =
        dhcp6(r#""config-control": { "config-databases": [ { "type": "mysql", "name": "kea" } ] }"#).unwrap();
    assert_eq!(
        warnings(&config),
        [
            "Dhcp6.config-control.config-databases: Kea takes subnets and options from a database too, which lqd \
          does not see; queries for those subnets are answered NotConfigured until they are in the file, and no \
          configured options are served"
        ]
    );
    assert_eq!(warnings(&dhcp6(r#""config-control": { "config-databases": [] }"#).unwrap()), [""; 0]);
}

//! The level whose option a lease gets, and cases in which none is served: pools, subnets, networks, classes,
//! reservations.

use lqd_index::{LeaseKind, SubnetOptions};

use super::*;

/// An `option-data` list with preference (7), one octet of it.
fn preference(value: u8) -> String {
    format!(r#""option-data": [ {{ "code": 7, "data": "{value}" }} ]"#)
}

/// The options of the only subnet with these members, in `Dhcp6` with those.
fn subnet(dhcp6_members: &str, subnet_members: &str) -> (SubnetOptions, Vec<String>) {
    let comma = |members: &str| if members.is_empty() { String::new() } else { format!("{members},") };
    let subnet = format!(r#"{{ {} "id": 1, "subnet": "2001:db8::/32" }}"#, comma(subnet_members));
    let config = dhcp6(&format!(r#"{} "subnet6": [ {subnet} ]"#, comma(dhcp6_members))).unwrap();
    (config.links[0].subnets[0].options.clone(), warnings(&config))
}

fn pool(options: &SubnetOptions, kind: LeaseKind, address: &str) -> Option<(Vec<u8>, Vec<u16>)> {
    let pool = options.pool(kind, address.parse().unwrap())?;
    Some((pool.given.clone(), pool.hidden.clone()))
}

#[test]
fn options_of_pools_and_pd_pools_belong_to_their_leases() {
    let pools = format!(
        r#"{}, "pools": [ {{ "pool": "2001:db8::20 - 2001:db8::2f", {} }}, {{ "pool": "2001:db8::/124", {} }},
           {{ "pool": "2001:db8::40/124" }} ],
           "pd-pools": [ {{ "prefix": "2001:db8:8000::", "prefix-len": 33, "delegated-len": 56, {} }} ]"#,
        preference(2),
        preference(3),
        preference(4),
        preference(5)
    );
    let (options, said) = subnet("", &pools);
    assert_eq!((options.given.clone(), said), (octets("0007 0001 02"), vec![]));
    let given = |value: u8| Some((vec![0, 7, 0, 1, value], vec![]));
    let rows = [
        (LeaseKind::Address, "2001:db8::20", given(3)),
        (LeaseKind::Address, "2001:db8::2f", given(3)),
        (LeaseKind::Address, "2001:db8::30", None),
        (LeaseKind::Address, "2001:db8::f", given(4)),
        (LeaseKind::Address, "2001:db8::45", None),
        (LeaseKind::Prefix, "2001:db8:8000::", given(5)),
        (LeaseKind::Prefix, "2001:db8:ffff:ff00::", given(5)),
        (LeaseKind::Prefix, "2001:db8:7fff::", None),
        (LeaseKind::Address, "2001:db8:8000::", None),
    ];
    for (kind, address, want) in rows {
        assert_eq!(pool(&options, kind, address), want, "{kind:?} {address}");
    }
}

#[test]
fn a_pool_hides_options_that_it_does_not_send_or_that_are_unknown() {
    let in_pool = |option: &str| {
        let pools = format!(r#""pools": [ {{ "pool": "2001:db8::/64", "option-data": [ {option} ] }} ]"#);
        let global = r#""option-data": [ { "code": 7, "data": "1" }, { "code": 23, "data": "::1", "never-send": true } ]"#;
        let (options, _) = subnet(global, &pools);
        assert_eq!(options.given, octets("0007 0001 01"));
        pool(&options, LeaseKind::Address, "2001:db8::1").unwrap()
    };
    assert_eq!(in_pool(r#"{ "code": 7, "never-send": true }"#), (vec![], vec![7]));
    assert_eq!(in_pool(r#"{ "code": 7, "data": "256" }"#), (vec![], vec![7]));
    assert_eq!(in_pool(r#"{ "code": 7, "data": "2", "client-classes": [ "gold" ] }"#), (vec![], vec![7]));
    assert_eq!(
        in_pool(r#"{ "code": 23, "data": "::2" }"#),
        (vec![], vec![23]),
        "never sent by an outer level"
    );
    assert_eq!(
        in_pool(r#"{ "code": 12, "data": "::" }"#),
        (octets("000c 0010").into_iter().chain([0; 16]).collect(), vec![])
    );
}

#[test]
fn a_class_may_change_options_that_only_the_global_level_gives() {
    let class = |option: &str| {
        format!(
            r#"{}, "client-classes": [ {{ "name": "gold", "option-data": [ {option} ] }} ]"#,
            preference(1)
        )
    };
    let (options, said) = subnet(&class(r#"{ "code": 7, "data": "9" }"#), "");
    assert_eq!(options.given, [0; 0]);
    assert_eq!(
        said,
        [
            "Dhcp6.client-classes[0]: option 7 is left out where only the global options give it, since leases do not \
          tell which clients are in this class; give it to subnets or pools"
        ]
    );
    let (options, _) = subnet(&class(r#"{ "code": 7, "data": "9" }"#), &preference(2));
    assert_eq!(options.given, octets("0007 0001 02"), "subnets beat classes");
    let (options, _) = subnet(&class(r#"{ "code": 7, "never-send": true }"#), &preference(2));
    assert_eq!(options.given, [0; 0], "a class may take it from all levels");
    let (options, said) = subnet(&class(r#"{ "code": 23, "data": "::9" }"#), "");
    assert_eq!((options.given, said), (octets("0007 0001 01"), vec![]), "another option");
}

#[test]
fn a_reservation_may_change_options_of_its_client() {
    let hosts = r#""reservations": [ { "duid": "01:02:03", "option-data": [ { "code": 7, "data": "9" } ] },
                   { "duid": "0x010204", "ip-addresses": [ "2001:db8::7" ] },
                   { "duid": "'ab'", "option-data": [ { "name": "dns-servers", "never-send": true } ] } ]"#;
    let in_subnet = format!("{}, {hosts}", preference(2));
    let codes = |options: &SubnetOptions, duid: &[u8]| options.reservations.codes(duid).to_vec();
    let (options, _) = subnet("", &in_subnet);
    assert_eq!(options.given, octets("0007 0001 02"));
    assert_eq!(
        [codes(&options, &[1, 2, 3]), codes(&options, &[1, 2, 4]), codes(&options, b"ab")],
        [vec![7], vec![], vec![23]]
    );
    for off in [r#""reservations-in-subnet": false"#, r#""reservation-mode": "disabled""#] {
        assert!(subnet(off, &in_subnet).0.reservations.is_empty(), "{off}");
    }
    // Global reservations count only where they are switched on.
    assert!(subnet(hosts, "").0.global_reservations.is_none());
    let (options, _) = subnet(&format!(r#"{hosts}, "reservations-global": true"#), "");
    assert_eq!(options.global_reservations.unwrap().codes(&[1, 2, 3]), [7]);
}

#[test]
fn a_reservation_by_hardware_address_hides_its_options_in_the_subnet() {
    for identifier in [r#""hw-address": "01:02:03:04:05:06""#, r#""flex-id": "'x'""#, r#""duid": "z""#] {
        let hosts = format!(r#""reservations": [ {{ {identifier}, {} }} ]"#, preference(9));
        let pools = format!(r#""pools": [ {{ "pool": "2001:db8::/64", {} }} ]"#, preference(3));
        let (options, _) = subnet("", &format!("{}, {hosts}, {pools}", preference(2)));
        assert_eq!(options.given, [0; 0], "{identifier}");
        assert_eq!(
            pool(&options, LeaseKind::Address, "2001:db8::1"),
            Some((vec![], vec![7])),
            "{identifier}"
        );
        let global = format!(r#"{hosts}, "reservations-global": true"#);
        assert_eq!(subnet(&global, &preference(2)).0.given, [0; 0], "{identifier}");
        assert_eq!(
            subnet(&hosts, &preference(2)).0.given,
            octets("0007 0001 02"),
            "{identifier} counts nowhere"
        );
    }
}

#[test]
fn no_option_is_served_if_a_database_may_change_any() {
    let rows = [
        r#""hosts-database": { "type": "mysql", "name": "kea" }"#,
        r#""hosts-databases": [ { "type": "postgresql", "name": "kea" } ]"#,
        r#""config-control": { "config-databases": [ { "type": "mysql", "name": "kea" } ] }"#,
        r#""hooks-libraries": [ { "library": "/usr/lib/kea/hooks/libdhcp_radius.so" } ]"#,
    ];
    for place in rows {
        let (options, said) = subnet(place, &preference(2));
        assert!(options.given.is_empty() && options.pools.is_empty(), "{place}");
        assert!(said.len() == 1 && said[0].contains("no configured options are served"), "{said:?}");
    }
    let flex = r#""hooks-libraries": [ { "library": "libdhcp_flex_option.so", "parameters": { "options": [
                  { "name": "preference", "supersede": "0x05" }, { "code": 23, "remove": "'a' == 'a'" } ] } } ]"#;
    let both = r#""option-data": [ { "code": 7, "data": "2" }, { "code": 23, "data": "::1" }, { "code": 32, "data": "1" } ]"#;
    assert_eq!(subnet(flex, both).0.given, octets("0020 0004 00000001"));
}

#[test]
fn options_of_other_spaces_at_any_level_make_their_container_incomplete() {
    let inner = r#""option-data": [ { "space": "vendor-4491", "code": 32, "data": "00" } ]"#;
    let vendor = r#""option-data": [ { "name": "vendor-opts", "data": "4491" } ]"#;
    let rows = [
        (format!(r#""client-classes": [ {{ "name": "a", {inner} }} ]"#), String::new()),
        (String::new(), format!(r#""pools": [ {{ "pool": "2001:db8::/64", {inner} }} ]"#)),
        (
            String::new(),
            format!(r#""pd-pools": [ {{ "prefix": "::", "prefix-len": 1, "delegated-len": 2, {inner} }} ]"#),
        ),
        (String::new(), format!(r#""reservations": [ {{ "duid": "01:02:03", {inner} }} ]"#)),
    ];
    for (global, members) in rows {
        let members = if members.is_empty() { vendor.to_owned() } else { format!("{members}, {vendor}") };
        assert_eq!(subnet(&global, &members).0.given, [0; 0], "{global} {members}");
    }
    assert_eq!(subnet("", vendor).0.given, octets("0011 0004 0000118b"));
}

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::lease::LeaseKind;

fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

fn prefix(text: &str) -> Prefix {
    let (address, len) = text.split_once('/').unwrap();
    Prefix { address: address.parse().unwrap(), len: len.parse().unwrap() }
}

fn link(subnets: &[(u32, &str)], pd_pools: &[&str], relay_addresses: &[&str]) -> Link {
    let subnet = |&(id, text): &(u32, &str)| Subnet {
        id,
        prefix: prefix(text),
        pd_pools: pd_pools.iter().map(|text| prefix(text)).collect(),
        options: SubnetOptions { given: vec![id as u8], ..SubnetOptions::default() },
    };
    Link {
        address: None,
        subnets: subnets.iter().map(subnet).collect(),
        relay_addresses: relay_addresses.iter().map(|text| address(text)).collect(),
    }
}

fn numbers(set: LinkSet<'_>) -> Vec<u32> {
    let numbers: BTreeSet<u32> = set.iter().map(|link| link.0).collect();
    let numbers = Vec::from_iter(numbers);
    assert_eq!(set.is_empty(), numbers.is_empty());
    numbers
}

#[track_caller]
fn assert_named(links: &Links, link_address: &str, expected: &[u32]) {
    assert_eq!(numbers(links.named(address(link_address))), expected, "{link_address}");
}

#[test]
fn the_longest_subnet_prefix_decides_beside_relay_addresses_and_pd_pools() {
    let links = Links::new(vec![
        link(&[(1, "2001:db8:1::/64"), (2, "2001:db8:2::/64")], &["2001:db8:f000::/36"], &[]),
        link(&[(3, "2001:db8::/32")], &[], &["2001:db8:1::99", "fd00::1"]),
        link(&[(4, "2001:db8:f100::/40")], &[], &[]),
    ])
    .unwrap();
    let rows: [(&str, &[u32]); 17] = [
        ("2001:db8:1::5", &[0]),
        ("2001:db8:2:0:ffff:ffff:ffff:ffff", &[0]),
        ("2001:db8:2:1::", &[1]),
        ("2001:db8:1::98", &[0]),
        ("2001:db8:1::99", &[0, 1]),
        ("2001:db8:1::9a", &[0]),
        ("2001:db8:f0ff:ffff:ffff:ffff:ffff:ffff", &[0, 1]),
        ("2001:db8:f100::", &[0, 2]),
        ("2001:db8:f200::", &[0, 1]),
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", &[0, 1]),
        ("2001:db9::", &[]),
        ("2001:db7:ffff::", &[]),
        ("fd00::1", &[1]),
        ("fd00::", &[]),
        ("fd00::2", &[]),
        ("::", &[]),
        ("ff02::1:2", &[]),
    ];
    for (link_address, expected) in rows {
        assert_named(&links, link_address, expected);
    }
    assert_eq!(
        numbers(links.of_address(address("2001:db8:1::99"))),
        [0],
        "a client is on no relay's address"
    );
    assert_eq!(numbers(links.of_address(address("fd00::1"))), []);
    assert_eq!(links.relay_addresses(LinkId(0)).count(), 0);
    let relays: Vec<_> = links.relay_addresses(LinkId(1)).map(|address| address.to_string()).collect();
    assert_eq!(relays, ["2001:db8:1::99", "fd00::1"]);
    assert_eq!((links.has_subnet(2), links.has_subnet(9)), (true, false));
}

/// Kea's manual, "Segregating IPv6 Clients in a Cable Network": modems and CPEs, and one relay agent.
#[test]
fn subnets_that_share_a_relay_address_are_one_link() {
    let links = Links::new(vec![
        link(&[(1, "3000::/64")], &[], &["3000::1"]),
        link(&[(2, "fd00::/64")], &[], &["fd00::1", "fd00::2"]),
        link(&[(3, "2001:db8:1::/64")], &[], &["3000::1"]),
        link(&[(4, "2001:db8:2::/64")], &[], &["fd00::3", "fd00::2", "3000::1"]),
    ])
    .unwrap();
    assert_eq!(links.len(), 1, "by way of each other");
    for link_address in ["3000::1", "fd00::1", "fd00::3", "3000::7", "2001:db8:1::1", "2001:db8:2::1"] {
        assert_named(&links, link_address, &[0]);
    }
    assert_eq!(links.relay_addresses(LinkId(0)).count(), 4);
}

#[test]
fn a_relay_address_inside_another_subnet_names_both_links() {
    let links = Links::new(vec![
        link(&[(1, "3000::/64")], &[], &[]),
        link(&[(2, "2001:db8:1::/64")], &[], &["3000::1"]),
    ])
    .unwrap();
    assert_named(&links, "3000::1", &[0, 1]);
    assert_named(&links, "3000::2", &[0]);
}

#[test]
fn a_prefix_of_two_subnets_names_both_links() {
    let links = Links::new(vec![
        link(&[(1, "2001:db8:1::/48")], &["2001:db8:f000::/36"], &[]),
        link(&[(2, "2001:db8:1::1/48")], &["2001:db8:f000::/36"], &[]),
        link(&[(3, "2001:db8:3::/48")], &["2001:db8:f800::/40"], &[]),
    ])
    .unwrap();
    assert_named(&links, "2001:db8:1::5", &[0, 1]);
    assert_named(&links, "2001:db8:f000::1", &[0, 1]);
    assert_named(&links, "2001:db8:f800::1", &[0, 1, 2]);
}

#[test]
fn a_subnet_of_two_sources_is_one_link() {
    let links = vec![
        link(&[(1, "2001:db8:1::/48")], &[], &[]),
        link(&[(2, "2001:db8:2::/48")], &[], &[]),
        link(&[(3, "2001:db8:1::/48"), (4, "2001:db8:3::/48")], &[], &[]),
    ];
    assert_eq!(Links::new(links.clone()).unwrap().len(), 3);
    let links = Links::of_several_sources(links).unwrap();
    assert_eq!(links.len(), 2);
    assert_named(&links, "2001:db8:1::5", &[0]);
    assert_named(&links, "2001:db8:3::5", &[0]);
    assert_named(&links, "2001:db8:2::5", &[1]);
}

#[test]
fn addresses_that_are_not_global_name_no_link_but_a_relay_agents() {
    let links =
        Links::new(vec![link(&[(1, "::/0")], &[], &[]), link(&[(2, "2001:db8:1::/64")], &[], &["fe80::1"])])
            .unwrap();
    assert_named(&links, "fe80::1", &[1]);
    assert_named(&links, "fe80::2", &[]);
    assert_named(&links, "ff05::1:3", &[]);
    assert_eq!(links.address(LinkId(1)), address("2001:db8:1::"), "not the link-local one");
}

#[test]
fn prefixes_at_the_ends_of_the_address_space() {
    let links = Links::new(vec![
        link(&[(1, "::/0")], &[], &[]),
        link(&[(2, "::/128")], &[], &["fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]),
    ])
    .unwrap();
    let of = |text: &str| numbers(links.of_address(address(text)));
    assert_eq!([of("::"), of("::1"), of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")], [[1], [0], [0]]);
    assert_named(&links, "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &[0, 1]);
    assert_eq!(links.address(LinkId(0)), address("::1"));
}

#[test]
fn errors() {
    let twice = Links::new(vec![link(&[(1, "fd00::/64"), (1, "fd01::/64")], &[], &[])]);
    assert_eq!(twice.unwrap_err(), LinksError::DuplicateSubnetId(1));
    assert_eq!(Links::new(vec![link(&[], &[], &[])]).unwrap_err(), LinksError::EmptyLink);
}

/// Subnets that begin at one address, and pd-pools and relay addresses at the first address of another's
/// subnet.
#[test]
fn the_address_told_leads_back_to_its_link() {
    let mut named = link(&[(7, "2001:db8:7000::/64")], &[], &[]);
    named.address = Some(address("2001:db8:ffff::7"));
    let links = Links::new(vec![
        link(&[(1, "2001:db8::/32")], &[], &[]),
        link(&[(2, "2001:db8::/48")], &[], &[]),
        link(&[(3, "fd00:3::/64")], &["fd00:4::/48"], &[]),
        link(&[(4, "fd00:4::/64")], &[], &[]),
        link(&[(5, "fd00:5::/64")], &[], &[]),
        link(&[(6, "fd00:6::/64")], &[], &["fd00:5::", "fd00:6::99"]),
        named,
    ])
    .unwrap();
    for number in 0..links.len() {
        let link = links.nth(number);
        assert!(links.named(links.address(link)).contains(link), "link {number}");
    }
    let told: Vec<_> = (0..7).map(|number| links.address(links.nth(number)).to_string()).collect();
    assert_eq!(
        told,
        [
            "2001:db8:1::", // the first address of its own
            "2001:db8::",
            "fd00:3::",
            "fd00:4::", // in the pd-pool of another link; no address is of this one alone
            "fd00:5::1",
            "fd00:6::99",
            "2001:db8:ffff::7",
        ]
    );
    assert_eq!(links.unreachable().count(), 0);
}

#[test]
fn a_link_that_others_cover_wholly_is_reported_unless_the_operator_names_it() {
    let covered = |address: Option<Ipv6Addr>| {
        let outer = Link { address, ..link(&[(1, "2001:db8::/63")], &[], &[]) };
        let halves = [link(&[(2, "2001:db8::/64")], &[], &[]), link(&[(3, "2001:db8:0:1::/64")], &[], &[])];
        Links::new([vec![outer], halves.into()].concat()).unwrap()
    };
    assert_eq!(covered(None).unreachable().collect::<Vec<_>>(), [address("2001:db8::")]);
    let links = covered(Some(address("fd00::9")));
    assert_eq!(links.unreachable().count(), 0);
    assert_named(&links, "fd00::9", &[0]);
}

#[test]
fn a_lease_is_on_the_link_of_its_subnet_or_on_those_that_contain_it() {
    let network = || {
        vec![
            link(&[(1, "2001:db8:1::/64")], &["2001:db8:f000::/40"], &[]),
            link(&[(2, "2001:db8:2::/64")], &["2001:db8:f000::/40"], &[]),
            link(&[(70_000, "2001:db8:3::/64")], &[], &[]),
        ]
    };
    let told = |checks, id, text: &str, kind| {
        let links = Links::new(network()).unwrap().with_lease_checks(checks);
        if kind == LeaseKind::Address && links.discards(id, address(text)) {
            return "discarded".to_owned();
        }
        match links.locate(id, address(text), kind) {
            Location::Link(link) => format!("{}", link.0),
            Location::Containing(links) => format!("{:?}", numbers(links)),
            Location::NotConfigured => "none".to_owned(),
        }
    };
    use LeaseChecks::{Discard, DiscardOutside, Keep};
    use LeaseKind::{Address, Prefix};
    let rows = [
        (1, "2001:db8:1::5", Address, ["0", "0", "0"]),
        (70_000, "2001:db8:3::5", Address, ["2", "2", "2"]),
        // The id of another subnet, an id that is not configured.
        (2, "2001:db8:1::5", Address, ["[0]", "[0]", "discarded"]),
        (9, "2001:db8:1::5", Address, ["[0]", "[0]", "discarded"]),
        (70_001, "2001:db8:1::5", Address, ["[0]", "[0]", "discarded"]),
        // In no subnet.
        (1, "2001:db8:9::5", Address, ["none", "discarded", "discarded"]),
        (9, "2001:db8:9::5", Address, ["none", "discarded", "discarded"]),
        // To Kea, id 0 is that of an address outside all subnets.
        (0, "2001:db8:9::5", Address, ["none", "none", "none"]),
        (0, "2001:db8:1::5", Address, ["[0]", "[0]", "discarded"]),
        // Delegated: Kea does not check these.
        (1, "2001:db8:f000::", Prefix, ["0", "0", "0"]),
        (2, "2001:db8:f000::", Prefix, ["1", "1", "1"]),
        (9, "2001:db8:f000::", Prefix, ["[0, 1]", "[0, 1]", "[0, 1]"]),
        (70_000, "2001:db8:f000::", Prefix, ["[0, 1]", "[0, 1]", "[0, 1]"]),
        (70_000, "2001:db8:e000::", Prefix, ["2", "2", "2"]),
        (9, "2001:db8:e000::", Prefix, ["none", "none", "none"]),
    ];
    for (id, text, kind, expected) in rows {
        let found = [Keep, DiscardOutside, Discard].map(|checks| told(checks, id, text, kind));
        assert_eq!(found, expected, "{id} {text}");
    }
    let links = Links::new(network()).unwrap();
    assert_eq!(links.options_of(1, address("2001:db8:1::5"), Address).unwrap().given, [1]);
    assert_eq!(
        links.options_of(1, address("2001:db8:e000::"), Prefix).unwrap().given,
        [1],
        "a reserved prefix"
    );
    assert!(links.options_of(1, address("2001:db8:2::5"), Address).is_none(), "another subnet's");
}

/// 5,000 subnets with one relay address are one link; 5,000 with one pd-pool are links that share their set.
#[test]
fn large_networks_are_built_once_and_looked_up_at_once() {
    let subnet = |id: u32| format!("2001:db8:{id:x}::/64");
    let texts: Vec<_> = (0..5_000).map(subnet).collect();
    let relayed = texts.iter().zip(0..).map(|(text, id)| link(&[(id, text)], &[], &["fd00::1"]));
    assert_eq!(Links::new(relayed.collect()).unwrap().len(), 1);
    let pooled = texts.iter().zip(0..).map(|(text, id)| link(&[(id, text)], &["2001:db8::/33"], &[]));
    let links = Links::new(pooled.collect()).unwrap();
    assert_eq!(links.len(), 5_000);
    let set = links.named(address("2001:db8:7::1"));
    assert!(set.contains(LinkId(7)) && set.contains(LinkId(4_999)) && !set.contains(LinkId(5_000)));
}

/// A small network, so that prefixes nest, meet and repeat.
fn networks() -> impl Strategy<Value = Vec<Link>> {
    let place = |bits: u8| {
        (0..4_u128, 0..4_u128).prop_map(move |(high, low)| {
            (0x2001_0db8_u128 << 96) | high << 94 | low << (128 - u32::from(bits))
        })
    };
    let prefix = (32..=40_u8).prop_flat_map(move |len| {
        place(len).prop_map(move |first| Prefix { address: (first & mask(len)).into(), len })
    });
    let relay = (place(40), 0..3_u128).prop_map(|(first, last)| Ipv6Addr::from(first | last));
    let subnet = (prefix.clone(), prop::collection::vec(prefix, 0..2));
    let link = (prop::collection::vec(subnet, 1..3), prop::collection::vec(relay, 0..2));
    prop::collection::vec(link, 1..6).prop_map(|links| {
        let mut ids = 1..;
        let mut subnet = |(prefix, pd_pools): (Prefix, Vec<Prefix>)| Subnet {
            id: ids.next().unwrap(),
            prefix,
            pd_pools,
            options: SubnetOptions::default(),
        };
        let mut link = |(subnets, relay_addresses): (Vec<_>, _)| Link {
            address: None,
            subnets: subnets.into_iter().map(&mut subnet).collect(),
            relay_addresses,
        };
        links.into_iter().map(&mut link).collect()
    })
}

/// The subnets that a link-address names, said without the table: ids.
fn named_subnets(network: &[Link], link_address: Ipv6Addr) -> BTreeSet<u32> {
    let covers = |prefix: &Prefix| {
        let net = ipnet(prefix);
        net.0 <= u128::from(link_address) && u128::from(link_address) <= net.1
    };
    let longest = network
        .iter()
        .flat_map(|link| &link.subnets)
        .map(|subnet| subnet.prefix)
        .filter(|prefix| covers(prefix))
        .map(|prefix| prefix.len)
        .max();
    let mut named = BTreeSet::new();
    for link in network {
        let is_named = link.relay_addresses.contains(&link_address)
            || link.subnets.iter().any(|subnet| {
                Some(subnet.prefix.len) == longest && covers(&subnet.prefix)
                    || subnet.pd_pools.iter().any(covers)
            });
        if is_named {
            named.extend(link.subnets.iter().map(|subnet| subnet.id));
        }
    }
    // Links that share a relay address are one: until nothing is added.
    loop {
        let before = named.len();
        for link in network {
            let joined = network.iter().any(|other| {
                other.relay_addresses.iter().any(|relay| link.relay_addresses.contains(relay))
                    && other.subnets.iter().any(|subnet| named.contains(&subnet.id))
            });
            if joined {
                named.extend(link.subnets.iter().map(|subnet| subnet.id));
            }
        }
        if named.len() == before {
            return named;
        }
    }
}

/// First and last address of a prefix.
fn ipnet(prefix: &Prefix) -> (u128, u128) {
    let first = u128::from(prefix.address);
    (first, first + ((1_u128 << (128 - prefix.len)) - 1))
}

proptest! {
    #[test]
    fn link_addresses_name_the_links_of_a_naive_model(
        network in networks(),
        places in prop::collection::vec((0..4_u128, 0..1024_u128, 0..3_u128), 20),
    ) {
        let links = Links::new(network.clone()).unwrap();
        let link_of = |id: u32| links.subnet(id).unwrap().link;
        for (high, middle, last) in places {
            let link_address = Ipv6Addr::from((0x2001_0db8_u128 << 96) | high << 94 | middle << 88 | last);
            let expected: BTreeSet<_> =
                named_subnets(&network, link_address).into_iter().map(link_of).collect();
            let named = links.named(link_address);
            prop_assert_eq!(&named.iter().collect::<BTreeSet<_>>(), &expected, "{}", link_address);
            prop_assert_eq!(named.is_empty(), expected.is_empty());
            for number in 0..links.len() {
                let link = links.nth(number);
                prop_assert_eq!(named.contains(link), expected.contains(&link));
            }
        }
    }

    /// A requestor that follows OPTION_LQ_CLIENT_LINK finds every lease, except on links that `unreachable`
    /// reports.
    #[test]
    fn following_the_addresses_told_finds_every_subnet(network in networks()) {
        let links = Links::new(network.clone()).unwrap();
        for subnet in network.iter().flat_map(|link| &link.subnets) {
            let link = links.locate(subnet.id, subnet.prefix.address, LeaseKind::Address).link().unwrap();
            let told = links.address(link);
            let found = named_subnets(&network, told).contains(&subnet.id);
            prop_assert_eq!(found, !links.unreachable.contains(&link), "{} for {:?}", told, subnet.prefix);
        }
    }
}

use super::*;
use proptest::prelude::*;

fn duid(octet: u8) -> Duid {
    Duid::new([0, 4, octet]).expect("a DUID")
}

fn host(host: u16) -> AddressOrPrefix {
    AddressOrPrefix::Address(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host))
}

fn lease(resource: AddressOrPrefix, valid_lifetime_s: u32) -> Lease {
    Lease { resource, preferred_lifetime_s: 0, valid_lifetime_s }
}

/// Data of client 1 at second 10,000, by this server.
fn source(server: u8, clt_time_s: u32, leases: Vec<Lease>) -> Source {
    Source {
        server: duid(server),
        from: SocketAddrV6::new(Ipv6Addr::LOCALHOST, server.into(), 0, 0),
        link: None,
        received: SystemTime::UNIX_EPOCH + Duration::from_secs(10_000),
        data: ClientData {
            client: duid(1),
            leases,
            clt_time_s,
            fqdn: None,
            link_layer: None,
            relay: None,
            other: Vec::new(),
        },
    }
}

fn servers(leases: &[MergedLease]) -> Vec<(AddressOrPrefix, u8)> {
    leases.iter().map(|one| (one.lease.resource, one.server.octets()[2])).collect()
}

/// R20.
#[test]
fn disjoint_data_is_combined() {
    let prefix = AddressOrPrefix::Prefix("2001:db8:100::/56".parse().expect("a prefix"));
    let merged = merge(&[source(7, 50, vec![lease(host(1), 9)]), source(8, 5, vec![lease(prefix, 9)])]);
    assert_eq!(merged.len(), 1);
    assert_eq!(servers(&merged[0].leases), [(host(1), 7), (prefix, 8)]);
    assert_eq!(merged[0].last_transaction, SystemTime::UNIX_EPOCH + Duration::from_secs(9_995));
    assert!(merged[0].superseded.is_empty());
}

/// R20.
#[test]
fn the_most_recent_transaction_decides_overlapping_data() {
    let old = source(7, 50, vec![lease(host(1), 100), lease(host(2), 100)]);
    let new = source(8, 5, vec![lease(host(1), 3000)]);
    for sources in [[old.clone(), new.clone()], [new, old]] {
        let merged = merge(&sources);
        let mut leases = servers(&merged[0].leases);
        leases.sort();
        assert_eq!(leases, [(host(1), 8), (host(2), 7)]);
        assert_eq!(servers(&merged[0].superseded), [(host(1), 7)]);
    }
}

#[test]
fn an_age_counts_from_the_arrival_of_its_answer() {
    let early = source(7, 5, vec![lease(host(1), 100)]);
    let mut late = source(8, 20, vec![lease(host(1), 900)]);
    // Its age is larger, but it came later.
    late.received += Duration::from_secs(60);
    assert_eq!(servers(&merge(&[early, late])[0].leases), [(host(1), 8)], "9,995 against 10,040");
}

#[test]
fn servers_that_agree_supersede_nothing() {
    let one = source(7, 50, vec![lease(host(1), 100), lease(host(2), u32::MAX)]);
    let mut other = source(8, 49, vec![lease(host(1), 99), lease(host(2), u32::MAX)]);
    other.received += Duration::from_secs(1);
    assert!(merge(&[one, other])[0].superseded.is_empty());
}

#[test]
fn a_prefix_of_another_length_is_another_value() {
    let prefix = |text: &str| lease(AddressOrPrefix::Prefix(text.parse().expect("a prefix")), 9);
    let merged = merge(&[
        source(
            7,
            1,
            vec![
                prefix("2001:db8::/56"),
                lease(AddressOrPrefix::Address("2001:db8::".parse().expect("an address")), 9),
            ],
        ),
        source(8, 2, vec![prefix("2001:db8::/64")]),
    ]);
    assert_eq!(merged[0].leases.len(), 3);
}

#[test]
fn links_stay_separate_but_a_lease_appears_once() {
    let [one, two]: [Ipv6Addr; 2] =
        ["2001:db8:1::", "2001:db8:2::"].map(|text| text.parse().expect("an address"));
    let on = |link, source: Source| Source { link: Some(link), ..source };
    let merged = merge(&[
        on(one, source(7, 50, vec![lease(host(1), 9)])),
        on(two, source(7, 60, vec![lease(host(2), 9)])),
        on(two, source(8, 5, vec![lease(host(1), 9)])),
    ]);
    let places: Vec<_> = merged.iter().map(|one| (one.link, servers(&one.leases))).collect();
    assert_eq!(places, [(Some(two), vec![(host(2), 7), (host(1), 8)])]);
}

#[test]
fn options_come_from_the_most_recent_source_that_has_them() {
    let option = |code: u16, octet: u8| RawOption { code: lqd_wire::OptionCode(code), value: vec![octet] };
    let mut old = source(7, 50, vec![lease(host(1), 9)]);
    old.data.other = vec![option(23, 1), option(24, 1)];
    let mut new = source(8, 5, vec![lease(host(1), 9)]);
    new.data.other = vec![option(23, 2), option(23, 3)];
    assert_eq!(merge(&[old, new])[0].other, [option(23, 2), option(23, 3), option(24, 1)]);
}

/// The merge of §4.3.4 without indexes: for every lease of any source, the first of the sources with the most
/// recent transaction.
fn reference_merge(sources: &[Source]) -> Vec<(Duid, AddressOrPrefix, u8)> {
    let mut all: Vec<(Duid, AddressOrPrefix)> = sources
        .iter()
        .flat_map(|source| {
            source.data.leases.iter().map(|lease| (source.data.client.clone(), lease.resource))
        })
        .collect();
    all.sort();
    all.dedup();
    let has = |source: &&Source, client: &Duid, binding| {
        source.data.client == *client && source.data.leases.iter().any(|lease| lease.resource == binding)
    };
    all.into_iter()
        .map(|(client, binding)| {
            let having: Vec<&Source> =
                sources.iter().filter(|source| has(source, &client, binding)).collect();
            let newest =
                having.iter().map(|source| source.last_transaction()).max().expect("some source has it");
            let first =
                having.iter().find(|source| source.last_transaction() == newest).expect("it is among them");
            (client, binding, first.server.octets()[2])
        })
        .collect()
}

proptest! {
    #[test]
    fn equals_the_reference_merge(
        plan in prop::collection::vec(
            (1_u8..3, 0_u16..3, 0_u32..4, 0_u64..4, prop::collection::vec((0_u16..5, 1_u32..4), 0..5)),
            0..6,
        ),
    ) {
        let sources: Vec<Source> = plan.into_iter().zip(0_u8..).map(|((client, link, clt, later, leases), server)| {
            let mut source = source(server, clt, leases.into_iter().map(|(at, valid)| lease(host(at), valid)).collect());
            source.data.client = duid(client);
            source.link = (link > 0).then(|| Ipv6Addr::new(0x2001, 0xdb8, link, 0, 0, 0, 0, 0));
            source.received += Duration::from_secs(later);
            source
        }).collect();
        let merged = merge(&sources);
        let mut got: Vec<(Duid, AddressOrPrefix, u8)> = merged.iter().flat_map(|one| {
            servers(&one.leases).into_iter().map(|(binding, server)| (one.client.clone(), binding, server))
        }).collect();
        got.sort();
        prop_assert_eq!(got, reference_merge(&sources));
    }
}

/// R20. The path of an older message says nothing about where the client is now.
#[test]
fn relay_data_comes_from_the_newest_source_only() {
    let with = |mut source: Source, relay: bool| {
        let octets = crate::tests::octets(
            "fe800000000000000000000000000001 0c 00 20010db8000000000000000000000001 fe800000000000000000000000000002",
        );
        source.data.relay = relay.then(|| RelayChain::read(&octets, &mut Vec::new()).expect("valid"));
        source
    };
    let (old, new) = (source(7, 50, vec![lease(host(1), 100)]), source(8, 5, vec![lease(host(2), 100)]));
    for (of_old, of_new) in [(true, false), (false, true), (true, true), (false, false)] {
        let (old, new) = (with(old.clone(), of_old), with(new.clone(), of_new));
        for sources in [[old.clone(), new.clone()], [new, old]] {
            assert_eq!(merge(&sources)[0].relay.is_some(), of_new, "old {of_old}, new {of_new}");
        }
    }
}

#[test]
fn a_transaction_before_1970_is_at_its_first_second() {
    for clt_time_s in [10_000, 10_001, 1 << 31, u32::MAX] {
        let merged = merge(&[source(7, clt_time_s, vec![lease(host(1), 100)])]);
        assert_eq!(merged[0].last_transaction, SystemTime::UNIX_EPOCH, "{clt_time_s}");
    }
}

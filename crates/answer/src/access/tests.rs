use super::*;
use proptest::prelude::*;

fn net(text: &str) -> Ipv6Net {
    text.parse().unwrap()
}

fn allowed() -> Rights {
    Rights { allow: true, ..Rights::default() }
}

#[test]
fn unusable_rules_are_rejected() {
    let of = |rules: &[(&str, Rights)]| {
        let rules = rules.iter().map(|(prefix, rights)| (net(prefix), rights.clone())).collect();
        Access::new(Rights::default(), rules).map(|_| ()).map_err(|error| error.to_string())
    };
    let rate = |per_second, burst| Rights { rate: Some(Rate { per_second, burst }), ..allowed() };
    let unusable = "the access rule fd00::/8 has a rate or burst that is not in 1..=1000000";
    let rows = [
        (vec![("fd00::/8", allowed()), ("::/0", allowed())], Ok(())),
        (
            vec![("fd00::/8", allowed()), ("fd00::/8", Rights::default())],
            Err("two access rules have the prefix fd00::/8; remove one"),
        ),
        (vec![("fd00::1/8", allowed())], Err("fd00::1/8 has bits set beyond its length; write fd00::/8")),
        (vec![("fd00::/8", rate(1, 1_000_000))], Ok(())),
        (vec![("fd00::/8", rate(0, 1))], Err(unusable)),
        (vec![("fd00::/8", rate(1, 0))], Err(unusable)),
        (vec![("fd00::/8", rate(1_000_001, 1))], Err(unusable)),
        (vec![("fd00::/8", rate(1, 1_000_001))], Err(unusable)),
    ];
    for (table, want) in rows {
        assert_eq!(of(&table), want.map_err(str::to_owned), "{table:?}");
    }
    let many = (0..RULES_MAX as u128).map(|number| (Ipv6Net::from(Ipv6Addr::from(number)), allowed()));
    let error = Access::new(Rights::default(), many.collect()).unwrap_err();
    assert_eq!(error.to_string(), "65537 access rules; at most 65536 can be used");
}

#[test]
fn equal_tables_alone_have_equal_fingerprints() {
    let of =
        |prefix, rights| Access::new(Rights::default(), vec![(net(prefix), rights)]).unwrap().fingerprint();
    let one = of("fd00::/8", allowed());
    assert_eq!(one, of("fd00::/8", allowed()));
    assert_ne!(one, of("fd00::/9", allowed()));
    assert_ne!(one, of("fd00::/8", Rights { rate: Some(Rate { per_second: 1, burst: 1 }), ..allowed() }));
}

/// Generates prefixes that nest often: few different bits.
fn prefix() -> impl Strategy<Value = Ipv6Net> {
    (prop::collection::vec(0..4_u8, 4), 0..=128_u8).prop_map(|(bits, len)| {
        let address = bits.iter().fold(0_u128, |address, bits| address << 32 | u128::from(*bits) << 30);
        Ipv6Net::new(address.into(), len).unwrap().trunc()
    })
}

proptest! {
    /// The rule of an address is that of the longest prefix that contains it.
    #[test]
    fn the_longest_prefix_decides(
        prefixes in prop::collection::btree_set(prefix(), 0..40),
        addresses in prop::collection::vec(any::<u128>(), 20),
    ) {
        let rules = prefixes.iter().map(|prefix| (*prefix, allowed())).collect();
        let access = Access::new(Rights::default(), rules).unwrap();
        // At random, and at both ends of each prefix and just beyond them.
        let ends = prefixes.iter().flat_map(|prefix| {
            let (first, last) = (u128::from(prefix.network()), u128::from(prefix.broadcast()));
            [first, last, first.wrapping_sub(1), last.wrapping_add(1)]
        });
        for address in ends.chain(addresses) {
            let address = Ipv6Addr::from(address);
            let longest = prefixes.iter().filter(|prefix| prefix.contains(&address)).max_by_key(|prefix| prefix.prefix_len());
            let rule = access.rule_of(address);
            match longest {
                Some(prefix) => prop_assert_eq!(access.rule(rule).0, *prefix, "{}", address),
                None => prop_assert_eq!(rule, RuleId::OTHERS, "{}", address),
            }
        }
    }
}

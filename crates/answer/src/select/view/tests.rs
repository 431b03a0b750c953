//! Relay agents in OPTION_LQ_RELAY_DATA, in octets written by hand (RFC 5007 §4.1.2.4, RFC 8415 §9).

use lqd_index::{Batch, Lease, LeaseKind, Lookup, Writer};

use super::*;

/// The octets of an address.
fn octets(text: &str) -> [u8; 16] {
    text.parse::<Ipv6Addr>().unwrap().octets()
}

/// An option: code, length, value.
fn option(code: u8, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[0, code, len[0], len[1]], value].concat()
}

/// A RELAY-FORW with these addresses and options.
fn relay_forw(link: &str, peer: &str, options: &[u8]) -> Vec<u8> {
    [&[12, 0], &octets(link)[..], &octets(peer), options].concat()
}

/// LQ_RELAY_DATA with this peer-address and message.
fn relay_data(peer: &str, message: &[u8]) -> Vec<u8> {
    option(47, &[&octets(peer)[..], message].concat())
}

/// Returns whether the relay agent `who` may see a binding with these options.
fn shows(options: &[u8], who: &str) -> bool {
    let mut batch = Batch::new();
    let address = "2001:db8::1".parse().unwrap();
    let lease = Lease {
        address,
        prefix_len: 128,
        kind: LeaseKind::Address,
        duid: &[0, 3, 0, 1, 9],
        valid_lifetime: 100,
        preferred_lifetime: 100,
        cltt: 1000,
        subnet_id: 1,
        options,
    };
    batch.put(&lease).unwrap();
    let (mut writer, store) = Writer::new();
    writer.replace(&[batch], None);
    let mut reader = store.reader().unwrap();
    let leases = reader.pin();
    let found = leases.find(Lookup::Covering(address), 1000);
    let client = found.unwrap().client;
    let rights = Rights { allow: true, restricted: true, ..Rights::default() };
    let who = who.parse().unwrap();
    let view = View::new(leases.links(), &rights, Some(&who));
    let others = Rights::default();
    let shown = view.bindings(client).count();
    assert!(View::new(leases.links(), &rights, None).bindings(client).next().is_none(), "relayed");
    assert_eq!(View::new(leases.links(), &others, None).bindings(client).count(), 1);
    shown == 1
}

#[test]
fn every_relay_agent_of_the_chain_sees_the_binding_and_the_client_does_not() {
    let interface_id = option(18, b"x");
    let inner = relay_forw("fd00::2", "fd00::c", &interface_id);
    let middle = relay_forw("::", "fd00::1", &[interface_id.clone(), option(9, &inner)].concat());
    let chain = relay_data("fd00::a", &relay_forw("fd00::b", "fd00::9", &option(9, &middle)));
    let alone = relay_data("fd00::a", &relay_forw("fd00::b", "fd00::c", &[]));
    let with_message = relay_data("fd00::a", &relay_forw("fd00::b", "fd00::c", &option(9, &[1, 0, 0, 1])));
    let rows = [
        ("sender of the outermost message", &chain, "fd00::a", true),
        ("link-address of the outermost", &chain, "fd00::b", true),
        ("peer-address of the outermost: the relay agent before", &chain, "fd00::9", true),
        ("peer-address of the second", &chain, "fd00::1", true),
        ("link-address of the innermost", &chain, "fd00::2", true),
        ("peer-address of the innermost: the client", &chain, "fd00::c", false),
        ("another", &chain, "fd00::d", false),
        ("no address", &chain, "::", false),
        ("one relay agent: its sender", &alone, "fd00::a", true),
        ("one relay agent: its link-address", &alone, "fd00::b", true),
        ("one relay agent: the client", &alone, "fd00::c", false),
        ("the client's message inside makes the client no relay agent", &with_message, "fd00::c", false),
    ];
    for (name, options, who, want) in rows {
        assert_eq!(shows(options, who), want, "{name}");
    }
}

#[test]
fn truncated_relay_data_shows_the_binding_to_no_further_agent() {
    let inner = relay_forw("fd00::2", "fd00::c", &[]);
    let whole = [&octets("fd00::a")[..], &relay_forw("fd00::b", "fd00::9", &option(9, &inner))].concat();
    for len in 0..whole.len() {
        let cut = option(47, &whole[..len]);
        assert!(!shows(&cut, "fd00::c") && !shows(&cut, "fd00::2"), "{len} octets");
    }
    assert!(shows(&option(47, &whole), "fd00::2"));
    assert!(!shows(&option(39, &whole), "fd00::2"), "another option");
    assert!(!shows(&[], "fd00::2"));
    assert!(!shows(&relay_data("fe80::1", &relay_forw("fe80::1", "::", &[])), "fe80::1"), "link-local");
}

#[test]
fn up_to_33_relay_agents_are_known() {
    let hops = |count| {
        let innermost = relay_forw("fd00::2", "fe80::1", &[]);
        (1..count).fold(innermost, |inner, _| relay_forw("::", "::", &option(9, &inner)))
    };
    for (count, known) in [(1, true), (32, true), (33, true), (34, false), (41, false)] {
        assert_eq!(shows(&relay_data("::", &hops(count)), "fd00::2"), known, "{count} relay hops");
    }
}

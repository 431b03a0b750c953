//! Queries about clients with more leases than one record has: their bindings come in many messages.

use std::collections::BTreeSet;

use lqd_index::{Change, Removal};

use super::model::{options, read};
use super::*;

const OVERSIZED: u8 = 7;
/// Leases of the client on link 1 and on link 2; a record has at most 2,339.
const ON_LINKS: [u16; 2] = [3_000, 2_000];

fn address(link: u16, number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, link, 0, 0, 0, 1, number)
}

fn addresses(link: u16) -> BTreeSet<Ipv6Addr> {
    (0..ON_LINKS[usize::from(link) - 1]).map(|number| address(link, number)).collect()
}

/// The oversized client among others on its links.
fn rig(has_indexes: bool) -> Rig {
    let mut rig = Rig::with(&[row(1, "2001:db8:1::1", 128, 1)], has_indexes, "::1/128");
    let leases = (1..=2).flat_map(|link| addresses(link).into_iter().map(move |address| (link, address)));
    let rows: Vec<Row> = leases
        .map(|(link, address)| row(OVERSIZED, &address.to_string(), 128, link.into()))
        .chain([row(2, "2001:db8:2::2", 128, 2)])
        .collect();
    rig.writer.apply(&batch(&rows));
    rig
}

fn by_duid(link: &str) -> Vec<u8> {
    query(1, 2, link, &[option(1, &[0, 1, OVERSIZED])])
}

fn by_address(link: &str, asked: Ipv6Addr) -> Vec<u8> {
    query(1, 1, link, &[iaaddr(&asked.to_string())])
}

/// The bindings of an answer, each of which must come once, and the status of its last message.
fn told(answer: &[u8]) -> (BTreeSet<Ipv6Addr>, Option<u16>) {
    let (kinds, messages) = read(answer);
    let mut told = BTreeSet::new();
    for (duid, address, len) in messages.iter().flatten() {
        assert_eq!((&duid[..], *len), (&[0, 1, OVERSIZED][..], 128));
        assert!(told.insert(*address), "{address} came twice");
    }
    for message in messages {
        let links: BTreeSet<u16> = message.iter().map(|(_, address, _)| address.segments()[2]).collect();
        assert_eq!(links.len(), 1, "one link a message");
    }
    assert_eq!(kinds.last(), Some(if kinds.len() == 1 { &15 } else { &16 }));
    (told, status(answer))
}

/// The status code of the last message.
fn status(mut answer: &[u8]) -> Option<u16> {
    let mut last = answer;
    while !answer.is_empty() {
        let message;
        (message, answer) = answer.split_at(2 + usize::from(u16::from_be_bytes([answer[0], answer[1]])));
        last = message;
    }
    let statuses = options(&last[6..]).into_iter().filter(|&(code, _)| code == 13);
    statuses.map(|(_, value)| u16::from_be_bytes([value[0], value[1]])).next()
}

#[test]
fn all_bindings_of_an_oversized_client_come_once() {
    let (first, second) = (addresses(1), addresses(2));
    let both: BTreeSet<Ipv6Addr> = &first | &second;
    let none = BTreeSet::new();
    let (on_1, on_2) = (address(1, 2_999), address(2, 0));
    let (not_configured, free) = (Some(9), None);
    let rows = [
        (by_duid("::"), &both, None),
        (by_duid("2001:db8:1::1"), &first, None),
        (by_duid("2001:db8:2::1"), &second, None),
        (by_duid("2001:db8:3::1"), &none, free),
        (by_duid("2001:db8:9::1"), &none, not_configured),
        // All bindings on the link of the address (RFC 5007 §4.1.2.1), as of any client.
        (by_address("::", on_1), &first, None),
        (by_address("::", on_2), &second, None),
        (by_address("2001:db8:1::1", on_1), &first, None),
        (by_address("2001:db8:2::1", on_2), &second, None),
        (by_address("2001:db8:2::1", on_1), &none, free),
        (by_address("2001:db8:9::1", on_1), &none, not_configured),
    ];
    for has_indexes in [true, false] {
        let mut rig = rig(has_indexes);
        for (query, expected, status) in &rows {
            let (answer, is_closed) = rig.answer(query);
            let (told, told_status) = told(&answer);
            assert!(told == **expected, "{} of {} for {query:?}", told.len(), expected.len());
            assert_eq!((told_status, is_closed), (*status, false), "{query:?}");
        }
    }
}

#[test]
fn a_restricted_requestor_gets_the_bindings_that_it_may_see() {
    let mut rig = rig(true);
    // A lease that another agent relayed.
    let mut other = row(OVERSIZED, &address(2, 5).to_string(), 128, 2);
    other.options = Vec::new();
    rig.writer.apply(&batch(&[other]));
    // The agent that relayed all others, which is configured for link 1.
    rig.restrict("2001:db8:1::1");
    let mut both: BTreeSet<Ipv6Addr> = &addresses(1) | &addresses(2);
    both.remove(&address(2, 5));
    let (answer, _) = rig.answer(&by_duid("::"));
    assert!(told(&answer) == (both, None));
    const NOT_ALLOWED: Option<u16> = Some(10);
    let hidden = told(&rig.answer(&by_address("::", address(2, 5))).0);
    assert_eq!(hidden, (BTreeSet::new(), NOT_ALLOWED));
    rig.restrict("2001:db8:77::1");
    for query in [by_duid("::"), by_duid("2001:db8:1::1"), by_address("::", address(1, 1))] {
        assert_eq!(told(&rig.answer(&query).0), (BTreeSet::new(), NOT_ALLOWED), "{query:?}");
    }
}

/// A lease whose row is unreadable may be the client's: UnspecFail behind all others.
#[test]
fn an_unreadable_lease_may_be_the_oversized_clients() {
    let mut rig = rig(true);
    let mut unreadable = Batch::new();
    let lease = Change::Unreadable { address: address(1, 9_999), prefix_len: 128, duid: b"" };
    unreadable.push(lease).unwrap();
    rig.writer.apply(&unreadable);
    const UNSPEC_FAIL: Option<u16> = Some(1);
    assert!(told(&rig.answer(&by_duid("::")).0) == (&addresses(1) | &addresses(2), UNSPEC_FAIL));
    assert!(told(&rig.answer(&by_address("::", address(1, 4))).0) == (addresses(1), UNSPEC_FAIL));
    // It is on the other link, if anywhere.
    assert!(told(&rig.answer(&by_duid("2001:db8:2::1")).0) == (addresses(2), None));
}

/// As many unreadable leases as make them come by segment are no bindings.
#[test]
fn many_unreadable_leases_are_no_bindings() {
    let mut rig = Rig::with(&[row(OVERSIZED, "2001:db8:1::1", 128, 1)], true, "::1/128");
    let mut unreadable = Batch::new();
    for number in 0..3_000 {
        let lease = Change::Unreadable { address: address(2, number), prefix_len: 128, duid: b"" };
        unreadable.push(lease).unwrap();
    }
    rig.writer.apply(&unreadable);
    let (of_link_1, is_closed) = rig.answer(&query(1, 4, "2001:db8:1::1", &[]));
    assert_eq!((told(&of_link_1), is_closed), (([address_of("2001:db8:1::1")].into(), None), false));
    let of_link_2 = rig.answer(&query(1, 4, "2001:db8:2::1", &[])).0;
    assert_eq!(told(&of_link_2), (BTreeSet::new(), Some(1)));
}

fn address_of(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

const QUERY_TERMINATED: Option<u16> = Some(11);

#[test]
fn a_query_ends_when_its_client_ceases_to_be_oversized() {
    let mut rig = rig(true);
    let (mut session, mut answer) = (Rig::session(), Vec::new());
    rig.receive(&mut session, &by_duid("::"));
    rig.send(&mut session, &mut answer);
    assert_eq!(read(&answer).0[0], 15);
    let mut removals = Batch::new();
    addresses(1).into_iter().for_each(|address| removals.remove(Removal::gone(address)));
    addresses(2).into_iter().skip(1_000).for_each(|address| removals.remove(Removal::gone(address)));
    rig.writer.apply(&removals);
    assert_eq!(rig.writer.oversized_count(), 0);
    let (rest, is_closed) = rig.drain(&mut session);
    assert_eq!((told(&[answer, rest].concat()).1, is_closed), (QUERY_TERMINATED, true));
}

/// Three messages of a client that fits one record, and a lease more before the last.
#[test]
fn a_query_ends_when_its_client_becomes_oversized() {
    let rows: Vec<Row> = (1..=3_u16)
        .flat_map(|link| (0..if link == 3 { 2 } else { 1_168 }).map(move |n| (link, n)))
        .map(|(link, n)| {
            let first = Ipv6Addr::new(0x2001, 0xdb8, link << 8 | n >> 8, (n & 0xff) << 8, 0, 0, 0, 0);
            row(OVERSIZED, &first.to_string(), 56, link.into())
        })
        .collect();
    let mut rig = Rig::new(&[]);
    rig.writer.apply(&batch(&rows));
    let (mut session, mut answer) = (Rig::session(), Vec::new());
    rig.receive(&mut session, &by_duid("::"));
    rig.send(&mut session, &mut answer);
    assert_eq!(read(&answer).0, [15, 17]);
    let more: Vec<Row> = (0..9).map(|n| row(OVERSIZED, &address(1, n).to_string(), 128, 1)).collect();
    rig.writer.apply(&batch(&more));
    assert_eq!(rig.writer.oversized_count(), 1);
    let (rest, is_closed) = rig.drain(&mut session);
    assert_eq!((read(&rest).0, status(&rest), is_closed), (vec![16], QUERY_TERMINATED, true));
}

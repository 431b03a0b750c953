use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::limits::Limits;
use crate::store::Reader;
use crate::{Batch, Change, Lease, LeaseKind, Link, Prefix, Subnet, SubnetOptions, Writer};

/// Lease `n` of link `link`, 0 or 1.
fn lease(link: u128, n: u32, duid: &[u8]) -> Lease<'_> {
    Lease {
        address: (0x2001_0db8 << 96 | link << 64 | u128::from(n)).into(),
        prefix_len: 128,
        kind: LeaseKind::Address,
        duid,
        valid_lifetime: 1,
        preferred_lifetime: 1,
        cltt: 0,
        subnet_id: 1 + link as u32,
        options: &[],
    }
}

/// Two links, 2001:db8::/64 and 2001:db8:0:1::/64, with subnet ids 1 and 2.
fn links() -> Links {
    let link = |id: u32| {
        let address = lease(id.into(), 0, &[]).address;
        let (pd_pools, options) = (Vec::new(), SubnetOptions::default());
        let subnet = Subnet { id: 1 + id, prefix: Prefix { address, len: 64 }, pd_pools, options };
        Link { address: None, subnets: vec![subnet], relay_addresses: Vec::new() }
    };
    Links::new(vec![link(0), link(1)]).unwrap()
}

fn apply(writer: &mut Writer, changes: &[Change<'_>]) {
    let mut batch = Batch::new();
    changes.iter().for_each(|&change| batch.push(change).unwrap());
    writer.apply(&batch);
}

fn duid(client: Client<'_>) -> Vec<u8> {
    let mut duid = vec![0; client.duid_len()];
    client.copy_duid(&mut duid);
    duid
}

/// The clients that come, each once, and the number of bindings with each, those of segments included.
fn scan(reader: &mut Reader, mut cursor: Cursor, slice: u32) -> BTreeMap<Vec<u8>, usize> {
    let (mut clients, mut segments) = (BTreeMap::new(), Vec::new());
    while !cursor.is_done() {
        let leases = reader.pin();
        for scanned in cursor.advance(&leases, slice).expect("nothing was replaced") {
            match scanned {
                Scanned::Client(client) => {
                    let before = clients.insert(duid(client), client.len());
                    assert_eq!(before, None, "{:?} came twice", duid(client));
                }
                Scanned::Segment(segment) => segments.push((duid(segment), segment.len())),
            }
        }
    }
    for (duid, len) in segments {
        *clients.get_mut(&duid).expect("the client of a segment came, too") += len;
    }
    clients
}

#[test]
fn slices_of_any_size_come_to_each_client_once() {
    let (mut writer, store) = Writer::new();
    let mut batch = Batch::new();
    for n in 0..5_000_u32 {
        batch.put(&lease(0, n, &(n / 2).to_be_bytes())).unwrap();
    }
    writer.apply(&batch);
    let mut reader = store.reader().unwrap();
    let expected: BTreeMap<_, _> = (0..2_500_u32).map(|n| (n.to_be_bytes().to_vec(), 2)).collect();
    for slice in [0, 1, 999, u32::MAX] {
        assert_eq!(scan(&mut reader, Cursor::all(), slice), expected, "slices of {slice}");
    }
}

#[test]
fn a_scan_of_no_clients_is_done_after_one_slice() {
    let (_writer, store) = Writer::new();
    let mut cursor = Cursor::all();
    assert!(!cursor.is_done());
    assert_eq!(cursor.advance(&store.reader().unwrap().pin(), 1).unwrap().count(), 0);
    assert!(cursor.is_done());
}

#[test]
fn a_slice_that_is_dropped_early_goes_on_behind_its_last_client() {
    let (mut writer, store) = Writer::new();
    let duids: Vec<_> = (0..10_u32).map(u32::to_be_bytes).collect();
    let changes: Vec<_> = duids.iter().zip(0..).map(|(duid, n)| Change::Put(lease(0, n, duid))).collect();
    apply(&mut writer, &changes);
    let mut reader = store.reader().unwrap();
    let (mut cursor, mut seen) = (Cursor::all(), BTreeSet::new());
    while !cursor.is_done() {
        let leases = reader.pin();
        for scanned in cursor.advance(&leases, u32::MAX).unwrap().take(3) {
            let Scanned::Client(client) = scanned else { panic!("a segment of a small client") };
            assert!(seen.insert(duid(client)));
        }
    }
    assert_eq!(seen.len(), 10);
}

#[test]
fn a_replaced_generation_is_reported_once_and_then_scanned_whole() {
    let (mut writer, store) = Writer::new();
    let mut reader = store.reader().unwrap();
    let (one, two) = (Change::Put(lease(0, 1, b"one")), Change::Put(lease(0, 2, b"two")));
    apply(&mut writer, &[one, two]);
    let mut cursor = Cursor::all();
    assert_eq!(cursor.advance(&reader.pin(), 1).unwrap().count(), 1);
    apply(&mut writer, &[Change::Put(lease(0, 2, b"two"))]);
    assert_eq!(cursor.advance(&reader.pin(), 1).unwrap().count(), 1, "a batch of changes replaces nothing");
    assert!(cursor.is_done());
    let replace_links: fn(&mut Writer) = |writer| writer.set_links(links());
    let replace_leases: fn(&mut Writer) = |writer| {
        let mut batch = Batch::new();
        batch.put(&lease(0, 3, b"three")).unwrap();
        writer.replace(&[batch], None);
    };
    for (replace, clients) in [(replace_links, 2), (replace_leases, 1)] {
        let mut cursor = Cursor::all();
        assert_eq!(cursor.advance(&reader.pin(), 1).unwrap().count(), 1);
        replace(&mut writer);
        assert_eq!(cursor.advance(&reader.pin(), 1).err(), Some(ReplacedError));
        assert!(!cursor.is_done());
        assert_eq!(scan(&mut reader, cursor, 1).len(), clients);
    }
}

/// A requestor may be slow, and clients come faster than it reads.
#[test]
fn a_scan_ends_however_many_clients_come() {
    let (mut writer, store) = Writer::new();
    let mut reader = store.reader().unwrap();
    apply(&mut writer, &[Change::Put(lease(0, 0, b"first")), Change::Put(lease(0, 1, b"second"))]);
    let (mut cursor, mut seen) = (Cursor::all(), 0);
    for n in 2..10_u32 {
        seen += cursor.advance(&reader.pin(), 1).unwrap().count();
        apply(&mut writer, &[Change::Put(lease(0, n, &n.to_be_bytes()))]);
    }
    assert!(cursor.is_done());
    assert_eq!(seen, 2);
}

#[test]
fn a_scan_of_a_link_comes_to_its_clients_with_all_their_bindings() {
    let (mut writer, store) = Writer::new();
    let mut reader = store.reader().unwrap();
    writer.set_links(links());
    let here = [Change::Put(lease(0, 1, b"here")), Change::Put(lease(0, 2, b"both"))];
    let there = [Change::Put(lease(1, 1, b"there")), Change::Put(lease(1, 2, b"both"))];
    let nowhere = [Change::Put(lease(7, 1, b"nowhere"))];
    apply(&mut writer, &[&here[..], &there, &nowhere].concat());
    let rows = [
        ("2001:db8::1:2:3", vec![(b"both".to_vec(), 2), (b"here".to_vec(), 1)]),
        ("2001:db8:0:1::", vec![(b"both".to_vec(), 2), (b"there".to_vec(), 1)]),
        ("2001:db8:0:7::1", vec![]),
    ];
    for (link_address, expected) in rows {
        let cursor = Cursor::of_links(link_address.parse().unwrap());
        assert_eq!(scan(&mut reader, cursor, 2), BTreeMap::from_iter(expected), "{link_address}");
    }
}

#[test]
fn a_client_that_may_have_a_lease_on_the_link_comes_too() {
    let (mut writer, store) = Writer::with_limits(Limits { leases: 4, words: 80, segment: 2 });
    let mut reader = store.reader().unwrap();
    writer.set_links(links());
    let unreadable =
        Change::Unreadable { address: lease(1, 1, &[]).address, prefix_len: 128, duid: b"doubt" };
    apply(&mut writer, &[Change::Put(lease(1, 2, b"other")), unreadable]);
    let many: Vec<_> = (10..15).map(|n| Change::Put(lease(1, n, b"oversized"))).collect();
    apply(&mut writer, &many);
    let rows = [
        (0, vec![(b"doubt".to_vec(), 0), (b"oversized".to_vec(), 0), (b"".to_vec(), 1)]),
        (
            1,
            vec![
                (b"doubt".to_vec(), 0),
                (b"other".to_vec(), 1),
                (b"oversized".to_vec(), 5),
                (b"".to_vec(), 1),
            ],
        ),
    ];
    for (link, expected) in rows {
        let cursor = Cursor::of_links(lease(link, 0, &[]).address);
        assert_eq!(scan(&mut reader, cursor, 1), BTreeMap::from_iter(expected), "link {link}");
    }
}

#[test]
fn a_scan_notices_a_client_that_becomes_oversized() {
    let (mut writer, store) = Writer::new();
    let mut reader = store.reader().unwrap();
    let duid = [0, 3, 1];
    let leases: Vec<_> = (0..=crate::CLIENT_LEASES_MAX as u32).map(|n| lease(0, n, &duid)).collect();
    let put = |writer: &mut Writer, leases: &[Lease<'_>]| {
        let mut batch = Batch::new();
        leases.iter().for_each(|lease| batch.put(lease).unwrap());
        writer.apply(&batch);
    };
    put(&mut writer, &leases[..1]);
    let mut cursor = Cursor::all();
    let mut is_torn = |cursor: &mut Cursor| {
        let leases = reader.pin();
        cursor.advance(&leases, 1).unwrap().for_each(drop);
        cursor.is_torn(&leases)
    };
    assert!(!is_torn(&mut cursor));
    put(&mut writer, &leases[1..2]);
    assert!(!is_torn(&mut cursor), "the client only got a lease");
    put(&mut writer, &leases[2..]);
    assert!(is_torn(&mut cursor));
    assert!(!is_torn(&mut Cursor::all()), "a scan that began later");
}

#[test]
fn a_scan_of_an_oversized_client_comes_to_all_its_leases_and_to_unreadable_ones() {
    let has_link = |link| crate::SecondaryIndexes { link, ..crate::SecondaryIndexes::default() };
    for indexes in [has_link(false), has_link(true)] {
        let (mut writer, store) = Writer::with_limits(Limits { leases: 4, words: 80, segment: 2 });
        let mut reader = store.reader().unwrap();
        writer.set_secondary_indexes(indexes);
        writer.set_links(links());
        apply(&mut writer, &[Change::Put(lease(0, 1, b"small")), Change::Put(lease(0, 2, b"doubt"))]);
        for (first, duid) in [(10, b"one"), (20, b"two")] {
            let many: Vec<_> = (first..first + 7).map(|n| Change::Put(lease(1, n, duid))).collect();
            apply(&mut writer, &many);
        }
        let one = [(b"one".to_vec(), 7)];
        assert_eq!(scan(&mut reader, Cursor::of_oversized(b"one"), 1), one.clone().into());
        assert_eq!(scan(&mut reader, Cursor::of_oversized(b"small"), 1), BTreeMap::new());
        let (address, duid) = (lease(1, 99, &[]).address, b"doubt");
        apply(&mut writer, &[Change::Unreadable { address, prefix_len: 128, duid }]);
        let [one] = one;
        assert_eq!(scan(&mut reader, Cursor::of_oversized(b"one"), 2), [one, (vec![], 1)].into());
        assert_eq!(scan(&mut reader, Cursor::of_oversized(b"doubt"), 2), [(vec![], 1)].into());
    }
}

//! Clients with more leases than one reply can tell.

use super::*;
use crate::CLIENT_LEASES_MAX;
use crate::limits::Limits;

/// So few that the model test's clients become oversized and whole again all the time.
pub(super) const TINY: Limits = Limits { leases: 4, words: 80, segment: 2 };

/// Compares the leases found by the DUID of each client, or that they are too many; `is_loaded`: just now.
fn check_clients(reader: &mut Reader, model: &Model, is_loaded: bool) -> usize {
    let pinned = reader.pin();
    let mut oversized = 0;
    // And the one that stands for leases that cannot be read, which is bounded as others are.
    for number in 0..7 {
        let duid = if number == 6 { Vec::new() } else { duid(number) };
        let mut found = [None];
        look_up(&pinned, NOW, &[Lookup::Duid(&duid)], &mut found);
        let expected: Vec<_> = model.leases.values().filter(|lease| lease.duid == duid).collect();
        let is_in_doubt = model.is_in_doubt(&duid);
        assert_eq!(found[0].is_some(), is_in_doubt || !expected.is_empty(), "client {number}");
        let Some(client) = found[0].map(|found| found.client) else { continue };
        assert!(client.has_duid(&duid));
        assert_eq!(client.has_unlisted_bindings(), is_in_doubt || client.is_oversized(), "client {number}");
        let large: usize = expected.iter().map(|lease| lease.options.len()).sum();
        if client.is_oversized() {
            oversized += 1;
            assert!(client.is_empty());
            let least = if is_loaded { TINY.leases } else { TINY.leases / 2 };
            assert!(expected.len() > least || large > 100, "client {number} has {} leases", expected.len());
        } else {
            assert!(expected.len() <= TINY.leases, "client {number} has {} leases", expected.len());
            let addresses: BTreeSet<_> =
                client.bindings().map(|binding| u128::from(binding.address)).collect();
            assert_eq!(client.len(), expected.len());
            assert!(expected.iter().all(|lease| addresses.contains(&lease.lease().first())));
        }
    }
    oversized
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Leases that come, leave, change hands, in batches and snapshots: each address leads to its client,
    /// however many leases that has, and a client's leases are told whole or not at all.
    #[test]
    fn oversized_clients_are_found_by_each_address(
        ops in prop::collection::vec(op(), 1..200),
        large in prop::option::weighted(0.3, 0_u8..6),
    ) {
        let (mut writer, store) = Writer::with_limits(TINY);
        let mut reader = store.reader().unwrap();
        let (mut model, mut batch, mut all) = (Model::default(), Batch::new(), Batch::new());
        for mut op in ops.into_iter().chain([Op::Publish]) {
            if let Op::Put(lease) = &mut op
                && large.is_some()
                && large == lease.duid.first().copied()
            {
                // One client's leases have more options than its record has room for, no two the same.
                let own = u128::from(lease.address).to_be_bytes();
                lease.options = [&[0, 39, 0, 216], &own[..], &[7; 200]].concat();
            }
            step(&op, &mut all, &mut Model::default());
            step(&op, &mut batch, &mut model);
            if matches!(op, Op::Put(_) | Op::Remove(_)) {
                continue;
            }
            let is_loaded = matches!(op, Op::Replace);
            if is_loaded {
                writer.replace(std::slice::from_ref(&all), None);
            } else {
                writer.apply(&batch);
            }
            batch.clear();
            check_addresses(&mut reader, &model.leases);
            let oversized = check_clients(&mut reader, &model, is_loaded);
            let summary = store.summary();
            prop_assert_eq!(summary.leases, model.leases.len());
            prop_assert_eq!(summary.clients, model.clients());
            prop_assert_eq!(summary.oversized_clients, oversized);
            prop_assert_eq!(writer.oversized().count(), oversized);
            let leases: usize = writer.oversized().map(|client| client.leases).sum();
            prop_assert_eq!(summary.oversized_leases, leases);
            for OversizedClient { duid, leases } in writer.oversized() {
                prop_assert_eq!(model.leases.values().filter(|lease| lease.duid == duid).count(), leases);
            }
        }
    }

    /// The last row counts, of addresses that several oversized clients claim in one snapshot, too.
    #[test]
    fn the_last_row_of_a_snapshot_counts_among_oversized_clients(
        ops in prop::collection::vec(op(), 1..300),
        cut in 1_usize..50,
    ) {
        let mut model = Model::default();
        let mut batches = vec![Batch::new()];
        for op in ops {
            if batches.last().is_some_and(|batch| batch.len() == cut) {
                batches.push(Batch::new());
            }
            step(&op, batches.last_mut().unwrap(), &mut model);
        }
        let (mut writer, store) = Writer::with_limits(TINY);
        prop_assert_eq!(writer.replace(&batches, None).put, model.leases.len());
        let mut reader = store.reader().unwrap();
        check_addresses(&mut reader, &model.leases);
        let oversized = check_clients(&mut reader, &model, true);
        prop_assert_eq!(store.summary().oversized_clients, oversized);
        prop_assert_eq!(store.summary().clients, model.clients());
        // A loaded generation can be changed: all leases leave.
        let mut batch = Batch::new();
        model.leases.keys().for_each(|&address| batch.remove(Removal::gone(address)));
        writer.apply(&batch);
        prop_assert_eq!((store.summary().leases, store.summary().clients), (0, 0));
        check_addresses(&mut reader, &BTreeMap::new());
    }
}

/// Lease `n` of a client.
fn lease<'a>(n: u32, duid: &'a [u8], options: &'a [u8]) -> Lease<'a> {
    Lease {
        address: (0x2001_0db8 << 96 | u128::from(n)).into(),
        prefix_len: 128,
        kind: LeaseKind::Address,
        duid,
        valid_lifetime: 11,
        preferred_lifetime: 11,
        cltt: NOW - 10,
        subnet_id: 1,
        options,
    }
}

fn puts(numbers: impl Iterator<Item = u32>, duid: &[u8]) -> Batch {
    let mut batch = Batch::new();
    numbers.for_each(|n| batch.put(&lease(n, duid, &[])).unwrap());
    batch
}

fn removals(numbers: impl Iterator<Item = u32>) -> Batch {
    let mut batch = Batch::new();
    numbers.for_each(|n| batch.remove(Removal::gone(lease(n, &[], &[]).address)));
    batch
}

/// Number of leases in the record of the client with this DUID, and whether it is oversized.
fn told(reader: &mut Reader, duid: &[u8]) -> Option<(usize, bool)> {
    let mut found = [None];
    let pinned = reader.pin();
    look_up(&pinned, NOW, &[Lookup::Duid(duid)], &mut found);
    found[0].map(|found| (found.client.len(), found.client.is_oversized()))
}

/// Whether the client with this DUID has lease `n`; most leases that are looked at.
fn holds(reader: &mut Reader, n: u32, duid: &[u8]) -> (bool, usize) {
    let mut found = [None];
    let pinned = reader.pin();
    look_up(&pinned, NOW, &[Lookup::Covering(lease(n, duid, &[]).address)], &mut found);
    found[0].map_or((false, 0), |found| (found.client.has_duid(duid), found.client.len()))
}

/// A client with 2,339 leases is answered whole, with one more not at all, until it has lost half of them.
#[test]
fn a_client_with_more_leases_than_a_reply_holds_is_oversized() {
    let most = CLIENT_LEASES_MAX as u32;
    let (mut writer, store) = Writer::new();
    let mut reader = store.reader().unwrap();
    writer.apply(&puts(0..most, b"largest"));
    assert_eq!(told(&mut reader, b"largest"), Some((2_339, false)));
    writer.apply(&puts(most..most + 1, b"largest"));
    assert_eq!(told(&mut reader, b"largest"), Some((0, true)));
    assert!((0..=most).all(|n| holds(&mut reader, n, b"largest").0));
    assert_eq!(
        writer.oversized().collect::<Vec<_>>(),
        [OversizedClient { duid: b"largest".to_vec(), leases: 2_340 }]
    );
    // Leases that pass to others, and from others.
    writer.apply(&puts(0..1_000, b"other"));
    writer.apply(&puts((5_000..5_300).chain(0..10), b"largest"));
    assert_eq!(store.summary().oversized_leases, 2_340 - 1_000 + 300 + 10);
    assert!((10..1_000).all(|n| holds(&mut reader, n, b"other").0));
    assert!((0..10).chain(1_000..=most).chain(5_000..5_300).all(|n| holds(&mut reader, n, b"largest").0));
    writer.apply(&removals((0..10).chain(5_000..5_300)));
    assert_eq!(told(&mut reader, b"largest"), Some((0, true)));
    writer.apply(&removals(1_000..1_170));
    assert_eq!(told(&mut reader, b"largest"), Some((0, true)), "1,170 are left, one more than half");
    writer.apply(&removals(1_170..1_171));
    assert_eq!(told(&mut reader, b"largest"), Some((1_169, false)));
    assert_eq!((store.summary().oversized_clients, store.summary().oversized_leases), (0, 0));
    assert!((1_171..=most).all(|n| holds(&mut reader, n, b"largest").0));
}

/// A snapshot in which another client took so many that the rest fits is told whole; and one that loses all
/// is gone.
#[test]
fn a_loaded_client_is_oversized_only_if_it_is() {
    let (mut writer, store) = Writer::new();
    let mut reader = store.reader().unwrap();
    writer.replace(&[puts(0..10_000, b"largest"), puts(1_000..10_000, b"other")], None);
    assert_eq!(
        (told(&mut reader, b"largest"), told(&mut reader, b"other")),
        (Some((1_000, false)), Some((0, true)))
    );
    assert_eq!((store.summary().clients, store.summary().oversized_clients), (2, 1));
    writer.replace(&[puts(0..10_000, b"largest"), removals(0..10_000), puts(7..8, b"third")], None);
    assert_eq!((told(&mut reader, b"largest"), told(&mut reader, b"third")), (None, Some((1, false))));
    assert_eq!((store.summary().clients, store.summary().leases), (1, 1));
}

/// Options without end cost no lease, in a snapshot or live; no more do they cost another client's.
#[test]
fn leases_with_more_options_than_a_record_holds_are_kept() {
    let options = |n: u32| [[0, 39, 255, 208].as_slice(), &n.to_be_bytes(), &[7; 65_484]].concat();
    let mut batch = puts(5_000..5_001, b"other");
    (0..1_030).for_each(|n| batch.put(&lease(n, b"largest", &options(n))).unwrap());
    for is_live in [false, true] {
        let (mut writer, store) = Writer::new();
        let mut reader = store.reader().unwrap();
        if is_live {
            writer.apply(&batch)
        } else {
            writer.replace(std::slice::from_ref(&batch), None)
        };
        assert!((0..1_030).all(|n| holds(&mut reader, n, b"largest").0), "live: {is_live}");
        assert_eq!(
            (told(&mut reader, b"largest"), told(&mut reader, b"other")),
            (Some((0, true)), Some((1, false)))
        );
        // Few as they are, the rest of them does not fit; then it does.
        writer.apply(&removals(20..1_030));
        assert_eq!(told(&mut reader, b"largest"), Some((0, true)), "live: {is_live}");
        writer.apply(&removals(10..20));
        assert_eq!(told(&mut reader, b"largest"), Some((10, false)), "live: {is_live}");
        assert!((0..10).all(|n| holds(&mut reader, n, b"largest").0), "live: {is_live}");
    }
}

/// However many leases a client has, a change of one writes no more words than one of 2,339 leases takes, and
/// a query looks at no more leases than a segment holds.
#[test]
fn cost_is_bounded_however_many_leases_a_client_has() {
    const LOADED: u32 = 1_000_000;
    const ALL: u32 = 2_000_000;
    const BATCH: u32 = 4_096;
    let words_max = 1 + 1 + 5 * CLIENT_LEASES_MAX;
    let (mut writer, store) = Writer::new();
    let mut reader = store.reader().unwrap();
    // Up to the limit one by one, which is the dearest.
    let one = |writer: &mut Writer, batch: &Batch| {
        let before = writer.allocator.words_given;
        writer.apply(batch);
        writer.allocator.words_given - before
    };
    for n in 0..CLIENT_LEASES_MAX as u32 + 10 {
        let words = one(&mut writer, &puts(n..=n, b"largest"));
        assert!(words <= 3 * words_max, "{words} words for lease {n}");
    }
    writer.replace(&[puts(0..LOADED, b"largest")], None);
    assert_eq!((store.summary().leases, store.summary().clients), (LOADED as usize, 1));
    for from in (LOADED..ALL).step_by(BATCH as usize) {
        writer.apply(&puts(from..ALL.min(from + BATCH), b"largest"));
    }
    assert_eq!((store.summary().oversized_leases, store.summary().oversized_clients), (ALL as usize, 1));
    // A lease that comes, is renewed, or leaves.
    let segment = 2 + 5 * Limits::STANDARD.segment;
    for n in [0, LOADED / 3, LOADED, ALL - 1] {
        for batch in
            [removals(n..=n), puts(n..=n, b"largest"), puts(n..=n, b"largest"), puts(n..=n, b"other")]
        {
            // Sometimes the map's shard is rewritten.
            assert!(one(&mut writer, &batch) <= 3 * segment + crate::arena::BLOCK_WORDS, "lease {n}");
        }
        writer.apply(&puts(n..=n, b"largest"));
    }
    for n in (0..ALL).step_by(997) {
        let (holds, looked_at) = holds(&mut reader, n, b"largest");
        assert!(holds && looked_at <= Limits::STANDARD.segment, "lease {n}: looked at {looked_at}");
    }
    assert_eq!(told(&mut reader, b"largest"), Some((0, true)));
    writer.apply(&removals(0..ALL));
    assert_eq!((store.summary().leases, store.summary().clients), (0, 0));
}

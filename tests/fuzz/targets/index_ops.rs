//! Random changes and snapshots: readers find the leases of a plain map.
#![no_main]
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::sync::Arc;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use lqd_fuzz::{NOW, OwnedLease};
use lqd_index::{Batch, Client, LeaseKind, Lookup, Reader, Removal, Store, Writer};

#[derive(Arbitrary, Debug)]
enum Op {
    Put {
        place: Place,
        len: u8,
        client: u8,
        ended: bool,
        options: u8,
    },
    Remove(Place),
    /// Apply the changes so far.
    Publish,
    /// Replace all leases by a snapshot, in batches of this size.
    Replace(u8),
}

/// Few addresses, near and far, so that leases change clients and lengths, and prefixes nest.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Place {
    /// Position of a set bit, in addition to those of 2001:db8::/32.
    bit: u8,
    low: u8,
}

impl Place {
    fn address(self) -> u128 {
        // Bits of the network part stay, so that addresses are near each other.
        let far = 1_u128.checked_shl(self.bit.into()).unwrap_or(0);
        0x2001_0db8 << 96
            | far & (u128::MAX >> 32)
            | u128::from(self.low >> 4) << 60
            | u128::from(self.low & 15)
    }
}

/// Length of a prefix; 128 or more is an address.
fn lease(place: Place, len: u8, client: u8, ended: bool, options: u8) -> OwnedLease {
    let (kind, prefix_len) = match len {
        0 => (LeaseKind::Prefix, 1),
        // Lengths beyond 128 make addresses as likely as prefixes.
        1..=128 => (LeaseKind::Prefix, len),
        _ => (LeaseKind::Address, 128),
    };
    OwnedLease {
        address: (place.address() & u128::MAX << (128 - prefix_len)).into(),
        prefix_len,
        kind,
        duid: duid(client),
        // One second of lifetime decides between expired and live.
        valid_lifetime: if ended { 10 } else { 11 },
        preferred_lifetime: 5,
        cltt: NOW - 10,
        subnet_id: options.into(),
        options: [0, 39, 0, 1, options].repeat((options % 4).into()),
    }
}

fn duid(client: u8) -> Vec<u8> {
    let client = client % 8;
    // Lengths around the borders of words.
    vec![client; [1, 7, 8, 9, 14, 16, 63, 130][usize::from(client)]]
}

struct Index {
    writer: Writer,
    store: Arc<Store>,
    reader: Reader,
}

impl Index {
    fn new() -> Self {
        let (writer, store) = Writer::new();
        let reader = store.reader().expect("the store has no reader yet");
        Self { writer, store, reader }
    }

    fn check(&mut self, model: &BTreeMap<Ipv6Addr, OwnedLease>, asked: &BTreeSet<Ipv6Addr>) {
        let pinned = self.reader.pin();
        for &address in asked {
            let found = pinned.find(Lookup::Covering(address), NOW);
            let covering =
                found.and_then(|found| found.covering().map(|lease| (lease.binding().address, found.client)));
            let live = model.values().filter(|lease| lease.is_live(NOW) && lease.covers(address));
            // The model is a plain search.
            let expected = live.max_by_key(|lease| lease.prefix_len);
            assert_eq!(
                covering.map(|(lease, _)| lease),
                expected.map(|lease| lease.address),
                "around {address}"
            );
            if let (Some((_, client)), Some(lease)) = (covering, expected) {
                assert!(client.has_duid(&lease.duid), "whose is {address}");
            }
        }
        for duid in (0..8).map(duid) {
            let found = pinned.find(Lookup::Duid(&duid), NOW);
            let found = found.map_or_else(Vec::new, |found| leases(found.client, &duid));
            let mut expected: Vec<_> = model.values().filter(|lease| lease.duid == duid).cloned().collect();
            // The index keeps the order of a reply.
            expected.sort_by_key(OwnedLease::order);
            assert_eq!(found, expected);
        }
        let clients: BTreeSet<_> = model.values().map(|lease| &lease.duid).collect();
        let summary = self.store.summary();
        // Counters drift silently if they are not compared.
        assert_eq!((summary.leases, summary.clients), (model.len(), clients.len()));
    }
}

/// Every lease of a client in the index.
fn leases(client: Client<'_>, duid: &[u8]) -> Vec<OwnedLease> {
    let lease = |binding| {
        let mut options = Vec::new();
        for (_, option) in client.options(&binding).iter() {
            let start = options.len();
            // Read back as a reply is written.
            options.resize(start + option.wire_len(), 0);
            option.copy_into(&mut options[start..]);
        }
        OwnedLease {
            address: binding.address,
            prefix_len: binding.prefix_len,
            kind: binding.kind,
            duid: duid.to_vec(),
            valid_lifetime: binding.valid_lifetime,
            preferred_lifetime: binding.preferred_lifetime,
            cltt: binding.cltt,
            subnet_id: binding.subnet_id,
            options,
        }
    };
    client.bindings().map(lease).collect()
}

/// Snapshot of a model, in batches.
fn snapshot(model: &BTreeMap<Ipv6Addr, OwnedLease>, size: u8) -> Vec<Batch> {
    let leases: Vec<_> = model.values().collect();
    let batch = |leases: &[&OwnedLease]| {
        let mut batch = Batch::new();
        leases.iter().for_each(|lease| batch.put(&lease.lease()).expect("a lease that is well-formed"));
        batch
    };
    leases.chunks(usize::from(size).max(1)).map(batch).collect()
}

fuzz_target!(|ops: Vec<Op>| {
    let mut index = Index::new();
    let (mut model, mut batch, mut asked) = (BTreeMap::new(), Batch::new(), BTreeSet::new());
    // A last publish, so that every change is checked.
    for op in ops.iter().chain([&Op::Publish]) {
        match *op {
            Op::Put { place, len, client, ended, options } => {
                let lease = lease(place, len, client, ended, options);
                batch.put(&lease.lease()).expect("a lease that is well-formed");
                // Both the address as given and the first of the prefix.
                asked.extend([place.address().into(), lease.address]);
                model.insert(lease.address, lease);
            }
            Op::Remove(place) => {
                let address = place.address().into();
                batch.remove(Removal::gone(address));
                asked.insert(address);
                model.remove(&address);
            }
            Op::Publish => {
                index.writer.apply(&batch);
                batch.clear();
                index.check(&model, &asked);
            }
            Op::Replace(size) => {
                let applied = index.writer.replace(&snapshot(&model, size), None);
                assert_eq!(applied.put, model.len());
                // Changes before the snapshot are in the model already.
                batch.clear();
                index.check(&model, &asked);
            }
        }
    }
});

//! The whole index against a map of leases that is searched from end to end.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::lease::{Change, LeaseKind};
use crate::store::Reader;
use crate::{Lookup, Removal};
use lookups::look_up;

mod changes;
mod lookups;
mod memory;
mod oversized;
mod races;
mod relays;
mod scans;

const NOW: u32 = 1_700_000_000;

/// A lease that owns its DUID and options.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    address: Ipv6Addr,
    prefix_len: u8,
    kind: LeaseKind,
    duid: Vec<u8>,
    valid_lifetime: u32,
    cltt: u32,
    options: Vec<u8>,
    /// The client that it names, if it cannot be read.
    named: Vec<u8>,
}

impl Owned {
    fn lease(&self) -> Lease<'_> {
        Lease {
            address: self.address,
            prefix_len: self.prefix_len,
            kind: self.kind,
            duid: &self.duid,
            valid_lifetime: self.valid_lifetime,
            preferred_lifetime: 100,
            cltt: self.cltt,
            subnet_id: 1,
            options: &self.options,
        }
    }

    /// A lease that cannot be read, as the index has it.
    fn unreadable(address: u128, prefix_len: u8, named: Vec<u8>) -> Self {
        Self {
            address: address.into(),
            prefix_len,
            kind: if prefix_len == 128 { LeaseKind::Address } else { LeaseKind::Prefix },
            duid: Vec::new(),
            valid_lifetime: crate::INFINITY,
            cltt: 0,
            options: Vec::new(),
            named,
        }
    }

    fn covers(&self, address: Ipv6Addr) -> bool {
        let differs = u128::from(self.address) ^ u128::from(address);
        let is_valid = self.valid_lifetime == crate::INFINITY || self.cltt + self.valid_lifetime > NOW;
        is_valid && differs & crate::lease::mask(self.prefix_len) == 0
    }

    fn push_to(&self, batch: &mut Batch) {
        let change = match &self.duid[..] {
            [] => {
                let Self { address, prefix_len, named: duid, .. } = self;
                Change::Unreadable { address: *address, prefix_len: *prefix_len, duid }
            }
            _ => Change::Put(self.lease()),
        };
        batch.push(change).unwrap();
    }
}

#[derive(Clone, Debug)]
enum Op {
    Put(Owned),
    Remove(Ipv6Addr),
    /// Everything so far becomes visible.
    Publish,
    /// A new snapshot of everything so far takes the place of the old one.
    Replace,
}

/// Bits of a few addresses in and around a few prefixes.
fn bits() -> impl Strategy<Value = u128> {
    (0_u128..4, 0_u128..4, 0_u128..3)
        .prop_map(|(site, host, low)| 0x2001_0db8 << 96 | site << 72 | host << 64 | low << 63)
}

fn duid(client: u8) -> Vec<u8> {
    vec![client; 1 + 3 * usize::from(client)]
}

/// Few addresses, few clients, prefixes inside prefixes, host bits: leases change hands and lengths all the
/// time.
fn op() -> impl Strategy<Value = Op> {
    let len = prop_oneof![2 => Just(128), 2 => 54_u8..=66, 1 => 38_u8..=42];
    let put = (bits(), len.clone(), 0_u8..6, 0_u32..3, 0_u8..relays::KINDS, prop::bool::weighted(0.3))
        .prop_map(|(bits, prefix_len, client, age, options, has_host_bits)| {
            let first = bits & crate::lease::mask(prefix_len);
            Op::Put(Owned {
                address: if has_host_bits { bits } else { first }.into(),
                prefix_len,
                kind: if prefix_len == 128 { LeaseKind::Address } else { LeaseKind::Prefix },
                duid: duid(client),
                valid_lifetime: 10,
                cltt: NOW - 8 - age,
                options: relays::options(options),
                named: Vec::new(),
            })
        });
    let unreadable = (bits(), len, prop::option::of(0_u8..6)).prop_map(|(bits, prefix_len, client)| {
        Op::Put(Owned::unreadable(bits, prefix_len, client.map(duid).unwrap_or_default()))
    });
    prop_oneof![
        6 => put,
        2 => unreadable,
        3 => bits().prop_map(|bits| Op::Remove(bits.into())),
        2 => Just(Op::Publish),
        1 => Just(Op::Replace),
    ]
}

/// Expected content: leases by their addresses as written, and the clients in doubt by them.
#[derive(Default)]
struct Model {
    leases: BTreeMap<Ipv6Addr, Owned>,
    doubts: BTreeMap<Ipv6Addr, BTreeSet<Vec<u8>>>,
}

impl Model {
    fn put(&mut self, lease: Owned) {
        let (address, is_readable) = (lease.address, !lease.duid.is_empty());
        let named = lease.named.clone();
        let before = self.leases.insert(address, lease);
        if is_readable {
            self.doubts.remove(&address);
            return;
        }
        let doubts = self.doubts.entry(address).or_default();
        doubts.extend(before.map(|before| before.duid).into_iter().chain([named]));
        doubts.remove(&[][..]);
    }

    fn remove(&mut self, address: Ipv6Addr) {
        self.leases.remove(&address);
        self.doubts.remove(&address);
    }

    fn is_in_doubt(&self, duid: &[u8]) -> bool {
        self.doubts.values().flatten().any(|client| client == duid)
    }

    /// Clients, and one that stands for those that are not known.
    fn clients(&self) -> usize {
        let holders = self.leases.values().map(|lease| &lease.duid);
        holders.chain(self.doubts.values().flatten()).collect::<BTreeSet<_>>().len()
    }
}

/// Compares all that a reader can find with the model.
fn check(reader: &mut Reader, writer: &Writer, model: &Model) {
    check_addresses(reader, &model.leases);
    check_clients(reader, &writer.written, model);
}

/// Compares the lease that covers each address, looked up alone and in groups.
fn check_addresses(reader: &mut Reader, leases: &BTreeMap<Ipv6Addr, Owned>) {
    let pinned = reader.pin();
    let sites = (0..4_u128).flat_map(|site| (0..4).map(move |host| site << 72 | host << 64));
    for address in
        sites.flat_map(|bits| [bits, bits | 1, bits | 1 << 63]).map(|bits| 0x2001_0db8 << 96 | bits)
    {
        let address = Ipv6Addr::from(address);
        let rank = |lease: &Owned| (lease.prefix_len, lease.cltt);
        let covering = || leases.values().filter(|lease| lease.covers(address));
        let best = covering().map(rank).max();
        let expected: Vec<_> = covering().filter(|lease| Some(rank(lease)) == best).collect();
        let mut found = [None; 50];
        for company in [1, 5, 50] {
            look_up(&pinned, NOW, &[Lookup::Covering(address); 50][..company], &mut found);
            for found in &found[..company] {
                let covering = found.and_then(|found| found.covering().map(record::Covering::binding));
                let place = covering.map(|binding| (binding.address, binding.prefix_len, binding.cltt));
                let lease = expected.first();
                let expected =
                    lease.map(|lease| (lease.lease().first().into(), lease.prefix_len, lease.cltt));
                assert_eq!(place, expected, "lease that covers {address}");
            }
        }
        if let Some(found) = found[0] {
            let holder = |lease: &&Owned| found.client.has_duid(&lease.duid);
            assert!(expected.iter().any(holder), "holder of {address}");
        }
    }
}

/// Compares the leases of each client, and whether it is in doubt.
fn check_clients(reader: &mut Reader, written: &Written, model: &Model) {
    let pinned = reader.pin();
    for number in 0..6 {
        let duid = duid(number);
        let mut found = [None];
        look_up(&pinned, NOW, &[Lookup::Duid(&duid)], &mut found);
        let client = found[0].map(|found| found.client);
        let leases = model.leases.values().filter(|lease| lease.duid == duid);
        let mut expected: Vec<_> = leases.map(Owned::lease).collect();
        let order =
            |lease: &Lease<'_>| (record::order(lease.prefix_len, lease.kind, lease.first()), lease.address);
        expected.sort_by_key(order);
        let mut unpacked = Unpacked::default();
        unpacked.read(client, written);
        let options = |client: record::Client<'_>| {
            client.bindings().map(|binding| client.options(&binding).octets()).collect::<Vec<_>>()
        };
        let options = client.map(options).unwrap_or_default();
        let mut leases: Vec<_> =
            unpacked.leases().zip(&options).map(|(lease, options)| Lease { options, ..lease }).collect();
        leases.sort_by_key(order);
        assert_eq!(leases, expected, "leases of client {number}");
        let is_in_doubt = model.is_in_doubt(&duid);
        assert_eq!(client.is_some_and(record::Client::is_in_doubt), is_in_doubt, "is {number} in doubt");
        assert_eq!(client.is_some(), is_in_doubt || !expected.is_empty(), "is there a client {number}");
    }
}

/// Adds a change to the batch and to the model.
fn step(op: &Op, batch: &mut Batch, model: &mut Model) {
    match op {
        Op::Put(lease) => {
            lease.push_to(batch);
            model.put(lease.clone());
        }
        Op::Remove(address) => {
            batch.remove(Removal::gone(*address));
            model.remove(*address);
        }
        Op::Publish | Op::Replace => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn readers_find_what_was_published(ops in prop::collection::vec(op(), 1..120)) {
        let (mut writer, store) = Writer::new();
        let mut reader = store.reader().unwrap();
        let (mut model, mut batch, mut all) = (Model::default(), Batch::new(), Batch::new());
        for op in ops.into_iter().chain([Op::Publish]) {
            step(&op, &mut all, &mut Model::default());
            step(&op, &mut batch, &mut model);
            match op {
                Op::Put(_) | Op::Remove(_) => {}
                Op::Publish => {
                    writer.apply(&batch);
                    batch.clear();
                    check(&mut reader, &writer, &model);
                    prop_assert_eq!(store.summary().leases, model.leases.len());
                }
                Op::Replace => {
                    writer.replace(std::slice::from_ref(&all), None);
                    batch.clear();
                    check(&mut reader, &writer, &model);
                }
            }
        }
        prop_assert_eq!(store.summary().clients, model.clients());
    }

    #[test]
    fn the_last_row_of_a_snapshot_counts(ops in prop::collection::vec(op(), 1..200), cut in 1_usize..50) {
        let mut model = Model::default();
        let mut batches = vec![Batch::new()];
        for op in ops {
            if batches.last().is_some_and(|batch| batch.len() == cut) {
                batches.push(Batch::new());
            }
            step(&op, batches.last_mut().unwrap(), &mut model);
        }
        let (mut writer, store) = Writer::new();
        prop_assert_eq!(writer.replace(&batches, None).put, model.leases.len());
        check(&mut store.reader().unwrap(), &writer, &model);
    }
}

/// An address that is always bound, now to one client, now to the other, is never unbound, and a client that
/// always has two leases never has one or three.
#[test]
fn readers_see_no_half_step() {
    let (mut writer, store) = Writer::new();
    let lease = |address: &str, duid: &'static [u8]| Owned {
        address: address.parse().unwrap(),
        prefix_len: 128,
        kind: LeaseKind::Address,
        duid: duid.to_vec(),
        valid_lifetime: 11,
        cltt: NOW - 10,
        options: vec![],
        named: vec![],
    };
    let wanderer: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let mut batch = Batch::new();
    let turn = |batch: &mut Batch, n: usize| {
        batch.clear();
        batch.put(&lease("2001:db8::1", [b"one", b"two"][n % 2]).lease()).unwrap();
        for renumbered in 0..2 {
            let address =
                |n: usize| Ipv6Addr::from(0x2001_0db8 << 96 | 1 << 64 | (2 * n + renumbered) as u128);
            batch.remove(Removal::gone(address(n.wrapping_sub(1) % 64)));
            batch.put(&Owned { address: address(n % 64), ..lease("::", b"renumbered") }.lease()).unwrap();
        }
    };
    turn(&mut batch, 0);
    writer.apply(&batch);
    let stop = AtomicBool::new(false);
    let looks = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let mut reader = store.reader().unwrap();
            let (stop, looks) = (&stop, &looks);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let pinned = reader.pin();
                    let mut found = [None; 2];
                    look_up(
                        &pinned,
                        NOW,
                        &[Lookup::Covering(wanderer), Lookup::Duid(b"renumbered")],
                        &mut found,
                    );
                    assert!(found[0].is_some(), "the address was unbound for a moment");
                    assert_eq!(found[1].unwrap().client.len(), 2, "half a renumbering");
                    looks.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Ends the readers also when an assertion fails here.
        let _ended = StopOnDrop(&stop);
        for n in 1..5_000 {
            turn(&mut batch, n);
            writer.apply(&batch);
            if n % 100 == 0 {
                let mut all = Batch::new();
                std::mem::swap(&mut all, &mut batch);
                writer.replace(&[all], None);
            }
        }
    });
    assert!(looks.into_inner() > 100, "readers looked meanwhile");
}

struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn memory_is_used_again() {
    let (mut writer, store) = Writer::new();
    let mut batch = Batch::new();
    let mut octets = 0;
    for round in 0..100_u32 {
        batch.clear();
        for n in 0..2_000_u32 {
            let address = Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(n.wrapping_mul(2_654_435_761)));
            let lease = Owned {
                address,
                prefix_len: 128,
                kind: LeaseKind::Address,
                duid: n.wrapping_add(round * 7).to_be_bytes().to_vec(),
                valid_lifetime: 11,
                cltt: NOW - 10,
                named: vec![],
                options: vec![0, 79, 0, (round % 5) as u8, 0, 0, 0, 0][..4 + round as usize % 5].to_vec(),
            };
            if n % 4 == round % 4 {
                batch.remove(Removal::gone(address));
            } else {
                batch.put(&lease.lease()).unwrap();
            }
        }
        writer.apply(&batch);
        if round == 20 {
            octets = store.summary().bytes;
        }
    }
    assert!(store.summary().bytes <= octets * 3 / 2, "{} after {octets}", store.summary().bytes);
}

//! The whole index against a map of leases that is searched from end to end.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::lease::{Change, LeaseKind};
use crate::store::{LookUp, Reader};

mod memory;
mod oversized;
mod races;

const NOW: u32 = 1_700_000_000;

/// A lease that owns its DUID and options.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    address: Ipv6Addr,
    prefix_len: u8,
    kind: LeaseKind,
    duid: Vec<u8>,
    valid_lifetime: u32,
    options: Vec<u8>,
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
            cltt: NOW - 10,
            subnet_id: 1,
            options: &self.options,
        }
    }

    /// One that cannot be read, as the index has it.
    fn unreadable(address: u128, prefix_len: u8) -> Self {
        let kind = if prefix_len == 128 { LeaseKind::Address } else { LeaseKind::Prefix };
        let address = (address & crate::lease::mask(prefix_len)).into();
        Self {
            address,
            prefix_len,
            kind,
            duid: Vec::new(),
            valid_lifetime: crate::INFINITY,
            options: Vec::new(),
        }
    }

    fn push_to(&self, batch: &mut Batch) {
        let change = match &self.duid[..] {
            [] => Change::Unreadable { address: self.address, prefix_len: self.prefix_len },
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

/// Few addresses, few clients, prefixes inside prefixes: leases change hands and lengths all the time.
fn op() -> impl Strategy<Value = Op> {
    let base = (0_u128..4, 0_u128..4).prop_map(|(site, host)| 0x2001_0db8 << 96 | site << 72 | host << 64);
    let put = (base.clone(), prop_oneof![Just(128), 54_u8..=66, 38_u8..=42], 0_u8..6, any::<bool>(), 0_u8..3)
        .prop_map(|(bits, prefix_len, client, ended, options)| {
            let kind = if prefix_len == 128 { LeaseKind::Address } else { LeaseKind::Prefix };
            Op::Put(Owned {
                address: (bits & crate::lease::mask(prefix_len)).into(),
                prefix_len,
                kind,
                duid: vec![client; 1 + 3 * usize::from(client)],
                valid_lifetime: if ended { 10 } else { 11 },
                options: [0, 39, 0, 1, 7].repeat(options.into()),
            })
        });
    let unreadable = (base.clone(), prop_oneof![Just(128), 54_u8..=66, 38_u8..=42])
        .prop_map(|(bits, prefix_len)| Op::Put(Owned::unreadable(bits, prefix_len)));
    prop_oneof![
        6 => put,
        1 => unreadable,
        3 => base.prop_map(|bits| Op::Remove(bits.into())),
        2 => Just(Op::Publish),
        1 => Just(Op::Replace),
    ]
}

/// What the reader finds for everything that could be asked, against the map.
fn check(reader: &mut Reader, model: &BTreeMap<Ipv6Addr, Owned>) {
    check_addresses(reader, model);
    check_clients(reader, model);
}

/// Who covers each address, looked up alone and in company.
fn check_addresses(reader: &mut Reader, model: &BTreeMap<Ipv6Addr, Owned>) {
    let pinned = reader.pin();
    let sites = (0..4_u128).flat_map(|site| (0..4).map(move |host| site << 72 | host << 64));
    for address in
        sites.flat_map(|bits| [bits, bits | 1, bits | 1 << 63]).map(|bits| 0x2001_0db8 << 96 | bits)
    {
        let address = Ipv6Addr::from(address);
        let covers = |lease: &&Owned| {
            let differs = u128::from(lease.address) ^ u128::from(address);
            lease.valid_lifetime > 10 && differs & crate::lease::mask(lease.prefix_len) == 0
        };
        let expected = model.values().filter(covers).max_by_key(|lease| lease.prefix_len);
        let mut found = [None; 50];
        for company in [1, 5, 50] {
            pinned.look_up(NOW, &[LookUp::Covering(address); 50][..company], &mut found);
            for found in &found[..company] {
                let covering =
                    found.and_then(|found| found.covering().map(|covering| covering.binding().address));
                assert_eq!(covering, expected.map(|lease| lease.address), "who covers {address}");
            }
        }
        if let (Some(found), Some(lease)) = (found[0], expected) {
            assert!(found.client.has_duid(&lease.duid), "whose is {address}");
            assert_eq!(found.client.is_unreadable(), lease.duid.is_empty(), "whether {address} can be read");
        }
    }
}

/// The leases of each client.
fn check_clients(reader: &mut Reader, model: &BTreeMap<Ipv6Addr, Owned>) {
    let pinned = reader.pin();
    for client in 0..6 {
        let duid = vec![client; 1 + 3 * usize::from(client)];
        let mut found = [None];
        pinned.look_up(NOW, &[LookUp::Duid(&duid)], &mut found);
        let mut expected: Vec<_> =
            model.values().filter(|lease| lease.duid == duid).map(Owned::lease).collect();
        record::sort(&mut expected);
        let (mut unpacked, number, client) =
            (Unpacked::default(), client, found[0].map(|found| found.client));
        unpacked.read(client);
        let options = |client: record::Client<'_>| {
            client.bindings().map(|binding| client.options(&binding).octets()).collect::<Vec<_>>()
        };
        let options = client.map(options).unwrap_or_default();
        let leases: Vec<_> =
            unpacked.leases().zip(&options).map(|(lease, options)| Lease { options, ..lease }).collect();
        assert_eq!(leases, expected, "what has client {number}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn readers_find_what_was_published(ops in prop::collection::vec(op(), 1..120)) {
        let (mut writer, store) = Writer::new();
        let mut reader = store.reader().unwrap();
        let mut model = BTreeMap::new();
        let mut batch = Batch::new();
        for op in ops.into_iter().chain([Op::Publish]) {
            match op {
                Op::Put(lease) => {
                    lease.push_to(&mut batch);
                    model.insert(lease.address, lease);
                }
                Op::Remove(address) => {
                    batch.push(Change::Remove(address)).unwrap();
                    model.remove(&address);
                }
                Op::Publish => {
                    writer.apply(&batch);
                    batch.clear();
                    check(&mut reader, &model);
                    prop_assert_eq!(store.summary().leases, model.len());
                }
                Op::Replace => {
                    let mut all = Batch::new();
                    model.values().for_each(|lease| lease.push_to(&mut all));
                    writer.replace(&[all], None);
                    batch.clear();
                    check(&mut reader, &model);
                }
            }
        }
        let clients: FastSet<_> = model.values().map(|lease| lease.duid.clone()).collect();
        prop_assert_eq!(store.summary().clients, clients.len());
    }

    #[test]
    fn the_last_row_of_a_snapshot_counts(ops in prop::collection::vec(op(), 1..200), cut in 1_usize..50) {
        let mut model = BTreeMap::new();
        let mut batches = vec![Batch::new()];
        for op in ops {
            if batches.last().is_some_and(|batch| batch.len() == cut) {
                batches.push(Batch::new());
            }
            let batch = batches.last_mut().unwrap();
            match op {
                Op::Put(lease) => {
                    lease.push_to(batch);
                    model.insert(lease.address, lease);
                }
                Op::Remove(address) => {
                    batch.remove(address);
                    model.remove(&address);
                }
                Op::Publish | Op::Replace => {}
            }
        }
        let (mut writer, store) = Writer::new();
        prop_assert_eq!(writer.replace(&batches, None).put, model.len());
        check(&mut store.reader().unwrap(), &model);
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
        options: vec![],
    };
    let wanderer: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let mut batch = Batch::new();
    let turn = |batch: &mut Batch, n: usize| {
        batch.clear();
        batch.put(&lease("2001:db8::1", [b"one", b"two"][n % 2]).lease()).unwrap();
        for renumbered in 0..2 {
            let address =
                |n: usize| Ipv6Addr::from(0x2001_0db8 << 96 | 1 << 64 | (2 * n + renumbered) as u128);
            batch.remove(address(n.wrapping_sub(1) % 64));
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
                    pinned.look_up(
                        NOW,
                        &[LookUp::Covering(wanderer), LookUp::Duid(b"renumbered")],
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
    assert!(looks.into_inner() > 100, "somebody looked meanwhile");
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
                options: vec![0, 79, 0, (round % 5) as u8, 0, 0, 0, 0][..4 + round as usize % 5].to_vec(),
            };
            if n % 4 == round % 4 { batch.remove(address) } else { batch.put(&lease.lease()).unwrap() }
        }
        writer.apply(&batch);
        if round == 20 {
            octets = store.summary().octets;
        }
    }
    assert!(store.summary().octets <= octets * 3 / 2, "{} after {octets}", store.summary().octets);
}

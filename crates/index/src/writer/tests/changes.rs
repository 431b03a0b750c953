//! Reported changes, replayed on a plain map, give the index's content.

use std::sync::{Arc, Mutex};

use super::oversized::TINY;
use super::*;
use crate::limits::Limits;
use crate::{ChangeObserver, LeaseChange, RemovalReason, RemovedLease};

/// A map that follows the reports.
#[derive(Clone, Default)]
struct Replay(Arc<Mutex<BTreeMap<Ipv6Addr, Owned>>>);

impl Replay {
    fn leases(&self) -> BTreeMap<Ipv6Addr, Owned> {
        self.0.lock().unwrap().clone()
    }

    fn take(&self, change: LeaseChange<'_>) {
        let mut leases = self.0.lock().unwrap();
        match change {
            LeaseChange::Put { lease, .. } => {
                let before = leases.insert(lease.address, owned(&lease));
                let is_same_holder = |before: &Owned| {
                    before.duid.is_empty()
                        || (&before.duid[..], before.prefix_len) == (lease.duid, lease.prefix_len)
                };
                assert!(
                    before.as_ref().is_none_or(is_same_holder),
                    "{before:?} was not removed before {lease:?}"
                );
            }
            LeaseChange::Removed(removed) => {
                let before = leases.remove(&removed.address).expect("a removed lease was there");
                assert_eq!((&before.duid[..], before.prefix_len), (removed.duid, removed.prefix_len));
                assert_eq!((before.kind, before.cltt), (removed.kind, removed.cltt));
            }
            LeaseChange::Unreadable { address, prefix_len, .. } => {
                leases.insert(address, Owned::unreadable(address.into(), prefix_len, Vec::new()));
            }
        }
    }
}

impl ChangeObserver for Replay {
    fn changed(&mut self, changes: &Changes<'_>) {
        changes.iter().for_each(|change| self.take(change));
    }

    fn replaced(&mut self, difference: &Difference<'_>) {
        difference.for_each(|change| self.take(change));
    }
}

fn owned(lease: &Lease<'_>) -> Owned {
    Owned {
        address: lease.address,
        prefix_len: lease.prefix_len,
        kind: lease.kind,
        duid: lease.duid.to_vec(),
        valid_lifetime: lease.valid_lifetime,
        cltt: lease.cltt,
        options: lease.options.to_vec(),
        named: Vec::new(),
    }
}

/// Leases of the index, with their addresses as written.
fn content(writer: &Writer) -> BTreeMap<Ipv6Addr, Owned> {
    let tables = &writer.tables;
    let clients = (0..tables.clients.end()).filter_map(|number| tables.client(number));
    let leases = clients.flat_map(|client| {
        let mut duid = vec![0; client.duid_len()];
        client.copy_duid(&mut duid);
        client.as_written(&writer.written).map(move |(address, binding)| {
            let lease = Owned {
                address,
                prefix_len: binding.prefix_len,
                kind: binding.kind,
                duid: duid.clone(),
                valid_lifetime: binding.valid_lifetime,
                cltt: binding.cltt,
                options: client.options(&binding).octets(),
                named: Vec::new(),
            };
            (address, lease)
        })
    });
    leases.collect()
}

fn replay_matches(ops: Vec<Op>, limits: Limits) {
    let (mut writer, _store) = Writer::with_limits(limits);
    let replay = Replay::default();
    writer.observe(Box::new(replay.clone()));
    let (mut model, mut batch, mut all) = (Model::default(), Batch::new(), Batch::new());
    for op in ops.into_iter().chain([Op::Publish]) {
        step(&op, &mut all, &mut Model::default());
        step(&op, &mut batch, &mut model);
        match op {
            Op::Put(_) | Op::Remove(_) => continue,
            Op::Publish => drop(writer.apply(&batch)),
            Op::Replace => drop(writer.replace(std::slice::from_ref(&all), None)),
        }
        batch.clear();
        let replayed = replay.leases();
        assert_eq!(replayed, content(&writer));
        let expected = model
            .leases
            .iter()
            .map(|(&address, lease)| (address, Owned { named: Vec::new(), ..lease.clone() }));
        assert_eq!(replayed, expected.collect());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn replayed_changes_give_the_content(ops in prop::collection::vec(op(), 1..120)) {
        replay_matches(ops, Limits::STANDARD);
    }

    #[test]
    fn replayed_changes_of_oversized_clients_give_the_content(ops in prop::collection::vec(op(), 1..120)) {
        replay_matches(ops, TINY);
    }
}

/// Changes in words, for comparison.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, change: LeaseChange<'_>) {
        let line = match change {
            LeaseChange::Put { lease, .. } => format!("{} put {}", text(lease.duid), lease.address),
            LeaseChange::Removed(RemovedLease { duid, address, prefix_len, reason, time, .. }) => {
                format!("{} removed {address}/{prefix_len} {reason:?} {time:?}", text(duid))
            }
            LeaseChange::Unreadable { address, duid, .. } => format!("{} unreadable {address}", text(duid)),
        };
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl ChangeObserver for Log {
    fn changed(&mut self, changes: &Changes<'_>) {
        changes.iter().for_each(|change| self.add(change));
    }

    fn replaced(&mut self, difference: &Difference<'_>) {
        difference.for_each(|change| self.add(change));
    }
}

fn text(duid: &[u8]) -> &str {
    str::from_utf8(duid).unwrap()
}

fn put(batch: &mut Batch, address: &str, prefix_len: u8, duid: &str, cltt: u32) {
    let lease = Owned {
        address: address.parse().unwrap(),
        prefix_len,
        kind: if prefix_len == 128 { LeaseKind::Address } else { LeaseKind::Prefix },
        duid: duid.into(),
        valid_lifetime: 10,
        cltt,
        options: Vec::new(),
        named: Vec::new(),
    };
    lease.push_to(batch);
}

#[test]
fn each_change_tells_holder_reason_and_time() {
    let (mut writer, _store) = Writer::new();
    let log = Log::default();
    writer.observe(Box::new(log.clone()));
    let mut apply = |fill: &dyn Fn(&mut Batch)| {
        let mut batch = Batch::new();
        fill(&mut batch);
        writer.apply(&batch);
        log.take()
    };
    let released = |address: &str| Removal {
        address: address.parse().unwrap(),
        reason: RemovalReason::Released,
        time: Some(9),
    };
    let first = |batch: &mut Batch| {
        put(batch, "2001:db8::2", 128, "two", 1);
        put(batch, "2001:db8::1", 128, "one", 1);
        put(batch, "2001:db8:1::", 56, "one", 1);
    };
    assert_eq!(apply(&first), ["two put 2001:db8::2", "one put 2001:db8::1", "one put 2001:db8:1::"]);
    assert_eq!(apply(&|batch| put(batch, "2001:db8::1", 128, "one", 2)), ["one put 2001:db8::1"]);
    assert_eq!(
        apply(&|batch| put(batch, "2001:db8::1", 128, "two", 3)),
        ["one removed 2001:db8::1/128 Replaced Some(3)", "two put 2001:db8::1"],
    );
    assert_eq!(
        apply(&|batch| put(batch, "2001:db8:1::", 60, "one", 4)),
        ["one removed 2001:db8:1::/56 Replaced Some(4)", "one put 2001:db8:1::"],
    );
    assert_eq!(
        apply(&|batch| batch.remove(released("2001:db8:1::"))),
        ["one removed 2001:db8:1::/60 Released Some(9)"],
    );
    assert_eq!(apply(&|batch| batch.remove(released("2001:db8:1::"))), [""; 0], "it is gone already");
    let there_and_gone = |batch: &mut Batch| {
        put(batch, "2001:db8:2::", 56, "one", 5);
        batch.remove(released("2001:db8:2::"));
    };
    assert_eq!(apply(&there_and_gone), [""; 0], "the last row of an address counts");
    let unreadable = |batch: &mut Batch| batch.unreadable("2001:db8::2".parse().unwrap(), 128, b"x").unwrap();
    assert_eq!(apply(&unreadable), ["x unreadable 2001:db8::2"]);
}

#[test]
fn a_snapshot_tells_what_is_gone_from_the_source() {
    let (mut writer, _store) = Writer::new();
    let log = Log::default();
    writer.observe(Box::new(log.clone()));
    let mut batch = Batch::new();
    put(&mut batch, "2001:db8::1", 128, "one", 1);
    put(&mut batch, "2001:db8::2", 128, "two", 1);
    put(&mut batch, "2001:db8::3", 128, "three", 1);
    writer.apply(&batch);
    log.take();
    batch.clear();
    put(&mut batch, "2001:db8::1", 128, "one", 1);
    put(&mut batch, "2001:db8::2", 128, "one", 7);
    writer.replace(&[batch], None);
    let mut changes = log.take();
    changes[..2].sort();
    assert_eq!(
        changes,
        [
            "three removed 2001:db8::3/128 Gone None",
            "two removed 2001:db8::2/128 Replaced Some(7)",
            "one put 2001:db8::2",
        ],
    );
}

/// Looks each put lease up when it is reported.
struct Witness(Reader);

impl ChangeObserver for Witness {
    fn changed(&mut self, changes: &Changes<'_>) {
        let leases = self.0.pin();
        for change in changes.iter() {
            let LeaseChange::Put { lease, .. } = change else { continue };
            let found = leases.covering_where(lease.address, NOW, |_, _| true).expect("published");
            assert_eq!(found.covering().unwrap().binding().cltt, lease.cltt);
        }
    }

    fn replaced(&mut self, _: &Difference<'_>) {}
}

#[test]
fn a_change_is_reported_when_readers_can_see_it() {
    let (mut writer, store) = Writer::new();
    writer.observe(Box::new(Witness(store.reader().unwrap())));
    for round in 0..50 {
        let mut batch = Batch::new();
        put(&mut batch, "2001:db8::1", 128, ["one", "two"][round % 2], NOW - (round % 3) as u32);
        writer.apply(&batch);
    }
}

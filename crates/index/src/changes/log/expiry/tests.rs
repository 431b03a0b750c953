//! Sweeps beside changes, snapshots and a clock that is set, against a map of leases.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::{
    Batch, ChangeLogLimits, ChangeObserver, Changes, Difference, INFINITY, Lease, LeaseKind, LoggedEvent,
    Reader, Removal, Store, Writer,
};

const START: u32 = 1_700_000_000;

/// Limits with which clients become oversized, and cease to be, all the time.
const TINY: Limits = Limits { leases: 2, words: 80, segment: 2 };

/// A lease of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Held {
    client: u8,
    cltt: u32,
    valid_lifetime: u32,
}

impl Held {
    fn is_valid(self, now: u32) -> bool {
        self.valid_lifetime == INFINITY || now < self.cltt + self.valid_lifetime
    }
}

/// A watch that sees one client number in a step, and a reader that keeps to the log.
struct Rig {
    log: ChangeLog,
    writer: Writer,
    reader: Reader,
    store: Arc<Store>,
    watch: ExpiryWatch,
    now: Arc<AtomicU32>,
    /// Leases of the source by the last octet of the address.
    leases: BTreeMap<u8, Held>,
    /// Client by address, as far as the log's reader knows.
    known: BTreeMap<u8, u8>,
    next: u64,
    /// Entries read, in words.
    lines: Vec<String>,
}

impl Rig {
    fn new(limits: Limits) -> Self {
        let now = Arc::new(AtomicU32::new(START));
        let clock = Arc::clone(&now);
        let bounds = ChangeLogLimits { seconds: 600, bytes: 1 << 24 };
        let log = ChangeLog::new(bounds, move || clock.load(Ordering::Relaxed));
        let (mut writer, store) = Writer::with_limits(limits);
        writer.observe(log.observer());
        writer.replace(&[], None);
        let reader = store.reader().unwrap();
        let watch = ExpiryWatch { step: 1, ..ExpiryWatch::new(log.clone(), START) };
        let (leases, known, lines) = Default::default();
        Self { log, writer, reader, store, watch, now, leases, known, next: 0, lines }
    }

    fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    fn set(&self, second: u32) {
        self.now.store(START + second, Ordering::Relaxed);
    }

    /// Puts a lease that ends so many seconds after the start.
    fn put(&mut self, address: u8, client: u8, end: u32) {
        self.put_held(address, Held { client, cltt: START - 100, valid_lifetime: 100 + end });
    }

    fn put_held(&mut self, address: u8, held: Held) {
        self.leases.insert(address, held);
        let mut batch = Batch::new();
        push(&mut batch, address, held);
        self.writer.apply(&batch);
    }

    fn remove(&mut self, address: u8) {
        self.leases.remove(&address);
        let mut batch = Batch::new();
        let reason = RemovalReason::Reclaimed;
        batch.remove(Removal { address: full(address), reason, time: None });
        self.writer.apply(&batch);
    }

    /// A snapshot of all leases but some.
    fn replace_without(&mut self, is_gone: impl Fn(u8) -> bool) {
        self.leases.retain(|&address, _| !is_gone(address));
        let mut batch = Batch::new();
        self.leases.iter().for_each(|(&address, &held)| push(&mut batch, address, held));
        self.writer.replace(&[batch], None);
    }

    fn step(&mut self) -> SweepProgress {
        let now = self.now();
        self.watch.step(&self.reader.pin(), now)
    }

    fn sweep(&mut self) {
        while self.step() == SweepProgress::UnderWay {}
    }

    /// Reads the log to its end, with the state of each lease from the source.
    fn read(&mut self) {
        while let Some(chunk) = self.log.read(self.next).unwrap() {
            for change in chunk.iter() {
                let LoggedEvent::Lease(lease) = change.event else { panic!("{change:?}") };
                let (address, client) = (lease.address.octets()[15], lease.duid[0]);
                let time = change.source_time.map(|time| i64::from(time) - i64::from(START));
                self.lines.push(format!("{client} {:?} {address} {time:?}", lease.reason));
                let held = self.leases.get(&address).filter(|held| held.client == client);
                if lease.reason == Some(RemovalReason::Expired) {
                    assert_eq!(lease.former.map(|former| former.subnet_id), Some(1));
                }
                if held.is_some_and(|held| held.is_valid(self.now.load(Ordering::Relaxed))) {
                    self.known.insert(address, client);
                } else if self.known.get(&address) == Some(&client) {
                    self.known.remove(&address);
                }
            }
            self.next = chunk.end();
        }
    }

    /// Entries since the last call, in words.
    fn lines(&mut self) -> Vec<String> {
        self.read();
        std::mem::take(&mut self.lines)
    }

    /// Compares what the log's reader knows with the leases that are valid now.
    fn check(&mut self) {
        self.read();
        let now = self.now();
        let valid = self.leases.iter().filter(|(_, held)| held.is_valid(now));
        let valid: BTreeMap<_, _> = valid.map(|(&address, held)| (address, held.client)).collect();
        assert_eq!(self.known, valid);
    }
}

fn full(address: u8) -> Ipv6Addr {
    (0x2001_0db8_u128 << 96 | u128::from(address)).into()
}

fn push(batch: &mut Batch, address: u8, held: Held) {
    let lease = Lease {
        address: full(address),
        prefix_len: 128,
        kind: LeaseKind::Address,
        duid: &[held.client, 2, 3],
        valid_lifetime: held.valid_lifetime,
        preferred_lifetime: 1,
        cltt: held.cltt,
        subnet_id: 1,
        options: &[],
    };
    batch.put(&lease).unwrap();
}

#[test]
fn each_expiry_is_told_once_with_its_second() {
    let mut rig = Rig::new(Limits::STANDARD);
    rig.put(1, 1, 5);
    rig.put(2, 1, 6);
    rig.put(3, 2, 7);
    rig.put_held(4, Held { client: 2, cltt: 0, valid_lifetime: INFINITY });
    rig.lines();
    rig.set(4);
    rig.sweep();
    assert_eq!(rig.lines(), [""; 0]);
    rig.set(6);
    rig.sweep();
    rig.sweep();
    assert_eq!(rig.lines(), ["1 Some(Expired) 1 Some(5)", "1 Some(Expired) 2 Some(6)"]);
    rig.set(100);
    rig.sweep();
    rig.sweep();
    assert_eq!(rig.lines(), ["2 Some(Expired) 3 Some(7)"]);
}

#[test]
fn a_lease_renewed_before_the_sweep_is_not_told() {
    let mut rig = Rig::new(Limits::STANDARD);
    rig.put(1, 1, 5);
    rig.put(2, 1, 5);
    rig.set(6);
    rig.put(1, 1, 50);
    rig.remove(2);
    rig.lines();
    rig.sweep();
    assert_eq!(rig.lines(), [""; 0]);
}

#[test]
fn a_lease_that_ends_while_no_step_is_taken_is_told_after_it() {
    let mut rig = Rig::new(Limits::STANDARD);
    for address in 1..=3 {
        rig.put(address, address, 10 * u32::from(address));
    }
    rig.set(1);
    rig.step();
    rig.lines();
    rig.set(500);
    rig.sweep();
    assert_eq!(rig.lines(), [""; 0], "the sweep is about the seconds before it began");
    rig.sweep();
    assert_eq!(rig.lines().len(), 3);
}

#[test]
fn the_removal_of_an_expired_lease_is_logged_once() {
    let mut rig = Rig::new(Limits::STANDARD);
    rig.put(1, 1, 5);
    rig.put(2, 1, 50);
    rig.lines();
    rig.set(6);
    rig.remove(1);
    rig.sweep();
    assert_eq!(rig.lines(), ["1 Some(Reclaimed) 1 None"]);
    rig.set(60);
    rig.sweep();
    rig.remove(2);
    assert_eq!(rig.lines(), ["1 Some(Expired) 2 Some(50)"]);
}

#[test]
fn a_snapshot_amid_a_sweep_leaves_no_expiry_out_and_tells_none_of_earlier_sweeps_again() {
    let mut rig = Rig::new(Limits::STANDARD);
    for (address, end) in [(1, 5), (2, 5), (3, 15), (4, 15), (5, 15), (6, 50), (7, 50)] {
        rig.put(address, address, end);
    }
    rig.set(10);
    rig.sweep();
    rig.lines();
    rig.set(20);
    rig.step();
    rig.read();
    let first = rig.lines();
    assert!(first.is_empty(), "{first:?}: clients 1 and 2 come first");
    rig.replace_without(|address| [2, 4, 7].contains(&address));
    rig.sweep();
    let mut lines = rig.lines();
    lines.sort();
    let expected = [
        "3 Some(Expired) 3 Some(15)",
        "4 Some(Gone) 4 None",
        "5 Some(Expired) 5 Some(15)",
        "7 Some(Gone) 7 None",
    ];
    assert_eq!(lines, expected);
    rig.check();
}

/// A watch that sweeps between the moment in which readers see a change and that in which the log has it.
struct Between(Mutex<(ExpiryWatch, Reader, Arc<AtomicU32>)>);

impl ChangeObserver for Between {
    fn changed(&mut self, _: &Changes<'_>) {
        let (watch, reader, now) = self.0.get_mut().unwrap();
        for _ in 0..2 {
            while watch.step(&reader.pin(), now.load(Ordering::Relaxed)) == SweepProgress::UnderWay {}
        }
        // The next sweep begins, and says that all ends so far are told.
        watch.step(&reader.pin(), now.load(Ordering::Relaxed));
    }

    fn replaced(&mut self, _: &Difference<'_>) {}
}

#[test]
fn a_removal_that_a_sweep_overtakes_is_logged() {
    let mut rig = Rig::new(Limits::STANDARD);
    let watch = ExpiryWatch { step: 1, ..ExpiryWatch::new(rig.log.clone(), START) };
    let between = Between(Mutex::new((watch, rig.store.reader().unwrap(), Arc::clone(&rig.now))));
    // The log's observer comes behind the other one.
    let (mut writer, store) = Writer::new();
    between.0.lock().unwrap().1 = store.reader().unwrap();
    writer.observe(Box::new(between));
    writer.observe(rig.log.observer());
    rig.writer = writer;
    rig.put(1, 1, 5);
    rig.put(2, 2, 50);
    rig.lines();
    rig.set(6);
    rig.remove(1);
    assert_eq!(rig.lines(), ["1 Some(Reclaimed) 1 None"]);
}

#[test]
fn a_clock_set_back_returns_leases() {
    let mut rig = Rig::new(Limits::STANDARD);
    rig.put(1, 1, 5);
    rig.put(2, 1, 50);
    rig.set(60);
    rig.sweep();
    rig.lines();
    rig.set(10);
    rig.sweep();
    assert_eq!(rig.lines(), ["1 None 2 Some(-100)"]);
    rig.remove(2);
    assert_eq!(rig.lines(), ["1 Some(Reclaimed) 2 None"], "it is valid again");
    rig.check();
}

#[derive(Clone, Debug)]
enum Op {
    Put(u8, u8, u32, u32),
    Remove(u8),
    Replace(u8),
    SetClock(i32),
    Step,
    Sweep,
}

fn op() -> impl Strategy<Value = Op> {
    let valid_lifetime = prop_oneof![9 => 1_u32..12, 1 => Just(INFINITY)];
    prop_oneof![
        6 => (0_u8..12, 0_u8..4, 0_u32..8, valid_lifetime).prop_map(|(address, client, age, valid)| {
            Op::Put(address, client, age, valid)
        }),
        2 => (0_u8..12).prop_map(Op::Remove),
        1 => any::<u8>().prop_map(Op::Replace),
        3 => (0_i32..6).prop_map(Op::SetClock),
        1 => (-8_i32..0).prop_map(Op::SetClock),
        8 => Just(Op::Step),
        1 => Just(Op::Sweep),
    ]
}

fn run(rig: &mut Rig, op: &Op) {
    let now = rig.now();
    match *op {
        Op::Put(address, client, age, valid_lifetime) => {
            rig.put_held(address, Held { client, cltt: now - age, valid_lifetime });
        }
        Op::Remove(address) => rig.remove(address),
        Op::Replace(gone) => rig.replace_without(|address| address % 8 == gone % 8),
        Op::SetClock(by) => rig.now.store(now.saturating_add_signed(by), Ordering::Relaxed),
        Op::Step => drop(rig.step()),
        Op::Sweep => rig.sweep(),
    }
}

/// Ends the sweep under way, and makes one more.
fn settle(rig: &mut Rig) {
    // The sweep under way may be torn; the one behind it is not, as nothing changes any more.
    (0..3).for_each(|_| rig.sweep());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_reader_knows_the_valid_leases_in_the_end(ops in prop::collection::vec(op(), 1..150)) {
        for limits in [Limits::STANDARD, TINY] {
            let mut rig = Rig::new(limits);
            for op in &ops {
                run(&mut rig, op);
                rig.read();
            }
            settle(&mut rig);
            rig.check();
        }
    }

    /// Without a snapshot and with a clock that goes on, each lease is told as expired at most once for each
    /// time that it was put; and a reader may be late.
    #[test]
    fn a_late_reader_knows_them_too(ops in prop::collection::vec(op(), 1..150)) {
        let is_forward = |op: &&Op| !matches!(op, Op::SetClock(..0) | Op::Replace(_));
        let mut rig = Rig::new(Limits::STANDARD);
        let mut puts = BTreeMap::<_, i32>::new();
        for op in ops.iter().filter(is_forward) {
            if let Op::Put(address, client, age, valid) = *op {
                let end = i64::from(rig.now() - START) - i64::from(age) + i64::from(valid);
                *puts.entry(format!("{client} Some(Expired) {address} {:?}", Some(end))).or_default() += 1;
            }
            run(&mut rig, op);
        }
        settle(&mut rig);
        rig.check();
        for line in rig.lines.iter().filter(|line| line.contains("Expired")) {
            let left = puts.get_mut(line).expect("the lease was put");
            *left -= 1;
            prop_assert!(*left >= 0, "{line} was told twice");
        }
    }
}

//! The log's bounds, positions and readers, with a clock of the test's own.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::*;
use crate::{
    Batch, FormerLease, Lease, LeaseKind, Link, Links, Prefix, Removal, RemovalReason, Subnet, SubnetOptions,
    Writer,
};

const START: u32 = 1_700_000_000;

/// A writer whose changes go to a log, from an empty snapshot on.
struct Rig {
    log: ChangeLog,
    writer: Writer,
    now: Arc<AtomicU32>,
}

impl Rig {
    fn new(seconds: u32, bytes: usize) -> Self {
        let now = Arc::new(AtomicU32::new(START));
        let clock = Arc::clone(&now);
        let limits = ChangeLogLimits { seconds, bytes };
        let log = ChangeLog::new(limits, move || clock.load(Ordering::Relaxed));
        let (mut writer, _) = Writer::new();
        writer.observe(log.observer());
        writer.replace(&[], None);
        Self { log, writer, now }
    }

    fn set(&self, second: u32) {
        self.now.store(START + second, Ordering::Relaxed);
    }

    /// Publishes a lease of this client in this second.
    fn put(&mut self, second: u32, client: u8) {
        self.set(second);
        self.apply(|batch| put(batch, "2001:db8::1", client, 1, &[]));
    }

    fn apply(&mut self, fill: impl FnOnce(&mut Batch)) {
        let mut batch = Batch::new();
        fill(&mut batch);
        self.writer.apply(&batch);
    }

    /// Entries from this sequence on, in words.
    fn read(&self, from: u64) -> Vec<String> {
        let (mut next, mut lines) = (from, Vec::new());
        while let Some(chunk) = self.log.read(next).unwrap() {
            assert_eq!(chunk.first(), next);
            for change in chunk.iter() {
                assert_eq!(change.sequence, next);
                next += 1;
                lines.push(format!("{} {}", change.published - START, words(&change)));
            }
            assert_eq!(chunk.end(), next);
        }
        assert_eq!(next, self.log.end().max(from));
        lines
    }
}

fn words(change: &LoggedChange<'_>) -> String {
    match change.event {
        LoggedEvent::Lease(lease) => {
            let event = lease.reason.map_or("put".to_owned(), |reason| format!("{reason:?}"));
            let former =
                lease.former.map(|FormerLease { subnet_id, relay_data }| (subnet_id, relay_data.len()));
            let LoggedLease { duid, address, prefix_len, .. } = lease;
            let time = change.source_time;
            format!("{} {event} {address}/{prefix_len} {time:?} {former:?}", duid[0])
        }
        other => format!("{other:?}"),
    }
}

fn put(batch: &mut Batch, address: &str, client: u8, cltt: u32, options: &[u8]) {
    let duid = [client, 2, 3];
    let lease = Lease {
        address: address.parse().unwrap(),
        prefix_len: 128,
        kind: LeaseKind::Address,
        duid: &duid,
        valid_lifetime: 100,
        preferred_lifetime: 100,
        cltt,
        subnet_id: u32::from(client) / 10,
        options,
    };
    batch.put(&lease).unwrap();
}

fn gone(address: &str, reason: RemovalReason) -> Removal {
    Removal { address: address.parse().unwrap(), reason, time: Some(9) }
}

#[test]
fn changes_are_logged_with_former_facts() {
    let mut rig = Rig::new(600, 1 << 20);
    let relay_data = [&[0, 39, 0, 1, 7, 0, 47, 0, 17][..], &[5; 17]].concat();
    rig.apply(|batch| put(batch, "2001:db8::1", 1, 1, &relay_data));
    rig.apply(|batch| put(batch, "2001:db8::1", 1, 2, &relay_data));
    rig.apply(|batch| put(batch, "2001:db8::1", 1, 3, &[0, 39, 0, 1, 7]));
    rig.apply(|batch| put(batch, "2001:db8::1", 1, 4, &[]));
    rig.apply(|batch| put(batch, "2001:db8::1", 20, 5, &[]));
    rig.set(7);
    rig.apply(|batch| {
        batch.remove(gone("2001:db8::1", RemovalReason::Released));
        put(batch, "2001:db8::2", 1, 6, &[]);
    });
    let expected = [
        "0 1 put 2001:db8::1/128 Some(1) None",
        "0 1 put 2001:db8::1/128 Some(2) None",
        "0 1 put 2001:db8::1/128 Some(3) Some((0, 17))",
        "0 1 put 2001:db8::1/128 Some(4) None",
        "0 1 Replaced 2001:db8::1/128 Some(5) Some((0, 0))",
        "0 20 put 2001:db8::1/128 Some(5) None",
        "7 20 Released 2001:db8::1/128 Some(9) Some((2, 0))",
        "7 1 put 2001:db8::2/128 Some(6) None",
    ];
    assert_eq!(rig.read(0), expected);
    assert_eq!(rig.read(6), expected[6..]);
    assert_eq!(rig.read(8), [""; 0]);
    let statistics = rig.log.statistics();
    let count = |name| statistics.appended.iter().find(|(other, _)| *other == name).unwrap().1;
    assert_eq!((count("put"), count("replaced"), count("released"), count("lost")), (6, 1, 1, 0));
    assert_eq!((statistics.entries, statistics.oldest, statistics.overwritten), (8, Some(START), 0));
}

#[test]
fn a_position_is_found_by_its_second() {
    let mut rig = Rig::new(600, 1 << 20);
    assert_eq!(rig.log.since(START), None, "changes before the log began are not in it");
    assert_eq!(rig.log.since(START + 1), Some(0));
    for (second, count) in [(2, 3), (5, 1), (6, 100)] {
        (0..count).for_each(|_| rig.put(second, 1));
    }
    let since = |second| rig.log.since(START + second);
    assert_eq!([since(0), since(1), since(2)], [None, Some(0), Some(0)]);
    assert_eq!([since(3), since(5), since(6), since(7)], [Some(3), Some(3), Some(4), Some(104)]);
    // Entries of the last whole second are kept, so that nothing after it is missed.
    rig.put(300, 1);
    rig.put(650, 1);
    let since = |second| rig.log.since(START + second);
    assert_eq!([since(6), since(7), since(300), since(301)], [None, Some(104), Some(104), Some(105)]);
    assert_eq!(rig.log.read(103).err(), Some(OverrunError));
    assert_eq!(rig.read(104).len(), 2);
    rig.set(2000);
    assert_eq!((rig.log.since(START + 1000), rig.log.statistics().entries), (Some(106), 0));
    assert_eq!(rig.log.since(START + 650), None);
}

#[test]
fn the_clock_may_be_set_back() {
    let mut rig = Rig::new(600, 1 << 20);
    rig.put(50, 1);
    rig.put(20, 2);
    rig.put(51, 3);
    let seconds: Vec<_> = rig.read(0).iter().map(|line| line[..4].to_owned()).collect();
    assert_eq!(seconds, ["50 1", "50 1", "50 2", "51 2", "51 3"]);
}

#[test]
fn memory_is_bounded_and_slow_readers_see_it() {
    const BYTES: usize = 1 << 16;
    let mut rig = Rig::new(600, BYTES);
    let mut peak = 0;
    for round in 0..2000 {
        rig.put(1, if round % 2 == 0 { 1 } else { 20 });
        peak = peak.max(rig.log.statistics().bytes);
    }
    let statistics = rig.log.statistics();
    assert!((BYTES / 2..=BYTES).contains(&peak), "{peak}");
    assert_eq!(statistics.overwritten + statistics.entries, 3999);
    assert!(statistics.overwritten > 1000 && statistics.entries > 500, "{statistics:?}");
    assert_eq!(rig.log.read(0).err(), Some(OverrunError));
    assert_eq!(rig.log.read(statistics.overwritten - 1).err(), Some(OverrunError));
    assert_eq!(rig.read(statistics.overwritten).len() as u64, statistics.entries);
    // That second is incomplete, and no later one is.
    assert_eq!((rig.log.since(START + 1), rig.log.since(START + 2)), (None, Some(3999)));
}

#[test]
fn a_reader_keeps_its_chunk_while_the_log_goes_on() {
    let mut rig = Rig::new(600, 1 << 12);
    rig.put(1, 1);
    let first = rig.log.read(0).unwrap().unwrap();
    (0..500).for_each(|_| rig.put(2, 1));
    assert_eq!(rig.log.read(0).err(), Some(OverrunError));
    let lines: Vec<_> = first.iter().map(|change| words(&change)).collect();
    assert_eq!(lines, ["1 put 2001:db8::1/128 Some(1) None"]);
}

#[test]
fn without_history_entries_are_kept_for_readers_only() {
    let mut rig = Rig::new(0, 1 << 20);
    rig.put(1, 1);
    rig.put(9, 1);
    assert_eq!((rig.log.since(START + 1), rig.log.since(START + 100)), (None, None));
    assert_eq!(rig.read(0).len(), 2);
    rig.put(15, 1);
    assert_eq!(rig.log.read(0).err(), Some(OverrunError));
    assert_eq!(rig.read(1).len(), 2);
}

#[test]
fn listeners_hear_of_each_growth() {
    let mut rig = Rig::new(600, 1 << 20);
    let heard = Arc::new(AtomicUsize::new(0));
    let (log, counter) = (rig.log.clone(), Arc::clone(&heard));
    // The log can be read at once: its lock is free.
    rig.log.notify(move || {
        counter.fetch_add(log.end() as usize, Ordering::Relaxed);
    });
    rig.put(1, 1);
    rig.put(1, 1);
    rig.apply(|_| {});
    assert_eq!(heard.load(Ordering::Relaxed), 1 + 2);
}

#[test]
fn a_snapshot_is_logged_by_its_difference() {
    let mut rig = Rig::new(600, 1 << 20);
    rig.put(1, 1);
    rig.apply(|batch| {
        put(batch, "2001:db8::2", 20, 1, &[]);
        put(batch, "2001:db8::3", 30, 1, &[]);
    });
    let before = rig.log.end();
    let mut batch = Batch::new();
    put(&mut batch, "2001:db8::1", 1, 1, &[]);
    put(&mut batch, "2001:db8::2", 1, 8, &[]);
    rig.writer.replace(&[batch], None);
    let mut lines = rig.read(before);
    lines[..2].sort();
    assert_eq!(
        lines,
        [
            "1 20 Replaced 2001:db8::2/128 Some(8) Some((2, 0))",
            "1 30 Gone 2001:db8::3/128 None Some((3, 0))",
            "1 1 put 2001:db8::2/128 Some(8) None",
        ]
    );
    rig.log.restart();
    assert_eq!((rig.log.read(before).err(), rig.log.end()), (Some(OverrunError), before + 3));
}

#[test]
fn former_relay_data_is_asked_as_a_lease_is() {
    // peer-address; RELAY-FORW with Relay-ID 3, around one with Remote-ID 7.
    let relay = |options: &[u8]| [&[12, 0][..], &[0; 32], options].concat();
    let inner = relay(&[0, 37, 0, 1, 7]);
    let outer = relay(&[&[0, 9, 0, inner.len() as u8][..], &inner, &[0, 53, 0, 1, 3]].concat());
    let value = [&[9; 16][..], &outer].concat();
    let lease = FormerLease { subnet_id: 1, relay_data: &value };
    let has = |code, value: u8| lease.has_relay_option(code, &[value]);
    use lqd_wire::OptionCode;
    assert!(has(OptionCode::REMOTE_ID, 7) && has(OptionCode::RELAY_ID, 3));
    assert!(!has(OptionCode::REMOTE_ID, 3) && !has(OptionCode::RELAY_ID, 7));
    assert!(!FormerLease { relay_data: &[], ..lease }.has_relay_option(OptionCode::RELAY_ID, &[3]));
}

fn links(prefix_len: u8, option: u8) -> Links {
    let prefix = Prefix { address: "2001:db8::".parse().unwrap(), len: prefix_len };
    let options = SubnetOptions { given: vec![0, option, 0, 0], ..SubnetOptions::default() };
    let subnet = Subnet { id: 70_000, prefix, pd_pools: Vec::new(), options };
    let near = Subnet { id: 1, ..subnet.clone() };
    Links::new(vec![Link { address: None, subnets: vec![subnet, near], relay_addresses: Vec::new() }])
        .unwrap()
}

#[test]
fn other_links_are_logged_and_equal_ones_are_not() {
    let mut rig = Rig::new(600, 1 << 20);
    rig.writer.set_links(links(32, 1));
    assert_eq!(rig.read(0), ["0 LinksReplaced"]);
    rig.writer.set_links(links(32, 1));
    rig.writer.set_links(links(32, 2));
    rig.writer.replace(&[], Some(links(32, 1)));
    rig.writer.replace(&[], None);
    assert_eq!(rig.read(1), [""; 0]);
    rig.writer.replace(&[], Some(links(33, 1)));
    assert_eq!(rig.read(1), ["0 LinksReplaced"]);
    let (mut writer, _) = Writer::new();
    let log = ChangeLog::new(ChangeLogLimits { seconds: 1, bytes: 1 }, || 1);
    writer.observe(log.observer());
    writer.replace(&[], Some(links(32, 1)));
    assert_eq!(log.end(), 0, "the links of the first snapshot are no change");
}

#[test]
fn a_lease_that_cannot_be_read_keeps_its_client_in_the_log() {
    let mut rig = Rig::new(600, 1 << 20);
    let address = "2001:db8::1";
    let unreadable = |batch: &mut Batch| batch.unreadable(address.parse().unwrap(), 128, &[]).unwrap();
    let mut step = |fill: &dyn Fn(&mut Batch)| {
        let before = rig.log.end();
        rig.apply(fill);
        rig.read(before)
    };
    let (one, two) = (
        |batch: &mut Batch| put(batch, address, 1, 5, &[]),
        |batch: &mut Batch| put(batch, address, 20, 6, &[]),
    );
    let remove = |batch: &mut Batch| batch.remove(gone(address, RemovalReason::Declined));
    step(&one);
    assert_eq!(step(&unreadable), [""; 0]);
    assert_eq!(step(&unreadable), [""; 0]);
    assert_eq!(step(&one), ["0 1 put 2001:db8::1/128 Some(5) None"], "its client has it again");
    step(&unreadable);
    assert_eq!(
        step(&two),
        ["0 1 Replaced 2001:db8::1/128 Some(6) Some((0, 0))", "0 20 put 2001:db8::1/128 Some(6) None"]
    );
    step(&unreadable);
    assert_eq!(step(&remove), ["0 20 Declined 2001:db8::1/128 Some(9) Some((2, 0))"]);
    assert_eq!(step(&remove), [""; 0]);
    step(&unreadable);
    assert_eq!(step(&remove), [""; 0], "no reader was told of a client");
    step(&one);
    let mut batch = Batch::new();
    unreadable(&mut batch);
    rig.writer.replace(&[batch], None);
    let before = rig.log.end();
    rig.writer.replace(&[], None);
    assert_eq!(rig.read(before), ["0 1 Gone 2001:db8::1/128 None Some((0, 0))"]);
}

#[test]
fn changes_are_lost_when_too_many_leases_cannot_be_read() {
    const COUNT: u128 = 4097;
    let mut rig = Rig::new(600, 1 << 22);
    let address = |n: u128| (0x2001_0db8_u128 << 96 | n).into();
    rig.apply(|batch| {
        (0..COUNT).for_each(|n| put(batch, &std::net::Ipv6Addr::to_string(&address(n)), 1, 1, &[]));
    });
    rig.set(3);
    let before = rig.log.end();
    rig.apply(|batch| (0..COUNT - 1).for_each(|n| batch.unreadable(address(n), 128, &[]).unwrap()));
    assert_eq!(rig.log.end(), before);
    rig.apply(|batch| batch.unreadable(address(COUNT - 1), 128, &[]).unwrap());
    assert_eq!(rig.read(before), ["3 Lost"]);
    assert_eq!((rig.log.since(START + 3), rig.log.since(START + 4)), (None, Some(before + 1)));
    // Readers begin again, and know of none of these leases.
    rig.apply(|batch| (0..COUNT).for_each(|n| batch.remove(Removal::gone(address(n)))));
    assert_eq!(rig.log.end(), before + 1);
}

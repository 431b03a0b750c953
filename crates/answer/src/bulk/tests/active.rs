//! Active queries octet by octet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use lqd_index::{ChangeLog, ChangeLogLimits, Removal, RemovalReason};

use super::*;

mod cost;
mod ends;
mod filters;
mod follower;
mod hostile;

const SECOND: u64 = 1_000_000_000;

/// A server whose changes go to a log, and one session.
struct Live {
    rig: Rig,
    log: ChangeLog,
    clock: Arc<AtomicU32>,
    session: BulkSession,
    monotonic_ns: u64,
}

impl Live {
    /// The log has all changes from 100 seconds before [`NOW`] on.
    fn new(rows: &[Row]) -> Self {
        Self::with_history(rows, ChangeLogLimits { seconds: 600, bytes: 1 << 20 })
    }

    fn with_history(rows: &[Row], limits: ChangeLogLimits) -> Self {
        let mut rig = Rig::new(rows);
        let clock = Arc::new(AtomicU32::new(NOW - 101));
        let of_log = Arc::clone(&clock);
        let log = ChangeLog::new(limits, move || of_log.load(Ordering::Relaxed));
        rig.writer.observe(log.observer());
        // The first event begins the log.
        rig.writer.apply(&Batch::new());
        log.restart();
        clock.store(NOW, Ordering::Relaxed);
        let session = Self::session_of(&log);
        Self { rig, log, clock, session, monotonic_ns: 0 }
    }

    fn session_of(log: &ChangeLog) -> BulkSession {
        Rig::session().with_active(ActiveOffer { log: log.clone(), idle: Duration::from_secs(60) })
    }

    fn now(&self) -> Now {
        Now { unix_seconds: self.clock.load(Ordering::Relaxed), monotonic_ns: self.monotonic_ns }
    }

    fn put(&mut self, rows: &[Row]) {
        self.rig.writer.apply(&batch(rows));
    }

    fn remove(&mut self, address: &str) {
        let mut batch = Batch::new();
        let (reason, time) = (RemovalReason::Released, Some(NOW));
        batch.remove(Removal { address: address.parse().unwrap(), reason, time });
        self.rig.writer.apply(&batch);
    }

    fn receive(&mut self, octets: &[u8]) {
        self.rig.receive(&mut self.session, octets);
    }

    fn send(&mut self, out: &mut Vec<u8>) -> Progress {
        let (now, mut buffer) = (self.now(), vec![0xee; BULK_BUFFER_LEN]);
        let progress = self.session.send(&self.rig.engine, &self.rig.reader.pin(), now, &mut buffer);
        if let Progress::Octets(len) = progress {
            out.extend(&buffer[..len]);
        }
        progress
    }

    /// Sends until there is nothing to do; returns the octets, and whether the connection is closed.
    fn drain(&mut self) -> (Vec<u8>, bool) {
        let mut out = Vec::new();
        for _ in 0..100_000 {
            match self.send(&mut out) {
                Progress::Octets(_) | Progress::Busy => {}
                Progress::Idle => return (out, false),
                Progress::Close => return (out, true),
                Progress::StartTls => panic!("TLS is begun"),
            }
        }
        panic!("the session does not come to rest");
    }

    /// Receives a query, and returns its replies.
    fn ask(&mut self, octets: &[u8]) -> (Vec<u8>, bool) {
        self.receive(octets);
        self.drain()
    }

    fn outcomes(&mut self) -> Vec<BulkOutcome> {
        std::iter::from_fn(|| self.session.finished()).map(|query| query.outcome).collect()
    }
}

/// An ACTIVELEASEQUERY with these options behind OPTION_CLIENTID.
fn active(xid: u8, options: &[Vec<u8>]) -> Vec<u8> {
    framed(22, xid, &[&[option(1, REQUESTOR)], options].concat())
}

fn reply(xid: u8) -> Vec<u8> {
    framed(15, xid, &[ids()])
}

fn data(xid: u8, duid: &[u8], bindings: &[Vec<u8>]) -> Vec<u8> {
    framed(17, xid, &[client_data(duid, bindings)])
}

fn status(code: u8, text: &str) -> Vec<u8> {
    option(13, &[&[0, code], text.as_bytes()].concat())
}

fn done(xid: u8, code: u8, text: &str) -> Vec<u8> {
    framed(16, xid, &[status(code, text)])
}

fn ended(address: &str) -> Vec<u8> {
    option(5, &[&octets(address)[..], &[0; 8]].concat())
}

fn time_option(code: u16, unix: u32) -> Vec<u8> {
    // 946,684,800 seconds from 1970 to 2000.
    option(code, &(unix - 946_684_800).to_be_bytes())
}

/// OPTION_ORO with OPTION_LQ_BASE_TIME.
fn base_time_requested() -> Vec<u8> {
    option(6, &[0, 100])
}

#[test]
fn without_an_offer_the_query_is_not_supported() {
    let mut live = Live::new(&[]);
    live.session = Rig::session();
    let text = "active leasequery not offered by this server";
    assert_eq!(live.ask(&active(2, &[])), (framed(15, 2, &[ids(), status(14, text)]), true));
    live.session = Rig::session();
    let told = framed(15, 2, &[ids(), status(14, text), time_option(100, NOW)]);
    assert_eq!(live.ask(&active(2, &[base_time_requested()])), (told, true));
    assert!(!live.session.is_active() && live.session.wake_at().is_none());
}

#[test]
fn the_reply_comes_at_once_and_each_change_after_it() {
    let mut live = Live::new(&[row(1, "2001:db8:1::1", 128, 1)]);
    assert_eq!(live.ask(&active(7, &[])), (reply(7), false));
    assert!(live.session.is_active() && live.session.wants_octets());
    live.put(&[row(2, "2001:db8:1::2", 128, 1), row(2, "2001:db8:100:100::", 56, 1)]);
    live.put(&[row(2, "2001:db8:1::2", 128, 1)]);
    let state = ActiveState { behind: 3, dirty: 0, is_live: true };
    assert_eq!(live.session.active(), Some(state));
    let told = data(7, &[0, 1, 2], &[iaaddr("2001:db8:1::2"), iaprefix("2001:db8:100:100::", 56)]);
    assert_eq!(live.drain(), (told, false));
    assert_eq!(live.session.active(), Some(ActiveState { behind: 0, ..state }));
    assert_eq!(live.drain(), (vec![], false));
}

#[test]
fn a_removed_binding_has_lifetimes_0_beside_the_bindings_left() {
    let rows = [row(1, "2001:db8:1::1", 128, 1), row(1, "2001:db8:1::2", 128, 1)];
    let mut live = Live::new(&rows);
    live.ask(&active(7, &[]));
    live.remove("2001:db8:1::1");
    let left = data(7, &[0, 1, 1], &[ended("2001:db8:1::1"), iaaddr("2001:db8:1::2")]);
    assert_eq!(live.drain().0, left);
    live.remove("2001:db8:1::2");
    assert_eq!(live.drain().0, data(7, &[0, 1, 1], &[ended("2001:db8:1::2")]));
}

#[test]
fn an_address_that_passes_to_another_client_is_told_of_both() {
    let mut live = Live::new(&[row(1, "2001:db8:1::1", 128, 1)]);
    live.ask(&active(7, &[]));
    live.put(&[row(2, "2001:db8:1::1", 128, 1)]);
    let lost = data(7, &[0, 1, 1], &[ended("2001:db8:1::1")]);
    let held = data(7, &[0, 1, 2], &[iaaddr("2001:db8:1::1")]);
    assert_eq!(live.drain().0, [lost, held].concat());
}

#[test]
fn the_holder_is_told_last_even_if_it_had_its_turn() {
    let mut live = Live::new(&[row(1, "2001:db8:1::1", 128, 1)]);
    live.ask(&active(7, &[]));
    // The new holder changed first.
    live.put(&[row(2, "2001:db8:1::2", 128, 1)]);
    live.put(&[row(2, "2001:db8:1::1", 128, 1)]);
    let held = data(7, &[0, 1, 2], &[iaaddr("2001:db8:1::1"), iaaddr("2001:db8:1::2")]);
    let lost = data(7, &[0, 1, 1], &[ended("2001:db8:1::1")]);
    assert_eq!(live.drain().0, [held.clone(), lost, held].concat());
}

#[test]
fn an_address_that_passes_on_and_ends_before_it_is_told_ends_for_both() {
    let mut live = Live::new(&[row(1, "2001:db8:1::1", 128, 1)]);
    live.ask(&active(7, &[]));
    live.put(&[row(2, "2001:db8:1::1", 128, 1)]);
    live.remove("2001:db8:1::1");
    let lost = |duid| data(7, &[0, 1, duid], &[ended("2001:db8:1::1")]);
    assert_eq!(live.drain().0, [lost(1), lost(2)].concat());
}

#[test]
fn base_time_is_the_second_of_the_oldest_change_that_is_not_sent() {
    for oro_in_query in [false, true] {
        let mut live = Live::new(&[]);
        let asked = if oro_in_query {
            let value = [&[4], &octets("2001:db8:1::1")[..], &base_time_requested()].concat();
            option(44, &value)
        } else {
            base_time_requested()
        };
        let now = time_option(100, NOW);
        assert_eq!(live.ask(&active(7, &[asked])).0, framed(15, 7, &[ids(), now.clone()]));
        live.put(&[row(1, "2001:db8:1::1", 128, 1)]);
        live.clock.store(NOW + 5, Ordering::Relaxed);
        let later = option(5, &[&octets("2001:db8:1::1")[..], &[0, 0, 3, 127, 0, 0, 7, 103]].concat());
        let later = option(45, &[option(1, &[0, 1, 1]), later, option(46, &[0, 0, 0, 105])].concat());
        let sent = framed(17, 7, &[time_option(100, NOW + 5), later]);
        assert_eq!(live.drain().0, sent);
        // 60 seconds without a change.
        live.monotonic_ns = live.session.wake_at().unwrap();
        assert_eq!(live.monotonic_ns, 60 * SECOND);
        assert_eq!(live.drain().0, framed(17, 7, &[time_option(100, NOW + 5)]));
        live.session.terminate();
        let text = "server is shutting down; ask another server";
        let end = framed(16, 7, &[status(11, text), time_option(100, NOW + 5)]);
        assert_eq!(live.drain(), (end, true));
    }
}

#[test]
fn a_catch_up_ends_with_its_status() {
    let mut live = Live::new(&[]);
    live.put(&[row(1, "2001:db8:1::1", 128, 1)]);
    live.clock.store(NOW + 2, Ordering::Relaxed);
    live.put(&[row(2, "2001:db8:1::2", 128, 1)]);
    live.clock.store(NOW, Ordering::Relaxed);
    let complete = framed(17, 7, &[status(13, "all missed changes are sent")]);
    let [first, second] =
        [1, 2].map(|client| data(7, &[0, 1, client], &[iaaddr(&format!("2001:db8:1::{client}"))]));
    let whole = [reply(7), first, second.clone(), complete.clone()].concat();
    let rest = [reply(7), second, complete.clone()].concat();
    let nothing = [reply(7), complete].concat();
    for (start, expected) in [(NOW - 100, &whole), (NOW, &whole), (NOW + 1, &rest), (NOW + 3, &nothing)] {
        live.session = Live::session_of(&live.log);
        assert_eq!(&live.ask(&active(7, &[time_option(101, start)])), &(expected.clone(), false));
        assert!(live.session.active().unwrap().is_live);
    }
}

#[test]
fn a_start_before_the_history_misses_data_and_goes_on_live() {
    let mut live = Live::new(&[]);
    let text = "some changes since the start time are not in the history any more";
    let missing = framed(15, 7, &[ids(), status(12, text), time_option(100, NOW)]);
    assert_eq!(live.ask(&active(7, &[time_option(101, NOW - 101)])), (missing, false));
    live.put(&[row(1, "2001:db8:1::1", 128, 1)]);
    assert_eq!(live.drain(), (data(7, &[0, 1, 1], &[iaaddr("2001:db8:1::1")]), false));
}

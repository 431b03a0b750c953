//! One thread's run: it sends what is due, judges what comes, gives up what does not.
//!
//! Two paces. *Closed loop*: a window of queries under way; each answer, or the end of waiting for it, makes
//! room for the next. It finds the most a server answers at that much concurrency; its latencies say little
//! about a server that stalls, because a stalled server is not asked either. *Open loop*: queries go out by a
//! timetable ([`super::rate`]), whatever the server does.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::flight::{Expiry, Flight, Since};
use super::judge::{Expected, Judge};
use super::live::Live;
use super::rate::Timetable;
use super::reply;
use super::tally::Tally;
use super::transport::{BATCH_MAX, Batch, Transport};
use super::watch::Watch;
use crate::leases::Clients;
use crate::query::{Draw, Encoder, Query};

/// Longest wait before the clock and the sign to stop are looked at.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// Shorter waits are spent looking again: to sleep and wake up takes longer.
const WAIT_MIN: Duration = Duration::from_micros(20);
/// Open loop: queries that are due within this time of the last batch go together, so that at high rates
/// batches fill. It adds as much to a latency at most.
const GATHER: Duration = Duration::from_micros(50);

/// How fast one thread asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// Queries under way at once.
    Closed {
        window: u32,
    },
    Open(Timetable),
}

/// How much one thread asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    /// Queries in all, if that ends it.
    pub(super) queries: Option<u64>,
    /// Time of asking, if that ends it.
    pub(super) duration: Option<Duration>,
}

/// A source port and the queries under way from it.
pub(super) struct Port {
    pub(super) transport: Transport,
    pub(super) flight: Flight<Query>,
}

/// All that one thread needs to ask and to judge.
pub(super) struct Asker<'a> {
    pub(super) number: usize,
    pub(super) ports: Vec<Port>,
    /// Over all ports, if there are several.
    pub(super) watch: Option<Watch>,
    /// The port from which the next batch goes.
    pub(super) next_port: usize,
    pub(super) clients: &'a Clients,
    pub(super) draw: Draw<'a>,
    pub(super) encoder: &'a Encoder,
    pub(super) expected: Expected<'a>,
    pub(super) pace: Pace,
    pub(super) amount: Amount,
    pub(super) batch: Batch,
    /// What has come, to be judged.
    pub(super) arrived: Batch,
    pub(super) tally: Tally,
    pub(super) last_batch: Since,
    /// Nothing is left to ask.
    pub(super) finished: bool,
}

impl Asker<'_> {
    /// Asks from `start` on until the amount is reached and the last answer has come or is given up.
    pub(super) fn run(mut self, start: Instant, live: &Live<'_>) -> Tally {
        loop {
            let now = start.elapsed();
            self.expire(now);
            self.finished |= live.is_stopped() || self.is_over(now);
            if self.finished && self.waiting() == 0 {
                self.tally.dropped_here = self.ports.iter().map(|port| port.transport.dropped()).sum();
                return self.tally;
            }
            if self.is_due(now) {
                self.send(start);
            }
            self.receive(start);
            self.publish(live);
        }
    }

    fn waiting(&self) -> usize {
        self.ports.iter().map(|port| port.flight.waiting()).sum()
    }

    /// Whether the amount is reached.
    fn is_over(&self, now: Since) -> bool {
        if self.amount.queries.is_some_and(|queries| self.tally.sent >= queries) {
            return true;
        }
        let Some(duration) = self.amount.duration else { return false };
        match self.pace {
            Pace::Closed { .. } => now >= duration,
            // What was due in time is sent, late as it may be.
            Pace::Open(timetable) => timetable.due(self.tally.sent) >= duration,
        }
    }

    /// Whether queries are to be sent now.
    fn is_due(&self, now: Since) -> bool {
        if self.finished {
            return false;
        }
        match self.pace {
            Pace::Closed { window } => self.waiting() < window as usize,
            Pace::Open(timetable) => {
                let gathered = timetable.due(self.tally.sent + BATCH_MAX as u64 - 1) <= now;
                gathered || now >= self.next_batch(timetable)
            }
        }
    }

    fn next_batch(&self, timetable: Timetable) -> Since {
        timetable.due(self.tally.sent).max(self.last_batch + GATHER)
    }

    /// When this thread's next query is due; `None` if that is not now.
    fn next_due(&self, now: Since) -> Option<Since> {
        let over = self.amount.queries.is_some_and(|queries| self.tally.sent >= queries);
        match self.pace {
            Pace::Closed { window } => (!over && self.waiting() < window as usize).then_some(now),
            Pace::Open(timetable) => {
                let due = timetable.due(self.tally.sent);
                let in_time = self.amount.duration.is_none_or(|duration| due < duration);
                (!over && in_time && due <= now).then_some(due)
            }
        }
    }

    /// Sends the queries that are due, a batch at most, from the next port.
    fn send(&mut self, start: Instant) {
        // One time for the batch, taken before it is written: a latency may come out too long by this, never
        // short.
        let now = start.elapsed();
        self.batch.clear();
        let place = self.next_port;
        self.next_port = (place + 1) % self.ports.len();
        while self.batch.len() < BATCH_MAX
            && let Some(due) = self.next_due(now)
        {
            if self.ports[place].flight.is_full() {
                break; // in an open loop they go later, and count as late
            }
            let Some(query) = self.draw.next() else {
                self.finished = true;
                break;
            };
            let Some(id) = self.ports[place].flight.launch(query, due, now) else { break };
            let written = self.batch.push(|w| self.encoder.write(w, id, query, self.clients));
            written.expect("a batch has room for its queries at their longest");
            self.tally.sent(due, now);
        }
        self.last_batch = now;
        if self.batch.len() > 0 {
            self.tally.last = now;
            self.send_batch(place);
        }
    }

    fn send_batch(&mut self, place: usize) {
        let sent = self.ports[place].transport.send(&self.batch);
        self.tally.network_errors += u64::from(sent.is_err());
    }

    /// Gives up the queries that have waited too long, or sends them again.
    fn expire(&mut self, now: Since) {
        for place in 0..self.ports.len() {
            self.batch.clear();
            while let Some(expiry) = self.ports[place].flight.expire(now) {
                match expiry {
                    Expiry::Lost { due } => self.tally.lost(due),
                    Expiry::Again { id, query } => {
                        let written = self.batch.push(|w| self.encoder.write(w, id, query, self.clients));
                        written.expect("a batch has room for its queries at their longest");
                        self.tally.repeated += 1;
                    }
                }
                if self.batch.len() == BATCH_MAX {
                    self.send_batch(place);
                    self.batch.clear();
                }
            }
            self.send_batch(place);
        }
    }

    /// Judges the answers that have come; waits for some if there are none and nothing is due.
    fn receive(&mut self, start: Instant) {
        let unix_now = unix_seconds();
        let wait = self.wait(start.elapsed());
        let Some(mut watch) = self.watch.take() else { return self.receive_at(0, wait, start, unix_now) };
        self.tally.network_errors += u64::from(watch.wait(wait).is_err());
        watch.ready().for_each(|place| self.receive_at(place, Duration::ZERO, start, unix_now));
        self.watch = Some(watch);
    }

    /// Judges the answers that have come at one port, waiting so long for the first.
    fn receive_at(&mut self, place: usize, wait: Duration, start: Instant, unix_now: u32) {
        let Port { transport, flight } = &mut self.ports[place];
        self.arrived.clear();
        let received = transport.receive(wait, |octets| self.arrived.push_octets(octets));
        self.tally.network_errors += u64::from(received.is_err());
        // One time for what has come together, taken after it came.
        let now = start.elapsed();
        let asked = self.arrived.iter().filter_map(reply::transaction_id);
        self.clients.warm(asked.filter_map(|id| flight.query(id)).map(|query| query.client));
        let mut judge = Judge { flight, expected: &mut self.expected, tally: &mut self.tally, unix_now };
        self.arrived.iter().for_each(|octets| judge.datagram(octets, now));
    }

    /// How long to wait for an answer, if none is there.
    fn wait(&self, now: Since) -> Duration {
        let wait = self.next_wake().saturating_sub(now).min(WAIT_MAX);
        if wait < WAIT_MIN { Duration::ZERO } else { wait }
    }

    /// When something is to be done though nothing comes.
    fn next_wake(&self) -> Since {
        let deadline = self.ports.iter().filter_map(|port| port.flight.next_deadline()).min();
        let send = match self.pace {
            _ if self.finished => None,
            Pace::Closed { .. } => self.is_due(Since::ZERO).then_some(Since::ZERO),
            Pace::Open(timetable) => Some(self.next_batch(timetable)),
        };
        deadline.into_iter().chain(send).min().unwrap_or(Since::MAX)
    }

    fn publish(&self, live: &Live<'_>) {
        let counters = &live.threads[self.number];
        counters.sent.store(self.tally.sent, Ordering::Relaxed);
        counters.answered.store(self.tally.answered, Ordering::Relaxed);
        counters.lost.store(self.tally.lost, Ordering::Relaxed);
        counters.wrong.store(self.tally.wrong.total(), Ordering::Relaxed);
    }
}

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u32 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(since_1970).unwrap_or(u32::MAX)
}

//! A thread of a load: sends due queries, judges answers, gives up unanswered queries.
//!
//! There are two paces. *Closed loop*: a window of pending queries; each answer or timeout makes room for the
//! next. It finds the highest rate at that concurrency, but its latencies hide stalls, since a stalled server
//! is not queried either. *Open loop*: queries leave by a timetable ([`super::rate`]), whatever the server
//! does.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::in_flight::{Expiry, InFlight, Since};
use super::judge::{Expected, Judge};
use super::live::LiveCounters;
use super::poller::PortPoller;
use super::rate::Timetable;
use super::reply;
use super::tally::Tally;
use super::transport::{BATCH_MAX, Batch, Transport};
use crate::clock::unix_seconds;
use crate::leases::Clients;
use crate::query::{Encoder, Query, QueryGenerator};

/// Longest wait before the clock and the stop flag are checked.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// Shorter waits are busy: sleeping and waking up would take longer.
const WAIT_MIN: Duration = Duration::from_micros(20);
/// Open loop: time after the last batch within which due queries are gathered, so that batches fill at high
/// rates. It adds at most as much to a latency.
const GATHER: Duration = Duration::from_micros(50);

/// Pace of one thread.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// A window of pending queries.
    Closed {
        window: u32,
    },
    Open(Timetable),
}

/// Amount of load of one thread.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    /// Number of queries, if limited.
    pub(super) queries: Option<u64>,
    /// Time of sending, if limited.
    pub(super) duration: Option<Duration>,
}

/// A source port, with its pending queries.
pub(super) struct Port {
    pub(super) transport: Transport,
    pub(super) flight: InFlight<Query>,
}

/// State of one thread of a load.
pub(super) struct LoadThread<'a> {
    pub(super) number: usize,
    pub(super) ports: Vec<Port>,
    /// Poller of the ports, if there are several.
    pub(super) watch: Option<PortPoller>,
    /// Port of the next batch.
    pub(super) next_port: usize,
    pub(super) clients: &'a Clients,
    pub(super) draw: QueryGenerator<'a>,
    pub(super) encoder: &'a Encoder,
    pub(super) expected: Expected<'a>,
    pub(super) pace: Pace,
    pub(super) amount: Amount,
    pub(super) batch: Batch,
    /// Received datagrams that wait for judgement.
    pub(super) arrived: Batch,
    pub(super) tally: Tally,
    pub(super) last_batch: Since,
    /// Whether no further query is sent.
    pub(super) finished: bool,
}

impl LoadThread<'_> {
    /// Runs from `start` until the amount is reached and every query is answered or given up.
    pub(super) fn run(mut self, start: Instant, live: &LiveCounters<'_>) -> Tally {
        loop {
            let now = start.elapsed();
            // First, so that given-up queries make room in a closed loop.
            self.expire(now);
            self.finished |= live.is_stopped() || self.is_over(now);
            // Only when no answer can come any more are the drops complete.
            if self.finished && self.waiting() == 0 {
                self.tally.dropped_here = self.ports.iter().map(|port| port.transport.dropped()).sum();
                return self.tally;
            }
            if self.is_due(now) {
                // Queries first: their answers arrive while this thread judges others.
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
            // A closed loop ends by time, as its next query is due whenever there is room.
            Pace::Closed { .. } => now >= duration,
            // Queries that were due in time are sent, however late.
            Pace::Open(timetable) => timetable.due(self.tally.sent) >= duration,
        }
    }

    /// Whether queries must be sent now.
    fn is_due(&self, now: Since) -> bool {
        if self.finished {
            return false;
        }
        match self.pace {
            Pace::Closed { window } => self.waiting() < window as usize,
            Pace::Open(timetable) => {
                // A full batch leaves at once, a partial one after GATHER.
                let gathered = timetable.due(self.tally.sent + BATCH_MAX as u64 - 1) <= now;
                gathered || now >= self.next_batch(timetable)
            }
        }
    }

    fn next_batch(&self, timetable: Timetable) -> Since {
        timetable.due(self.tally.sent).max(self.last_batch + GATHER)
    }

    /// Returns the due time of this thread's next query; `None` if it is not due now.
    fn next_due(&self, now: Since) -> Option<Since> {
        // The count is checked again, as a batch may reach it.
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

    /// Sends the due queries, at most a batch, from the next port.
    fn send(&mut self, start: Instant) {
        // One time for the batch, taken before it is encoded: it can make a latency too long, never too
        // short.
        let now = start.elapsed();
        self.batch.clear();
        let place = self.next_port;
        // Ports take turns, so that every flow gets its share.
        self.next_port = (place + 1) % self.ports.len();
        while self.batch.len() < BATCH_MAX
            && let Some(due) = self.next_due(now)
        {
            if self.ports[place].flight.is_full() {
                break; // in an open loop the rest leaves later, and counts as late
            }
            let Some(query) = self.draw.next() else {
                self.finished = true;
                break;
            };
            let Some(id) = self.ports[place].flight.start(query, due, now) else { break };
            let written = self.batch.push(|w| self.encoder.write(w, id, query, self.clients));
            written.expect("a batch has room for its queries at their longest");
            self.tally.sent(due, now);
        }
        // Set even without a query, so that gathering starts anew.
        self.last_batch = now;
        if self.batch.len() > 0 {
            self.tally.last = now;
            self.send_batch(place);
        }
    }

    // Errors are counted, not returned: a closed port shows as lost queries.
    fn send_batch(&mut self, place: usize) {
        let sent = self.ports[place].transport.send(&self.batch);
        self.tally.network_errors += u64::from(sent.is_err());
    }

    /// Gives up or retransmits the queries that have timed out.
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
                // A batch has a fixed size, and many queries may time out at once.
                if self.batch.len() == BATCH_MAX {
                    self.send_batch(place);
                    self.batch.clear();
                }
            }
            self.send_batch(place);
        }
    }

    /// Judges the received answers; waits for some if there are none and nothing is due.
    fn receive(&mut self, start: Instant) {
        let unix_now = unix_seconds();
        // The wait is computed before, so that no send is late because of it.
        let wait = self.wait(start.elapsed());
        // A single port waits on its own socket, which saves a system call.
        let Some(mut watch) = self.watch.take() else { return self.receive_at(0, wait, start, unix_now) };
        self.tally.network_errors += u64::from(watch.wait(wait).is_err());
        watch.ready().for_each(|place| self.receive_at(place, Duration::ZERO, start, unix_now));
        // Put back, as it was taken to leave `self` free.
        self.watch = Some(watch);
    }

    /// Judges the answers received at one port, after waiting at most `wait` for the first.
    fn receive_at(&mut self, place: usize, wait: Duration, start: Instant, unix_now: u32) {
        let Port { transport, flight } = &mut self.ports[place];
        // Copied first: judging takes longer than receiving, and the socket's queue is short.
        self.arrived.clear();
        let received = transport.receive(wait, |octets| self.arrived.push_octets(octets));
        self.tally.network_errors += u64::from(received.is_err());
        // One time for datagrams received together, taken after their arrival.
        let now = start.elapsed();
        let asked = self.arrived.iter().filter_map(reply::transaction_id);
        // The checks below read these clients: one overlapped miss instead of many.
        self.clients.warm(asked.filter_map(|id| flight.query(id)).map(|query| query.client));
        let mut judge = Judge { flight, expected: &mut self.expected, tally: &mut self.tally, unix_now };
        self.arrived.iter().for_each(|octets| judge.datagram(octets, now));
    }

    /// Returns the time to wait for an answer.
    fn wait(&self, now: Since) -> Duration {
        // Bounded, so that the stop flag is seen in time.
        let wait = self.next_wake().saturating_sub(now).min(WAIT_MAX);
        // A sleep of microseconds oversleeps the timetable.
        if wait < WAIT_MIN { Duration::ZERO } else { wait }
    }

    /// Returns the time of the next send or timeout.
    fn next_wake(&self) -> Since {
        let deadline = self.ports.iter().filter_map(|port| port.flight.next_deadline()).min();
        let send = match self.pace {
            _ if self.finished => None,
            Pace::Closed { .. } => self.is_due(Since::ZERO).then_some(Since::ZERO),
            Pace::Open(timetable) => Some(self.next_batch(timetable)),
        };
        // Without either, the wait ends by its bound.
        deadline.into_iter().chain(send).min().unwrap_or(Since::MAX)
    }

    fn publish(&self, live: &LiveCounters<'_>) {
        let counters = &live.threads[self.number];
        // Relaxed stores: one thread writes, and the line only shows.
        counters.sent.store(self.tally.sent, Ordering::Relaxed);
        counters.answered.store(self.tally.answered, Ordering::Relaxed);
        counters.lost.store(self.tally.lost, Ordering::Relaxed);
        counters.wrong.store(self.tally.wrong.total(), Ordering::Relaxed);
    }
}

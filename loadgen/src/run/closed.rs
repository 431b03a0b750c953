//! Closed loop: a window of queries under way; each answer, or the end of waiting for it, makes room for the
//! next.
//!
//! It finds the most a server answers at that much concurrency. Its latencies say little about a server that
//! stalls, because a stalled server is not asked either.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lqd_wire::TransactionId;

use super::check::Checker;
use super::flight::{Flight, Landing, Since};
use super::reply::Reply;
use super::tally::Tally;
use super::transport::{BATCH_MAX, Batch, Transport};
use super::wrong::Wrong;
use crate::leases::Clients;
use crate::query::{Draw, Encoder, Query};

/// Longest wait for an answer before the clock is looked at.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// How much one thread asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Amount {
    /// Queries under way at once.
    pub(super) window: u32,
    /// Queries in all, if that ends it.
    pub(super) queries: Option<u64>,
    /// Time of asking, if that ends it.
    pub(super) duration: Option<Duration>,
    /// How long an answer is waited for.
    pub(super) timeout: Duration,
}

/// One thread's run: its way to the target, and all that it needs to ask and to judge.
pub(super) struct Closed<'a, T> {
    pub(super) transport: T,
    pub(super) clients: &'a Clients,
    pub(super) draw: Draw<'a>,
    pub(super) encoder: &'a Encoder,
    pub(super) checker: Checker<'a>,
    pub(super) amount: Amount,
    pub(super) flight: Flight<Query>,
    pub(super) batch: Batch,
    pub(super) tally: Tally,
}

impl<T: Transport> Closed<'_, T> {
    /// Asks from `start` on until the amount is reached and the last answer has come or is given up.
    pub(super) fn run(mut self, start: Instant) -> Tally {
        loop {
            let now = start.elapsed();
            self.tally.lost += self.flight.give_up(now);
            let room = self.room(now);
            if room == 0 && self.flight.waiting() == 0 {
                return self.tally;
            }
            self.send(room, start);
            self.receive(start);
        }
    }

    /// How many queries may be sent now.
    fn room(&self, now: Since) -> u64 {
        if self.amount.duration.is_some_and(|duration| now >= duration) {
            return 0;
        }
        let left = self.amount.queries.map_or(u64::MAX, |queries| queries - self.tally.sent);
        left.min(u64::from(self.amount.window).saturating_sub(self.flight.waiting() as u64))
    }

    /// Sends up to `room` queries, a batch at most.
    fn send(&mut self, room: u64, start: Instant) {
        if room == 0 {
            return;
        }
        // One time for the batch, taken before it is written: a latency may come out too long by this, never
        // short.
        let sent = start.elapsed();
        self.batch.clear();
        for _ in 0..room.min(BATCH_MAX as u64) {
            let (query, address) = self.draw.next();
            let Some(id) = self.flight.launch(query, sent) else { break };
            let duid = self.clients.get(query.client).duid;
            let written = self.batch.push(|w| self.encoder.write(w, id, query.subject, address, duid));
            written.expect("a batch has room for its queries at their longest");
            self.tally.sent += 1;
        }
        self.tally.last = sent;
        if self.transport.send(&self.batch).is_err() {
            self.tally.network_errors += 1;
        }
    }

    /// Waits for answers and judges those that come.
    fn receive(&mut self, start: Instant) {
        let now = start.elapsed();
        let until_deadline = self.flight.next_deadline().map_or(WAIT_MAX, |due| due.saturating_sub(now));
        let Self { transport, flight, checker, tally, .. } = self;
        let mut judge = Judge { flight, checker, tally, unix_now: unix_seconds() };
        let received = transport.receive(until_deadline.min(WAIT_MAX), |octets| {
            judge.answer(octets, start.elapsed());
        });
        if received.is_err() {
            tally.network_errors += 1;
        }
    }
}

/// Judges the answers of one batch.
struct Judge<'j, 'a> {
    flight: &'j mut Flight<Query>,
    checker: &'j mut Checker<'a>,
    tally: &'j mut Tally,
    unix_now: u32,
}

impl Judge<'_, '_> {
    fn answer(&mut self, octets: &[u8], now: Since) {
        let Some((id, reply)) = Reply::parse(octets) else {
            return self.tally.wrong(Wrong::Malformed, None, octets);
        };
        let Some((query, sent)) = self.landed(id, octets) else { return };
        self.tally.last = now;
        self.tally.answered(now.saturating_sub(sent));
        let Some(reply) = reply else {
            return self.tally.wrong(Wrong::Malformed, Some(query), octets);
        };
        self.tally.status(reply.status);
        match self.checker.check(&reply, query, self.unix_now) {
            Ok(said) => self.tally.said(said),
            Err(wrong) => self.tally.wrong(wrong, Some(query), octets),
        }
    }

    /// The query of this answer, if one waits for it.
    fn landed(&mut self, id: TransactionId, octets: &[u8]) -> Option<(Query, Since)> {
        match self.flight.land(id) {
            Landing::InTime { query, sent } => return Some((query, sent)),
            Landing::Late => self.tally.late += 1,
            Landing::Again => self.tally.wrong(Wrong::Again, None, octets),
            Landing::Unknown => self.tally.wrong(Wrong::TransactionId, None, octets),
        }
        None
    }
}

/// Seconds since 1970.
pub(super) fn unix_seconds() -> u32 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(since_1970).unwrap_or(u32::MAX)
}

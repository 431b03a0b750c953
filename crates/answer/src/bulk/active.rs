//! Active leasequery (RFC 7653): one query that follows the changes of leases until its connection ends.
//!
//! ```text
//! change log ── read ── filter ── dirty clients ── tell ── LEASEQUERY-DATA
//!                                   (bounded)        └─ index: the state of the moment
//! ```
//! `DESIGN.md` compares the designs.

mod dirty;
mod filter;
mod follow;
mod request;
mod tell;

use std::time::Duration;

use lqd_index::ChangeLog;
use lqd_wire::{LqTime, StatusCode, TransactionId};

use super::message::Accepted;
use super::query::Wanted;
use super::reply::Envelope;
use super::step::Context;
use super::{BulkOutcome, FinishedQuery, Room};
use crate::{NoBindingPolicy, Rights};
use dirty::DirtySet;
use filter::Filter;
pub(super) use request::refusal;
use tell::Sending;

const CATCH_UP_COMPLETE: (StatusCode, &str) = (StatusCode::CATCH_UP_COMPLETE, "all missed changes are sent");
const DATA_MISSING: (StatusCode, &str) =
    (StatusCode::DATA_MISSING, "some changes since the start time are not in the history any more");

/// Nanoseconds after which changes that wait for complete leases are tried again.
const RETRY_NS: u64 = 1_000_000_000;

/// The offer of active leasequery to the sessions of a server.
#[derive(Clone)]
pub struct ActiveOffer {
    /// The log of all changes. A session reads it in [`BulkSession::send`](super::BulkSession::send).
    pub log: ChangeLog,
    /// Time without a message after which a keep-alive is sent (ACTIVE_LQ_IDLE_TIMEOUT, RFC 7653 §6.4).
    pub idle: Duration,
}

impl std::fmt::Debug for ActiveOffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActiveOffer").field("idle", &self.idle).finish_non_exhaustive()
    }
}

/// Progress of an active query, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveState {
    /// Entries of the log that were not read yet.
    pub behind: u64,
    /// Changed leases that were not sent yet.
    pub dirty: usize,
    /// Whether the query was accepted, and the catch-up, if any, is over.
    pub is_live: bool,
}

/// Phase of an active query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The LEASEQUERY-REPLY is owed.
    New,
    /// Changes before this entry of the log are being sent (RFC 7653 §8.4.1).
    CatchUp(u64),
    Live,
}

/// The result of one [`ActiveQuery::advance`].
pub(super) enum Advanced {
    /// Nothing to do until the log grows, or until [`ActiveQuery::wake_at`].
    Waiting,
    /// There is more to read or to send.
    Working,
    /// The query has ended: the connection is closed (RFC 7653 §9.5).
    Ended(FinishedQuery),
}

/// An active query.
#[derive(Debug)]
pub(super) struct ActiveQuery {
    pub(super) transaction_id: TransactionId,
    requestor: Box<[u8]>,
    wanted: Wanted,
    filter: Filter,
    offer: ActiveOffer,
    /// The requestor's rights at the beginning; others end the query.
    rights: Rights,
    phase: Phase,
    /// Entry of the log that is read next.
    next: u64,
    /// Second before which no unread entry was published.
    read_until: u32,
    is_at_end: bool,
    dirty: DirtySet,
    /// The client whose messages are being sent.
    sending: Option<Sending>,
    ending: Option<BulkOutcome>,
    /// Monotonic time of the last message in nanoseconds.
    last_sent: u64,
    /// Time at which changes that wait for complete leases are tried again.
    retry_at: Option<u64>,
    bindings: u64,
    messages: u64,
}

impl ActiveQuery {
    pub(super) fn new(accepted: Accepted, offer: ActiveOffer, rights: Rights) -> Self {
        let Accepted { transaction_id, requestor, wanted, .. } = accepted;
        Self {
            transaction_id,
            requestor,
            filter: Filter::of(&wanted, &rights),
            wanted,
            next: offer.log.end(),
            offer,
            rights,
            phase: Phase::New,
            read_until: 0,
            is_at_end: false,
            dirty: DirtySet::default(),
            sending: None,
            ending: None,
            last_sent: 0,
            retry_at: None,
            bindings: 0,
            messages: 0,
        }
    }

    pub(super) fn state(&self) -> ActiveState {
        ActiveState {
            behind: self.offer.log.end().saturating_sub(self.next),
            dirty: self.dirty.leases() + self.sending.as_ref().map_or(0, Sending::leases),
            is_live: self.phase == Phase::Live,
        }
    }

    /// Returns the monotonic time in nanoseconds at which there is something to do without new changes.
    pub(super) fn wake_at(&self) -> Option<u64> {
        let idle = u64::try_from(self.offer.idle.as_nanos()).unwrap_or(u64::MAX);
        let keep_alive = self.last_sent.saturating_add(idle);
        Some(self.retry_at.map_or(keep_alive, |retry_at| retry_at.min(keep_alive)))
    }

    /// Ends the query with this outcome, unless it has one already.
    pub(super) fn end(&mut self, outcome: BulkOutcome) {
        self.ending.get_or_insert(outcome);
    }

    /// Returns the record of the query.
    pub(super) fn finish(&self, outcome: BulkOutcome) -> FinishedQuery {
        FinishedQuery {
            outcome,
            class: self.wanted.class(),
            transaction_id: Some(self.transaction_id),
            subject: self.wanted.subject.clone(),
            link_address: self.wanted.link_address,
            bindings: self.bindings,
            messages: self.messages,
        }
    }

    /// Reads changes and writes messages while there is room.
    pub(super) fn advance(
        &mut self,
        context: &Context<'_>,
        room: &mut Room<'_>,
        monotonic_ns: u64,
    ) -> Advanced {
        let start = room.w.position();
        if self.phase == Phase::New {
            // Of earlier changes it is told only if it asks for them.
            (self.next, self.read_until) = (self.offer.log.end(), context.now);
        }
        self.check(context);
        if room.has_room() && self.ending.is_none() && self.phase == Phase::New {
            self.begin(context, room);
        }
        if self.phase != Phase::New && self.ending.is_none() {
            self.follow(context, room, monotonic_ns);
        }
        if let Some(outcome) = self.ending {
            if !room.has_room() {
                return Advanced::Working;
            }
            let mut envelope = self.envelope(context);
            if outcome == BulkOutcome::Shutdown {
                // Asked for or not (RFC 7653 §8.4).
                let base_time = self.base_time(context.now, None);
                envelope.base_time.get_or_insert(LqTime::from_unix(base_time));
            }
            envelope.end(&mut room.w, outcome).expect("a status fits into the longest frame");
            self.messages += 1;
            return Advanced::Ended(self.finish(outcome));
        }
        let idle = u64::try_from(self.offer.idle.as_nanos()).unwrap_or(u64::MAX);
        if room.w.position() == start && monotonic_ns >= self.last_sent.saturating_add(idle) {
            self.note(context, room, None);
        }
        if room.w.position() > start {
            self.last_sent = monotonic_ns;
        }
        if self.is_waiting() { Advanced::Waiting } else { Advanced::Working }
    }

    /// Whether all that can be sent is sent.
    fn is_waiting(&self) -> bool {
        self.is_at_end && self.sending.is_none() && self.dirty.is_idle()
    }

    /// Ends the query if the requestor's rights are not those at the beginning.
    fn check(&mut self, context: &Context<'_>) {
        let rights = context.rights;
        if !rights.allow {
            self.end(BulkOutcome::NotAllowed);
        } else if !rights.active {
            self.end(BulkOutcome::ActiveNotAllowed);
        } else if *rights != self.rights {
            self.end(BulkOutcome::AccessChanged);
        }
    }

    /// Sends the LEASEQUERY-REPLY (RFC 7653 §9.3), or decides why there is none.
    fn begin(&mut self, context: &Context<'_>, room: &mut Room<'_>) {
        if context.engine.no_binding_in(context.leases) != NoBindingPolicy::Answer {
            return self.end(BulkOutcome::Incomplete);
        }
        if self.filter.names_unknown_link(&context.view) {
            return self.end(BulkOutcome::NotConfigured);
        }
        let end = self.next;
        let Some(start) = self.wanted.start.map(LqTime::to_unix) else {
            self.note(context, room, None);
            self.phase = Phase::Live;
            return;
        };
        if let Some(next) = self.offer.log.since(start) {
            (self.next, self.read_until) = (next.min(end), start.min(context.now));
            self.note(context, room, None);
            self.phase = Phase::CatchUp(end);
        } else {
            self.data_missing(context, room);
        }
    }

    /// Ends the catch-up without the rest of the missed changes (RFC 7653 §8.4.1).
    fn data_missing(&mut self, context: &Context<'_>, room: &mut Room<'_>) {
        let mut envelope = self.envelope(context);
        // Here the requestor needs the time, asked for or not.
        envelope.base_time.get_or_insert(LqTime::from_unix(self.base_time(context.now, None)));
        envelope.note(&mut room.w, Some(DATA_MISSING)).expect("a status fits into the longest frame");
        self.messages += 1;
        self.phase = Phase::Live;
    }

    /// Writes a message without client data.
    fn note(&mut self, context: &Context<'_>, room: &mut Room<'_>, status: Option<(StatusCode, &str)>) {
        let written = self.envelope(context).note(&mut room.w, status);
        written.expect("a status fits into the longest frame");
        self.messages += 1;
    }

    fn envelope<'a>(&'a self, context: &Context<'a>) -> Envelope<'a> {
        let base_time = self.wanted.has_base_time();
        Envelope {
            transaction_id: self.transaction_id,
            requestor: &self.requestor,
            server_duid: &context.engine.policy().server_duid,
            base_time: base_time.then(|| LqTime::from_unix(self.base_time(context.now, None))),
            is_replied: self.messages > 0,
        }
    }

    /// Returns a second such that a query which starts at it misses no change that is not sent.
    ///
    /// `sending`: the second of a change of which more than one message is owed.
    fn base_time(&self, now: u32, sending: Option<u32>) -> u32 {
        let unread = (!self.is_at_end).then_some(self.read_until);
        let sending = sending.or_else(|| self.sending.as_ref().map(Sending::published));
        let oldest = [unread, sending, self.dirty.oldest()].into_iter().flatten().min();
        oldest.map_or(now, |oldest| oldest.min(now))
    }
}

//! The work on one query, a turn at a time.

use std::net::Ipv6Addr;

use lqd_index::Pinned;
use lqd_wire::{LqTime, TransactionId};

use super::message::Accepted;
use super::query::Wanted;
use super::reply::Envelope;
use super::{BulkOutcome, FinishedQuery, Room, rights};
use crate::select::View;
use crate::{Engine, Now, Rights};

/// The surroundings of one call of [`BulkSession::send`](super::BulkSession::send).
#[expect(dead_code, reason = "for the scan of leases")]
pub(super) struct Context<'a> {
    pub(super) engine: &'a Engine,
    pub(super) leases: &'a Pinned<'a>,
    pub(super) rights: &'a Rights,
    pub(super) view: View<'a>,
    /// UNIX seconds.
    pub(super) now: u32,
}

impl<'a> Context<'a> {
    pub(super) fn new(engine: &'a Engine, leases: &'a Pinned<'_>, source: &'a Ipv6Addr, now: Now) -> Self {
        let rights = rights(engine, *source);
        let view = View::new(leases.links(), rights, Some(source));
        Self { engine, leases, rights, view, now: now.unix_seconds }
    }
}

/// The result of one turn.
pub(super) enum Turn {
    /// The query needs further turns.
    Again,
    /// The answer is complete; `closes`: the connection ends with the other owed answers (RFC 5460 §7.2).
    Finished { finished: FinishedQuery, closes: bool },
}

/// A query without a complete answer.
#[derive(Debug)]
pub(super) struct OpenQuery {
    pub(super) transaction_id: TransactionId,
    requestor: Box<[u8]>,
    pub(super) wanted: Wanted,
    state: State,
    bindings: u64,
    messages: u64,
}

#[derive(Debug)]
enum State {
    /// Nothing was looked up yet.
    Received,
    /// The message that ends the answer is owed.
    Ending(BulkOutcome),
}

impl OpenQuery {
    pub(super) fn new(accepted: Accepted) -> Self {
        let Accepted { transaction_id, requestor, wanted, refusal } = accepted;
        let state = refusal.map_or(State::Received, State::Ending);
        Self { transaction_id, requestor, wanted, state, bindings: 0, messages: 0 }
    }

    /// Ends the query with this outcome.
    pub(super) fn end(&mut self, outcome: BulkOutcome) {
        self.state = State::Ending(outcome);
    }

    /// Works on the query once; there is room for one message at least.
    pub(super) fn turn(&mut self, context: &Context<'_>, w: &mut Room<'_>, _clients: &mut u32) -> Turn {
        match self.state {
            State::Received => {
                self.end(BulkOutcome::Incomplete);
                Turn::Again
            }
            State::Ending(outcome) => self.finish(context, w, outcome),
        }
    }

    /// Writes the message that ends the answer.
    fn finish(&mut self, context: &Context<'_>, w: &mut Room<'_>, outcome: BulkOutcome) -> Turn {
        let envelope = self.envelope(context);
        envelope.end(&mut w.w, outcome).expect("a status fits into the longest frame");
        self.messages += 1;
        let has_failed = !outcome.text().is_empty();
        let closes = outcome == BulkOutcome::Replaced
            || outcome == BulkOutcome::Resized
            || has_failed && self.messages > 1;
        let finished = FinishedQuery {
            outcome,
            class: self.wanted.class(),
            transaction_id: Some(self.transaction_id),
            subject: self.wanted.subject.take(),
            link_address: self.wanted.link_address,
            bindings: self.bindings,
            messages: self.messages,
        };
        Turn::Finished { finished, closes }
    }

    fn envelope<'a>(&'a self, context: &Context<'a>) -> Envelope<'a> {
        let base_time = self.wanted.has_base_time().then(|| LqTime::from_unix(context.now));
        Envelope {
            transaction_id: self.transaction_id,
            requestor: &self.requestor,
            server_duid: &context.engine.policy().server_duid,
            base_time,
            is_replied: self.messages > 0,
        }
    }
}

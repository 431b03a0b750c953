//! The work on one query, a turn at a time.

use std::net::Ipv6Addr;

use lqd_index::Pinned;
use lqd_wire::{LqTime, TransactionId};

use super::find::Step;
use super::message::Accepted;
use super::query::Wanted;
use super::reply::Envelope;
use super::scan::{self, Scan};
use super::selection::{Out, Resume, Scratch, Wrote};
use super::{BulkOutcome, FinishedQuery, Room, find, rights};
use crate::client_data::Requested;
use crate::select::{Content, View, nothing_on};
use crate::{Engine, NoBindingPolicy, Now, Rights};

/// The surroundings of one call of [`BulkSession::send`](super::BulkSession::send).
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
    /// Whether leases were stale or incomplete at some moment since the query began.
    is_incomplete: bool,
    /// Whether a binding fits into no message.
    has_unsent: bool,
}

#[derive(Debug)]
enum State {
    /// Bindings of one client are being sent.
    Finding(Option<Resume>),
    /// Bindings of many clients are being sent.
    Scanning(Box<Scan>),
    /// The message that ends the answer is owed.
    Ending(BulkOutcome),
}

impl State {
    /// The beginning of a query.
    fn of(wanted: &Wanted) -> Self {
        Scan::of(wanted).map_or(Self::Finding(None), |scan| Self::Scanning(Box::new(scan)))
    }
}

impl OpenQuery {
    pub(super) fn new(accepted: Accepted) -> Self {
        let Accepted { transaction_id, requestor, wanted, refusal, .. } = accepted;
        let state = refusal.map_or_else(|| State::of(&wanted), State::Ending);
        let (bindings, messages, is_incomplete, has_unsent) = (0, 0, false, false);
        Self { transaction_id, requestor, wanted, state, bindings, messages, is_incomplete, has_unsent }
    }

    /// Ends the query early; one whose last message is due keeps its outcome.
    pub(super) fn terminate(&mut self, outcome: BulkOutcome) {
        if !matches!(self.state, State::Ending(_)) {
            self.end(outcome);
        }
    }

    /// Ends the query with this outcome.
    fn end(&mut self, outcome: BulkOutcome) {
        self.state = State::Ending(outcome);
    }

    /// Works on the query once; there is room for one message at least.
    ///
    /// `clients` counts the client numbers that were read.
    pub(super) fn turn(
        &mut self,
        context: &Context<'_>,
        w: &mut Room<'_>,
        scratch: &mut Scratch,
        clients: &mut u32,
    ) -> Turn {
        if let State::Ending(outcome) = self.state {
            return self.finish(context, w, outcome);
        }
        *clients += scan::SLICE;
        // Leases that are incomplete for a moment may lack one that this query should have had.
        self.is_incomplete |= context.engine.no_binding_in(context.leases) != NoBindingPolicy::Answer;
        let end = if self.is_incomplete && self.messages == 0 {
            Some(BulkOutcome::Incomplete)
        } else {
            self.send_bindings(context, w, scratch)
        };
        if let Some(outcome) = end {
            self.end(outcome);
        }
        Turn::Again
    }

    /// Writes bindings; returns the outcome if there are no more.
    fn send_bindings(
        &mut self,
        context: &Context<'_>,
        room: &mut Room<'_>,
        scratch: &mut Scratch,
    ) -> Option<BulkOutcome> {
        let Self { transaction_id, requestor, wanted, state, .. } = self;
        let envelope = envelope(context, *transaction_id, requestor, wanted, self.messages > 0);
        let requested = Requested { codes: wanted.request(), rights: context.rights };
        let mut out = Out { room, envelope, requested, bindings: 0, messages: 0, has_unsent: false };
        let done = loop {
            break match state {
                State::Finding(resume) => match find::step(context, wanted, &mut out, scratch, resume) {
                    Ok(Step::Sent(wrote)) => Ok(Ok(wrote == Wrote::All)),
                    // At once, under the pin that its link belongs to.
                    Ok(Step::Scan(scan)) => {
                        *state = State::Scanning(Box::new(scan));
                        continue;
                    }
                    Err(outcome) => Ok(Err(outcome)),
                },
                State::Scanning(scan) => scan.step(context, wanted, &mut out, scratch),
                State::Ending(outcome) => return Some(*outcome),
            };
        };
        let Out { bindings, messages, has_unsent, .. } = out;
        (self.bindings, self.messages) = (self.bindings + bindings, self.messages + messages);
        self.has_unsent |= has_unsent;
        match done {
            Ok(Ok(false)) => None,
            Ok(Ok(true)) => Some(self.outcome(context)),
            Ok(Err(outcome)) => Some(outcome),
            // Nothing was sent of the old leases: the query begins again.
            Err(_) if self.messages == 0 => {
                self.state = State::of(&self.wanted);
                None
            }
            Err(_) => Some(BulkOutcome::Replaced),
        }
    }

    /// Decides the outcome when all bindings are sent.
    fn outcome(&self, context: &Context<'_>) -> BulkOutcome {
        if matches!(&self.state, State::Scanning(scan) if scan.has_unreadable) {
            return BulkOutcome::Unreadable;
        }
        if self.has_unsent {
            return BulkOutcome::TooLong;
        }
        if self.is_incomplete {
            return BulkOutcome::Incomplete;
        }
        if self.bindings > 0 {
            return BulkOutcome::Complete;
        }
        let content = match self.wanted.link_address {
            Some(address) => nothing_on(&context.view, &context.view.links().named(address)),
            None if context.view.is_whole() => Content::NoBinding,
            None => return BulkOutcome::Restricted,
        };
        match content {
            Content::Refused(refusal) => refusal.into(),
            _ => BulkOutcome::NoBinding,
        }
    }

    /// Writes the message that ends the answer.
    fn finish(&mut self, context: &Context<'_>, w: &mut Room<'_>, outcome: BulkOutcome) -> Turn {
        let envelope =
            envelope(context, self.transaction_id, &self.requestor, &self.wanted, self.messages > 0);
        envelope.end(&mut w.w, outcome).expect("a status fits into the longest frame");
        self.messages += 1;
        let has_failed = !outcome.text().is_empty();
        let closes = outcome == BulkOutcome::Replaced
            || outcome == BulkOutcome::Resized
            || has_failed && self.messages > 1;
        Turn::Finished { finished: self.finished(outcome), closes }
    }

    /// Returns the query with what was sent of its answer.
    pub(super) fn finished(&mut self, outcome: BulkOutcome) -> FinishedQuery {
        FinishedQuery {
            outcome,
            class: self.wanted.class(),
            transaction_id: Some(self.transaction_id),
            subject: self.wanted.subject.take(),
            link_address: self.wanted.link_address,
            bindings: self.bindings,
            messages: self.messages,
        }
    }
}

fn envelope<'a>(
    context: &Context<'a>,
    transaction_id: TransactionId,
    requestor: &'a [u8],
    wanted: &Wanted,
    is_replied: bool,
) -> Envelope<'a> {
    let base_time = wanted.has_base_time().then(|| LqTime::from_unix(context.now));
    let server_duid = &context.engine.policy().server_duid;
    Envelope { transaction_id, requestor, server_duid, base_time, is_replied }
}

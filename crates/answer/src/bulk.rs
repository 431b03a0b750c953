//! Sessions of bulk leasequery (RFC 5460), one for each TCP connection: octets in, octets out.
//!
//! No socket, no clock: the caller moves octets and tells the time. `DESIGN.md` compares the designs.

mod active;
mod find;
mod message;
mod outcome;
mod query;
mod reply;
mod scan;
mod selection;
mod step;
mod tls;

use std::collections::VecDeque;
use std::net::Ipv6Addr;

use lqd_index::Pinned;
use lqd_wire::{Frame, Message, Writer};

use crate::access::Admission;
use crate::{Engine, Limits, Now, Rights};
pub use active::{ActiveOffer, ActiveState};
use active::{ActiveQuery, Advanced};
use message::Accepted;
pub use outcome::BulkOutcome;
pub use query::{BulkSubject, FinishedQuery};
use selection::Scratch;
use step::{Context, OpenQuery, Turn};
pub use tls::Tls;
use tls::TlsState;

/// Least buffer for [`BulkSession::send`] in octets: room for two longest frames.
///
/// Messages are made while one longest frame still fits.
pub const BULK_BUFFER_LEN: usize = 2 * Frame::LEN_MAX;

/// Octets of options and subjects of open queries from which on no further query is opened.
const OPEN_OCTETS_MAX: usize = 1 << 16;

/// Most client numbers that one call of [`BulkSession::send`] reads.
const SENT_CLIENTS_MAX: u32 = 4096;

/// Limits of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkLimits {
    /// Most queries that are answered in parallel (RFC 5460 §7.3); at least one.
    pub queries: usize,
}

/// The result of [`BulkSession::send`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many octets of the buffer are to be sent; more may follow.
    Octets(usize),
    /// A slice of leases was searched without a message so far: call again, after others had their turn.
    Busy,
    /// Nothing to send until more is received.
    Idle,
    /// All is sent: begin the TLS handshake as server, and call [`BulkSession::secured`] when it is done.
    ///
    /// No octet after the STARTTLS was received, nor may one be before the handshake.
    StartTls,
    /// All is sent: close the connection.
    Close,
}

/// A bulk leasequery connection.
#[derive(Debug)]
pub struct BulkSession {
    source: Ipv6Addr,
    limits: BulkLimits,
    tls: TlsState,
    /// Received octets that are not parsed yet; they begin with a frame.
    input: Vec<u8>,
    /// The end of the complete frames in `input`.
    complete: usize,
    /// Whether each of these frames is within the rates.
    is_within_rate: VecDeque<bool>,
    frames: u64,
    /// Queries without a complete answer; the first one has the next turn.
    open: VecDeque<OpenQuery>,
    finished: VecDeque<FinishedQuery>,
    /// Whether active queries are served, and from which log.
    offer: Option<ActiveOffer>,
    active: Option<Box<ActiveQuery>>,
    scratch: Scratch,
    /// Whether the peer has closed its side.
    has_ended: bool,
    /// Whether nothing more is read, and the connection is closed once all owed answers are sent.
    is_closing: bool,
}

impl BulkSession {
    /// Begins a session with the requestor at `source`, whose access rule allows it.
    pub fn new(source: Ipv6Addr, limits: BulkLimits) -> Self {
        Self {
            source,
            limits: BulkLimits { queries: limits.queries.max(1) },
            tls: TlsState::default(),
            input: Vec::new(),
            complete: 0,
            is_within_rate: VecDeque::new(),
            frames: 0,
            open: VecDeque::new(),
            finished: VecDeque::new(),
            offer: None,
            active: None,
            scratch: Scratch::default(),
            has_ended: false,
            is_closing: false,
        }
    }

    /// Answers a STARTTLS as `tls` says.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls.offer = tls;
        self
    }

    /// Closes the connection at an ACTIVELEASEQUERY without TLS (RFC 7653 §9.1, secure mode).
    #[must_use]
    pub fn require_tls_for_active(mut self) -> Self {
        self.tls.is_required_for_active = true;
        self
    }

    /// Notes that the TLS handshake after [`Progress::StartTls`] is done: messages are served.
    pub fn secured(&mut self) {
        self.tls.secured();
    }

    /// Serves active leasequery (RFC 7653) from the changes of this log.
    #[must_use]
    pub fn with_active(mut self, offer: ActiveOffer) -> Self {
        self.offer = Some(offer);
        self
    }

    /// Returns whether an active query is open: no frame is awaited then.
    pub fn is_active(&self) -> bool {
        self.active.is_some()
    }

    /// Returns the progress of the active query; `None` without one.
    pub fn active(&self) -> Option<ActiveState> {
        self.active.as_ref().map(|active| active.state())
    }

    /// Returns the monotonic time in nanoseconds at which [`Self::send`] has something to do without anything
    /// being received; `None` if never.
    pub fn wake_at(&self) -> Option<u64> {
        self.active.as_ref().and_then(|active| active.wake_at())
    }

    /// Returns whether octets should be read: not at the limit of queries, nor after the end (RFC 5460 §7.3,
    /// "MUST NOT read more query messages … than it is prepared to process"), nor between a STARTTLS and the
    /// end of the handshake.
    pub fn wants_octets(&self) -> bool {
        let is_open = !self.has_ended && !self.is_closing && !self.tls.is_starting();
        is_open && self.complete == 0 && self.has_room_for_query()
    }

    fn has_room_for_query(&self) -> bool {
        let octets: usize = self.open.iter().map(|query| query.wanted.heap_len()).sum();
        self.open.len() < self.limits.queries && octets < OPEN_OCTETS_MAX
    }

    /// Takes the octets of one read; [`Self::send`] answers them.
    ///
    /// `limits` are the token buckets that count the queries.
    pub fn receive(&mut self, engine: &Engine, limits: &mut Limits, now: Now, octets: &[u8]) {
        if self.has_ended || self.is_closing {
            return;
        }
        if self.tls.is_starting() {
            return self.close_unanswered(BulkOutcome::CloseEarlyOctets);
        }
        self.input.extend_from_slice(octets);
        // An error is found again when the frame has its turn.
        while let Ok(Some(frame)) = Frame::split(self.input.get(self.complete..).unwrap_or_default()) {
            self.complete += Frame::HEADER_LEN + frame.message.len();
            self.frames += 1;
            let access = &engine.policy().access;
            let mut admission = Admission::new(access, limits, now.monotonic_ns, self.source);
            // A source that is not allowed is refused when its frame has its turn.
            self.is_within_rate.push_back(admission.admit(&self.source).is_ok());
        }
        self.open_queries(engine);
    }

    /// Notes that the peer has closed its side: the queries received are answered, then the connection is
    /// closed (RFC 5460 §7.4).
    pub fn receive_end(&mut self) {
        self.has_ended = true;
        // An active query has no end of its own, so the requestor's is its end (RFC 7653 §9.5).
        if let Some(active) = self.active.take() {
            self.finished.push_back(active.finish(BulkOutcome::ActiveEnded));
        }
    }

    /// Returns the number of complete frames received.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Ends all open queries with QueryTerminated (RFC 5460 §5.5), and then the connection.
    pub fn terminate(&mut self) {
        self.end_queries(BulkOutcome::Shutdown);
    }

    /// Does the same because the requestor may no longer use the connection.
    pub fn revoke(&mut self) {
        self.end_queries(BulkOutcome::Revoked);
    }

    fn end_queries(&mut self, outcome: BulkOutcome) {
        self.open.iter_mut().for_each(|query| query.terminate(outcome));
        if let Some(active) = &mut self.active {
            active.end(outcome);
        }
        self.close();
    }

    /// Notes that the connection is lost: open queries are finished without the rest of their answers.
    pub fn abandon(&mut self) {
        let abandoned = self.open.drain(..).map(|mut query| query.finished(BulkOutcome::Abandoned));
        self.finished.extend(abandoned);
        if let Some(active) = self.active.take() {
            self.finished.push_back(active.finish(BulkOutcome::Abandoned));
        }
        self.close();
    }

    /// Returns the next finished query, in the order of their ends.
    pub fn finished(&mut self) -> Option<FinishedQuery> {
        self.finished.pop_front()
    }

    /// Writes messages into `buffer`; the caller has sent those of the call before.
    ///
    /// # Panics
    /// If the buffer is shorter than [`BULK_BUFFER_LEN`].
    pub fn send(&mut self, engine: &Engine, leases: &Pinned<'_>, now: Now, buffer: &mut [u8]) -> Progress {
        assert!(buffer.len() >= BULK_BUFFER_LEN, "a buffer of {} octets", buffer.len());
        let source = self.source;
        let context = Context::new(engine, leases, &source, now);
        let mut w = Room { len: buffer.len(), w: Writer::new(buffer) };
        let mut clients = 0;
        loop {
            self.open_queries(engine);
            let Some(query) = self.open.front_mut() else { break };
            if !w.has_room() || clients >= SENT_CLIENTS_MAX {
                break;
            }
            match query.turn(&context, &mut w, &mut self.scratch, &mut clients) {
                // The next query has its turn: a short answer does not wait for a long one.
                Turn::Again => self.open.rotate_left(1),
                Turn::Finished { finished, closes } => {
                    self.open.pop_front();
                    self.finished.push_back(finished);
                    if closes {
                        self.close();
                    }
                }
            }
        }
        // Its LEASEQUERY-DONE is the last message of the connection (RFC 7653 §8.4).
        let mut is_busy = !self.open.is_empty();
        if !is_busy && let Some(active) = &mut self.active {
            match active.advance(&context, &mut w, now.monotonic_ns) {
                Advanced::Waiting => {}
                Advanced::Working => is_busy = true,
                Advanced::Ended(finished) => {
                    self.active = None;
                    self.close_for(finished);
                }
            }
        }
        match w.w.position() {
            0 if is_busy => Progress::Busy,
            0 if self.has_ended || self.is_closing => Progress::Close,
            0 if self.tls.is_starting() => Progress::StartTls,
            0 => Progress::Idle,
            octets => Progress::Octets(octets),
        }
    }

    /// Parses received frames while there is room for another query.
    fn open_queries(&mut self, engine: &Engine) {
        if self.is_closing || self.input.is_empty() {
            return;
        }
        let rights = rights(engine, self.source);
        let (offers_active, mut parsed) = (self.offer.is_some(), 0);
        while !self.is_closing && self.has_room_for_query() {
            match Frame::split(self.input.get(parsed..).unwrap_or_default()) {
                Ok(Some(frame)) => {
                    let accepted =
                        message::parse(frame.message, &mut self.tls, offers_active, engine.policy(), rights);
                    parsed += Frame::HEADER_LEN + frame.message.len();
                    self.open(accepted, rights);
                    if self.tls.is_starting() && parsed < self.input.len() {
                        // Octets that came without TLS must not count as sent over it.
                        return self.close_unanswered(BulkOutcome::CloseEarlyOctets);
                    }
                }
                Ok(None) => break,
                Err(_) => self.open(Err(FinishedQuery::close(BulkOutcome::CloseFrame, None)), rights),
            }
        }
        // After a close the rest is gone already.
        self.input.drain(..parsed.min(self.input.len()));
        self.complete = self.complete.saturating_sub(parsed);
        if self.input.is_empty() {
            // A stalled connection must not keep the memory of its largest query.
            self.input.shrink_to(Message::HEADER_LEN);
        }
    }

    fn open(&mut self, accepted: Result<Accepted, FinishedQuery>, rights: &Rights) {
        let is_within_rate = self.is_within_rate.pop_front().unwrap_or(true);
        let mut accepted = match accepted {
            Ok(accepted) => accepted,
            Err(finished) => return self.close_for(finished),
        };
        let id = accepted.transaction_id;
        let is_of_active = self.active.as_ref().is_some_and(|active| active.transaction_id == id);
        if is_of_active || self.open.iter().any(|query| query.transaction_id == id) {
            return self.close_for(FinishedQuery::close(BulkOutcome::CloseDuplicateTransaction, Some(id)));
        }
        if !is_within_rate && accepted.refusal.is_none() {
            accepted.refusal = Some(BulkOutcome::OverRate);
        }
        let is_alone = self.open.is_empty() && self.active.is_none();
        if accepted.is_active
            && is_alone
            && accepted.refusal.is_none()
            && let Some(offer) = &self.offer
        {
            self.active = Some(Box::new(ActiveQuery::new(accepted, offer.clone(), rights.clone())));
            return;
        }
        if accepted.is_active || self.active.is_some() {
            accepted.refusal.get_or_insert(BulkOutcome::ActiveNotAlone);
        }
        // Errors about an active query close the connection (RFC 7653 §9.2, §9.3).
        let closes = accepted.is_active || self.active.is_some();
        self.open.push_back(OpenQuery::new(accepted));
        if closes {
            self.close();
        }
    }

    fn close_for(&mut self, finished: FinishedQuery) {
        self.finished.push_back(finished);
        self.close();
    }

    /// Closes the connection without the answers that are owed.
    fn close_unanswered(&mut self, outcome: BulkOutcome) {
        let transaction_id = self.open.front().map(|query| query.transaction_id);
        self.open.clear();
        self.close_for(FinishedQuery::close(outcome, transaction_id));
    }

    /// Reads no more: the connection is closed once all owed answers are sent.
    fn close(&mut self) {
        self.is_closing = true;
        if let Some(active) = &mut self.active {
            active.end(BulkOutcome::ActiveInterrupted);
        }
        self.complete = 0;
        self.input = Vec::new();
        self.is_within_rate = VecDeque::new();
    }
}

/// Returns the rights of a source.
fn rights(engine: &Engine, source: Ipv6Addr) -> &Rights {
    let access = &engine.policy().access;
    access.rule(access.rule_of(source)).1
}

/// The buffer of one [`BulkSession::send`].
struct Room<'b> {
    w: Writer<'b>,
    len: usize,
}

impl Room<'_> {
    /// Whether a message of any length fits.
    fn has_room(&self) -> bool {
        self.len - self.w.position() >= Frame::LEN_MAX
    }
}

#[cfg(test)]
mod tests;

//! The state machine of one query to one or several servers, without clock, socket or randomness.
//!
//! The caller asks [`Transaction::poll`] for the next step (send, wait, done) and passes received datagrams
//! to [`Transaction::receive`]. One machine covers the plan's stages, the servers of a stage, and one
//! retransmission timer for those that are silent. Rejected: a future over a socket, whose times only a
//! runtime's clock can test; and a machine for each server, above which failover, gathering of multicast
//! answers and the check of source addresses would need a second machine that knows all of the first.

use std::collections::VecDeque;
use std::net::SocketAddrV6;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use lqd_wire::{StatusCode, TransactionId};

use crate::retransmission::Retransmission;
use crate::{Content, Deviation, Duid, IgnoreReason, Plan, Query, RelayPath, Reply, Timers, deviation};

/// Ignored datagrams kept for the report; further ones are only traced.
const IGNORED_MAX: usize = 16;

/// The properties of an answer to this query.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The transaction-id of the query.
    pub transaction_id: TransactionId,
    /// The requestor's own DUID.
    pub own: Duid,
    /// The relay hops of the query.
    pub relays: RelayPath,
    /// Whether answers may come from addresses that were not queried.
    pub any_source: bool,
}

/// The caller's next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the query there, then poll again.
    Send {
        /// A server, or a group of them.
        to: SocketAddrV6,
        /// Number of this transmission, from 1.
        transmission: u32,
    },
    /// Wait until then, or until something is received.
    Wait(Instant),
    /// Finish: the exchange has ended.
    Done,
}

/// A server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Address that it came from.
    pub from: SocketAddrV6,
    /// The decoded answer.
    pub reply: Reply,
    /// Time of arrival.
    pub received: SystemTime,
    /// Time since the first transmission to this stage's servers.
    pub after: Duration,
    /// Number of transmissions before it.
    pub transmissions: u32,
    /// The datagram.
    pub octets: Vec<u8>,
}

/// A server that did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilentServer {
    /// Address of the server.
    pub server: SocketAddrV6,
    /// Number of transmissions to it.
    pub transmissions: u32,
    /// The error if nothing could be sent to it.
    pub send_error: Option<String>,
}

/// A destination that was queried.
#[derive(Debug)]
struct Destination {
    address: SocketAddrV6,
    answered: bool,
    transmissions: u32,
    send_error: Option<String>,
}

/// A pending query.
#[derive(Debug)]
pub struct Transaction {
    expected: Expected,
    query: Query,
    timers: Timers,
    /// Stages not started yet.
    stages: VecDeque<Vec<SocketAddrV6>>,
    /// Every destination queried so far; those of the current stage come last.
    asked: Vec<Destination>,
    stage_start: usize,
    stage_began: Option<Instant>,
    stage_answers: usize,
    retransmission: Retransmission,
    outbox: VecDeque<usize>,
    resend_at: Option<Instant>,
    settle_at: Option<Instant>,
    exhausted: bool,
    answers: Vec<Answer>,
    ignored: Vec<(SocketAddrV6, IgnoreReason)>,
}

/// The record of an ended query.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The query.
    pub query: Query,
    /// The LEASEQUERY as sent, with its relay hops.
    pub octets: Vec<u8>,
    /// Every answer, in order of arrival.
    pub answers: Vec<Answer>,
    /// Index of the first answer of the last stage; earlier stages have failed.
    pub first_of_last_stage: usize,
    /// Servers of the last stage without an answer. A group is among them only if none of its members
    /// answered.
    pub silent: Vec<SilentServer>,
    /// The first few datagrams that were ignored.
    pub ignored: Vec<(SocketAddrV6, IgnoreReason)>,
}

impl Transaction {
    /// Starts a query; nothing is sent before the first [`Transaction::poll`].
    pub fn new(query: Query, expected: Expected, plan: Plan, timers: Timers) -> Self {
        Self {
            expected,
            query,
            timers,
            stages: plan.into_stages().into(),
            asked: Vec::new(),
            stage_start: 0,
            stage_began: None,
            stage_answers: 0,
            retransmission: Retransmission::new(timers),
            outbox: VecDeque::new(),
            resend_at: None,
            settle_at: None,
            exhausted: false,
            answers: Vec::new(),
            ignored: Vec::new(),
        }
    }

    /// Returns the next step. `rand` returns numbers uniform in -0.1..=0.1 (RFC 8415 §15).
    pub fn poll(&mut self, now: Instant, mut rand: impl FnMut() -> f64) -> Step {
        loop {
            if self.stage_is_over(now) {
                // Silence and refusals lead to the next stage, if there is one.
                if self.stage_began.is_some() && (self.stage_succeeded() || self.stages.is_empty()) {
                    return Step::Done;
                }
                let Some(stage) = self.stages.pop_front() else { return Step::Done };
                self.enter(stage, now);
            }
            if let Some(index) = self.outbox.pop_front() {
                let transmission = self.retransmission.transmissions();
                // An answer may have closed the destination since it was queued.
                let Some(to) = self.asked.get_mut(index).filter(|to| to.is_open()) else { continue };
                to.transmissions = transmission;
                return Step::Send { to: to.address, transmission };
            }
            match (self.resend_at, self.settle_at) {
                (Some(resend), _) if resend <= now => self.transmit(now, &mut rand),
                (Some(resend), settle) => {
                    return Step::Wait(settle.map_or(resend, |settle| settle.min(resend)));
                }
                (None, _) => self.transmit(now, &mut rand),
            }
        }
    }

    fn enter(&mut self, stage: Vec<SocketAddrV6>, now: Instant) {
        self.stage_start = self.asked.len();
        self.asked.extend(stage.into_iter().map(Destination::new));
        self.stage_began = Some(now);
        self.stage_answers = self.answers.len();
        self.retransmission = Retransmission::new(self.timers);
        self.outbox.clear();
        // Each stage has its own retransmission.
        (self.resend_at, self.settle_at, self.exhausted) = (None, None, false);
    }

    /// Queues the query for every silent destination, or ends the stage after the last transmission.
    fn transmit(&mut self, now: Instant, rand: &mut impl FnMut() -> f64) {
        let Some(timeout) = self.retransmission.transmit(rand()) else {
            self.exhausted = true;
            return;
        };
        self.resend_at = Some(now + timeout);
        // A group that answered is not queried again: its other servers have the same time to answer.
        let silent = (self.stage_start..self.asked.len())
            .filter(|&index| self.asked[index].is_open() && !self.asked[index].answered);
        self.outbox.extend(silent);
    }

    fn stage(&self) -> &[Destination] {
        self.asked.get(self.stage_start..).unwrap_or_default()
    }

    fn stage_is_over(&self, now: Instant) -> bool {
        self.stage_began.is_none()
            || self.exhausted
            || self.settle_at.is_some_and(|settle| settle <= now)
            || self.stage().iter().all(|to| !to.is_open())
    }

    /// Whether an answer of the current stage is one on which another server cannot improve (RFC 5007
    /// §4.3.3).
    fn stage_succeeded(&self) -> bool {
        let answers = self.answers.get(self.stage_answers..).unwrap_or_default();
        answers.iter().any(|answer| !leads_to_next_stage(&answer.reply))
    }

    /// Gives up a destination to which nothing could be sent.
    pub fn send_failed(&mut self, to: SocketAddrV6, error: &str) {
        let stage = self.asked.iter_mut().skip(self.stage_start);
        for destination in stage.filter(|destination| destination.address == to) {
            // The first error explains the silence best.
            destination.send_error.get_or_insert_with(|| error.to_owned());
        }
    }

    /// Validates a datagram; stores and returns it if it is an answer.
    pub fn receive(
        &mut self,
        from: SocketAddrV6,
        datagram: &[u8],
        now: Instant,
        received: SystemTime,
    ) -> Result<&Answer, IgnoreReason> {
        match self.judge(from, datagram) {
            Ok(reply) => Ok(self.accept(from, reply, datagram, now, received)),
            Err(reason) => {
                // A flood of foreign datagrams must not fill the memory.
                if self.ignored.len() < IGNORED_MAX {
                    self.ignored.push((from, reason.clone()));
                }
                Err(reason)
            }
        }
    }

    fn judge(&self, from: SocketAddrV6, datagram: &[u8]) -> Result<Reply, IgnoreReason> {
        let unwrapped = self.expected.relays.unwrap(datagram)?;
        let mut reply = Reply::parse(unwrapped.message, &self.expected.own)?;
        if reply.transaction_id != self.expected.transaction_id {
            return Err(IgnoreReason::OtherTransaction(reply.transaction_id));
        }
        if self.query.server.as_ref().is_some_and(|server| *server != reply.server) {
            return Err(IgnoreReason::OtherServer(reply.server));
        }
        // Checked after the message itself, whose faults tell more.
        if !self.may_answer(from) {
            return Err(IgnoreReason::OtherSource(from));
        }
        if self.answers.iter().any(|answer| answer.from == from && answer.reply.server == reply.server) {
            return Err(IgnoreReason::Duplicate);
        }
        if unwrapped.bare {
            reply.deviations.push(Deviation::NotRelayed);
        }
        deviation::against_query(&mut reply, &self.query);
        Ok(reply)
    }

    /// Whether an answer may come from there. Servers answer from the queried address (RFC 8415 §18.3.10),
    /// from any port; a group's members from any of their addresses.
    fn may_answer(&self, from: SocketAddrV6) -> bool {
        let is_source = |to: &Destination| to.is_at(from) || to.address.ip().is_multicast();
        self.expected.any_source || self.asked.iter().any(is_source)
    }

    /// Returns the destination that an answer from there belongs to; `None` if it may belong to several
    /// servers.
    ///
    /// That is the server queried at that address and port, or the only one at that address, or a group; in
    /// the current stage, else in an earlier one whose server is late.
    fn asked_of(&self, from: SocketAddrV6) -> Option<usize> {
        let mut ports = self.asked.iter().filter(|to| to.is_at(from)).map(|to| to.address.port());
        let first = ports.next();
        // Servers at one address are told apart by port only.
        let is_only_one = ports.all(|port| Some(port) == first);
        let within = |stage: Range<usize>| {
            let at =
                |is: &dyn Fn(&Destination) -> bool| stage.clone().rev().find(|&index| is(&self.asked[index]));
            at(&|to| to.is_at(from) && (is_only_one || to.address.port() == from.port()))
                .or_else(|| at(&|to| to.address.ip().is_multicast()))
        };
        within(self.stage_start..self.asked.len()).or_else(|| within(0..self.stage_start))
    }

    fn accept(
        &mut self,
        from: SocketAddrV6,
        reply: Reply,
        datagram: &[u8],
        now: Instant,
        received: SystemTime,
    ) -> &Answer {
        let first_open = || (self.stage_start..self.asked.len()).find(|&index| self.asked[index].is_open());
        let is_known = self.asked.iter().any(|to| to.is_at(from));
        // An answer from an unknown address (`any_source`) closes the first open destination.
        let asked = self.asked_of(from).or_else(|| if is_known { None } else { first_open() });
        let is_group = asked.is_some_and(|index| self.asked[index].address.ip().is_multicast());
        if let Some(destination) = asked.and_then(|index| self.asked.get_mut(index)) {
            destination.answered = true;
        }
        // Bindings are a result, but other servers may have newer ones (RFC 5007 §4.3.4).
        if self.settle_at.is_none() && (is_group || has_bindings(&reply)) {
            self.settle_at = Some(now + self.timers.gather);
        }
        let after = self.stage_began.map(|began| now.saturating_duration_since(began)).unwrap_or_default();
        let transmissions = self.retransmission.transmissions();
        let octets = datagram.to_vec();
        self.answers.push(Answer { from, reply, received, after, transmissions, octets });
        &self.answers[self.answers.len() - 1]
    }

    /// Ends the query; `octets` is the datagram sent.
    pub fn finish(self, octets: Vec<u8>) -> Exchange {
        let silent = self.asked.into_iter().skip(self.stage_start).filter(|to| !to.answered).map(|to| {
            SilentServer { server: to.address, transmissions: to.transmissions, send_error: to.send_error }
        });
        Exchange {
            query: self.query,
            octets,
            silent: silent.collect(),
            first_of_last_stage: self.stage_answers,
            answers: self.answers,
            ignored: self.ignored,
        }
    }
}

impl Destination {
    fn new(address: SocketAddrV6) -> Self {
        Self { address, answered: false, transmissions: 0, send_error: None }
    }

    /// Whether an answer is still awaited and a retransmission makes sense. A group is open until the stage
    /// ends.
    fn is_open(&self) -> bool {
        self.send_error.is_none() && (!self.answered || self.address.ip().is_multicast())
    }

    /// Whether it was queried at this address, on any port.
    fn is_at(&self, from: SocketAddrV6) -> bool {
        let to = self.address;
        // Scope id 0 means that the system chose the interface.
        let same_zone = to.scope_id() == 0 || from.scope_id() == 0 || to.scope_id() == from.scope_id();
        to.ip() == from.ip() && same_zone
    }
}

/// Whether another server may do better: the refusal concerns this server only, or the answer is unusable.
fn leads_to_next_stage(reply: &Reply) -> bool {
    match reply.content {
        Content::Data(_) | Content::Links(_) | Content::NoBinding => false,
        Content::Unusable => true,
        Content::Refused => {
            reply.status.as_ref().is_none_or(|status| status.code != StatusCode::MALFORMED_QUERY)
        }
    }
}

fn has_bindings(reply: &Reply) -> bool {
    matches!(reply.content, Content::Data(_) | Content::Links(_))
}

#[cfg(test)]
mod tests;

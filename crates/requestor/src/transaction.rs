//! One query to one or several servers, as a state machine that knows no clock, no socket and no chance.
//!
//! The caller asks [`Transaction::poll`] what to do now (send to somebody, wait until then, done) and shows it what
//! was received ([`Transaction::receive`]). Three shapes were weighed. *A future over a socket*: short, but its times
//! can only be tested by waiting or by a runtime's own clock. *A state machine for each server*, joined above: then
//! failing over, gathering answers to a multicast and "this address was never asked" need a second machine that knows
//! all of the first. *One machine for the whole query* was taken: the plan's stages, the servers of a stage and one
//! retransmission timer for those that are silent are one small state.

use std::collections::VecDeque;
use std::net::SocketAddrV6;
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use lqd_wire::{StatusCode, TransactionId};

use crate::retransmission::Retransmission;
use crate::{Content, Deviation, Duid, Ignored, Plan, Query, RelayPath, Reply, Timers, deviation};

/// Ignored datagrams that are remembered for the report; more are only traced.
const IGNORED_MAX: usize = 16;

/// What makes a reply ours.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The transaction-id that was sent.
    pub transaction_id: TransactionId,
    /// The requestor's own DUID.
    pub own: Duid,
    /// The relay levels that were sent.
    pub relays: RelayPath,
    /// Replies may come from addresses that were not asked.
    pub any_source: bool,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send the query there, and poll again.
    Send {
        /// A server, or a group of them.
        to: SocketAddrV6,
        /// Which transmission this is, from 1.
        transmission: u32,
    },
    /// Nothing to do until then, unless something is received.
    Wait(Instant),
    /// The exchange has ended.
    Done,
}

/// One server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Where it came from.
    pub from: SocketAddrV6,
    /// What it says.
    pub reply: Reply,
    /// When it came.
    pub received: SystemTime,
    /// How long after the first transmission to this stage's servers.
    pub after: Duration,
    /// How often the query had been sent by then.
    pub transmissions: u32,
    /// The datagram.
    pub octets: Vec<u8>,
}

/// A server that gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silent {
    /// Its address.
    pub server: SocketAddrV6,
    /// How often it was asked.
    pub transmissions: u32,
    /// Why nothing could be sent to it, if that was so.
    pub send_error: Option<String>,
}

/// One destination of the stage.
#[derive(Debug)]
struct Destination {
    address: SocketAddrV6,
    answered: bool,
    transmissions: u32,
    send_error: Option<String>,
}

/// The state of one query under way.
#[derive(Debug)]
pub struct Transaction {
    expected: Expected,
    query: Query,
    timers: Timers,
    /// Stages that were not entered yet.
    stages: VecDeque<Vec<SocketAddrV6>>,
    /// All destinations that were ever asked; those of the stage under way are the last.
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
    ignored: Vec<(SocketAddrV6, Ignored)>,
}

/// How a query ended.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What was asked.
    pub query: Query,
    /// The LEASEQUERY as it was sent, in its relay levels.
    pub octets: Vec<u8>,
    /// All answers in the order in which they came.
    pub answers: Vec<Answer>,
    /// Answers before this one came from stages that were given up.
    pub first_of_last_stage: usize,
    /// The servers of the last stage that gave none. Groups are among them only if nobody answered.
    pub silent: Vec<Silent>,
    /// Datagrams that were ignored, the first few.
    pub ignored: Vec<(SocketAddrV6, Ignored)>,
}

impl Transaction {
    /// Begins; nothing is sent before the first [`Transaction::poll`].
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

    /// What to do now. `rand` gives numbers that are uniform in -0.1..=0.1 (RFC 8415 §15).
    pub fn poll(&mut self, now: Instant, mut rand: impl FnMut() -> f64) -> Step {
        loop {
            if self.stage_is_over(now) {
                if self.stage_began.is_some() && (self.stage_succeeded() || self.stages.is_empty()) {
                    return Step::Done;
                }
                let Some(stage) = self.stages.pop_front() else { return Step::Done };
                self.enter(stage, now);
            }
            if let Some(index) = self.outbox.pop_front() {
                let transmission = self.retransmission.transmissions();
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
        (self.resend_at, self.settle_at, self.exhausted) = (None, None, false);
    }

    /// Queues the query for all who are silent, or ends the stage if that was done often enough.
    fn transmit(&mut self, now: Instant, rand: &mut impl FnMut() -> f64) {
        let Some(timeout) = self.retransmission.transmit(rand()) else {
            self.exhausted = true;
            return;
        };
        self.resend_at = Some(now + timeout);
        // A group that answered is not asked again: its other servers have the same time to answer.
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

    /// Some answer since the stage began is one that another server need not better (RFC 5007 §4.3.3).
    fn stage_succeeded(&self) -> bool {
        let answers = self.answers.get(self.stage_answers..).unwrap_or_default();
        answers.iter().any(|answer| !leads_on(&answer.reply))
    }

    /// Nothing could be sent to this destination; it is not tried again.
    pub fn send_failed(&mut self, to: SocketAddrV6, error: &str) {
        let stage = self.asked.iter_mut().skip(self.stage_start);
        for destination in stage.filter(|destination| destination.address == to) {
            destination.send_error.get_or_insert_with(|| error.to_owned());
        }
    }

    /// Judges a datagram; an answer is kept, and given back.
    pub fn receive(
        &mut self,
        from: SocketAddrV6,
        datagram: &[u8],
        now: Instant,
        received: SystemTime,
    ) -> Result<&Answer, Ignored> {
        match self.judge(from, datagram) {
            Ok(reply) => Ok(self.accept(from, reply, datagram, now, received)),
            Err(reason) => {
                if self.ignored.len() < IGNORED_MAX {
                    self.ignored.push((from, reason.clone()));
                }
                Err(reason)
            }
        }
    }

    fn judge(&self, from: SocketAddrV6, datagram: &[u8]) -> Result<Reply, Ignored> {
        let unwrapped = self.expected.relays.unwrap(datagram)?;
        let mut reply = Reply::parse(unwrapped.message, &self.expected.own)?;
        if reply.transaction_id != self.expected.transaction_id {
            return Err(Ignored::OtherTransaction(reply.transaction_id));
        }
        if self.query.server.as_ref().is_some_and(|server| *server != reply.server) {
            return Err(Ignored::OtherServer(reply.server));
        }
        if !self.may_answer(from) {
            return Err(Ignored::OtherSource(from));
        }
        if self.answers.iter().any(|answer| answer.from == from && answer.reply.server == reply.server) {
            return Err(Ignored::Duplicate);
        }
        if unwrapped.bare {
            reply.deviations.push(Deviation::NotRelayed);
        }
        deviation::against_query(&mut reply, &self.query);
        Ok(reply)
    }

    /// Servers answer from the address that was asked (RFC 8415 §18.3.10), from any port; a group from any of their
    /// addresses.
    fn may_answer(&self, from: SocketAddrV6) -> bool {
        let is_source = |to: &Destination| to.is_at(from) || to.address.ip().is_multicast();
        self.expected.any_source || self.asked.iter().any(is_source)
    }

    /// The destination that an answer from there is of: the server asked at that address and port, or the only one asked at
    /// that address, or a group; in this stage, else in an earlier one, whose server is late. `None` if it may be of several
    /// servers, or of any.
    fn asked_of(&self, from: SocketAddrV6) -> Option<usize> {
        let mut ports = self.asked.iter().filter(|to| to.is_at(from)).map(|to| to.address.port());
        let first = ports.next();
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
        let asked = self.asked_of(from).or_else(|| if is_known { None } else { first_open() });
        let is_group = asked.is_some_and(|index| self.asked[index].address.ip().is_multicast());
        if let Some(destination) = asked.and_then(|index| self.asked.get_mut(index)) {
            destination.answered = true;
        }
        if self.settle_at.is_none() && (is_group || has_bindings(&reply)) {
            self.settle_at = Some(now + self.timers.gather);
        }
        let after = self.stage_began.map(|began| now.saturating_duration_since(began)).unwrap_or_default();
        let transmissions = self.retransmission.transmissions();
        let octets = datagram.to_vec();
        self.answers.push(Answer { from, reply, received, after, transmissions, octets });
        &self.answers[self.answers.len() - 1]
    }

    /// How it ended; `octets` is what was sent.
    pub fn finish(self, octets: Vec<u8>) -> Exchange {
        let silent = self.asked.into_iter().skip(self.stage_start).filter(|to| !to.answered).map(|to| {
            Silent { server: to.address, transmissions: to.transmissions, send_error: to.send_error }
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

    /// An answer is still awaited, and asking again makes sense. A group is open until the stage is over.
    fn is_open(&self) -> bool {
        self.send_error.is_none() && (!self.answered || self.address.ip().is_multicast())
    }

    /// Whether it is asked at this address, whatever the port.
    fn is_at(&self, from: SocketAddrV6) -> bool {
        let to = self.address;
        let same_zone = to.scope_id() == 0 || from.scope_id() == 0 || to.scope_id() == from.scope_id();
        to.ip() == from.ip() && same_zone
    }
}

/// Another server may do better: the reply refuses for a reason that lies with this server, or cannot be used.
fn leads_on(reply: &Reply) -> bool {
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

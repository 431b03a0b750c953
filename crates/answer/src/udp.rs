//! The batch engine: datagrams in a batch are pipelined, so that the memory that one's lookup waits for is hidden behind
//! the work for others.
//!
//! A datagram takes five steps: access and parsing (`received`), lookup (the index), decision (`query`, `select`),
//! encoding (`reply`, `client_data`).

mod client_links;
mod received;
mod reply;

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_index::Pinned;

use crate::access::{Gate, Limits};
use crate::select::{Content, View};
use crate::{Outcome, Policy, Unbound};
use received::Received;
pub use reply::Reply;

/// Most datagrams that are answered together.
pub const BATCH_MAX: usize = 64;

/// A datagram as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// What it holds.
    pub octets: &'a [u8],
    /// Who sent it.
    pub source: SocketAddrV6,
}

impl Datagram<'_> {
    /// Fills the unused end of a batch.
    pub const EMPTY: Self =
        Datagram { octets: &[], source: SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0) };
}

/// When a batch is judged.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Seconds since 1970-01-01 UTC, by which lifetimes are measured.
    pub unix_seconds: u32,
    /// Nanoseconds of a clock that is never set, from any start, by which rates are measured.
    pub monotonic_ns: u64,
}

/// What is to be done about one datagram.
pub enum Verdict<'a> {
    /// Send this, to [`Reply::to`].
    Reply(&'a Reply<'a>),
    /// Send nothing.
    Silence(Outcome),
}

/// Answers queries under one [`Policy`].
#[derive(Clone, Debug)]
pub struct Engine {
    policy: Policy,
    unbound: Unbound,
    unbound_if_incomplete: Unbound,
    bulk_offered: bool,
}

impl Engine {
    /// Takes the policy, or says what to mend in it.
    pub fn new(policy: Policy) -> Result<Self, &'static str> {
        policy.check()?;
        Ok(Self {
            policy,
            unbound: Unbound::Answer,
            unbound_if_incomplete: Unbound::Silent,
            bulk_offered: false,
        })
    }

    /// From now on, queries for which no binding is known get this: for the time in which leases are stale.
    #[must_use]
    pub fn with_unbound(self, unbound: Unbound) -> Self {
        Self { unbound, ..self }
    }

    /// From now on, queries for which no binding is known get this while the leases are
    /// [incomplete](Pinned::is_incomplete); before, silence.
    #[must_use]
    pub fn with_unbound_if_incomplete(self, unbound_if_incomplete: Unbound) -> Self {
        Self { unbound_if_incomplete, ..self }
    }

    /// From now on, query-types of bulk leasequery are NotAllowed over UDP, as TCP has them (RFC 5460 §4); before, they
    /// are unknown.
    #[must_use]
    pub fn with_bulk_offered(self) -> Self {
        Self { bulk_offered: true, ..self }
    }

    /// Judges up to [`BATCH_MAX`] datagrams at `now`; `deliver` gets each one's position and verdict, in order.
    ///
    /// `limits` are the buckets of the worker that received them.
    ///
    /// # Panics
    /// If there are more than [`BATCH_MAX`].
    #[inline]
    pub fn answer(
        &self,
        limits: &mut Limits,
        leases: &Pinned<'_>,
        now: Now,
        datagrams: &[Datagram<'_>],
        deliver: impl FnMut(usize, Verdict<'_>),
    ) {
        assert!(datagrams.len() <= BATCH_MAX, "a batch of {}", datagrams.len());
        // A lone query should not pay for the preparation of 64.
        match datagrams.len() {
            ..=1 => self.group::<1>(limits, leases, now, datagrams, deliver),
            2..=8 => self.group::<8>(limits, leases, now, datagrams, deliver),
            _ => self.group::<BATCH_MAX>(limits, leases, now, datagrams, deliver),
        }
    }

    #[inline]
    fn group<const N: usize>(
        &self,
        limits: &mut Limits,
        leases: &Pinned<'_>,
        now: Now,
        datagrams: &[Datagram<'_>],
        mut deliver: impl FnMut(usize, Verdict<'_>),
    ) {
        let mut received = [Received::EMPTY; N];
        let mut outcomes = [None; N];
        let mut look_ups = leases.look_ups::<N>(datagrams.len());
        let first = datagrams.first().map_or(Ipv6Addr::UNSPECIFIED, |datagram| *datagram.source.ip());
        let mut gate = Gate::new(&self.policy.access, limits, now.monotonic_ns, first);
        let (now, turns) = (now.unix_seconds, look_ups.turns());
        let unbound = if leases.is_incomplete() { self.unbound_if_incomplete } else { self.unbound };
        for turn in 0..datagrams.len() + turns {
            if let Some(datagram) = datagrams.get(turn) {
                let received = &mut received[turn];
                let read = gate
                    .enter(datagram.source.ip())
                    .and_then(|rights| received.read(&self.policy, self.bulk_offered, rights, datagram));
                outcomes[turn] = read.err();
                if outcomes[turn].is_some() || received.refusal.is_some() {
                    look_ups.begin_none();
                } else {
                    received.question.target.begin(&mut look_ups);
                }
            }
            look_ups.turn();
            let Some(position) = turn.checked_sub(turns) else { continue };
            if let Some(outcome) = outcomes[position] {
                deliver(position, Verdict::Silence(outcome));
                continue;
            }
            let (policy, received) = (&self.policy, &received[position]);
            let view = View::new(leases.links(), received.rights, received.source());
            let found = look_ups.found(now, position);
            let content = &if found.is_some_and(|found| found.client.is_partial()) {
                // Looked up again: passing `found` on would store it in memory for every query.
                received.question.decide_partial(leases, &view, now, look_ups.found(now, position))
            } else if let Some(refusal) = received.refusal {
                Content::Refused(refusal)
            } else {
                received.question.decide(leases, &view, now, found)
            };
            let reply = Reply { policy, unbound, view, now, received, content };
            match reply.silence() {
                Some(silence) => deliver(position, Verdict::Silence(silence)),
                None => deliver(position, Verdict::Reply(&reply)),
            }
        }
    }
}

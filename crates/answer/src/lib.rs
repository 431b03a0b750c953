//! RFC 5007, server side: a batch of datagrams in, one named [`Outcome`] and at most one reply for each out.
//!
//! Reads no clock, opens no socket, allocates nothing: the same arguments give the same replies, for ever. A datagram
//! takes five steps: access (`access`, `limit`) and parsing (`receive`), look-up (the index), decision (`resolve`,
//! `restricted`), encoding (`reply`, `options`). Those of a batch go through them one some turns behind the other, so that
//! what a look-up waits for in memory is hidden behind the work for others.
#![forbid(unsafe_code)]

mod access;
mod configured;
mod incomplete;
mod limit;
mod options;
mod outcome;
mod policy;
mod query;
mod receive;
mod relay_data;
mod reply;
mod resolve;
mod restricted;

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_index::Pinned;

pub use access::{Access, AccessFault, Deny, QueryTypes, ROWS_MAX, Relayed, Rights};
pub use limit::{Limits, RATE_MAX, Rate};
pub use outcome::Outcome;
pub use policy::{Policy, Unbound};
pub use query::{QueryClass, QueryKind, Subject};
pub use reply::Reply;

use access::RowId;
use receive::Received;
use resolve::resolve;
use restricted::View;

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
                    received.target.begin(&mut look_ups);
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
                incomplete::resolve(leases, &view, now, received, look_ups.found(now, position))
            } else {
                resolve(leases, &view, now, received, found)
            };
            let reply = Reply { policy, unbound, view, now, received, content };
            match reply.silence() {
                Some(silence) => deliver(position, Verdict::Silence(silence)),
                None => deliver(position, Verdict::Reply(&reply)),
            }
        }
    }
}

/// Where each datagram's source is held against access and limits, before anything in it is looked at.
struct Gate<'a> {
    access: &'a Access,
    /// `None`: there are no rates.
    limits: Option<&'a mut Limits>,
    now_ns: u64,
    /// A batch mostly comes from one source.
    last: Ipv6Addr,
    row: RowId,
    rights: &'a Rights,
}

impl<'a> Gate<'a> {
    /// For a batch whose first datagram comes from `first`.
    fn new(access: &'a Access, limits: &'a mut Limits, now_ns: u64, first: Ipv6Addr) -> Self {
        let row = access.row_of(first);
        let rights = access.row(row).1;
        let limits = access.is_limited().then(|| {
            limits.prepare(access);
            limits
        });
        Self { access, limits, now_ns, last: first, row, rights }
    }

    /// What this source may do; the outcome if it is nothing and not to be told so.
    #[inline]
    fn enter(&mut self, source: &Ipv6Addr) -> Result<&'a Rights, Outcome> {
        if self.last != *source {
            self.turn_to(source);
        }
        if let Some(silence) = self.rights.silence() {
            return Err(silence);
        }
        if let Some(limits) = &mut self.limits {
            limits.admit(self.access, self.row, *source, self.now_ns)?;
        }
        Ok(self.rights)
    }

    #[inline(never)]
    fn turn_to(&mut self, source: &Ipv6Addr) {
        self.last = *source;
        self.row = self.access.row_of(*source);
        self.rights = self.access.row(self.row).1;
    }
}

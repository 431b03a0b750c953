//! RFC 5007, server side: a batch of datagrams in, one named [`Outcome`] and at most one reply for each out.
//!
//! Reads no clock, opens no socket, allocates nothing: the same arguments give the same replies, for ever. A batch
//! takes five steps, each over all of its datagrams, so that their look-ups can overlap in memory: access (`access`,
//! `limit`) and parsing (`receive`), look-up (the index), decision (`resolve`, `restricted`), encoding (`reply`,
//! `options`).
#![forbid(unsafe_code)]

mod access;
mod asked;
mod limit;
mod options;
mod outcome;
mod policy;
mod receive;
mod reply;
mod resolve;
mod restricted;

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_index::{LookUp, Pinned};

pub use access::{Access, AccessFault, Deny, QueryTypes, ROWS_MAX, Relayed, Rights};
pub use asked::Asked;
pub use limit::{Limits, RATE_MAX, Rate};
pub use outcome::Outcome;
pub use policy::{Policy, Unbound};
pub use receive::Subject;
pub use reply::Reply;

use access::RowId;
use receive::Received;
use resolve::{Content, look_up, resolve};
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
    Reply(Reply<'a>),
    /// Send nothing.
    Silence(Outcome),
}

/// Answers queries under one [`Policy`].
#[derive(Clone, Debug)]
pub struct Engine {
    policy: Policy,
    unbound: Unbound,
}

impl Engine {
    /// Takes the policy, or says what to mend in it.
    pub fn new(policy: Policy) -> Result<Self, &'static str> {
        policy.check()?;
        Ok(Self { policy, unbound: Unbound::Answer })
    }

    /// From now on, queries for which no binding is known get this: for the time in which leases are stale.
    #[must_use]
    pub fn with_unbound(self, unbound: Unbound) -> Self {
        Self { unbound, ..self }
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
        let mut received: [Result<Received<'_>, Outcome>; N] = [Err(Outcome::DropMalformed); N];
        let mut look_ups = [LookUp::Nothing; N];
        let mut found = [None; N];
        let first = datagrams.first().map_or(Ipv6Addr::UNSPECIFIED, |datagram| *datagram.source.ip());
        let mut gate = Gate::new(&self.policy.access, limits, now.monotonic_ns, first);
        for ((datagram, received), wanted) in datagrams.iter().zip(&mut received).zip(&mut look_ups) {
            let rights = gate.enter(*datagram.source.ip());
            *received = rights.and_then(|rights| receive::receive(&self.policy, rights, datagram));
            if let Ok(Received { ask: Ok(ask), .. }) = received {
                *wanted = look_up(ask);
            }
        }
        leases.look_up(now.unix_seconds, &look_ups[..datagrams.len()], &mut found[..datagrams.len()]);
        let links = leases.links();
        for (position, (received, found)) in received.iter().zip(found).take(datagrams.len()).enumerate() {
            let received = match received {
                Ok(received) => received,
                Err(outcome) => {
                    deliver(position, Verdict::Silence(*outcome));
                    continue;
                }
            };
            let view = View::new(links, received.rights, received.source());
            let now = now.unix_seconds;
            let content = match &received.ask {
                Ok(ask) => resolve(view, now, ask, found),
                Err(refusal) => Content::Refused(*refusal),
            };
            if let Content::Refused(refusal) = content
                && let Some(silence) = refusal.silence(received.rights.deny)
            {
                deliver(position, Verdict::Silence(silence));
                continue;
            }
            let (policy, unbound) = (&self.policy, self.unbound);
            let reply = Reply { policy, unbound, view, now, received, content };
            deliver(position, Verdict::Reply(reply));
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
    last: (Ipv6Addr, RowId),
}

impl<'a> Gate<'a> {
    /// For a batch whose first datagram comes from `first`.
    fn new(access: &'a Access, limits: &'a mut Limits, now_ns: u64, first: Ipv6Addr) -> Self {
        let last = (first, access.row_of(first));
        if !access.is_limited() {
            return Self { access, limits: None, now_ns, last };
        }
        limits.prepare(access);
        Self { access, limits: Some(limits), now_ns, last }
    }

    /// What this source may do; the outcome if it is nothing and not to be told so.
    fn enter(&mut self, source: Ipv6Addr) -> Result<&'a Rights, Outcome> {
        if self.last.0 != source {
            self.last = (source, self.access.row_of(source));
        }
        let row = self.last.1;
        let (_, rights) = self.access.row(row);
        if let Some(silence) = rights.silence() {
            return Err(silence);
        }
        if let Some(limits) = &mut self.limits {
            limits.admit(self.access, row, source, self.now_ns)?;
        }
        Ok(rights)
    }
}

//! RFC 5007, server side: a batch of datagrams in, one named [`Outcome`] and at most one reply for each out.
//!
//! Reads no clock, opens no socket, allocates nothing: the same arguments give the same replies, for ever. A batch
//! takes five steps, each over all of its datagrams, so that their look-ups can overlap in memory: access and
//! parsing (`receive`), look-up (the index), decision (`resolve`), encoding (`reply`, `options`).
#![forbid(unsafe_code)]

mod asked;
mod options;
mod outcome;
mod policy;
mod receive;
mod reply;
mod resolve;

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_index::{LookUp, Pinned};

pub use asked::Asked;
pub use outcome::Outcome;
pub use policy::{Deny, Policy, Relayed, Unbound};
pub use reply::Reply;

use receive::Received;
use resolve::{Content, look_up, resolve};

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

    /// Judges up to [`BATCH_MAX`] datagrams at `now` (UNIX seconds); `deliver` gets each one's position and verdict,
    /// in order.
    ///
    /// # Panics
    /// If there are more than [`BATCH_MAX`].
    #[inline]
    pub fn answer(
        &self,
        leases: &Pinned<'_>,
        now: u32,
        datagrams: &[Datagram<'_>],
        deliver: impl FnMut(usize, Verdict<'_>),
    ) {
        assert!(datagrams.len() <= BATCH_MAX, "a batch of {}", datagrams.len());
        // A lone query should not pay for the preparation of 64.
        match datagrams.len() {
            ..=1 => self.group::<1>(leases, now, datagrams, deliver),
            2..=8 => self.group::<8>(leases, now, datagrams, deliver),
            _ => self.group::<BATCH_MAX>(leases, now, datagrams, deliver),
        }
    }

    #[inline]
    fn group<const N: usize>(
        &self,
        leases: &Pinned<'_>,
        now: u32,
        datagrams: &[Datagram<'_>],
        mut deliver: impl FnMut(usize, Verdict<'_>),
    ) {
        let mut received: [Result<Received<'_>, Outcome>; N] = [Err(Outcome::DropMalformed); N];
        let mut look_ups = [LookUp::Nothing; N];
        let mut found = [None; N];
        for ((datagram, received), wanted) in datagrams.iter().zip(&mut received).zip(&mut look_ups) {
            *received = receive::receive(&self.policy, datagram);
            if let Ok(Received { ask: Ok(ask), .. }) = received {
                *wanted = look_up(ask);
            }
        }
        leases.look_up(now, &look_ups[..datagrams.len()], &mut found[..datagrams.len()]);
        let links = leases.links();
        for (position, (received, found)) in received.iter().zip(found).take(datagrams.len()).enumerate() {
            let received = match received {
                Ok(received) => received,
                Err(outcome) => {
                    deliver(position, Verdict::Silence(*outcome));
                    continue;
                }
            };
            let content = match &received.ask {
                Ok(ask) => resolve(links, now, ask, found),
                Err(refusal) => Content::Refused(*refusal),
            };
            let (policy, unbound) = (&self.policy, self.unbound);
            let reply = Reply { policy, unbound, links, now, received, content };
            deliver(position, Verdict::Reply(reply));
        }
    }
}

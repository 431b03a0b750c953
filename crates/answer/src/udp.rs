//! The batch engine: datagrams in a batch are pipelined, each runs a few steps behind the previous one.
//!
//! The memory latency of one lookup is hidden behind the work on other datagrams. The steps are admission
//! (`access`), parsing (`received`), lookup (the index), decision (`query`, `select`) and encoding (`reply`,
//! `client_data`).

mod client_links;
mod received;
mod reply;

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_index::Pinned;

use crate::access::{Admission, Limits};
use crate::select::{Content, View};
use crate::{NoBindingPolicy, Outcome, Policy, PolicyError};
use received::Received;
pub use reply::Reply;

/// Most datagrams of a batch.
pub const BATCH_MAX: usize = 64;

/// A received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The UDP payload.
    pub octets: &'a [u8],
    /// The source address and port.
    pub source: SocketAddrV6,
}

impl Datagram<'_> {
    /// A placeholder in the unused end of a batch.
    pub const EMPTY: Self =
        Datagram { octets: &[], source: SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0) };
}

/// The time at which a batch is answered.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Seconds since 1970-01-01 UTC, for lifetimes.
    pub unix_seconds: u32,
    /// Nanoseconds of a monotonic clock of any epoch, for rate limits.
    pub monotonic_ns: u64,
}

/// The result for one datagram.
pub enum Verdict<'a> {
    /// A reply to be sent to [`Reply::to`].
    Reply(&'a Reply<'a>),
    /// No reply.
    Silence(Outcome),
}

/// A leasequery server under one [`Policy`].
#[derive(Clone, Debug)]
pub struct Engine {
    policy: Policy,
    no_binding: NoBindingPolicy,
    no_binding_if_incomplete: NoBindingPolicy,
    bulk_offered: bool,
}

impl Engine {
    /// Creates an engine that answers "no binding" while leases are complete, and not at all while they are
    /// incomplete.
    pub fn new(policy: Policy) -> Result<Self, PolicyError> {
        policy.check()?;
        Ok(Self {
            policy,
            no_binding: NoBindingPolicy::Answer,
            no_binding_if_incomplete: NoBindingPolicy::Silent,
            bulk_offered: false,
        })
    }

    /// Sets the reply to queries with no matching lease, for instance while leases are stale.
    #[must_use]
    pub fn with_no_binding(self, no_binding: NoBindingPolicy) -> Self {
        Self { no_binding, ..self }
    }

    /// Sets the reply to queries with no matching lease while the leases are
    /// [incomplete](Pinned::is_incomplete).
    #[must_use]
    pub fn with_no_binding_if_incomplete(self, no_binding_if_incomplete: NoBindingPolicy) -> Self {
        Self { no_binding_if_incomplete, ..self }
    }

    /// Answers query-types of bulk leasequery NotAllowed, as they are for TCP (RFC 5460 §4), not
    /// UnknownQueryType.
    #[must_use]
    pub fn with_bulk_offered(self) -> Self {
        Self { bulk_offered: true, ..self }
    }

    /// Returns whether the access rule of `source` lets it query at all.
    pub fn allows(&self, source: Ipv6Addr) -> bool {
        let access = &self.policy.access;
        access.rule(access.rule_of(source)).1.allow
    }

    /// Returns the first of a certificate's names that the access rule of the source has, if the rule allows
    /// queries at all.
    pub fn certificate_name<'n>(&self, source: Ipv6Addr, names: &'n [String]) -> Option<&'n str> {
        let access = &self.policy.access;
        let rights = access.rule(access.rule_of(source)).1;
        let listed = names.iter().find(|name| rights.allow && rights.certificates.contains(name));
        listed.map(String::as_str)
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the reply to queries with no matching lease in these leases.
    pub(crate) fn no_binding_in(&self, leases: &Pinned<'_>) -> NoBindingPolicy {
        if leases.is_incomplete() { self.no_binding_if_incomplete } else { self.no_binding }
    }

    /// Answers up to [`BATCH_MAX`] datagrams at `now`; `deliver` gets the position and verdict of each, in
    /// order.
    ///
    /// `limits` are the token buckets of the worker that received them.
    ///
    /// # Panics
    /// With more than [`BATCH_MAX`] datagrams.
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
        // A lone query should not pay for preparing 64 slots.
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
        let mut lookups = leases.lookups::<N>(datagrams.len());
        let first = datagrams.first().map_or(Ipv6Addr::UNSPECIFIED, |datagram| *datagram.source.ip());
        let mut admission = Admission::new(&self.policy.access, limits, now.monotonic_ns, first);
        let (now, turns) = (now.unix_seconds, lookups.turns());
        let no_binding = self.no_binding_in(leases);
        for turn in 0..datagrams.len() + turns {
            if let Some(datagram) = datagrams.get(turn) {
                let received = &mut received[turn];
                let parsed = admission
                    .admit(datagram.source.ip())
                    .and_then(|rights| received.parse(&self.policy, self.bulk_offered, rights, datagram));
                outcomes[turn] = parsed.err();
                if outcomes[turn].is_some() || received.refusal.is_some() {
                    // Keeps positions in step with the batch.
                    lookups.begin_none();
                } else {
                    received.query.target.begin(&mut lookups);
                }
            }
            // Advances the lookups whose memory should have arrived.
            lookups.turn();
            // The lookup begun `turns` steps ago has had time to finish.
            let Some(position) = turn.checked_sub(turns) else { continue };
            if let Some(outcome) = outcomes[position] {
                deliver(position, Verdict::Silence(outcome));
                continue;
            }
            let (policy, received) = (&self.policy, &received[position]);
            let view = View::new(leases.links(), received.rights, received.source());
            let found = lookups.found(now, position);
            let content = &if found.is_some_and(|found| found.client.is_partial()) {
                // Looked up again: passing `found` on would store it in memory for every query.
                received.query.decide_partial(leases, &view, now, lookups.found(now, position))
            } else if let Some(refusal) = received.refusal {
                Content::Refused(refusal)
            } else {
                received.query.decide(leases, &view, now, found)
            };
            let reply = Reply { policy, no_binding, view, now, received, content };
            match reply.silence() {
                Some(silence) => deliver(position, Verdict::Silence(silence)),
                None => deliver(position, Verdict::Reply(&reply)),
            }
        }
    }
}

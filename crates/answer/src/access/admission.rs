//! Admission of the datagrams of one batch: access rule and rate limit of their sources.

use std::net::Ipv6Addr;

use super::{Access, Limits, Rights, RuleId};
use crate::Outcome;

/// Admission control for one batch, applied before a datagram is parsed.
pub(crate) struct Admission<'a> {
    access: &'a Access,
    /// `None` if no rule has a rate.
    limits: Option<&'a mut Limits>,
    now_ns: u64,
    /// The source whose rule and rights are below.
    last: Ipv6Addr,
    rule: RuleId,
    rights: &'a Rights,
}

impl<'a> Admission<'a> {
    /// Prepares a batch whose first datagram comes from `first`.
    pub(crate) fn new(access: &'a Access, limits: &'a mut Limits, now_ns: u64, first: Ipv6Addr) -> Self {
        let rule = access.rule_of(first);
        let rights = access.rule(rule).1;
        let limits = access.is_limited().then(|| {
            limits.prepare(access);
            limits
        });
        Self { access, limits, now_ns, last: first, rule, rights }
    }

    /// Returns the rights of `source`, or the outcome if its datagram is discarded.
    ///
    /// A source that is not allowed, but is told so, is admitted: its rights say the rest.
    #[inline]
    pub(crate) fn admit(&mut self, source: &Ipv6Addr) -> Result<&'a Rights, Outcome> {
        // Most batches come from one source.
        if self.last != *source {
            self.change_source(source);
        }
        if let Some(silence) = self.rights.silence() {
            return Err(silence);
        }
        if let Some(limits) = &mut self.limits {
            limits.take(self.access, self.rule, *source, self.now_ns)?;
        }
        Ok(self.rights)
    }

    #[inline(never)]
    fn change_source(&mut self, source: &Ipv6Addr) {
        self.last = *source;
        self.rule = self.access.rule_of(*source);
        self.rights = self.access.rule(self.rule).1;
    }
}

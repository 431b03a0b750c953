//! Rate limits of requestors (RFC 5007 §5, "rate limiting DHCPv6 traffic … by the server itself").
//!
//! Each worker has its own token buckets and shares nothing. A bucket is one number, the time at which it is
//! full again (the theoretical arrival time of the generic cell rate algorithm, ITU-T I.371); after that time
//! it can be forgotten. Rules have a bucket for good; requestors in wider rules share a table of fixed size.
//! `crates/answer/DESIGN.md` gives the reasons.

use std::hash::BuildHasher;
use std::net::Ipv6Addr;

use foldhash::fast::FixedState;

use super::{Access, RULES_MAX, RuleId};
use crate::Outcome;

/// Largest rate and largest burst.
///
/// No worker answers more in a second, and an interval is exact to half a thousandth up to here.
pub const RATE_MAX: u32 = 1_000_000;

const SECOND_NS: u64 = 1_000_000_000;

/// Buckets of one set of the table.
const WAYS: usize = 4;
/// Sets of the table, a power of two; 384 KiB in all, of which only used pages become resident.
const SETS: usize = 4096;

/// A rate limit: queries per second, and burst after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Queries per second, 1..=[`RATE_MAX`].
    pub per_second: u32,
    /// Queries at once, 1..=[`RATE_MAX`].
    pub burst: u32,
}

impl Rate {
    pub(crate) fn is_usable(self) -> bool {
        [self.per_second, self.burst].iter().all(|number| (1..=RATE_MAX).contains(number))
    }

    fn interval_ns(self) -> u64 {
        SECOND_NS / u64::from(self.per_second)
    }

    /// Takes a query from a bucket; returns the time at which it is full again, or `None` if it is empty.
    fn take(self, full_at: u64, now_ns: u64) -> Option<u64> {
        let full_at = full_at.max(now_ns);
        // A query is left as long as the bucket is full again within burst − 1 intervals.
        let room = u64::from(self.burst - 1) * self.interval_ns();
        (full_at - now_ns <= room).then(|| full_at + self.interval_ns())
    }
}

/// The requestor's and the prefix's bucket of a rule, each as the time at which it is full.
type RuleBuckets = [u64; 2];

/// The token buckets of one worker.
#[derive(Debug)]
pub struct Limits {
    hasher: FixedState,
    /// Addresses of the requestors that have a bucket; 0 is none, as `::` sends nothing.
    requestors: Box<[[u128; WAYS]]>,
    /// The time at which each bucket is full, parallel to `requestors`.
    full_at: Box<[[u64; WAYS]]>,
    rules: Box<[RuleBuckets]>,
    /// Fingerprint of the table that `rules` belong to.
    table: u64,
}

impl Limits {
    /// Creates full buckets; `seed` decides which requestors share a set, and should be secret.
    pub fn new(seed: u64) -> Self {
        // The system provides pages of zeros when they are first written.
        Self {
            hasher: FixedState::with_seed(seed),
            requestors: vec![[0; WAYS]; SETS].into(),
            full_at: vec![[0; WAYS]; SETS].into(),
            rules: vec![[0; 2]; RULES_MAX].into(),
            table: 0,
        }
    }

    /// Fills the rules' buckets if the table has changed; a reload of an equal one keeps them.
    pub(crate) fn prepare(&mut self, access: &Access) {
        if self.table != access.fingerprint() {
            self.table = access.fingerprint();
            self.rules[..access.rules().len()].fill(RuleBuckets::default());
        }
    }

    /// Takes a query from both buckets of `source` under its rule, or from none; `now_ns` is monotonic.
    pub(crate) fn take(
        &mut self,
        access: &Access,
        rule: RuleId,
        source: Ipv6Addr,
        now_ns: u64,
    ) -> Result<(), Outcome> {
        let (prefix, rights) = access.rule(rule);
        let take = |rate: Option<Rate>, bucket: u64| match rate {
            Some(rate) => rate.take(bucket, now_ns),
            None => Some(bucket),
        };
        let [of_rule, of_prefix] = self.rules[rule.position()];
        // The prefix first: once it is exhausted, no requestor takes a place in the table.
        let prefix_after = take(rights.prefix_rate, of_prefix).ok_or(Outcome::DropPrefixRate)?;
        // Sources that are not allowed share a bucket: forged ones must not fill the table.
        let has_own_bucket = prefix.prefix_len() == 128 || !rights.allow;
        let requestor_after = if has_own_bucket || rights.rate.is_none() {
            take(rights.rate, of_rule).ok_or(Outcome::DropRequestorRate)?
        } else {
            let bucket = self.bucket(u128::from(source));
            *bucket = take(rights.rate, *bucket).ok_or(Outcome::DropRequestorRate)?;
            of_rule
        };
        // Charged only now, as both buckets have admitted the query.
        self.rules[rule.position()] = [requestor_after, prefix_after];
        Ok(())
    }

    /// Returns the bucket of this address; a new one replaces that which is full soonest.
    fn bucket(&mut self, address: u128) -> &mut u64 {
        let set = self.hasher.hash_one(address) as usize & (SETS - 1);
        let (requestors, full_at) = (&mut self.requestors[set], &mut self.full_at[set]);
        let held = requestors.iter().position(|&held| held == address);
        let way = held.unwrap_or_else(|| {
            // The bucket that is full soonest loses least by being forgotten.
            let soonest = (0..WAYS).min_by_key(|&way| full_at[way]).unwrap_or_default();
            requestors[soonest] = address;
            full_at[soonest] = 0;
            soonest
        });
        &mut full_at[way]
    }
}

#[cfg(test)]
mod tests;

//! How often requestors may ask (RFC 5007 §5, "rate limiting DHCPv6 traffic … by the server itself").
//!
//! Each worker has buckets of its own and shares nothing. The kernel gives a requestor's queries to a worker by
//! their addresses and ports, so one that asks from one port is held to its rate exactly; one with many ports, or a
//! prefix of many requestors, may get the rate once for each worker. Dividing the number among workers would do
//! worse: a prefix with one requestor would get a part of its due, and a query that is dropped for no reason costs a
//! subscriber his service; one that is answered above the rate costs a microsecond of a CPU that is there for it.
//!
//! A token bucket is kept as one number: the time at which it is full again (the theoretical arrival time of the
//! generic cell rate algorithm, ITU-T I.371). A bucket whose time is over says nothing, so it can be forgotten.
//!
//! Two places for buckets, by who can fill them:
//! - Rows have theirs for good: the prefix's bucket, and that of the requestor where there is one only (a /128), or
//!   where none is let in and all share one. Nobody can push these out.
//! - Requestors in wider rows share a table of fixed size, found by a seeded hash. It has room for thousands times
//!   the requestors of a network, so only source addresses made up within an allowed prefix can fill it. Then the
//!   newcomer takes the place of the bucket that is full soonest. Who asks within his rate loses nothing by that, as
//!   a forgotten bucket is a full one; who has used his burst is remembered longest. Nobody is turned away for want
//!   of room. What a made-up address gains is its own burst, again and again: no bucket for each address can prevent
//!   that, as a /64 has 2^64 of them. The row's prefix rate does, and rows of /128 for the access concentrators keep
//!   them out of that prefix's share.

use std::hash::BuildHasher;
use std::net::Ipv6Addr;

use foldhash::fast::FixedState;

use super::{Access, ROWS_MAX, RowId};
use crate::Outcome;

/// Largest rate and largest burst; a worker answers no more in a second, and up to here an interval is exact to half
/// a thousandth.
pub const RATE_MAX: u32 = 1_000_000;

const SECOND_NS: u64 = 1_000_000_000;

/// Places of one set of the table.
const WAYS: usize = 4;
/// Sets of the table; a power of two. 384 KiB in all, of which only what is used becomes resident.
const SETS: usize = 4096;

/// So many queries a second, and so many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// 1..=[`RATE_MAX`].
    pub per_second: u32,
    /// 1..=[`RATE_MAX`].
    pub burst: u32,
}

impl Rate {
    pub(crate) fn is_usable(self) -> bool {
        [self.per_second, self.burst].iter().all(|number| (1..=RATE_MAX).contains(number))
    }

    fn interval_ns(self) -> u64 {
        SECOND_NS / u64::from(self.per_second)
    }

    /// When the bucket is full again once a query has been taken from it now; `None` if there is none to take.
    fn take(self, full_at: u64, now_ns: u64) -> Option<u64> {
        let full_at = full_at.max(now_ns);
        let room = u64::from(self.burst - 1) * self.interval_ns();
        (full_at - now_ns <= room).then(|| full_at + self.interval_ns())
    }
}

/// The two buckets of a row, each by when it is full.
type RowBuckets = [u64; 2];

/// The buckets of one worker.
#[derive(Debug)]
pub struct Limits {
    hasher: FixedState,
    /// Addresses of the requestors that have a bucket. All zero: none, as `::` sends nothing.
    requestors: Box<[[u128; WAYS]]>,
    /// When each is full, parallel to `requestors`.
    full_at: Box<[[u64; WAYS]]>,
    /// The requestor's and the prefix's bucket of each row.
    rows: Box<[RowBuckets]>,
    /// Fingerprint of the table that `rows` belong to.
    table: u64,
}

impl Limits {
    /// Full buckets for all; `seed` decides who shares a place with whom, and should be secret.
    pub fn new(seed: u64) -> Self {
        // Arrays of plain zeros: the system gives their pages when they are first written.
        Self {
            hasher: FixedState::with_seed(seed),
            requestors: vec![[0; WAYS]; SETS].into(),
            full_at: vec![[0; WAYS]; SETS].into(),
            rows: vec![[0; 2]; ROWS_MAX].into(),
            table: 0,
        }
    }

    /// Makes the rows' buckets those of this table. An equal one keeps them: a reload is no fresh start.
    pub(crate) fn prepare(&mut self, access: &Access) {
        if self.table != access.fingerprint() {
            self.table = access.fingerprint();
            self.rows[..access.rows().len()].fill(RowBuckets::default());
        }
    }

    /// Takes a query at `now_ns` (monotonic, from any start) from the buckets that `source` has by its row.
    ///
    /// From both or none: what the prefix has not, the requestor keeps.
    pub(crate) fn admit(
        &mut self,
        access: &Access,
        row: RowId,
        source: Ipv6Addr,
        now_ns: u64,
    ) -> Result<(), Outcome> {
        let (prefix, rights) = access.row(row);
        let take = |rate: Option<Rate>, bucket: u64| match rate {
            Some(rate) => rate.take(bucket, now_ns),
            None => Some(bucket),
        };
        let [of_row, of_prefix] = self.rows[row.position()];
        // First the prefix: where it has no more, nobody is put into the table.
        let prefix_after = take(rights.prefix_rate, of_prefix).ok_or(Outcome::DropPrefixRate)?;
        let alone = prefix.prefix_len() == 128 || !rights.allow;
        let requestor_after = if alone || rights.rate.is_none() {
            take(rights.rate, of_row).ok_or(Outcome::DropRequestorRate)?
        } else {
            let bucket = self.bucket(u128::from(source));
            *bucket = take(rights.rate, *bucket).ok_or(Outcome::DropRequestorRate)?;
            of_row
        };
        self.rows[row.position()] = [requestor_after, prefix_after];
        Ok(())
    }

    /// The bucket of this address; if it has none, a full one in place of that which is full soonest.
    fn bucket(&mut self, address: u128) -> &mut u64 {
        let set = self.hasher.hash_one(address) as usize & (SETS - 1);
        let (requestors, full_at) = (&mut self.requestors[set], &mut self.full_at[set]);
        let held = requestors.iter().position(|&held| held == address);
        let way = held.unwrap_or_else(|| {
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

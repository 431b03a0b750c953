//! Longest-prefix match over a small set that is built once and read on every query.
//!
//! Nested prefixes are cut into disjoint ranges in two flat arrays, and a lookup is one binary search: 4
//! steps for ten prefixes, 13 for thousands. A trie, or a hash table for each prefix length, would save
//! nothing at this size.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use crate::lease::mask;

/// A prefix, its bits beyond `len` zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// First address.
    pub address: Ipv6Addr,
    /// 0..=128.
    pub len: u8,
}

/// Table of prefixes and their owners, ready for lookup.
#[derive(Clone, Debug, PartialEq)]
pub struct Prefixes<T> {
    /// First addresses of the disjoint ranges that cover the address space from the first one on, ascending.
    starts: Vec<u128>,
    /// Owner of each range, parallel to `starts`.
    owners: Vec<Option<T>>,
}

impl<T> Default for Prefixes<T> {
    fn default() -> Self {
        Self { starts: Vec::new(), owners: Vec::new() }
    }
}

impl<T: Copy> Prefixes<T> {
    /// Builds the table; of addresses that several prefixes cover, the longest is the owner.
    pub fn new(prefixes: HashMap<Prefix, T>) -> Self {
        let mut prefixes: Vec<_> = prefixes
            .into_iter()
            .map(|(Prefix { address, len }, owner)| {
                let first = u128::from(address) & mask(len);
                (first, len, first | !mask(len), owner)
            })
            .collect();
        // An outer prefix comes before those within it, so that the stack holds the prefixes around.
        prefixes.sort_unstable_by_key(|&(first, len, ..)| (first, len));
        // Addresses before the first prefix have no owner, and no range.
        let mut table = Self::default();
        // The prefixes around the current position, outermost first; an inner one always ends before or with
        // its outer.
        let mut open: Vec<(u128, T)> = Vec::new();
        for (first, _, last, owner) in prefixes {
            table.close(&mut open, first);
            table.range(first, Some(owner));
            open.push((last, owner));
        }
        // Ends all that is open, up to the last address.
        table.close(&mut open, u128::MAX);
        table
    }

    /// Ends the open prefixes that lie wholly before `until`.
    fn close(&mut self, open: &mut Vec<(u128, T)>, until: u128) {
        while let Some(&(last, _)) = open.last()
            && last < until
        {
            open.pop();
            // Behind an inner prefix, its outer one goes on.
            self.range(last + 1, open.last().map(|&(_, owner)| owner)); // last < until ≤ MAX
        }
    }

    /// Gives addresses from `start` on to `owner`; overwrites a range that turned out empty.
    fn range(&mut self, start: u128, owner: Option<T>) {
        // Two prefixes may begin at one address: the longer one, later in order, owns it.
        if self.starts.last() == Some(&start) {
            *self.owners.last_mut().expect("parallel to starts") = owner;
        } else {
            self.starts.push(start);
            self.owners.push(owner);
        }
    }

    /// The owner of the longest prefix that contains this address.
    pub fn containing(&self, address: Ipv6Addr) -> Option<T> {
        // Ranges cover everything from the first start on, so the last one that begins before contains it.
        let after = self.starts.partition_point(|&start| start <= address.into());
        self.owners[after.checked_sub(1)?]
    }

    /// The first address and the owner of each range, ascending; ranges cover the address space from the
    /// first on.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (u128, Option<T>)> {
        self.starts.iter().copied().zip(self.owners.iter().copied())
    }
}

//! The prefix lengths of a snapshot, by region: few, however many leases there are.

use std::collections::HashSet;

use crate::arena::{Allocator, Editor};
use crate::tables::Tables;
use crate::trie::region_of;

/// Size of the cache in front of `all`.
const RECENT: usize = 512;

/// A region (its 40 bits) and the prefix length of a lease in it (8, the lowest).
type Pair = u64;

/// Prefix lengths that one thread has seen, by region.
pub(super) struct PrefixLengthSet {
    recent: Box<[Pair; RECENT]>,
    all: HashSet<Pair, foldhash::fast::RandomState>,
}

impl Default for PrefixLengthSet {
    fn default() -> Self {
        Self { recent: Box::new([0; RECENT]), all: HashSet::default() }
    }
}

impl PrefixLengthSet {
    /// Adds the prefix length of a lease.
    #[inline]
    pub(super) fn insert(&mut self, address: u128, len: u8) {
        let pair = region_of(address) | Pair::from(len);
        // Pools are neighbours; the length keeps addresses and prefixes apart.
        let place = &mut self.recent[((pair >> 24) ^ (pair << 2)) as usize % RECENT];
        if *place != pair {
            *place = pair;
            self.all.insert(pair);
        }
    }

    /// Adds those of another thread.
    pub(super) fn extend(&mut self, other: Self) {
        self.all.extend(other.all);
    }

    /// Adds all to the trie, which has no readers yet.
    pub(super) fn enter(self, tables: &Tables, allocator: &mut Allocator) {
        let mut pairs: Vec<Pair> = self.all.into_iter().collect();
        pairs.sort_unstable();
        let mut garbage = Vec::new();
        for pair in pairs {
            // No reader has the trie yet, so replaced nodes are freed at once.
            let mut edit = Editor { arena: &tables.arena, allocator, garbage: &mut garbage };
            tables.lengths.add(&mut edit, u128::from(pair) << 64, pair as u8);
            garbage.drain(..).for_each(|run| allocator.free(run.at, run.words));
        }
    }
}

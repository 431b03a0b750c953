//! Numbers of subnets in the index: one for each pair of lease source and the source's own subnet id.
//!
//! Two Kea servers number their subnets alike, so a lease carries a number that names both. Numbers are
//! dense, in the order of their first use, and stay the same for the life of the feed: a reload of one source
//! leaves the leases of the others as they are.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use lqd_index::{Batch, Link};

/// Position of a lease source among all that the feed has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SourceNumber(pub(crate) u32);

/// Table of all numbers, shared by the threads that load leases; locked once a batch.
#[derive(Debug, Default)]
pub(crate) struct SubnetNumbers(RwLock<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    by_id: HashMap<(SourceNumber, u32), u32, foldhash::fast::RandomState>,
    /// The source of each number.
    sources: Vec<SourceNumber>,
}

impl Numbers {
    fn number(&mut self, source: SourceNumber, id: u32) -> u32 {
        *self.by_id.entry((source, id)).or_insert_with(|| {
            self.sources.push(source);
            // One for each subnet id that a source has named: fewer than ids.
            (self.sources.len() - 1) as u32
        })
    }
}

impl SubnetNumbers {
    /// Returns the source of a lease that carries this number.
    pub(crate) fn source(&self, number: u32) -> SourceNumber {
        // A lease enters the index with a number from here.
        self.read().sources[number as usize]
    }

    /// Returns the links of a source with the numbers of their subnets.
    pub(crate) fn links(&self, source: SourceNumber, links: &[Link]) -> Vec<Link> {
        let mut numbers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut links = links.to_vec();
        for subnet in links.iter_mut().flat_map(|link| &mut link.subnets) {
            // Ids that no lease has named yet get their numbers here, so that links and leases agree.
            subnet.id = numbers.number(source, subnet.id);
        }
        links
    }

    fn read(&self) -> RwLockReadGuard<'_, Numbers> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The numbers of one source's subnets.
#[derive(Clone, Debug)]
pub(crate) struct SourceSubnets {
    source: SourceNumber,
    numbers: Arc<SubnetNumbers>,
}

impl SourceSubnets {
    pub(crate) fn new(source: SourceNumber, numbers: &Arc<SubnetNumbers>) -> Self {
        Self { source, numbers: Arc::clone(numbers) }
    }

    /// Replaces the source's subnet ids by their numbers.
    pub(crate) fn renumber(&self, batch: &mut Batch) {
        let source = self.source;
        let numbers = self.numbers.read();
        // An unreadable lease has no subnet, so it carries the source with id 0.
        let mut ids = std::iter::once(0).chain(batch.subnet_ids());
        // New ids are rare, so nearly all batches do with the shared lock.
        if ids.all(|id| numbers.by_id.contains_key(&(source, id))) {
            drop(ids);
            batch.renumber_subnets(|id| numbers.by_id[&(source, id)]);
            return;
        }
        drop(ids);
        // The lock for reading is released first: the one for writing would wait for it.
        drop(numbers);
        let mut numbers = self.numbers.0.write().unwrap_or_else(PoisonError::into_inner);
        batch.renumber_subnets(|id| numbers.number(source, id));
    }
}

#[cfg(test)]
mod tests {
    use lqd_index::{Change, Lease, LeaseKind};

    use super::*;

    #[test]
    fn equal_ids_of_two_sources_are_two_subnets() {
        let numbers = Arc::new(SubnetNumbers::default());
        let batch_of = |source: u32, ids: &[u32]| {
            let mut batch = Batch::new();
            for &subnet_id in ids {
                let lease = Lease {
                    address: "2001:db8::1".parse().unwrap(),
                    prefix_len: 128,
                    kind: LeaseKind::Address,
                    duid: &[1],
                    valid_lifetime: 1,
                    preferred_lifetime: 1,
                    cltt: 1,
                    subnet_id,
                    options: &[],
                };
                batch.push(Change::Put(lease)).unwrap();
            }
            SourceSubnets::new(SourceNumber(source), &numbers).renumber(&mut batch);
            batch.subnet_ids().collect::<Vec<_>>()
        };
        let first = batch_of(0, &[1, u32::MAX, 1]);
        let second = batch_of(1, &[1, u32::MAX, 1]);
        assert_eq!((first[0], second[0]), (first[2], second[2]));
        assert!(first.iter().all(|number| !second.contains(number)));
        assert_eq!(batch_of(0, &[1, u32::MAX, 1]), first, "numbers stay");
        for (number, source) in [(first[1], 0), (second[1], 1)] {
            assert_eq!(numbers.source(number), SourceNumber(source));
        }
    }
}

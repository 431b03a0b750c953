//! Counters by index.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

/// `N` counters of one worker, on cache lines of their own; any thread may read them.
#[derive(Debug)]
pub struct Counters<const N: usize>(CachePadded<[AtomicU64; N]>);

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(CachePadded::new([const { AtomicU64::new(0) }; N]))
    }
}

impl<const N: usize> Counters<N> {
    /// Adds one to a counter. Only the worker that owns the counters may call this.
    pub fn count(&self, counter: usize) {
        add(&self.0[counter], 1);
    }

    /// Returns all counters, each as of some moment of the call.
    pub fn read(&self) -> [u64; N] {
        std::array::from_fn(|counter| self.0[counter].load(Ordering::Relaxed))
    }
}

/// Adds to a number that only the calling thread writes.
///
/// Load and store instead of `fetch_add`: a single writer never loses a count, and needs no locked
/// instruction.
pub(crate) fn add(number: &AtomicU64, n: u64) {
    number.store(number.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_independent() {
        let counters = Counters::<3>::default();
        counters.count(0);
        counters.count(2);
        counters.count(2);
        assert_eq!(counters.read(), [1, 0, 2]);
    }

    #[test]
    fn workers_share_no_cache_line() {
        assert_eq!(align_of::<Counters<1>>() % 64, 0);
        assert_eq!(size_of::<Counters<1>>() % 64, 0);
    }
}

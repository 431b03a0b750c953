//! Counters of the packet path: one writer each, no line shared between two workers.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

/// `N` counters of one worker, on cache lines of their own. Anyone may read them.
#[derive(Debug)]
pub struct Counters<const N: usize>(CachePadded<[AtomicU64; N]>);

// What two workers write at once never shares a line, or a pair of them, which the hardware prefetches together.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const _: () = assert!(align_of::<Counters<1>>() == 128 && size_of::<Counters<17>>().is_multiple_of(128));

impl<const N: usize> Default for Counters<N> {
    fn default() -> Self {
        Self(CachePadded::new([const { AtomicU64::new(0) }; N]))
    }
}

impl<const N: usize> Counters<N> {
    /// Adds one to a counter. Only the worker that owns the counters may call this.
    ///
    /// Load and store in place of `fetch_add`: with a single writer they never lose a count, and cost no locked
    /// instruction.
    pub fn count(&self, counter: usize) {
        let counter = &self.0[counter];
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// All counters, each as it was at some moment of the call.
    pub fn read(&self) -> [u64; N] {
        std::array::from_fn(|counter| self.0[counter].load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_apart() {
        let counters = Counters::<3>::default();
        counters.count(0);
        counters.count(2);
        counters.count(2);
        assert_eq!(counters.read(), [1, 0, 2]);
    }
}

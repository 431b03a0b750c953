//! Which prefix lengths leases have: what a look-up by address has to try.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::lease::PREFIX_LEN_MAX;

/// A set of prefix lengths, 1..=128. It grows only; a new snapshot begins with an empty one.
#[derive(Default)]
pub(crate) struct Lengths([AtomicU64; 2]);

impl Lengths {
    /// Adds a length; before a lease of this length is published.
    pub(crate) fn add(&self, len: u8) {
        let bit = usize::from(len - 1);
        let (half, bit) = (&self.0[bit / 64], 1 << (bit % 64));
        // Nearly always there: readers are not to lose the cache line for nothing.
        if half.load(Ordering::Relaxed) & bit == 0 {
            half.fetch_or(bit, Ordering::Release);
        }
    }

    /// The lengths, the longest first.
    pub(crate) fn longest_first(&self) -> impl Iterator<Item = u8> + use<> {
        let [low, high] = [0, 1].map(|half| u128::from(self.0[half].load(Ordering::Acquire)));
        let mut left = high << 64 | low;
        std::iter::from_fn(move || {
            let len = PREFIX_LEN_MAX - left.leading_zeros() as u8;
            left &= !(1_u128.checked_shl(u32::from(len).wrapping_sub(1)).unwrap_or(0));
            (len > 0).then_some(len)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_come_longest_first_and_once() {
        let lengths = Lengths::default();
        assert_eq!(lengths.longest_first().count(), 0);
        for len in [56, 128, 1, 64, 65, 56] {
            lengths.add(len);
        }
        assert_eq!(lengths.longest_first().collect::<Vec<_>>(), [128, 65, 64, 56, 1]);
    }
}

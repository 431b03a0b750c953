//! Random numbers from a seed, the same on every machine and in every version.
//!
//! A seed must stand for the same leases and queries as long as results are compared, so the generator is
//! written out here: a crate may change its stream with a new version.

/// SplitMix64 (Steele, Lea, Flood 2014): one addition and one mix per number.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Returns a number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        // Multiply-shift; its bias, `end` in 2^64, is too small to be seen in any run.
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// Draws whether an event of this probability, 0 to 1, happens.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Returns a number from 0 to below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        // A double holds 53 bits.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Finalizer of SplitMix64: every output bit depends on every input bit, and it is one to one.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Permutes the numbers of `bits` bits (0 to 64), with another order for each `key`.
///
/// Addresses look random and are distinct through it, without a table of those in use.
pub(crate) fn shuffle(value: u64, bits: u32, key: u64) -> u64 {
    // A shift by 64 overflows for 0 bits.
    let mask = u64::MAX.checked_shr(64 - bits).unwrap_or(0);
    // At least 1, or folding would change nothing.
    let half = (bits / 2).max(1);
    // Addition, multiplication by an odd number, and folding upper bits down are all invertible modulo
    // 2^bits.
    let mut x = value & mask;
    for round in 1..=3 {
        x = x.wrapping_add(mix(key.wrapping_add(round))).wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask;
        x ^= x >> half;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_stream_is_that_of_splitmix64() {
        // The first outputs for seed 1234567 as published with the reference implementation.
        let mut random = Random::new(1_234_567);
        let stream: Vec<u64> = (0..3).map(|_| random.next()).collect();
        assert_eq!(stream, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_shuffle_is_a_permutation_that_depends_on_the_key() {
        for bits in [0, 1, 2, 7, 12] {
            let all: HashSet<u64> = (0..1 << bits).map(|value| shuffle(value, bits, 42)).collect();
            assert_eq!(all.len(), 1 << bits, "{bits} bits");
            assert!(all.iter().all(|&value| value < 1 << bits));
        }
        let order = |key| (0..64).map(|value| shuffle(value, 64, key)).collect::<Vec<_>>();
        assert_ne!(order(1), order(2));
        assert_eq!(order(1).iter().collect::<HashSet<_>>().len(), 64);
    }

    #[test]
    fn below_and_happens_keep_their_bounds() {
        let mut random = Random::new(7);
        let drawn: HashSet<u64> = (0..1000).map(|_| random.below(5)).collect();
        assert_eq!(drawn, HashSet::from([0, 1, 2, 3, 4]));
        // The bounds themselves must hold always, not with high probability.
        assert!((0..1000).all(|_| random.happens(1.0) && !random.happens(0.0)));
        let share = (0..10_000).filter(|_| random.happens(0.25)).count();
        assert!((2_300..2_700).contains(&share), "{share} of 10,000");
    }
}

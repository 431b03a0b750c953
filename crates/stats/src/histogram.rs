//! Log-linear histogram of times: each power of two is split into 16 buckets, so a quantile is at most 1/16
//! too large, from a nanosecond to a minute, in 4 KiB.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::utils::CachePadded;

use crate::counters::add;

/// Each power of two is split into 2^4 buckets.
const CUT_BITS: u32 = 4;
const CUTS: usize = 1 << CUT_BITS;

/// Times from 2^36 ns (69 s) on share the last bucket.
const TOP_BIT: u32 = 35;

const BUCKETS: usize = (TOP_BIT - CUT_BITS + 2) as usize * CUTS;

/// Counts of times; written by one worker.
#[derive(Debug)]
pub struct Histogram(CachePadded<Counts>);

#[derive(Debug)]
struct Counts {
    sum: AtomicU64,
    buckets: [AtomicU64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = [const { AtomicU64::new(0) }; BUCKETS];
        Self(CachePadded::new(Counts { sum: AtomicU64::new(0), buckets }))
    }
}

impl Histogram {
    /// Counts `time` `n` times. Only the worker that owns the histogram may call this.
    pub fn record(&self, time: Duration, n: u64) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        add(&self.0.buckets[bucket_of(nanoseconds)], n);
        add(&self.0.sum, nanoseconds.wrapping_mul(n));
    }

    /// Returns the counts so far.
    pub fn read(&self) -> Distribution {
        let buckets = self.0.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        Distribution { sum: self.0.sum.load(Ordering::Relaxed), buckets }
    }
}

/// Bucket of a time; it holds times above the previous limit, up to and including its own.
fn bucket_of(nanoseconds: u64) -> usize {
    // One less, so that a power of two is the limit of a bucket and not the start of the next: Prometheus
    // includes the limit in a bucket.
    let below = nanoseconds.saturating_sub(1);
    let Some(bit) = below.checked_ilog2().filter(|&bit| bit >= CUT_BITS) else { return below as usize };
    if bit > TOP_BIT {
        return BUCKETS - 1;
    }
    let cut = (below >> (bit - CUT_BITS)) as usize & (CUTS - 1);
    (bit - CUT_BITS + 1) as usize * CUTS + cut
}

/// Longest time of a bucket, nanoseconds; the inverse of [`bucket_of`].
fn limit_of(bucket: usize) -> u64 {
    let (octave, cut) = (bucket / CUTS, (bucket % CUTS) as u64);
    match octave.checked_sub(1) {
        None => cut + 1,
        Some(shift) => (CUTS as u64 + cut + 1) << shift,
    }
}

/// Counted times of one histogram, or the sum of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    sum: u64,
    buckets: Vec<u64>,
}

impl Default for Distribution {
    fn default() -> Self {
        Self { sum: 0, buckets: vec![0; BUCKETS] }
    }
}

impl Distribution {
    /// Adds the counts of another histogram.
    pub fn add(&mut self, other: &Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.buckets.iter_mut().zip(&other.buckets).for_each(|(count, more)| *count += more);
    }

    /// Number of times counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Sum of all times.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.sum)
    }

    /// Number of times of at most 2^`power` ns; exact for 2^4 ns..=2^35 ns.
    pub fn count_up_to(&self, power: u32) -> u64 {
        let buckets = self.buckets.iter().enumerate();
        buckets.filter(|&(bucket, _)| limit_of(bucket) <= 1 << power).map(|(_, count)| count).sum()
    }

    /// Quantile `part` (0..=1) of the times, at most 1/16 too large; `None` without any.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        // At least the first value, also for `part` 0.
        let rank = ((self.count() as f64 * part).ceil() as u64).max(1);
        let mut seen = 0;
        let bucket = self.buckets.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_nanos(limit_of(bucket)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_are_contiguous() {
        assert_eq!(bucket_of(0), 0);
        for bucket in 0..BUCKETS - 1 {
            let limit = limit_of(bucket);
            assert_eq!((bucket_of(limit), bucket_of(limit + 1)), (bucket, bucket + 1), "{limit} ns");
        }
        assert_eq!(limit_of(BUCKETS - 1), 1 << (TOP_BIT + 1));
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn buckets_include_their_limit() {
        let histogram = Histogram::default();
        for (nanoseconds, n) in [(1024, 1), (1025, 10), (2048, 100), (2049, 1000)] {
            histogram.record(Duration::from_nanos(nanoseconds), n);
        }
        let read = histogram.read();
        assert_eq!([9, 10, 11, 12, 35].map(|power| read.count_up_to(power)), [0, 1, 111, 1111, 1111]);
        assert_eq!(read.sum(), Duration::from_nanos(1024 + 10_250 + 204_800 + 2_049_000));
    }

    #[test]
    fn an_empty_distribution_has_no_quantile() {
        assert_eq!(Distribution::default().quantile(0.5), None);
    }

    proptest! {
        /// Checks quantiles against sorting.
        #[test]
        fn quantiles_are_at_most_a_sixteenth_too_large(
            mut times in proptest::collection::vec(1..1_u64 << 36, 1..200), part in 0.0..=1.0_f64,
        ) {
            let (one, other) = (Histogram::default(), Histogram::default());
            for (number, time) in times.iter().enumerate() {
                [&one, &other][number % 2].record(Duration::from_nanos(*time), 1);
            }
            let mut sum = one.read();
            sum.add(&other.read());
            prop_assert_eq!(sum.count(), times.len() as u64);
            times.sort_unstable();
            let rank = ((times.len() as f64 * part).ceil() as usize).max(1);
            let (exact, got) = (times[rank - 1], sum.quantile(part).unwrap().as_nanos() as u64);
            prop_assert!((exact..=exact + exact.div_ceil(16)).contains(&got), "{exact}: {got}");
        }
    }
}

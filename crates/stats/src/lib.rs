//! Statistics of workers, and Prometheus text.
//!
//! ```text
//! Counters   numbers by index              Top         most frequent keys, in bounded memory
//! Histogram  times, log-linear             Exposition  Prometheus text
//! ```
//! Each of the first three has one writing thread and any number of readers. The writer takes no lock,
//! executes no locked instruction and shares no cache line with another writer; a reader gets each number as
//! of some moment of the call.
#![forbid(unsafe_code)]

mod counters;
mod exposition;
mod histogram;
mod top;

pub use counters::Counters;
pub use exposition::{Exposition, Family, Kind};
pub use histogram::{Distribution, Histogram};
pub use top::{Entry, Top};

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counting_allocates_nothing() {
        let (counters, histogram, top) = (Counters::<4>::default(), Histogram::default(), Top::default());
        let counted = allocation_counter::measure(|| {
            for n in 0..10_000_u64 {
                counters.count(n as usize % 4);
                histogram.record(Duration::from_nanos(n * n), n);
                top.count(u128::from(n % 700), 1);
            }
        });
        assert_eq!(counted.count_total, 0);
        assert!(
            allocation_counter::measure(|| drop(top.read())).count_total > 0,
            "allocations are counted at all"
        );
    }
}

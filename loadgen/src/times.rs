//! Distributions of times.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Longest time that is recorded exactly, in nanoseconds: an hour.
const TIME_MAX: u64 = 3_600_000_000_000;

/// Distribution of times.
#[derive(Clone, Debug)]
pub(crate) struct Times(Histogram<u64>);

impl Times {
    pub(crate) fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, TIME_MAX, 3);
        Self(histogram.unwrap_or_else(|_| unreachable!("the bounds are constants that fit")))
    }

    pub(crate) fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(TIME_MAX));
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).unwrap_or_else(|_| unreachable!("both have the same bounds"));
    }

    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    pub(crate) fn at(&self, percentile: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_percentile(percentile))
    }

    pub(crate) fn summary(&self) -> TimesSummary {
        let seconds = |percentile| self.at(percentile).as_secs_f64();
        TimesSummary { p50_s: seconds(50.0), p99_s: seconds(99.0), max_s: seconds(100.0) }
    }
}

/// Percentiles in seconds.
#[derive(Serialize)]
pub(crate) struct TimesSummary {
    p50_s: f64,
    p99_s: f64,
    max_s: f64,
}

//! Counts and latencies for each second of a run, or for each longer period of a long run.
//!
//! A query belongs to the period in which it was due, so that a period shows the experience of its
//! requestors. A histogram of two digits from 1 µs takes 10 KiB; with at most [`PERIODS_MAX`] of them a
//! thread stays below 40 MiB, however long it runs.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::in_flight::Since;
use super::tally::LATENCY_MAX;

/// Most periods; beyond that, two become one.
const PERIODS_MAX: usize = 3600;
/// Smallest latency that is distinguished.
const LATENCY_MIN: Duration = Duration::from_micros(1);
const DIGITS: u8 = 2;

/// Outcome of the queries of one period.
#[derive(Clone, Debug)]
pub(crate) struct Period {
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) lost: u64,
    /// Latencies in nanoseconds.
    pub(crate) latency: Histogram<u32>,
}

impl Period {
    fn new() -> Self {
        let latency =
            Histogram::new_with_bounds(LATENCY_MIN.as_nanos() as u64, LATENCY_MAX.as_nanos() as u64, DIGITS);
        let latency = latency.expect("1 µs to 60 s with 2 digits is a valid histogram");
        Self { sent: 0, answered: 0, lost: 0, latency }
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.lost += other.lost;
        self.latency.add(&other.latency).expect("histograms of all periods have the same bounds");
    }
}

/// The periods of a run, from its start.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    pub(crate) length: Duration,
    pub(crate) periods: Vec<Period>,
}

impl Timeline {
    pub(super) fn new() -> Self {
        Self { length: Duration::from_secs(1), periods: Vec::new() }
    }

    /// Returns the period of queries due at this time.
    pub(super) fn at(&mut self, due: Since) -> &mut Period {
        let mut number = self.number(due);
        // Bounded memory: a longer run gets longer periods.
        while number >= PERIODS_MAX {
            self.coarsen();
            number = self.number(due);
        }
        if number >= self.periods.len() {
            self.periods.resize_with(number + 1, Period::new);
        }
        &mut self.periods[number]
    }

    fn number(&self, due: Since) -> usize {
        (due.as_nanos() / self.length.as_nanos()) as usize
    }

    /// Merges each pair of periods into one.
    fn coarsen(&mut self) {
        self.length *= 2;
        let pairs = self.periods.chunks(2).map(|pair| {
            let mut sum = pair[0].clone();
            pair[1..].iter().for_each(|second| sum.add(second));
            sum
        });
        // A last period without partner stays as it is.
        self.periods = pairs.collect();
    }

    /// Adds the timeline of another thread.
    pub(super) fn add(&mut self, mut other: Self) {
        // Both must have the same period before they are added.
        while self.length < other.length {
            self.coarsen();
        }
        while other.length < self.length {
            other.coarsen();
        }
        // A thread that ended early has fewer periods.
        let len = self.periods.len().max(other.periods.len());
        self.periods.resize_with(len, Period::new);
        for (period, more) in self.periods.iter_mut().zip(&other.periods) {
            period.add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_grow_longer_beyond_their_limit() {
        let mut timeline = Timeline::new();
        for second in 0..4000 {
            timeline.at(Duration::from_millis(second * 1000 + 999)).sent += 1;
        }
        assert_eq!((timeline.length, timeline.periods.len()), (Duration::from_secs(2), 2000));
        assert!(timeline.periods.iter().all(|period| period.sent == 2));
    }

    #[test]
    fn timelines_of_different_lengths_add_up() {
        let mut long = Timeline::new();
        long.at(Duration::from_secs(7000)).lost += 1;
        let mut short = Timeline::new();
        short.at(Duration::from_secs(3)).lost += 1;
        short.add(long);
        assert_eq!(short.length, Duration::from_secs(2));
        let lost: Vec<_> = short.periods.iter().map(|period| period.lost).collect();
        assert_eq!((lost.len(), lost[1], lost[3500], lost.iter().sum::<u64>()), (3501, 1, 1, 2));
    }
}

//! The timetable of an open loop: queries are due at fixed times, whatever the outcome of earlier ones.
//!
//! Latency counts from the due time (wrk2's method), so a server that stalls for 200 ms shows it in every
//! query that was due in the stall, not only in one. A query that this process sent late has the delay in its
//! latency, too, and is counted, so that the report can warn.

use std::fmt;
use std::time::Duration;

use super::in_flight::Since;
use crate::value::ValueError;

/// Most queries per second, more than a host can send.
const RATE_MAX: f64 = 1e8;

/// Queries per second over all threads: constant, or changing linearly over the run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl Rate {
    pub(crate) fn constant(rate: f64) -> Self {
        Self { from: rate, to: rate }
    }

    pub(crate) fn is_ramp(self) -> bool {
        // Both come from one text where they are equal, so the comparison is exact.
        self.from != self.to
    }

    pub(crate) fn max(self) -> f64 {
        self.from.max(self.to)
    }
}

impl std::str::FromStr for Rate {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // A single number is a ramp between equal rates.
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let number = |text: &str| {
            let (digits, factor) = match text.as_bytes().last() {
                Some(b'k') => (&text[..text.len() - 1], 1e3),
                Some(b'M') => (&text[..text.len() - 1], 1e6),
                _ => (text, 1.0),
            };
            digits.parse::<f64>().ok().map(|number| number * factor)
        };
        match (number(from), number(to)) {
            // Rates outside would overflow times, or never send.
            (Some(from), Some(to)) if [from, to].iter().all(|rate| (0.1..=RATE_MAX).contains(rate)) => {
                Ok(Self { from, to })
            }
            _ => Err(ValueError::Rate),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        if self.is_ramp() { write!(f, "{from}..{to}") } else { write!(f, "{from}") }
    }
}

/// Timetable of one thread: one of every `parts` queries of the run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timetable {
    rate: Rate,
    /// Time over which a ramp goes from one rate to the other.
    span: Duration,
    part: u64,
    parts: u64,
}

impl Timetable {
    /// Makes a timetable. `part` is less than `parts`; `span` only matters for a ramp.
    pub(super) fn new(rate: Rate, span: Duration, part: u64, parts: u64) -> Self {
        Self { rate, span, part, parts }
    }

    /// Returns the due time of this thread's query `number`, from 0.
    pub(super) fn due(&self, number: u64) -> Since {
        // Computed from the start each time, so that rounding errors do not add up.
        let nth = (number * self.parts + self.part) as f64;
        // Each thread has every n-th query, so the sum is the rate of all.
        let Rate { from, to } = self.rate;
        // After t seconds, from·t + (to - from)·t²/(2·span) queries were due; this is solved for t.
        let growth = (to - from) / self.span.as_secs_f64();
        let seconds = if self.rate.is_ramp() {
            let square = from * from + 2.0 * growth * nth;
            // Negative only after the end of a downward ramp.
            if square < 0.0 { f64::INFINITY } else { 2.0 * nth / (from + square.sqrt()) }
        } else {
            nth / from
        };
        // A time that does not fit is after the end.
        Since::try_from_secs_f64(seconds).unwrap_or(Since::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_one_timetable() {
        let due = |part, number| Timetable::new(Rate::constant(1000.0), Duration::ZERO, part, 3).due(number);
        let milliseconds = [due(0, 0), due(1, 0), due(2, 0), due(0, 1)].map(|due| due.as_millis());
        assert_eq!(milliseconds, [0, 1, 2, 3]);
        // A billion queries on, no rounding has added up.
        assert_eq!(due(1, 1_000_000_000), Duration::new(3_000_000, 1_000_000), "no drift");
    }

    #[test]
    fn ramps_have_their_mean_and_end_rates() {
        for (from, to) in [(100.0, 900.0), (900.0, 100.0)] {
            let table = Timetable::new(Rate { from, to }, Duration::from_secs(10), 0, 1);
            let seconds = |number| table.due(number).as_secs_f64();
            assert!((seconds(5000) - 10.0).abs() < 1e-6, "500 a second in the mean");
            assert!((seconds(1) - 1.0 / from).abs() < 1e-4);
            assert!((seconds(5000) - seconds(4999) - 1.0 / to).abs() < 1e-4);
        }
        let down = Timetable::new(Rate { from: 900.0, to: 100.0 }, Duration::from_secs(10), 0, 1);
        assert_eq!(down.due(1 << 40), Since::MAX, "never");
    }

    #[test]
    fn rates_are_parsed() {
        let rate = |text: &str| text.parse::<Rate>();
        assert_eq!(rate("20k"), Ok(Rate::constant(20_000.0)));
        assert_eq!(rate("0.5k..1.5M"), Ok(Rate { from: 500.0, to: 1_500_000.0 }));
        assert_eq!(rate("1k..2k").unwrap().to_string(), "1000..2000");
        for text in ["", "k", "0", "-1", "NaN", "1..", "1..2..3", "1e30"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}

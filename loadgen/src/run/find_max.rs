//! `--find-max`: the highest rate at which loss and p99 stay within bounds.
//!
//! The rate doubles from load to load until one fails. Then the gap between the highest rate that was
//! sustained and the lowest that was not is halved until it is small. If a load failed because this process
//! missed its timetable, the generator is the limit, and the report says so.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::load::{LoadPlan, Outcome, Setup, load};
use super::rate::Rate;
use super::tally::Tally;
use crate::error::Error;
use crate::report::text::thousands;

/// Rate of the first load without `--rate`.
const START: f64 = 1000.0;
/// Ratio of the bounds at which the search ends.
const PRECISION: f64 = 1.03;
/// Most loads; doubling and halving need far fewer.
const STEPS_MAX: usize = 40;

/// Bounds of loss and latency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    /// Largest share of lost queries, 0 to 1.
    pub(crate) loss_max: f64,
    pub(crate) p99_max: Duration,
}

/// One load of the search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) rate: f64,
    pub(crate) loss: f64,
    pub(crate) p99: Duration,
    /// Whether this process missed its timetable.
    pub(crate) fell_behind: bool,
    pub(crate) held: bool,
}

impl Step {
    fn of(rate: f64, tally: &Tally, bounds: Bounds) -> Self {
        let loss = tally.lost as f64 / tally.sent.max(1) as f64;
        let p99 = Duration::from_nanos(tally.latency.value_at_quantile(0.99));
        let fell_behind = tally.fell_behind();
        // Without answers there is neither latency nor, at first, loss.
        let held = !fell_behind && tally.answered > 0 && loss <= bounds.loss_max && p99 <= bounds.p99_max;
        Self { rate, loss, p99, fell_behind, held }
    }
}

/// Result of the search.
pub(crate) struct SearchResult {
    pub(crate) steps: Vec<Step>,
    /// The highest rate that was sustained; `None` if none was.
    pub(crate) highest: Option<f64>,
    /// Whether this process, rather than the server, failed at the lowest rate that was not sustained.
    pub(crate) limited_by_generator: bool,
}

/// Choice of the next rate from the outcomes so far.
struct Search {
    /// The highest rate that was sustained.
    low: Option<f64>,
    /// The lowest rate that was not.
    high: Option<f64>,
    next: f64,
}

impl Search {
    fn new(start: f64) -> Self {
        Self { low: None, high: None, next: start }
    }

    /// Records the outcome of the tried rate; false ends the search.
    fn learn(&mut self, held: bool) -> bool {
        if held {
            self.low = Some(self.next);
        } else {
            self.high = Some(self.next);
        }
        self.next = match (self.low, self.high) {
            // The geometric mean halves the ratio of the bounds.
            (Some(low), Some(high)) => (low * high).sqrt(),
            // Doubled until it fails: nothing is known above.
            (Some(low), None) => low * 2.0,
            (None, Some(high)) => high / 2.0,
            (None, None) => self.next,
        };
        let close = self.low.zip(self.high).is_some_and(|(low, high)| high / low < PRECISION);
        // Out of this range, no server and no generator works.
        !close && (1.0..=1e8).contains(&self.next)
    }
}

/// Searches; the outcome is that of the highest sustained rate, or else of the last load.
pub(super) fn find_max(setup: &Setup<'_>, bounds: Bounds) -> Result<(Outcome, SearchResult), Error> {
    let options = setup.options;
    let mut search = Search::new(options.rate.map_or(START, |rate| rate.from));
    // A reference run is kept for the report, as the search ends with a failed one.
    let mut found = SearchResult { steps: Vec::new(), highest: None, limited_by_generator: false };
    let mut best: Option<Outcome> = None;
    let mut lowest_failed = f64::INFINITY;
    for _ in 0..STEPS_MAX {
        let rate = search.next;
        // Each load is as long as all others, so that they compare.
        let plan = LoadPlan { rate: Some(Rate::constant(rate)), queries: None, duration: Some(options.step) };
        let outcome = load(setup, plan, &format!("{}/s", thousands(rate.round() as u64)))?;
        let step = Step::of(rate, &outcome.tally, bounds);
        found.steps.push(step);
        // Only the lowest failed rate tells what limits the result.
        if !step.held && rate < lowest_failed {
            (lowest_failed, found.limited_by_generator) = (rate, step.fell_behind);
        }
        let wrong = outcome.tally.wrong.total() > 0;
        // Without any sustained rate, the report is about the last load.
        if step.held || found.highest.is_none() || wrong {
            best = Some(outcome);
        }
        if step.held {
            found.highest = Some(found.highest.map_or(rate, |highest| highest.max(rate)));
        }
        // The rate of a server that answers wrongly is meaningless.
        if wrong || setup.stop.load(Ordering::Relaxed) || !search.learn(step.held) {
            break;
        }
    }
    // The first load always sets it.
    let outcome = best.ok_or(Error::Thread)?;
    Ok((outcome, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the highest rate found for a server that sustains up to `capacity`, and the number of loads.
    fn searched(start: f64, capacity: f64) -> (Option<f64>, usize) {
        let mut search = Search::new(start);
        let mut steps = 1;
        while search.learn(search.next <= capacity) {
            steps += 1;
        }
        (search.low, steps)
    }

    #[test]
    fn the_search_comes_within_its_precision_in_few_loads() {
        for (start, capacity) in [(1000.0, 123_456.0), (1000.0, 17.0), (1e6, 1e6), (10.0, 5e7)] {
            let (found, steps) = searched(start, capacity);
            let found = found.unwrap();
            assert!(found <= capacity && found * PRECISION >= capacity, "{found} for {capacity}");
            assert!(steps < STEPS_MAX, "{steps} loads for {capacity}");
        }
        assert_eq!(searched(1000.0, 0.0).0, None, "it ends for a server that answers nothing");
    }
}

//! What one thread has counted and measured, and the sum over all threads.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use lqd_wire::StatusCode;

use super::check::Said;
use super::flight::Since;
use super::wrong::{Wrong, WrongCounts};
use crate::query::Query;

/// Longest latency that is told apart from longer ones.
const LATENCY_MAX: Duration = Duration::from_secs(60);
/// Significant decimal digits of a latency.
const DIGITS: u8 = 3;
/// Wrong answers that are kept as a sample.
const SAMPLES_MAX: usize = 3;

/// A wrong answer, for the report.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) wrong: Wrong,
    /// What was asked, if it is known.
    pub(crate) query: Option<Query>,
    pub(crate) answer: Vec<u8>,
}

/// Counters of a run. `sent` = `answered` + `lost` once the run is over.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// Queries handed to the network.
    pub(crate) sent: u64,
    /// Queries with an answer in time, a right or a wrong one.
    pub(crate) answered: u64,
    /// Queries without an answer in time.
    pub(crate) lost: u64,
    /// Answers to queries that had been given up.
    pub(crate) late: u64,
    /// Errors of the network, such as a port that is unreachable.
    pub(crate) network_errors: u64,
    /// Answers with client data, with links, with neither; only those that are not wrong.
    pub(crate) bindings: u64,
    pub(crate) links: u64,
    pub(crate) nothing: u64,
    pub(crate) wrong: WrongCounts,
    /// Answers by status, [`StatusCode::SUCCESS`] where none was given.
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) samples: Vec<Sample>,
    /// Latencies of all answers in time, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// When the last query was sent or the last answer came.
    pub(crate) last: Since,
}

impl Tally {
    pub(crate) fn new() -> Self {
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX.as_nanos() as u64, DIGITS);
        Self {
            sent: 0,
            answered: 0,
            lost: 0,
            late: 0,
            network_errors: 0,
            bindings: 0,
            links: 0,
            nothing: 0,
            wrong: WrongCounts::default(),
            statuses: BTreeMap::new(),
            samples: Vec::new(),
            latency: latency.expect("1 ns to 60 s with 3 digits is a valid histogram"),
            last: Since::ZERO,
        }
    }

    pub(super) fn answered(&mut self, latency: Duration) {
        self.answered += 1;
        self.latency.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn said(&mut self, said: Said) {
        match said {
            Said::Bindings => self.bindings += 1,
            Said::Links => self.links += 1,
            Said::Nothing => self.nothing += 1,
        }
    }

    pub(super) fn status(&mut self, status: StatusCode) {
        *self.statuses.entry(status.0).or_default() += 1;
    }

    pub(super) fn wrong(&mut self, wrong: Wrong, query: Option<Query>, answer: &[u8]) {
        self.wrong.count(wrong);
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(Sample { wrong, query, answer: answer.to_owned() });
        }
    }

    /// Adds what another thread has counted.
    pub(super) fn add(&mut self, mut other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.lost += other.lost;
        self.late += other.late;
        self.network_errors += other.network_errors;
        self.bindings += other.bindings;
        self.links += other.links;
        self.nothing += other.nothing;
        self.wrong.add(&other.wrong);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.samples.append(&mut other.samples);
        self.samples.truncate(SAMPLES_MAX);
        self.latency.add(&other.latency).expect("histograms of all threads have the same bounds");
        self.last = self.last.max(other.last);
    }
}

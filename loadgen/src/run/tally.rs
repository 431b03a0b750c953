//! Counts and measurements of one thread, and their sum over all threads.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use lqd_wire::StatusCode;

use super::check::AnswerContent;
use super::defect::{Defect, DefectCounts};
use super::in_flight::Since;
use super::timeline::Timeline;
use crate::query::Query;

/// Largest latency that is distinguished from larger ones.
pub(super) const LATENCY_MAX: Duration = Duration::from_secs(60);
/// Significant decimal digits of a latency.
const DIGITS: u8 = 3;
/// Share of late sends above which the generator has fallen behind: they would show in the p99.9.
const LATE_SENDS_MAX: f64 = 0.001;
/// Wrong answers kept as samples.
const SAMPLES_MAX: usize = 3;

/// A wrong answer, for the report.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) wrong: Defect,
    /// The query, if known.
    pub(crate) query: Option<Query>,
    pub(crate) answer: Vec<u8>,
}

/// Counters of a run. `sent` = `answered` + `lost` at its end.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// Queries handed to the network.
    pub(crate) sent: u64,
    /// Queries answered in time, rightly or wrongly.
    pub(crate) answered: u64,
    /// Queries not answered in time.
    pub(crate) lost: u64,
    /// Answers to queries given up before, and further ones to retransmitted queries.
    pub(crate) late: u64,
    /// Retransmissions; not in `sent`.
    pub(crate) repeated: u64,
    /// Open loop: queries sent more than `late_after` after they were due.
    pub(crate) late_sends: u64,
    late_after: Duration,
    /// Longest delay between due time and send.
    pub(crate) send_lag_max: Duration,
    /// Datagrams that this host dropped before they were read; their queries count as lost.
    pub(crate) dropped_here: u64,
    /// Network errors, such as an unreachable port.
    pub(crate) network_errors: u64,
    /// Right answers with client data, with links, with neither.
    pub(crate) bindings: u64,
    pub(crate) links: u64,
    pub(crate) nothing: u64,
    pub(crate) wrong: DefectCounts,
    /// Number of answers by status, [`StatusCode::SUCCESS`] if they have none.
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) samples: Vec<Sample>,
    /// Latencies of all answers in time, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// Time of the last query or answer.
    pub(crate) last: Since,
    pub(crate) timeline: Timeline,
}

impl Tally {
    pub(crate) fn new(late_after: Duration) -> Self {
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX.as_nanos() as u64, DIGITS);
        Self {
            sent: 0,
            answered: 0,
            lost: 0,
            late: 0,
            repeated: 0,
            late_sends: 0,
            late_after,
            send_lag_max: Duration::ZERO,
            dropped_here: 0,
            network_errors: 0,
            bindings: 0,
            links: 0,
            nothing: 0,
            wrong: DefectCounts::default(),
            statuses: BTreeMap::new(),
            samples: Vec::new(),
            latency: latency.expect("1 ns to 60 s with 3 digits is a valid histogram"),
            last: Since::ZERO,
            timeline: Timeline::new(),
        }
    }

    /// Counts a query sent.
    pub(super) fn sent(&mut self, due: Since, now: Since) {
        self.sent += 1;
        // By due time: a late send belongs to the period that it was planned for.
        self.timeline.at(due).sent += 1;
        // A query cannot leave before it is due, but clocks are read twice.
        let lag = now.saturating_sub(due);
        self.late_sends += u64::from(lag > self.late_after);
        self.send_lag_max = self.send_lag_max.max(lag);
    }

    /// Counts a query answered in time, with its latency.
    pub(super) fn answered(&mut self, due: Since, now: Since) {
        self.answered += 1;
        // Latency counts from the due time: a client sees a delayed send, too.
        let latency = u64::try_from(now.saturating_sub(due).as_nanos()).unwrap_or(u64::MAX);
        // Latencies beyond LATENCY_MAX count as that.
        self.latency.saturating_record(latency);
        let period = self.timeline.at(due);
        period.answered += 1;
        period.latency.saturating_record(latency);
    }

    /// Counts a query given up.
    pub(super) fn lost(&mut self, due: Since) {
        self.lost += 1;
        self.timeline.at(due).lost += 1;
    }

    /// Whether so many sends were late that the results show this process rather than the server.
    pub(crate) fn fell_behind(&self) -> bool {
        self.late_sends as f64 > LATE_SENDS_MAX * self.sent as f64
    }

    pub(super) fn said(&mut self, said: AnswerContent) {
        match said {
            AnswerContent::Bindings => self.bindings += 1,
            AnswerContent::Links => self.links += 1,
            AnswerContent::NoBinding => self.nothing += 1,
        }
    }

    pub(super) fn status(&mut self, status: StatusCode) {
        *self.statuses.entry(status.0).or_default() += 1;
    }

    pub(super) fn wrong(&mut self, wrong: Defect, query: Option<Query>, answer: &[u8]) {
        self.wrong.count(wrong);
        // Samples are few, as one shows the defect and many fill the report.
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(Sample { wrong, query, answer: answer.to_owned() });
        }
    }

    /// Adds the counts of another thread.
    pub(super) fn add(&mut self, mut other: Self) {
        self.sent += other.sent;
        self.answered += other.answered;
        self.lost += other.lost;
        self.late += other.late;
        self.repeated += other.repeated;
        self.late_sends += other.late_sends;
        self.send_lag_max = self.send_lag_max.max(other.send_lag_max);
        self.dropped_here += other.dropped_here;
        self.network_errors += other.network_errors;
        self.bindings += other.bindings;
        self.links += other.links;
        self.nothing += other.nothing;
        self.wrong.add(&other.wrong);
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.samples.append(&mut other.samples);
        // The first samples of each thread are as good as any.
        self.samples.truncate(SAMPLES_MAX);
        self.latency.add(&other.latency).expect("histograms of all threads have the same bounds");
        self.last = self.last.max(other.last);
        self.timeline.add(other.timeline);
    }
}

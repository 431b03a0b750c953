//! Medians of the rounds, as a table and as JSON.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::Options;
use crate::load::{Cost, Subject};
use crate::programs::CompareError;

/// Version of the JSON: raised when a key changes its meaning or is removed, not when one is added.
const SCHEMA_VERSION: u32 = 2;

/// The whole comparison.
#[derive(Serialize)]
pub(crate) struct Comparison {
    schema: &'static str,
    schema_version: u32,
    /// Seconds since 1970.
    started: u64,
    server: &'static str,
    /// Server or build to compare with.
    against: &'static str,
    io: &'static str,
    rounds: u32,
    seconds: u64,
    /// Queries in flight, in closed loop.
    window: Option<u32>,
    /// Queries per second as given, in open loop.
    rate: Option<String>,
    /// Queries per send; without it, neither side coalesces.
    gso: Option<u32>,
    /// Load average of the last minute (proc_loadavg(5)), before and after; two processes are ours while it
    /// runs.
    load_average: [Option<f64>; 2],
    pub(crate) rows: Vec<Row>,
}

/// Rounds of one subject.
#[derive(Serialize)]
pub(crate) struct Row {
    /// Form: plain, coalescing, or over a link.
    form: &'static str,
    pub(crate) subject: Subject,
    leases: u64,
    /// Median of the ratios of CPU time per answer.
    ratio: Option<f64>,
    /// Lowest and highest of these ratios.
    ratio_range: Option<[f64; 2]>,
    server_us_per_answer: Option<f64>,
    against_us_per_answer: Option<f64>,
    pub(crate) samples: Vec<Sample>,
}

/// A round: two runs, one right after the other.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Sample {
    pub(crate) server: Cost,
    pub(crate) against: Cost,
}

impl Sample {
    fn ratio(&self) -> f64 {
        self.server.us_per_answer / self.against.us_per_answer
    }
}

impl Row {
    pub(crate) fn new(form: &'static str, subject: Subject, leases: u64) -> Self {
        Self {
            form,
            subject,
            leases,
            ratio: None,
            ratio_range: None,
            server_us_per_answer: None,
            against_us_per_answer: None,
            samples: Vec::new(),
        }
    }

    pub(crate) fn last_ratio(&self) -> Option<f64> {
        self.samples.last().map(Sample::ratio)
    }

    fn finish(&mut self) {
        let ratios = sorted(self.samples.iter().map(Sample::ratio));
        self.ratio = median(&ratios);
        // The range shows how steady the machine was.
        self.ratio_range = ratios.first().zip(ratios.last()).map(|(&low, &high)| [low, high]);
        let us = |of: fn(&Sample) -> Cost| median(&sorted(self.samples.iter().map(|s| of(s).us_per_answer)));
        self.server_us_per_answer = us(|sample| sample.server);
        self.against_us_per_answer = us(|sample| sample.against);
    }
}

impl Comparison {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            schema: "lqd-compare",
            schema_version: SCHEMA_VERSION,
            started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            server: options.names()[0],
            against: options.names()[1],
            io: options.io.name(),
            rounds: options.rounds,
            seconds: options.seconds,
            window: options.rate.is_none().then_some(options.window),
            rate: options.rate.clone(),
            gso: options.gso,
            load_average: [load_average(), None],
            rows: Vec::new(),
        }
    }

    /// Computes the medians of the rounds.
    pub(crate) fn finish(&mut self) {
        self.load_average[1] = load_average();
        self.rows.iter_mut().for_each(Row::finish);
    }

    /// Formats the result as a Markdown table.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{} by {}, {}, CPU of the server per answer, median of {} rounds\n\n\
             | form       | leases   | subject   | {:>8} µs | {:>9} µs | ratio | lowest–highest |\n\
             |------------|---------:|-----------|------------:|-------------:|------:|---------------:|\n",
            self.server, self.against, self.io, self.rounds, self.server, self.against
        );
        for row in &self.rows {
            let [low, high] = row.ratio_range.unwrap_or_default();
            text.push_str(&format!(
                "| {:<10} | {:>8} | {:<9} | {:>11.2} | {:>12.2} | {:>5.2} | {:>14} |\n",
                row.form,
                row.leases,
                row.subject.name(),
                row.server_us_per_answer.unwrap_or_default(),
                row.against_us_per_answer.unwrap_or_default(),
                row.ratio.unwrap_or_default(),
                format!("{low:.2}–{high:.2}"),
            ));
        }
        text
    }

    pub(crate) fn write_json(&self, path: &Path) -> Result<(), CompareError> {
        let mut text = serde_json::to_string_pretty(self).expect("numbers and names have a JSON form");
        text.push('\n');
        // Written at the end, since medians need all rounds.
        fs::write(path, text).map_err(|source| CompareError::File { path: path.to_owned(), source })
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Median of an odd number of values.
fn median(sorted: &[f64]) -> Option<f64> {
    // Rounds are odd, so the middle is one of them.
    sorted.get(sorted.len() / 2).copied()
}

fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_taken_of_the_ratios() {
        let cost = |us_per_answer| Cost { us_per_answer, answered_per_s: 1.0 };
        let mut row = Row::new("plain", Subject::Mix, 2);
        // In the second round the machine was at half its speed: the ratio is unaffected.
        for (server, against) in [(5.0, 4.0), (11.0, 8.0), (6.0, 4.0)] {
            row.samples.push(Sample { server: cost(server), against: cost(against) });
        }
        row.finish();
        assert_eq!((row.ratio, row.ratio_range), (Some(1.375), Some([1.25, 1.5])));
        assert_eq!((row.server_us_per_answer, row.against_us_per_answer), (Some(6.0), Some(4.0)));
    }
}

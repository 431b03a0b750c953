//! Result of a run, as text and JSON.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::Options;
use super::churn::ChangeCounts;
use super::follower::Counts;
use super::paced::Pace;
use super::reader::Reader;
use super::table::Table;
use super::writer::Churned;
use crate::error::Error;
use crate::report::text::thousands;
use crate::run::DefectCounts;
use crate::server::Server;
use crate::times::{Times, TimesSummary};

/// Differences of a reader's table from the file's, in leases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Differences {
    /// Leases that the reader does not have.
    pub(super) missing: u64,
    /// Leases that were removed, and that the reader has.
    pub(super) left: u64,
    /// Leases of which the reader has another holder.
    pub(super) holder: u64,
    /// Leases of which the reader has an older row.
    pub(super) older: u64,
}

impl Differences {
    pub(super) fn new(table: &Table, expected: &Table) -> Self {
        let mut sum = Self::default();
        for (got, due) in table.entries().iter().zip(expected.entries()) {
            match (got.holder, due.holder) {
                (None, Some(_)) => sum.missing += 1,
                (Some(_), None) => sum.left += 1,
                (got, due) if got != due => sum.holder += 1,
                (Some(_), Some(_)) if got.row != due.row => sum.older += 1,
                _ => {}
            }
        }
        sum
    }

    fn text(self) -> String {
        let Self { missing, left, holder, older } = self;
        format!("{missing} missing, {left} not removed, {holder} of another client, {older} of an older row")
    }
}

/// Result of one reader.
#[derive(Serialize)]
pub(super) struct ReaderResult {
    #[serde(serialize_with = "name")]
    pub(super) pace: Pace,
    #[serde(flatten)]
    pub(super) counts: Counts,
    pub(super) octets: u64,
    /// Changes written for each one told.
    pub(super) conflation: f64,
    pub(super) latency: TimesSummary,
    #[serde(skip)]
    pub(super) times: Times,
    pub(super) lag_max: u64,
    /// Time from the last row to the last message that changed the table.
    pub(super) caught_up_s: f64,
    /// Status or error with which the query ended before its table was compared.
    pub(super) ended: Option<String>,
    pub(super) digest: String,
    pub(super) differences: Differences,
    #[serde(serialize_with = "by_name")]
    pub(super) wrong: DefectCounts,
    pub(super) is_right: bool,
}

fn name<S: serde::Serializer>(pace: &Pace, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(pace.name())
}

fn by_name<S: serde::Serializer>(wrong: &DefectCounts, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(wrong.iter().map(|(defect, count)| (defect.name(), count)))
}

impl ReaderResult {
    pub(super) fn new(reader: Reader<'_>, changes: u64, end: std::time::Instant, expected: &Table) -> Self {
        let follower = reader.follower;
        let differences = Differences::new(&follower.table, expected);
        let is_equal = follower.table.digest() == expected.digest();
        // The server may end the query of a reader that is too slow, and then owes it nothing.
        let may_end = reader.pace != Pace::Full;
        let is_whole = if reader.ended.is_some() { may_end } else { is_equal };
        let caught_up =
            follower.last_change.map_or(Duration::ZERO, |last| last.saturating_duration_since(end));
        Self {
            pace: reader.pace,
            counts: follower.counts,
            octets: reader.octets,
            conflation: changes as f64 / follower.counts.told.max(1) as f64,
            latency: follower.latency.summary(),
            lag_max: reader.lag_max,
            caught_up_s: caught_up.as_secs_f64(),
            ended: reader.ended,
            digest: digest(&follower.table),
            differences,
            is_right: is_whole && follower.wrong.total() == 0 && follower.counts.late == 0,
            wrong: follower.wrong,
            times: follower.latency,
        }
    }
}

/// Number of leases and digest, as text.
pub(super) fn digest(table: &Table) -> String {
    let (held, digest) = table.digest();
    format!("{held}:{digest:016x}")
}

/// The report. Times are in the unit that ends their names.
#[derive(Serialize)]
pub(super) struct Report {
    schema: &'static str,
    schema_version: u32,
    lqload_version: &'static str,
    ended: String,
    pub(super) target: String,
    pub(super) interrupted: bool,
    pub(super) pool: u32,
    pub(super) changes: u64,
    pub(super) changes_by_kind: ChangeCounts,
    pub(super) churn_s: f64,
    pub(super) changes_per_second: f64,
    pub(super) file_octets: u64,
    pub(super) digest: String,
    /// Latency over the readers of full speed.
    pub(super) latency: TimesSummary,
    #[serde(skip)]
    pub(super) times: Times,
    pub(super) server: Option<Server>,
    pub(super) server_resident_max_bytes: Option<u64>,
    pub(super) aborted: u64,
    pub(super) readers: Vec<ReaderResult>,
    pub(super) ended_by_status: BTreeMap<String, u64>,
    pub(super) is_right: bool,
}

impl Report {
    pub(super) fn new(options: &Options, churned: &Churned, readers: Vec<ReaderResult>) -> Self {
        let mut times = Times::new();
        for reader in readers.iter().filter(|reader| reader.pace == Pace::Full) {
            times.add(&reader.times);
        }
        let mut ended_by_status = BTreeMap::new();
        for status in readers.iter().filter_map(|reader| reader.ended.clone()) {
            *ended_by_status.entry(status).or_default() += 1;
        }
        let kinds = churned.counts;
        let changes = kinds.new + kinds.renewed + kinds.moved + kinds.removed;
        Self {
            schema: "lqload-active",
            schema_version: 1,
            lqload_version: env!("CARGO_PKG_VERSION"),
            ended: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            target: options.target.to_string(),
            interrupted: churned.interrupted,
            pool: options.pool,
            changes,
            changes_by_kind: kinds,
            churn_s: churned.took.as_secs_f64(),
            changes_per_second: changes as f64 / churned.took.as_secs_f64(),
            file_octets: churned.octets,
            digest: String::new(),
            latency: times.summary(),
            times,
            server: None,
            server_resident_max_bytes: None,
            aborted: 0,
            is_right: readers.iter().all(|reader| reader.is_right),
            readers,
            ended_by_status,
        }
    }

    /// Returns the report for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.lines() {
            let _ = writeln!(text, "{name:<10} {value}");
        }
        text
    }

    /// Name and value of each fact.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        let ChangeCounts { new, renewed, moved, removed } = self.changes_by_kind;
        let rate = thousands(self.changes_per_second.round() as u64);
        let mut lines = vec![
            ("changes", format!("{} in {:.1} s, {rate}/s", thousands(self.changes), self.churn_s)),
            (
                "",
                format!(
                    "{new} new, {renewed} renewed, {moved} moved, {removed} removed; {} octets",
                    self.file_octets
                ),
            ),
        ];
        if self.interrupted {
            lines.push(("", "interrupted by a signal".to_owned()));
        }
        for pace in ["full", "slow", "stalled"] {
            lines.extend(self.lines_of(pace));
        }
        let [p50, p99, max] = [50.0, 99.0, 100.0].map(|percentile| self.times.at(percentile));
        lines.push(("latency", format!("p50 {p50:.2?}, p99 {p99:.2?}, max {max:.2?}")));
        lines.extend(self.server.as_ref().map(|server| ("server", self.server_text(server))));
        if self.aborted > 0 {
            lines.push(("beside", format!("{} connections aborted", self.aborted)));
        }
        lines.push(("digest", format!("{} leases in the file", self.digest)));
        lines.extend(self.verdict());
        lines
    }

    /// Facts about the readers of a pace.
    fn lines_of(&self, pace: &'static str) -> Vec<(&'static str, String)> {
        let of_pace = || self.readers.iter().filter(|reader| reader.pace.name() == pace);
        let count = of_pace().count();
        if count == 0 {
            return Vec::new();
        }
        let sum = |number: fn(&ReaderResult) -> u64| thousands(of_pace().map(number).sum());
        let max = |number: fn(&ReaderResult) -> f64| of_pace().map(number).fold(0.0, f64::max);
        let mean = of_pace().map(|reader| reader.conflation).sum::<f64>() / count as f64;
        let lag = of_pace().map(|reader| reader.lag_max).max().unwrap_or_default();
        let [messages, bindings] =
            [sum(|reader| reader.counts.messages), sum(|reader| reader.counts.bindings)];
        let [told, octets] = [sum(|reader| reader.counts.told), sum(|reader| reader.octets)];
        vec![
            (
                "readers",
                format!("{count} ({pace}): {messages} messages, {bindings} bindings, {octets} octets"),
            ),
            (
                "",
                format!(
                    "{told} changes told: one for {mean:.2} written; at most {} rows behind",
                    thousands(lag)
                ),
            ),
            ("", format!("last change told {:.2} s after the last row", max(|reader| reader.caught_up_s))),
        ]
    }

    fn server_text(&self, server: &Server) -> String {
        let each = server.cpu.as_secs_f64() * 1e6;
        let (row, told) = (
            each / self.changes.max(1) as f64,
            self.readers.iter().map(|reader| reader.counts.told).sum::<u64>(),
        );
        let max = self.server_resident_max_bytes.unwrap_or_default() >> 20;
        format!(
            "{row:.2} µs of CPU a change, {:.2} µs a change told; {} MiB resident ({:+} MiB), at most {max} MiB",
            each / told.max(1) as f64,
            server.resident_bytes >> 20,
            server.grown_bytes >> 20
        )
    }

    /// Tables that are right, and each defect.
    fn verdict(&self) -> Vec<(&'static str, String)> {
        let equal = self.readers.iter().filter(|reader| reader.digest == self.digest).count();
        let mut lines = vec![("tables", format!("{equal} of {} equal the file", self.readers.len()))];
        for (status, count) in &self.ended_by_status {
            lines.push(("ended", format!("{count}: {status}")));
        }
        let bad = (1..).zip(&self.readers).filter(|(_, reader)| !reader.is_right);
        for (number, reader) in bad.take(10) {
            let mut text = format!("reader {number} ({}): {}", reader.pace.name(), reader.differences.text());
            if reader.counts.late > 0 {
                let _ = write!(text, "; {} late", reader.counts.late);
            }
            lines.push(("WRONG", text));
            lines.extend(
                reader.wrong.iter().map(|(defect, count)| ("", format!("{count}: {}", defect.meaning()))),
            );
        }
        lines
    }

    /// Writes the report as JSON.
    pub(super) fn write_json(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).unwrap_or_else(|_| unreachable!("no map has odd keys"));
        std::fs::write(path, text + "\n").map_err(|source| Error::Write { path: path.to_owned(), source })
    }
}

//! Sums over all connections, as text and JSON.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::peers::PeerCounts;
use super::plan::{Plan, Subject};
use crate::error::Error;
use crate::run::DefectCounts;
use crate::server::Server;
use crate::times::{Times, TimesSummary};

/// The result of a run.
pub(super) struct BulkResult {
    connections: u32,
    /// Whether every lease of the queried subnets was required.
    is_complete: bool,
    pub(super) queries: u64,
    pub(super) messages: u64,
    pub(super) bindings: u64,
    pub(super) octets: u64,
    /// Queries whose reply did not end, and the first reason.
    pub(super) failed: u64,
    first_failure: Option<String>,
    pub(super) first_octet: Times,
    pub(super) whole: Times,
    pub(super) wrong: DefectCounts,
    pub(super) took: Duration,
    pub(super) server: Option<Server>,
    pub(super) peers: PeerCounts,
}

impl BulkResult {
    pub(super) fn new(connections: u32, plan: &Plan<'_>) -> Self {
        Self {
            connections,
            is_complete: plan.queries().iter().all(|subject| matches!(subject, Subject::Link { .. })),
            queries: 0,
            messages: 0,
            bindings: 0,
            octets: 0,
            failed: 0,
            first_failure: None,
            first_octet: Times::new(),
            whole: Times::new(),
            wrong: DefectCounts::default(),
            took: Duration::ZERO,
            server: None,
            peers: PeerCounts::default(),
        }
    }

    /// Adds the result of a connection.
    pub(super) fn add(&mut self, other: &Self) {
        self.queries += other.queries;
        self.messages += other.messages;
        self.bindings += other.bindings;
        self.octets += other.octets;
        self.failed += other.failed;
        self.first_failure = self.first_failure.take().or_else(|| other.first_failure.clone());
        self.first_octet.add(&other.first_octet);
        self.whole.add(&other.whole);
        self.wrong.add(&other.wrong);
    }

    /// Counts a query whose connection failed.
    pub(super) fn note_failure(&mut self, error: &std::io::Error) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(|| error.to_string());
    }

    /// Whether every reply came whole and without defect.
    pub(super) fn is_right(&self) -> bool {
        self.failed == 0 && self.wrong.total() == 0
    }

    fn rate(&self) -> f64 {
        self.bindings as f64 / self.took.as_secs_f64()
    }

    /// Returns the report for people.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<12} {value}");
        };
        let (queries, connections) = (self.queries, self.connections);
        line("queries", format!("{queries} on {connections} connections, {} failed", self.failed));
        if let Some(first) = &self.first_failure {
            line("", format!("the first one: {first}"));
        }
        line("bindings", format!("{} in {} messages, {} octets", self.bindings, self.messages, self.octets));
        line("rate", format!("{:.0} bindings/s over {:.2?}", self.rate(), self.took));
        for (name, times) in [("first octet", &self.first_octet), ("whole reply", &self.whole)] {
            let [p50, p99, max] = [50.0, 99.0, 100.0].map(|percentile| times.at(percentile));
            line(name, format!("p50 {p50:.2?}, p99 {p99:.2?}, max {max:.2?}"));
        }
        if let Some(server) = &self.server {
            let each = server.cpu.as_secs_f64() * 1e6 / self.bindings as f64;
            let (resident, grown) = (server.resident_bytes >> 20, server.grown_bytes >> 20);
            line("server", format!("{each:.2} µs of CPU a binding, {resident} MiB resident ({grown:+} MiB)"));
        }
        let PeerCounts { stalled, slow, aborted } = self.peers;
        if self.peers != PeerCounts::default() {
            line("beside", format!("{stalled} stalled, {slow} slow or aborting, {aborted} aborted"));
        }
        let missing = if self.is_complete { "" } else { "; missing leases are not checked" };
        line("wrong", format!("{}{missing}", self.wrong.total()));
        for (defect, count) in self.wrong.iter() {
            line("", format!("{count}: {}", defect.meaning()));
        }
        text
    }

    /// Writes the report as JSON.
    pub(super) fn write_json(&self, path: &Path) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Report<'a> {
            connections: u32,
            queries: u64,
            failed: u64,
            bindings: u64,
            messages: u64,
            octets: u64,
            seconds: f64,
            bindings_per_second: f64,
            first_octet: TimesSummary,
            whole_reply: TimesSummary,
            server: Option<&'a Server>,
            beside: PeerCounts,
            missing_checked: bool,
            wrong: std::collections::BTreeMap<&'static str, u64>,
        }
        let report = Report {
            connections: self.connections,
            queries: self.queries,
            failed: self.failed,
            bindings: self.bindings,
            messages: self.messages,
            octets: self.octets,
            seconds: self.took.as_secs_f64(),
            bindings_per_second: self.rate(),
            first_octet: self.first_octet.summary(),
            whole_reply: self.whole.summary(),
            server: self.server.as_ref(),
            beside: self.peers,
            missing_checked: self.is_complete,
            wrong: self.wrong.iter().map(|(defect, count)| (defect.name(), count)).collect(),
        };
        let text =
            serde_json::to_string_pretty(&report).unwrap_or_else(|_| unreachable!("no map has odd keys"));
        std::fs::write(path, text + "\n").map_err(|source| Error::Write { path: path.to_owned(), source })
    }
}

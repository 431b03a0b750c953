//! The report of a run: one struct, from which text and JSON are written.

pub(crate) mod text;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use lqd_wire::StatusCode;
use serde::Serialize;

use crate::fault::Fault;
use crate::leases::Clients;
use crate::query::Mix;
use crate::run::{Options, Tally};

/// Version of the JSON: raised when a key changes its meaning or goes away, not when one is added.
const SCHEMA_VERSION: u32 = 1;

/// All of it. Times are in the unit that ends their names.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    pub(crate) lqload_version: &'static str,
    pub(crate) target: String,
    pub(crate) lease_files: Vec<String>,
    pub(crate) leases: u64,
    pub(crate) clients: u32,
    pub(crate) seed: u64,
    pub(crate) threads: u32,
    pub(crate) window: u32,
    pub(crate) timeout_s: f64,
    pub(crate) verified: bool,
    /// Subject → share of the queries, 0 to 1.
    pub(crate) mix: BTreeMap<&'static str, f64>,
    /// From the first query to the last query or answer.
    pub(crate) elapsed_s: f64,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) network_errors: u64,
    pub(crate) sent_per_s: f64,
    pub(crate) answered_per_s: f64,
    pub(crate) wrong: u64,
    /// Fault → how often; only those that happened.
    pub(crate) wrong_by_fault: BTreeMap<&'static str, u64>,
    pub(crate) samples: Vec<WrongSample>,
    /// Right answers with client data, with links, with neither.
    pub(crate) bindings: u64,
    pub(crate) links: u64,
    pub(crate) no_binding: u64,
    /// Status code → how often.
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) latency_ns: Latency,
    /// CPU time of the server's process, user and system.
    pub(crate) server_cpu: Option<ServerCpu>,
}

/// Percentiles of the latency, and its extremes; 0 if nothing was answered.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) min: u64,
    pub(crate) mean: f64,
    pub(crate) p50: u64,
    pub(crate) p90: u64,
    pub(crate) p99: u64,
    pub(crate) p99_9: u64,
    pub(crate) p99_99: u64,
    pub(crate) max: u64,
}

/// A wrong answer.
#[derive(Debug, Serialize)]
pub(crate) struct WrongSample {
    pub(crate) fault: &'static str,
    pub(crate) meaning: &'static str,
    /// What was asked for, if that is known.
    pub(crate) subject: Option<&'static str>,
    /// DUID of the client that was asked for.
    pub(crate) client: Option<String>,
    /// The answer in hex.
    pub(crate) answer: String,
}

/// What the answers cost the server.
#[derive(Debug, Serialize)]
pub(crate) struct ServerCpu {
    pub(crate) pid: u32,
    pub(crate) seconds: f64,
    /// Of those in time.
    pub(crate) us_per_answer: Option<f64>,
}

impl Report {
    pub(crate) fn new(
        options: &Options,
        clients: &Clients,
        mix: &Mix,
        tally: &Tally,
        server_cpu: Option<Duration>,
    ) -> Self {
        let elapsed_s = tally.last.as_secs_f64();
        let per_s = |count: u64| if elapsed_s > 0.0 { count as f64 / elapsed_s } else { 0.0 };
        Self {
            schema: "lqload-run",
            schema_version: SCHEMA_VERSION,
            lqload_version: env!("CARGO_PKG_VERSION"),
            target: options.target.to_string(),
            lease_files: options.leases.iter().map(|path| path.display().to_string()).collect(),
            leases: clients.leases(),
            clients: clients.len(),
            seed: options.seed,
            threads: options.threads,
            window: options.window,
            timeout_s: options.timeout.as_secs_f64(),
            verified: options.verify,
            mix: mix.shares().iter().map(|&(subject, share)| (subject.name(), share)).collect(),
            elapsed_s,
            sent: tally.sent,
            answered: tally.answered,
            lost: tally.lost,
            late: tally.late,
            network_errors: tally.network_errors,
            sent_per_s: per_s(tally.sent),
            answered_per_s: per_s(tally.answered),
            wrong: tally.wrong.total(),
            wrong_by_fault: tally.wrong.iter().map(|(wrong, count)| (wrong.name(), count)).collect(),
            samples: tally.samples.iter().map(|sample| WrongSample::new(sample, clients)).collect(),
            bindings: tally.bindings,
            links: tally.links,
            no_binding: tally.nothing,
            statuses: tally.statuses.clone(),
            latency_ns: Latency::new(tally),
            server_cpu: options.server_pid.zip(server_cpu).map(|(pid, cpu)| ServerCpu {
                pid,
                seconds: cpu.as_secs_f64(),
                us_per_answer: (tally.answered > 0).then(|| cpu.as_secs_f64() * 1e6 / tally.answered as f64),
            }),
        }
    }
}

impl Latency {
    fn new(tally: &Tally) -> Self {
        let latency = &tally.latency;
        Self {
            min: latency.min(),
            mean: latency.mean(),
            p50: latency.value_at_quantile(0.5),
            p90: latency.value_at_quantile(0.9),
            p99: latency.value_at_quantile(0.99),
            p99_9: latency.value_at_quantile(0.999),
            p99_99: latency.value_at_quantile(0.9999),
            max: latency.max(),
        }
    }
}

impl WrongSample {
    fn new(sample: &crate::run::Sample, clients: &Clients) -> Self {
        Self {
            fault: sample.wrong.name(),
            meaning: sample.wrong.meaning(),
            subject: sample.query.map(|query| query.subject.name()),
            client: sample.query.map(|query| hex(clients.get(query.client).duid, ":")),
            answer: hex(&sample.answer, ""),
        }
    }
}

fn hex(octets: &[u8], separator: &str) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(separator)
}

/// Name of a status code, or its number.
fn status_name(status: u16) -> String {
    StatusCode(status).name().map_or_else(|| format!("status {status}"), str::to_owned)
}

/// Writes the report as JSON.
pub(crate) fn write_json(report: &Report, path: &Path) -> Result<(), Fault> {
    let written = File::create(path).and_then(|file| {
        let mut file = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut file, report)?;
        writeln!(file)?;
        file.flush()
    });
    written.map_err(Fault::file(path))
}

//! The report of a run: one struct, from which text, JSON and the page are written.

pub(crate) mod compare;
pub(crate) mod hgrm;
pub(crate) mod html;
mod svg;
pub(crate) mod text;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use hdrhistogram::{Counter, Histogram};
use lqd_wire::StatusCode;
use serde::Serialize;

use crate::fault::Fault;
use crate::hex;
use crate::leases::Clients;
use crate::query::Mix;
use crate::run::{Found, Options, Tally};

/// What the JSON is, for those who read it.
const SCHEMA: &str = "lqload-run";
/// Version of the JSON: raised when a key changes its meaning or goes away, not when one is added.
const SCHEMA_VERSION: u32 = 1;

/// What a report is made of.
pub(crate) struct Run<'a> {
    pub(crate) options: &'a Options,
    pub(crate) clients: &'a Clients,
    pub(crate) mix: &'a Mix,
    pub(crate) verify: bool,
    pub(crate) ports: u32,
    pub(crate) interrupted: bool,
    pub(crate) tally: &'a Tally,
    pub(crate) server_cpu: Option<Duration>,
    pub(crate) found: Option<&'a Found>,
}

/// All of it. Times are in the unit that ends their names.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    pub(crate) lqload_version: &'static str,
    /// When the run ended, in UTC (RFC 3339).
    pub(crate) ended: String,
    pub(crate) target: String,
    /// Lease files, or the list.
    pub(crate) lease_files: Vec<String>,
    pub(crate) leases: u64,
    pub(crate) clients: u32,
    pub(crate) seed: u64,
    pub(crate) threads: u32,
    pub(crate) ports: u32,
    /// Queries in one send with UDP_SEGMENT.
    pub(crate) gso: Option<u16>,
    /// Open loop: queries a second, `1000` or `1000..5000`; closed loop: none.
    pub(crate) rate: Option<String>,
    /// Closed loop: queries under way at once.
    pub(crate) window: Option<u32>,
    pub(crate) order: String,
    pub(crate) relayed: f64,
    pub(crate) timeout_s: f64,
    /// What the answers say of the clients was compared with the lease files.
    pub(crate) verified: bool,
    /// What makes the results doubtful, in words.
    pub(crate) warnings: Vec<String>,
    /// The target was an echo server, not one for leasequery.
    pub(crate) echo: bool,
    /// A signal ended the run before its time.
    pub(crate) interrupted: bool,
    /// Subject → share of the queries, 0 to 1.
    pub(crate) mix: BTreeMap<&'static str, f64>,
    /// From the first query to the last query or answer.
    pub(crate) elapsed_s: f64,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) retransmitted: u64,
    /// Queries that lqload sent more than `late_after_ns` after they were due.
    pub(crate) late_sends: u64,
    pub(crate) late_after_ns: u64,
    pub(crate) send_lag_max_ns: u64,
    /// So many late sends that the latencies are lqload's rather than the server's.
    pub(crate) fell_behind: bool,
    /// Datagrams that this host dropped before lqload read them; those answers count as lost.
    pub(crate) dropped_here: u64,
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
    /// Second by second, or in longer steps if the run was long.
    pub(crate) periods: Vec<PeriodReport>,
    /// CPU time of the server's process, user and system.
    pub(crate) server_cpu: Option<ServerCpu>,
    pub(crate) find_max: Option<FindMax>,
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

/// What became of the queries that were due in one period.
#[derive(Debug, Serialize)]
pub(crate) struct PeriodReport {
    pub(crate) start_s: u64,
    pub(crate) length_s: u64,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) lost: u64,
    pub(crate) latency_ns: Latency,
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

/// The search for the highest rate; the rest of the report is of the run at that rate.
#[derive(Debug, Serialize)]
pub(crate) struct FindMax {
    pub(crate) max_loss: f64,
    pub(crate) max_p99_ns: u64,
    /// Queries a second; none if no rate held.
    pub(crate) highest_rate: Option<f64>,
    /// The next higher rate was too much for lqload, whatever the server would have done.
    pub(crate) limited_by_generator: bool,
    pub(crate) steps: Vec<FindMaxStep>,
}

/// One rate that was tried.
#[derive(Debug, Serialize)]
pub(crate) struct FindMaxStep {
    pub(crate) rate: f64,
    pub(crate) held: bool,
    pub(crate) loss: f64,
    pub(crate) p99_ns: u64,
    pub(crate) fell_behind: bool,
}

impl Report {
    pub(crate) fn new(run: &Run<'_>) -> Self {
        let Run { options, clients, mix, tally, .. } = *run;
        let elapsed_s = tally.last.as_secs_f64();
        let per_s = |count: u64| if elapsed_s > 0.0 { count as f64 / elapsed_s } else { 0.0 };
        let rate =
            match run.found.and_then(|found| found.highest.or(found.steps.last().map(|step| step.rate))) {
                Some(rate) => Some(format!("{rate:.0}")),
                None => options.rate.map(|rate| rate.to_string()),
            };
        let mut report = Self {
            schema: SCHEMA,
            schema_version: SCHEMA_VERSION,
            lqload_version: env!("CARGO_PKG_VERSION"),
            ended: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            target: options.target.to_string(),
            lease_files: options
                .leases
                .iter()
                .chain(&options.list)
                .map(|path| path.display().to_string())
                .collect(),
            leases: clients.leases(),
            clients: clients.len(),
            seed: options.seed,
            threads: options.threads,
            ports: run.ports,
            gso: options.gso.map(std::num::NonZeroU16::get),
            window: rate.is_none().then_some(options.window),
            rate,
            order: options.order.to_string(),
            relayed: options.relayed,
            timeout_s: options.timeout.as_secs_f64(),
            verified: run.verify,
            warnings: Vec::new(),
            echo: options.echo,
            interrupted: run.interrupted,
            mix: mix.shares().iter().map(|&(subject, share)| (subject.name(), share)).collect(),
            elapsed_s,
            sent: tally.sent,
            answered: tally.answered,
            lost: tally.lost,
            late: tally.late,
            retransmitted: tally.repeated,
            late_sends: tally.late_sends,
            late_after_ns: nanoseconds(options.late_after),
            send_lag_max_ns: nanoseconds(tally.send_lag_max),
            fell_behind: tally.fell_behind(),
            dropped_here: tally.dropped_here,
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
            latency_ns: Latency::new(&tally.latency),
            periods: periods(tally),
            server_cpu: options.server_pid.zip(run.server_cpu).map(|(pid, cpu)| ServerCpu {
                pid,
                seconds: cpu.as_secs_f64(),
                us_per_answer: (tally.answered > 0).then(|| cpu.as_secs_f64() * 1e6 / tally.answered as f64),
            }),
            find_max: run.found.map(|found| FindMax::new(found, options)),
        };
        report.warnings = text::warnings(&report);
        report
    }
}

fn periods(tally: &Tally) -> Vec<PeriodReport> {
    let length_s = tally.timeline.length.as_secs();
    (0..)
        .zip(&tally.timeline.periods)
        .map(|(number, period)| PeriodReport {
            start_s: number * length_s,
            length_s,
            sent: period.sent,
            answered: period.answered,
            lost: period.lost,
            latency_ns: Latency::new(&period.latency),
        })
        .collect()
}

impl Latency {
    fn new<C: Counter>(latency: &Histogram<C>) -> Self {
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
            client: sample.query.map(|query| hex::text(clients.get(query.client).duid, ":")),
            answer: hex::text(&sample.answer, ""),
        }
    }
}

impl FindMax {
    fn new(found: &Found, options: &Options) -> Self {
        let steps = found.steps.iter().map(|step| FindMaxStep {
            rate: step.rate,
            held: step.held,
            loss: step.loss,
            p99_ns: nanoseconds(step.p99),
            fell_behind: step.fell_behind,
        });
        Self {
            max_loss: options.max_loss,
            max_p99_ns: nanoseconds(options.max_p99),
            highest_rate: found.highest,
            limited_by_generator: found.limited_by_generator,
            steps: steps.collect(),
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
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

/// Writes a report that is text.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), Fault> {
    std::fs::write(path, text).map_err(Fault::file(path))
}

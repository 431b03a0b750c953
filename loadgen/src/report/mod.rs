//! The report of a run: one struct, rendered as text, JSON and a page.

pub(crate) mod compare;
pub(crate) mod hgrm;
pub(crate) mod html;
pub(crate) mod svg;
pub(crate) mod text;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use hdrhistogram::{Counter, Histogram};
use lqd_wire::StatusCode;
use lqd_wire::hex::Hex;
use serde::Serialize;

use crate::error::Error;
use crate::leases::Clients;
use crate::query::Mix;
use crate::run::{Options, SearchResult, Tally};

/// Name of the JSON schema.
const SCHEMA: &str = "lqload-run";
/// Version of the JSON schema: raised when a key changes its meaning or is removed, not when one is added.
const SCHEMA_VERSION: u32 = 1;

/// The data of a report.
pub(crate) struct Run<'a> {
    pub(crate) options: &'a Options,
    pub(crate) clients: &'a Clients,
    pub(crate) mix: &'a Mix,
    pub(crate) verify: bool,
    pub(crate) ports: u32,
    pub(crate) interrupted: bool,
    pub(crate) tally: &'a Tally,
    pub(crate) server_cpu: Option<Duration>,
    pub(crate) found: Option<&'a SearchResult>,
}

/// The report. Times are in the unit that ends their names.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) schema: &'static str,
    pub(crate) schema_version: u32,
    pub(crate) lqload_version: &'static str,
    /// End of the run in UTC (RFC 3339).
    pub(crate) ended: String,
    pub(crate) target: String,
    /// Lease files, or the list.
    pub(crate) lease_files: Vec<String>,
    pub(crate) leases: u64,
    pub(crate) clients: u32,
    pub(crate) seed: u64,
    pub(crate) threads: u32,
    pub(crate) ports: u32,
    /// Queries per send with UDP_SEGMENT.
    pub(crate) gso: Option<u16>,
    /// Open loop: queries per second, `1000` or `1000..5000`; none in a closed loop.
    pub(crate) rate: Option<String>,
    /// Closed loop: pending queries; none in an open loop.
    pub(crate) window: Option<u32>,
    pub(crate) order: String,
    pub(crate) relayed: f64,
    pub(crate) timeout_s: f64,
    /// Whether client data in the answers was compared with the lease files.
    pub(crate) verified: bool,
    /// Reasons to doubt the results, as text.
    pub(crate) warnings: Vec<String>,
    /// Whether the target was an echo server instead of a leasequery server.
    pub(crate) echo: bool,
    /// Whether a signal ended the run early.
    pub(crate) interrupted: bool,
    /// Share of the queries by subject, 0 to 1.
    pub(crate) mix: BTreeMap<&'static str, f64>,
    /// Time from the first query to the last query or answer.
    pub(crate) elapsed_s: f64,
    pub(crate) sent: u64,
    pub(crate) answered: u64,
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) retransmitted: u64,
    /// Queries sent more than `late_after_ns` after they were due.
    pub(crate) late_sends: u64,
    pub(crate) late_after_ns: u64,
    pub(crate) send_lag_max_ns: u64,
    /// Whether so many sends were late that the latencies are lqload's rather than the server's.
    pub(crate) fell_behind: bool,
    /// Datagrams that this host dropped before lqload read them; those answers count as lost.
    pub(crate) dropped_here: u64,
    pub(crate) network_errors: u64,
    pub(crate) sent_per_s: f64,
    pub(crate) answered_per_s: f64,
    pub(crate) wrong: u64,
    /// Number of wrong answers by defect; only those that occurred.
    pub(crate) wrong_by_fault: BTreeMap<&'static str, u64>,
    pub(crate) samples: Vec<WrongSample>,
    /// Right answers with client data, with links, with neither.
    pub(crate) bindings: u64,
    pub(crate) links: u64,
    pub(crate) no_binding: u64,
    /// Number of answers by status code.
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) latency_ns: Latency,
    /// Counts by second, or by longer period if the run was long.
    pub(crate) periods: Vec<PeriodReport>,
    /// CPU time of the server's process, user and system.
    pub(crate) server_cpu: Option<ServerCpu>,
    pub(crate) find_max: Option<FindMax>,
}

/// Percentiles of the latency, and its extremes; 0 without answers.
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

/// Outcome of the queries that were due in one period.
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
    /// Subject of the query, if known.
    pub(crate) subject: Option<&'static str>,
    /// DUID of the queried client.
    pub(crate) client: Option<String>,
    /// The answer in hexadecimal.
    pub(crate) answer: String,
}

/// CPU cost of the answers to the server.
#[derive(Debug, Serialize)]
pub(crate) struct ServerCpu {
    pub(crate) pid: u32,
    pub(crate) seconds: f64,
    /// Microseconds per answer in time.
    pub(crate) us_per_answer: Option<f64>,
}

/// Search for the highest rate; the rest of the report is about the run at that rate.
#[derive(Debug, Serialize)]
pub(crate) struct FindMax {
    pub(crate) max_loss: f64,
    pub(crate) max_p99_ns: u64,
    /// Queries per second; none if no rate was sustained.
    pub(crate) highest_rate: Option<f64>,
    /// Whether lqload itself, rather than the server, limited the next higher rate.
    pub(crate) limited_by_generator: bool,
    pub(crate) steps: Vec<FindMaxStep>,
}

/// One rate of the search.
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
        // Computed once, as every rate is per time of the whole run.
        let Run { options, clients, mix, tally, .. } = *run;
        let elapsed_s = tally.last.as_secs_f64();
        // A run that ended at once has no rate.
        let per_s = |count: u64| if elapsed_s > 0.0 { count as f64 / elapsed_s } else { 0.0 };
        // After a search, the report is about the run at the found rate.
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
            // The flag's default is no setting of an open loop.
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
                // Answers in time only, as late ones are not the server's measure.
                us_per_answer: (tally.answered > 0).then(|| cpu.as_secs_f64() * 1e6 / tally.answered as f64),
            }),
            find_max: run.found.map(|found| FindMax::new(found, options)),
        };
        // The warnings depend on the finished report.
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
            client: sample.query.map(|query| Hex::divided(clients.get(query.client).duid, ':').to_string()),
            answer: Hex::undivided(&sample.answer).to_string(),
        }
    }
}

impl FindMax {
    fn new(found: &SearchResult, options: &Options) -> Self {
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

/// Returns the name of a status code, or its number.
fn status_name(status: u16) -> String {
    StatusCode(status).name().map_or_else(|| format!("status {status}"), str::to_owned)
}

/// Writes the report as JSON.
pub(crate) fn write_json(report: &Report, path: &Path) -> Result<(), Error> {
    // Buffered: a report may have thousands of periods.
    let written = File::create(path).and_then(|file| {
        let mut file = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut file, report)?;
        writeln!(file)?;
        // Flushed here, so that a full disk is an error and not a loss.
        file.flush()
    });
    written.map_err(Error::file(path))
}

/// Writes a report that is text.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(Error::file(path))
}

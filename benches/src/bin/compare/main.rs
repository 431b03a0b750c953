//! compare: cost of an answer of lqd, as a multiple of an echo of the baseline.
//!
//! A single run on a shared machine varies by ±15 %. So lqd and the baseline run right after each other,
//! round after round, under the same load; a disturbance affects both, and the median of the ratios is steady
//! where the times are not. Each round restarts both servers, so that a lucky memory layout is one sample of
//! several, and every other round begins with the baseline.
//!
//! Every answer is verified, and every echo compared with its query.
//!
//! ```text
//! kea       Kea with its lease_query hook, to compare with
//! link      two namespaces, and a veth that acts as a network card
//! programs  paths of the programs; running ones are ended in every case
//! load      a run of lqload: CPU of the server per answer
//! result    rounds → medians → table and JSON
//! ```
#![forbid(unsafe_code)]

mod kea;
mod link;
mod load;
mod programs;
mod result;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use kea::Kea;
use link::Link;
use load::{Leases, Load, Subject};
use programs::{CompareError, Programs, Server};
use result::{Comparison, Row, Sample};

/// Measure the cost of an answer of lqd, as a multiple of an echo of the baseline, or of an answer of another
/// build of lqd.
///
/// Needs two CPUs: the servers run on CPU 0, the load on CPU 1. Build all programs first: cargo build
/// --release --workspace.
#[derive(Parser)]
struct Options {
    /// Server to compare with the baseline; the baseline itself shows how steady the machine is.
    #[arg(long, value_enum, default_value_t = Compared::Lqd)]
    server: Compared,
    /// System calls of both servers.
    #[arg(long, value_enum, default_value_t = Io::Uring)]
    io: Io,
    /// Clients in the lease file, each with two leases; several numbers are compared one after the other.
    #[arg(long, value_name = "COUNT,…", value_delimiter = ',', default_value = "500000",
          value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    clients: Vec<u32>,
    /// Rounds; odd, so that the median is one of them.
    #[arg(long, value_name = "COUNT", default_value_t = 7, value_parser = odd)]
    rounds: u32,
    /// Duration of a run, 1 to 60; a round has eight runs.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = seconds)]
    seconds: u64,
    /// Closed loop: queries in flight.
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    window: u32,
    /// Open loop instead: queries per second, in the notation of lqload; both servers then see the same
    /// arrivals.
    #[arg(long, value_name = "RATE", conflicts_with = "window")]
    rate: Option<String>,
    /// Coalesced load: number of queries per send (UDP_SEGMENT); both servers coalesce. Without it, neither
    /// does.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=64))]
    gso: Option<u32>,
    /// Instead of the baseline: compare lqd --gro on with lqd --gro off, over a link whose receiving side
    /// does GRO, with a requestor that does not coalesce. Needs root, iproute2 and ethtool.
    #[arg(long, conflicts_with_all = ["gso", "server"])]
    link: bool,
    /// Instead of the baseline: compare with another build of lqd, such as the last release.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["link", "server"])]
    previous: Option<PathBuf>,
    /// Instead of the baseline: compare with Kea 2.7 or newer and its lease_query hook, such as
    /// /usr/sbin/kea-dhcp6. Its answers are verified by client-id only: by address it leaves out leases. It
    /// needs --window 64.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["link", "server", "previous"])]
    kea: Option<PathBuf>,
    /// Subjects of the queries.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SUBJECT,…",
          default_values = ["address", "prefix", "client-id", "mix"])]
    subjects: Vec<Subject>,
    /// Also write the result to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Directory of the programs lqd, baseline and lqload; default: that of this program.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// The load generator, if not in that directory.
    #[arg(long, value_name = "FILE")]
    lqload: Option<PathBuf>,
}

impl Options {
    fn form(&self) -> &'static str {
        match (self.link, self.gso) {
            (true, _) => "link",
            (_, Some(_)) => "coalescing",
            (_, None) => "plain",
        }
    }

    /// Names of both sides.
    fn names(&self) -> [&'static str; 2] {
        if self.kea.is_some() {
            return ["lqd", "kea"];
        }
        match (self.link, &self.previous, self.server) {
            (true, ..) => ["gro on", "gro off"],
            (_, Some(_), _) => ["lqd", "previous"],
            (_, None, Compared::Lqd) => ["lqd", "baseline"],
            (_, None, Compared::Baseline) => ["baseline", "baseline"],
        }
    }

    /// Value for --gro of both servers.
    fn gro(&self) -> &'static str {
        if self.gso.is_some() { "on" } else { "off" }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compared {
    Lqd,
    Baseline,
}

#[derive(Clone, Copy, ValueEnum)]
enum Io {
    Mmsg,
    Uring,
}

impl Io {
    fn name(self) -> &'static str {
        match self {
            Self::Mmsg => "mmsg",
            Self::Uring => "uring",
        }
    }
}

fn seconds(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|seconds| (1..=60).contains(seconds))
        .ok_or_else(|| "must be from 1 to 60".to_owned())
}

fn odd(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(rounds) if rounds % 2 == 1 && rounds < 100 => Ok(rounds),
        _ => Err("must be an odd number from 1 to 99".to_owned()),
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), CompareError> {
    let programs =
        Programs::find(options.programs.clone(), options.lqload.clone(), options.previous.as_deref())?;
    // Taken before the first load, so that it shows what else runs.
    let mut comparison = Comparison::new(options);
    for &clients in &options.clients {
        let leases = Leases::make(&programs, clients)?;
        comparison.rows.extend(rounds(options, &programs, &leases)?);
    }
    comparison.finish();
    print!("{}", comparison.table());
    match &options.json {
        Some(path) => comparison.write_json(path),
        None => Ok(()),
    }
}

/// Runs all rounds with one set of leases.
fn rounds(options: &Options, programs: &Programs, leases: &Leases) -> Result<Vec<Row>, CompareError> {
    let link = options.link.then(Link::new).transpose()?;
    let new_row = |&subject| Row::new(options.form(), subject, 2 * u64::from(leases.clients));
    let mut rows: Vec<Row> = options.subjects.iter().map(new_row).collect();
    let duration = Duration::from_secs(options.seconds);
    // In an open loop both servers see the same arrivals.
    let mut pace = match &options.rate {
        Some(rate) => vec!["--rate".to_owned(), rate.clone()],
        None => vec!["--window".to_owned(), options.window.to_string()],
    };
    pace.extend(options.gso.map(|gso| [String::from("--gso"), gso.to_string()]).into_iter().flatten());
    for round in 1..=options.rounds {
        // Both servers run at once, so that a slow machine slows both.
        let [compared, against] = start(options, programs, link.as_ref(), leases)?;
        let load = Load { programs, leases, link: link.as_ref(), pace: &pace, duration };
        for row in &mut rows {
            // The first of a pair may profit or suffer from its position: alternate.
            let sample = if round % 2 == 1 {
                let server = load.run(&compared, row.subject)?;
                Sample { server, against: load.run(&against, row.subject)? }
            } else {
                let against = load.run(&against, row.subject)?;
                Sample { server: load.run(&compared, row.subject)?, against }
            };
            row.samples.push(sample);
        }
        // Ratios of each round are shown, so that a run can be stopped early.
        let ratios: Vec<String> =
            rows.iter().filter_map(Row::last_ratio).map(|r| format!("{r:.3}")).collect();
        eprintln!("round {round} of {}: {}", options.rounds, ratios.join("  "));
    }
    Ok(rows)
}

/// Starts both servers.
fn start(
    options: &Options,
    programs: &Programs,
    link: Option<&Link>,
    leases: &Leases,
) -> Result<[Server; 2], CompareError> {
    let (io, gro) = (options.io.name(), options.gro());
    let lqd = |program: &Path, gro| Server::lqd(program, link, [io, gro], &leases.kea_config());
    // Over the link both sides are lqd.
    if options.link {
        return Ok([lqd(&programs.lqd, "on")?, lqd(&programs.lqd, "off")?]);
    }
    let compared = match options.server {
        Compared::Lqd => lqd(&programs.lqd, gro)?,
        Compared::Baseline => Server::baseline(programs, io, gro)?,
    };
    // Only one of these is given, as flags exclude each other.
    let against = match (&options.previous, &options.kea) {
        (Some(previous), _) => lqd(previous, gro)?,
        (None, Some(program)) => Server::kea(&Kea::find(program)?, leases)?,
        (None, None) => Server::baseline(programs, io, gro)?,
    };
    Ok([compared, against])
}

//! compare: what an answer costs lqd, as a multiple of what an echo costs the floor.
//!
//! One run on a machine that others use scatters by ±15 %. So lqd and the floor run right after each other,
//! round after round, under the same load; what disturbs one disturbs the other, and the median of the
//! rounds' ratios is steady where the times themselves are not. Each round starts both servers anew, so that
//! a lucky layout in memory is one sample among several, and every other round asks the floor first.
//!
//! Every answer is verified, and every echo compared with what was sent: what answers wrongly may be as fast
//! as it likes.
//!
//! ```text
//! link      two namespaces, a veth that does what a network card does
//! programs  where the programs are, and those that run: ended, whatever happens
//! load      one run of lqload: CPU of the server for each answer
//! result    rounds → medians → table and JSON
//! ```
#![forbid(unsafe_code)]

mod link;
mod load;
mod programs;
mod result;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use link::Link;
use load::{Leases, Load, Subject};
use programs::{Fault, Programs, Server};
use result::{Comparison, Row, Sample};

/// Measure what an answer costs lqd, as a multiple of what an echo costs the floor, or an answer another build of lqd.
///
/// Needs two CPUs: the servers run on CPU 0, the load on CPU 1. Build all programs first: cargo build
/// --release --workspace.
#[derive(Parser)]
struct Options {
    /// What is compared with the floor; the floor itself shows how steady the machine is.
    #[arg(long, value_enum, default_value_t = Compared::Lqd)]
    server: Compared,
    /// How both servers talk to the kernel.
    #[arg(long, value_enum, default_value_t = Io::Uring)]
    io: Io,
    /// Clients in the lease file, each with two leases; several numbers are compared one after the other.
    #[arg(long, value_name = "COUNT,…", value_delimiter = ',', default_value = "500000",
          value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    clients: Vec<u32>,
    /// Rounds; odd, so that the median is one of them.
    #[arg(long, value_name = "COUNT", default_value_t = 7, value_parser = odd)]
    rounds: u32,
    /// Length of one run, 1 to 60; a round has eight.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = seconds)]
    seconds: u64,
    /// Closed loop: queries under way at once.
    #[arg(long, value_name = "COUNT", default_value_t = 256)]
    window: u32,
    /// Open loop instead: queries a second, as lqload takes it; both servers then see the same arrivals.
    #[arg(long, value_name = "RATE", conflicts_with = "window")]
    rate: Option<String>,
    /// Coalesced load: queries go out so many at once (UDP_SEGMENT), and both servers coalesce; without it, neither does.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=64))]
    gso: Option<u32>,
    /// Instead of the floor: lqd with --gro on against lqd with --gro off, over a link whose receiving side
    /// does GRO, asked by a requestor that knows nothing of it. Needs root, iproute2 and ethtool.
    #[arg(long, conflicts_with_all = ["gso", "server"])]
    link: bool,
    /// Instead of the floor: another build of lqd, such as that of the last release.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["link", "server"])]
    baseline: Option<PathBuf>,
    /// What is asked for.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SUBJECT,…",
          default_values = ["address", "prefix", "client-id", "mix"])]
    subjects: Vec<Subject>,
    /// Write the result to this file as JSON, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Directory of the programs lqd, floor and lqload; default: that of this program.
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// The load generator, if it is not with the others.
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

    /// What is compared, and with what.
    fn names(&self) -> [&'static str; 2] {
        match (self.link, &self.baseline, self.server) {
            (true, ..) => ["gro on", "gro off"],
            (_, Some(_), _) => ["lqd", "baseline"],
            (_, None, Compared::Lqd) => ["lqd", "floor"],
            (_, None, Compared::Floor) => ["floor", "floor"],
        }
    }

    /// Whether the servers coalesce, as they take it.
    fn gro(&self) -> &'static str {
        if self.gso.is_some() { "on" } else { "off" }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Compared {
    Lqd,
    Floor,
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
        Err(fault) => {
            eprintln!("compare: {fault}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<(), Fault> {
    let programs =
        Programs::find(options.programs.clone(), options.lqload.clone(), options.baseline.as_deref())?;
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

/// All rounds over one set of leases.
fn rounds(options: &Options, programs: &Programs, leases: &Leases) -> Result<Vec<Row>, Fault> {
    let link = options.link.then(Link::new).transpose()?;
    let new_row = |&subject| Row::new(options.form(), subject, 2 * u64::from(leases.clients));
    let mut rows: Vec<Row> = options.subjects.iter().map(new_row).collect();
    let duration = Duration::from_secs(options.seconds);
    let mut pace = match &options.rate {
        Some(rate) => vec!["--rate".to_owned(), rate.clone()],
        None => vec!["--window".to_owned(), options.window.to_string()],
    };
    pace.extend(options.gso.map(|gso| [String::from("--gso"), gso.to_string()]).into_iter().flatten());
    for round in 1..=options.rounds {
        let [compared, against] = start(options, programs, link.as_ref(), leases)?;
        let load = Load { programs, leases, link: link.as_ref(), pace: &pace, duration };
        for row in &mut rows {
            let sample = if round % 2 == 1 {
                let server = load.run(&compared, row.subject)?;
                Sample { server, against: load.run(&against, row.subject)? }
            } else {
                let against = load.run(&against, row.subject)?;
                Sample { server: load.run(&compared, row.subject)?, against }
            };
            row.samples.push(sample);
        }
        let ratios: Vec<String> =
            rows.iter().filter_map(Row::last_ratio).map(|r| format!("{r:.3}")).collect();
        eprintln!("round {round} of {}: {}", options.rounds, ratios.join("  "));
    }
    Ok(rows)
}

/// Starts both servers anew: what is compared, and with what.
fn start(
    options: &Options,
    programs: &Programs,
    link: Option<&Link>,
    leases: &Leases,
) -> Result<[Server; 2], Fault> {
    let (io, gro) = (options.io.name(), options.gro());
    let lqd = |program: &Path, gro| Server::lqd(program, link, [io, gro], &leases.kea_config());
    if options.link {
        return Ok([lqd(&programs.lqd, "on")?, lqd(&programs.lqd, "off")?]);
    }
    let compared = match options.server {
        Compared::Lqd => lqd(&programs.lqd, gro)?,
        Compared::Floor => Server::floor(programs, io, gro)?,
    };
    let against = match &options.baseline {
        Some(baseline) => lqd(baseline, gro)?,
        None => Server::floor(programs, io, gro)?,
    };
    Ok([compared, against])
}

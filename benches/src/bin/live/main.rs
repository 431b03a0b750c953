//! live: cost for clients while lqd follows a busy lease file, and delay until rows are visible.
//!
//! Starts lqd with one worker on CPU 0 on a temporary lease file, and simulates Kea on CPU 1: first few rows
//! (quiet), then rows at the requested rate (loaded) with renewals, new leases and releases, and in the
//! middle the renames of Kea's clean-up. Meanwhile one client sends queries at a steady rate, and another
//! queries new rows until they are visible. Each row changes the valid lifetime, so an answer shows which row
//! it is from. At the end every client's answer is compared with the file.
//!
//! ```text
//! server  lqd and its configuration      kea  the lease file and its contents      client  queries, answers
//! ```
//! The feed, the simulated Kea and both clients share CPU 1, as they would share the CPUs without workers;
//! their effect on each other is in the latencies.
#![forbid(unsafe_code)]

mod client;
mod kea;
mod server;

use std::io;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;

use client::Querier;
use kea::Kea;
use server::Server;

const SERVER_CPU: &str = "0";
const CLIENT_CPU: usize = 1;
/// Rows per second in the quiet phase: enough to measure freshness.
const QUIET_ROWS: u64 = 50;
/// Seconds that lease times are ahead of the clock, so that lqd reports lifetimes as granted.
const AHEAD: u32 = 86_400;

/// Measure the cost of following a busy lease file, and the delay until rows are visible.
#[derive(Parser)]
struct Options {
    /// Rows appended per second.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rows: u64,
    /// Duration of each of the two phases, 1 to 60.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Clients; half of them have an address and a prefix in the beginning.
    #[arg(long, default_value_t = 500_000, value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    clients: u32,
    /// Queries per second of the steady client.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    queries: u32,
    /// The program lqd; default: beside this one.
    #[arg(long, value_name = "FILE")]
    lqd: Option<PathBuf>,
}

/// A reason why there is no result.
#[derive(Debug, thiserror::Error)]
enum LiveError {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot query lqd: {0}")]
    Socket(io::Error),
    #[error("lqd was not ready in time; its output:\n{0}")]
    NotReady(String),
    #[error("lqd sent a reply that matches no lease")]
    Reply,
    #[error("a row for {0} did not become visible in time: it is lost")]
    Unseen(Ipv6Addr),
    #[error("CPU {0} cannot be used; two CPUs are needed")]
    Cpu(usize),
}

impl LiveError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("live: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs and reports all; returns the number of wrong answers.
fn run(options: &Options) -> Result<u32, LiveError> {
    let directory = tempfile::tempdir().map_err(LiveError::file(&std::env::temp_dir()))?;
    let (leases, config) =
        (directory.path().join("kea-leases6.csv"), directory.path().join("kea-dhcp6.conf"));
    // Before the leases, as both name the same file.
    server::write_config(&config, &leases)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32);
    let mut kea = Kea::new(&leases, options.clients, now + AHEAD)?;
    let beside = || std::env::current_exe().ok().and_then(|path| path.parent().map(|path| path.join("lqd")));
    let program = options.lqd.clone().or_else(beside).unwrap_or_default();
    let server = Server::start(&program, SERVER_CPU, &config)?;
    // Threads started later inherit the CPU; the server has its own.
    if !core_affinity::set_for_current(core_affinity::CoreId { id: CLIENT_CPU }) {
        return Err(LiveError::Cpu(CLIENT_CPU));
    }
    let length = Duration::from_secs(options.seconds);
    println!(
        "{:<8} {:>9} {:>9} {:>9} {:>9}   fresh: {:>8} {:>8} {:>8}   lqd CPU",
        "phase", "queries", "p50 µs", "p99 µs", "p99.9 µs", "p50 ms", "p99 ms", "max ms"
    );
    // The quiet phase is the reference for the loaded one.
    phase("quiet", &server, &mut kea, options, QUIET_ROWS, None)?;
    phase("loaded", &server, &mut kea, options, options.rows, Some(length / 2))?;
    // A network file system may need that long; here the last rows are visible at once.
    thread::sleep(Duration::from_secs(1));
    let wrong = Querier::new(server.address)?.compare(&kea)?;
    println!("{} rows; of {} clients {wrong} are answered wrongly", kea.rows, kea.clients());
    Ok(wrong)
}

fn phase(
    name: &str,
    server: &Server,
    kea: &mut Kea,
    options: &Options,
    rate: u64,
    rotate: Option<Duration>,
) -> Result<(), LiveError> {
    let (stop, latest) = (AtomicBool::new(false), Mutex::new(None));
    let (mut steady, mut watcher) = (Querier::new(server.address)?, Querier::new(server.address)?);
    let before = server.cpu_time()?;
    let length = Duration::from_secs(options.seconds);
    let (late, latencies, times) = thread::scope(|scope| {
        let steady = scope.spawn(|| steady.measure(options.clients, options.queries, &stop));
        let watcher = scope.spawn(|| watcher.freshness(&latest, &stop));
        let late = kea.run(rate, length, rotate, &latest);
        stop.store(true, Ordering::Relaxed);
        // A panic of a thread is the result, not a missing number.
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        (late, join(steady), join(watcher))
    });
    // CPU of the server over the phase, so that both phases compare.
    let cpu = (server.cpu_time()? - before).as_secs_f64() / length.as_secs_f64();
    let (late, latencies, times) = (late?, sorted(latencies?), sorted(times?));
    let us = |share| at(&latencies, share) / 1e3;
    let ms = |share| at(&times, share) / 1e6;
    println!(
        "{name:<8} {:>9} {:>9.0} {:>9.0} {:>9.0}          {:>8.2} {:>8.2} {:>8.2}   {:.0} %   (rows late by {:.1} ms at most)",
        latencies.len(),
        us(0.5),
        us(0.99),
        us(0.999),
        ms(0.5),
        ms(0.99),
        ms(1.0),
        cpu * 100.0,
        late.as_secs_f64() * 1e3,
    );
    Ok(())
}

fn sorted(mut values: Vec<u64>) -> Vec<u64> {
    values.sort_unstable();
    values
}

/// Quantile `share`; 0 without values.
fn at(sorted: &[u64], share: f64) -> f64 {
    // At least the first value, whatever the share.
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0) as f64
}

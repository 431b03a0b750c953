//! `lqload run`: asks a server for leases and judges its answers.

mod check;
mod closed;
mod cpu;
mod flight;
mod options;
mod probe;
mod reply;
mod tally;
mod transport;
mod wrong;

use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use core_affinity::CoreId;

use crate::fault::Fault;
use crate::leases::{self, Clients};
use crate::query::{Draw, Encoder, Mix};
use crate::random::{Random, mix};
use crate::report::{self, Report};
use check::Checker;
use closed::{Amount, Closed};
use flight::Flight;
use transport::{Batch, Udp};

pub(crate) use options::{Cpus, Options};
pub(crate) use tally::{Sample, Tally};
pub(crate) use wrong::Wrong;

/// Runs it all and reports; status 1 if answers were wrong.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Fault> {
    let (clients, read) = leases::read(&options.leases, closed::unix_seconds())?;
    if let Some(first) = &read.first_bad {
        eprintln!("lqload: {} of {} rows are unreadable and left out; {first}", read.bad, read.rows);
    }
    let mix = options.mix.clone().unwrap_or_else(|| Mix::usual(&clients));
    mix.check(&clients)?;
    check_cpus(options)?;
    let encoder = Encoder::new(&options.requestor_duid.0);
    probe::probe(options.target, &encoder, options.timeout)?;
    let cpu_before = options.server_pid.map(cpu::of_process).transpose()?;
    let tally = load(options, &clients, &mix, &encoder)?;
    let cpu_after = options.server_pid.map(cpu::of_process).transpose()?;
    let server_cpu = cpu_before.zip(cpu_after).map(|(before, after)| after.saturating_sub(before));
    let report = Report::new(options, &clients, &mix, &tally, server_cpu);
    print!("{}", report::text::summary(&report));
    if let Some(path) = &options.json {
        report::write_json(&report, path)?;
    }
    Ok(if tally.wrong.total() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks that this process may use the CPUs it is to be pinned to.
fn check_cpus(options: &Options) -> Result<(), Fault> {
    let Some(Cpus(cpus)) = &options.cpus else { return Ok(()) };
    let usable = core_affinity::get_core_ids().unwrap_or_default();
    match cpus.iter().find(|&&id| !usable.contains(&CoreId { id })) {
        Some(&id) => Err(Fault::Cpu(id)),
        None => Ok(()),
    }
}

/// Starts the threads together and adds up what they have counted.
fn load(options: &Options, clients: &Clients, mix: &Mix, encoder: &Encoder) -> Result<Tally, Fault> {
    let threads = u64::from(options.threads);
    let barrier = Barrier::new(threads as usize);
    let workers = (0..threads)
        .map(|number| worker(options, number, clients, mix, encoder))
        .collect::<Result<Vec<_>, _>>()?;
    thread::scope(|scope| {
        let mut handles = Vec::new();
        for (number, worker) in workers.into_iter().enumerate() {
            let cpu = options.cpus.as_ref().map(|cpus| cpus.0[number % cpus.0.len()]);
            let barrier = &barrier;
            handles.push(scope.spawn(move || {
                if let Some(id) = cpu {
                    core_affinity::set_for_current(CoreId { id }); // one of those that `check_cpus` has seen
                }
                barrier.wait();
                worker.run(Instant::now())
            }));
        }
        let mut sum = Tally::new();
        for handle in handles {
            sum.add(handle.join().map_err(|_| Fault::Thread)?);
        }
        Ok(sum)
    })
}

/// Thread `number`'s share of the load, on a socket of its own.
fn worker<'a>(
    options: &'a Options,
    number: u64,
    clients: &'a Clients,
    mix_of_queries: &'a Mix,
    encoder: &'a Encoder,
) -> Result<Closed<'a, Udp>, Fault> {
    let target = options.target;
    let connected = Udp::connect(target);
    let amount = options.amount(number);
    let server = options.server_duid.as_ref().map(|duid| &duid.0[..]);
    Ok(Closed {
        transport: connected.map_err(|source| Fault::Socket { target, step: "connecting", source })?,
        clients,
        draw: Draw::new(clients, mix_of_queries, Random::new(mix(options.seed).wrapping_add(number))),
        encoder,
        checker: Checker::new(clients, &options.requestor_duid.0, server, options.verify),
        flight: Flight::new(amount.window, amount.timeout),
        amount,
        batch: Batch::new(Encoder::LEN_MAX),
        tally: Tally::new(),
    })
}

impl Options {
    /// Thread `number`'s part of window and queries.
    fn amount(&self, number: u64) -> Amount {
        let threads = u64::from(self.threads);
        let part = |all: u64| all / threads + u64::from(number < all % threads);
        // Neither given: ten seconds.
        let usual = Duration::from_secs(10);
        let duration = self.duration.or_else(|| self.queries.is_none().then_some(usual));
        Amount {
            window: part(u64::from(self.window)).max(1) as u32, // a part of a u32
            queries: self.queries.map(part),
            duration,
            timeout: self.timeout,
        }
    }
}

//! `lqload run`: queries a server for leases and judges its answers.

mod check;
pub(crate) mod cpu;
mod defect;
mod find_max;
mod in_flight;
mod judge;
mod live;
mod load;
mod load_thread;
mod options;
mod poller;
mod probe;
mod progress;
mod rate;
mod reply;
mod tally;
mod timeline;
mod transport;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use core_affinity::CoreId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::clock::unix_seconds;
use crate::error::Error;
use crate::leases::{self, Clients};
use crate::query::{self, Encoder, Mix, Order, QuerySource};
use crate::report::{self, Report};
use crate::value::Cpus;
use load::{LoadPlan, Setup};

pub(crate) use defect::{Defect, DefectCounts};
pub(crate) use find_max::SearchResult;
pub(crate) use options::Options;
pub(crate) use rate::Rate;
pub(crate) use tally::{Sample, Tally};

/// Runs the load and reports it; exit status 1 if answers were wrong.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Error> {
    options.check()?;
    let clients = read_clients(options)?;
    // Generated leases are made for the server under test.
    let verify = options.verify.unwrap_or(clients.are_generated() && !options.echo);
    // The usual mix leaves out subjects that the leases lack.
    let mix = options.mix.clone().unwrap_or_else(|| Mix::usual(&clients));
    mix.check(&clients)?;
    let link = match options.order {
        Order::Reboot => query::of_link(&clients, options.link)?,
        _ => Vec::new(),
    };
    // Checked before the threads start, since pinning itself only fails silently.
    check_cpus(options)?;
    let encoder = Encoder::new(&options.requestor_duid.0, &options.oro);
    // A wrong target is found now rather than after the whole run.
    probe::probe(options.target, &encoder, options.timeout, options.echo)?;
    let stop = stop_on_signals()?;
    let source = QuerySource {
        clients: &clients,
        mix: &mix,
        order: options.order,
        link: &link,
        relayed: options.relayed,
        by_form: options.gso.is_some(),
    };
    let setup = Setup { options, clients: &clients, source, encoder, verify, stop: &stop };
    let (outcome, found) = match options.bounds() {
        Some(bounds) => find_max::find_max(&setup, bounds).map(|(outcome, found)| (outcome, Some(found)))?,
        None => (load::load(&setup, LoadPlan::of(options), "")?, None),
    };
    let run = report::Run {
        options,
        clients: &clients,
        mix: &mix,
        verify,
        ports: outcome.ports,
        interrupted: stop.load(Ordering::Relaxed),
        tally: &outcome.tally,
        server_cpu: outcome.server_cpu,
        found: found.as_ref(),
    };
    write_reports(options, &Report::new(&run), &outcome.tally)?;
    // A script tells wrong answers from a failed run by the status.
    Ok(if outcome.tally.wrong.total() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the lease files, or the list.
fn read_clients(options: &Options) -> Result<Clients, Error> {
    if let Some(list) = &options.list {
        return leases::read_list(list);
    }
    let (clients, read) = leases::read(&options.leases, unix_seconds())?;
    if let Some(first) = &read.first_bad {
        // Rows skipped are told, as they may be the interesting ones.
        eprintln!("lqload: skipped {} unreadable rows of {}; {first}", read.bad, read.rows);
    }
    Ok(clients)
}

/// Checks that this process may use the CPUs of `--cpus`.
fn check_cpus(options: &Options) -> Result<(), Error> {
    let Some(Cpus(cpus)) = &options.cpus else { return Ok(()) };
    // Without the list of CPUs none is known to be usable.
    let usable = core_affinity::get_core_ids().unwrap_or_default();
    match cpus.iter().find(|&&id| !usable.contains(&CoreId { id })) {
        Some(&id) => Err(Error::Cpu(id)),
        None => Ok(()),
    }
}

/// Installs the signal handlers: the first SIGINT or SIGTERM ends the sending and leads to a report, the
/// second ends the program.
pub(crate) fn stop_on_signals() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Registered first, so that it finds the flag still unset at the first signal.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)))
            .map_err(Error::Signal)?;
    }
    Ok(stop)
}

/// Prints the summary and writes the requested files.
fn write_reports(options: &Options, report: &Report, tally: &Tally) -> Result<(), Error> {
    print!("{}", report::text::summary(report));
    // The summary is printed in any case, so that a full disk loses only files.
    if let Some(path) = &options.json {
        report::write_json(report, path)?;
    }
    if let Some(path) = &options.hgrm {
        report::write_text(path, &report::hgrm::text(&tally.latency))?;
    }
    if let Some(path) = &options.html {
        report::write_text(path, &report::html::page(report, &tally.latency))?;
    }
    Ok(())
}

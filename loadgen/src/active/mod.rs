//! `lqload active`: rows appended to a lease file, and readers of active leasequery (RFC 7653) whose tables
//! must become that of the file.
//!
//! ```text
//! pool      subnets of the lease file → addresses, prefixes and clients of the churn
//! churn     change → rows → writer (whole lines, at the rate) → lease file
//! query     frame of the query
//! reader    frames → decode → follower (checks, table, latency), at full speed, slowly or stalled
//! result    tables against the file's → text, JSON; page
//! ```

mod churn;
mod decode;
mod follower;
mod options;
mod paced;
mod page;
mod pool;
mod query;
mod reader;
mod result;
mod rows;
mod table;
mod writer;
mod written;

use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::unix_seconds;
use crate::error::Error;
use crate::leases;
use crate::run::stop_on_signals;
use crate::server::Server;
use churn::Churn;
pub(crate) use options::Options;
use paced::Pace;
use pool::Pool;
use reader::{Reader, Shared};
use result::{ReaderResult, Report};
use table::Table;
use writer::{Churned, LeaseFile};
use written::Written;

/// Time between two looks at the server's memory.
const LOOK: Duration = Duration::from_millis(100);

/// Runs the churn and the readers, and reports; exit status 1 if a table differs.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Error> {
    options.check()?;
    let now = unix_seconds();
    let (clients, _) = leases::read(std::slice::from_ref(&options.leases), now)?;
    let pool = Pool::new(&clients, options.pool, now)?;
    // The leases of the file were read for the pool only, and may be many.
    drop(clients);
    let report = follow(options, &pool)?;
    print!("{}", report.text());
    if let Some(path) = &options.json {
        report.write_json(path)?;
    }
    if let Some(path) = &options.html {
        crate::report::write_text(path, &page::page(&report))?;
    }
    Ok(if report.is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Opens the readers, changes leases while they read, and compares their tables.
fn follow(options: &Options, pool: &Pool) -> Result<Report, Error> {
    let mut file = LeaseFile::open(&options.leases)?;
    let stop = stop_on_signals()?;
    let written = Written::new(pool.slots(), options.changes());
    let shared =
        Shared { options, pool, written, is_churning: AtomicBool::new(true), expected: OnceLock::new() };
    let readers = open_all(&shared)?;
    let before = options.server_pid.map(Server::look).transpose()?;
    let mut churn = Churn::new(pool, options.seed);
    thread::scope(|scope| {
        let readers: Vec<_> = readers.into_iter().map(|reader| scope.spawn(|| reader.run())).collect();
        let aborting: Vec<_> =
            (0..options.aborting).map(|_| scope.spawn(|| reader::abort_again_and_again(&shared))).collect();
        let writer = scope.spawn(|| change(&shared, &mut churn, &mut file, &stop));
        let resident = resident_until(options, || readers.iter().all(thread::ScopedJoinHandle::is_finished));
        let churned = writer.join().map_err(|_| Error::Thread)??;
        let (end, expected) = shared.expected.get().ok_or(Error::Thread)?;
        let mut results = Vec::new();
        for reader in readers {
            let reader = reader.join().map_err(|_| Error::Thread)?;
            results.push(ReaderResult::new(reader, shared.written.rows(), *end, expected));
        }
        let mut report = Report::new(options, &churned, results);
        for thread in aborting {
            report.aborted += thread.join().map_err(|_| Error::Thread)?;
        }
        report.digest = result::digest(expected);
        report.server_resident_max_bytes = resident;
        if let (Some(pid), Some(before)) = (options.server_pid, before) {
            report.server = Some(before.until(Server::look(pid)?));
        }
        Ok(report)
    })
}

fn open_all<'a>(shared: &'a Shared<'a>) -> Result<Vec<Reader<'a>>, Error> {
    let options = shared.options;
    let of = |pace, count| (0..count).map(move |_| Reader::open(shared, pace));
    of(Pace::Full, options.readers)
        .chain(of(Pace::Slow(options.slow_rate), options.slow))
        .chain(of(Pace::Stalled, options.stalled))
        .collect()
}

/// Writes the changes, then tells the readers the table of the file.
fn change(
    shared: &Shared<'_>,
    churn: &mut Churn<'_>,
    file: &mut LeaseFile,
    stop: &AtomicBool,
) -> Result<Churned, Error> {
    let Shared { options, pool, written, .. } = shared;
    let churned = writer::write(options, pool, churn, written, file, stop);
    let end = Instant::now();
    shared.is_churning.store(false, Ordering::Relaxed);
    let expected = churned.map_err(Error::file(&options.leases)).and_then(|churned| {
        let table = rows::read(&options.leases, file.start, pool)?;
        let is_ours = table.digest() == churn.table().digest();
        if is_ours { Ok((churned, table)) } else { Err(Error::ForeignWriter(options.leases.clone())) }
    });
    // Readers wait for a table, and end even after an error.
    let (churned, table) = match expected {
        Ok((churned, table)) => (Ok(churned), table),
        Err(error) => (Err(error), Table::new(pool.slots())),
    };
    let _ = shared.expected.set((end, table));
    churned
}

/// Looks at the server until `is_done`, and returns its largest memory.
fn resident_until(options: &Options, is_done: impl Fn() -> bool) -> Option<u64> {
    let mut max = None;
    while !is_done() {
        let server = options.server_pid.and_then(|pid| Server::look(pid).ok());
        max = max.max(server.map(|server| server.resident_bytes));
        thread::sleep(LOOK);
    }
    max
}

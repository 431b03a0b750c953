//! `lqload bulk`: bulk queries over TCP (RFC 5460), with every binding checked against the lease file.
//!
//! ```text
//! plan        lease file → queries, and the leases that each must return
//! query       query → frame
//! connection  a query at a time: frame out, frames in → check
//! check       order of the messages, bindings, lifetimes, leases that are missing
//! peers       connections that misbehave meanwhile: stalled, slow, aborting
//! result      sums of all connections → text, JSON
//! ```

mod check;
mod connection;
mod options;
mod peers;
mod plan;
mod query;
mod result;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::clock::unix_seconds;
use crate::error::Error;
use crate::leases;
use crate::server::Server;
use connection::Connection;
pub(crate) use options::Options;
use peers::Peers;
use plan::Plan;
use result::BulkResult;

/// Runs the queries and reports them; exit status 1 if replies were wrong or did not end.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Error> {
    let (clients, read) = leases::read(&options.leases, unix_seconds())?;
    if let Some(first) = &read.first_bad {
        eprintln!("lqload: skipped {} unreadable rows of {}; {first}", read.bad, read.rows);
    }
    let plan = Plan::new(&clients, options)?;
    let peers = Peers::start(options, &plan)?;
    let before = options.server_pid.map(Server::look).transpose()?;
    let started = Instant::now();
    let mut result = query_all(options, &plan)?;
    result.took = started.elapsed();
    if let (Some(pid), Some(before)) = (options.server_pid, before) {
        result.server = Some(before.until(Server::look(pid)?));
    }
    result.peers = peers.stop();
    print!("{}", result.text());
    if let Some(path) = &options.json {
        result.write_json(path)?;
    }
    Ok(if result.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends every query of the plan in each round, over all connections.
fn query_all(options: &Options, plan: &Plan<'_>) -> Result<BulkResult, Error> {
    let next = AtomicUsize::new(0);
    let end = plan.queries().len() * options.rounds as usize;
    let mut sum = BulkResult::new(options.connections, plan);
    let results = thread::scope(|scope| {
        let run = || -> Result<BulkResult, Error> {
            let mut result = BulkResult::new(0, plan);
            let mut connection = Connection::open(options, plan)?;
            loop {
                // Queries are handed out one by one: a connection with long replies takes fewer.
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return Ok(result);
                }
                connection.query(number % plan.queries().len(), &mut result)?;
            }
        };
        let threads: Vec<_> = (0..options.connections).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| Error::Thread)?).collect::<Vec<_>>()
    });
    for result in results {
        sum.add(&result?);
    }
    Ok(sum)
}

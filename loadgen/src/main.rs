//! lqload: load generator for DHCPv6 leasequery servers (RFC 5007), and generator of lease files.
//!
//! `make-leases` writes a lease file of Kea and its configuration; `run` queries a server for the leases of
//! such a file (or of a real one), checks every answer, and reports rate and latency; `bulk` does so over TCP
//! (RFC 5460); `active` changes leases while readers follow them (RFC 7653); `flood` measures the cost of
//! datagrams that a server should discard; `compare` shows two reports side by side.
//!
//! ```text
//! make_leases  address plan (client number → addresses) → rows, kea-dhcp6.conf
//! leases       lease file → clients, packed: some 40 bytes a lease
//! query        mix → queries → octets
//! run          per thread: query → transport → in_flight → judge, check → tally, timeline
//! bulk         per connection: bulk query → frames → check of every binding
//! active       rows appended to the lease file; readers → table of each against the file's
//! flood        datagrams at a fixed rate → their cost to the server, and its answers
//! report       merged tallies of all threads → text, JSON, .hgrm, a page with plots
//! ```
//!
//! Exit status: 0 if every answer was right, 1 if some were wrong, 2 on an error.
#![forbid(unsafe_code)]

mod active;
mod bulk;
mod clock;
mod error;
mod flood;
mod frames;
mod leases;
mod lifetimes;
mod make_leases;
mod manual;
mod query;
mod random;
mod report;
mod run;
mod server;
mod times;
mod value;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Load generator for DHCPv6 leasequery servers (RFC 5007), and generator of lease files
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    MakeLeases(make_leases::Options),
    Run(Box<run::Options>),
    Bulk(bulk::Options),
    Active(active::Options),
    Flood(flood::Options),
    Compare(report::compare::Options),
    /// Writes the man pages into a folder
    #[command(hide = true)]
    Man(manual::Options),
    /// Writes completion scripts for bash, zsh and fish into a folder
    #[command(hide = true)]
    Completions(manual::Options),
}

/// The global allocator.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // `parse` exits with status 2 on a usage error.
    let done = match Arguments::parse().command {
        Command::MakeLeases(options) => make_leases::make(&options).map(|()| ExitCode::SUCCESS),
        Command::Run(options) => run::run(&options),
        Command::Bulk(options) => bulk::run(&options),
        Command::Active(options) => active::run(&options),
        Command::Flood(options) => flood::flood(&options).map(|()| ExitCode::SUCCESS),
        Command::Man(options) => manual::man(&options).map(|()| ExitCode::SUCCESS),
        Command::Completions(options) => manual::completions(&options).map(|()| ExitCode::SUCCESS),
        Command::Compare(options) => report::compare::compare(&options).map(|()| ExitCode::SUCCESS),
    };
    // A usage error and a failed run differ in nothing to a script.
    done.unwrap_or_else(|error| {
        eprintln!("lqload: {error}");
        ExitCode::from(2)
    })
}

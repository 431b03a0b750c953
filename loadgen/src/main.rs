//! lqload: load for DHCPv6 leasequery servers (RFC 5007), and leases to ask for.
//!
//! `make-leases` writes a lease file of Kea and the configuration that belongs to it; `run` asks a server for
//! the leases of such a file (or of a real one), checks every answer, and reports rate and latency; `flood` says
//! what datagrams cost a server that it should get rid of; `compare` shows two reports side by side.
//!
//! ```text
//! make_leases  plan (client number → addresses) → rows, kea-dhcp6.conf
//! leases       lease file → clients, packed: some 40 octets a lease
//! query        mix → what is asked → octets
//! run          per thread: query → transport → flight (what is under way) → judge, check → tally, timeline
//! flood        datagrams by the clock → what each cost the server, and what came back
//! report       tallies of all threads, merged → text, JSON, .hgrm, a page with plots
//! ```
//!
//! Exit status: 0, every answer was right; 1, some were wrong; 2, it could not be done.
#![forbid(unsafe_code)]

mod fault;
mod flood;
mod hex;
mod leases;
mod make_leases;
mod manual;
mod query;
mod random;
mod report;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Load generator and lease maker for DHCPv6 leasequery servers (RFC 5007).
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
    Flood(flood::Options),
    Compare(report::compare::Options),
    /// Write the man pages into a folder.
    #[command(hide = true)]
    Man(manual::Options),
    /// Write completion scripts for bash, zsh and fish into a folder.
    #[command(hide = true)]
    Completions(manual::Options),
}

/// A share for a flag.
fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}

fn main() -> ExitCode {
    // Exits with status 2 if the arguments are not usable.
    let done = match Arguments::parse().command {
        Command::MakeLeases(options) => make_leases::make(&options).map(|()| ExitCode::SUCCESS),
        Command::Run(options) => run::run(&options),
        Command::Flood(options) => flood::flood(&options).map(|()| ExitCode::SUCCESS),
        Command::Man(options) => manual::man(&options).map(|()| ExitCode::SUCCESS),
        Command::Completions(options) => manual::completions(&options).map(|()| ExitCode::SUCCESS),
        Command::Compare(options) => report::compare::compare(&options).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|fault| {
        eprintln!("lqload: {fault}");
        ExitCode::from(2)
    })
}

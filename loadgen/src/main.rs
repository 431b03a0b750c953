//! lqload: load for DHCPv6 leasequery servers (RFC 5007), and leases to ask for.
//!
//! `make-leases` writes a lease file of Kea and the configuration that belongs to it; `run` asks a server for
//! the leases of such a file (or of a real one), checks every answer, and reports rate and latency; `compare`
//! shows two reports side by side.
//!
//! ```text
//! make_leases  plan (client number → addresses) → rows, kea-dhcp6.conf
//! leases       lease file → clients, packed: under 32 octets a lease
//! query        mix → what is asked → octets
//! run          per thread: query → transport → flight (what is under way) → judge, check → tally, timeline
//! report       tallies of all threads, merged → text, JSON, .hgrm, a page with plots
//! ```
//!
//! Exit status: 0, every answer was right; 1, some were wrong; 2, it could not be done.
#![forbid(unsafe_code)]

mod fault;
mod hex;
mod leases;
mod make_leases;
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
    Compare(report::compare::Options),
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
        Command::Compare(options) => report::compare::compare(&options).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|fault| {
        eprintln!("lqload: {fault}");
        ExitCode::from(2)
    })
}

//! `lqd`: a DHCPv6 Leasequery server (RFC 5007) that stands beside the DHCPv6 server and answers from its leases.
//!
//! ```text
//! settings  flags and TOML → Settings        site     Settings + Kea's configuration → what is served
//! access    who may ask what, from flags and rows
//! serve     start-up, run, shutdown          worker   a batch of datagrams → replies, one for each core
//! check     the same reading, no serving     log      what is said, and how
//! taps      query log, discarded datagrams
//! board     what the program knows of itself admin    metrics, state and a page, over HTTP
//! sandbox   rights that are given up         watchdog signs of life for systemd
//! clock     steps of the clock are told      manual   man pages and completions
//! ```
#![forbid(unsafe_code)]

mod access;
mod admin;
mod board;
mod check;
mod clock;
mod crew;
mod example;
mod log;
mod manual;
mod sandbox;
mod serve;
mod settings;
mod site;
mod taps;
mod watchdog;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use settings::{Command, CommandLine, Settings};

/// Why the program ends without having done its work.
enum Failure {
    /// Arguments, settings or files cannot be used: exit status 2.
    Unusable(Box<dyn std::error::Error + Send + Sync>),
    /// It failed while running: exit status 1.
    Running(Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    fn unusable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unusable(error.into())
    }

    fn running(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Running(error.into())
    }
}

fn main() -> ExitCode {
    let done = match &CommandLine::parse().command {
        Command::Serve(flags) => Settings::read(flags)
            .map_err(Failure::unusable)
            .and_then(|settings| serve::serve(flags, settings)),
        Command::Check(flags) => {
            Settings::read(flags).map_err(Failure::unusable).and_then(|settings| check::check(&settings))
        }
        Command::Man { folder } => manual::man(folder),
        Command::Completions { folder } => manual::completions(folder),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Unusable(error)) => {
            eprintln!("lqd: {error}");
            ExitCode::from(2)
        }
        Err(Failure::Running(error)) => {
            eprintln!("lqd: {error}");
            ExitCode::FAILURE
        }
    }
}

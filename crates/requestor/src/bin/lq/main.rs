//! `lq`: queries DHCPv6 servers for the client of an address, the bindings of a client (RFC 5007), or all
//! bindings of a relay agent or link (RFC 5460), as `dig` queries DNS servers.
//!
//! ```text
//! command_line  flags and their help        setup    flags → requestor, plan, query
//! single        one query                   batch    many, from a file
//! bulk          one query over TCP, a stream of answers
//! follow        a table kept equal to a server's, and its changes
//! human, json   a lookup as a page, or as a line for programs
//! trace         --trace                     tls      certificates of --tls
//! manual        man page and completions
//! ```
#![forbid(unsafe_code)]

mod batch;
mod bulk;
mod command_line;
mod error;
mod exit;
mod follow;
mod format;
mod human;
mod json;
mod manual;
mod request;
mod server;
mod setup;
mod single;
mod time;
mod tls;
mod trace;

#[cfg(test)]
mod bulk_fuzz;
#[cfg(test)]
mod kea_answers;
#[cfg(test)]
mod kea_bulk_answers;
#[cfg(test)]
mod reply_fuzz;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use command_line::{Command, CommandLine};
use error::Error;
use exit::Exit;

/// The global allocator.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let line = CommandLine::parse(); // exits with status 2 on a usage error
    match run(line) {
        Ok(exit) => exit.into(),
        Err(error) => {
            if !error.is_closed_pipe() {
                trace::say(format_args!("lq: {error}\n"));
            }
            Exit::Usage.into()
        }
    }
}

/// Runs the command and returns the exit status.
fn run(line: CommandLine) -> Result<Exit, Error> {
    let runtime =
        || tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::Runtime);
    match (line.command, line.options.file.is_some()) {
        (Some(Command::Completions { shell }), false) => manual::completions(shell).map_err(Error::Output)?,
        (Some(Command::Man), false) => manual::man_page().map_err(Error::Output)?,
        (Some(Command::Addr { address }), false) => {
            let query = setup::query(lqd_requestor::Target::Address(address), &line.options);
            return runtime()?.block_on(single::run(&query, &line.options));
        }
        (Some(Command::Duid { duid }), false) => {
            let query = setup::query(lqd_requestor::Target::Client(duid), &line.options);
            return runtime()?.block_on(single::run(&query, &line.options));
        }
        (Some(Command::Bulk(flags)), false) => {
            let query = bulk::query(&flags, &line.options)?;
            return runtime()?.block_on(bulk::run(&query, &flags, &line.options));
        }
        (Some(Command::Follow(flags)), false) => {
            let query = follow::query(&flags, &line.options)?;
            return runtime()?.block_on(follow::run(query, &flags, &line.options));
        }
        (None, true) => return runtime()?.block_on(batch::run(&line.options)),
        (Some(_), true) => return Err(Error::FileWithCommand),
        (None, false) => {
            CommandLine::command().print_help().map_err(Error::Output)?;
            return Ok(Exit::Usage);
        }
    }
    Ok(Exit::Found)
}

//! `lq`: asks DHCPv6 servers who holds an address, or what a client holds (RFC 5007), as `dig` asks DNS servers.
//!
//! ```text
//! command_line  flags and their help        setup    flags → requestor, plan, query
//! single        one question                batch    many, from a file
//! human, json   a lookup as a page, or as a line for programs
//! watch         --trace                     manual   man page and completions
//! ```
#![forbid(unsafe_code)]

mod batch;
mod command_line;
mod exit;
mod human;
mod json;
mod manual;
mod request;
mod server;
mod setup;
mod shown;
mod single;
mod watch;

#[cfg(test)]
mod any_reply;
#[cfg(test)]
mod kea_answers;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use command_line::{Command, CommandLine};
use exit::Exit;

fn main() -> ExitCode {
    let line = CommandLine::parse(); // ends with status 2 by itself
    match run(line) {
        Ok(exit) => exit.into(),
        Err(error) => {
            if !is_closed_pipe(&*error) {
                watch::say(format_args!("lq: {error}\n"));
            }
            Exit::Usage.into()
        }
    }
}

/// Who reads has seen enough, as in `lq man | head`: nothing to complain about.
fn is_closed_pipe(error: &(dyn std::error::Error + 'static)) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// What cannot be started is an error, and is the user's to mend.
fn run(line: CommandLine) -> Result<Exit, Box<dyn std::error::Error>> {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    match (line.command, line.options.file.is_some()) {
        (Some(Command::Completions { shell }), false) => manual::completions(shell)?,
        (Some(Command::Man), false) => manual::man_page()?,
        (Some(Command::Addr { address }), false) => {
            let query = setup::query(lqd_requestor::Target::Address(address), &line.options);
            return runtime()?.block_on(single::run(&query, &line.options));
        }
        (Some(Command::Duid { duid }), false) => {
            let query = setup::query(lqd_requestor::Target::Client(duid), &line.options);
            return runtime()?.block_on(single::run(&query, &line.options));
        }
        (None, true) => return runtime()?.block_on(batch::run(&line.options)),
        (Some(_), true) => {
            return Err("--file takes the questions from the file; give it without a command".into());
        }
        (None, false) => {
            CommandLine::command().print_help()?;
            return Ok(Exit::Usage);
        }
    }
    Ok(Exit::Found)
}

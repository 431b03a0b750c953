//! `lqd`: a DHCPv6 Leasequery server (RFC 5007) that answers beside the DHCPv6 server, from its leases.
//!
//! ```text
//! settings  flags and TOML → Settings        site      links, sources and policy that are served
//! runtime   start-up, workers, reload        observe   metrics, status, page, query log, discards
//! security  landlock, seccomp, capabilities  log       log lines to standard error
//! check     report of what serve would do    manual    man pages and completions
//! ```
#![forbid(unsafe_code)]

mod check;
mod error;
mod log;
mod manual;
mod observe;
mod runtime;
mod security;
mod settings;
mod site;

use std::io::Write as _;
use std::panic::{catch_unwind, resume_unwind, set_hook, take_hook};
use std::process::ExitCode;

use clap::Parser;
use lqd_index::NoRoomError;
use rustix::process::{Resource, getrlimit};

use error::ExitError;
use settings::{Command, CommandLine, Settings};

/// Allocator of all memory except mappings of the index and net; tests count allocations with another one.
#[cfg(all(feature = "mimalloc", not(test)))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    silence_no_room();
    if getrlimit(Resource::As).current.is_some() {
        lqd_net::share_one_arena();
    }
    let status = match CommandLine::try_parse() {
        Ok(command_line) => catch_unwind(|| run(&command_line.command)).unwrap_or_else(|panic| {
            // Any other panic is a bug.
            let no_room = panic.downcast::<NoRoomError>().unwrap_or_else(|panic| resume_unwind(panic));
            report(&ExitError::unusable(*no_room))
        }),
        Err(help_or_error) => print(&help_or_error),
    };
    log::finish();
    status
}

/// Silences the panic hook for [`NoRoomError`], which ends a thread by a panic and is reported where it is
/// caught.
fn silence_no_room() {
    let report = take_hook();
    set_hook(Box::new(move |panic| {
        if !panic.payload().is::<NoRoomError>() {
            report(panic);
        }
    }));
}

/// Prints help and version to standard output, errors to standard error.
fn print(help_or_error: &clap::Error) -> ExitCode {
    let printed = help_or_error.print().and_then(|()| std::io::stdout().flush());
    match printed {
        Err(error) if !help_or_error.use_stderr() => report(&check::cannot_print(&error)),
        _ => ExitCode::from(u8::try_from(help_or_error.exit_code()).unwrap_or(1)),
    }
}

fn run(command: &Command) -> ExitCode {
    let done = match command {
        Command::Serve(flags) => Settings::read(flags)
            .map_err(ExitError::unusable)
            .and_then(|settings| runtime::serve(flags, settings)),
        Command::Check(flags) => {
            Settings::read(flags).map_err(ExitError::unusable).and_then(|settings| check::check(&settings))
        }
        Command::Man { folder } => manual::man(folder),
        Command::Completions { folder } => manual::completions(folder),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

/// Prints the error that ends the program, and returns its exit status.
fn report(error: &ExitError) -> ExitCode {
    log::say(format!("lqd: {error}\n").as_bytes());
    ExitCode::from(error.status())
}

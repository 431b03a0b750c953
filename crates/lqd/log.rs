//! Logging: tracing to standard error, as text or JSON, in whole lines and without waiting.
//!
//! ```text
//! output  the queue and the writer thread     whole_lines  no torn line, even on a full disk
//! ```

mod output;
mod whole_lines;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io;
use std::panic::PanicHookInfo;
use std::sync::Arc;

use lqd_index::NoRoomError;
use signal_hook::consts::SIGXFSZ;
use tracing::error;
use tracing_subscriber::EnvFilter;

use crate::error::ExitError;
use crate::settings::{LogFormat, Settings};

pub(crate) use output::{finish, lost, say, say_queries, start_writing, write_waiting};
pub(crate) use whole_lines::{WholeLines, count};

/// Target of the ready line, written regardless of the filter.
pub(crate) const READY: &str = "lqd::ready";

/// Target of lines about panics, written regardless of the filter.
const PANIC: &str = "lqd::panic";

/// Starts logging as the settings say. Lines wait until [`start_writing`].
pub(crate) fn start(settings: &Settings) -> Result<(), ExitError> {
    // Makes a file size limit (RLIMIT_FSIZE) an error like a full disk, instead of the end of the process.
    signal_hook::flag::register(SIGXFSZ, Arc::default()).map_err(ExitError::running)?;
    let filter = EnvFilter::try_new(&settings.log).map_err(ExitError::unusable)?;
    let always = |target: &str| format!("{target}=info").parse().map_err(ExitError::unusable);
    let filter = filter.add_directive(always(READY)?).add_directive(always(PANIC)?);
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Line);
    match settings.log_format {
        LogFormat::Text => subscriber.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
        LogFormat::Json => subscriber.json().flatten_event(true).init(),
    }
    // The hook of the standard library would wait for the reader of standard error.
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    if let Some(no_room) = panic.payload().downcast_ref::<NoRoomError>() {
        return error!(target: PANIC, "{no_room}"); // not a bug, and a reload survives it
    }
    let thread = std::thread::current();
    let (thread, message) = (thread.name().unwrap_or("unnamed"), panic.payload_as_str().unwrap_or("no text"));
    let place = panic.location().map(tracing::field::display);
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    error!(target: PANIC, thread, message, place, backtrace, "thread panicked: this is a bug; report it with this line");
}

/// Writer of one event; tracing writes each with one call.
struct Line;

impl io::Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        say(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

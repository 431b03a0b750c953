//! Signals, obeyed at any moment: polled during start-up, forwarded by a thread while serving.

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use crossbeam::channel::{RecvTimeoutError, Sender, bounded};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tracing::info;

use super::event::Event;
use super::service_manager;
use crate::error::ExitError;
use crate::security::Sandbox;

/// Interval at which start-up polls for signals.
const POLL_EVERY: Duration = Duration::from_millis(10);

/// Signals that lqd handles: SIGTERM, SIGINT and SIGHUP.
pub(super) struct ProgramSignals {
    signals: Signals,
    /// SIGHUP arrived during start-up.
    reload_wanted: bool,
}

/// Reason for ending start-up early.
pub(super) enum Interrupted {
    /// SIGTERM or SIGINT: the program ends with status 0.
    Signal,
    /// Error of a phase.
    Error(ExitError),
}

impl<E: Into<ExitError>> From<E> for Interrupted {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl ProgramSignals {
    /// Keeps the signals from ending the process; they wait until polled.
    pub(super) fn new() -> Result<Self, ExitError> {
        // SIGHUP too: by default it would end a process that is not ready to reload.
        let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(ExitError::running)?;
        Ok(Self { signals, reload_wanted: false })
    }

    /// Runs work that may take long or hang on a thread of its own, without capabilities if a sandbox is
    /// given.
    ///
    /// # Errors
    /// The error of `work`, or a signal to stop; the thread then ends with the process, and the log names
    /// `waiting_for`.
    pub(super) fn during<T: Send + 'static>(
        &mut self,
        waiting_for: &'static str,
        sandbox: Option<&Sandbox>,
        work: impl FnOnce() -> Result<T, ExitError> + Send + 'static,
    ) -> Result<T, Interrupted> {
        let (done, result) = bounded(1);
        let run = move || {
            // The receiver is gone after a signal.
            let _ = done.send(work());
        };
        let spawn = || thread::Builder::new().name("lqd-start".to_owned()).spawn(run);
        let thread = match sandbox {
            Some(sandbox) => sandbox.without_capabilities(spawn)?,
            None => spawn()?,
        };
        loop {
            match result.recv_timeout(POLL_EVERY) {
                Ok(result) => {
                    // The sandbox must find no thread that it does not confine.
                    let _ = thread.join();
                    return Ok(result?);
                }
                // Without a result there was a panic, which goes on here.
                Err(RecvTimeoutError::Disconnected) => match thread.join() {
                    Err(panic) => resume_unwind(panic),
                    Ok(()) => unreachable!("it sends a result unless it panics"),
                },
                Err(RecvTimeoutError::Timeout) if self.stop_wanted(waiting_for) => {
                    service_manager::notify(&NotifyState::Stopping);
                    return Err(Interrupted::Signal);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn stop_wanted(&mut self, waiting_for: &'static str) -> bool {
        for signal in self.signals.pending() {
            // A reload waits until there is something to replace.
            if signal != SIGHUP {
                info!(signal, waiting_for, "stopping before the start is complete");
                return true;
            }
            self.reload_wanted = true;
        }
        false
    }

    /// Forwards signals to the main thread from now on.
    pub(super) fn forward(mut self, events: Sender<Event>) -> Result<(), ExitError> {
        if self.reload_wanted {
            // The caller holds the receiver.
            let _ = events.send(Event::Signal(SIGHUP));
        }
        let watch = move || {
            for signal in self.signals.forever() {
                if events.send(Event::Signal(signal)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("lqd-signals".to_owned()).spawn(watch)?;
        Ok(())
    }
}

//! Signals, obeyed whatever the program waits for: by polling while it starts, by a thread of their own while it serves.

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use crossbeam::channel::{RecvTimeoutError, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tracing::info;

use super::serve::Event;
use crate::Failure;
use crate::security::Sandbox;

/// Time between two looks for signals while work of the start is under way.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The signals that lqd obeys.
pub(crate) struct ProgramSignals {
    signals: Signals,
    /// SIGHUP came during the start.
    reload_wanted: bool,
}

impl ProgramSignals {
    /// Keeps SIGTERM, SIGINT and SIGHUP from ending the process; they wait until they are looked for.
    pub(crate) fn new() -> Result<Self, Failure> {
        let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(Failure::running)?;
        Ok(Self { signals, reload_wanted: false })
    }

    /// Does work of the start that may take long, or never end, on a thread of its own: without capabilities if a
    /// sandbox is given. `None` once a signal says to stop; the thread then ends with the process, and the log says
    /// what was waited for.
    ///
    /// # Errors
    /// As of the work.
    pub(crate) fn during<T: Send + 'static>(
        &mut self,
        waiting_for: &'static str,
        sandbox: Option<&Sandbox>,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<Option<T>, Failure> {
        let (done, result) = bounded(1);
        let run = move || {
            let _ = done.send(work()); // nobody waits any more after a signal
        };
        let spawn = || thread::Builder::new().name("lqd-start".to_owned()).spawn(run);
        let thread = match sandbox {
            Some(sandbox) => sandbox.without_capabilities(spawn)?,
            None => spawn()?,
        };
        loop {
            match result.recv_timeout(LOOK_EVERY) {
                Ok(result) => {
                    // The sandbox must find no thread that it does not confine.
                    let _ = thread.join();
                    return result.map(Some);
                }
                Err(RecvTimeoutError::Disconnected) => match thread.join() {
                    Err(panic) => resume_unwind(panic),
                    Ok(()) => unreachable!("it sends a result unless it panics"),
                },
                Err(RecvTimeoutError::Timeout) if self.stop_wanted(waiting_for) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn stop_wanted(&mut self, waiting_for: &'static str) -> bool {
        for signal in self.signals.pending() {
            if signal != SIGHUP {
                info!(signal, waiting_for, "stopping before the start is complete");
                return true;
            }
            self.reload_wanted = true;
        }
        false
    }

    /// Hands signals to the main thread from now on.
    pub(crate) fn forward(mut self, events: Sender<Event>) -> Result<(), Failure> {
        if self.reload_wanted {
            let _ = events.send(Event::Signal(SIGHUP)); // the caller has the receiver
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

//! Keep-alive messages for systemd (`WatchdogSec=`), sent while the main thread runs and no worker stalls.
//!
//! A worker or feed that *ends* ends the process at once; the watchdog is for workers that hang. A feed that
//! hangs, for instance on a dead network file system, does not count: a restart would hang on the same file,
//! and the known leases would no longer be answered.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tracing::error;

use super::service_manager;

/// Keep-alive messages in the time after which systemd ends the service.
const MESSAGES: u32 = 4;

/// Schedule of keep-alive messages.
pub(super) struct Watchdog {
    /// Time between two messages; `None` if systemd expects none.
    every: Option<Duration>,
    next: Instant,
}

impl Watchdog {
    /// Reads the interval from the service manager (`WATCHDOG_USEC`).
    pub(super) fn new() -> Self {
        let every = sd_notify::watchdog_enabled().map(|wait| wait / MESSAGES);
        Self { every, next: Instant::now() }
    }

    /// Longest time that the main thread may wait for events.
    pub(super) fn pause(&self) -> Duration {
        self.every.unwrap_or(Duration::MAX)
    }

    /// Sends a message if one is due and `stalled` returns no worker.
    pub(super) fn check(&mut self, stalled: impl FnOnce() -> Option<usize>) {
        let now = Instant::now();
        let Some(every) = self.every.filter(|_| now >= self.next) else { return };
        self.next = now + every;
        match stalled() {
            // A query that arrived this instant looks the same; the next check tells them apart.
            Some(worker) => {
                error!(worker, "worker stalled with queries queued: withholding the watchdog keep-alive");
            }
            None => {
                // An error was logged when the ready message failed.
                let _ = service_manager::send(&NotifyState::Watchdog);
            }
        }
    }
}

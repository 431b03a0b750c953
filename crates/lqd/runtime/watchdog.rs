//! Signs of life for systemd (`WatchdogSec=`): given as long as the main thread runs and workers take what waits.
//!
//! A worker or a feed that *ends* ends the process at once; this is for workers that hang. A feed that hangs, on a
//! dead network file system for instance, is none of the watchdog's business: a restart would not get past the same
//! file, and the leases that are known would not be answered any more.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tracing::error;

use super::service_manager;
use super::workers::Crew;

/// Signs that fit into the time that systemd waits for one.
const SIGNS: u32 = 4;

/// When the next sign is due.
pub(crate) struct Watchdog {
    /// Between two signs; `None`: nobody waits for them.
    every: Option<Duration>,
    next: Instant,
}

impl Watchdog {
    /// As the service manager wants it (`WATCHDOG_USEC`).
    pub(crate) fn new() -> Self {
        let every = sd_notify::watchdog_enabled().map(|wait| wait / SIGNS);
        Self { every, next: Instant::now() }
    }

    /// How long the main thread may wait for something to happen.
    pub(crate) fn pause(&self) -> Duration {
        self.every.unwrap_or(Duration::MAX)
    }

    /// Gives a sign if one is due and no worker hangs.
    pub(crate) fn look(&mut self, crew: &mut Crew) {
        let now = Instant::now();
        let Some(every) = self.every.filter(|_| now >= self.next) else { return };
        self.next = now + every;
        match crew.idle_beside_work() {
            // A query that came this instant looks the same; the next look tells them apart.
            Some(worker) => error!(worker, "a worker lets queries wait; no sign of life to systemd"),
            None => {
                // An error was told when "ready" was.
                let _ = service_manager::send(&NotifyState::Watchdog);
            }
        }
    }
}

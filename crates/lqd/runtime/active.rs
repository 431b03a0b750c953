//! Active leasequery (RFC 7653): the log of changes, the signal that it grows, and the watch on valid
//! lifetimes.
//!
//! Sessions are those of [`bulk`](super::bulk), whose connections they use.

mod expiry;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crossbeam::channel::Sender;
use lqd_answer::bulk::ActiveOffer;
use lqd_index::{ChangeLog, ChangeLogLimits, ExpiryWatch, Store};
use tokio::sync::watch;

use super::event::Event;
use crate::error::ExitError;
use crate::observe::active::ActiveLogState;
use crate::observe::state::ServerState;
use crate::observe::unix_time;
use crate::settings::{ActiveTransport, Settings};
pub(super) use expiry::Expiry;

/// Log of changes, from before the first load on.
pub(super) struct Active {
    log: ChangeLog,
    growth: Arc<watch::Sender<()>>,
    expiry: ExpiryWatch,
}

/// Inputs of sessions, and of the threads that serve them.
#[derive(Clone)]
pub(super) struct ActiveService {
    pub(super) offer: ActiveOffer,
    pub(super) growth: watch::Receiver<()>,
    /// Longest time for a requestor to take one send buffer.
    pub(super) send_timeout: Duration,
    pub(super) requires_tls: bool,
}

/// Wakes sessions, whatever they wait for.
#[derive(Clone)]
pub(super) struct Waker(Arc<watch::Sender<()>>);

impl Active {
    /// Creates the log; `None` if active leasequery is off.
    pub(super) fn new(settings: &Settings) -> Option<Self> {
        if settings.active == ActiveTransport::Off {
            return None;
        }
        let limits = ChangeLogLimits {
            seconds: settings.active_history,
            bytes: settings.active_history_size.saturating_mul(1 << 20),
        };
        let log = ChangeLog::new(limits, unix_seconds);
        let growth = Arc::new(watch::Sender::new(()));
        let on_growth = Arc::clone(&growth);
        log.notify(move || on_growth.send_replace(()));
        // Before the log begins: no lifetime ends between the two.
        let expiry = ExpiryWatch::new(log.clone(), unix_seconds());
        Some(Self { log, growth, expiry })
    }

    /// The log, to be filled by a writer's observer.
    pub(super) fn log(&self) -> &ChangeLog {
        &self.log
    }

    /// Returns the inputs of sessions.
    pub(super) fn service(&self, settings: &Settings) -> ActiveService {
        ActiveService {
            offer: ActiveOffer { log: self.log.clone(), idle: settings.active_idle_timeout },
            growth: self.growth.subscribe(),
            send_timeout: settings.active_send_timeout,
            requires_tls: settings.active == ActiveTransport::Tls,
        }
    }

    /// Returns the part that is observed.
    pub(super) fn observed(&self) -> Arc<ActiveLogState> {
        Arc::new(ActiveLogState::new(self.log.clone()))
    }

    /// Returns a waker of the sessions.
    pub(super) fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.growth))
    }

    /// Starts the watch on valid lifetimes, on a thread with the rights of this one.
    pub(super) fn watch_expiry(
        self,
        store: &Arc<Store>,
        state: &Arc<ServerState>,
        workers: &[usize],
        events: Sender<Event>,
    ) -> Result<Expiry, ExitError> {
        Expiry::start(self.expiry, store, state, workers, events)
    }
}

impl Waker {
    /// Wakes all sessions of active queries.
    pub(super) fn wake(&self) {
        self.0.send_replace(());
    }
}

fn unix_seconds() -> u32 {
    u32::try_from(unix_time(SystemTime::now()).as_secs()).unwrap_or(u32::MAX)
}

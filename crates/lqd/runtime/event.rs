//! Events that the main thread acts on, sent by workers, the feed, the signal thread and reloads.

use crossbeam::channel::Sender;
use lqd_answer::Engine;

use crate::error::ExitError;
use crate::observe::taps::Prepared;
use crate::observe::tls::TlsOffer;
use crate::settings::Settings;

/// Event for the main thread.
pub(crate) enum Event {
    /// A signal arrived.
    Signal(i32),
    /// A worker is pinned and receives.
    WorkerStarted,
    /// A worker's thread ended; the reason is known unless it panicked.
    WorkerEnded(usize, Option<String>),
    /// A thread of bulk leasequery ended.
    BulkEnded(usize),
    /// The thread that finds expired leases ended.
    ExpiryEnded,
    /// The feed's thread ended.
    FeedEnded,
    /// A reload ended.
    Reloaded(Box<Result<Reloaded, ExitError>>),
}

/// A configuration that was read and checked, and that the feed already follows.
pub(crate) struct Reloaded {
    pub(crate) settings: Settings,
    pub(crate) engine: Engine,
    pub(crate) taps: Prepared,
    pub(crate) tls: TlsOffer,
}

/// Sends an event when its thread ends, also by a panic, unless dismissed before.
pub(crate) struct ExitNotifier {
    events: Sender<Event>,
    event: Option<Event>,
}

impl ExitNotifier {
    /// Sends `event` when dropped.
    pub(crate) fn new(events: Sender<Event>, event: Event) -> Self {
        Self { events, event: Some(event) }
    }

    /// Sends `event` instead.
    pub(crate) fn replace(&mut self, event: Event) {
        self.event = Some(event);
    }

    /// Sends nothing: the thread was told to end.
    pub(crate) fn dismiss(&mut self) {
        self.event = None;
    }
}

impl Drop for ExitNotifier {
    fn drop(&mut self) {
        if let Some(event) = self.event.take() {
            // The receiver is gone once the program ends.
            let _ = self.events.send(event);
        }
    }
}

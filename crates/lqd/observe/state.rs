//! Counters of the workers and state of the program, written while it starts and runs, read by the admin
//! port.

use std::net::SocketAddrV6;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use lqd_answer::{BATCH_MAX, Outcome, QueryClass};
use lqd_feed::{FeedWatch, SourceState};
use lqd_index::Store;
use lqd_net::NetCounters;
use lqd_stats::{Counters, Histogram, Top};

use super::bulk::BulkState;
use super::census::Census;
use super::taps::{LogCounts, Taps};
use super::tls::TlsState;

/// Reason for stale leases while the lease source reports no trouble.
pub(crate) const NO_TROUBLE: &str = "rows come in faster than they are taken, or the lease source hangs";

/// Number of query classes.
pub(crate) const QUERY_CLASSES: usize = QueryClass::TABLE.len();

/// Number of outcomes of a datagram.
pub(crate) const OUTCOMES: usize = Outcome::TABLE.len();

/// Counters of one worker, written by it alone and read by others.
#[derive(Default)]
pub(crate) struct WorkerCounters {
    /// Datagrams by outcome and query class: position `outcome * QUERY_CLASSES + class`.
    datagrams: Counters<{ OUTCOMES * QUERY_CLASSES }>,
    /// Batches by the number of their datagrams.
    pub(crate) batches: Counters<{ BATCH_MAX + 1 }>,
    /// Time from the start of a batch until its replies are handed to be sent, recorded once for each reply.
    pub(crate) answer_times: Histogram,
    /// Datagrams by source address.
    pub(crate) sources: Top,
    /// Counters of its sockets and its ring.
    pub(crate) net: Arc<NetCounters>,
}

impl WorkerCounters {
    /// Counts one datagram; called by the worker only.
    pub(crate) fn count(&self, outcome: Outcome, class: QueryClass) {
        self.datagrams.count(outcome as usize * QUERY_CLASSES + class as usize);
    }

    /// Returns the datagrams by outcome, in the order of [`Outcome::TABLE`], and within by [`QueryClass`].
    pub(crate) fn datagrams(&self) -> [[u64; QUERY_CLASSES]; OUTCOMES] {
        let counts = self.datagrams.read();
        std::array::from_fn(|outcome| std::array::from_fn(|class| counts[outcome * QUERY_CLASSES + class]))
    }
}

/// State of the program.
pub(crate) struct ServerState {
    /// Start of the program, monotonic clock.
    pub(crate) started: Instant,
    /// Start of the program, system clock.
    pub(crate) started_at: SystemTime,
    /// Set once queries are answered.
    pub(crate) serving: OnceLock<ServingState>,
    /// Reloads that were applied.
    pub(crate) reloads: AtomicU64,
    /// Reloads that were rejected.
    pub(crate) rejected_reloads: AtomicU64,
    /// The latest census of leases; none before the first one is complete.
    pub(super) census: ArcSwapOption<Census>,
    stopping: AtomicBool,
    stale: AtomicBool,
    max_feed_age: AtomicU64,
    awaited: Mutex<Option<String>>,
}

/// State of the program while it serves.
pub(crate) struct ServingState {
    /// Listen addresses.
    pub(crate) listen: Vec<SocketAddrV6>,
    /// Leases and links.
    pub(crate) store: Arc<Store>,
    /// State of the lease sources.
    pub(crate) feed: FeedWatch,
    /// Counters of the workers, in order.
    pub(crate) workers: Vec<Arc<WorkerCounters>>,
    /// Query log and kept discards.
    pub(crate) taps: Arc<ArcSwapOption<Taps>>,
    /// Records of the query log by result.
    pub(crate) log_counts: Arc<LogCounts>,
    /// Counters of bulk leasequery, if it is offered.
    pub(crate) bulk: Option<Arc<BulkState>>,
    /// Certificates of TLS, and their renewal.
    pub(crate) tls: Arc<TlsState>,
}

impl ServerState {
    /// Creates the state of a program that has just started.
    pub(crate) fn new(max_feed_age: Duration) -> Self {
        Self {
            started: Instant::now(),
            started_at: SystemTime::now(),
            serving: OnceLock::new(),
            reloads: AtomicU64::new(0),
            rejected_reloads: AtomicU64::new(0),
            census: ArcSwapOption::empty(),
            stopping: AtomicBool::new(false),
            stale: AtomicBool::new(false),
            max_feed_age: AtomicU64::new(max_feed_age.as_secs()),
            awaited: Mutex::new(None),
        }
    }

    /// Returns whether queries are answered as by stale leases.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    /// Sets whether leases are stale.
    pub(crate) fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Ordering::Relaxed);
    }

    /// Returns the age from which on leases are stale.
    pub(crate) fn max_feed_age(&self) -> Duration {
        Duration::from_secs(self.max_feed_age.load(Ordering::Relaxed))
    }

    /// Sets the age from which on leases are stale.
    pub(crate) fn set_max_feed_age(&self, age: Duration) {
        self.max_feed_age.store(age.as_secs(), Ordering::Relaxed);
    }

    /// Sets the reason for which start-up waits.
    pub(crate) fn set_awaited(&self, reason: Option<String>) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Notes that the program stops.
    pub(crate) fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Returns the reason why queries should go to another server, or `None` if this one is ready.
    pub(crate) fn unready(&self) -> Option<String> {
        if self.stopping.load(Ordering::Relaxed) {
            return Some("stopping".to_owned());
        }
        let Some(serving) = self.serving.get() else {
            let awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
            let reason = awaited.as_deref().unwrap_or("the first snapshot is not complete");
            return Some(format!("starting: {reason}"));
        };
        let state = serving.feed.state();
        if !self.is_stale() {
            let source = state.incomplete()?;
            let loading = || format!("the {} is being reloaded", source.source.kind);
            let reason = source.trouble.clone().unwrap_or_else(loading);
            return Some(format!("leases are incomplete: {}", about(&state.sources, source, reason)));
        }
        let oldest = state.oldest()?;
        let reason = oldest.trouble.clone().unwrap_or_else(|| NO_TROUBLE.to_owned());
        let (age, reason) = (state.age().as_secs(), about(&state.sources, oldest, reason));
        Some(format!("leases are stale: last certain {age} s ago; {reason}"))
    }
}

/// A reason with the name of its source, where there are several.
fn about(sources: &[SourceState], source: &SourceState, reason: String) -> String {
    if sources.len() > 1 { format!("{}: {reason}", source.label) } else { reason }
}

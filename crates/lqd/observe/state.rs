//! What the program knows of itself, for those who watch it: filled in as it starts, read by the admin port.

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

use super::taps::{LogCounts, Taps};

/// Why leases grow old although the lease source is in no trouble.
pub(crate) const NO_TROUBLE: &str = "rows come in faster than they are taken, or the lease source hangs";

/// Classes of queries.
pub(crate) const QUERY_CLASSES: usize = QueryClass::TABLE.len();

/// Ways in which a datagram ends.
pub(crate) const OUTCOMES: usize = Outcome::TABLE.len();

/// What one worker counts. One writer, the worker; the others read.
#[derive(Default)]
pub(crate) struct WorkerBooks {
    /// Datagrams by outcome and query class: position `outcome * QUERY_CLASSES + class`.
    datagrams: Counters<{ OUTCOMES * QUERY_CLASSES }>,
    /// Batches by how many datagrams they held.
    pub(crate) batches: Counters<{ BATCH_MAX + 1 }>,
    /// From the time when a batch is taken up to when its replies are handed to be sent; one time for each reply.
    pub(crate) answer_times: Histogram,
    /// Datagrams by source address.
    pub(crate) sources: Top,
    /// What its sockets and its ring count.
    pub(crate) net: Arc<NetCounters>,
}

impl WorkerBooks {
    /// Counts one datagram; its own worker only.
    pub(crate) fn count(&self, outcome: Outcome, class: QueryClass) {
        self.datagrams.count(outcome as usize * QUERY_CLASSES + class as usize);
    }

    /// Datagrams by outcome, in the order of [`Outcome::TABLE`], and within by [`QueryClass`].
    pub(crate) fn datagrams(&self) -> [[u64; QUERY_CLASSES]; OUTCOMES] {
        let counts = self.datagrams.read();
        std::array::from_fn(|outcome| std::array::from_fn(|class| counts[outcome * QUERY_CLASSES + class]))
    }
}

/// The program, as it is seen from outside.
pub(crate) struct Board {
    /// When it started.
    pub(crate) started: Instant,
    /// The same on the wall's clock.
    pub(crate) started_at: SystemTime,
    /// Set when queries are answered.
    pub(crate) serving: OnceLock<Serving>,
    /// How often settings were read again and taken over.
    pub(crate) reloads: AtomicU64,
    /// How often they were read again and refused.
    pub(crate) refused_reloads: AtomicU64,
    stopping: AtomicBool,
    stale: AtomicBool,
    max_feed_age: AtomicU64,
    awaited: Mutex<Option<String>>,
}

/// What answers queries.
pub(crate) struct Serving {
    /// Where it listens.
    pub(crate) listen: Vec<SocketAddrV6>,
    /// Leases and links.
    pub(crate) store: Arc<Store>,
    /// Where they come from.
    pub(crate) feed: FeedWatch,
    /// The workers, in order.
    pub(crate) workers: Vec<Arc<WorkerBooks>>,
    /// What is taken aside for diagnosis.
    pub(crate) taps: Arc<ArcSwapOption<Taps>>,
    /// What became of the query log's records.
    pub(crate) log_counts: Arc<LogCounts>,
}

impl Board {
    /// A program that has just started.
    pub(crate) fn new(max_feed_age: Duration) -> Self {
        Self {
            started: Instant::now(),
            started_at: SystemTime::now(),
            serving: OnceLock::new(),
            reloads: AtomicU64::new(0),
            refused_reloads: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            stale: AtomicBool::new(false),
            max_feed_age: AtomicU64::new(max_feed_age.as_secs()),
            awaited: Mutex::new(None),
        }
    }

    /// Whether leases are stale, as queries are answered now.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale.load(Ordering::Relaxed)
    }

    /// Notes that leases have become stale, or are so no more.
    pub(crate) fn set_stale(&self, stale: bool) {
        self.stale.store(stale, Ordering::Relaxed);
    }

    /// From this age on leases are stale.
    pub(crate) fn max_feed_age(&self) -> Duration {
        Duration::from_secs(self.max_feed_age.load(Ordering::Relaxed))
    }

    /// Notes another such age.
    pub(crate) fn set_max_feed_age(&self, age: Duration) {
        self.max_feed_age.store(age.as_secs(), Ordering::Relaxed);
    }

    /// Notes what the start waits for.
    pub(crate) fn set_awaited(&self, reason: Option<String>) {
        *self.awaited.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Notes that no more is received.
    pub(crate) fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Why queries had better be sent to another server now; `None`: they had not.
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

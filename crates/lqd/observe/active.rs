//! Active leasequery as it is observed: the change log, and the requestors that follow it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lqd_answer::bulk::ActiveState;
use lqd_index::{ChangeLog, ChangeLogStatistics};
use serde_json::{Value, json};

use super::bulk::counts;

/// The change log and its readers.
pub(crate) struct ActiveLogState {
    log: ChangeLog,
    readers: Mutex<Vec<Arc<ReaderState>>>,
}

/// One active query, written by its thread.
#[derive(Default)]
pub(crate) struct ReaderState {
    /// Sequence of the entry that is read next.
    next: AtomicU64,
    /// 1 once the catch-up, if any, is over.
    live: AtomicU64,
}

/// Figures at one moment.
pub(super) struct ActiveFigures {
    pub(super) sessions: u64,
    /// Sessions that are still sent changes that they had missed.
    pub(super) catching_up: u64,
    /// Entries that the slowest reader has not read.
    pub(super) behind: u64,
    pub(super) log: ChangeLogStatistics,
}

impl ActiveLogState {
    pub(crate) fn new(log: ChangeLog) -> Self {
        Self { log, readers: Mutex::default() }
    }

    /// Registers an active query.
    pub(crate) fn begin(&self) -> Arc<ReaderState> {
        let reader = Arc::new(ReaderState::default());
        self.readers().push(Arc::clone(&reader));
        reader
    }

    /// Removes an active query that has ended.
    pub(crate) fn end(&self, reader: &Arc<ReaderState>) {
        self.readers().retain(|other| !Arc::ptr_eq(other, reader));
    }

    /// Takes the progress of an active query.
    pub(crate) fn note(&self, reader: &ReaderState, state: ActiveState) {
        reader.next.store(self.log.end().saturating_sub(state.behind), Ordering::Relaxed);
        reader.live.store(state.is_live.into(), Ordering::Relaxed);
    }

    /// Returns all figures.
    pub(super) fn figures(&self) -> ActiveFigures {
        let (log, end) = (self.log.statistics(), self.log.end());
        let readers = self.readers();
        let next = |reader: &Arc<ReaderState>| reader.next.load(Ordering::Relaxed);
        let live: u64 = readers.iter().map(|reader| reader.live.load(Ordering::Relaxed)).sum();
        let sessions = readers.len() as u64;
        let behind = readers.iter().map(next).min().map_or(0, |next| end.saturating_sub(next));
        ActiveFigures { sessions, catching_up: sessions - live.min(sessions), behind, log }
    }

    /// Returns the status of active leasequery.
    pub(super) fn json(&self) -> Value {
        let ActiveFigures { sessions, catching_up, behind, log } = self.figures();
        json!({
            "sessions": sessions,
            "catching_up": catching_up,
            "behind_entries": behind,
            "log": {
                "entries": log.entries,
                "bytes": log.bytes,
                "oldest": log.oldest,
                "overwritten": log.overwritten,
                "appended": counts(log.appended.into_iter()),
            },
        })
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Arc<ReaderState>>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

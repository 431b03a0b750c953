//! A bounded log of changes, for readers that follow the leases at a pace of their own; `DESIGN.md` compares
//! the designs.
//!
//! ```text
//! Writer ── observer ── piece ──┐ one lock, briefly              ┌── chunk ── reader
//!                               ├── chunk, chunk, chunk … chunk ─┤
//! expiry by time ────── piece ──┘   oldest          newest       └── chunk ── reader
//! ```
//! An entry says only that a lease of a client changed; the index has its state. Thus entries that are read
//! late, twice, or many together can make no reader wrong, and one that reads none sees its overrun.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use super::ChangeObserver;

mod chunk;
mod entry;
mod expiry;
mod observer;
#[cfg(test)]
mod tests;
mod unreadable;

pub use chunk::LogChunk;
pub use entry::{LoggedChange, LoggedEvent, LoggedLease};
pub use expiry::{ExpiryWatch, SweepProgress};

use chunk::{ChunkData, Piece};
use entry::EVENTS;
use observer::LogObserver;

/// Most octets of a chunk of many entries.
const OCTETS_MAX: usize = 1 << 16;

/// Octets up to which a chunk is copied if it grows while a reader holds it: else each reader that holds
/// the newest chunk would begin another one.
const COPIED_MAX: usize = 1 << 12;

/// Chunks over which the history is spread at least, so that entries leave soon after their time.
const CHUNKS_MIN: u32 = 16;

/// Seconds that entries are kept for readers at work if there is no history.
const SECONDS_MIN: u32 = 10;

/// Bounds of a [`ChangeLog`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeLogLimits {
    /// Seconds for which entries are kept at least, unless they take more than `bytes`; 0: no history, but
    /// readers have some seconds to read what comes.
    pub seconds: u32,
    /// Bytes of memory that entries may take; the newest chunk stays, whatever it takes.
    pub bytes: usize,
}

/// Numbers about a [`ChangeLog`], for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeLogStatistics {
    /// Entries held.
    pub entries: u64,
    /// Bytes of memory that they take.
    pub bytes: usize,
    /// Second in which the oldest entry held was published.
    pub oldest: Option<u32>,
    /// Entries that left before their time, for want of memory.
    pub overwritten: u64,
    /// Entries appended so far, by event: "put", a reason of a removal ("expired", "released", "declined",
    /// "reclaimed", "replaced", "gone"), "links-replaced" and "lost".
    pub appended: Vec<(&'static str, u64)>,
}

/// The entry asked for has left the log: its reader was too slow and must begin again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entries have left the change log before they were read; begin again")]
pub struct OverrunError;

/// A log of the changes of leases, bounded in time and memory. Clones are the same log.
///
/// ```
/// use lqd_index::{ChangeLog, ChangeLogLimits, Writer};
///
/// let log = ChangeLog::new(ChangeLogLimits { seconds: 600, bytes: 1 << 20 }, || 1_700_000_000);
/// let (mut writer, _store) = Writer::new();
/// writer.observe(log.observer());
/// writer.replace(&[], None);
/// let mut next = log.end();
/// while let Ok(Some(chunk)) = log.read(next) {
///     for change in chunk.iter() {
///         println!("{change:?}");
///     }
///     next = chunk.end();
/// }
/// ```
#[derive(Clone)]
pub struct ChangeLog(Arc<Shared>);

struct Shared {
    limits: ChangeLogLimits,
    clock: Box<dyn Fn() -> u32 + Send + Sync>,
    state: Mutex<State>,
    /// Second up to which all ends of valid lifetimes are in the log; 0 before an [`ExpiryWatch`] tells.
    ends_told: AtomicU32,
    on_growth: RwLock<Vec<Box<dyn Fn() + Send + Sync>>>,
}

/// Entries held, in chunks.
#[derive(Default)]
struct State {
    chunks: VecDeque<Arc<ChunkData>>,
    /// Sequence of the next entry.
    end: u64,
    /// First second of which all changes are in the log; `None` before the log begins.
    reach: Option<u32>,
    /// Second of the last entry.
    published: u32,
    bytes: usize,
    overwritten: u64,
    counts: [u64; EVENTS.len()],
    /// Earliest and latest second that the clock showed since a sweep of an [`ExpiryWatch`] began.
    clocks: Option<(u32, u32)>,
}

impl ChangeLog {
    /// A log that is empty, and begins with the first snapshot; `clock` returns UNIX seconds, and is called
    /// under the log's lock.
    pub fn new(limits: ChangeLogLimits, clock: impl Fn() -> u32 + Send + Sync + 'static) -> Self {
        let (clock, state, on_growth) = (Box::new(clock), Mutex::default(), RwLock::default());
        Self(Arc::new(Shared { limits, clock, state, ends_told: AtomicU32::new(0), on_growth }))
    }

    /// The observer that fills the log, for [`Writer::observe`](crate::Writer::observe) before the first
    /// load.
    ///
    /// The first snapshot begins the log, and is not logged; so do the first changes if there is none.
    pub fn observer(&self) -> Box<dyn ChangeObserver> {
        Box::new(LogObserver::new(self.clone()))
    }

    /// Calls `on_growth` after entries are appended, on the thread that appends them.
    pub fn notify(&self, on_growth: impl Fn() + Send + Sync + 'static) {
        self.0.on_growth.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(on_growth));
    }

    /// Sequence of the next entry. It is published no earlier than in the second that the clock showed before
    /// this call.
    pub fn end(&self) -> u64 {
        self.state().end
    }

    /// Sequence of the first entry published at or after this second, or of the next entry if there is none
    /// yet.
    ///
    /// `None` if the log does not have all changes from then on: they left it, or it began in that second or
    /// later, or [some were lost](LoggedEvent::Lost) since.
    pub fn since(&self, unix: u32) -> Option<u64> {
        let mut state = self.state();
        state.drop_old((self.0.clock)(), self.0.limits);
        if self.0.limits.seconds == 0 || state.reach.is_none_or(|reach| unix < reach) {
            return None;
        }
        let position = state.chunks.partition_point(|chunk| chunk.last_published() < unix);
        Some(state.chunks.get(position).and_then(|chunk| chunk.since(unix)).unwrap_or(state.end))
    }

    /// The entries from this sequence to the end of their chunk, at least one; `None` at the log's end.
    ///
    /// # Errors
    /// If the entry has left the log.
    pub fn read(&self, from: u64) -> Result<Option<LogChunk>, OverrunError> {
        let state = self.state();
        if from < state.first() {
            return Err(OverrunError);
        }
        let position = state.chunks.partition_point(|chunk| chunk.end() <= from);
        Ok(state.chunks.get(position).map(|chunk| LogChunk::new(Arc::clone(chunk), from)))
    }

    /// Numbers as they are now.
    pub fn statistics(&self) -> ChangeLogStatistics {
        let mut state = self.state();
        state.drop_old((self.0.clock)(), self.0.limits);
        ChangeLogStatistics {
            entries: state.end - state.first(),
            bytes: state.bytes,
            oldest: state.chunks.front().map(|chunk| chunk.first_published()),
            overwritten: state.overwritten,
            appended: EVENTS.into_iter().zip(state.counts).collect(),
        }
    }

    /// Begins the log in this second: entries so far leave it. For the moment when all lease sources are
    /// loaded, of which only the first one's snapshot is not logged.
    pub fn restart(&self) {
        let mut state = self.state();
        state.published = state.published.max((self.0.clock)());
        // Changes earlier in this second are not in the log.
        state.reach = Some(state.published.saturating_add(1));
        state.chunks.clear();
        state.bytes = 0;
    }

    /// Appends entries whose effect readers of the index can see.
    fn append(&self, piece: &Piece) {
        if piece.is_empty() {
            return;
        }
        {
            let mut state = self.state();
            // Read under the lock: no later entry has an earlier second than a reader has seen at the end.
            let now = (self.0.clock)();
            state.append(piece, now, self.0.limits);
        }
        // Outside the lock: a listener may read the log at once.
        let on_growth = self.0.on_growth.read().unwrap_or_else(PoisonError::into_inner);
        on_growth.iter().for_each(|call| call());
    }

    /// Second up to which the end of each lease that readers see is in the log.
    fn ends_told(&self) -> u32 {
        let told = self.0.ends_told.load(Ordering::Acquire);
        let mut state = self.state();
        state.saw_clock((self.0.clock)());
        // While the clock was set back, readers may have seen leases that were over.
        state.clocks.map_or(told, |(earliest, _)| told.min(earliest))
    }

    fn saw_clock(&self, now: u32) {
        self.state().saw_clock(now);
    }

    /// Earliest and latest second that the clock showed since the last call, up to now.
    fn take_clocks(&self, now: u32) -> (u32, u32) {
        let mut state = self.state();
        state.saw_clock(now);
        // The next span begins with this second.
        state.clocks.replace((now, now)).expect("a second was seen")
    }

    fn set_ends_told(&self, unix: u32) {
        self.0.ends_told.store(unix, Ordering::Release);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of one reader must not end the others; the state is consistent between its calls.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sequence of the oldest entry.
    fn first(&self) -> u64 {
        self.chunks.front().map_or(self.end, |chunk| chunk.first())
    }

    fn append(&mut self, piece: &Piece, now: u32, limits: ChangeLogLimits) {
        // The clock may be set back, and seconds never decrease.
        let published = now.max(self.published);
        self.published = published;
        self.saw_clock(now);
        if !self.can_grow(piece, limits) {
            self.seal();
            self.chunks.push_back(Arc::new(ChunkData::new(self.end)));
            self.bytes += self.chunks.back().map_or(0, |chunk| chunk.bytes());
        }
        let newest = self.chunks.back_mut().expect("there is a chunk");
        let before = newest.bytes();
        let newest = Arc::make_mut(newest);
        newest.extend(piece, published);
        self.bytes = self.bytes - before + newest.bytes();
        self.end = newest.end();
        self.counts.iter_mut().zip(piece.counts).for_each(|(all, more)| *all += more);
        if piece.has_lost {
            self.reach = Some(published.saturating_add(1));
        }
        self.drop_old(now, limits);
        self.drop_beyond(limits.bytes);
    }

    fn saw_clock(&mut self, now: u32) {
        let (earliest, latest) = self.clocks.unwrap_or((now, now));
        self.clocks = Some((earliest.min(now), latest.max(now)));
    }

    /// Whether the newest chunk takes these entries.
    fn can_grow(&mut self, piece: &Piece, limits: ChangeLogLimits) -> bool {
        let octets_max = OCTETS_MAX.min(limits.bytes / CHUNKS_MIN as usize);
        let seconds_max = limits.seconds.max(SECONDS_MIN) / CHUNKS_MIN;
        let published = self.published;
        self.chunks.back_mut().is_some_and(|newest| {
            newest.len() + piece.len() <= octets_max
                && published - newest.first_published() <= seconds_max
                // Entries are added in place unless a reader holds the chunk.
                && (newest.len() <= COPIED_MAX || Arc::get_mut(newest).is_some())
        })
    }

    /// Gives back what the newest chunk does not need, as it grows no more.
    fn seal(&mut self) {
        if let Some(newest) = self.chunks.back_mut().and_then(Arc::get_mut) {
            self.bytes -= newest.bytes();
            newest.shrink();
            self.bytes += newest.bytes();
        }
    }

    /// Drops chunks whose entries are all too old.
    fn drop_old(&mut self, now: u32, limits: ChangeLogLimits) {
        let oldest = now.saturating_sub(limits.seconds.max(SECONDS_MIN));
        while self.chunks.front().is_some_and(|chunk| chunk.last_published() < oldest) {
            self.drop_oldest();
        }
    }

    /// Drops the oldest chunks but the newest one until the others take no more than these bytes.
    fn drop_beyond(&mut self, bytes: usize) {
        while self.bytes > bytes && self.chunks.len() > 1 {
            self.overwritten += self.drop_oldest();
        }
    }

    /// Drops the oldest chunk; returns the number of its entries.
    fn drop_oldest(&mut self) -> u64 {
        let Some(chunk) = self.chunks.pop_front() else { return 0 };
        self.bytes -= chunk.bytes();
        // Its last second may go on in the next chunk, so that second is incomplete.
        self.reach = self.reach.max(Some(chunk.last_published().saturating_add(1)));
        chunk.end() - chunk.first()
    }
}

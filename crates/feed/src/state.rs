//! State of a feed and of its lease sources: written by their threads after each step, read by observers.
//!
//! The age of the leases counts from the last moment of which a source is certain that everything it held
//! then has been handed over, and so applied. A source that is in trouble, cannot be loaded, brings changes
//! faster than they are applied, or hangs, lets them grow old. A feed is as old as its oldest source.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::source::{Figure, Part, SourceName, Status};

/// Work done for one lease source so far, and the reason why no more can be done.
#[derive(Clone, Debug)]
pub struct SourceState {
    /// The name that the operator gave to the source.
    pub label: String,
    /// The source.
    pub source: SourceName,
    /// Rows that became changes, first load and reloads included.
    pub rows: u64,
    /// Rows that were skipped, first load and reloads included.
    pub bad_rows: u64,
    /// Loads of all leases after the first.
    pub reloads: u64,
    /// Loads after the first that failed.
    pub failed_reloads: u64,
    /// Changes that the source holds and has not handed over yet.
    pub backlog: Figure,
    /// The reason why there may be changes that are not seen.
    pub trouble: Option<String>,
    /// The source holds other leases than those that are known.
    pub is_incomplete: bool,
    /// Figures that this kind of source alone has.
    pub detail: Vec<Figure>,
    /// Moment at which all changes that the source held were applied.
    pub caught_up: Instant,
}

impl SourceState {
    /// Returns the time since the last moment whose changes are all known.
    pub fn age(&self) -> Duration {
        self.caught_up.elapsed()
    }

    /// Returns the name that the operator gave to the source.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the figures of the source.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        std::iter::once(&self.backlog).chain(&self.detail)
    }

    fn count(&mut self, loaded: &[Part]) {
        for part in loaded {
            self.rows += part.tally.rows;
            self.bad_rows += part.tally.bad_rows;
        }
    }
}

/// State of a feed.
#[derive(Clone, Debug, Default)]
pub struct FeedState {
    /// The sources, in the order of the configuration; at least one.
    pub sources: Vec<SourceState>,
    /// Addresses that several sources claim.
    pub conflicts: usize,
}

impl FeedState {
    /// Returns the age of the oldest source.
    pub fn age(&self) -> Duration {
        self.oldest().map_or(Duration::ZERO, SourceState::age)
    }

    /// Returns the source that has been certain least recently.
    pub fn oldest(&self) -> Option<&SourceState> {
        // One stale source makes the whole index stale.
        self.sources.iter().min_by_key(|source| source.caught_up)
    }

    /// Returns the first source that holds leases which are not known.
    pub fn incomplete(&self) -> Option<&SourceState> {
        self.sources.iter().find(|source| source.is_incomplete)
    }
}

/// A view of a running feed, for any thread.
#[derive(Clone, Debug, Default)]
pub struct FeedWatch(Arc<Mutex<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    sources: Vec<StateCell>,
    conflicts: usize,
}

impl FeedWatch {
    /// Returns the state after the last step of each source. Never on the packet path: it takes locks, for as
    /// long as a copy takes.
    pub fn state(&self) -> FeedState {
        let watched = lock(&self.0);
        FeedState {
            // Each cell is copied under its own lock, so that no source waits for the others.
            sources: watched.sources.iter().map(|source| lock(&source.0).clone()).collect(),
            conflicts: watched.conflicts,
        }
    }

    pub(crate) fn set_sources(&self, sources: Vec<StateCell>) {
        lock(&self.0).sources = sources;
    }

    pub(crate) fn set_conflicts(&self, conflicts: usize) {
        lock(&self.0).conflicts = conflicts;
    }
}

/// State of one source, shared between its thread and those that watch it.
#[derive(Clone, Debug)]
pub(crate) struct StateCell(Arc<Mutex<SourceState>>);

impl StateCell {
    /// The state after the first load, which began at `started` and left the source in this state.
    pub(crate) fn new(label: &str, status: Status, started: Instant, loaded: &[Part]) -> Self {
        let mut state = SourceState {
            label: label.to_owned(),
            source: status.source,
            rows: 0,
            bad_rows: 0,
            reloads: 0,
            failed_reloads: 0,
            backlog: status.backlog,
            trouble: status.trouble.map(|trouble| trouble.text),
            is_incomplete: status.is_incomplete,
            detail: status.detail,
            // A source that cannot tell is as old as its load.
            caught_up: status.caught_up.unwrap_or(started),
        };
        state.count(loaded);
        Self(Arc::new(Mutex::new(state)))
    }

    /// Notes that all leases were loaded again.
    pub(crate) fn reloaded(&self, loaded: &[Part]) {
        let mut state = lock(&self.0);
        state.count(loaded);
        state.reloads += 1;
    }

    /// Notes that a new load is due.
    pub(crate) fn set_incomplete(&self) {
        lock(&self.0).is_incomplete = true;
    }

    /// Notes that a new load failed; leases are as old as they were.
    pub(crate) fn failed(&self, reason: &str) {
        // The age is left alone: a failed load renews nothing.
        let mut state = lock(&self.0);
        state.failed_reloads += 1;
        state.trouble = Some(reason.to_owned());
    }

    /// Notes that rows were applied.
    pub(crate) fn applied(&self, rows: u64, bad_rows: u64) {
        let mut state = lock(&self.0);
        state.rows += rows;
        state.bad_rows += bad_rows;
    }

    /// Notes the status of the source after a step, or after a load that succeeded.
    pub(crate) fn note(&self, status: Status) {
        let mut state = lock(&self.0);
        state.source = status.source;
        state.backlog = status.backlog;
        state.trouble = status.trouble.map(|trouble| trouble.text);
        state.is_incomplete = status.is_incomplete;
        state.detail = status.detail;
        // A source that has not caught up yet makes the leases no younger.
        state.caught_up = status.caught_up.unwrap_or(state.caught_up);
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    // A state is replaced field by field, and any of them is worth showing after a panic.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FigureValue, Trouble};

    fn status(caught_up: Instant, trouble: Option<&str>) -> Status {
        let trouble = trouble.map(|text| Trouble { text: text.to_owned(), advice: None, is_error: false });
        Status {
            source: SourceName { kind: "script", place: "a".to_owned() },
            caught_up: Some(caught_up),
            is_incomplete: false,
            backlog: Figure { key: "left", metric: "lqd_left", help: "Left.", value: FigureValue::Count(7) },
            trouble,
            detail: Vec::new(),
        }
    }

    #[test]
    fn leases_are_as_old_as_the_source_says() {
        let started = Instant::now();
        let cell = StateCell::new("kea", status(started, None), started, &[]);
        let state = || lock(&cell.0).clone();
        assert_eq!(state().caught_up, started);
        let later = Instant::now();
        cell.note(status(later, None));
        assert_eq!(state().caught_up, later);
        cell.note(Status { caught_up: None, ..status(later, None) });
        assert_eq!(state().caught_up, later, "a source that knows nothing yet makes them no younger");
    }

    #[test]
    fn trouble_shows_until_the_source_has_none() {
        let now = Instant::now();
        let cell = StateCell::new("kea", status(now, None), now, &[]);
        let state = || lock(&cell.0).clone();
        cell.note(status(now, Some("it is gone")));
        assert_eq!(state().trouble.as_deref(), Some("it is gone"));
        cell.note(status(now, None));
        assert_eq!(state().trouble, None);
    }

    #[test]
    fn a_failed_load_is_trouble_and_renews_nothing() {
        let started = Instant::now();
        let cell = StateCell::new("kea", status(started, None), started, &[]);
        let state = || lock(&cell.0).clone();
        cell.failed("no header");
        let after = state();
        assert_eq!((after.trouble.as_deref(), after.failed_reloads), (Some("no header"), 1));
        assert_eq!(after.caught_up, started);
        cell.reloaded(&[]);
        cell.note(status(Instant::now(), None));
        let after = state();
        assert_eq!((after.trouble, after.reloads), (None, 1));
        assert!(after.caught_up > started);
    }

    #[test]
    fn a_feed_is_as_old_as_its_oldest_source() {
        let old = Instant::now();
        let young = old + Duration::from_secs(5);
        let cells = [("a", young), ("b", old)]
            .map(|(label, caught_up)| StateCell::new(label, status(caught_up, None), old, &[]));
        cells[0].set_incomplete();
        let watch = FeedWatch::default();
        watch.set_sources(cells.to_vec());
        let state = watch.state();
        assert_eq!(state.oldest().map(|source| &*source.label), Some("b"));
        assert_eq!(state.incomplete().map(|source| &*source.label), Some("a"));
        assert!(state.age() >= old.elapsed().saturating_sub(Duration::from_secs(1)));
    }
}

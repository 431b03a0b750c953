//! State of a feed: written by its thread after each step, read by those who watch it.
//!
//! The age of the leases counts from the last moment of which the source is certain that everything it held then has been
//! handed over, and so applied. A source that is in trouble, cannot be loaded, brings changes faster than they are applied, or
//! hangs, lets them grow old.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::source::{Figure, Part, SourceName, Status};

/// Work done by a feed so far, and the reason why it cannot do more.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The lease source.
    pub source: SourceName,
    /// Rows that became changes, first load and reloads included.
    pub rows: u64,
    /// Rows that were skipped, first load and reloads included.
    pub bad_rows: u64,
    /// Loads of all leases after the first.
    pub reloads: u64,
    /// Loads after the first that failed.
    pub failed_reloads: u64,
    /// Backlog: changes that the source holds and has not handed over yet.
    pub backlog: Figure,
    /// The reason why there may be changes that are not seen.
    pub trouble: Option<String>,
    /// The source holds other leases than those that are known.
    pub is_incomplete: bool,
    /// Figures that this kind of source alone has.
    pub detail: Vec<Figure>,
    /// All that the source held at this moment was applied.
    pub caught_up: Instant,
}

impl Standing {
    /// How long there may have been changes that are not known here.
    pub fn age(&self) -> Duration {
        self.caught_up.elapsed()
    }

    /// The figures of the source.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        std::iter::once(&self.backlog).chain(&self.detail)
    }
}

/// A view of a running feed, for any thread.
#[derive(Clone, Debug)]
pub struct Watch(Arc<Mutex<Standing>>);

impl Watch {
    /// As of the feed's last step. Never on the packet path: it takes a lock, for as long as a copy takes.
    pub fn standing(&self) -> Standing {
        lock(&self.0).clone()
    }
}

/// The feed's side: books that its thread keeps.
pub(crate) struct Books(Arc<Mutex<Standing>>);

impl Books {
    /// Opened after the first load, which began at `started` and left the source in this state.
    pub(crate) fn open(status: Status, started: Instant, loaded: &[Part]) -> Self {
        let mut standing = Standing {
            source: status.source,
            rows: 0,
            bad_rows: 0,
            reloads: 0,
            failed_reloads: 0,
            backlog: status.backlog,
            trouble: status.trouble.map(|trouble| trouble.text),
            is_incomplete: status.is_incomplete,
            detail: status.detail,
            caught_up: status.caught_up.unwrap_or(started),
        };
        standing.count(loaded);
        Self(Arc::new(Mutex::new(standing)))
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.0))
    }

    /// All leases were loaded again.
    pub(crate) fn reloaded(&self, loaded: &[Part]) {
        let mut standing = lock(&self.0);
        standing.count(loaded);
        standing.reloads += 1;
    }

    /// A new load is due.
    pub(crate) fn set_incomplete(&self) {
        lock(&self.0).is_incomplete = true;
    }

    /// A new load failed; leases are as old as they were.
    pub(crate) fn failed(&self, reason: &str) {
        let mut standing = lock(&self.0);
        standing.failed_reloads += 1;
        standing.trouble = Some(reason.to_owned());
    }

    /// Rows were applied.
    pub(crate) fn applied(&self, rows: u64, bad_rows: u64) {
        let mut standing = lock(&self.0);
        standing.rows += rows;
        standing.bad_rows += bad_rows;
    }

    /// After each step, and each load that succeeded.
    pub(crate) fn note(&self, status: Status) {
        let mut standing = lock(&self.0);
        standing.source = status.source;
        standing.backlog = status.backlog;
        standing.trouble = status.trouble.map(|trouble| trouble.text);
        standing.is_incomplete = status.is_incomplete;
        standing.detail = status.detail;
        standing.caught_up = status.caught_up.unwrap_or(standing.caught_up);
    }
}

impl Standing {
    fn count(&mut self, loaded: &[Part]) {
        for part in loaded {
            self.rows += part.tally.rows;
            self.bad_rows += part.tally.bad_rows;
        }
    }
}

fn lock(shared: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
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
        let books = Books::open(status(started, None), started, &[]);
        let watch = books.watch();
        assert_eq!(watch.standing().caught_up, started);
        let later = Instant::now();
        books.note(status(later, None));
        assert_eq!(watch.standing().caught_up, later);
        books.note(Status { caught_up: None, ..status(later, None) });
        assert_eq!(
            watch.standing().caught_up,
            later,
            "a source that knows nothing yet makes them no younger"
        );
    }

    #[test]
    fn trouble_shows_until_the_source_has_none() {
        let now = Instant::now();
        let books = Books::open(status(now, None), now, &[]);
        let watch = books.watch();
        books.note(status(now, Some("it is gone")));
        assert_eq!(watch.standing().trouble.as_deref(), Some("it is gone"));
        books.note(status(now, None));
        assert_eq!(watch.standing().trouble, None);
    }

    #[test]
    fn a_failed_load_is_trouble_and_renews_nothing() {
        let started = Instant::now();
        let books = Books::open(status(started, None), started, &[]);
        let watch = books.watch();
        books.failed("no header");
        let standing = watch.standing();
        assert_eq!((standing.trouble.as_deref(), standing.failed_reloads), (Some("no header"), 1));
        assert_eq!(standing.caught_up, started);
        books.reloaded(&[]);
        books.note(status(Instant::now(), None));
        let standing = watch.standing();
        assert_eq!((standing.trouble, standing.reloads), (None, 1));
        assert!(standing.caught_up > started);
    }
}

//! Where a feed stands: written by its thread after each step, read by those who watch it.
//!
//! The age of the leases counts from the last moment of which it is certain that everything the lease file held then
//! has been applied. The follower looks at the file at least once a second, so a file to which nothing is added keeps
//! the leases young: nothing new is no loss. A last line without end is a row that is not known yet, unless it is whole. A
//! file that is gone, cannot be read or cannot be loaded, rows that come faster than they are applied, and a feed that hangs
//! in the file system all let them grow old.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::kea_memfile::{FileId, FileTally, Status};

/// What a feed has done so far, and what keeps it from doing more.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The lease file.
    pub file: PathBuf,
    /// Octets of it that became changes.
    pub offset: u64,
    /// Octets in it that did not yet.
    pub lag: u64,
    /// Rows that became changes, first load and reloads included.
    pub rows: u64,
    /// Rows that were skipped, first load and reloads included.
    pub bad_rows: u64,
    /// Rotations followed.
    pub rotations: u64,
    /// Loads of the whole file after the first.
    pub reloads: u64,
    /// Loads after the first that failed.
    pub failed_reloads: u64,
    /// inotify works.
    pub watching: bool,
    /// What keeps it from seeing more.
    pub trouble: Option<String>,
    /// The lease file holds other leases than those that are known.
    pub is_incomplete: bool,
    /// All that the file held at this moment was applied.
    pub caught_up: Instant,
}

impl Standing {
    /// How long there may have been changes that are not known here.
    pub fn age(&self) -> Duration {
        self.caught_up.elapsed()
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
pub(crate) struct Books {
    shared: Arc<Mutex<Standing>>,
    mark: Option<Mark>,
}

/// What the file held at a moment.
struct Mark {
    at: Instant,
    file: FileId,
    end: u64,
}

impl Books {
    /// Opened after the first load, which began at `started`.
    pub(crate) fn open(file: PathBuf, started: Instant, loaded: &[FileTally]) -> Self {
        let standing = Standing {
            file,
            offset: 0,
            lag: 0,
            rows: 0,
            bad_rows: 0,
            rotations: 0,
            reloads: 0,
            failed_reloads: 0,
            watching: true,
            trouble: None,
            is_incomplete: false,
            caught_up: started,
        };
        let mut books = Self { shared: Arc::new(Mutex::new(standing)), mark: None };
        books.loaded(started, loaded);
        books
    }

    pub(crate) fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.shared))
    }

    /// The whole file was loaded, as it was at some moment after `started`.
    pub(crate) fn loaded(&mut self, started: Instant, files: &[FileTally]) {
        let mut standing = lock(&self.shared);
        for file in files {
            standing.rows += file.tally.rows;
            standing.bad_rows += file.tally.bad_rows;
        }
        standing.caught_up = started;
        standing.trouble = None;
        drop(standing);
        self.mark = None;
    }

    /// A new load is due.
    pub(crate) fn set_incomplete(&self) {
        lock(&self.shared).is_incomplete = true;
    }

    /// Another file is followed from now on.
    pub(crate) fn follows(&self, file: PathBuf) {
        lock(&self.shared).file = file;
    }

    /// A new load failed; leases are as old as they were.
    pub(crate) fn failed(&self, reason: &str) {
        let mut standing = lock(&self.shared);
        standing.failed_reloads += 1;
        standing.trouble = Some(reason.to_owned());
    }

    /// Rows were applied.
    pub(crate) fn applied(&self, rows: u64, bad_rows: u64) {
        let mut standing = lock(&self.shared);
        standing.rows += rows;
        standing.bad_rows += bad_rows;
    }

    /// After each step.
    pub(crate) fn note(&mut self, status: &Status) {
        let now = Instant::now();
        let mut standing = lock(&self.shared);
        standing.offset = status.offset;
        standing.lag = status.lag;
        standing.rotations = status.rotations;
        standing.reloads = status.reloads;
        standing.watching = status.watching;
        standing.trouble = status.trouble.map(|trouble| trouble.to_string());
        standing.is_incomplete = status.is_incomplete;
        if status.trouble.is_some() {
            self.mark = None;
        } else if status.lag == 0 {
            standing.caught_up = now;
            self.mark = None;
        } else {
            // Under a stream of rows the end is never seen; what was the end some steps ago is.
            let passed = |mark: &Mark| mark.file != status.file || status.offset >= mark.end;
            if let Some(mark) = self.mark.take_if(|mark| passed(mark)) {
                standing.caught_up = mark.at;
            }
            let end = status.offset + status.lag;
            self.mark.get_or_insert(Mark { at: now, file: status.file, end });
        }
    }
}

fn lock(shared: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kea_memfile::Trouble;

    fn books() -> (Books, Watch) {
        let books = Books::open("leases.csv".into(), Instant::now(), &[]);
        let watch = books.watch();
        (books, watch)
    }

    /// A look at a file of which `offset` octets are taken and `lag` are not.
    fn status(inode: u64, offset: u64, lag: u64, trouble: Option<Trouble>) -> Status {
        let file = FileId { device: 1, inode };
        Status {
            file,
            offset,
            lag,
            rows: 0,
            bad_rows: 0,
            rotations: 0,
            reloads: 0,
            watching: true,
            trouble,
            is_incomplete: false,
        }
    }

    /// Whether a step makes the leases younger.
    fn renews(books: &mut Books, watch: &Watch, status: Status) -> bool {
        let before = watch.standing().caught_up;
        books.note(&status);
        watch.standing().caught_up > before
    }

    #[test]
    fn a_file_to_which_nothing_is_added_keeps_leases_young() {
        let (mut books, watch) = books();
        for _ in 0..3 {
            assert!(renews(&mut books, &watch, status(1, 100, 0, None)));
        }
    }

    /// Half a row is a change that is not known here.
    #[test]
    fn a_line_without_end_counts_as_lag() {
        let (mut books, watch) = books();
        assert!(renews(&mut books, &watch, status(1, 100, 0, None)));
        assert!(!renews(&mut books, &watch, status(1, 100, 7, None)));
        assert_eq!(watch.standing().trouble, None, "it may be being written");
        let before = Instant::now();
        for _ in 0..3 {
            assert!(!renews(&mut books, &watch, status(1, 100, 7, Some(Trouble::HalfLine))));
            let trouble = watch.standing().trouble.expect("there is trouble");
            assert!(trouble.contains("last line has no end"), "{trouble}");
        }
        assert!(renews(&mut books, &watch, status(1, 150, 0, None)));
        assert_eq!(watch.standing().trouble, None);
        assert!(watch.standing().caught_up > before);
    }

    #[test]
    fn trouble_lets_leases_grow_old() {
        let (mut books, watch) = books();
        assert!(!renews(&mut books, &watch, status(1, 100, 0, Some(Trouble::Missing))));
        assert_eq!(watch.standing().trouble.as_deref(), Some("the lease file is gone"));
        assert!(renews(&mut books, &watch, status(1, 100, 0, None)));
        assert_eq!(watch.standing().trouble, None);
    }

    /// Under a stream of rows, leases are as old as the end of the file that was last passed.
    #[test]
    fn a_stream_of_rows_counts_as_followed_as_far_as_it_was_taken() {
        let (mut books, watch) = books();
        assert!(!renews(&mut books, &watch, status(1, 100, 50, None)), "up to 150 is to come");
        assert!(!renews(&mut books, &watch, status(1, 149, 60, None)));
        let before = Instant::now();
        assert!(renews(&mut books, &watch, status(1, 150, 70, None)));
        assert!(watch.standing().caught_up < before, "as of when 150 was the end");
        assert!(!renews(&mut books, &watch, status(1, 219, 70, None)));
        assert!(renews(&mut books, &watch, status(2, 10, 70, None)), "rotated: the old file is done");
    }

    #[test]
    fn a_failed_load_is_trouble_and_renews_nothing() {
        let (mut books, watch) = books();
        let before = watch.standing().caught_up;
        books.failed("no header");
        let standing = watch.standing();
        assert_eq!((standing.trouble.as_deref(), standing.failed_reloads), (Some("no header"), 1));
        assert_eq!(standing.caught_up, before);
        books.loaded(Instant::now(), &[]);
        let standing = watch.standing();
        assert_eq!(standing.trouble, None);
        assert!(standing.caught_up > before);
    }
}

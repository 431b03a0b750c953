//! Live following: every row that Kea appends becomes a change, in order, none twice and none left out.
//!
//! The follower tells three changes apart, whenever the current file's name stands for another file:
//!
//! - *Rotation.* Kea renamed the file to `.1` and started a new one. Kea closed the old one before, so that
//!   is read to its end and then the new one from its header: a continuation.
//! - *Replacement.* `lease6-write` puts a full dump in the file's place, or an administrator puts back a
//!   backup. It does not say which leases ended, so only a new load is right: [`FileStep::Reload`].
//!
//! - *A moved link.* The name, or a folder on the way to the file, is a symbolic link, and leads elsewhere
//!   now, as Kubernetes and releases do: a replacement. If Kea renames the link itself to `.1`, that is a
//!   rotation.
//!
//! The files do not tell which it was: `.1` may be gone again, and after a rotation and a
//! replacement in a row it is still there. So the directory's inotify events decide: exactly one rename from
//! the current name to `.1` since the file was opened is a rotation, and anything else, lost events and
//! network file systems that have none included, is a reload. A reload that was not necessary costs a second;
//! a lease that ended but is still reported costs a subscriber's address.
//!
//! A file that is rewritten is loaded when it has stood still (`stillness`); until then the known leases
//! stay. A line that has no end is taken as a row when it is not continued (`half_line`).
//!
//! Appended rows are found by reading, not by counting events, so lost events delay rows by [`RECHECK_AFTER`]
//! at most.

mod half_line;
mod stillness;
mod tail;
mod trouble;
mod watch;

use std::io;
use std::task::Waker;
use std::time::{Duration, Instant};

use lqd_index::Batch;

use super::files::{self, FileId, LeaseFile, LeaseFiles};
use super::lines::Tally;
use super::load::Position;
use half_line::{Due, HalfLine, Times};
use stillness::{EndWatch, Rewrite};
use tail::{Tail, TailError};
pub(super) use trouble::FileTrouble;
use watch::{Watch, Woken};

/// Longest time that a change can stay unseen where inotify does not report it.
pub(super) const RECHECK_AFTER: Duration = Duration::from_secs(1);

/// Result of one [`Follower::poll`].
#[derive(Debug)]
pub(super) enum FileStep<'a> {
    /// Rows were read.
    Rows {
        /// The changes, 8,192 at most; none if all rows were faulty.
        batch: &'a mut Batch,
        /// Counts of the rows of this step.
        tally: &'a Tally,
    },
    /// Nothing to do: time is over, or a waker asked for the return.
    Idle,
    /// The leases can only be known from a new load, whose position goes to [`Follower::reloaded`].
    Reload(Reload),
}

/// The reason why the leases must be reloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reload {
    /// The file became shorter, or its text is no longer that which was read.
    Rewritten,
    /// Another file took its place, and not certainly by one rotation.
    Replaced,
    /// The new file's header is not that of a lease file.
    Header,
    /// The file cannot be read.
    Unreadable,
}

impl std::fmt::Display for Reload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rewritten => "the lease file was truncated or rewritten in place",
            Self::Replaced => "the lease file was replaced",
            Self::Header => "the new lease file has another header",
            Self::Unreadable => "the lease file cannot be read",
        })
    }
}

/// State of the follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStatus {
    /// The file that is followed.
    pub(super) file: FileId,
    /// Bytes of it that became changes.
    pub(super) offset: u64,
    /// Bytes in it that did not yet.
    pub(super) lag: u64,
    /// Rotations followed.
    pub(super) rotations: u64,
    /// inotify works; else rows are seen [`RECHECK_AFTER`] late, and each rotation is a reload.
    pub(super) watching: bool,
    /// The reason why there may be rows that are not seen.
    pub(super) trouble: Option<FileTrouble>,
    /// The files hold other leases than those read, or will when they are whole.
    pub(super) is_incomplete: bool,
}

/// Follows the current file of a set, from where a load ended.
#[derive(Debug)]
pub(super) struct Follower {
    files: LeaseFiles,
    /// Time at which links were last resolved.
    resolved: Instant,
    tail: Tail,
    watch: Watch,
    batch: Batch,
    tally: Tally,
    rotations: u64,
    trouble: Option<FileTrouble>,
    /// The load that is due.
    rewrite: Option<Rewrite>,
    /// The leases in the files are known only after a new load.
    is_outdated: bool,
    half_line: Option<HalfLine>,
    end: EndWatch,
    still_for: Duration,
    times: Times,
}

/// Result of one look at the files.
enum Advance {
    Rows,
    /// The next file is open now; look again.
    Rotated,
    Nothing,
    Reload(Reload),
}

impl Follower {
    /// Creates a follower from `position` on.
    ///
    /// # Errors
    /// If the process may open no more files.
    pub(super) fn new(files: &LeaseFiles, position: Position) -> io::Result<Self> {
        let files = files.resolved_again();
        // A load without current file leaves its rows unread, until the file appears.
        let trouble = position.current_missing.then_some(FileTrouble::Missing);
        let watch = Watch::new(&files)?;
        let half_line = half_line_of(&position);
        let is_outdated = position.current_missing;
        let mut follower = Self {
            files,
            resolved: Instant::now(),
            tail: Tail::new(position),
            watch,
            batch: Batch::new(),
            tally: Tally::default(),
            rotations: 0,
            trouble,
            rewrite: None,
            is_outdated,
            half_line,
            end: EndWatch::default(),
            still_for: stillness::STILL_FOR,
            times: half_line::TIMES,
        };
        follower.settle_if_named();
        Ok(follower)
    }

    /// Has rotations count from now on if the name is that of the file that was loaded: Kea may rotate before
    /// the first poll.
    fn settle_if_named(&mut self) {
        // Events from before the load are about names that the load has seen.
        self.watch.drain();
        if matches!(files::look(self.files.current()), Ok(Some(look)) if look.id == self.tail.file.id) {
            self.watch.settle();
        }
    }

    /// Continues after a new load.
    pub(super) fn reloaded(&mut self, position: Position) {
        // There may have been rotations during the load; until the name is seen to be that of the position's
        // file, none can be told from another.
        self.watch.unsettle();
        self.place(self.files.resolved_again());
        self.trouble = position.current_missing.then_some(FileTrouble::Missing);
        self.half_line = half_line_of(&position);
        self.tail = Tail::new(position);
        self.rewrite = None;
        self.is_outdated = self.tail.current_missing;
        self.end = EndWatch::default();
        self.settle_if_named();
    }

    /// Watches these files from now on.
    fn place(&mut self, files: LeaseFiles) {
        if files != self.files {
            // A new watch costs a system call for each folder, and drops queued events.
            self.watch = self.watch.of(&files);
            self.files = files;
        }
        self.resolved = Instant::now();
    }

    /// Whether names and links lead to another place than before, be it with the same file.
    fn is_relinked(&mut self) -> bool {
        // inotify reports changed links; without it, they are resolved once a second.
        if !self.watch.take_relinked() && self.watch.is_armed() && self.resolved.elapsed() < RECHECK_AFTER {
            return false;
        }
        self.resolved = Instant::now();
        let files = self.files.resolved_again();
        files != self.files || files.resolved().target() != self.tail.file.path
    }

    /// Returns a handle by which another thread ends a wait in [`Self::poll`].
    pub(super) fn waker(&self) -> Waker {
        self.watch.waker()
    }

    /// Waits for rows, up to `timeout`, and returns as soon as there are some, or trouble begins or ends, or
    /// the leases become incomplete or complete.
    pub(super) fn poll(&mut self, timeout: Duration) -> FileStep<'_> {
        let deadline = Instant::now() + timeout;
        // The caller publishes trouble, so it has to hear of each change at once.
        let before = (self.trouble, self.is_incomplete());
        loop {
            match self.advance() {
                Advance::Rows => return FileStep::Rows { batch: &mut self.batch, tally: &self.tally },
                Advance::Reload(reason) => {
                    // Leases count as outdated from the moment of the change, not from the load.
                    self.is_outdated = true;
                    if self.stands_still(reason) {
                        return FileStep::Reload(reason);
                    }
                }
                Advance::Rotated => continue,
                Advance::Nothing => {}
            }
            let is_news = (self.trouble, self.is_incomplete()) != before;
            if is_news || Instant::now() >= deadline || !self.wait(deadline) {
                return FileStep::Idle;
            }
        }
    }

    /// Whether the files hold other leases than those read, or will when they are whole.
    fn is_incomplete(&self) -> bool {
        self.is_outdated || self.half_line.as_ref().is_some_and(HalfLine::makes_incomplete)
    }

    /// Returns the state of the follower.
    pub(super) fn status(&self) -> FileStatus {
        FileStatus {
            file: self.tail.file.id,
            offset: self.tail.line_start(),
            lag: self.lag(),
            rotations: self.rotations,
            watching: self.watch.is_armed(),
            trouble: self.trouble,
            is_incomplete: self.is_incomplete(),
        }
    }

    fn lag(&self) -> u64 {
        let is_taken = self.half_line.as_ref().is_some_and(HalfLine::is_taken);
        let taken = if is_taken { self.tail.half_line_len() } else { 0 };
        // The half line may have grown since it was measured.
        self.tail.lag().saturating_sub(taken)
    }

    fn advance(&mut self) -> Advance {
        // The watch comes first: a change between the look and the watch would go unseen.
        self.watch.arm();
        // Events are consumed before the look, so that those of later changes remain.
        self.watch.drain();
        self.batch.clear();
        // A load is due, so rows read now would be lost with it.
        if let Some(rewrite) = &self.rewrite {
            return Advance::Reload(rewrite.reason);
        }
        match self.tail.take(&mut self.batch) {
            Ok(true) => {
                self.tally = self.tail.take_tally();
                // A whole line at the end shows that no earlier half line is left.
                if self.tail.is_at_line_end() {
                    self.half_line = None;
                }
                return Advance::Rows;
            }
            // A half line is examined only when there is nothing whole to read.
            Ok(false) if self.read_half_line() => return Advance::Rows,
            Ok(false) => {}
            Err(error) => return Advance::Reload(reason(&error)),
        }
        match files::look(self.files.current()) {
            Ok(Some(look)) if look.id == self.tail.file.id => {
                // The last name of the file is gone, but this path still shows it: a mount of the single
                // file.
                if look.names == 0 {
                    return self.troubled(FileTrouble::Deleted);
                }
                // The text up to here was read, so a change without growth means it was rewritten.
                if self.end.was_modified_within(look, self.tail.read_to(), RECHECK_AFTER) {
                    return Advance::Reload(Reload::Rewritten);
                }
                if self.is_relinked() {
                    return Advance::Reload(Reload::Replaced);
                }
                // The name is still that of the followed file, so the events up to here do not count.
                self.watch.settle();
                self.is_outdated = false;
                self.trouble = self.half_line_trouble();
                Advance::Nothing
            }
            Ok(Some(_)) => {
                // The name leads to another file: links may lead there too.
                let files = self.files.resolved_again();
                match files.open_current() {
                    Ok(Some(next)) if next.id != self.tail.file.id => self.follow_to(files, next),
                    // The file came back under its name between the two looks.
                    Ok(Some(_)) => Advance::Nothing,
                    Ok(None) => self.troubled(FileTrouble::Missing),
                    Err(error) => self.troubled(FileTrouble::of(&error)),
                }
            }
            Ok(None) => self.troubled(FileTrouble::Missing),
            Err(error) => self.troubled(FileTrouble::of(&error)),
        }
    }

    /// Reads the line without end behind the last whole line; true if it changed a lease.
    fn read_half_line(&mut self) -> bool {
        // Kea has completed the line.
        if self.tail.is_at_line_end() {
            self.half_line = None;
        }
        let end = self.tail.read_to();
        if self.tail.half_line_len() > 0 {
            // The time begins when the line is first seen, not when it was written.
            self.half_line.get_or_insert_with(|| HalfLine::new(end));
        }
        let Some(half_line) = &mut self.half_line else { return false };
        let reading = match half_line.look(end, self.times) {
            Due::Nothing => return false,
            Due::Mark => self.tail.mark_half_line(&mut self.batch),
            Due::Take => self.tail.read_half_line(&mut self.batch),
        };
        half_line.read(reading);
        // It is counted when it ends.
        self.tally = Tally::default();
        !self.batch.is_empty()
    }

    fn half_line_trouble(&self) -> Option<FileTrouble> {
        self.half_line.as_ref().filter(|half_line| half_line.is_trouble())?;
        // A header without line end is no row, and gets its own text for the operator.
        Some(if self.tail.has_header() { FileTrouble::HalfLine } else { FileTrouble::Headless })
    }

    /// Whether the file to be loaded is complete: no program writes it any more, as far as can be seen.
    fn stands_still(&mut self, reason: Reload) -> bool {
        // After a rotation Kea appends to the new file for ever, and a first current file only adds to the
        // other files: neither has to stand still.
        let appended = self.tail.current_missing || self.files.is_rotated(self.tail.file.id);
        let whole = reason == Reload::Replaced && (appended || self.watch.was_put_whole());
        // The first reason is kept, as later looks only see its consequences.
        let rewrite = self.rewrite.get_or_insert_with(|| Rewrite::new(reason));
        let look = match files::look(self.files.current()) {
            Ok(Some(look)) => look,
            Ok(None) => return self.not_there(FileTrouble::Missing),
            Err(error) => return self.not_there(FileTrouble::of(&error)),
        };
        let has_end = || files::ends_with_line(self.files.current());
        if whole || rewrite.stands_still(look, has_end, self.still_for) {
            return true;
        }
        self.trouble = Some(FileTrouble::Rewriting);
        false
    }

    /// Notes that there is no file to load: the next one is observed from its beginning.
    fn not_there(&mut self, trouble: FileTrouble) -> bool {
        // A file that appears later may be half copied, so its time starts anew.
        self.rewrite = None;
        self.trouble = Some(trouble);
        false
    }

    /// Follows another file that has the name now.
    fn follow_to(&mut self, files: LeaseFiles, next: LeaseFile) -> Advance {
        // `next` was opened before, so the events of all renames that gave it the name are in the queue.
        self.watch.drain();
        // After several renames, rows of a file in between may have been missed.
        if !self.watch.saw_one_rotation() {
            return Advance::Reload(Reload::Replaced);
        }
        // Kea may have appended between the last read and the rename.
        match self.tail.take(&mut self.batch) {
            Ok(true) => {
                self.tally = self.tail.take_tally();
                return Advance::Rows;
            }
            Ok(false) => {}
            Err(error) => return Advance::Reload(reason(&error)),
        }
        // Kea closed the file before it renamed it, so a last line without end is a row.
        let last_row = self.tail.take_rest(&mut self.batch);
        if last_row {
            self.tally = self.tail.take_tally();
        }
        self.tail = Tail::new(Position::start(next));
        self.half_line = None;
        self.rotations += 1;
        // From here on, renames are those of the new file.
        self.watch.settle();
        self.place(files);
        self.trouble = None;
        if last_row { Advance::Rows } else { Advance::Rotated }
    }

    fn troubled(&mut self, trouble: FileTrouble) -> Advance {
        self.is_outdated |= trouble.hides_leases();
        self.trouble = Some(trouble);
        Advance::Nothing
    }

    /// Waits until the files may have changed; false if a waker asked to return.
    fn wait(&mut self, deadline: Instant) -> bool {
        // A half line becomes due without any event.
        let half_line = self.half_line.as_ref().and_then(|half_line| half_line.next_look(self.times));
        // inotify does not report changes on network file systems, so each wait is bounded.
        let deadline = deadline.min(Instant::now() + RECHECK_AFTER).min(half_line.unwrap_or(deadline));
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.watch.wait(left) {
                Woken::Asked => return false,
                Woken::Timeout => return true,
                // Other files of the directory, Kea's IPv4 leases for one, are no reason to look.
                Woken::Events => {
                    if self.watch.drain() {
                        return true;
                    }
                }
            }
        }
    }
}

fn half_line_of(position: &Position) -> Option<HalfLine> {
    position.half_line.then(|| HalfLine::loaded(position.offset + position.text.len() as u64))
}

fn reason(error: &TailError) -> Reload {
    match error {
        TailError::Rewritten => Reload::Rewritten,
        TailError::Header => Reload::Header,
        TailError::Unreadable => Reload::Unreadable,
    }
}

#[cfg(test)]
mod tests;

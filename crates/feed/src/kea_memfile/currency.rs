//! The last moment at which the leases read were all that the files held.
//!
//! The follower looks at the file at least once a second, so a file to which nothing is added keeps the
//! leases young: nothing new is no loss. A last line without end is a row that is not known yet, unless it is
//! whole. A file that is gone, cannot be read or cannot be loaded, rows that come faster than they are
//! applied, and a file system that hangs all let them grow old.

use std::time::Instant;

use super::files::FileId;
use super::follow::FileStatus;

/// The last moment of which it is certain that everything the lease file held then was handed over.
#[derive(Debug)]
pub(super) struct Currency {
    caught_up: Instant,
    mark: Option<Mark>,
}

/// End of the file at a moment.
#[derive(Debug)]
struct Mark {
    at: Instant,
    file: FileId,
    end: u64,
}

impl Currency {
    /// Creates the state after a load that began at `started`.
    pub(super) fn loaded(started: Instant) -> Self {
        Self { caught_up: started, mark: None }
    }

    /// Returns the moment, as of the last look.
    pub(super) fn caught_up(&self) -> Instant {
        self.caught_up
    }

    /// Takes in one look, once all rows read before it are applied.
    pub(super) fn note(&mut self, status: &FileStatus) {
        let now = Instant::now();
        if status.trouble.is_some() {
            // Rows may be in the file that cannot be seen, so no earlier end proves anything.
            self.mark = None;
        } else if status.lag == 0 {
            self.caught_up = now;
            self.mark = None;
        } else {
            // Under a stream of rows the end is never reached, but an end seen some steps ago is.
            let passed = |mark: &Mark| mark.file != status.file || status.offset >= mark.end;
            if let Some(mark) = self.mark.take_if(|mark| passed(mark)) {
                self.caught_up = mark.at;
            }
            let end = status.offset + status.lag;
            // A mark stays until it is passed: moving it along would never let it be reached.
            self.mark.get_or_insert(Mark { at: now, file: status.file, end });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kea_memfile::follow::FileTrouble;

    /// A look at a file of which `offset` octets are taken and `lag` are not.
    fn status(inode: u64, offset: u64, lag: u64, trouble: Option<FileTrouble>) -> FileStatus {
        let file = FileId { device: 1, inode };
        FileStatus { file, offset, lag, rotations: 0, watching: true, trouble, is_incomplete: false }
    }

    /// Whether a step makes the leases younger.
    fn renews(currency: &mut Currency, status: FileStatus) -> bool {
        let before = currency.caught_up();
        currency.note(&status);
        currency.caught_up() > before
    }

    #[test]
    fn a_file_to_which_nothing_is_added_keeps_leases_young() {
        let mut currency = Currency::loaded(Instant::now());
        for _ in 0..3 {
            assert!(renews(&mut currency, status(1, 100, 0, None)));
        }
    }

    /// Half a row is a change that is not known here.
    #[test]
    fn a_line_without_end_counts_as_lag() {
        let mut currency = Currency::loaded(Instant::now());
        assert!(renews(&mut currency, status(1, 100, 0, None)));
        assert!(!renews(&mut currency, status(1, 100, 7, None)));
        let before = Instant::now();
        for _ in 0..3 {
            assert!(!renews(&mut currency, status(1, 100, 7, Some(FileTrouble::HalfLine))));
        }
        assert!(renews(&mut currency, status(1, 150, 0, None)));
        assert!(currency.caught_up() > before);
    }

    #[test]
    fn trouble_lets_leases_grow_old() {
        let mut currency = Currency::loaded(Instant::now());
        assert!(!renews(&mut currency, status(1, 100, 0, Some(FileTrouble::Missing))));
        assert!(renews(&mut currency, status(1, 100, 0, None)));
    }

    /// Leases under a stream of rows are as old as the end of the file that was last passed.
    #[test]
    fn a_stream_of_rows_counts_as_followed_as_far_as_it_was_taken() {
        let mut currency = Currency::loaded(Instant::now());
        assert!(!renews(&mut currency, status(1, 100, 50, None)), "up to 150 is to come");
        assert!(!renews(&mut currency, status(1, 149, 60, None)));
        let before = Instant::now();
        assert!(renews(&mut currency, status(1, 150, 70, None)));
        assert!(currency.caught_up() < before, "as of when 150 was the end");
        assert!(!renews(&mut currency, status(1, 219, 70, None)));
        assert!(renews(&mut currency, status(2, 10, 70, None)), "rotated: the old file is done");
    }
}

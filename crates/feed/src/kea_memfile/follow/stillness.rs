//! Detection of a lease file that is still being written, before it is reloaded.
//!
//! `cp`, rsync or an editor empties a file and writes it again, which takes seconds for millions of leases. A
//! load in between would publish the first part as the whole file. So the known leases stay, marked
//! incomplete, until the file has not changed for [`STILL_FOR`], or ten times as long if its last line has no
//! end, as after a copy that hangs. A file that grew by whole lines only for [`ROWS_FOR`] is complete: Kea
//! appends its rows. No file is waited for longer than
//! [`STILL_WITHIN`].

use std::time::{Duration, Instant};

use super::Reload;
use crate::kea_memfile::files::Look;

/// A file that has not changed for so long is complete.
pub(super) const STILL_FOR: Duration = Duration::from_secs(3);
/// Factor by which the wait is longer while the last line has no end.
const HALF_LINE_FACTOR: u32 = 10;
/// A file to which nothing but whole lines was added for so long is complete: Kea adds rows to it.
pub(super) const ROWS_FOR: Duration = Duration::from_secs(30);
/// A file that never stands still is loaded after this time: new leases in it must become known, too.
pub(super) const STILL_WITHIN: Duration = Duration::from_secs(600);

/// A file to be reloaded once it stands still.
#[derive(Debug)]
pub(super) struct Rewrite {
    pub(super) reason: Reload,
    began: Instant,
    last: Option<Last>,
    /// The last look at which its last line had no end.
    half_line: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Last {
    look: Look,
    since: Instant,
    has_end: bool,
}

impl Rewrite {
    pub(super) fn new(reason: Reload) -> Self {
        Self { reason, began: Instant::now(), last: None, half_line: None }
    }

    /// Lets time pass.
    #[cfg(test)]
    pub(super) fn age(&mut self, by: Duration) {
        self.began -= by;
        if let Some(last) = &mut self.last {
            last.since -= by;
        }
        self.half_line = self.half_line.map(|half_line| half_line - by);
    }

    /// Takes in one look at the file, and whether its last line has an end; whether it may be loaded.
    pub(super) fn stands_still(
        &mut self,
        look: Look,
        has_end: impl FnOnce() -> bool,
        still_for: Duration,
    ) -> bool {
        let now = Instant::now();
        let last = match self.last {
            // An unchanged file keeps its time, and its last line need not be read again.
            Some(last) if last.look == look => last,
            _ => Last { look, since: now, has_end: has_end() },
        };
        self.last = Some(last);
        if !last.has_end {
            // While the last line has no end, a copy is in progress, however regular its lines.
            self.half_line = Some(now);
        }
        let still_for = if last.has_end { still_for } else { still_for * HALF_LINE_FACTOR };
        now - last.since >= still_for
            // Kea itself may append all the time, so whole lines alone must not delay the load.
            || now - self.half_line.unwrap_or(self.began) >= ROWS_FOR
            || now - self.began >= STILL_WITHIN
    }
}

/// Notices a file whose content was exchanged without a change of its length: Kea only appends, so a time of
/// modification that moves alone comes from another program.
#[derive(Debug, Default)]
pub(super) struct EndWatch {
    /// State at the last look at a file that was read to its end.
    last: Option<Look>,
    /// The first look since at which only the time had moved.
    doubt: Option<Instant>,
}

impl EndWatch {
    /// Takes in a look at a file of which `read` bytes are read; true if it was modified, but not appended
    /// to.
    ///
    /// The kernel sets the time before the length, so that an append may show as a modification for an
    /// instant; `certain_after` is longer.
    pub(super) fn was_modified_within(&mut self, look: Look, read: u64, certain_after: Duration) -> bool {
        let at_end = look.len == read;
        match self.last {
            // Only a file read to its end can show a change without growth.
            Some(last) if at_end && last.id == look.id && last.len == read => {
                if last.modified == look.modified {
                    self.doubt = None;
                    return false;
                }
                self.doubt.get_or_insert_with(Instant::now).elapsed() >= certain_after
            }
            _ => {
                // Growth is the normal case: the file is appended to.
                *self = Self { last: at_end.then_some(look), doubt: None };
                false
            }
        }
    }
}

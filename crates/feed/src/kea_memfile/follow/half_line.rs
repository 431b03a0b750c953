//! The last line of a file while it has no line end: a row that Kea is writing, the part of a row that Kea
//! wrote before its disk was full or it crashed, or the end of a copy so far.
//!
//! Kea takes such a line as a row when it loads the file. The follower does the same, if the row is whole and
//! the file has not grown for a second. Until then, and for good if the row is not whole, its address is
//! unreadable. The leases are incomplete while address and client are not both known, and while the file
//! grows without ever ending in a whole line: the rest may be about any lease.

use std::time::{Duration, Instant};

/// Waiting times for a last line without end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// A row that is written whole may show in parts, page by page, but for less time than this.
    pub(super) written_within: Duration,
    /// A line that has not grown for so long will not be continued.
    pub(super) left_after: Duration,
}

pub(super) const TIMES: Times =
    Times { written_within: Duration::from_millis(50), left_after: Duration::from_secs(1) };

/// A line without end, from when one is first seen until the file's last line is whole.
#[derive(Debug)]
pub(super) struct HalfLine {
    /// Not always of this line: in a copy, one follows the other.
    since: Instant,
    /// Octets in the file.
    end: u64,
    unchanged_since: Instant,
    /// Too old to be a row that Kea is just writing.
    stands: bool,
    is_left: bool,
    reading: Option<Reading>,
}

/// Knowledge of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Neither client nor address is known for certain.
    Nothing,
    /// The address and the client, which are marked as in doubt.
    Names,
    /// A whole row, which is in force.
    Row,
}

/// Action that is due on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Mark the address as unreadable.
    Mark,
    /// Take the line as a row.
    Take,
}

impl HalfLine {
    /// A line first seen now, in a file of this size in bytes.
    pub(super) fn new(end: u64) -> Self {
        let now = Instant::now();
        Self { since: now, end, unchanged_since: now, stands: false, is_left: false, reading: None }
    }

    /// A line found by a load, whose leases are incomplete from the beginning.
    pub(super) fn loaded(end: u64) -> Self {
        Self { stands: true, ..Self::new(end) }
    }

    /// Takes in one look at the file.
    pub(super) fn look(&mut self, end: u64, times: Times) -> Due {
        let now = Instant::now();
        if end != self.end {
            // A line that grows starts over: the writer is alive.
            (self.end, self.unchanged_since, self.is_left, self.reading) = (end, now, false, None);
        }
        self.stands |= now - self.since >= times.written_within;
        if !self.is_left && now - self.unchanged_since >= times.left_after {
            // Left lines stand as well, even if no look came between.
            (self.stands, self.is_left) = (true, true);
            return Due::Take;
        }
        if self.stands && self.reading.is_none() { Due::Mark } else { Due::Nothing }
    }

    /// Records the result of the due action.
    pub(super) fn read(&mut self, reading: Reading) {
        self.reading = Some(reading);
    }

    /// Returns the time of the next look, if the file does not change.
    pub(super) fn next_look(&self, times: Times) -> Option<Instant> {
        match (self.stands, self.is_left) {
            (_, true) => None,
            (true, false) => Some(self.unchanged_since + times.left_after),
            (false, false) => Some(self.since + times.written_within),
        }
    }

    /// Whether the line is taken, like a row whose line ends.
    pub(super) fn is_taken(&self) -> bool {
        self.reading == Some(Reading::Row)
    }

    /// Whether the file holds, or will hold, more than can be read now.
    pub(super) fn is_trouble(&self) -> bool {
        self.stands && !self.is_taken()
    }

    /// Whether the line may be about any lease.
    pub(super) fn makes_incomplete(&self) -> bool {
        let is_known = matches!(self.reading, Some(Reading::Names | Reading::Row));
        self.stands && !(self.is_left && is_known)
    }
}

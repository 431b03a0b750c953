//! The line at the end of the file that has no end itself: a row that Kea is writing, or of which it wrote no more as its
//! disk was full or it crashed; or how far somebody's copy has come.
//!
//! Kea takes such a line as a row when it loads the file, so a whole one is taken here as well, once nobody has written on
//! for a second. Until then, and for good if it is not whole, its address is unreadable. As long as not even address and
//! client are known, or the file goes on to be written and never ends with a whole line, any lease may be in what is to come: the
//! leases are incomplete.

use std::time::{Duration, Instant};

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// A row that is written whole may show in parts, page by page, but for less time than this.
    pub(super) written_within: Duration,
    /// Whoever wrote a line that has not grown for so long will not write on.
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
    /// It is no row that is just being written.
    stands: bool,
    is_left: bool,
    reading: Option<Reading>,
}

/// What is known of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Whose lease it is, or of which address, is not known.
    Nothing,
    /// Its address and its client, which are marked as in doubt.
    Names,
    /// It is a whole row, and is in force.
    Row,
}

/// What is to be done about the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Its address is to become unreadable.
    Mark,
    /// It is to be taken as a row.
    Take,
}

impl HalfLine {
    /// First seen now, in a file of so many octets.
    pub(super) fn new(end: u64) -> Self {
        let now = Instant::now();
        Self { since: now, end, unchanged_since: now, stands: false, is_left: false, reading: None }
    }

    /// Found by a load, whose leases are incomplete from the beginning.
    pub(super) fn loaded(end: u64) -> Self {
        Self { stands: true, ..Self::new(end) }
    }

    /// Takes in one look at the file.
    pub(super) fn look(&mut self, end: u64, times: Times) -> Due {
        let now = Instant::now();
        if end != self.end {
            (self.end, self.unchanged_since, self.is_left, self.reading) = (end, now, false, None);
        }
        self.stands |= now - self.since >= times.written_within;
        if !self.is_left && now - self.unchanged_since >= times.left_after {
            (self.stands, self.is_left) = (true, true);
            return Due::Take;
        }
        if self.stands && self.reading.is_none() { Due::Mark } else { Due::Nothing }
    }

    /// What was due is done, with this result.
    pub(super) fn read(&mut self, reading: Reading) {
        self.reading = Some(reading);
    }

    /// When the next look is due, if the file does not change.
    pub(super) fn next_look(&self, times: Times) -> Option<Instant> {
        match (self.stands, self.is_left) {
            (_, true) => None,
            (true, false) => Some(self.unchanged_since + times.left_after),
            (false, false) => Some(self.since + times.written_within),
        }
    }

    /// It is known as well as a row whose line ends.
    pub(super) fn is_taken(&self) -> bool {
        self.reading == Some(Reading::Row)
    }

    /// There is more in the file, or will be, than can be read now.
    pub(super) fn is_trouble(&self) -> bool {
        self.stands && !self.is_taken()
    }

    /// It may be about any lease.
    pub(super) fn makes_incomplete(&self) -> bool {
        let is_known = matches!(self.reading, Some(Reading::Names | Reading::Row));
        self.stands && !(self.is_left && is_known)
    }
}

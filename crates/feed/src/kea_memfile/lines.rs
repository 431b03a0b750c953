//! Lines of text to rows, counted. First load and follower share it, so that both read alike.

use lqd_index::{Batch, Links};
use memchr::memchr;

use super::columns::{Column, Columns};
use super::ipv6;
use super::row::{RowError, RowErrorKind, RowParser, mark_unreadable};
use crate::source::{LeftOut, RowTally, SkippedRow};

/// Longest line that is read as a row, in bytes; Kea's own rows reach 300,000 with the longest relay
/// information.
pub(super) const LINE_LEN_MAX: usize = 1 << 20;

/// Longest text of an IPv6 address, in bytes.
const ADDRESS_LEN_MAX: usize = 45;

/// Faulty rows that are kept with their reason; the others are only counted.
pub(super) const BAD_ROWS_KEPT: usize = 8;

/// A row that was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadRow {
    /// Line in the file, the header being line 1.
    pub(super) line: u64,
    /// The reason.
    pub(super) error: RowError,
}

/// Counts of rows by result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Rows that were changes.
    pub(super) rows: u64,
    /// Rows that were skipped.
    pub(super) bad_rows: u64,
    /// The first [`BAD_ROWS_KEPT`] of these.
    pub(super) first_bad_rows: Vec<BadRow>,
    /// Options that were left out of leases.
    pub(super) left_out: LeftOut,
}

impl Tally {
    pub(super) fn bad_row(&mut self, line: u64, error: RowError) {
        self.bad_rows += 1;
        if self.first_bad_rows.len() < BAD_ROWS_KEPT {
            self.first_bad_rows.push(BadRow { line, error });
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        // Room is computed here, as parts may have kept examples of their own.
        self.bad_rows += other.bad_rows;
        let room = BAD_ROWS_KEPT - self.first_bad_rows.len();
        self.first_bad_rows.extend(other.first_bad_rows.iter().take(room));
        self.left_out += other.left_out;
    }
}

impl From<&Tally> for RowTally {
    fn from(tally: &Tally) -> Self {
        let skipped =
            |row: &BadRow| SkippedRow { at: format!("line {}", row.line), error: row.error.to_string() };
        Self {
            rows: tally.rows,
            bad_rows: tally.bad_rows,
            first_bad_rows: tally.first_bad_rows.iter().map(skipped).collect(),
            left_out: tally.left_out,
        }
    }
}

/// The rows of one file, or of a part of it.
#[derive(Debug)]
pub(super) struct Lines<'l> {
    columns: Columns,
    /// Rows that Kea discards with these links when it loads them are left out.
    links: Option<&'l Links>,
    parser: RowParser,
    /// Lines taken so far; the header of a file counts.
    pub(super) count: u64,
    pub(super) tally: Tally,
}

impl<'l> Lines<'l> {
    pub(super) fn new(columns: Columns, count: u64) -> Self {
        Self { columns, links: None, parser: RowParser::new(), count, tally: Tally::default() }
    }

    /// Creates lines as [`Self::new`], for a load by a server with these links.
    pub(super) fn checked(columns: Columns, links: &'l Links) -> Self {
        // Links without checks would cost each row a lookup that discards nothing.
        Self { links: Some(links).filter(|links| links.checks_leases()), ..Self::new(columns, 0) }
    }

    /// Takes up to `lines_max` lines that end within `text`; returns their length in bytes.
    pub(super) fn take(&mut self, text: &[u8], lines_max: usize, batch: &mut Batch) -> usize {
        let mut taken = 0;
        for _ in 0..lines_max {
            let Some(len) = memchr(b'\n', &text[taken..]) else { break };
            self.take_line(&text[taken..taken + len], batch);
            taken += len + 1;
        }
        taken
    }

    /// Takes one line, given without its end. Blank ones are no rows.
    pub(super) fn take_line(&mut self, line: &[u8], batch: &mut Batch) {
        self.count += 1;
        if line.is_empty() {
            return;
        }
        // A line of this length is no row of Kea, and parsing it would cost without bound.
        if line.len() > LINE_LEN_MAX {
            mark_unreadable(line, batch);
            return self.tally.bad_row(self.count, TOO_LONG);
        }
        match self.parser.parse_checked(self.columns, line, batch, self.links) {
            Ok(()) => {
                self.tally.rows += 1;
                // A surplus value may be a row that Kea wrote behind the remains of another.
                if self.parser.has_surplus() {
                    self.mark_second_row(line, batch);
                }
            }
            Err(error) => {
                self.mark_second_row(line, batch);
                self.tally.bad_row(self.count, error);
            }
        }
    }

    /// Makes the address of a row unreadable that stands behind half a row on one line: Kea goes on there
    /// once it can write again, and holds the leases of both. That address ends the value, and begins with
    /// four digits, as those of every network in use do; more than one text may be so.
    #[cold]
    fn mark_second_row(&self, line: &[u8], batch: &mut Batch) {
        let Some(value) = self.columns.last_row(line) else { return };
        let end = memchr(b',', &line[value..]).map_or(line.len(), |len| value + len);
        // At 0 is the one row there is.
        let starts = value.max(end.saturating_sub(ADDRESS_LEN_MAX)).max(1)..end;
        let begins_with_four = |text: &[u8]| memchr(b':', text) == Some(4);
        for start in starts.filter(|&start| begins_with_four(&line[start..end])) {
            if ipv6::parse(&line[start..end]).is_some() {
                mark_unreadable(&line[start..], batch);
            }
        }
    }

    /// Reads a line that may go on, and counts nothing: whether it is a whole row, which is then taken. Else
    /// its address becomes unreadable, if that is whole.
    pub(super) fn read_half_line(&mut self, line: &[u8], batch: &mut Batch) -> bool {
        // A line that lacks columns may still be growing, so it must not be taken as a row.
        let is_whole = self.columns.are_all_in(line) && line.len() <= LINE_LEN_MAX;
        if !is_whole {
            mark_unreadable(line, batch);
        }
        is_whole && self.parser.parse(self.columns, line, batch).is_ok()
    }

    /// Takes a line whose text was not kept, since it is longer than [`LINE_LEN_MAX`].
    pub(super) fn take_too_long(&mut self) {
        self.count += 1;
        self.tally.bad_row(self.count, TOO_LONG);
    }

    /// Returns the counts since the last call.
    pub(super) fn take_tally(&mut self) -> Tally {
        // The parser counts across rows, so its counts join those of the lines here.
        self.tally.left_out = self.parser.take_left_out();
        std::mem::take(&mut self.tally)
    }
}

const TOO_LONG: RowError = RowError { column: Column::UserContext, kind: RowErrorKind::TooLong };

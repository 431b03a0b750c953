//! The end of one growing file: complete lines in order, and the certainty that they are a continuation.

use std::os::unix::fs::FileExt;

use lqd_index::{Batch, Change};
use memchr::memchr;

use crate::kea_memfile::columns::Columns;
use crate::kea_memfile::files::LeaseFile;
use crate::kea_memfile::lines::{LINE_LEN_MAX, Lines, Tally};
use crate::kea_memfile::load::{GUARD_LEN, HEADER_LEN_MAX, Position};
use crate::kea_memfile::row::mark_unreadable;

use super::half_line::Reading;

/// Most lines taken at once: the index applies them in about a millisecond.
const LINES_MAX: usize = 8192;
/// Bytes read at once.
const READ_LEN: usize = 256 << 10;
/// Reads without a line end among them before the caller gets its turn.
const READS_MAX: usize = 16;

/// The reason why the file does not continue the text that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TailError {
    /// The text that was read is no longer there.
    #[error("the text that was read is no longer there")]
    Rewritten,
    /// The first line is not a header.
    #[error("the first line is not a header")]
    Header,
    /// The system refuses to read.
    #[error("the system refuses to read")]
    Unreadable,
}

#[derive(Debug)]
pub(super) struct Tail {
    pub(super) file: LeaseFile,
    /// The file is not the current one, as there was none.
    pub(super) current_missing: bool,
    /// Offset of the first byte that is not taken.
    pub(super) offset: u64,
    /// Read, but not taken yet.
    text: Vec<u8>,
    /// The last bytes that were read; read again each time, to see that they are still there.
    guard: Vec<u8>,
    /// None until the header is complete.
    lines: Option<Lines<'static>>,
    /// Within a line that is longer than can be a row, whose beginning is dropped.
    in_long_line: bool,
    /// Bytes of it that are dropped.
    dropped: u64,
    space: Vec<u8>,
}

impl Tail {
    pub(super) fn new(position: Position) -> Self {
        let Position { current: file, current_missing, offset, lines, columns, text, guard, .. } = position;
        let lines = columns.map(|columns| Lines::new(columns, lines));
        Self {
            file,
            current_missing,
            offset,
            text,
            guard,
            lines,
            in_long_line: false,
            dropped: 0,
            space: Vec::new(),
        }
    }

    /// Returns the offset of the first line that is not taken, be it without end and too long to be a row.
    pub(super) fn line_start(&self) -> u64 {
        self.offset - self.dropped
    }

    /// Returns the number of bytes in the file that are not taken.
    pub(super) fn lag(&self) -> u64 {
        // A file that cannot be examined has no known backlog.
        self.file.file.metadata().map_or(0, |metadata| metadata.len().saturating_sub(self.line_start()))
    }

    /// Returns the number of bytes of the file that were read.
    pub(super) fn read_to(&self) -> u64 {
        self.offset + self.text.len() as u64
    }

    /// Returns the length of a line without end, as far as it was read.
    pub(super) fn half_line_len(&self) -> u64 {
        self.read_to() - self.line_start()
    }

    /// Whether the text read is whole lines, the header's among them.
    pub(super) fn is_at_line_end(&self) -> bool {
        self.lines.is_some() && self.half_line_len() == 0
    }

    pub(super) fn has_header(&self) -> bool {
        self.lines.is_some()
    }

    /// Makes the address of the line without end unreadable, if it can be read.
    pub(super) fn mark_half_line(&self, batch: &mut Batch) -> Reading {
        if self.in_long_line {
            // Marked when it became too long.
            return Reading::Names;
        }
        // Before the header, columns are not known, so no address can be told.
        if self.lines.is_some() {
            mark_unreadable(&self.text, batch);
        }
        known(batch)
    }

    /// Takes the line without end as if it ended here, but for good only when it does.
    pub(super) fn read_half_line(&mut self, batch: &mut Batch) -> Reading {
        if self.in_long_line {
            // Marked when it became too long.
            return Reading::Names;
        }
        let is_row = self.lines.as_mut().is_some_and(|lines| lines.read_half_line(&self.text, batch));
        if is_row { Reading::Row } else { known(batch) }
    }

    /// Returns the counts of lines taken since the last call.
    pub(super) fn take_tally(&mut self) -> Tally {
        self.lines.as_mut().map_or_else(Tally::default, Lines::take_tally)
    }

    /// Takes the next complete lines; false if there are none now.
    pub(super) fn take(&mut self, batch: &mut Batch) -> Result<bool, TailError> {
        for _ in 0..READS_MAX {
            if self.take_read(batch)? {
                return Ok(true);
            }
            // Nothing was read, so nothing is left to take.
            if self.read()? == 0 {
                return Ok(false);
            }
        }
        self.take_read(batch)
    }

    /// Takes the rest of a file that is not written any more: Kea reads a row there even if its line has no
    /// end. False if nothing is left.
    pub(super) fn take_rest(&mut self, batch: &mut Batch) -> bool {
        let Some(lines) = &mut self.lines else { return false };
        if self.in_long_line {
            lines.take_too_long();
        } else if self.text.is_empty() {
            return false;
        } else {
            lines.take_line(&self.text, batch);
        }
        self.offset += self.text.len() as u64;
        self.dropped = 0;
        self.text.clear();
        true
    }

    /// Takes complete lines out of the text read; false if there is none.
    fn take_read(&mut self, batch: &mut Batch) -> Result<bool, TailError> {
        // Rows cannot be split before the header says which columns they have.
        if self.lines.is_none() && !self.take_header()? {
            return Ok(false);
        }
        let Some(lines) = &mut self.lines else { return Ok(false) };
        let mut taken = 0;
        let mut any = false;
        if self.in_long_line
            // The end of a line too long to keep; its address was marked when it became too long.
            && let Some(line_end) = memchr(b'\n', &self.text)
        {
            lines.take_too_long();
            self.in_long_line = false;
            self.dropped = 0;
            taken = line_end + 1;
            any = true;
        }
        if !self.in_long_line {
            // The lines of a step are bounded, so that other work of this thread gets its turn.
            let complete = lines.take(&self.text[taken..], LINES_MAX, batch);
            any |= complete > 0;
            taken += complete;
            // Text without a line end would grow without bound: its beginning is dropped.
            self.in_long_line = !any && self.text.len() > LINE_LEN_MAX;
            if self.in_long_line {
                mark_unreadable(&self.text, batch);
                any = !batch.is_empty();
            }
        }
        if self.in_long_line {
            // Text of a line that will never be a row is counted, not kept.
            taken = self.text.len();
            self.dropped += taken as u64;
        }
        self.drop_text(taken);
        Ok(any)
    }

    fn take_header(&mut self) -> Result<bool, TailError> {
        // Kea reads past blank lines before its header, so they count as lines only.
        let blank_lines = Columns::blank_lines(&self.text);
        let header = &self.text[blank_lines..];
        let Some(line_end) = memchr(b'\n', header) else {
            // A file without line end for so long has no header to wait for.
            return if self.text.len() > HEADER_LEN_MAX { Err(TailError::Header) } else { Ok(false) };
        };
        let columns = Columns::from_header(&header[..line_end]).map_err(|_| TailError::Header)?;
        self.lines = Some(Lines::new(columns, blank_lines as u64 + 1));
        self.drop_text(blank_lines + line_end + 1);
        Ok(true)
    }

    fn drop_text(&mut self, len: usize) {
        self.text.drain(..len);
        self.offset += len as u64;
    }

    /// Reads on; returns the number of bytes.
    fn read(&mut self) -> Result<usize, TailError> {
        let position = self.read_to();
        // The guard is read with the text in one call, so that the two cannot differ in time.
        self.space.resize(GUARD_LEN + READ_LEN, 0);
        let guard_len = self.guard.len();
        let len = self
            .file
            .file
            .read_at(&mut self.space[..guard_len + READ_LEN], position - guard_len as u64)
            .map_err(|_| TailError::Unreadable)?;
        // Fewer bytes than the guard: the file was truncated.
        let Some((guard, text)) = self.space[..len].split_at_checked(guard_len) else {
            return Err(TailError::Rewritten);
        };
        // The bytes before the position changed: rewritten in place.
        if guard != self.guard {
            return Err(TailError::Rewritten);
        }
        self.text.extend_from_slice(text);
        // The guard of the next read is the end of this one, even if little was read.
        let guard_start = len.saturating_sub(GUARD_LEN);
        let text_len = text.len();
        self.guard.clear();
        self.guard.extend_from_slice(&self.space[guard_start..len]);
        Ok(text_len)
    }
}

/// Returns the knowledge of a line without end by its marks.
fn known(marks: &Batch) -> Reading {
    // Without a client the whole index is in doubt, since any lease may be meant.
    let has_client = |change| matches!(change, Change::Unreadable { duid, .. } if !duid.is_empty());
    if marks.changes().any(has_client) { Reading::Names } else { Reading::Nothing }
}

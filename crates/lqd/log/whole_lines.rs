//! Whole lines to a file, pipe or terminal that may accept only a part: full disk, file size limit.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

/// A writer whose output is whole lines once the target accepts everything again.
///
/// The rest of a partly written line comes before anything else.
#[derive(Debug)]
pub(crate) struct WholeLines<W> {
    to: W,
    /// Written bytes of the last line.
    taken: usize,
    /// Unwritten bytes of the last line.
    rest: Vec<u8>,
}

impl<W: Write> WholeLines<W> {
    /// Writes to `to`, which is at the beginning of a line.
    pub(crate) fn new(to: W) -> Self {
        Self { to, taken: 0, rest: Vec::new() }
    }

    /// Returns whether the last line is partly written.
    pub(crate) fn is_torn(&self) -> bool {
        !self.rest.is_empty()
    }

    /// Writes the rest of a partly written line.
    ///
    /// # Errors
    /// Error of the writer; another call tries again.
    pub(crate) fn complete(&mut self) -> io::Result<()> {
        let (taken, error) = write_some(&mut self.to, &self.rest);
        self.rest.drain(..taken);
        self.taken += taken;
        error.map_or(Ok(()), Err)
    }

    /// Writes lines, each with its newline; returns the number written, and the error that stopped the
    /// others. A partly written line counts as written: its rest follows once there is room.
    pub(crate) fn write(&mut self, lines: &[u8]) -> (usize, Option<io::Error>) {
        if let Err(error) = self.complete() {
            return (0, Some(error));
        }
        let (taken, error) = write_some(&mut self.to, lines);
        let whole = lines[..taken].iter().rposition(|&octet| octet == b'\n').map_or(0, |newline| newline + 1);
        if taken > whole {
            let len =
                lines[taken..].iter().position(|&octet| octet == b'\n').map_or(0, |newline| newline + 1);
            self.taken = taken - whole;
            self.rest.extend_from_slice(&lines[taken..taken + len]);
        }
        (count(&lines[..whole]) + usize::from(self.is_torn()), error)
    }
}

impl WholeLines<File> {
    /// Removes a partly written line from the end of the file; returns false if there is none, or it stays.
    pub(crate) fn cut(&mut self) -> bool {
        if !self.is_torn() {
            return false;
        }
        let cut = self.to.metadata().and_then(|metadata| {
            let len = metadata.len().checked_sub(self.taken as u64).ok_or(ErrorKind::InvalidInput)?;
            self.to.set_len(len)
        });
        if cut.is_ok() {
            self.rest.clear();
        }
        cut.is_ok()
    }
}

/// Returns the number of lines.
pub(crate) fn count(lines: &[u8]) -> usize {
    lines.split_inclusive(|&octet| octet == b'\n').count()
}

/// Writes until everything is written or an error occurs.
fn write_some(to: &mut impl Write, octets: &[u8]) -> (usize, Option<io::Error>) {
    let mut taken = 0;
    while taken < octets.len() {
        match to.write(&octets[taken..]) {
            Ok(0) => return (taken, Some(ErrorKind::WriteZero.into())),
            Ok(len) => taken += len,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (taken, Some(error)),
        }
    }
    (taken, None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A disk with limited room, and the text written to it.
    struct Disk {
        room: usize,
        text: Vec<u8>,
    }

    impl Write for Disk {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let len = octets.len().min(self.room);
            if len == 0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.room -= len;
            self.text.extend_from_slice(&octets[..len]);
            Ok(len)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    proptest! {
        /// The disk finally holds whole lines in order, as many as counted, however full it was in between.
        #[test]
        fn lines_are_whole_or_absent_after_a_full_disk(
            steps in prop::collection::vec((0_usize..40, 1_usize..4), 1..40)
        ) {
            let mut out = WholeLines::new(Disk { room: 0, text: Vec::new() });
            let (mut next, mut counted) = (0, 0);
            for (room, lines) in steps {
                out.to.room = room;
                let text: String = (next..next + lines).map(|line| format!("line {line}.\n")).collect();
                next += lines;
                counted += out.write(text.as_bytes()).0;
            }
            out.to.room = usize::MAX;
            out.complete().unwrap();
            let text = String::from_utf8(out.to.text).unwrap();
            let numbers = text.lines().map(|line| {
                line.strip_prefix("line ").and_then(|line| line.strip_suffix('.')?.parse().ok()).expect("whole")
            });
            let numbers: Vec<usize> = numbers.collect();
            prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{:?}", numbers);
            prop_assert_eq!(numbers.len(), counted);
            prop_assert!(text.is_empty() || text.ends_with('\n'));
        }
    }
}

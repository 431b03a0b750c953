//! Reader of lease files.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::build::Builder;
use super::{Clients, row};
use crate::error::Error;

/// Longest line that is kept whole, in bytes; Kea's own are far shorter.
const LINE_LEN_MAX: usize = 1 << 20;

/// Counts of a reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadSummary {
    /// Rows, readable or not.
    pub(crate) rows: u64,
    /// Unreadable rows, which were skipped.
    pub(crate) bad: u64,
    /// Position and column of the first unreadable row.
    pub(crate) first_bad: Option<String>,
}

/// Reads these files in order, later rows overriding earlier ones, and keeps the leases valid at `now`.
///
/// # Errors
/// A file cannot be read or is not a lease file, or no lease is valid.
pub(crate) fn read(paths: &[PathBuf], now: u32) -> Result<(Clients, ReadSummary), Error> {
    let mut builder = Builder::default();
    let mut summary = ReadSummary::default();
    for path in paths {
        read_file(path, &mut builder, &mut summary)?;
    }
    let clients = builder.build(now)?;
    // Without leases every query would be a miss, which measures something else.
    if clients.len() == 0 {
        let ReadSummary { rows, bad, first_bad } = summary;
        let first = first_bad.map(|first| format!(", first {first}")).unwrap_or_default();
        return Err(Error::NoLeases { rows, bad, first });
    }
    Ok((clients, summary))
}

fn read_file(path: &Path, builder: &mut Builder, summary: &mut ReadSummary) -> Result<(), Error> {
    let file = File::open(path).map_err(Error::file(path))?;
    // Lease files have gigabytes: fewer system calls.
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut line = Vec::new();
    let header = |source| Error::Header { path: path.to_owned(), source };
    // An empty file is reported as such, not as a wrong header.
    if !next_line(&mut reader, &mut line).map_err(Error::file(path))? {
        return Err(header(row::HeaderError::Empty));
    }
    row::check_header(&line).map_err(header)?;
    let mut duid = Vec::new();
    let mut number = 1_u64;
    while next_line(&mut reader, &mut line).map_err(Error::file(path))? {
        number += 1;
        // An empty line is not a row, so not an unreadable one either.
        if line.is_empty() {
            continue;
        }
        summary.rows += 1;
        match row::parse(&line, &mut duid) {
            Ok(row) => builder.add(&row, &duid)?,
            // Unreadable rows are skipped as Kea skips them, and counted.
            Err(column) => {
                summary.bad += 1;
                summary.first_bad.get_or_insert_with(|| format!("{}:{number}: {column}", path.display()));
            }
        }
    }
    Ok(())
}

/// Reads one line without its end; false at the end of the file. A line beyond [`LINE_LEN_MAX`] is truncated.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            // A last line without end is a row like any other.
            return Ok(!line.is_empty());
        }
        let end = memchr::memchr(b'\n', buffer);
        let part = &buffer[..end.unwrap_or(buffer.len())];
        // A line without end must not fill the memory.
        line.extend_from_slice(&part[..part.len().min(LINE_LEN_MAX - line.len())]);
        let used = part.len() + usize::from(end.is_some());
        // Consumed in any case, or the same line would be read again.
        reader.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

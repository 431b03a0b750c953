//! The writer: appends rows at the rate, in whole lines.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Options;
use super::churn::{ChangeCounts, Churn};
use super::pool::Pool;
use super::rows::{self, ROW_LEN_MAX};
use super::written::Written;
use crate::clock::unix_seconds;
use crate::error::Error;
use crate::make_leases::HEADER;

/// Pause between two writes.
const TICK: Duration = Duration::from_millis(1);
/// Most rows in one write.
const ROWS_MAX: u64 = 4096;

/// Lease file, open to append.
pub(super) struct LeaseFile {
    file: File,
    /// Length before the first row of the run.
    pub(super) start: u64,
}

impl LeaseFile {
    /// Opens the file, if its header is that of today's Kea and its last line has an end.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let mut file = OpenOptions::new().read(true).append(true).open(path).map_err(Error::file(path))?;
        let (header, start, last) = ends(&mut file).map_err(Error::file(path))?;
        let reason = match (header == HEADER.as_bytes(), last) {
            (false, _) => "the columns are not those of Kea 2.4 and newer; give a file of make-leases",
            (_, b'\n') => return Ok(Self { file, start }),
            _ => "the last line has no end; make the file anew",
        };
        Err(Error::NotAppendable { path: path.to_owned(), reason })
    }
}

/// Returns the first octets, the length and the last octet.
fn ends(file: &mut File) -> io::Result<(Vec<u8>, u64, u8)> {
    let (mut header, mut last) = (Vec::new(), [0]);
    file.take(HEADER.len() as u64).read_to_end(&mut header)?;
    let start = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(start.saturating_sub(1)))?;
    // An empty file has no last octet, and no header either.
    if start > 0 {
        file.read_exact(&mut last)?;
    }
    Ok((header, start, last[0]))
}

/// Result of the churn.
pub(super) struct Churned {
    pub(super) counts: ChangeCounts,
    pub(super) took: Duration,
    pub(super) octets: u64,
    /// Whether a signal ended it early.
    pub(super) interrupted: bool,
}

/// Writes all changes of the options, or those until `stop`.
pub(super) fn write(
    options: &Options,
    pool: &Pool,
    churn: &mut Churn<'_>,
    written: &Written,
    file: &mut LeaseFile,
    stop: &AtomicBool,
) -> io::Result<Churned> {
    let (started, end) = (Instant::now(), options.changes());
    let (mut rows, mut octets) = (0, 0);
    let mut buffer = Vec::with_capacity(ROWS_MAX as usize * ROW_LEN_MAX);
    while rows < end && !stop.load(Ordering::Relaxed) {
        let due = (started.elapsed().as_secs_f64() * f64::from(options.changes_per_second)) as u64;
        let count = due.min(end).saturating_sub(rows).min(ROWS_MAX);
        fill(&mut buffer, pool, churn, written, count);
        // One write of whole lines: a follower never sees a row in parts that were written apart.
        file.file.write_all(&buffer)?;
        rows += count;
        octets += buffer.len() as u64;
        if count < ROWS_MAX {
            thread::sleep(TICK);
        }
    }
    Ok(Churned { counts: churn.counts, took: started.elapsed(), octets, interrupted: rows < end })
}

fn fill(buffer: &mut Vec<u8>, pool: &Pool, churn: &mut Churn<'_>, written: &Written, count: u64) {
    buffer.clear();
    let (now, wall) = (Instant::now(), unix_seconds());
    for _ in 0..count {
        let change = churn.next();
        rows::put(buffer, pool, &change, wall);
        written.note(&change, now);
    }
}

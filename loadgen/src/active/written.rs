//! Times at which rows were written, by number: shared by the writer and all readers, without locks.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::churn::Change;

/// Most rows whose times are kept; older ones are overwritten.
const KEPT_MAX: u64 = 1 << 24;
/// Unit of the times: 32 bits hold more than four hours.
const UNIT_NS: u64 = 4_000;
/// Mark of a removal, above every row number.
const REMOVAL: u32 = 1 << 31;

/// Times of the last rows.
pub(super) struct Written {
    start: Instant,
    times: Box<[AtomicU32]>,
    /// The last row of each slot, with [`REMOVAL`].
    last: Box<[AtomicU32]>,
    rows: AtomicU64,
}

impl Written {
    pub(super) fn new(slots: u32, changes: u64) -> Self {
        let kept = changes.clamp(1, KEPT_MAX).next_power_of_two();
        let zeros = |count: u64| (0..count).map(|_| AtomicU32::new(0)).collect();
        Self { start: Instant::now(), times: zeros(kept), last: zeros(slots.into()), rows: AtomicU64::new(0) }
    }

    /// Notes a row that is about to be written.
    pub(super) fn note(&self, change: &Change, now: Instant) {
        let mark = if change.removal.is_some() { REMOVAL } else { 0 };
        let units = (now - self.start).as_nanos() as u64 / UNIT_NS;
        self.time(change.row).store(units as u32, Ordering::Relaxed); // at most four hours
        self.last[change.slot as usize].store(change.row | mark, Ordering::Relaxed);
        self.rows.store(change.row.into(), Ordering::Relaxed);
    }

    /// Number of rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Returns the row that freed the slot; none if it is assigned again.
    pub(super) fn removal(&self, slot: u32) -> Option<u32> {
        let last = self.last[slot as usize].load(Ordering::Relaxed);
        (last & REMOVAL > 0).then_some(last & !REMOVAL)
    }

    /// Returns the time from a row to `now`; none if so many rows followed that it is not known.
    pub(super) fn since(&self, row: u32, now: Instant) -> Option<Duration> {
        let written = Duration::from_nanos(u64::from(self.time(row).load(Ordering::Relaxed)) * UNIT_NS);
        let is_kept = self.rows() < u64::from(row) + self.times.len() as u64;
        is_kept.then(|| (now - self.start).saturating_sub(written))
    }

    fn time(&self, row: u32) -> &AtomicU32 {
        &self.times[row as usize & (self.times.len() - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::churn::Removal;
    use super::*;

    #[test]
    fn times_of_the_last_rows_are_known() {
        let written = Written::new(2, 4);
        let at = |ms| written.start + Duration::from_millis(ms);
        for row in 1..=5 {
            let removal = (row == 5).then_some(Removal::Deleted);
            written.note(&Change { row, slot: row % 2, client: 0, removal }, at(u64::from(row)));
        }
        assert_eq!(written.rows(), 5);
        assert_eq!(written.since(1, at(9)), None, "overwritten by row 5");
        assert_eq!(written.since(2, at(9)), Some(Duration::from_millis(7)));
        assert_eq!((written.removal(0), written.removal(1)), (None, Some(5)));
    }
}

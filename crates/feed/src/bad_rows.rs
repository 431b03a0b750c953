//! Log lines about skipped rows, at most one a minute.

use std::time::{Duration, Instant};

use tracing::warn;

use crate::source::{RowTally, SkippedRow, SourceName};

/// Shortest time between two lines.
const EVERY: Duration = Duration::from_secs(60);

/// Rows that were skipped and not logged yet.
#[derive(Default)]
pub(crate) struct BadRows {
    count: u64,
    first: Option<SkippedRow>,
    logged: Option<Instant>,
}

impl BadRows {
    /// Counts the skipped rows of a batch or a load.
    pub(crate) fn count(&mut self, tally: &RowTally) {
        self.count += tally.bad_rows;
        // The first bad row is kept, as the count alone does not lead the operator to the cause.
        if self.first.is_none() {
            self.first = tally.first_bad_rows.first().cloned();
        }
    }

    /// Logs them, unless others were logged in the last minute.
    pub(crate) fn log(&mut self, source: &SourceName) {
        let recently = self.logged.is_some_and(|logged| logged.elapsed() < EVERY);
        // The counts stay and go into the next line: a damaged file must not flood the log.
        if recently || self.count == 0 {
            return;
        }
        let Some(SkippedRow { at, error }) = self.first.take() else { return };
        let (rows, kind) = (self.count, source.kind);
        warn!(%source, %at, %error, rows, "skipped rows of the {kind}; the first one is named");
        self.count = 0;
        self.logged = Some(Instant::now());
    }
}

//! The follower against files that are handled as Kea, kea-lfc, `lease6-write` and administrators handle
//! them.

mod cases;
mod half_line;
mod kea;
mod links;
mod replay;
mod rewrite;

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use lqd_index::{Batch, Change, Links, Removal};

use super::half_line::Times;
use super::{FileStep, Follower, Reload};
use crate::kea_memfile::files::LeaseFiles;
use crate::kea_memfile::lines::Tally;
use crate::kea_memfile::load::load;
use crate::kea_memfile::load::tests::Batches;
use crate::source::LoadRequest;

/// Longest that anything which must happen is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// So long that no test sees its end.
const NEVER: Duration = Duration::from_secs(100_000);

/// A line without end is left alone.
const ALONE: Times = Times { written_within: NEVER, left_after: NEVER };

/// Leases: subnet and cltt by address, enough to tell each row of these tests from every other.
type Leases = HashMap<Ipv6Addr, (u32, u32)>;

fn apply(leases: &mut Leases, batch: &Batch) {
    for change in batch.changes() {
        match change {
            Change::Put(lease) => drop(leases.insert(lease.address, (lease.subnet_id, lease.cltt))),
            Change::Remove(Removal { address, .. }) | Change::Unreadable { address, .. } => {
                leases.remove(&address);
            }
        }
    }
}

/// Adds the rows of a step.
fn count(rows: &mut (u64, u64), tally: &Tally) {
    *rows = (rows.0 + tally.rows, rows.1 + tally.bad_rows);
}

/// A follower and the leases that it read, as the feed uses it.
struct Reader {
    files: LeaseFiles,
    follower: Follower,
    leases: Leases,
    reloads: Vec<Reload>,
    /// Rows of the steps: changes, and skipped ones.
    rows: (u64, u64),
}

impl Reader {
    fn new(files: LeaseFiles) -> Self {
        let loaded =
            load::<Batches>(&files, &LoadRequest::new(&Links::default(), NonZeroUsize::MIN, true)).unwrap();
        let mut leases = Leases::new();
        loaded.rows.into_batches().iter().for_each(|batch| apply(&mut leases, batch));
        let mut follower = Follower::new(&files, loaded.position).unwrap();
        follower.still_for = Duration::ZERO;
        follower.times = ALONE;
        assert!(follower.status().watching, "these tests need inotify");
        Self { files, follower, leases, reloads: Vec::new(), rows: (0, 0) }
    }

    /// Polls once; false if there was nothing to do.
    fn step(&mut self, timeout: Duration) -> bool {
        let reason = match self.follower.poll(timeout) {
            FileStep::Idle => return false,
            FileStep::Rows { batch, tally } => {
                // A bad row is a change too, if its address can be read; and so is half a row.
                let is_read = |change: &Change<'_>| !matches!(change, Change::Unreadable { .. });
                let (changes, read) = (batch.len() as u64, batch.changes().filter(is_read).count() as u64);
                assert!(changes <= 8192 && (read == tally.rows || tally.rows == 0 && changes == 1));
                count(&mut self.rows, tally);
                apply(&mut self.leases, batch);
                return true;
            }
            FileStep::Reload(reason) => reason,
        };
        self.reloads.push(reason);
        let limit = Instant::now() + LIMIT;
        let loaded = loop {
            match load::<Batches>(&self.files, &LoadRequest::new(&Links::default(), NonZeroUsize::MIN, true))
            {
                Ok(loaded) => break loaded,
                // Truncated again while it was being read.
                Err(error) => assert!(Instant::now() < limit, "{error}"),
            }
        };
        self.leases.clear();
        loaded.rows.into_batches().iter().for_each(|batch| apply(&mut self.leases, batch));
        self.follower.reloaded(loaded.position);
        true
    }

    /// Polls until there is nothing more to do.
    fn settle(&mut self) {
        let limit = Instant::now() + LIMIT;
        while self.step(Duration::ZERO) {
            assert!(Instant::now() < limit, "never idle");
        }
    }

    /// Polls until the leases are these.
    fn wait_for(&mut self, leases: &Leases) {
        let limit = Instant::now() + LIMIT;
        while self.leases != *leases {
            assert!(Instant::now() < limit, "{:?} expected, {:?} found", leases, self.leases);
            self.step(Duration::from_millis(100));
        }
    }
}

//! Rows of a snapshot that the writer brings in when all others are there: leases with host bits, which need
//! a number of their own, and leases that cannot be read, which put clients in doubt.
//!
//! They are set aside as they come. When the map by address is filled, they are settled with the other rows
//! of their addresses, which shows the former holder of a lease that cannot be read.

use super::Loader;
use crate::lease::{Action, Batch, Row, address_hash};
use crate::map::partition_of;

/// Rows in a batch that the writer is given at a time.
const BATCH_ROWS: usize = 1 << 16;

/// Rows that one thread set aside.
#[derive(Default)]
pub(super) struct Aside {
    batches: Vec<Batch>,
    /// Number of each row of each batch.
    numbers: Vec<Vec<u64>>,
}

impl Aside {
    #[cold]
    pub(super) fn push(&mut self, number: u64, batch: &Batch, row: &Row) {
        // Batches are bounded, so that the writer can publish each in a short step.
        if self.batches.last().is_none_or(|batch| batch.len() == BATCH_ROWS) {
            self.batches.push(Batch::new());
            self.numbers.push(Vec::new());
        }
        if let (Some(batches), Some(numbers)) = (self.batches.last_mut(), self.numbers.last_mut())
            && batches.push_row(batch, row).is_ok()
        {
            numbers.push(number);
        } else {
            // A row that does not fit beside others fits alone.
            let mut alone = Batch::new();
            if alone.push_row(batch, row).is_ok() {
                self.batches.push(alone);
                self.numbers.push(vec![number]);
            }
        }
    }
}

/// A row that was set aside.
#[derive(Clone, Copy)]
pub(super) struct Special {
    /// Address as written by the source.
    pub(super) address: u128,
    pub(super) number: u64,
    batch: usize,
    row: usize,
}

/// Rows that were set aside, by partition of their addresses.
#[derive(Default)]
pub(super) struct Specials {
    batches: Vec<Batch>,
    rows: Vec<Special>,
}

/// Address of a lease that cannot be read, and the DUID of a former holder.
pub(crate) type Former = (u128, Box<[u8]>);

/// Changes that are left for the writer.
#[derive(Default)]
pub(crate) struct Remaining {
    /// Rows, one for each address, in no order.
    pub(crate) batches: Vec<Batch>,
    pub(crate) formers: Vec<Former>,
}

impl Specials {
    pub(super) fn gathered(parts: impl Iterator<Item = Aside>) -> Self {
        let mut this = Self::default();
        for Aside { batches, numbers } in parts {
            for (batch, numbers) in batches.into_iter().zip(numbers) {
                let number_of = this.batches.len();
                this.rows.extend(batch.rows.iter().zip(numbers).enumerate().map(
                    |(row, (packed, number))| Special {
                        address: batch.key(packed),
                        number,
                        batch: number_of,
                        row,
                    },
                ));
                this.batches.push(batch);
            }
        }
        // Sorted by partition, so that each thread finds its rows by binary search.
        this.rows.sort_by_cached_key(|special| partition_of(address_hash(special.address)));
        this
    }

    /// Returns the rows of a partition.
    pub(super) fn of_partition(&self, partition: usize) -> &[Special] {
        let before = |special: &Special| partition_of(address_hash(special.address)) < partition;
        let start = self.rows.partition_point(before);
        // The closure includes this partition, so the end is the first row of the next.
        let end = self.rows.partition_point(|special| {
            before(special) || { partition_of(address_hash(special.address)) == partition }
        });
        &self.rows[start..end]
    }

    fn row(&self, special: Special) -> (&Batch, &Row) {
        let batch = &self.batches[special.batch];
        (batch, &batch.rows[special.row])
    }

    /// Whether the lease cannot be read.
    pub(super) fn is_unreadable(&self, special: Special) -> bool {
        self.row(special).1.action == Action::MarkUnreadable
    }

    /// The DUID in the row.
    pub(super) fn duid(&self, special: Special) -> &[u8] {
        let (batch, row) = self.row(special);
        batch.named_duid(row)
    }

    /// Copies these rows into batches of their own.
    pub(super) fn only(&self, rows: impl Iterator<Item = Special>) -> Vec<Batch> {
        let mut aside = Aside::default();
        for special in rows {
            let (batch, row) = self.row(special);
            aside.push(special.number, batch, row);
        }
        aside.batches
    }
}

impl Loader {
    /// Gathers the rows that all threads set aside.
    pub(super) fn specials(&self) -> Specials {
        // Taken from all threads, since a row's address may belong to any partition.
        Specials::gathered(self.threads().iter_mut().map(|thread| std::mem::take(&mut thread.aside)))
    }
}

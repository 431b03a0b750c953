//! Changes of leases, drawn one by one.

use super::pool::Pool;
use super::table::Table;
use crate::random::Random;

/// Way in which a lease ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// Kea deletes the lease.
    Deleted,
    /// The client released it, and Kea keeps it for the client (lease affinity).
    Released,
    /// It expired, and Kea reclaimed it.
    Reclaimed,
    /// The client found the address in use.
    Declined,
}

const REMOVALS: [Removal; 4] = [Removal::Deleted, Removal::Released, Removal::Reclaimed, Removal::Declined];

/// Change of one slot: row `row` of the run, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) row: u32,
    pub(super) slot: u32,
    pub(super) client: u32,
    /// None if the client has the lease, or has it longer.
    pub(super) removal: Option<Removal>,
}

/// Shares of the changes of an assigned slot, in percent; a free one is assigned.
const RENEWALS: u64 = 60;
const MOVES: u64 = 15;

/// Number of changes by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct ChangeCounts {
    pub(super) new: u64,
    pub(super) renewed: u64,
    pub(super) moved: u64,
    pub(super) removed: u64,
}

/// Source of the changes.
pub(super) struct Churn<'a> {
    pool: &'a Pool,
    random: Random,
    table: Table,
    row: u32,
    pub(super) counts: ChangeCounts,
}

impl<'a> Churn<'a> {
    pub(super) fn new(pool: &'a Pool, seed: u64) -> Self {
        let table = Table::new(pool.slots());
        Self { pool, random: Random::new(seed), table, row: 0, counts: ChangeCounts::default() }
    }

    /// Returns the leases after the changes so far.
    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    /// Draws the next change.
    pub(super) fn next(&mut self) -> Change {
        self.row += 1;
        let slot = self.random.below(self.pool.slots().into()) as u32;
        let Some(holder) = self.table.entry(slot).holder else {
            self.counts.new += 1;
            return self.assign(slot, None);
        };
        match self.random.below(100) {
            0..RENEWALS => {
                self.counts.renewed += 1;
                self.assign(slot, Some(holder))
            }
            percent if percent < RENEWALS + MOVES => {
                self.counts.moved += 1;
                self.assign(slot, None)
            }
            _ => {
                self.counts.removed += 1;
                self.remove(slot, holder)
            }
        }
    }

    /// Assigns the slot to this client, or to any.
    fn assign(&mut self, slot: u32, client: Option<u32>) -> Change {
        let client = client.unwrap_or_else(|| self.random.below(self.pool.clients().into()) as u32);
        self.table.put(slot, client, self.row);
        Change { row: self.row, slot, client, removal: None }
    }

    fn remove(&mut self, slot: u32, client: u32) -> Change {
        self.table.remove(slot, client);
        let removal = REMOVALS[self.random.below(REMOVALS.len() as u64) as usize];
        Change { row: self.row, slot, client, removal: Some(removal) }
    }
}

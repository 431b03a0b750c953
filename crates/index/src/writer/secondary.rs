//! Secondary indexes kept up with the records that a batch publishes.
//!
//! A client is in an index before its record has the key, and until its record no longer has it: a scan
//! misses no client that has a key from the scan's begin to its end.

use std::sync::Arc;

use super::Writer;
use super::merge::Staged;
use crate::arena::Address;
use crate::clients::ClientId;
use crate::record::Client;
use crate::secondary::{Key, Secondary, SecondaryIndexes};
use crate::tables::Tables;

impl Writer {
    /// Maintains these indexes from now on, and no others: builds them of the leases there are.
    pub fn set_secondary_indexes(&mut self, indexes: SecondaryIndexes) {
        self.secondary_indexes = indexes;
        self.build_secondary();
        // Readers must not see an index without its keys, so it is switched as a whole.
        self.swap();
    }

    /// Rebuilds the indexes, for tables that no reader has seen yet.
    pub(super) fn build_secondary(&mut self) {
        self.secondary = Arc::new(Secondary::build(self.secondary_indexes, &self.tables, &self.links));
    }

    /// Adds the keys that new records have and old ones have not; returns those to remove after all are
    /// published.
    pub(super) fn enter_keys(&mut self, tables: &Tables, staged: &[Staged]) -> Vec<(Key, ClientId)> {
        let mut gone = Vec::new();
        // Without indexes, an update costs nothing here.
        if self.secondary_indexes == SecondaryIndexes::default() {
            return gone;
        }
        let mut before = Vec::new();
        for client in staged {
            before.clear();
            before.extend_from_slice(self.keys_of(tables, client.old_record));
            // Borrowed apart from the extractor, which `after` borrows.
            let secondary = Arc::clone(&self.secondary);
            let after = self.keys_of(tables, client.record);
            // Keys are sorted, so both comparisons are searches.
            let is_new = |key: &&Key| before.binary_search(key).is_err();
            after.iter().filter(is_new).for_each(|&key| secondary.insert(key, client.client));
            let is_gone = |key: &&Key| after.binary_search(key).is_err();
            gone.extend(before.iter().filter(is_gone).map(|&key| (key, client.client)));
        }
        gone
    }

    /// Removes the keys that no published record has any more.
    pub(super) fn leave_keys(&self, gone: &[(Key, ClientId)]) {
        gone.iter().for_each(|&(key, client)| self.secondary.remove(key, client));
    }

    fn keys_of(&mut self, tables: &Tables, record: Address) -> &[Key] {
        // A client without record has no keys.
        if record == 0 {
            return &[];
        }
        self.extractor.keys(&self.secondary, Client::at(&tables.arena, record), &self.links)
    }
}

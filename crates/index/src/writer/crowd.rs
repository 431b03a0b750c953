//! Clients with very many leases, looked through once a batch instead of once a row.
//!
//! What a client holds is in its record only, and a record is read from its beginning. For most clients these are a few
//! octets; for one with 100,000 leases, a batch that renews 2,000 of them took 196 ms, one with 2,000 new ones 2,850 ms,
//! and its first 100,000 in one batch three minutes, since each row and each new prefix read the record again. Now they
//! take 13, 37 and 267 ms. What is left, 8 to 11 ms for a single row, is the record, which is written anew.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use super::FastMap;
use crate::clients::ClientId;
use crate::record::{Binding, Client};
use crate::tables::Tables;
use crate::trie::Key;

/// From so many leases on, it pays. The model test of the writer has clients with a few only.
const MANY: usize = if cfg!(test) { 4 } else { 64 };

/// The addresses of clients with many leases before a batch, ascending, as far as they were asked for.
#[derive(Default)]
pub(super) struct Addresses(FastMap<ClientId, Vec<Ipv6Addr>>);

impl Addresses {
    /// Whether one of the client's leases begins at this address.
    pub(super) fn holds(&mut self, tables: &Tables, client: ClientId, address: Ipv6Addr) -> bool {
        let Some(record) = tables.client(client) else { return false };
        if record.len() < MANY {
            return record.bindings().any(|binding| binding.address == address);
        }
        let addresses = self.0.entry(client).or_insert_with(|| {
            let mut addresses: Vec<_> = record.bindings().map(|binding| binding.address).collect();
            addresses.sort(); // two runs, which a stable sort merges
            addresses
        });
        addresses.binary_search(&address).is_ok()
    }
}

/// The keys that the trie holds of clients with many leases, as far as they were asked for.
#[derive(Default)]
pub(super) struct Keys(FastMap<ClientId, BTreeSet<Key>>);

impl Keys {
    /// Visits those keys of a client's record that are in the trie, of very many those that can be the closest to
    /// `key`.
    ///
    /// These are its neighbours in the order of keys: whatever agrees with `key` in more bits than what lies between
    /// would have to lie between itself.
    pub(super) fn visit(
        &mut self,
        record: Option<Client<'_>>,
        client: ClientId,
        key: Key,
        is_in: impl Fn(Key) -> bool,
        visit: &mut dyn FnMut(Key),
    ) {
        let Some(record) = record else { return };
        let key_of = |binding: Binding| Key::new(binding.address, binding.prefix_len);
        let keys = record.bindings().filter_map(key_of).filter(|&key| is_in(key));
        if record.len() < MANY {
            return keys.for_each(visit);
        }
        let keys = self.0.entry(client).or_insert_with(|| keys.collect());
        let neighbours = [keys.range(..=key).next_back(), keys.range(key..).next()];
        neighbours.into_iter().flatten().for_each(|&key| visit(key));
    }

    /// This key is in the trie now.
    pub(super) fn entered(&mut self, client: ClientId, key: Key) {
        if let Some(keys) = self.0.get_mut(&client) {
            keys.insert(key);
        }
    }
}

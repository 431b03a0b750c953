//! Clients with very many leases, looked through once a batch instead of once a row.
//!
//! What a client holds is in its record only, and a record is read from its beginning. For most clients these are a few
//! octets; for one with 100,000 leases, a batch that renews 2,000 of them took 196 ms, one with 2,000 new ones 2,850 ms,
//! and its first 100,000 in one batch three minutes, since each row, and for the trie of that time each new prefix, read
//! the record again. With this they took 13, 37 and 267 ms. What is left, 8 to 11 ms for a single row, is the record, which is written anew.

use std::net::Ipv6Addr;

use super::FastMap;
use crate::clients::ClientId;
use crate::tables::Tables;

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

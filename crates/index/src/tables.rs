//! One generation of the index: records, client numbers, and what finds them, over one arena.
//!
//! A lease is found by the hash of its first address, that of an address lease or of a delegated prefix with zeros
//! behind; the writer knows leases by nothing else. Prefixes are in the trie as well, for the addresses inside them.
//! Designs considered: (1) all leases in the trie: an address took six dependent steps, 1,386 instructions and
//! 1,260 ns in a batch of 64 of 1 million leases; (2) no trie, but a probe of the map for each prefix length in use,
//! longest first: no faster for the one or two lengths that most sites have, and whoever delegates 127 lengths makes
//! 127 probes of each look-up; (3) this one: a bounded walk whatever the lengths are, for prefixes only.
//!
//! Where the octets go, for a client with an address, a prefix and a DUID of 14 octets: record 96 (`record.rs`),
//! number 4, two slots by address and one by DUID 34 to 38 (8 each, at most seven in ten used, in whole blocks), its share
//! of the trie 5 where prefixes lie in runs: 139 to 143, some 70 a lease.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;

use crate::arena::Arena;
use crate::clients::{ClientId, Clients};
use crate::lease::{address_hash, duid_hash};
use crate::map::Map;
use crate::record::{Client, Place};
use crate::template::Dictionary;
use crate::trie::Trie;

/// What readers read and the writer changes, in place, one published word at a time.
pub(crate) struct Tables {
    pub(crate) arena: Arena,
    pub(crate) clients: Clients,
    /// By [`address_hash`] of each lease's first address.
    pub(crate) addresses: Map,
    /// Delegated prefixes, but those of 128 bits, which are whole addresses.
    pub(crate) prefixes: Trie,
    /// By [`duid_hash`].
    pub(crate) duids: Map,
    /// Of relay data.
    pub(crate) templates: Dictionary,
    /// Written with each batch of changes: apart from what every look-up reads.
    pub(crate) counts: CachePadded<Counts>,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) leases: AtomicUsize,
    pub(crate) clients: AtomicUsize,
}

impl Tables {
    pub(crate) fn empty() -> Self {
        Self {
            arena: Arena::new(),
            clients: Clients::new(),
            addresses: Map::new(),
            prefixes: Trie::default(),
            duids: Map::new(),
            templates: Dictionary::default(),
            counts: CachePadded::default(),
        }
    }

    pub(crate) fn client(&self, client: ClientId) -> Option<Client<'_>> {
        self.clients.get(client).map(|at| Client::at(&self.arena, at))
    }

    pub(crate) fn find_duid(&self, duid: &[u8]) -> Option<ClientId> {
        let is = |client| self.client(client).is_some_and(|client| client.has_duid(duid));
        self.duids.find(&self.arena, duid_hash(duid), is)
    }

    /// The longest binding that covers `address` and has valid lifetime left at `now`, and its client.
    pub(crate) fn covering(&self, address: Ipv6Addr, now: u32) -> Option<(Client<'_>, Place)> {
        let mut probe = self.addresses.probe(&self.arena, address_hash(address.into()));
        let beginning = std::iter::from_fn(|| probe.next(&self.arena)).find_map(|client| {
            let client = self.client(client)?;
            Some((client, client.covering_from(address, now)?))
        });
        if beginning.is_some() {
            return beginning; // any longer lease would begin at this address too, which begins one lease only
        }
        let mut longest: Option<(Client<'_>, Place)> = None;
        self.prefixes.candidates(&self.arena, address.into(), |candidate| {
            let Some(client) = self.client(candidate) else { return };
            let Some(covering) = client.longest_covering(address, now) else { return };
            let len = |(client, place): (Client<'_>, Place)| client.covering_at(place).binding().prefix_len;
            if longest.is_none_or(|longest| len((client, covering)) > len(longest)) {
                longest = Some((client, covering));
            }
        });
        longest
    }

    /// The client whose lease begins at exactly this address, whatever its length: the key of lease sources. `holds`
    /// tells whether a client has it.
    pub(crate) fn owner(&self, address: Ipv6Addr, holds: impl FnMut(&ClientId) -> bool) -> Option<ClientId> {
        let mut probe = self.addresses.probe(&self.arena, address_hash(address.into()));
        std::iter::from_fn(|| probe.next(&self.arena)).find(holds)
    }

    /// Octets that the tables take from the system.
    pub(crate) fn octets(&self) -> usize {
        self.memory().into_iter().map(|(_, octets)| octets).sum()
    }

    /// These by table: records, trie and DUID map lie in one arena.
    pub(crate) fn memory(&self) -> [(&'static str, usize); 2] {
        [("arena", self.arena.octets()), ("client_numbers", self.clients.octets())]
    }

    pub(crate) fn lease_count(&self) -> usize {
        self.counts.leases.load(Ordering::Relaxed)
    }

    pub(crate) fn client_count(&self) -> usize {
        self.counts.clients.load(Ordering::Relaxed)
    }
}

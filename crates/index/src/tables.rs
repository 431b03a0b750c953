//! One generation of the index: records, client numbers, and the maps by address and DUID, over one arena.
//!
//! A lease is found by the hash of its first address: that of an address lease, or of a delegated prefix with zeros
//! behind. Who asks for the longest lease around an address asks for the address itself and, if nobody has that, for
//! what it is cut to each prefix length in use, longest first. Designs considered: (1) a radix trie (four bits a level,
//! path-compressed): any number of lengths for one price, but that price is some six dependent steps of 100 to 170
//! instructions each, and two in memory; measured in 64 look-ups at once, 1 million leases: 1,386 instructions and
//! 1,260 ns an address, 423 and 142 here (2 prefix lengths in use); (2) the trie for prefixes and a map for
//! addresses: as (1) for prefixes, and two structures to keep in step; (3) this one: a step for each length, none of
//! which waits for another. Sites delegate one to four lengths; a site with twenty pays some 40 instructions and one
//! overlapped miss for each, for prefixes only, still less than the kernel takes for a lone datagram.
//!
//! Where the octets go, for a client with an address, a prefix and a DUID of 14 octets: record 96 (`record.rs`),
//! number 4, two slots by address and one by DUID 34 (8 each, seven in ten used): 134, 67 a lease.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;

use crate::arena::Arena;
use crate::clients::{ClientId, Clients};
use crate::lease::{address_hash, duid_hash, mask};
use crate::lengths::Lengths;
use crate::map::Map;
use crate::record::{Binding, Client};

/// What readers read and the writer changes, in place, one published word at a time.
pub(crate) struct Tables {
    pub(crate) arena: Arena,
    pub(crate) clients: Clients,
    /// By [`address_hash`] of each lease's first address.
    pub(crate) addresses: Map,
    /// Lengths of the leases in `addresses`.
    pub(crate) lengths: Lengths,
    /// By [`duid_hash`].
    pub(crate) duids: Map,
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
            lengths: Lengths::default(),
            duids: Map::new(),
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
    pub(crate) fn covering(&self, address: Ipv6Addr, now: u32) -> Option<(Client<'_>, Binding)> {
        self.lengths.longest_first().find_map(|len| {
            let first = u128::from(address) & mask(len);
            let mut probe = self.addresses.probe(address_hash(first));
            std::iter::from_fn(|| probe.next(&self.arena)).find_map(|client| {
                let client = self.client(client)?;
                Some((client, client.covering_from(first, address, now)?))
            })
        })
    }

    /// The client whose lease begins at exactly this address, whatever its length: the key of lease sources.
    pub(crate) fn owner(&self, address: Ipv6Addr) -> Option<ClientId> {
        let holds = |client: Client<'_>| client.bindings().any(|binding| binding.address == address);
        let is = |client| self.client(client).is_some_and(holds);
        self.addresses.find(&self.arena, address_hash(address.into()), is)
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

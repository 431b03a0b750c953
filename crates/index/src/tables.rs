//! A generation of the index: records, client numbers, and the maps that find them, over one arena.
//!
//! A lease is found by the hash of its first address, that of an address lease or of a delegated prefix with
//! zeros behind; the writer knows leases by nothing else. The trie of lengths (`trie.rs`) gives the first
//! addresses that a lease around some address can have.
//!
//! Sizes in bytes, for a client with an address, a prefix and a DUID of 14 octets: record 96 (`record.rs`),
//! number 4, two slots by address and one by DUID 34 to 38 (8 each, at most seven in ten used, in whole
//! blocks): 134 to 138, some 68 a lease.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;

use crate::arena::Arena;
use crate::clients::{ClientId, Clients};
use crate::lease::{address_hash, duid_hash, mask};
use crate::limits::Limits;
use crate::map::Map;
use crate::record::{Binding, BindingAt, Client, Covering};
use crate::room::{NoRoomError, Room};
use crate::template::Dictionary;
use crate::trie::Trie;

/// Tables that readers read and the writer changes, in place, one published word at a time.
pub(crate) struct Tables {
    pub(crate) arena: Arena,
    pub(crate) clients: Clients,
    /// Clients by [`address_hash`] of each lease's first address.
    pub(crate) addresses: Map,
    /// Prefix lengths in use: of all that is in the map by address, or was since the last snapshot.
    pub(crate) lengths: Trie,
    /// Clients by [`duid_hash`].
    pub(crate) duids: Map,
    /// Templates of relay data.
    pub(crate) templates: Dictionary,
    pub(crate) limits: Limits,
    /// Leases of several rows begin at one address, or did since the last snapshot, as some have host bits.
    pub(crate) has_shared_firsts: AtomicBool,
    /// The source holds leases that are not in here, however long ago it was read.
    pub(crate) incomplete: AtomicBool,
    /// Written with each batch of changes: on a line apart from those that every lookup reads.
    pub(crate) counts: CachePadded<Counts>,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) leases: AtomicUsize,
    pub(crate) clients: AtomicUsize,
    pub(crate) oversized_clients: AtomicUsize,
    pub(crate) oversized_leases: AtomicUsize,
    /// Times that a client began or ended to become oversized, or to cease to be.
    resizes: AtomicUsize,
}

impl Counts {
    pub(crate) fn resizes(&self) -> usize {
        self.resizes.load(Ordering::Acquire)
    }

    /// Counted before the first record changes and after the last one: a scan that reads either side of a
    /// resize, or begins within, sees the number change.
    pub(crate) fn count_resize(&self) {
        self.resizes.fetch_add(1, Ordering::AcqRel);
    }
}

impl Tables {
    pub(crate) fn empty(limits: Limits, room: Room) -> Self {
        Self {
            arena: Arena::new(room.arena_bytes),
            // The first generation is empty, and is not the last one with these limits.
            clients: Clients::new(room.clients),
            addresses: Map::new(),
            lengths: Trie::default(),
            duids: Map::new(),
            templates: Dictionary::default(),
            limits,
            has_shared_firsts: AtomicBool::new(false),
            incomplete: AtomicBool::new(false),
            counts: CachePadded::default(),
        }
    }

    /// The error when no more clients can be numbered.
    pub(crate) fn full(&self) -> NoRoomError {
        NoRoomError::Full { mebibytes: self.arena.reserved_bytes() >> 20 }
    }

    pub(crate) fn client(&self, client: ClientId) -> Option<Client<'_>> {
        self.clients.get(client).map(|at| Client::at(&self.arena, at))
    }

    pub(crate) fn find_duid(&self, duid: &[u8]) -> Option<ClientId> {
        let is = |client| self.client(client).is_some_and(|client| client.has_duid(duid));
        self.duids.find(&self.arena, duid_hash(duid), is)
    }

    /// The longest binding that covers `address` and has valid lifetime left at `now`, and its client.
    pub(crate) fn covering(&self, address: Ipv6Addr, now: u32) -> Option<(Client<'_>, BindingAt)> {
        self.covering_where(address, now, |_, _| true)
    }

    /// Finds the longest binding as [`Self::covering`] does, among those that `is_one` takes.
    pub(crate) fn covering_where(
        &self,
        address: Ipv6Addr,
        now: u32,
        is_one: impl Fn(Client<'_>, Covering<'_>) -> bool,
    ) -> Option<(Client<'_>, BindingAt)> {
        // The flag is rare and stays set, so the branch is predicted.
        if self.has_shared_firsts.load(Ordering::Relaxed) {
            return self.best_covering_where(address, now, is_one);
        }
        let address = u128::from(address);
        let mut lengths = self.lengths.around(&self.arena, &address.to_be_bytes());
        // Longest first: the most specific lease decides.
        std::iter::from_fn(|| lengths.pop_longest()).find_map(|len| {
            let first = address & mask(len);
            let mut probe = self.addresses.probe(&self.arena, address_hash(first));
            std::iter::from_fn(|| probe.next(&self.arena)).find_map(|client| {
                // The client may have left between the slot and its record.
                let client = self.client(client)?;
                let place = client.covering_from(first, address, now)?;
                is_one(client, client.covering_at(place)).then_some((client, place))
            })
        })
    }

    /// Finds it where several leases begin at one address: of the longest, that of the newest cltt.
    #[cold]
    fn best_covering_where(
        &self,
        address: Ipv6Addr,
        now: u32,
        is_one: impl Fn(Client<'_>, Covering<'_>) -> bool,
    ) -> Option<(Client<'_>, BindingAt)> {
        let address = u128::from(address);
        let mut lengths = self.lengths.around(&self.arena, &address.to_be_bytes());
        std::iter::from_fn(|| lengths.pop_longest()).find_map(|len| {
            let first = address & mask(len);
            let mut probe = self.addresses.probe(&self.arena, address_hash(first));
            let clients =
                std::iter::from_fn(|| probe.next(&self.arena)).filter_map(|client| self.client(client));
            let places = clients.flat_map(|client| {
                client.all_covering_from(first, address, now).map(move |place| (client, place))
            });
            // Of equally long leases the newest is the one that the server meant.
            places.filter(|&(client, place)| is_one(client, client.covering_at(place))).max_by_key(
                |&(client, place)| {
                    let binding = client.covering_at(place).binding();
                    (binding.prefix_len, binding.cltt)
                },
            )
        })
    }

    /// The lease that begins at exactly this address and has this number
    /// ([`Written`](crate::written::Written)), whatever its length, and its client.
    pub(crate) fn lease_from(&self, first: u128, number: u32) -> Option<(ClientId, Binding)> {
        let mut probe = self.addresses.probe(&self.arena, address_hash(first));
        std::iter::from_fn(|| probe.next(&self.arena))
            .find_map(|client| Some((client, self.client(client)?.binding_from(first, number)?)))
    }

    /// All leases that begin at this address and have this length, and their clients.
    pub(crate) fn leases_of(
        &self,
        first: u128,
        prefix_len: u8,
    ) -> impl Iterator<Item = (Client<'_>, Binding)> {
        let mut probe = self.addresses.probe(&self.arena, address_hash(first));
        let mut seen = Vec::new();
        let clients = std::iter::from_fn(move || probe.next(&self.arena)).filter(move |&client| {
            // A client with two leases that begin here has two slots.
            let is_new = !seen.contains(&client);
            seen.extend(is_new.then_some(client));
            is_new
        });
        clients
            .filter_map(|client| self.client(client))
            .flat_map(move |client| client.all_of(first, prefix_len).map(move |binding| (client, binding)))
    }

    /// Bytes that the tables take from the system.
    pub(crate) fn bytes(&self) -> usize {
        self.memory().into_iter().map(|(_, bytes)| bytes).sum()
    }

    /// Bytes taken, by table: records, trie and maps lie in one arena.
    pub(crate) fn memory(&self) -> [(&'static str, usize); 2] {
        [("arena", self.arena.bytes()), ("client_numbers", self.clients.bytes())]
    }

    pub(crate) fn lease_count(&self) -> usize {
        self.counts.leases.load(Ordering::Relaxed)
    }

    pub(crate) fn client_count(&self) -> usize {
        self.counts.clients.load(Ordering::Relaxed)
    }
}

//! One generation of the index: records, client numbers, trie and DUID map, over one arena.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::arena::{Allocator, Arena};
use crate::clients::Clients;
use crate::duids::Duids;
use crate::lease::duid_hash;
use crate::record::{Binding, Client};
use crate::trie::{ClientId, Trie};

/// What readers read and the writer changes, in place, one published word at a time.
pub(crate) struct Tables {
    pub(crate) arena: Arena,
    pub(crate) clients: Clients,
    pub(crate) trie: Trie,
    pub(crate) duids: Duids,
    pub(crate) lease_count: AtomicUsize,
    pub(crate) client_count: AtomicUsize,
}

impl Tables {
    pub(crate) fn empty() -> (Self, Allocator) {
        let (arena, mut allocator) = (Arena::new(), Allocator::new());
        let trie = Trie::new(&arena, &mut allocator);
        let tables = Self {
            arena,
            clients: Clients::new(),
            trie,
            duids: Duids::new(),
            lease_count: AtomicUsize::new(0),
            client_count: AtomicUsize::new(0),
        };
        (tables, allocator)
    }

    /// The hash of a client that has a record.
    pub(crate) fn hash_of(&self, client: ClientId) -> u64 {
        let client = self.client(client).expect("the DUID map holds clients with records only");
        let mut duid = [0; crate::DUID_LEN_MAX];
        let duid = &mut duid[..client.duid_len()];
        client.copy_duid(duid);
        duid_hash(duid)
    }

    pub(crate) fn client(&self, client: ClientId) -> Option<Client<'_>> {
        self.clients.get(client).map(|at| Client::at(&self.arena, at))
    }

    pub(crate) fn find_duid(&self, duid: &[u8]) -> Option<ClientId> {
        let is = |client| self.client(client).is_some_and(|client| client.has_duid(duid));
        self.duids.find(&self.arena, duid_hash(duid), is)
    }

    /// The first client whose DUID may be this one: its hash is alike as far as the map keeps it.
    pub(crate) fn probable_client(&self, duid: &[u8]) -> Option<ClientId> {
        self.duids.find(&self.arena, duid_hash(duid), |_| true)
    }

    /// The longest binding that covers `address` and has valid lifetime left at `now`, and its client.
    pub(crate) fn covering(&self, address: Ipv6Addr, now: u32) -> Option<(Client<'_>, Binding)> {
        let mut best: Option<(Client<'_>, Binding)> = None;
        self.trie.candidates(&self.arena, address.into(), |candidate| {
            let Some(client) = self.client(candidate) else { return };
            let covering = client.longest_covering(address, now);
            let len = best.map_or(0, |(_, best)| best.prefix_len);
            best =
                covering.filter(|binding| binding.prefix_len > len).map(|binding| (client, binding)).or(best);
        });
        best
    }

    /// The client whose lease begins at exactly this address, whatever its length: the key of lease sources.
    pub(crate) fn owner(&self, address: Ipv6Addr) -> Option<ClientId> {
        let mut owner = None;
        self.trie.candidates(&self.arena, address.into(), |candidate| {
            let holds = |client: Client<'_>| client.bindings().any(|binding| binding.address == address);
            if self.client(candidate).is_some_and(holds) {
                owner = Some(candidate);
            }
        });
        owner
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
        self.lease_count.load(Ordering::Relaxed)
    }

    pub(crate) fn client_count(&self) -> usize {
        self.client_count.load(Ordering::Relaxed)
    }
}

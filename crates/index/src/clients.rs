//! Client numbers and their records: one word each, by which a client's bindings change as one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::arena::Address;
use crate::trie::{CLIENT_IDS, ClientId};

const CHUNK_BITS: u32 = 18;

/// The address of each client's record; 0 for a number that no client has.
///
/// The number stays while the record is replaced, so that the trie and the DUID map need no change when a lease is
/// renewed.
pub(crate) struct Clients {
    chunks: Box<[OnceLock<Box<[AtomicU32]>>]>,
}

impl Clients {
    pub(crate) fn new() -> Self {
        Self { chunks: (0..CLIENT_IDS >> CHUNK_BITS).map(|_| OnceLock::new()).collect() }
    }

    /// The record of a client, if it has one.
    pub(crate) fn get(&self, client: ClientId) -> Option<Address> {
        let chunk = self.chunks[(client >> CHUNK_BITS) as usize].get()?;
        let at = chunk[place(client)].load(Ordering::Acquire);
        (at != 0).then_some(at)
    }

    /// Publishes a client's record, or with 0 takes it away.
    pub(crate) fn set(&self, client: ClientId, record: Address) {
        let fresh = || (0..1 << CHUNK_BITS).map(|_| AtomicU32::new(0)).collect();
        let chunk = self.chunks[(client >> CHUNK_BITS) as usize].get_or_init(fresh);
        chunk[place(client)].store(record, Ordering::Release);
    }

    /// No client has this number or a higher one.
    pub(crate) fn end(&self) -> ClientId {
        let chunks = self.chunks.iter().rposition(|chunk| chunk.get().is_some()).map_or(0, |last| last + 1);
        (chunks as ClientId) << CHUNK_BITS
    }

    /// Octets taken from the system.
    pub(crate) fn octets(&self) -> usize {
        self.chunks.iter().filter_map(OnceLock::get).map(|chunk| size_of_val(&**chunk)).sum()
    }
}

fn place(client: ClientId) -> usize {
    client as usize & ((1 << CHUNK_BITS) - 1)
}

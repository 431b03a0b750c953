//! Clients by DUID: a hash map cut into shards, read without any lock.
//!
//! Designs considered: (1) `dashmap` from DUID hash to client: each look-up is an atomic read-modify-write on the
//! lock of a shard, a line that all workers share, and waits while the writer holds that lock; (2) a concurrent map
//! that stores the DUIDs: each is stored twice; (3) this one: a shard is one array of 64-bit slots in the arena,
//! open addressing, probed linearly. A slot holds 32 bits of the hash and the client's number; the DUID itself is
//! compared in the client's record, which the answer needs anyway.
//!
//! A shard has one writer at a time (a lock on its books), so that loaders fill shards in parallel. A shard that is
//! full is written anew, larger, and its address is swapped: shards are small, readers see the old or the new one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::arena::{Address, Allocator, Arena};
use crate::trie::{ClientId, Editor, Garbage};

/// 2^10 shards: at 50 million clients one is rewritten in well under a millisecond.
const SHARD_BITS: u32 = 10;

/// Number of shards; a hash belongs to the shard that its top bits name.
pub(crate) const SHARDS: usize = 1 << SHARD_BITS;

const EMPTY: u64 = 0;
/// A slot whose client left; probes go on past it.
const LEFT: u64 = u32::MAX as u64;

/// The map. Its keys are hashes of DUIDs; who asks compares the DUIDs.
pub(crate) struct Duids {
    /// Per shard: number of slots (32), address of the slots (32).
    shards: Box<[AtomicU64]>,
    books: Box<[Mutex<Book>]>,
}

/// What the writer of a shard knows about it.
#[derive(Clone, Copy, Default)]
struct Book {
    clients: usize,
    /// Slots that are not empty: clients that are here or left.
    used: usize,
}

impl Duids {
    pub(crate) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| AtomicU64::new(0)).collect(),
            books: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Of the clients with this hash, the one that `is` accepts: different DUIDs may have equal hashes.
    pub(crate) fn find(&self, arena: &Arena, hash: u64, is: impl Fn(ClientId) -> bool) -> Option<ClientId> {
        let (_, slots) = self.shard(arena, shard_of(hash));
        let mut probe = Probe::new(hash, slots.len());
        for _ in 0..slots.len() {
            let slot = slots[probe.next()].load(Ordering::Acquire);
            match client_in(slot) {
                None if slot == EMPTY => return None,
                Some(client) if slot >> 32 == tag(hash) && is(client) => return Some(client),
                _ => {}
            }
        }
        None
    }

    /// Adds a client that is not in the map. `hash_of` knows the hashes of those that are.
    pub(crate) fn insert(
        &self,
        edit: &mut Editor<'_>,
        hash: u64,
        client: ClientId,
        hash_of: impl Fn(ClientId) -> u64,
    ) {
        let shard = shard_of(hash);
        let mut book = self.book(shard);
        let (at, slots) = self.shard(edit.arena, shard);
        // At most four slots in five are used: a probe for an absent client then reads some 12 slots, 2 cache lines.
        if (book.used + 1) * 5 <= slots.len() * 4 {
            place(slots, hash, client);
        } else {
            let (larger_at, larger) = fresh(edit.arena, edit.allocator, book.clients + 1);
            for client in slots.iter().filter_map(|slot| client_in(slot.load(Ordering::Relaxed))) {
                place(larger, hash_of(client), client);
            }
            place(larger, hash, client);
            self.publish(shard, larger_at, larger.len());
            if !slots.is_empty() {
                edit.garbage.push(Garbage { at, words: slots.len() });
            }
            book.used = book.clients;
        }
        *book = Book { clients: book.clients + 1, used: book.used + 1 };
    }

    /// Fills a shard that is still empty, in slots that are just enough.
    pub(crate) fn fill(
        &self,
        arena: &Arena,
        allocator: &mut Allocator,
        shard: usize,
        clients: impl ExactSizeIterator<Item = (u64, ClientId)>,
    ) {
        let mut book = self.book(shard);
        let count = clients.len();
        let (at, slots) = fresh(arena, allocator, count);
        clients.for_each(|(hash, client)| place(slots, hash, client));
        self.publish(shard, at, slots.len());
        *book = Book { clients: count, used: count };
    }

    /// Takes a client out.
    pub(crate) fn remove(&self, arena: &Arena, hash: u64, client: ClientId) {
        let shard = shard_of(hash);
        let mut book = self.book(shard);
        let (_, slots) = self.shard(arena, shard);
        let mine = slot_word(hash, client);
        let mut probe = Probe::new(hash, slots.len());
        for _ in 0..slots.len() {
            let slot = &slots[probe.next()];
            match slot.load(Ordering::Relaxed) {
                EMPTY => return,
                word if word == mine => {
                    slot.store(LEFT, Ordering::Release);
                    book.clients -= 1;
                    return;
                }
                _ => {}
            }
        }
    }

    fn shard<'a>(&self, arena: &'a Arena, shard: usize) -> (Address, &'a [AtomicU64]) {
        let word = self.shards[shard].load(Ordering::Acquire);
        match (word >> 32) as usize {
            0 => (0, &[]),
            slots => (word as Address, arena.run(word as Address, slots)),
        }
    }

    fn publish(&self, shard: usize, at: Address, slots: usize) {
        self.shards[shard].store((slots as u64) << 32 | u64::from(at), Ordering::Release);
    }

    fn book(&self, shard: usize) -> MutexGuard<'_, Book> {
        self.books[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shard that a hash belongs to.
pub(crate) fn shard_of(hash: u64) -> usize {
    (hash >> (64 - SHARD_BITS)) as usize
}

/// Empty slots, of which this many clients use seven in ten.
fn fresh<'a>(arena: &'a Arena, allocator: &mut Allocator, clients: usize) -> (Address, &'a [AtomicU64]) {
    let words = (clients * 10).div_ceil(7) + 1;
    let at = allocator.allocate(arena, words);
    let slots = arena.run(at, words);
    slots.iter().for_each(|slot| slot.store(EMPTY, Ordering::Relaxed));
    (at, slots)
}

/// Stores a client in the first empty slot of its probe; there is one.
fn place(slots: &[AtomicU64], hash: u64, client: ClientId) {
    let mut probe = Probe::new(hash, slots.len());
    loop {
        let slot = &slots[probe.next()];
        if slot.load(Ordering::Relaxed) == EMPTY {
            return slot.store(slot_word(hash, client), Ordering::Release);
        }
    }
}

fn slot_word(hash: u64, client: ClientId) -> u64 {
    tag(hash) << 32 | u64::from(client + 1)
}

fn client_in(slot: u64) -> Option<ClientId> {
    if slot == LEFT { None } else { (slot as u32).checked_sub(1) }
}

fn tag(hash: u64) -> u64 {
    hash & u64::from(u32::MAX)
}

/// The order in which slots are looked at, round and round.
struct Probe {
    at: usize,
    slots: usize,
}

impl Probe {
    fn new(hash: u64, slots: usize) -> Self {
        // Bits that neither the shard nor most of the tag is made of, scaled to the number of slots.
        let fraction = hash >> (64 - SHARD_BITS - 32) & u64::from(u32::MAX);
        Self { at: ((fraction * slots as u64) >> 32) as usize, slots }
    }

    fn next(&mut self) -> usize {
        let at = self.at;
        self.at = if at + 1 == self.slots { 0 } else { at + 1 };
        at
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// A bad hash on purpose: few shards, few tags, so that probes are long and tags collide.
    fn hash(client: ClientId) -> u64 {
        u64::from(client % 3) << 60 | u64::from(client % 5) << 30 | u64::from(client % 7)
    }

    #[test]
    fn clients_come_and_go_as_in_a_plain_map() {
        let (arena, mut allocator, mut garbage) = (Arena::new(), Allocator::new(), Vec::new());
        let duids = Duids::new();
        let mut model = HashMap::new();
        for step in 0..20_000_u32 {
            let client = step.wrapping_mul(2_654_435_761) >> 23; // 0..512, well mixed
            if model.remove(&client).is_some() {
                duids.remove(&arena, hash(client), client);
            } else {
                let mut edit = Editor { arena: &arena, allocator: &mut allocator, garbage: &mut garbage };
                duids.insert(&mut edit, hash(client), client, hash);
                model.insert(client, ());
            }
            let asked = step % 512;
            let found = duids.find(&arena, hash(asked), |found| found == asked);
            assert_eq!(found.is_some(), model.contains_key(&asked), "step {step}");
        }
        let clients: usize = duids.books.iter().map(|book| book.lock().unwrap().clients).sum();
        assert_eq!(clients, model.len());
        assert!(!garbage.is_empty(), "shards were rewritten");
    }

    #[test]
    fn a_filled_shard_finds_its_clients_and_no_other() {
        let (arena, mut allocator) = (Arena::new(), Allocator::new());
        let duids = Duids::new();
        let mine = |n: u32| u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> SHARD_BITS;
        let clients: Vec<_> = (0..5000).map(|n| (mine(n), n)).collect();
        duids.fill(&arena, &mut allocator, 0, clients.iter().copied());
        for (hash, client) in clients {
            assert_eq!(duids.find(&arena, hash, |found| found == client), Some(client));
            assert_eq!(duids.find(&arena, hash, |_| false), None);
        }
    }
}

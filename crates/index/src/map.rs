//! Clients by the hash of a DUID or a leased address: hash maps cut into shards, read without any lock.
//! `DESIGN.md` compares the designs.
//!
//! A shard is one array of 64-bit slots in the arena, with open addressing. A slot holds 32 bits of the hash
//! and the client's number; the key itself is compared in the client's record, which the answer needs anyway.
//! The 32 bits also give the position in the shard, so that a shard is rewritten without reading records;
//! some 20 bits are left to tell neighbours apart. Probes go through a cache line before they go on to the
//! next: seven slots in ten are used at first, and five probes in six, of absent keys too, touch one line.
//!
//! The top bits of a hash name one of 256 partitions, which loaders fill in parallel. A partition has as many
//! shards as it takes for each to fill a block of the arena: so the blocks in which a loader staged its rows
//! become shards, and no hole is left that keeps the arena from being backed by huge pages. A partition has
//! one writer at a time (a lock on its counts). A full shard is rewritten, larger, and its address is
//! swapped: readers see the old or the new one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::arena::{Address, Allocator, Arena, BLOCK_WORDS, Editor, Garbage, LINE_WORDS};
use crate::clients::ClientId;
use crate::prefetch::prefetch;

/// A hash belongs to the partition that its top bits name.
pub(crate) const PARTITION_BITS: u32 = 8;
const PARTITIONS: usize = 1 << PARTITION_BITS;

/// Bits of a hash, from the top, that count.
pub(crate) const HASH_BITS: u32 = 44;
/// Bits of a hash that give the position in its partition.
const PLACE_BITS: u32 = HASH_BITS - PARTITION_BITS;

/// Shards of a partition with few clients: at 50 million of them one is rewritten in well under a
/// millisecond.
const SHARDS_AT_FIRST: usize = 4;

/// Slots of a shard that fills a block, wherever the block's first cache line begins.
const BLOCK_SLOTS: usize = BLOCK_WORDS - LINE_WORDS;
/// Clients for which such a shard is made, seven in ten.
const BLOCK_CLIENTS: usize = BLOCK_SLOTS * 7 / 10;
/// Shards of at least this many slots get a whole block: less is unused in it than would be lost beside it.
const BLOCK_SLOTS_MIN: usize = BLOCK_SLOTS * 3 / 4;

const EMPTY: u64 = 0;
/// A slot whose client left; probes go on past it.
const LEFT: u64 = u32::MAX as u64;

/// A map from hashes to clients; callers compare the keys.
///
/// Shards are words of the arena: number of slots (32), address of the run they lie in (32).
pub(crate) struct Map {
    /// Per partition: number of shards (32), address of the first (32).
    partitions: Box<[AtomicU64]>,
    /// State of each shard, by partition.
    fill: Box<[Mutex<Vec<Fill>>]>,
}

/// Home position of a client.
struct Home {
    /// Position of its shard in its partition.
    number: usize,
    /// Address of the shard's word.
    shard: Address,
    /// Bits of the hash that a slot keeps: clients in the order of their hashes lie in this order.
    tag: u32,
}

/// Number of slots in use in a shard.
#[derive(Clone, Copy, Default)]
struct Fill {
    clients: usize,
    /// Slots that are not empty: of clients that are here or left.
    used: usize,
}

/// The slot to be removed or changed is not there: the writer's state is wrong.
#[derive(Debug)]
pub(crate) struct AbsentError;

impl Map {
    pub(crate) fn new() -> Self {
        Self {
            partitions: (0..PARTITIONS).map(|_| AtomicU64::new(0)).collect(),
            fill: (0..PARTITIONS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Returns the home position of the client with this hash; `None` as long as its partition is empty.
    #[inline]
    fn home(&self, hash: u64) -> Option<Home> {
        // Acquire: the shards must be visible with their address.
        let partition = self.partitions[partition_of(hash)].load(Ordering::Acquire);
        let (first, shards) = (partition as Address, partition >> 32);
        // Scaling by multiplication, so that the number of shards need not be a power of two.
        let place = hash >> (64 - HASH_BITS) & ((1 << PLACE_BITS) - 1);
        let at = place * shards; // < 2^(36 + 22): a partition has at most 2^22 shards, as many as blocks fit
        let number = at >> PLACE_BITS;
        let home = Home {
            number: number as usize,
            // The bits below the shard's number tell slots of one shard apart.
            shard: first + number as Address,
            tag: (at >> (PLACE_BITS - 32)) as u32,
        };
        (shards > 0).then_some(home)
    }

    /// Begins to look for the clients with this hash: different keys may have equal ones.
    #[inline]
    pub(crate) fn probe(&self, arena: &Arena, hash: u64) -> Probe {
        self.home(hash).map_or(Probe::ENDED, |home| Probe::new(Slots::at(arena, home.shard), home.tag))
    }

    /// Finds the client with this hash that `is` accepts.
    pub(crate) fn find(&self, arena: &Arena, hash: u64, is: impl Fn(ClientId) -> bool) -> Option<ClientId> {
        let mut probe = self.probe(arena, hash);
        std::iter::from_fn(|| probe.next(arena)).find(|&client| is(client))
    }

    /// Adds a client under a hash.
    pub(crate) fn insert(&self, edit: &mut Editor<'_>, hash: u64, client: ClientId) {
        // Held to the end, since loading threads may fill neighbouring partitions.
        let mut fills = self.fill_of(partition_of(hash));
        let home = self.home(hash).unwrap_or_else(|| {
            *fills = vec![Fill::default(); SHARDS_AT_FIRST];
            let first = empty_shards(edit.arena, edit.allocator, SHARDS_AT_FIRST);
            self.publish(partition_of(hash), first, SHARDS_AT_FIRST);
            self.home(hash).expect("the partition has shards now")
        });
        let fill = &mut fills[home.number];
        let mut slots = Slots::at(edit.arena, home.shard);
        // At most four slots in five are used: probes for absent clients stay short.
        if (fill.used + 1) * 5 > slots.count as usize * 4 {
            // Slots of clients that left are dropped on the way, so the shard may not grow at all.
            let larger = Slots::fresh(edit.arena, edit.allocator, fill.clients + 1);
            let words = slots.words(edit.arena).iter().map(|slot| slot.load(Ordering::Relaxed));
            words.filter(|&word| word != EMPTY && word != LEFT).for_each(|word| {
                larger.place(edit.arena, word);
            });
            // Published when it is whole: readers see the old slots or the new ones.
            larger.publish(edit.arena, home.shard);
            // Readers may still be probing the old slots.
            edit.garbage.extend(slots.garbage());
            fill.used = fill.clients;
            slots = larger;
        }
        slots.place(edit.arena, slot_word(home.tag, client));
        *fill = Fill { clients: fill.clients + 1, used: fill.used + 1 };
    }

    /// Fills a partition that is still empty with its clients, ascending by hash, and tells of each hash that
    /// looks like one that was there before.
    pub(crate) fn fill(
        &self,
        arena: &Arena,
        allocator: &mut Allocator,
        clients: &[(u64, ClientId)],
        mut alike: impl FnMut(u64),
    ) {
        let Some(&(hash, _)) = clients.first() else { return };
        let partition = partition_of(hash);
        let mut fills = self.fill_of(partition);
        // Few clients get as many shards as a map that grew from nothing.
        let shards = match clients.len().div_ceil(BLOCK_CLIENTS) {
            0..3 => SHARDS_AT_FIRST,
            blocks => blocks,
        };
        *fills = vec![Fill::default(); shards];
        let first = empty_shards(arena, allocator, shards);
        self.publish(partition, first, shards);
        let home = |hash| self.home(hash).expect("the partition has shards now");
        // Clients ascend by hash, so those of one shard lie together.
        for clients in clients.chunk_by(|a, b| home(a.0).number == home(b.0).number) {
            let Home { number, shard, .. } = home(clients[0].0);
            let slots = Slots::fresh(arena, allocator, clients.len());
            for &(hash, client) in clients {
                if slots.place(arena, slot_word(home(hash).tag, client)) {
                    alike(hash);
                }
            }
            slots.publish(arena, shard);
            fills[number] = Fill { clients: clients.len(), used: clients.len() };
        }
    }

    /// Takes a client out.
    pub(crate) fn remove(&self, arena: &Arena, hash: u64, client: ClientId) -> Result<(), AbsentError> {
        let mut fills = self.fill_of(partition_of(hash));
        let home = self.home(hash).ok_or(AbsentError)?;
        // Marked, not emptied: a probe for another client must go on past it.
        home.slot(arena, client)?.store(LEFT, Ordering::Release);
        // `used` stays, as the slot is no use to probes until the shard is rewritten.
        fills[home.number].clients -= 1;
        Ok(())
    }

    /// Puts a client in the place of another: at any moment, a probe finds one of them.
    pub(crate) fn hand_over(
        &self,
        arena: &Arena,
        hash: u64,
        from: ClientId,
        to: ClientId,
    ) -> Result<(), AbsentError> {
        let _fills = self.fill_of(partition_of(hash));
        let home = self.home(hash).ok_or(AbsentError)?;
        // One store, so that no probe misses both clients.
        home.slot(arena, from)?.store(slot_word(home.tag, to), Ordering::Release);
        Ok(())
    }

    fn publish(&self, partition: usize, first: Address, shards: usize) {
        let word = (shards as u64) << 32 | u64::from(first);
        self.partitions[partition].store(word, Ordering::Release);
    }

    fn fill_of(&self, partition: usize) -> MutexGuard<'_, Vec<Fill>> {
        self.fill[partition].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Home {
    /// The slot of a client; with several of one hash, any, as they are alike.
    fn slot<'a>(&self, arena: &'a Arena, client: ClientId) -> Result<&'a AtomicU64, AbsentError> {
        // The slots cannot be replaced meanwhile, as the lock is held.
        let mut probe = Probe::new(Slots::at(arena, self.shard), self.tag);
        let mine = slot_word(self.tag, client);
        while let Some(at) = probe.advance() {
            match arena.word(at).load(Ordering::Relaxed) {
                // An empty slot ends every probe, so the client is not here.
                EMPTY => break,
                word if word == mine => return Ok(arena.word(at)),
                _ => {}
            }
        }
        Err(AbsentError)
    }
}

/// The partition that a hash belongs to.
pub(crate) fn partition_of(hash: u64) -> usize {
    (hash >> (64 - PARTITION_BITS)) as usize
}

/// So many shards without slots; the address of the first.
fn empty_shards(arena: &Arena, allocator: &mut Allocator, count: usize) -> Address {
    let first = allocator.allocate(arena, count);
    // Zero slots: a probe of such a shard ends at once.
    arena.run(first, count).iter().for_each(|shard| shard.store(0, Ordering::Relaxed));
    first
}

fn slot_word(tag: u32, client: ClientId) -> u64 {
    // Plus one, so that no slot in use looks empty.
    u64::from(tag) << 32 | u64::from(client + 1)
}

/// The slots of a shard: whole cache lines.
#[derive(Clone, Copy)]
struct Slots {
    /// Begin of the run that holds the slots, from its first cache line on.
    run: Address,
    count: u32,
}

impl Slots {
    /// Returns the slots of the shard with this word.
    fn at(arena: &Arena, shard: Address) -> Self {
        let word = arena.word(shard).load(Ordering::Acquire);
        Self { run: word as Address, count: (word >> 32) as u32 }
    }

    fn publish(self, arena: &Arena, shard: Address) {
        let word = u64::from(self.count) << 32 | u64::from(self.run);
        arena.word(shard).store(word, Ordering::Release);
    }

    /// Empty slots, of which this many clients use seven in ten at most.
    fn fresh(arena: &Arena, allocator: &mut Allocator, clients: usize) -> Self {
        // A shard of nearly a block takes a whole one, as the rest could hold nothing else.
        let count = match (clients * 10).div_ceil(7).next_multiple_of(LINE_WORDS) {
            BLOCK_SLOTS_MIN..=BLOCK_SLOTS => BLOCK_SLOTS,
            count => count,
        };
        let run = allocator.allocate(arena, Self::run_words(count));
        let slots = Self { run, count: count as u32 };
        // Freed memory has any content, and probes end at empty slots only.
        slots.words(arena).iter().for_each(|slot| slot.store(EMPTY, Ordering::Relaxed));
        slots
    }

    fn run_words(count: usize) -> usize {
        count + LINE_WORDS - 1
    }

    fn first(self) -> Address {
        // Probes count in cache lines, so the slots begin with one.
        self.run.next_multiple_of(LINE_WORDS as Address)
    }

    fn words(self, arena: &Arena) -> &[AtomicU64] {
        arena.run(self.first(), self.count as usize)
    }

    fn garbage(self) -> Option<Garbage> {
        (self.count > 0).then(|| Garbage { at: self.run, words: Self::run_words(self.count as usize) })
    }

    /// Stores a slot's word in the first empty slot of its probe; there is one. Tells whether one before has
    /// its tag.
    fn place(self, arena: &Arena, word: u64) -> bool {
        let mut alike = false;
        let mut probe = Probe::new(self, (word >> 32) as u32);
        while let Some(at) = probe.advance() {
            let slot = arena.word(at);
            let there = slot.load(Ordering::Relaxed);
            if there == EMPTY {
                // Release: whoever finds the client must see its record.
                slot.store(word, Ordering::Release);
                return alike;
            }
            alike |= there >> 32 == word >> 32;
        }
        // At most four slots in five are in use, so the probe ends before it is through.
        unreachable!("a shard has an empty slot");
    }
}

/// The order in which slots are looked at: round the cache line, then the next line, and from the last to the
/// first.
#[derive(Clone, Copy)]
pub(crate) struct Probe {
    at: Address,
    /// Slots not looked at.
    left: u32,
    slots: Slots,
    tag: u32,
}

impl Probe {
    /// Over no slots.
    pub(crate) const ENDED: Self = Self { at: 0, left: 0, slots: Slots { run: 0, count: 0 }, tag: 0 };

    fn new(slots: Slots, tag: u32) -> Self {
        // The tag spreads over all slots without a division.
        let start = (u64::from(tag) * u64::from(slots.count)) >> 32; // < count
        Self { at: slots.first() + start as u32, left: slots.count, slots, tag }
    }

    /// Asks for the memory that [`Self::next`] will read, nearly always.
    pub(crate) fn prefetch(&self, arena: &Arena) {
        prefetch(arena.word(self.at));
    }

    /// The next client that may be meant.
    #[inline]
    pub(crate) fn next(&mut self, arena: &Arena) -> Option<ClientId> {
        while let Some(at) = self.advance() {
            let slot = arena.word(at).load(Ordering::Acquire);
            if slot == EMPTY {
                // Behind an empty slot lies no client of this hash.
                self.left = 0;
            } else if (slot >> 32) as u32 == self.tag && slot != LEFT {
                return Some(slot as u32 - 1);
            }
        }
        None
    }

    /// The address of the next slot.
    #[inline]
    fn advance(&mut self) -> Option<Address> {
        const LINE: u32 = LINE_WORDS as u32;
        self.left = self.left.checked_sub(1)?;
        let at = self.at;
        // Round the line first: its slots came into the cache together.
        self.at = at & !(LINE - 1) | (at + 1) & (LINE - 1);
        if self.left.is_multiple_of(LINE) {
            let next = self.at + LINE;
            let end = self.slots.first() + self.slots.count;
            // Wraps to the first line, so that each slot is seen once.
            self.at = if next < end { next } else { next - self.slots.count };
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    /// A bad hash on purpose: few shards, few tags, so that probes are long and tags collide.
    fn hash(client: ClientId) -> u64 {
        u64::from(client % 3) << 60 | u64::from(client % 5) << 50 | u64::from(client % 7) << 22
    }

    #[test]
    fn clients_come_and_go_as_in_a_plain_map() {
        let (arena, mut allocator, mut garbage) = (Arena::large(), Allocator::new(), Vec::new());
        let map = Map::new();
        // Hand-overs must not collide with numbers in use, hence the distance.
        // From a client's hash to its holder: the client or, after a hand-over, a client far away.
        let mut model: HashMap<ClientId, ClientId> = HashMap::new();
        for step in 0..20_000_u32 {
            // A fixed multiplier, so that a failure can be repeated.
            let client = step.wrapping_mul(2_654_435_761) >> 23; // 0..512, well mixed
            match model.get(&client).copied() {
                Some(here) if here < 1000 && step.is_multiple_of(3) => {
                    map.hand_over(&arena, hash(client), client, client + 1000).unwrap();
                    model.insert(client, client + 1000);
                }
                Some(here) => {
                    map.remove(&arena, hash(client), here).unwrap();
                    // A second removal must fail, or counts would drift.
                    assert!(map.remove(&arena, hash(client), here).is_err());
                    model.remove(&client);
                }
                None => {
                    let mut edit = Editor { arena: &arena, allocator: &mut allocator, garbage: &mut garbage };
                    map.insert(&mut edit, hash(client), client);
                    model.insert(client, client);
                }
            }
            let asked = step % 512;
            let found = map.find(&arena, hash(asked), |found| found % 1000 == asked);
            assert_eq!(found, model.get(&asked).copied(), "step {step}");
        }
        let fills = map.fill.iter().map(|fills| fills.lock().unwrap());
        let clients: usize = fills.map(|fills| fills.iter().map(|fill| fill.clients).sum::<usize>()).sum();
        // The counters decide when shards are rewritten, so they must be exact.
        assert_eq!(clients, model.len());
        assert!(!garbage.is_empty(), "shards were rewritten");
    }

    /// Few clients, and more than fit into one block or four.
    #[test]
    fn a_filled_partition_finds_its_clients_and_no_other() {
        for count in [1, 50, BLOCK_CLIENTS as u32, 20_000] {
            let (arena, mut allocator) = (Arena::large(), Allocator::new());
            let map = Map::new();
            let mine = |n: u32| u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> PARTITION_BITS;
            let mut clients: Vec<_> = (0..count).map(|n| (mine(n), n)).collect();
            clients.sort_unstable();
            map.fill(&arena, &mut allocator, &clients, |_| {});
            for (hash, client) in clients {
                assert_eq!(map.find(&arena, hash, |found| found == client), Some(client));
                assert_eq!(map.find(&arena, hash, |_| false), None);
                map.remove(&arena, hash, client).unwrap();
                assert_eq!(map.find(&arena, hash, |found| found == client), None);
            }
        }
    }

    #[test]
    fn discarded_hash_bits_do_not_affect_lookup() {
        let (arena, mut allocator) = (Arena::large(), Allocator::new());
        let map = Map::new();
        let hash = |n: u64| n << 50 | 0xf_ffff;
        map.fill(&arena, &mut allocator, &[(hash(1), 1), (hash(2), 2)], |_| {});
        assert_eq!(map.find(&arena, hash(2) >> 20 << 20, |found| found == 2), Some(2));
    }

    #[test]
    fn large_shards_lie_in_blocks() {
        let (arena, mut allocator) = (Arena::large(), Allocator::new());
        let block = allocator.allocate(&arena, BLOCK_WORDS);
        allocator.free(block, BLOCK_WORDS);
        assert_eq!(Slots::fresh(&arena, &mut allocator, BLOCK_CLIENTS).run, block);
    }

    #[test]
    fn a_probe_looks_at_each_slot_once_and_line_by_line() {
        let (arena, mut allocator) = (Arena::large(), Allocator::new());
        for clients in [1, 6, 30, 100] {
            let slots = Slots::fresh(&arena, &mut allocator, clients);
            for start in 0..slots.count {
                let tag = ((u64::from(start) << 32) / u64::from(slots.count) + 1) as u32;
                let mut probe = Probe::new(slots, tag);
                let order: Vec<_> = std::iter::from_fn(|| probe.advance()).collect();
                assert_eq!(order[0], slots.first() + start);
                assert_eq!(order.iter().collect::<HashSet<_>>().len(), slots.count as usize);
                for line in order.chunks(LINE_WORDS) {
                    assert!(line.iter().all(|at| at / 8 == line[0] / 8), "{order:?}");
                    assert!(line[0] >= slots.first() && line[0] < slots.first() + slots.count);
                }
            }
        }
    }
}

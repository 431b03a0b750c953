//! A whole generation of the index from a snapshot, on all cores, in little more memory than it takes in the end.
//!
//! Rows come in any order of threads, each with its number; the last row of an address is its lease. Four passes over
//! partitions that know nothing of each other, so that whoever is free takes the next one, and one over all prefixes:
//!
//! ```text
//! take     rows → partitions by address          while the source still reads, window by window
//! keep     the last row of each address → partitions by DUID
//! write    clients: record, number, map by DUID; their leases → partitions by address
//! fill     map by address
//! plant    the trie, from the prefixes in order
//! ```
//! A partition is small beside the whole (1/256), lies in a processor's cache while it is worked on, and its memory is
//! given back when it is done. Rows are staged in blocks of the new generation's own arena, so that a block that
//! was read becomes records or tables a moment later: no allocator has to be hoped for, and the peak is what is staged (56
//! octets a row at most, without options) or, at the end, the tables and 8 octets a lease or 24 a prefix.
//!
//! Designs considered: (1) all rows parsed into batches, then sorted by address and by DUID as a whole: the batches and
//! three arrays beside the finished tables, 2.6 times their memory, and at 20 million leases every access misses the
//! cache; (2) windows applied one after the other as the follower does: little memory, but one thread, and every row
//! misses the cache some ten times; (3) reading the file twice, first for addresses: parsing is half of all work; (4)
//! this one: a row is copied twice more. Measured: see `benches/README.md`, "Loading".

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::arena::Allocator;
use crate::clients::{CLIENT_IDS, ClientId};
use crate::lease::{Batch, Lease, PREFIX_LEN_MAX, address_hash, duid_hash};
use crate::map::{Map, shard_of};
use crate::options::Packer;
use crate::record;
use crate::tables::Tables;
use crate::trie::{self, Key, Trie};

mod staging;

use staging::{Block, ROW_NUMBERS, Row, Staged};

/// Client numbers that a thread takes at a time.
const NUMBERS: u32 = 1024;

/// A snapshot on its way into the index: takes its rows from any number of threads; then
/// [`Writer::replace_by`](crate::Writer::replace_by) publishes what they come to.
pub struct Loader {
    tables: Tables,
    /// Those that are not at work.
    hands: Mutex<Vec<Hand>>,
    numbers: AtomicU32,
    leases: AtomicUsize,
    /// Leases that belong into the trie.
    prefixes: AtomicUsize,
    refused: AtomicUsize,
}

/// What was built.
pub(crate) struct Built {
    pub(crate) tables: Tables,
    pub(crate) allocator: Allocator,
    pub(crate) next_client: ClientId,
    pub(crate) free_clients: Vec<ClientId>,
    /// Leases left out because their client has more than fit into one record.
    pub(crate) refused: usize,
}

/// What one thread works with.
struct Hand {
    allocator: Allocator,
    packer: Packer,
    staged: Staged,
    /// Client numbers that it may use.
    numbers: Vec<ClientId>,
    words: Vec<u64>,
    octets: Vec<u8>,
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

impl Loader {
    /// Without rows.
    pub fn new() -> Self {
        Self {
            tables: Tables::empty(),
            hands: Mutex::default(),
            numbers: AtomicU32::new(0),
            leases: AtomicUsize::new(0),
            prefixes: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        }
    }

    /// Takes the rows of a batch, numbered from `first` on: of the rows of one address the highest number counts.
    ///
    /// No two rows have one number, but numbers may be left out: the place of a row in its file will do.
    ///
    /// # Panics
    /// If numbers reach 2^46.
    pub fn take(&self, first: u64, batch: &Batch) {
        assert!(first + (batch.len() as u64) < ROW_NUMBERS, "row numbers stay below 2^46");
        let shared = (&self.tables.templates, &self.tables.arena);
        self.with_hand(|hand| {
            let Hand { allocator, packer, staged, words, octets, .. } = hand;
            for (at, row) in batch.rows.iter().enumerate() {
                let number = first + at as u64;
                if row.is_removal() {
                    staging::compose(words, number, row.address, None);
                } else {
                    octets.clear();
                    packer.pack(shared, allocator, batch.options(row), octets);
                    let lease = Lease { options: octets, ..batch.lease(at) };
                    staging::compose(words, number, row.address, Some(&lease));
                }
                staged.push(shared.1, allocator, address_hash(row.address), words.iter().copied());
            }
        });
    }

    /// The tables that the rows come to.
    pub(crate) fn build(self) -> Built {
        self.pass(|hand, _, blocks| self.keep_last_rows(hand, blocks));
        self.pass(|hand, _, blocks| self.write_clients(hand, blocks));
        self.pass(|hand, partition, blocks| self.fill_addresses(hand, partition, blocks));
        let Self { mut tables, hands, numbers, leases, prefixes, refused } = self;
        let (mut allocator, mut free_clients) = (Allocator::new(), Vec::new());
        for hand in hands.into_inner().unwrap_or_else(PoisonError::into_inner) {
            allocator.absorb(hand.allocator);
            free_clients.extend(hand.numbers);
        }
        let next_client = numbers.into_inner();
        tables.prefixes = plant(&tables, &mut allocator, next_client, prefixes.into_inner());
        allocator.release_blocks(&tables.arena);
        tables.counts.leases.store(leases.into_inner(), Ordering::Relaxed);
        tables.counts.clients.store(next_client as usize - free_clients.len(), Ordering::Relaxed);
        Built { tables, allocator, next_client, free_clients, refused: refused.into_inner() }
    }

    fn hands(&self) -> MutexGuard<'_, Vec<Hand>> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_hand(&self, work: impl FnOnce(&mut Hand)) {
        let hand = self.hands().pop();
        let mut hand = hand.unwrap_or_else(Hand::new);
        work(&mut hand);
        self.hands().push(hand);
    }

    /// Works through all that was staged, partition by partition.
    fn pass(&self, work: impl Fn(&mut Hand, usize, Vec<Block>) + Sync) {
        let staged = Staged::merged(
            self.hands().iter_mut().map(|hand| std::mem::replace(&mut hand.staged, Staged::new())),
        );
        let partitions = staged.into_par_iter().enumerate();
        partitions.for_each(|(partition, blocks)| self.with_hand(|hand| work(hand, partition, blocks)));
    }

    /// Stages the last row of each address for its client, unless it is a removal.
    fn keep_last_rows(&self, hand: &mut Hand, blocks: Vec<Block>) {
        let Hand { allocator, staged, octets, .. } = hand;
        let arena = &self.tables.arena;
        let contents = blocks.iter().flat_map(|block| staging::rows(block.contents(arena)));
        let mut rows: Vec<(u64, Reverse<u64>, Row<'_>)> =
            contents.map(|row| (row.address_hash(), Reverse(row.number()), row)).collect();
        rows.sort_unstable_by_key(|&(hash, number, _)| (hash, number));
        for same_hash in rows.chunk_by(|a, b| a.0 == b.0) {
            for (at, (_, _, row)) in same_hash.iter().enumerate() {
                let is_later = |(_, _, later): &(_, _, Row<'_>)| later.address() == row.address();
                if row.is_removal() || same_hash[..at].iter().any(is_later) {
                    continue;
                }
                octets.clear();
                row.copy_duid(octets);
                staged.push(arena, allocator, duid_hash(octets), row.copy());
            }
        }
        blocks.into_iter().for_each(|block| block.free(allocator));
    }

    /// Writes the records of a partition's clients, and fills its part of the map by DUID.
    fn write_clients(&self, hand: &mut Hand, blocks: Vec<Block>) {
        let arena = &self.tables.arena;
        let mut duid = std::mem::take(&mut hand.octets);
        let contents = blocks.iter().flat_map(|block| staging::rows(block.contents(arena)));
        let mut rows: Vec<(u64, Row<'_>)> = contents
            .map(|row| {
                duid.clear();
                row.copy_duid(&mut duid);
                (duid_hash(&duid), row)
            })
            .collect();
        hand.octets = duid;
        rows.sort_unstable_by_key(|&(hash, row)| (hash, row.number()));
        let mut clients: Vec<(u64, ClientId)> = Vec::new();
        for same_hash in rows.chunk_by(|a, b| a.0 == b.0) {
            self.write_alike(hand, same_hash, &mut clients);
        }
        self.fill(hand, &self.tables.duids, &clients);
        blocks.into_iter().for_each(|block| block.free(&mut hand.allocator));
    }

    /// Writes the record of each client among rows whose DUIDs have equal hashes: nearly always one.
    fn write_alike(&self, hand: &mut Hand, rows: &[(u64, Row<'_>)], clients: &mut Vec<(u64, ClientId)>) {
        let mut octets = std::mem::take(&mut hand.octets);
        octets.clear();
        let mut ends = Vec::with_capacity(rows.len());
        for (_, row) in rows {
            row.copy_duid(&mut octets);
            let duid_end = octets.len();
            row.copy_options(&mut octets);
            ends.push((duid_end, octets.len()));
        }
        let mut start = 0;
        let mut leases: Vec<Lease<'_>> = Vec::with_capacity(rows.len());
        for ((_, row), (duid_end, end)) in rows.iter().zip(ends) {
            leases.push(row.lease(&octets[start..duid_end], &octets[duid_end..end]));
            start = end;
        }
        leases.sort_unstable_by(|a, b| (a.duid, record::order(a)).cmp(&(b.duid, record::order(b))));
        for leases in leases.chunk_by(|a, b| a.duid == b.duid) {
            clients.extend(self.write_client(hand, leases).map(|client| (rows[0].0, client)));
        }
        hand.octets = octets;
    }

    /// Writes one client's record and stages its leases; none if they do not fit into a record.
    fn write_client(&self, hand: &mut Hand, leases: &[Lease<'_>]) -> Option<ClientId> {
        let arena = &self.tables.arena;
        let Some(at) = record::write(arena, &mut hand.allocator, &mut hand.words, leases) else {
            self.refused.fetch_add(leases.len(), Ordering::Relaxed);
            return None;
        };
        let client = self.number(hand);
        self.tables.clients.set(client, at);
        self.leases.fetch_add(leases.len(), Ordering::Relaxed);
        for lease in leases {
            self.prefixes.fetch_add(usize::from(lease.prefix_len < PREFIX_LEN_MAX), Ordering::Relaxed);
            let hash = address_hash(lease.address.into());
            hand.staged.push(arena, &mut hand.allocator, hash, [staging::entry(hash, client)].into_iter());
        }
        Some(client)
    }

    fn number(&self, hand: &mut Hand) -> ClientId {
        if hand.numbers.is_empty() {
            let first = self.numbers.fetch_add(NUMBERS, Ordering::Relaxed);
            assert!(first < CLIENT_IDS - NUMBERS, "the index is full: it holds at most 2^28 clients");
            hand.numbers.extend((first..first + NUMBERS).rev());
        }
        hand.numbers.pop().expect("filled above")
    }

    /// Fills a partition's part of the map by address.
    fn fill_addresses(&self, hand: &mut Hand, partition: usize, blocks: Vec<Block>) {
        let mut clients: Vec<(u64, ClientId)> = Vec::new();
        for block in blocks {
            let entries = block.contents(&self.tables.arena).iter().map(|word| word.load(Ordering::Relaxed));
            clients.extend(entries.map(|entry| staging::hash_and_client(partition, entry)));
            block.free(&mut hand.allocator);
        }
        clients.sort_unstable();
        self.fill(hand, &self.tables.addresses, &clients);
    }

    /// Fills the shards that these clients, ascending by hash, belong to.
    fn fill(&self, hand: &mut Hand, map: &Map, clients: &[(u64, ClientId)]) {
        for shard in clients.chunk_by(|a, b| shard_of(a.0) == shard_of(b.0)) {
            map.fill(&self.tables.arena, &mut hand.allocator, shard_of(shard[0].0), shard.iter().copied());
        }
    }
}

/// A prefix on its way into the trie.
struct Prefix {
    bits: [u64; 2],
    client: ClientId,
    len: u8,
}

impl Prefix {
    fn key(&self) -> Key {
        let [high, low] = self.bits.map(u128::from);
        Key { bits: high << 64 | low, len: self.len }
    }
}

/// The trie of the prefixes, so many, that the records of these clients hold.
fn plant(tables: &Tables, allocator: &mut Allocator, next_client: ClientId, count: usize) -> Trie {
    let mut prefixes = Vec::with_capacity(count);
    for client in 0..next_client {
        let bindings = tables.client(client).into_iter().flat_map(record::Client::bindings);
        prefixes.extend(bindings.filter_map(|binding| {
            let Key { bits, len } = Key::new(binding.address, binding.prefix_len)?;
            Some(Prefix { bits: [(bits >> 64) as u64, bits as u64], client, len })
        }));
    }
    prefixes.par_sort_unstable_by_key(|prefix| prefix.bits);
    trie::build(&tables.arena, allocator, &prefixes, |prefix| (prefix.key(), prefix.client))
}

impl Hand {
    fn new() -> Self {
        Self {
            allocator: Allocator::new(),
            packer: Packer::default(),
            staged: Staged::new(),
            numbers: Vec::new(),
            words: Vec::new(),
            octets: Vec::new(),
        }
    }
}

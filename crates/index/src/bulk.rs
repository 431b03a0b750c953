//! A whole generation of the index from a snapshot, on all cores, in little more memory than it takes in the
//! end.
//!
//! Rows come in any order of threads, each with its number; the last row of an address is its lease. Threads
//! work on independent partitions:
//!
//! ```text
//! take     rows → partitions by DUID, removals → by address; while the source reads
//! write    clients: record, number, map by DUID; a claim on each address → partitions by address
//! fill     map by address; of two claims on an address, and of claim and removal, the last counts
//! settle   records of clients that lost an address: usually none
//! ```
//! The few rows that need the writer's knowledge (`bulk/special.rs`) are set aside, and settled with the
//! others. A partition is 1/256 of the whole, lies in a processor's cache while a thread works on it, and is
//! freed when it is done. Rows are staged in blocks of the new generation's own arena, which become records
//! and tables later. A row right behind one of the same client is staged without DUID and options.
//! `DESIGN.md` compares the designs.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use crate::arena::Allocator;
use crate::clients::ClientId;
use crate::lease::{Batch, DUID_LEN_MAX, Lease, Row, address_hash, duid_hash};
use crate::limits::Limits;
use crate::octets::copy_octets;
use crate::options::Packer;
use crate::record::{self, Entry, RecordTooLargeError, WORDS_MAX, Wholeness, order};
use crate::room::Room;
use crate::tables::Tables;
use crate::written::Written;

mod prefix_length_set;
mod settle;
mod special;
mod staging;

use prefix_length_set::PrefixLengthSet;
use settle::{Claims, Loss, Settled};
pub(crate) use special::Remaining;
use special::{Aside, Former, Special, Specials};
use staging::{Block, Claim, End, Item, ROW_NUMBERS, Run, Staged, kept};

/// Client numbers that a thread takes at a time.
const NUMBERS: u32 = 1024;

/// A snapshot on its way into the index: takes its rows from any number of threads; then
/// [`Writer::replace_by`](crate::Writer::replace_by) publishes the leases.
pub struct Loader {
    tables: Tables,
    /// State of threads that are between two parts.
    threads: Mutex<Vec<LoaderThread>>,
    numbers: AtomicU32,
    /// Empty: rows with host bits are set aside.
    written: Written,
}

/// Tables of a new generation, and the writer's knowledge about them.
pub(crate) struct Built {
    pub(crate) tables: Tables,
    pub(crate) allocator: Allocator,
    pub(crate) next_client: ClientId,
    pub(crate) free_clients: Vec<ClientId>,
    /// Anchors of oversized clients, each with its segments, some of which may have lost all leases.
    pub(crate) oversized: Vec<(ClientId, Vec<ClientId>)>,
    pub(crate) remaining: Remaining,
}

/// State of one thread that loads.
struct LoaderThread {
    allocator: Allocator,
    packer: Packer,
    /// Rows by client; later claims by address.
    staged: Staged,
    /// Ends, by address.
    ended: Staged,
    /// Client numbers that it may use.
    numbers: Vec<ClientId>,
    /// Leases in records that it wrote, minus those that it removed from records.
    leases: isize,
    oversized: Vec<(ClientId, Vec<ClientId>)>,
    lost: Vec<Loss>,
    aside: Aside,
    /// Rows that were set aside and count.
    remaining: Vec<Special>,
    formers: Vec<Former>,
    prefix_lengths: PrefixLengthSet,
    words: Vec<u64>,
    octets: Vec<u8>,
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

impl Loader {
    /// Returns a loader without rows.
    pub fn new() -> Self {
        Self::with_limits(Limits::STANDARD)
    }

    /// Returns a loader for rows whose text has so many bytes: address space is reserved by it where that is
    /// limited.
    pub fn for_text(bytes: u64) -> Self {
        Self::with_room(Limits::STANDARD, Room::for_text(bytes))
    }

    /// Returns a loader with other limits.
    pub(crate) fn with_limits(limits: Limits) -> Self {
        Self::with_room(limits, Room::for_text(0))
    }

    fn with_room(limits: Limits, room: Room) -> Self {
        let tables = Tables::empty(limits, room);
        Self { tables, threads: Mutex::default(), numbers: AtomicU32::new(0), written: Written::default() }
    }

    /// Takes the rows of a batch, numbered from `first` on: of the rows of one address the highest number
    /// counts.
    ///
    /// No two rows have one number, but numbers may be left out: the place of a row in its file will do.
    ///
    /// # Panics
    /// If numbers reach 2^44.
    pub fn take(&self, first: u64, batch: &Batch) {
        // Beyond this, the number would not fit beside the flags of a staged row.
        assert!(first + (batch.len() as u64) < ROW_NUMBERS, "row numbers stay below 2^44");
        self.with_thread(|thread| {
            let Tables { templates, arena, .. } = &self.tables;
            let LoaderThread { allocator, packer, staged, ended, aside, words, octets, .. } = thread;
            let mut before: Option<&Row> = None;
            let mut hash = 0;
            for (number, row) in (first..).zip(&batch.rows) {
                if row.is_removal() {
                    // A removal needs no client, and is staged by address.
                    let end = End { address: row.address, number };
                    ended.push(arena, allocator, address_hash(row.address), &end.words());
                    continue;
                }
                // Special rows are rare, and would make the staged form larger for all.
                if row.is_special() {
                    aside.push(number, batch, row);
                    continue;
                }
                // Sources mostly have the leases of a client together.
                let same_client = before.is_some_and(|before| batch.duid(before) == batch.duid(row));
                let same_options =
                    same_client && before.is_some_and(|before| batch.options(before) == batch.options(row));
                // Hashing and packing are a good part of a row's cost; rows of one client share both.
                if !same_client {
                    hash = duid_hash(batch.duid(row));
                }
                if !same_options {
                    octets.clear();
                    packer.pack((templates, arena), allocator, batch.options(row), octets);
                }
                let lease = Lease { options: octets, ..batch.lease(row) };
                Item { number, lease, duid_hash: hash, same_client, same_options }
                    // Staging writes to the arena, so that this memory becomes records later.
                    .stage(arena, allocator, staged, words);
                // Rows set aside do not end a client's run, as they were not staged.
                before = Some(row);
            }
        });
    }

    /// Builds the tables.
    pub(crate) fn build(self) -> Built {
        self.pass(|thread| &mut thread.staged, |thread, _, blocks| self.write_clients(thread, blocks));
        // Removals are small: they stay staged until their partition is filled.
        let ended = self.merged(|thread| &mut thread.ended);
        // All threads have ended taking rows, so this list is complete.
        let specials = self.specials();
        // The second pass reads claims that the first one staged.
        self.pass(
            |thread| &mut thread.staged,
            |thread, partition, blocks| {
                self.fill_addresses(thread, partition, blocks, (&ended[partition], &specials));
            },
        );
        let lost = self.threads().iter_mut().flat_map(|thread| std::mem::take(&mut thread.lost)).collect();
        // Only now is it known which addresses records lose.
        self.take_away(lost);
        let next_client = self.numbers.load(Ordering::Relaxed);
        // Blocks go back before the tables are final, when memory use is highest.
        self.give_back(ended);
        let Self { tables, threads, .. } = self;
        // The writer goes on with one allocator for all that threads have left.
        let (mut allocator, mut free_clients) = (Allocator::new(), Vec::new());
        let (mut leases, mut oversized, mut prefix_lengths) = (0, Vec::new(), PrefixLengthSet::default());
        let (mut rows, mut formers) = (Vec::new(), Vec::new());
        for thread in threads.into_inner().unwrap_or_else(PoisonError::into_inner) {
            allocator.absorb(thread.allocator);
            free_clients.extend(thread.numbers);
            leases += thread.leases;
            oversized.extend(thread.oversized);
            prefix_lengths.extend(thread.prefix_lengths);
            rows.extend(thread.remaining);
            formers.extend(thread.formers);
        }
        // Entered by one thread: the trie has a single writer.
        prefix_lengths.enter(&tables, &mut allocator);
        allocator.release_unused(&tables.arena);
        // Threads may have counted a removal of a lease that another wrote.
        tables.counts.leases.store(leases.max(0) as usize, Ordering::Relaxed);
        let segments = oversized.iter().flat_map(|(_, segments)| segments);
        // Segments have records of their own, and are no clients.
        let segments = segments.filter(|&&segment| tables.clients.get(segment).is_some()).count();
        let clients = next_client as usize - free_clients.len() - segments;
        tables.counts.clients.store(clients, Ordering::Relaxed);
        let remaining = Remaining { batches: specials.only(rows.into_iter()), formers };
        Built { tables, allocator, next_client, free_clients, oversized, remaining }
    }

    fn threads(&self) -> MutexGuard<'_, Vec<LoaderThread>> {
        // Threads leave consistent state between rows, so a panic elsewhere does not spoil the others.
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_thread(&self, work: impl FnOnce(&mut LoaderThread)) {
        // The lock is released before the work begins, or threads would take turns.
        let thread = self.threads().pop();
        let mut thread = thread.unwrap_or_else(LoaderThread::new);
        work(&mut thread);
        self.threads().push(thread);
    }

    /// Items that all threads have staged there.
    fn merged(&self, there: impl Fn(&mut LoaderThread) -> &mut Staged) -> Vec<Vec<Block>> {
        let mut threads = self.threads();
        Staged::merged(threads.iter_mut().map(|thread| std::mem::replace(there(thread), Staged::new())))
    }

    /// Calls `work` for each partition of the items staged there.
    fn pass(
        &self,
        there: impl Fn(&mut LoaderThread) -> &mut Staged,
        work: impl Fn(&mut LoaderThread, usize, Vec<Block>) + Sync,
    ) {
        let partitions = self.merged(there).into_par_iter().enumerate();
        partitions.for_each(|(partition, blocks)| self.with_thread(|thread| work(thread, partition, blocks)));
    }

    /// Frees these blocks, and returns free memory to the system: memory would peak now.
    fn give_back(&self, blocks: Vec<Vec<Block>>) {
        let mut threads = self.threads();
        let mut merged = Allocator::new();
        blocks.into_iter().flatten().for_each(|block| block.free(&mut merged));
        for thread in &mut *threads {
            merged.absorb(std::mem::replace(&mut thread.allocator, Allocator::new()));
        }
        merged.release_unused(&self.tables.arena);
        match threads.first_mut() {
            Some(thread) => thread.allocator = merged,
            None => threads.push(LoaderThread { allocator: merged, ..LoaderThread::new() }),
        }
    }

    /// Writes the records of a partition's clients, and fills its part of the map by DUID.
    fn write_clients(&self, thread: &mut LoaderThread, blocks: Vec<Block>) {
        let arena = &self.tables.arena;
        let runs = blocks.iter().flat_map(|&block| staging::runs(arena, block));
        let mut runs: Vec<(u64, Run<'_>)> = runs.map(|run| (hash_of(run), run)).collect();
        // Runs of one client may come from several threads, and meet only by their hash.
        runs.sort_unstable_by_key(|&(hash, _)| hash);
        let mut clients: Vec<(u64, ClientId)> = Vec::with_capacity(runs.len());
        let mut leases = Vec::new();
        for same_hash in runs.chunk_by_mut(|a, b| a.0 == b.0) {
            let is_client = |a: &(u64, Run<'_>), b: &(u64, Run<'_>)| same_duid(a.1, b.1);
            // Nearly always it is one client.
            if !same_hash.is_sorted_by(is_client) {
                // Two DUIDs of one hash are told apart by their octets.
                same_hash.sort_by_cached_key(|(_, run)| duid_of(*run));
            }
            for runs in same_hash.chunk_by(is_client) {
                leases.clear();
                leases.extend(runs.iter().flat_map(|(_, run)| run.entries()));
                let duid = runs[0].1.duid();
                clients.push((runs[0].0, self.write_client(thread, duid, &mut leases)));
            }
        }
        self.tables.duids.fill(arena, &mut thread.allocator, &clients, |_| {});
        // Freed at once, so that the next partition's records reuse them.
        blocks.into_iter().for_each(|block| block.free(&mut thread.allocator));
    }

    /// Writes one client's record, or its anchor and segments, and stages its claims; returns the number for
    /// the map by DUID.
    fn write_client(
        &self,
        thread: &mut LoaderThread,
        duid: (usize, &[AtomicU64]),
        leases: &mut Vec<(u64, Entry<&[AtomicU64]>)>,
    ) -> ClientId {
        if leases.len() > 1 {
            // The highest number first, as the last row of an address counts.
            leases.sort_unstable_by_key(|(number, lease)| (lease.address, Reverse(*number)));
            // Of the rows of one address, the last one is first now.
            leases.dedup_by_key(|(_, lease)| lease.address);
            // Records keep their bindings in the order in which replies write them.
            leases.sort_unstable_by_key(|(_, lease)| order(lease.prefix_len, lease.kind, lease.address));
        }
        let Limits { leases: leases_max, words, segment } = self.tables.limits;
        // A client that one reply cannot carry gets segments, so that its record stays bounded.
        if leases.len() <= leases_max
            && let Ok(client) = self.write_leases(thread, duid, leases, (Wholeness::Whole, words))
        {
            return client;
        }
        let arena = &self.tables.arena;
        let (len, words) = words_of(duid);
        // The anchor has no leases of its own, and stands for the client in the map.
        let anchor = (len, words, Wholeness::Part);
        let anchor = record::write_without_leases(arena, &mut thread.allocator, &mut thread.words, anchor);
        let client = self.number(&mut thread.numbers);
        self.tables.clients.set(client, anchor);
        let segments = leases.chunks(segment).map(|leases| {
            let segment = self.write_leases(thread, duid, leases, (Wholeness::Part, WORDS_MAX));
            segment.expect("a segment fits into a record")
        });
        let segments = segments.collect();
        thread.oversized.push((client, segments));
        client
    }

    /// Writes a record and stages its claims.
    fn write_leases(
        &self,
        thread: &mut LoaderThread,
        duid: (usize, &[AtomicU64]),
        leases: &[(u64, Entry<&[AtomicU64]>)],
        (wholeness, words_max): (Wholeness, usize),
    ) -> Result<ClientId, RecordTooLargeError> {
        let arena = &self.tables.arena;
        let (len, duid) = words_of(duid);
        let entries = leases.iter().map(|&(_, lease)| lease);
        let LoaderThread { allocator, words, staged, prefix_lengths, numbers, .. } = &mut *thread;
        let at = record::write_entries(arena, allocator, words, (len, duid, wholeness), entries, words_max)?;
        let client = self.number(numbers);
        self.tables.clients.set(client, at);
        for &(number, Entry { address, prefix_len, .. }) in leases {
            let hash = address_hash(address);
            prefix_lengths.insert(address, prefix_len);
            staged.push(arena, allocator, hash, &Claim { hash: kept(hash), client, number }.words());
        }
        thread.leases += leases.len() as isize;
        Ok(client)
    }

    fn number(&self, numbers: &mut Vec<ClientId>) -> ClientId {
        // A thread takes many numbers at a time, since each taking is a shared write.
        if numbers.is_empty() {
            let first = self.numbers.fetch_add(NUMBERS, Ordering::Relaxed);
            // Numbers stay inside the room, or the table of records would be overrun.
            if first >= self.tables.clients.room() - NUMBERS {
                self.tables.full().give_up();
            }
            self.tables.clients.reach(first + NUMBERS);
            numbers.extend((first..first + NUMBERS).rev());
        }
        numbers.pop().expect("filled above")
    }

    /// Fills a partition's part of the map by address, and finds the addresses that clients lose.
    fn fill_addresses(
        &self,
        thread: &mut LoaderThread,
        partition: usize,
        blocks: Vec<Block>,
        (ended, specials): (&[Block], &Specials),
    ) {
        let arena = &self.tables.arena;
        let claims = || staging::claims(arena, partition, &blocks);
        let mut clients: Vec<(u64, ClientId)> = claims().map(|claim| (claim.hash, claim.client)).collect();
        // Equal claims come together, and partitions are filled in the order of hashes.
        clients.sort_unstable();
        let mut disputed: Vec<u64> = Vec::new();
        // Hashes that come twice may be one address with two holders, or two addresses.
        self.tables.addresses.fill(arena, &mut thread.allocator, &clients, |hash| disputed.push(hash));
        let ends = || staging::ends(arena, ended);
        let hashes = ends().map(|end| address_hash(end.address));
        // Most removals are of addresses that no row of the snapshot has any more.
        let is_claimed = |hash: &u64| self.tables.addresses.probe(arena, *hash).next(arena).is_some();
        disputed.extend(hashes.filter(is_claimed).map(kept));
        let aside = specials.of_partition(partition);
        disputed.extend(aside.iter().map(|special| kept(address_hash(special.address))));
        // Disputes are rare, so the slow path runs on few claims.
        if !disputed.is_empty() {
            disputed.sort_unstable();
            let is_disputed = |hash: u64| disputed.binary_search(&hash).is_ok();
            let ends = ends().filter(|end| is_disputed(kept(address_hash(end.address))));
            let claims = claims().filter(|claim| is_disputed(claim.hash)).collect();
            let Settled { lost, remaining, formers } = self.settle(Claims { claims, aside }, ends, specials);
            thread.lost.extend(lost);
            // Losses are collected, as the records they touch belong to other partitions.
            thread.remaining.extend(remaining);
            thread.formers.extend(formers);
        }
        blocks.into_iter().for_each(|block| block.free(&mut thread.allocator));
    }
}

/// Whether both runs are of one client.
fn same_duid(a: Run<'_>, b: Run<'_>) -> bool {
    let ((a_len, a), (b_len, b)) = (a.duid(), b.duid());
    let same = |(a, b): (&AtomicU64, &AtomicU64)| a.load(Ordering::Relaxed) == b.load(Ordering::Relaxed);
    a_len == b_len && a.iter().zip(b).all(same)
}

/// The words of a DUID of so many octets, read.
fn words_of((len, duid): (usize, &[AtomicU64])) -> (usize, impl Iterator<Item = u64>) {
    (len, duid.iter().map(|word| word.load(Ordering::Relaxed)))
}

fn duid_of(run: Run<'_>) -> Vec<u8> {
    let (len, words) = run.duid();
    let mut duid = vec![0; len];
    copy_octets(words, 0, &mut duid);
    duid
}

fn hash_of(run: Run<'_>) -> u64 {
    let (len, words) = run.duid();
    // A hash of the words would differ from the one used in lookups.
    let mut duid = [0; DUID_LEN_MAX];
    copy_octets(words, 0, &mut duid[..len]);
    duid_hash(&duid[..len])
}

impl LoaderThread {
    fn new() -> Self {
        Self {
            allocator: Allocator::new(),
            packer: Packer::default(),
            staged: Staged::new(),
            ended: Staged::new(),
            numbers: Vec::new(),
            leases: 0,
            oversized: Vec::new(),
            lost: Vec::new(),
            aside: Aside::default(),
            remaining: Vec::new(),
            formers: Vec::new(),
            prefix_lengths: PrefixLengthSet::default(),
            words: Vec::new(),
            octets: Vec::new(),
        }
    }
}

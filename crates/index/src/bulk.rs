//! A whole generation of the index from a snapshot, on all cores, in little more memory than it takes in the end.
//!
//! Rows come in any order of threads, each with its number; the last row of an address is its lease. Two passes over
//! partitions that know nothing of each other, so that whoever is free takes the next one, and two over what is left:
//!
//! ```text
//! take     rows → partitions by DUID, removals → by address     while the source still reads, window by window
//! write    clients: record, number, map by DUID; a claim on each address → partitions by address
//! fill     map by address; of two claims on an address, and of claim and removal, the last counts
//! settle   records of clients that lost an address: as a rule, none
//! ```
//! The few rows that need the writer's knowledge (`bulk/special.rs`) are set aside, and settled with the others.
//! A partition is small beside the whole (1/256), lies in a processor's cache while it is worked on, and its memory is
//! given back when it is done. Rows are staged in blocks of the new generation's own arena, so that a block that
//! was read becomes records or tables a moment later: no allocator has to be hoped for, and the peak is records and
//! maps beside 16 octets a claim. A row right behind one of the same client is staged without DUID and options.
//!
//! Designs considered: (1) all rows parsed into batches, then sorted by address and by DUID as a whole: the batches and
//! three arrays beside the finished tables, 2.6 times their memory, and at 20 million leases every access misses the
//! cache; (2) windows applied one after the other as the follower does: little memory, but one thread, and every row
//! misses the cache some ten times; (3) reading the file twice, first for addresses: parsing is half of all work; (4)
//! partitions by address first, to find each address's last row, and by DUID then: every row is copied once more, and
//! no two rows of a client are neighbours, so that each has its DUID and options; 9.4 s for 20 million leases; (5) this
//! one: 6.7 s in the same hour, at the price that a lease which a later row takes away is written first, and its room in
//! the arena waits for the next record of its size. Measured: see `benches/README.md`, "Loading".

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
use crate::record::{self, Entry, TooLarge, WORDS_MAX, Wholeness, order};
use crate::room::Room;
use crate::tables::Tables;
use crate::written::Written;

mod met;
mod settle;
mod special;
mod staging;

use met::Met;
use settle::{Claims, Loss, Settled};
pub(crate) use special::Remaining;
use special::{Aside, Former, Special, Specials};
use staging::{Block, Claim, End, Item, ROW_NUMBERS, Run, Staged, kept};

/// Client numbers that a thread takes at a time.
const NUMBERS: u32 = 1024;

/// A snapshot on its way into the index: takes its rows from any number of threads; then
/// [`Writer::replace_by`](crate::Writer::replace_by) publishes what they come to.
pub struct Loader {
    tables: Tables,
    /// Those that are not at work.
    hands: Mutex<Vec<Hand>>,
    numbers: AtomicU32,
    /// Nothing: rows with host bits are set aside.
    written: Written,
}

/// What was built.
pub(crate) struct Built {
    pub(crate) tables: Tables,
    pub(crate) allocator: Allocator,
    pub(crate) next_client: ClientId,
    pub(crate) free_clients: Vec<ClientId>,
    /// Anchors of oversized clients, each with its segments, some of which may have lost all leases.
    pub(crate) oversized: Vec<(ClientId, Vec<ClientId>)>,
    pub(crate) remaining: Remaining,
}

/// What one thread works with.
struct Hand {
    allocator: Allocator,
    packer: Packer,
    /// Rows by client, then claims by address.
    staged: Staged,
    /// Ends, by address.
    ended: Staged,
    /// Client numbers that it may use.
    numbers: Vec<ClientId>,
    /// Leases in records that it wrote, less those that it took out of records.
    leases: isize,
    oversized: Vec<(ClientId, Vec<ClientId>)>,
    lost: Vec<Loss>,
    aside: Aside,
    /// Rows that were set aside and count.
    remaining: Vec<Special>,
    formers: Vec<Former>,
    met: Met,
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
        Self::with_limits(Limits::STANDARD)
    }

    /// As [`Self::new`], for rows whose text has so many octets, which counts where address space is limited.
    pub fn for_text(octets: u64) -> Self {
        Self::with_room(Limits::STANDARD, Room::for_text(octets))
    }

    /// As [`Self::new`], with other limits.
    pub(crate) fn with_limits(limits: Limits) -> Self {
        Self::with_room(limits, Room::for_text(0))
    }

    fn with_room(limits: Limits, room: Room) -> Self {
        let tables = Tables::empty(limits, room);
        Self { tables, hands: Mutex::default(), numbers: AtomicU32::new(0), written: Written::default() }
    }

    /// Takes the rows of a batch, numbered from `first` on: of the rows of one address the highest number counts.
    ///
    /// No two rows have one number, but numbers may be left out: the place of a row in its file will do.
    ///
    /// # Panics
    /// If numbers reach 2^44.
    pub fn take(&self, first: u64, batch: &Batch) {
        assert!(first + (batch.len() as u64) < ROW_NUMBERS, "row numbers stay below 2^44");
        self.with_hand(|hand| {
            let Tables { templates, arena, .. } = &self.tables;
            let Hand { allocator, packer, staged, ended, aside, words, octets, .. } = hand;
            let mut before: Option<&Row> = None;
            let mut hash = 0;
            for (number, row) in (first..).zip(&batch.rows) {
                if row.is_removal() {
                    let end = End { address: row.address, number };
                    ended.push(arena, allocator, address_hash(row.address), &end.words());
                    continue;
                }
                if row.is_special() {
                    aside.push(number, batch, row);
                    continue;
                }
                // Sources have the leases of a client together, as a rule.
                let same_client = before.is_some_and(|before| batch.duid(before) == batch.duid(row));
                let same_options =
                    same_client && before.is_some_and(|before| batch.options(before) == batch.options(row));
                if !same_client {
                    hash = duid_hash(batch.duid(row));
                }
                if !same_options {
                    octets.clear();
                    packer.pack((templates, arena), allocator, batch.options(row), octets);
                }
                let lease = Lease { options: octets, ..batch.lease(row) };
                Item { number, lease, duid_hash: hash, same_client, same_options }
                    .stage(arena, allocator, staged, words);
                before = Some(row);
            }
        });
    }

    /// The tables that the rows come to.
    pub(crate) fn build(self) -> Built {
        self.pass(|hand| &mut hand.staged, |hand, _, blocks| self.write_clients(hand, blocks));
        let ended = self.merged(|hand| &mut hand.ended);
        let specials = self.specials();
        self.pass(
            |hand| &mut hand.staged,
            |hand, partition, blocks| {
                self.fill_addresses(hand, partition, blocks, (&ended[partition], &specials));
            },
        );
        let lost = self.hands().iter_mut().flat_map(|hand| std::mem::take(&mut hand.lost)).collect();
        self.take_away(lost);
        let next_client = self.numbers.load(Ordering::Relaxed);
        self.give_back(ended);
        let Self { tables, hands, .. } = self;
        let (mut allocator, mut free_clients) = (Allocator::new(), Vec::new());
        let (mut leases, mut oversized, mut met) = (0, Vec::new(), Met::default());
        let (mut rows, mut formers) = (Vec::new(), Vec::new());
        for hand in hands.into_inner().unwrap_or_else(PoisonError::into_inner) {
            allocator.absorb(hand.allocator);
            free_clients.extend(hand.numbers);
            leases += hand.leases;
            oversized.extend(hand.oversized);
            met.extend(hand.met);
            rows.extend(hand.remaining);
            formers.extend(hand.formers);
        }
        met.enter(&tables, &mut allocator);
        allocator.release_unused(&tables.arena);
        tables.counts.leases.store(leases.max(0) as usize, Ordering::Relaxed);
        let segments = oversized.iter().flat_map(|(_, segments)| segments);
        let segments = segments.filter(|&&segment| tables.clients.get(segment).is_some()).count();
        let clients = next_client as usize - free_clients.len() - segments;
        tables.counts.clients.store(clients, Ordering::Relaxed);
        let remaining = Remaining { batches: specials.only(rows.into_iter()), formers };
        Built { tables, allocator, next_client, free_clients, oversized, remaining }
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

    /// What all threads have staged there.
    fn merged(&self, there: impl Fn(&mut Hand) -> &mut Staged) -> Vec<Vec<Block>> {
        let mut hands = self.hands();
        Staged::merged(hands.iter_mut().map(|hand| std::mem::replace(there(hand), Staged::new())))
    }

    /// Works through all that was staged there, partition by partition.
    fn pass(
        &self,
        there: impl Fn(&mut Hand) -> &mut Staged,
        work: impl Fn(&mut Hand, usize, Vec<Block>) + Sync,
    ) {
        let partitions = self.merged(there).into_par_iter().enumerate();
        partitions.for_each(|(partition, blocks)| self.with_hand(|hand| work(hand, partition, blocks)));
    }

    /// Gives these blocks, and the memory of all that are free, back: the peak of a load would come now.
    fn give_back(&self, blocks: Vec<Vec<Block>>) {
        let mut hands = self.hands();
        let mut merged = Allocator::new();
        blocks.into_iter().flatten().for_each(|block| block.free(&mut merged));
        for hand in &mut *hands {
            merged.absorb(std::mem::replace(&mut hand.allocator, Allocator::new()));
        }
        merged.release_unused(&self.tables.arena);
        match hands.first_mut() {
            Some(hand) => hand.allocator = merged,
            None => hands.push(Hand { allocator: merged, ..Hand::new() }),
        }
    }

    /// Writes the records of a partition's clients, and fills its part of the map by DUID.
    fn write_clients(&self, hand: &mut Hand, blocks: Vec<Block>) {
        let arena = &self.tables.arena;
        let runs = blocks.iter().flat_map(|&block| staging::runs(arena, block));
        let mut runs: Vec<(u64, Run<'_>)> = runs.map(|run| (hash_of(run), run)).collect();
        runs.sort_unstable_by_key(|&(hash, _)| hash);
        let mut clients: Vec<(u64, ClientId)> = Vec::with_capacity(runs.len());
        let mut leases = Vec::new();
        for same_hash in runs.chunk_by_mut(|a, b| a.0 == b.0) {
            let is_client = |a: &(u64, Run<'_>), b: &(u64, Run<'_>)| same_duid(a.1, b.1);
            // Nearly always it is one client.
            if !same_hash.is_sorted_by(is_client) {
                same_hash.sort_by_cached_key(|(_, run)| duid_of(*run));
            }
            for runs in same_hash.chunk_by(is_client) {
                leases.clear();
                leases.extend(runs.iter().flat_map(|(_, run)| run.entries()));
                let duid = runs[0].1.duid();
                clients.push((runs[0].0, self.write_client(hand, duid, &mut leases)));
            }
        }
        self.tables.duids.fill(arena, &mut hand.allocator, &clients, |_| {});
        blocks.into_iter().for_each(|block| block.free(&mut hand.allocator));
    }

    /// Writes one client's record, or its anchor and segments, and stages its claims; returns what the map by DUID leads to.
    fn write_client(
        &self,
        hand: &mut Hand,
        duid: (usize, &[AtomicU64]),
        leases: &mut Vec<(u64, Entry<&[AtomicU64]>)>,
    ) -> ClientId {
        if leases.len() > 1 {
            leases.sort_unstable_by_key(|(number, lease)| (lease.address, Reverse(*number)));
            leases.dedup_by_key(|(_, lease)| lease.address);
            leases.sort_unstable_by_key(|(_, lease)| order(lease.prefix_len, lease.kind, lease.address));
        }
        let Limits { leases: leases_max, words, segment } = self.tables.limits;
        if leases.len() <= leases_max
            && let Ok(client) = self.write_leases(hand, duid, leases, (Wholeness::Whole, words))
        {
            return client;
        }
        let arena = &self.tables.arena;
        let (len, words) = words_of(duid);
        let anchor = (len, words, Wholeness::Part);
        let anchor = record::write_without_leases(arena, &mut hand.allocator, &mut hand.words, anchor);
        let client = self.number(&mut hand.numbers);
        self.tables.clients.set(client, anchor);
        let segments = leases.chunks(segment).map(|leases| {
            let segment = self.write_leases(hand, duid, leases, (Wholeness::Part, WORDS_MAX));
            segment.expect("a segment fits into a record")
        });
        let segments = segments.collect();
        hand.oversized.push((client, segments));
        client
    }

    /// Writes a record and stages its claims.
    fn write_leases(
        &self,
        hand: &mut Hand,
        duid: (usize, &[AtomicU64]),
        leases: &[(u64, Entry<&[AtomicU64]>)],
        (wholeness, words_max): (Wholeness, usize),
    ) -> Result<ClientId, TooLarge> {
        let arena = &self.tables.arena;
        let (len, duid) = words_of(duid);
        let entries = leases.iter().map(|&(_, lease)| lease);
        let Hand { allocator, words, staged, met, numbers, .. } = &mut *hand;
        let at = record::write_entries(arena, allocator, words, (len, duid, wholeness), entries, words_max)?;
        let client = self.number(numbers);
        self.tables.clients.set(client, at);
        for &(number, Entry { address, prefix_len, .. }) in leases {
            let hash = address_hash(address);
            met.meet(address, prefix_len);
            staged.push(arena, allocator, hash, &Claim { hash: kept(hash), client, number }.words());
        }
        hand.leases += leases.len() as isize;
        Ok(client)
    }

    fn number(&self, numbers: &mut Vec<ClientId>) -> ClientId {
        if numbers.is_empty() {
            let first = self.numbers.fetch_add(NUMBERS, Ordering::Relaxed);
            if first >= self.tables.clients.room() - NUMBERS {
                self.tables.full().give_up();
            }
            self.tables.clients.reach(first + NUMBERS);
            numbers.extend((first..first + NUMBERS).rev());
        }
        numbers.pop().expect("filled above")
    }

    /// Fills a partition's part of the map by address, and sees who loses what.
    fn fill_addresses(
        &self,
        hand: &mut Hand,
        partition: usize,
        blocks: Vec<Block>,
        (ended, specials): (&[Block], &Specials),
    ) {
        let arena = &self.tables.arena;
        let claims = || staging::claims(arena, partition, &blocks);
        let mut clients: Vec<(u64, ClientId)> = claims().map(|claim| (claim.hash, claim.client)).collect();
        clients.sort_unstable();
        let mut disputed: Vec<u64> = Vec::new();
        self.tables.addresses.fill(arena, &mut hand.allocator, &clients, |hash| disputed.push(hash));
        let ends = || staging::ends(arena, ended);
        let hashes = ends().map(|end| address_hash(end.address));
        let is_claimed = |hash: &u64| self.tables.addresses.probe(arena, *hash).next(arena).is_some();
        disputed.extend(hashes.filter(is_claimed).map(kept));
        let aside = specials.of_partition(partition);
        disputed.extend(aside.iter().map(|special| kept(address_hash(special.address))));
        if !disputed.is_empty() {
            disputed.sort_unstable();
            let is_disputed = |hash: u64| disputed.binary_search(&hash).is_ok();
            let ends = ends().filter(|end| is_disputed(kept(address_hash(end.address))));
            let claims = claims().filter(|claim| is_disputed(claim.hash)).collect();
            let Settled { lost, remaining, formers } = self.settle(Claims { claims, aside }, ends, specials);
            hand.lost.extend(lost);
            hand.remaining.extend(remaining);
            hand.formers.extend(formers);
        }
        blocks.into_iter().for_each(|block| block.free(&mut hand.allocator));
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
    let mut duid = [0; DUID_LEN_MAX];
    copy_octets(words, 0, &mut duid[..len]);
    duid_hash(&duid[..len])
}

impl Hand {
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
            met: Met::default(),
            words: Vec::new(),
            octets: Vec::new(),
        }
    }
}

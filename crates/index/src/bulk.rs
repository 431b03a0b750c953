//! A whole generation of the index from a snapshot, on all cores.
//!
//! Inserting lease by lease would write most trie nodes sixteen times and most records twice. Instead: sort the rows
//! by address (the last row of an address is its lease), sort the leases by the hash of their DUID (clients lie
//! together, and shards of the DUID map fill one after the other), write each client's record once, and build the
//! trie bottom-up from the sorted addresses.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use rayon::prelude::*;

use crate::arena::Allocator;
use crate::duids::{SHARDS, shard_of};
use crate::lease::{Batch, Lease};
use crate::record;
use crate::tables::Tables;
use crate::trie::{CLIENT_IDS, ClientId, Key, build};

/// Client numbers that a thread takes at a time.
const NUMBERS: u32 = 1024;

/// What was built.
pub(crate) struct Built {
    pub(crate) tables: Tables,
    pub(crate) allocator: Allocator,
    pub(crate) next_client: ClientId,
    pub(crate) free_clients: Vec<ClientId>,
    /// Leases left out because their client has more than fit into one record.
    pub(crate) refused: usize,
}

/// A row's place in the batches.
#[derive(Clone, Copy)]
struct Place {
    address: u128,
    batch: u32,
    row: u32,
}

impl Place {
    fn lease<'b>(&self, batches: &'b [Batch]) -> Lease<'b> {
        batches[self.batch as usize].lease(self.row as usize)
    }

    fn duid<'b>(&self, batches: &'b [Batch]) -> &'b [u8] {
        let batch = &batches[self.batch as usize];
        batch.duid(&batch.rows[self.row as usize])
    }
}

/// Builds what these batches, one after the other, come to.
pub(crate) fn build(batches: &[Batch]) -> Built {
    let (mut tables, mut allocator) = Tables::empty();
    let leases = last_rows(batches);
    let hash = |(n, place): (usize, &Place)| (tables.hash(place.duid(batches)), n as u32);
    let mut by_client: Vec<(u64, u32)> = leases.par_iter().enumerate().map(hash).collect();
    by_client.par_sort_unstable();

    let owners: Vec<AtomicU32> = leases.iter().map(|_| AtomicU32::new(CLIENT_IDS)).collect();
    let numbers = AtomicU32::new(0);
    let work = Work { tables: &tables, batches, leases: &leases, owners: &owners, numbers: &numbers };
    let parts: Vec<Part> =
        segments(&by_client).into_par_iter().map(|segment| work.segment(segment)).collect();

    let (mut free_clients, mut refused) = (Vec::new(), 0);
    for part in parts {
        allocator.absorb(part.allocator);
        free_clients.extend(part.unused);
        refused += part.refused;
    }
    let key = |(place, owner): (&Place, &AtomicU32)| {
        let len = batches[place.batch as usize].rows[place.row as usize].prefix_len;
        let owner = owner.load(Ordering::Relaxed);
        (owner != CLIENT_IDS).then_some((Key { bits: place.address, len }, owner))
    };
    let keys: Vec<(Key, ClientId)> = leases.iter().zip(&owners).filter_map(key).collect();
    let next_client = numbers.into_inner();
    tables.trie = build::build(&tables.arena, &mut allocator, &keys);
    tables.lease_count = AtomicUsize::new(keys.len());
    tables.client_count = AtomicUsize::new(next_client as usize - free_clients.len());
    Built { tables, allocator, next_client, free_clients, refused }
}

/// The last row of each address, unless it is a removal; ascending by address.
fn last_rows(batches: &[Batch]) -> Vec<Place> {
    let rows = batches.iter().enumerate().flat_map(|(number, batch)| {
        let place = move |(row, address)| Place { address, batch: number as u32, row: row as u32 };
        batch.rows.iter().map(|row| row.address).enumerate().map(place)
    });
    let mut rows: Vec<Place> = rows.collect();
    rows.par_sort_unstable_by_key(|place| (place.address, Reverse((place.batch, place.row))));
    rows.dedup_by_key(|place| place.address);
    rows.retain(|place| !batches[place.batch as usize].rows[place.row as usize].is_removal());
    rows
}

/// Cuts the leases, ascending by DUID hash, between shards of the DUID map: one segment for each thread.
fn segments(by_client: &[(u64, u32)]) -> Vec<Segment<'_>> {
    let threads = rayon::current_num_threads().clamp(1, SHARDS);
    let mut rest = by_client;
    let mut first_shard = 0;
    let mut segments = Vec::with_capacity(threads);
    for thread in 1..=threads {
        let end_shard = SHARDS * thread / threads;
        let (leases, after) = rest.split_at(rest.partition_point(|&(hash, _)| shard_of(hash) < end_shard));
        segments.push(Segment { shards: first_shard..end_shard, leases });
        (rest, first_shard) = (after, end_shard);
    }
    segments
}

/// Some shards of the DUID map and the leases of the clients that belong there.
struct Segment<'a> {
    shards: std::ops::Range<usize>,
    leases: &'a [(u64, u32)],
}

/// What one thread leaves behind.
struct Part {
    allocator: Allocator,
    unused: Vec<ClientId>,
    refused: usize,
}

/// What all threads share.
struct Work<'a> {
    tables: &'a Tables,
    batches: &'a [Batch],
    leases: &'a [Place],
    owners: &'a [AtomicU32],
    numbers: &'a AtomicU32,
}

impl Work<'_> {
    /// Writes the records of a segment's clients and fills its shards.
    fn segment(&self, segment: Segment<'_>) -> Part {
        let mut part = Part { allocator: Allocator::new(), unused: Vec::new(), refused: 0 };
        let (mut words, mut rest, mut clients) = (Vec::new(), segment.leases, Vec::new());
        for shard in segment.shards {
            let (mine, after) = rest.split_at(rest.partition_point(|&(hash, _)| shard_of(hash) == shard));
            rest = after;
            clients.clear();
            for equal in mine.chunk_by(|(a, _), (b, _)| a == b) {
                self.clients(equal, &mut part, &mut words, &mut clients);
            }
            if !clients.is_empty() {
                let map = &self.tables.duids;
                map.fill(&self.tables.arena, &mut part.allocator, shard, clients.iter().copied());
            }
        }
        part
    }

    /// Writes the record of each client among leases whose DUIDs have equal hashes: nearly always one.
    fn clients(
        &self,
        equal: &[(u64, u32)],
        part: &mut Part,
        words: &mut Vec<u64>,
        clients: &mut Vec<(u64, ClientId)>,
    ) {
        let mut numbers: Vec<u32> = equal.iter().map(|&(_, number)| number).collect();
        let duid = |number: u32| self.leases[number as usize].duid(self.batches);
        numbers.sort_by_key(|&number| duid(number));
        for same in numbers.chunk_by(|&a, &b| duid(a) == duid(b)) {
            let mut leases: Vec<_> =
                same.iter().map(|&number| self.leases[number as usize].lease(self.batches)).collect();
            record::sort(&mut leases);
            let Some(at) = record::write(&self.tables.arena, &mut part.allocator, words, &leases) else {
                part.refused += leases.len();
                continue;
            };
            let client = self.number(part);
            self.tables.clients.set(client, at);
            same.iter().for_each(|&number| self.owners[number as usize].store(client, Ordering::Relaxed));
            clients.push((equal[0].0, client));
        }
    }

    fn number(&self, part: &mut Part) -> ClientId {
        if part.unused.is_empty() {
            let first = self.numbers.fetch_add(NUMBERS, Ordering::Relaxed);
            assert!(first < CLIENT_IDS - NUMBERS, "the index is full: it holds at most 2^31 clients");
            part.unused.extend((first..first + NUMBERS).rev());
        }
        part.unused.pop().expect("filled above")
    }
}

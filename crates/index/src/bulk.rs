//! A whole generation of the index from a snapshot, on all cores.
//!
//! Inserting lease by lease would write most records twice and the maps' shards many times. Instead: sort the rows by
//! the hash of their address (the last row of an address is its lease), sort the leases by the hash of their DUID to
//! bring clients together, write each client's record once, and fill the maps in the order of hashes.
//!
//! Memory decides the speed, so rows are touched in the order in which they lie there: records are written in the
//! order of each client's first row, not of its hash, which would miss the cache some six times a client.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;

use crate::arena::Allocator;
use crate::clients::{CLIENT_IDS, ClientId};
use crate::lease::{Batch, Lease, Row, address_hash};
use crate::map::{Map, SHARDS, shard_of};
use crate::record;
use crate::tables::Tables;

/// Client numbers that a thread takes at a time.
const NUMBERS: u32 = 1024;

/// No client owns the row: it is not the last of its address, or was refused.
const NOBODY: ClientId = CLIENT_IDS;

/// What was built.
pub(crate) struct Built {
    pub(crate) tables: Tables,
    pub(crate) allocator: Allocator,
    pub(crate) next_client: ClientId,
    pub(crate) free_clients: Vec<ClientId>,
    /// Leases left out because their client has more than fit into one record.
    pub(crate) refused: usize,
}

/// Number of a row, counted through all batches.
type RowNumber = u32;

/// A row as sorting by address needs it.
#[derive(Clone, Copy)]
struct Place {
    /// Of the address.
    hash: u64,
    row: RowNumber,
    /// 0: a removal.
    prefix_len: u8,
}

/// Builds what these batches, one after the other, come to.
pub(crate) fn build(batches: &[Batch]) -> Built {
    let rows = Rows::new(batches);
    let (tables, mut allocator) = (Tables::empty(), Allocator::new());
    let mut leases = rows.last_of_each_address();
    let by_client = rows.by_client(&leases);
    let owners: Vec<AtomicU32> = (0..rows.count).map(|_| AtomicU32::new(NOBODY)).collect();
    let numbers = AtomicU32::new(0);
    let work =
        Work { tables: &tables, rows: &rows, by_client: &by_client, owners: &owners, numbers: &numbers };
    let parts = work.write_records();

    let (mut free_clients, mut refused) = (Vec::new(), 0);
    for part in parts {
        allocator.absorb(part.allocator);
        free_clients.extend(part.unused);
        refused += part.refused;
    }
    let owner = |row: RowNumber| owners[row as usize].load(Ordering::Relaxed);
    for part in fill(&tables, &tables.duids, &by_client, |&(hash, row)| (hash, owner(row))) {
        allocator.absorb(part);
    }
    drop(by_client);
    leases.retain(|place| owner(place.row) != NOBODY);
    for part in fill(&tables, &tables.addresses, &leases, |place| (place.hash, owner(place.row))) {
        allocator.absorb(part);
    }
    leases.iter().for_each(|place| tables.lengths.add(place.prefix_len));
    let next_client = numbers.into_inner();
    tables.counts.leases.store(leases.len(), Ordering::Relaxed);
    tables.counts.clients.store(next_client as usize - free_clients.len(), Ordering::Relaxed);
    Built { tables, allocator, next_client, free_clients, refused }
}

/// Fills an empty map from items that ascend by hash, some shards on each thread. A client that comes twice with one
/// hash is stored once.
fn fill<T: Sync>(
    tables: &Tables,
    map: &Map,
    items: &[T],
    entry: impl Fn(&T) -> (u64, ClientId) + Sync,
) -> Vec<Allocator> {
    let share = SHARDS.div_ceil(rayon::current_num_threads());
    let first_shards: Vec<usize> = (0..SHARDS).step_by(share).collect();
    let fill = |first: usize| {
        let mut allocator = Allocator::new();
        let mut clients: Vec<(u64, ClientId)> = Vec::new();
        let mut rest = &items[items.partition_point(|item| shard_of(entry(item).0) < first)..];
        for shard in first..(first + share).min(SHARDS) {
            let (mine, after) = rest.split_at(rest.partition_point(|item| shard_of(entry(item).0) == shard));
            rest = after;
            clients.clear();
            clients.extend(mine.iter().map(&entry).filter(|&(_, client)| client != NOBODY));
            clients.sort_unstable();
            clients.dedup();
            if !clients.is_empty() {
                map.fill(&tables.arena, &mut allocator, shard, clients.iter().copied());
            }
        }
        allocator
    };
    first_shards.into_par_iter().map(fill).collect()
}

/// The rows of all batches under one numbering.
struct Rows<'a> {
    batches: &'a [Batch],
    /// Number of each batch's first row.
    starts: Vec<RowNumber>,
    count: usize,
}

impl<'a> Rows<'a> {
    fn new(batches: &'a [Batch]) -> Self {
        let mut count = 0;
        let start = |batch: &Batch| {
            let start = count;
            count += batch.len();
            u32::try_from(start).expect("a snapshot has fewer than 2^32 rows")
        };
        let starts = batches.iter().map(start).collect();
        assert!(u32::try_from(count).is_ok(), "a snapshot has fewer than 2^32 rows");
        Self { batches, starts, count }
    }

    fn lease(&self, row: RowNumber) -> Lease<'a> {
        let batch = self.starts.partition_point(|&start| start <= row) - 1;
        self.batches[batch].lease((row - self.starts[batch]) as usize)
    }

    fn row(&self, number: RowNumber) -> &'a Row {
        let batch = self.starts.partition_point(|&start| start <= number) - 1;
        &self.batches[batch].rows[(number - self.starts[batch]) as usize]
    }

    /// The last row of each address, unless it is a removal; ascending by the hash of the address.
    fn last_of_each_address(&self) -> Vec<Place> {
        let mut places = Vec::with_capacity(self.count);
        let rows = self.batches.iter().flat_map(|batch| &batch.rows);
        places.extend(rows.zip(0..).map(|(row, number)| Place {
            hash: address_hash(row.address),
            row: number,
            prefix_len: if row.is_removal() { 0 } else { row.prefix_len },
        }));
        places.par_sort_unstable_by_key(|place| (place.hash, Reverse(place.row)));
        let mut kept: Vec<Place> = Vec::new();
        let mut end = 0;
        for at in 0..places.len() {
            let place = places[at];
            if kept.first().is_some_and(|first| first.hash != place.hash) {
                kept.clear();
            }
            // Different addresses with one hash are rare, so rows are seldom looked at but for a renewed lease.
            let address = |place: &Place| self.row(place.row).address;
            if !kept.iter().any(|later| address(later) == address(&place)) {
                kept.push(place);
                places[end] = place;
                end += 1;
            }
        }
        places.truncate(end);
        places.retain(|place| place.prefix_len != 0);
        places
    }

    /// The rows of these leases with the hash of their DUID, ascending by hash, then by row.
    fn by_client(&self, leases: &[Place]) -> Vec<(u64, RowNumber)> {
        let mut lasts = vec![false; self.count];
        leases.iter().for_each(|place| lasts[place.row as usize] = true);
        let mut by_client = Vec::with_capacity(leases.len());
        let rows = self.batches.iter().flat_map(|batch| &batch.rows).zip(lasts).zip(0..);
        by_client
            .extend(rows.filter(|((_, last), _)| *last).map(|((row, _), number)| (row.duid_hash, number)));
        by_client.par_sort_unstable();
        by_client
    }
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
    rows: &'a Rows<'a>,
    by_client: &'a [(u64, RowNumber)],
    /// The client of each row.
    owners: &'a [AtomicU32],
    numbers: &'a AtomicU32,
}

impl Work<'_> {
    /// Writes the record of each client, in the order of their first rows.
    fn write_records(&self) -> Vec<Part> {
        let mut groups: Vec<(RowNumber, u32)> = Vec::new();
        let mut at = 0;
        for group in self.by_client.chunk_by(|(a, _), (b, _)| a == b) {
            groups.push((group[0].1, at));
            at += group.len() as u32;
        }
        groups.par_sort_unstable();
        let share = groups.len().div_ceil(rayon::current_num_threads()).max(1);
        let write = |groups: &[(RowNumber, u32)]| {
            let mut part = Part { allocator: Allocator::new(), unused: Vec::new(), refused: 0 };
            let (mut words, mut leases) = (Vec::new(), Vec::new());
            for &(_, at) in groups {
                let rest = &self.by_client[at as usize..];
                let len = rest.iter().take_while(|(hash, _)| *hash == rest[0].0).count();
                leases.clear();
                leases.extend(rest[..len].iter().map(|&(_, row)| (self.rows.lease(row), row)));
                self.write_clients(&mut leases, &mut part, &mut words);
            }
            part
        };
        groups.par_chunks(share).map(write).collect()
    }

    /// Writes the record of each client among leases whose DUIDs have equal hashes: nearly always one.
    fn write_clients(&self, leases: &mut [(Lease<'_>, RowNumber)], part: &mut Part, words: &mut Vec<u64>) {
        leases.sort_unstable_by(|(a, _), (b, _)| (a.duid, record::order(a)).cmp(&(b.duid, record::order(b))));
        for leases in leases.chunk_by(|(a, _), (b, _)| a.duid == b.duid) {
            let mine: Vec<Lease<'_>> = leases.iter().map(|(lease, _)| *lease).collect();
            let Some(at) = record::write(&self.tables.arena, &mut part.allocator, words, &mine) else {
                part.refused += leases.len();
                continue;
            };
            let client = self.number(part);
            self.tables.clients.set(client, at);
            leases.iter().for_each(|&(_, row)| self.owners[row as usize].store(client, Ordering::Relaxed));
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

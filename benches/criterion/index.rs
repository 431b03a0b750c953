//! Lookups (`lqd-index`) by address, prefix and client-id, alone and in batches, in small and large indexes;
//! and the DUID map compared with a sharded hash map with locks, the alternative (`crates/index/src/map.rs`).
//!
//! Clients are looked up in an order that no cache can predict; with many leases the time is mostly that of
//! memory.
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, Hasher};
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dashmap::DashMap;
use foldhash::fast::RandomState;
use lqd_benches::NOW;
use lqd_benches::leases::store;
use lqd_benches::lookups;
use lqd_benches::network::Client;
use lqd_index::{Lookup, Pinned};

/// Clients of the indexes, two leases each; `LQD_BENCH_CLIENTS` in the environment replaces them.
const CLIENTS: [u32; 2] = [50_000, 500_000];
const BATCH_MAX: usize = 64;

/// Lookups of a subject, for all clients.
type Subject = (&'static str, for<'c> fn(&'c Client) -> Lookup<'c>);

const SUBJECTS: [Subject; 3] = [
    ("address", |client| Lookup::Covering(client.address)),
    ("prefix", |client| Lookup::Covering(client.address_in_prefix())),
    ("client-id", |client| Lookup::Duid(&client.duid)),
];

/// Looks a batch up; returns the number found.
fn look_up(leases: &Pinned<'_>, batch: &[Lookup<'_>]) -> usize {
    let mut found = [None; BATCH_MAX];
    let found = &mut found[..batch.len()];
    lookups::look_up(leases, NOW, batch, found);
    found.iter().flatten().map(|found| found.client.len()).sum()
}

/// Measures batches as a worker does them: pin the store, look up, unpin.
fn lookups(c: &mut Criterion) {
    let wished = std::env::var("LQD_BENCH_CLIENTS").ok();
    // One size at will, to try what fits the machine.
    let wished = wished.map(|clients| vec![clients.parse().expect("LQD_BENCH_CLIENTS is a number")]);
    for clients in wished.unwrap_or(CLIENTS.into()) {
        let (_writer, store) = store(clients);
        let mut reader = store.reader().expect("the only reader");
        let asked = Client::shuffled(clients);
        let mut group = c.benchmark_group(format!("index, {} leases", 2 * clients));
        for (name, subject) in SUBJECTS {
            let queries: Vec<_> = asked.iter().map(subject).collect();
            for batch in [1, BATCH_MAX] {
                group.throughput(Throughput::Elements(batch as u64));
                let mut batches = queries.chunks_exact(batch).cycle();
                group.bench_function(BenchmarkId::new(name, batch), |b| {
                    // The pin is part of the cost, as a worker pays it for each batch.
                    b.iter(|| look_up(&reader.pin(), batches.next().unwrap_or_default()));
                });
            }
        }
        group.finish();
    }
}

/// Approximate bytes of the index per client with two leases.
#[repr(align(128))]
struct Record {
    duid: [u8; 14],
}

/// Sharded map with locks in the place of the index: DUID → hash → client number → record.
///
/// Numbers and records are as large as in the index, and scattered in the order of hashes as there; so only
/// the maps differ.
struct Sharded {
    map: DashMap<u64, u32, RandomState>,
    hash: RandomState,
    places: Vec<u32>,
    records: Vec<Record>,
}

impl Sharded {
    fn new(clients: u32) -> Self {
        let hash = RandomState::default();
        // Records in the order of hashes are scattered, as they are in the index.
        let mut by_hash: Vec<_> =
            Client::first(clients).map(|client| (hash_of(&hash, &client.duid), client.duid)).collect();
        by_hash.sort_unstable();
        let map = DashMap::with_capacity_and_hasher(clients as usize, RandomState::default());
        for (number, &(hash, _)) in (0..).zip(&by_hash) {
            // Presized by the number of clients, which favours this map.
            map.insert(hash, number);
        }
        let records = by_hash.into_iter().map(|(_, duid)| Record { duid }).collect();
        Self { map, hash, places: (0..clients).collect(), records }
    }

    /// Whether the client is present; compares the DUID, as a hash alone is no proof.
    fn has(&self, duid: &[u8]) -> bool {
        let number = self.map.get(&hash_of(&self.hash, duid)).map(|number| *number);
        // The DUID is compared, as the index does it too.
        number.is_some_and(|number| self.records[self.places[number as usize] as usize].duid == duid)
    }
}

fn hash_of(state: &RandomState, duid: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write(duid);
    hasher.finish()
}

/// Measures DUID to record in either map, one lookup at a time, from one thread and from two at once.
fn duid_maps(c: &mut Criterion) {
    let clients = CLIENTS[1];
    let (_writer, store) = store(clients);
    let sharded = Sharded::new(clients);
    let asked = Client::shuffled(clients);
    // Each lookup is one element, whatever the threads.
    let mut group = c.benchmark_group(format!("DUID maps, {clients} clients"));
    group.throughput(Throughput::Elements(1));
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::new("dashmap", threads), |b| {
            b.iter_custom(|lookups| {
                on_threads(threads, &asked, lookups, |part| {
                    part.filter(|client| sharded.has(&client.duid)).count()
                })
            });
        });
        group.bench_function(BenchmarkId::new("index", threads), |b| {
            b.iter_custom(|lookups| {
                on_threads(threads, &asked, lookups, |part| {
                    let mut reader = store.reader().expect("a place for each thread");
                    let leases = reader.pin();
                    part.filter(|client| leases.find(Lookup::Duid(&client.duid), NOW).is_some()).count()
                })
            });
        });
    }
    group.finish();
}

/// Lets each thread look up that many clients, from different starting points; returns the time until the
/// last has ended.
fn on_threads(
    threads: usize,
    asked: &[Client],
    lookups: u64,
    find: impl Fn(&mut dyn Iterator<Item = &Client>) -> usize + Sync,
) -> Duration {
    // One more for this thread, which starts the clock.
    let barrier = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                // Different clients at a time, or threads would share cache lines.
                let (before, after) = asked.split_at(asked.len() / threads * thread);
                let mut part = after.iter().chain(before).cycle().take(lookups as usize);
                let (barrier, find) = (&barrier, &find);
                scope.spawn(move || {
                    barrier.wait();
                    let found = black_box(find(&mut part));
                    assert_eq!(found as u64, lookups, "every client is there");
                })
            })
            .collect();
        // All threads begin together, and the clock with them.
        barrier.wait();
        let start = Instant::now();
        for worker in workers {
            worker.join().expect("a thread that looked up");
        }
        start.elapsed()
    })
}

criterion_group!(benches, lookups, duid_maps);
criterion_main!(benches);

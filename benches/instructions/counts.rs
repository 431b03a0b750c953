//! Instructions of codec, index and answer, counted by valgrind's callgrind through gungraun.
//!
//! Run it by `cargo run -p lqd-benches --bin instructions`, which compares the counts with those in the tree.
//! A count ignores caches, but also noise: growth is real. Each bench repeats its work often enough that the
//! random hash seed of the index moves the count by far less than a hundredth.
#![forbid(unsafe_code)]
#![expect(missing_docs, reason = "gungraun's macros make public modules without docs")]

use std::hint::black_box;
use std::sync::Arc;

use gungraun::{library_benchmark, library_benchmark_group, main};
use lqd_answer::{Datagram, Engine, Limits};
use lqd_benches::NOW;
use lqd_benches::codec::{parse_query, write_reply};
use lqd_benches::engine::{answer, datagrams, engine, limited_engine};
use lqd_benches::leases::store;
use lqd_benches::lookups::look_up;
use lqd_benches::network::Client;
use lqd_benches::query::Kind;
use lqd_index::{Lookup, Reader};

/// Clients of the index, two leases each: few, as more would cost no more instructions.
const CLIENTS: u32 = 20_000;
/// Queries of each bench.
const QUERIES: usize = 4096;
const BATCH_MAX: usize = 64;

/// Clients to query. Leaked, as all data here: nothing may be dropped while instructions are counted.
fn queried() -> &'static [Client] {
    &Client::shuffled(CLIENTS).leak()[..QUERIES]
}

fn reader() -> Reader {
    let (writer, store) = store(CLIENTS);
    // Dropping the writer would be counted.
    std::mem::forget(writer);
    Arc::clone(&store).reader().expect("the only reader")
}

fn queries(kind: Kind) -> &'static [Vec<u8>] {
    queried().iter().map(|client| kind.query(client)).collect::<Vec<_>>().leak()
}

#[library_benchmark(setup = queries)]
#[bench::address(Kind::Address)]
#[bench::client_id(Kind::ClientId)]
fn codec_parse(queries: &'static [Vec<u8>]) -> usize {
    queries.iter().filter_map(|octets| parse_query(black_box(octets))).sum()
}

#[library_benchmark]
#[bench::address_and_prefix(queried())]
fn codec_write(clients: &'static [Client]) -> usize {
    let mut slot = [0; 1024];
    // Keeps the compiler from removing writes that are never read.
    let mut write = |client| write_reply(client, &[7; 10], black_box(&mut slot)).ok();
    // Both sides are opaque to the compiler.
    clients.iter().filter_map(|client| write(black_box(client))).sum()
}

/// A reader and its lookups.
type Lookups = (Reader, &'static [Lookup<'static>]);

fn lookups(kind: Kind) -> Lookups {
    let look_up = |client: &'static Client| match kind {
        Kind::ClientId => Lookup::Duid(&client.duid),
        Kind::Prefix => Lookup::Covering(client.address_in_prefix()),
        _ => Lookup::Covering(client.address),
    };
    (reader(), queried().iter().map(look_up).collect::<Vec<_>>().leak())
}

#[library_benchmark(setup = lookups)]
#[bench::address(Kind::Address)]
#[bench::prefix(Kind::Prefix)]
#[bench::client_id(Kind::ClientId)]
fn index_64((mut reader, lookups): Lookups) -> (Reader, usize) {
    let mut sum = 0;
    for batch in lookups.chunks(BATCH_MAX) {
        let mut found = [None; BATCH_MAX];
        // Pinned for each batch, as by a worker.
        let leases = reader.pin();
        look_up(&leases, NOW, black_box(batch), &mut found[..batch.len()]);
        sum += found.iter().flatten().map(|found| found.client.len()).sum::<usize>();
    }
    (reader, sum)
}

#[library_benchmark(setup = lookups)]
#[bench::address(Kind::Address)]
#[bench::client_id(Kind::ClientId)]
fn index_1((mut reader, lookups): Lookups) -> (Reader, usize) {
    let mut sum = 0;
    for lookup in lookups {
        let mut found = [None];
        let leases = reader.pin();
        look_up(&leases, NOW, black_box(&[*lookup]), &mut found);
        sum += found.iter().flatten().map(|found| found.client.len()).sum::<usize>();
    }
    (reader, sum)
}

/// Everything needed to answer: engine, rate limits, reader, datagrams, a slot for replies.
type Queries =
    (&'static Engine, &'static mut Limits, Reader, &'static [Datagram<'static>], &'static mut [u8]);

fn queries_to_answer(kind: Kind) -> Queries {
    queries_to(engine(), kind)
}

fn queries_to_limit(kind: Kind) -> Queries {
    queries_to(limited_engine(), kind)
}

fn queries_to(engine: Engine, kind: Kind) -> Queries {
    // Leaked, as freeing would be counted.
    let slot = vec![0; lqd_wire::DATAGRAM_LEN_MAX].leak();
    let limits = Box::leak(Box::new(Limits::new(1)));
    (Box::leak(Box::new(engine)), limits, reader(), datagrams(queries(kind)).leak(), slot)
}

#[library_benchmark(setup = queries_to_answer)]
#[bench::address(Kind::Address)]
#[bench::prefix(Kind::Prefix)]
#[bench::client_id(Kind::ClientId)]
#[bench::miss(Kind::Miss)]
#[bench::relay_data(Kind::RelayData)]
#[bench::relayed(Kind::Relayed)]
fn answer_64((engine, limits, mut reader, datagrams, slot): Queries) -> (Reader, usize) {
    // The sum keeps every reply alive to the compiler.
    let octets =
        datagrams.chunks(BATCH_MAX).map(|batch| answer(engine, limits, &reader.pin(), batch, slot)).sum();
    (reader, octets)
}

#[library_benchmark(setup = queries_to_answer)]
#[bench::address(Kind::Address)]
fn answer_1((engine, limits, mut reader, datagrams, slot): Queries) -> (Reader, usize) {
    let octets = datagrams.chunks(1).map(|batch| answer(engine, limits, &reader.pin(), batch, slot)).sum();
    (reader, octets)
}

#[library_benchmark(setup = queries_to_limit)]
#[bench::address(Kind::Address)]
fn answer_64_limited((engine, limits, mut reader, datagrams, slot): Queries) -> (Reader, usize) {
    let octets =
        datagrams.chunks(BATCH_MAX).map(|batch| answer(engine, limits, &reader.pin(), batch, slot)).sum();
    (reader, octets)
}

library_benchmark_group!(name = codec; benchmarks = codec_parse, codec_write);
library_benchmark_group!(name = index; benchmarks = index_1, index_64);
library_benchmark_group!(name = answering; benchmarks = answer_1, answer_64, answer_64_limited);

main!(library_benchmark_groups = codec, index, answering);

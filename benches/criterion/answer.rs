//! Complete answers (`lqd-answer`): datagram in, reply written, by kind of query, alone and in batches.
#![forbid(unsafe_code)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use lqd_answer::{BATCH_MAX, Limits};
use lqd_benches::engine::{answer, datagrams, engine};
use lqd_benches::leases::store;
use lqd_benches::network::Client;
use lqd_benches::query::Kind;

/// Clients; each has two leases.
const CLIENTS: u32 = 500_000;

fn answers(c: &mut Criterion) {
    let (_writer, store) = store(CLIENTS);
    let mut reader = store.reader().expect("the only reader");
    let engine = engine();
    let mut limits = Limits::new(1);
    // Shuffled, so that no cache line serves two queries in a row.
    let asked = Client::shuffled(CLIENTS);
    let mut slot = vec![0; lqd_wire::DATAGRAM_LEN_MAX];
    let mut group = c.benchmark_group(format!("answer, {} leases", 2 * CLIENTS));
    for kind in Kind::ALL {
        let queries: Vec<_> = asked.iter().map(|client| kind.query(client)).collect();
        let datagrams = datagrams(&queries);
        // Both ends of a worker's load: a lone datagram, and a full batch.
        for batch in [1, BATCH_MAX] {
            group.throughput(Throughput::Elements(batch as u64));
            let mut batches = datagrams.chunks_exact(batch).cycle();
            group.bench_function(BenchmarkId::new(kind.name(), batch), |b| {
                b.iter(|| {
                    // Whole batches only, as each counts as so many elements.
                    let batch = batches.next().unwrap_or_default();
                    answer(&engine, &mut limits, &reader.pin(), batch, &mut slot)
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, answers);
criterion_main!(benches);

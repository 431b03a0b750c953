//! Parsing of queries and writing of replies (`lqd-wire`).
#![forbid(unsafe_code)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use lqd_benches::codec::{parse_query, write_reply};
use lqd_benches::network::Client;
use lqd_benches::query::Kind;

fn codec(c: &mut Criterion) {
    let client = Client::new(1);
    let mut group = c.benchmark_group("codec");
    for kind in [Kind::Address, Kind::ClientId] {
        let query = kind.query(&client);
        group.bench_function(format!("parse query by {}", kind.name()), |b| {
            // Without it, the compiler would parse a constant once.
            b.iter(|| parse_query(black_box(&query)));
        });
    }
    let mut slot = [0; 1024];
    group.bench_function("write reply with address and prefix", |b| {
        b.iter(|| write_reply(black_box(&client), &[7; 10], black_box(&mut slot)));
    });
    group.finish();
}

criterion_group!(benches, codec);
criterion_main!(benches);

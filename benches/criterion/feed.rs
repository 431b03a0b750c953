//! Loading of a lease file (`lqd-feed`): rows parsed on one thread, and the complete first load on all of
//! them.
#![forbid(unsafe_code)]

use std::fs;
use std::num::NonZeroUsize;
use std::thread;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lqd_benches::{leases, rows};
use lqd_feed::kea_memfile::{Columns, KeaMemfile, RowParser};
use lqd_feed::{Feed, SourceConfig};
use lqd_index::{Batch, LeaseChecks, Writer};

/// Clients of the parsed rows, two rows each.
const CLIENTS_PARSED: u32 = 5_000;
/// Clients of the loaded file, two rows each.
const CLIENTS_LOADED: u32 = 250_000;

const CONTENTS: [(&str, bool); 2] = [("plain", false), ("relay data", true)];

fn parse(c: &mut Criterion) {
    let columns = Columns::from_header(rows::HEADER.as_bytes()).expect("the header is Kea's");
    let mut group = c.benchmark_group("rows parsed");
    for (name, relay_data) in CONTENTS {
        let file = rows::file(CLIENTS_PARSED, relay_data);
        // The header is the file's, not the parser's.
        let rows: Vec<_> = file.lines().skip(1).map(str::as_bytes).collect();
        let (mut parser, mut batch) = (RowParser::new(), Batch::new());
        group.throughput(Throughput::Elements(rows.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                // Kept from turn to turn, as a follower does.
                batch.clear();
                for row in &rows {
                    parser.parse(columns, row, &mut batch).expect("the rows are Kea's");
                }
                batch.len()
            });
        });
    }
    group.finish();
}

/// First load as at the start of `lqd serve`, until the leases are visible.
fn load(c: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a directory for the lease files");
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let mut group = c.benchmark_group("leases loaded");
    // Each load takes about a second.
    group.sample_size(10);
    group.throughput(Throughput::Elements(2 * u64::from(CLIENTS_LOADED)));
    for (name, relay_data) in CONTENTS {
        let path = directory.path().join(name);
        fs::write(&path, rows::file(CLIENTS_LOADED, relay_data)).expect("the lease file is written");
        group.bench_function(name, |b| {
            b.iter_batched(
                || {
                    let source = Box::new(KeaMemfile::new(&path));
                    let links = leases::configured_links();
                    let source = SourceConfig::new("kea", source, links, LeaseChecks::Keep);
                    (Writer::new().0, vec![source.expect("the links are disjoint")])
                },
                |(writer, sources)| {
                    let (feed, report) =
                        Feed::start(writer, sources, threads).expect("the file can be loaded");
                    // The measure is void if rows were skipped.
                    assert_eq!(report.leases, 2 * CLIENTS_LOADED as usize);
                    feed // dropped outside the measured time
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, parse, load);
criterion_main!(benches);

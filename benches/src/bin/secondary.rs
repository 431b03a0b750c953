//! secondary: costs of the index's secondary indexes, in memory, load time, updates and scans.
//!
//! ```text
//! clients   each with an address, a delegated prefix, a distinct remote-id, one of 256 links and relays
//! load      rows generated, staged and published; indexes are built at its end
//! renewal   a batch of 512 renewals: no key changes
//! move      a batch of 512 leases behind another relay agent
//! scan      all clients of one relay agent, in slices of 1,024
//! sweep     all clients, for leases whose valid lifetime has passed (none has), in steps of 1,024
//! ```
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};
use lqd_benches::leases::{CLTT, PREFERRED_LIFETIME, VALID_LIFETIME, links};
use lqd_benches::network::{Client, DELEGATED_LEN, subnet};
use lqd_index::{
    Batch, ChangeLog, ChangeLogLimits, Cursor, ExpiryWatch, Lease, LeaseKind, Loader, Reader,
    SecondaryIndexes, SweepProgress, Writer,
};
use rayon::prelude::*;

/// Clients whose leases are in a batch of the load.
const LOAD_BATCH: u32 = 1 << 15;

/// Rows in a batch of changes.
const CHANGE_BATCH: u32 = 512;

/// Measure the cost of secondary indexes.
#[derive(Parser)]
struct Options {
    /// Clients, each with two leases.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    clients: u32,
    /// Indexes to maintain.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    indexes: Vec<Index>,
    /// Batches of changes of each kind.
    #[arg(long, value_name = "COUNT", default_value_t = 400)]
    batches: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Index {
    RelayId,
    RemoteId,
    Link,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let has = |index| options.indexes.contains(&index);
    let indexes = SecondaryIndexes {
        relay_id: has(Index::RelayId),
        remote_id: has(Index::RemoteId),
        link: has(Index::Link),
    };
    let (mut writer, store) = Writer::new();
    writer.set_links(links());
    writer.set_secondary_indexes(indexes);
    let leases = 2.0 * f64::from(options.clients);
    let per_lease = |bytes: usize| bytes as f64 / leases;

    let started = Instant::now();
    let loader = staged(options.clients);
    let staged = started.elapsed();
    writer.replace_by(loader, None);
    let took = started.elapsed();
    println!(
        "load      {:.2} s, of which {:.2} s to publish",
        took.as_secs_f64(),
        (took - staged).as_secs_f64()
    );
    println!(
        "resident  {:.1} bytes a lease, {:.1} at the peak",
        per_lease(resident("VmRSS")),
        per_lease(resident("VmHWM"))
    );
    println!("tables    {:.1} bytes a lease", per_lease(store.summary().bytes));
    for (name, size) in store.secondary_indexes() {
        println!(
            "{name}: {:.1} bytes a lease (estimate); {} keys, {} entries",
            per_lease(size.bytes),
            size.keys,
            size.entries
        );
    }

    let renewals = changes(&mut writer, &options, 0);
    println!("renewal   {:.2} µs a row", renewals.as_secs_f64() * 1e6);
    let moves = changes(&mut writer, &options, 1);
    println!("move      {:.2} µs a row", moves.as_secs_f64() * 1e6);

    let mut reader = store.reader().expect("a place for a reader");
    let started = Instant::now();
    let clients = scan(&mut reader, Cursor::of_relay_id(&relay_id(7)));
    println!("scan      {:.1} ms for {clients} clients", started.elapsed().as_secs_f64() * 1e3);
    println!("sweep     {:.1} ms", sweep(&mut reader).as_secs_f64() * 1e3);
    ExitCode::SUCCESS
}

/// The leases of all clients, taken on all cores.
fn staged(clients: u32) -> Loader {
    let loader = Loader::new();
    (0..clients.div_ceil(LOAD_BATCH)).into_par_iter().for_each(|part| {
        let first = part * LOAD_BATCH;
        let batch = batch((first..clients.min(first + LOAD_BATCH)).map(|number| (number, 0)), CLTT);
        loader.take(2 * u64::from(first), &batch);
    });
    loader
}

/// Time for each row, of renewals by clients that are behind the relay agent so many links further.
fn changes(writer: &mut Writer, options: &Options, further: u32) -> Duration {
    let mut took = Duration::ZERO;
    for round in 0..options.batches {
        let rows = (0..CHANGE_BATCH / 2).map(|n| {
            let number = (round * CHANGE_BATCH + n).wrapping_mul(2_654_435_761) % options.clients;
            (number, further)
        });
        let batch = batch(rows, CLTT + 1 + round);
        let started = Instant::now();
        writer.apply(&batch);
        took += started.elapsed();
    }
    took / (options.batches * CHANGE_BATCH)
}

/// The two leases of each of these clients, behind the relay agent so many links further.
fn batch(clients: impl Iterator<Item = (u32, u32)>, cltt: u32) -> Batch {
    let mut batch = Batch::new();
    for (number, further) in clients {
        let client = Client::new(number);
        let options = relay_data(&client, number, (client.subnet_id + further) % 256);
        let address = Lease {
            address: client.address,
            prefix_len: 128,
            kind: LeaseKind::Address,
            duid: &client.duid,
            valid_lifetime: VALID_LIFETIME,
            preferred_lifetime: PREFERRED_LIFETIME,
            cltt,
            subnet_id: client.subnet_id,
            options: &options,
        };
        let prefix =
            Lease { address: client.prefix, prefix_len: DELEGATED_LEN, kind: LeaseKind::Prefix, ..address };
        for lease in [address, prefix] {
            batch.put(&lease).expect("a lease of the generator is a valid one");
        }
    }
    batch
}

/// OPTION_LQ_RELAY_DATA (RFC 5007 §4.1.2.4): one relay agent, with Interface-Id, Remote-ID and Relay-ID.
fn relay_data(client: &Client, number: u32, relay: u32) -> Vec<u8> {
    let option = |code: u8, value: &[u8]| [&[0, code, 0, value.len() as u8], value].concat();
    let link_address = subnet(client.subnet_id).octets();
    let remote_id = [&[0, 0, 0x7e, 0xd9][..], format!("modem-{number:08x}").as_bytes()].concat();
    let relay_forw = [
        &[12, 0][..],
        &link_address,
        &[0xfe, 0x80, 0, 0, 0, 0, 0, 0],
        &client.duid[6..],
        &option(18, b"olt-1/22"),
        &option(37, &remote_id),
        &option(53, &relay_id(relay)),
    ];
    option(47, &[&link_address, &relay_forw.concat()[..]].concat())
}

/// DUID-EN of a relay agent.
fn relay_id(relay: u32) -> Vec<u8> {
    [&[0, 2, 0, 0, 0x7e, 0xd9][..], &relay.to_be_bytes()].concat()
}

/// Number of clients in the scan.
fn scan(reader: &mut Reader, mut cursor: Cursor) -> usize {
    let mut clients = 0;
    while !cursor.is_done() {
        let leases = reader.pin();
        clients += cursor.advance(&leases, 1024).map_or(0, Iterator::count);
    }
    clients
}

/// Time of a sweep that comes to each client and finds nothing.
fn sweep(reader: &mut Reader) -> Duration {
    let log = ChangeLog::new(ChangeLogLimits { seconds: 1, bytes: 1 << 20 }, || CLTT);
    let mut watch = ExpiryWatch::new(log, CLTT);
    let started = Instant::now();
    while watch.step(&reader.pin(), CLTT + 1) == SweepProgress::UnderWay {}
    started.elapsed()
}

/// Bytes in this field of `/proc/self/status`.
fn resident(field: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kibibytes.unwrap_or(0) * 1024
}

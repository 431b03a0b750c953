//! contention: cost of an answer with one worker, and with two at once.
//!
//! Workers share leases, links and policy, which they only read, and write data of their own: the pinned
//! epoch, the guard of the policy, counters, the reply. If two workers wrote to one cache line for every
//! packet, two at once would cost more CPU per answer than one, and 64 would queue for the line. The command
//! runs a worker's part of a batch, without the kernel, on one CPU and on two:
//!
//! ```text
//! alone     one worker
//! apart     two, with separate leases, policy and counters: the cost of two CPUs sharing caches and memory
//! together  two, sharing as in `lqd serve`; the ratio to `apart` should be 1
//! canary    as together, and both write one counter for every answer: the effect of a shared line
//! ```
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use clap::Parser;
use core_affinity::CoreId;
use lqd_answer::{BATCH_MAX, Datagram, Engine, Limits, Now, Verdict};
use lqd_benches::NOW;
use lqd_benches::engine::{datagrams, engine};
use lqd_benches::leases::store;
use lqd_benches::network::Client;
use lqd_benches::query::Kind;
use lqd_index::{Reader, Store, Writer};
use lqd_stats::Counters;
use rustix::time::{ClockId, clock_gettime};

/// Measure whether two workers at once cost more CPU per answer than one.
#[derive(Parser)]
struct Options {
    /// Clients, each with two leases.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    clients: u32,
    /// Rounds; the result is the median of their ratios.
    #[arg(long, value_name = "COUNT", default_value_t = 7)]
    rounds: usize,
    /// Answers per worker and run.
    #[arg(long, value_name = "COUNT", default_value_t = 300_000)]
    answers: usize,
}

/// Data of a worker of `lqd serve`, shared or not.
struct World {
    _writer: Writer,
    store: Arc<Store>,
    engine: Arc<ArcSwap<Engine>>,
}

impl World {
    fn new(clients: u32) -> Self {
        let (writer, store) = store(clients);
        Self { _writer: writer, store, engine: Arc::new(ArcSwap::from_pointee(engine())) }
    }
}

/// A setup, with its measurements: nanoseconds of CPU per answer, by round.
struct Setup {
    name: &'static str,
    /// World of each worker, by number.
    worlds: &'static [usize],
    canary: bool,
    rounds: Vec<f64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    // Workers are pinned, each to a core of its own.
    let cpus = core_affinity::get_core_ids().unwrap_or_default();
    if cpus.len() < 2 {
        eprintln!("contention: two CPUs are needed");
        return ExitCode::from(2);
    }
    let worlds = [World::new(options.clients), World::new(options.clients)];
    let queries: Vec<Vec<u8>> =
        Client::shuffled(options.clients).iter().map(|client| Kind::Address.query(client)).collect();
    let queries = datagrams(&queries);
    let setup = |name, worlds, canary| Setup { name, worlds, canary, rounds: Vec::new() };
    let mut setups = [
        setup("alone", &[0], false),
        setup("apart", &[0, 1], false),
        setup("together", &[0, 0], false),
        // A shared line that is written by both must show, or the measure is blind.
        setup("canary", &[0, 0], true),
    ];
    for _ in 0..options.rounds {
        for setup in &mut setups {
            // Two worlds share nothing but memory bandwidth.
            let worlds: Vec<&World> = setup.worlds.iter().map(|&world| &worlds[world]).collect();
            setup.rounds.push(run(&worlds, &cpus, &queries, options.answers, setup.canary));
        }
    }
    println!(
        "CPU for an answer by address, {} leases, median of {} rounds\n",
        2 * options.clients,
        options.rounds
    );
    println!(
        "| workers  |    ns | by apart | lowest–highest |\n|----------|------:|---------:|---------------:|"
    );
    let apart = setups[1].rounds.clone();
    for Setup { name, rounds, .. } in &setups {
        let ratios = sorted(rounds.iter().zip(&apart).map(|(ns, apart)| ns / apart));
        let (ns, ratio) = (median(&sorted(rounds.iter().copied())), median(&ratios));
        let range = format!("{:.2}–{:.2}", ratios[0], ratios[ratios.len() - 1]);
        println!("| {name:<8} | {ns:>5.0} | {ratio:>8.2} | {range:>14} |");
    }
    ExitCode::SUCCESS
}

/// Runs a worker in each of these worlds at once, on a CPU each; returns nanoseconds of CPU per answer.
fn run(worlds: &[&World], cpus: &[CoreId], queries: &[Datagram<'_>], answers: usize, canary: bool) -> f64 {
    let (start, line) = (Barrier::new(worlds.len()), AtomicU64::new(0));
    let shared = canary.then_some(&line);
    let cpu_time: Duration = thread::scope(|scope| {
        let mut threads = Vec::new();
        // The number gives the CPU and the first query.
        for (number, (world, &cpu)) in worlds.iter().zip(cpus).enumerate() {
            let reader = world.store.reader().expect("there are few readers");
            // Workers query different clients at a time.
            let from = number * queries.len() / worlds.len();
            let queries = queries[from..].iter().chain(&queries[..from]).copied();
            let start = &start;
            threads.push(scope.spawn(move || {
                core_affinity::set_for_current(cpu);
                // Collected before the clock starts.
                let queries: Vec<_> = queries.cycle().take(answers).collect();
                // All workers run at the same time, or there is no contention.
                start.wait();
                work(world, reader, &queries, shared)
            }));
        }
        threads.into_iter().map(|thread| thread.join().expect("a worker ends well")).sum()
    });
    // CPU time, as waiting for the barrier is no cost.
    cpu_time.as_secs_f64() * 1e9 / (answers * worlds.len()) as f64
}

/// Runs batches as `crates/lqd/runtime/worker.rs` does; returns the CPU time of this thread.
fn work(world: &World, mut reader: Reader, queries: &[Datagram<'_>], shared: Option<&AtomicU64>) -> Duration {
    // The same counters as in lqd, so that their cost is included.
    let counters = Arc::new(Counters::<32>::default());
    let mut slot = vec![0; lqd_wire::DATAGRAM_LEN_MAX];
    let (mut limits, now) = (Limits::new(0), Now { unix_seconds: NOW, monotonic_ns: 0 });
    let before = clock_gettime(ClockId::ThreadCPUTime);
    for batch in queries.chunks(BATCH_MAX) {
        // Loaded for each batch, as a reload may replace the engine.
        let engine = world.engine.load();
        let leases = reader.pin();
        engine.answer(&mut limits, &leases, now, batch, |_, verdict| {
            let Verdict::Reply(reply) = verdict else { panic!("every query is for a leased address") };
            counters.count(reply.write(&mut slot).1 as usize);
            if let Some(line) = shared {
                // A locked write per answer: the cache line moves between the CPUs.
                line.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let after = clock_gettime(ClockId::ThreadCPUTime);
    let since_boot = |time: rustix::time::Timespec| Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
    // A verdict that is not counted would make the answer look cheap.
    assert_eq!(counters.read().iter().sum::<u64>(), queries.len() as u64);
    since_boot(after) - since_boot(before)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

//! One load: threads that start together, and the sum of their counts.

use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use core_affinity::CoreId;

use super::check::Checker;
use super::cpu;
use super::in_flight::{InFlight, Since};
use super::judge::Expected;
use super::live::LiveCounters;
use super::load_thread::{Amount, LoadThread, Pace, Port};
use super::options::Options;
use super::poller::PortPoller;
use super::progress::Progress;
use super::rate::{Rate, Timetable};
use super::tally::Tally;
use super::transport::{self, Batch, Transport};
use crate::error::Error;
use crate::leases::Clients;
use crate::query::{Encoder, Query, QueryGenerator, QuerySource};
use crate::random::{Random, mix};

/// Interval at which the main thread checks for the end of the load.
const LOOK: Duration = Duration::from_millis(20);
/// Pending queries per port in an open loop without any answer: half of a port's capacity.
const WAITING_PER_PORT: f64 = (InFlight::<Query>::CAPACITY_MAX / 2) as f64;
/// Most ports unless --ports asks for more, since their tables take gigabytes. If they do not suffice,
/// because hardly any query is answered, queries are late, and the report says so.
const PORTS_USUAL_MAX: f64 = 16.0;

/// State shared by all threads of all loads.
pub(super) struct Setup<'a> {
    pub(super) options: &'a Options,
    pub(super) clients: &'a Clients,
    pub(super) source: QuerySource<'a>,
    pub(super) encoder: Encoder,
    pub(super) verify: bool,
    pub(super) stop: &'a AtomicBool,
}

/// Pace and amount of a load over all threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LoadPlan {
    /// Rate of an open loop; `None` for a closed loop.
    pub(super) rate: Option<Rate>,
    pub(super) queries: Option<u64>,
    pub(super) duration: Option<Duration>,
}

/// Result of a load.
pub(super) struct Outcome {
    pub(super) tally: Tally,
    pub(super) server_cpu: Option<Duration>,
    /// Source ports over all threads.
    pub(super) ports: u32,
}

/// Starts the threads together and sums up their counts.
pub(super) fn load(setup: &Setup<'_>, plan: LoadPlan, what: &str) -> Result<Outcome, Error> {
    let options = setup.options;
    // Made before the threads, so that counters outlive them.
    let live = LiveCounters::new(options.threads, setup.stop);
    let threads = (0..options.threads as usize)
        // Any thread that cannot be made ends the load before it starts.
        .map(|number| thread(setup, plan, number))
        .collect::<Result<Vec<_>, _>>()?;
    let cpu_time = || options.server_pid.map(cpu::of_process).transpose();
    // Read after the sockets are open, so that only the load is counted.
    let before = cpu_time()?;
    let barrier = Barrier::new(threads.len());
    let tally = thread::scope(|scope| {
        let mut handles = Vec::new();
        for thread in threads {
            // Threads share the CPUs given, in turn.
            let cpu = options.cpus.as_ref().map(|cpus| cpus.0[thread.number % cpus.0.len()]);
            let (barrier, live) = (&barrier, &live);
            handles.push(scope.spawn(move || {
                prepare_thread(cpu);
                // Threads that start at different times would not share one timetable.
                barrier.wait();
                thread.run(Instant::now(), live)
            }));
        }
        let mut progress = Progress::new(what, plan.duration);
        // The main thread only watches, as it must not disturb the load.
        while !handles.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(LOOK);
            progress.show(live.totals());
        }
        let mut sum = Tally::new(options.late_after);
        for handle in handles {
            sum.add(handle.join().map_err(|_| Error::Thread)?);
        }
        Ok(sum)
    })?;
    // A process that restarted has less time than before.
    let server_cpu = before.zip(cpu_time()?).map(|(before, after)| after.saturating_sub(before));
    Ok(Outcome { tally, server_cpu, ports: plan.ports(options) })
}

/// Pins the thread, and lowers its timer slack, so that it wakes up at the requested time rather than up to
/// 50 µs later.
fn prepare_thread(cpu: Option<usize>) {
    if let Some(id) = cpu {
        core_affinity::set_for_current(CoreId { id }); // checked to be usable before
    }
    // Without it sends are later, and reported as late if that matters.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

/// Makes thread `number` with its share of the load.
fn thread<'a>(setup: &'a Setup<'_>, plan: LoadPlan, number: usize) -> Result<LoadThread<'a>, Error> {
    let Setup { options, clients, source, encoder, verify, .. } = setup;
    let target = options.target;
    let threads = options.threads;
    let pace = plan.pace(options, number as u64);
    // Each thread needs a port, even if fewer would hold its transaction-ids.
    let ports = part(u64::from(plan.ports(options)), number as u64, u64::from(threads)).max(1);
    let capacity = plan.waiting_max(options);
    let ports = (0..ports)
        .map(|_| {
            let transport =
                Transport::connect(target, options.gso).map_err(transport::connect_error(target))?;
            Ok(Port { transport, flight: InFlight::new(capacity, options.timeout, options.retransmit) })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let watched = || PortPoller::new(ports.iter().map(|port: &Port| &port.transport));
    // A thread with one port waits on its socket, without a poller.
    let several = (ports.len() > 1).then(watched).transpose();
    let watch = several.map_err(|source| Error::Socket { target, step: "watching several ports", source })?;
    let server = options.server_duid.as_ref().map(|duid| &duid.0[..]);
    let expected = if options.echo {
        Expected::Echo { encoder, clients }
    } else {
        Expected::Replies(Checker::new(clients, &options.requestor_duid.0, server, *verify))
    };
    // Another stream for each thread.
    let random = Random::new(mix(options.seed).wrapping_add(number as u64));
    Ok(LoadThread {
        number,
        ports,
        watch,
        next_port: 0,
        clients,
        draw: QueryGenerator::new(source.clone(), random, number, threads as usize),
        encoder,
        expected,
        pace,
        amount: plan.amount(number as u64, u64::from(threads)),
        batch: Batch::new(Encoder::LEN_MAX),
        arrived: Batch::new(Encoder::LEN_MAX),
        tally: Tally::new(options.late_after),
        last_batch: Since::ZERO,
        finished: false,
    })
}

/// Returns share `number` of `parts` shares whose sum is `all`.
fn part(all: u64, number: u64, parts: u64) -> u64 {
    // The first shares take the remainder, so that their sum is exact.
    all / parts + u64::from(number < all % parts)
}

impl LoadPlan {
    /// Makes the plan of the flags; ten seconds if they set no end.
    pub(super) fn of(options: &Options) -> Self {
        // A restart ends with its last lease.
        let usual = (options.queries.is_none() && !options.is_reboot()).then_some(Duration::from_secs(10));
        let duration = options.duration.or(usual);
        Self { rate: options.rate, queries: options.queries, duration }
    }

    fn amount(self, number: u64, threads: u64) -> Amount {
        Amount { queries: self.queries.map(|all| part(all, number, threads)), duration: self.duration }
    }

    fn pace(self, options: &Options, number: u64) -> Pace {
        let threads = u64::from(options.threads);
        match self.rate {
            Some(rate) => {
                let span = self.duration.unwrap_or_default();
                Pace::Open(Timetable::new(rate, span, number, threads))
            }
            // A share of a u32 fits a u32.
            None => Pace::Closed { window: part(u64::from(options.window), number, threads).max(1) as u32 },
        }
    }

    /// Returns the number of pending queries if no answer comes at all.
    fn waiting_all(self, options: &Options) -> f64 {
        let patience = options.timeout.as_secs_f64() * f64::from(1 + options.retransmit);
        let waiting = match self.rate {
            Some(rate) => rate.max() * patience,
            None => f64::from(options.window),
        };
        // A load of few queries never has more of them pending.
        self.queries.map_or(waiting, |queries| waiting.min(queries as f64))
    }

    /// Returns the number of source ports: as requested, or as needed for all transaction-ids.
    pub(super) fn ports(self, options: &Options) -> u32 {
        // One port has 2^24 ids, of which only part is usable at once.
        let needed = (self.waiting_all(options) / WAITING_PER_PORT).ceil().min(PORTS_USUAL_MAX) as u32;
        // Fewer ports than threads would leave some without.
        options.ports.unwrap_or(needed).max(options.threads)
    }

    /// Returns the number of queries that one port must have room for.
    fn waiting_max(self, options: &Options) -> u32 {
        let all = self.waiting_all(options).ceil();
        let on_one = match self.rate {
            // Ports take turns, so their shares are equal except for a batch or two.
            Some(_) => all / f64::from(self.ports(options)) * 1.1 + 256.0,
            None => all,
        };
        // At least 1, as a table of nothing takes no query.
        (on_one as u32).clamp(1, InFlight::<Query>::CAPACITY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::options::parse;

    #[test]
    fn shares_of_threads_add_up() {
        let options = parse(&["--threads", "3", "--window", "10", "--queries", "100"]).unwrap();
        let plan = LoadPlan::of(&options);
        let windows: Vec<_> = (0..3)
            .map(|number| match plan.pace(&options, number) {
                Pace::Closed { window } => window,
                Pace::Open(_) => panic!("no rate was given"),
            })
            .collect();
        assert_eq!(windows, [4, 3, 3]);
        let queries: Vec<_> = (0..3).map(|number| plan.amount(number, 3).queries).collect();
        assert_eq!(queries, [Some(34), Some(33), Some(33)]);
        assert_eq!(plan.duration, None);
        assert_eq!(LoadPlan::of(&parse(&[]).unwrap()).duration, Some(Duration::from_secs(10)));
        assert_eq!(LoadPlan::of(&parse(&["--order", "reboot"]).unwrap()).duration, None);
    }

    #[test]
    fn ports_suffice_for_the_transaction_ids() {
        let ports = |flags: &[&str]| {
            let options = parse(flags).unwrap();
            let plan = LoadPlan::of(&options);
            (plan.ports(&options), plan.waiting_max(&options))
        };
        assert_eq!(ports(&[]), (1, 256));
        assert_eq!(ports(&["--rate", "10k"]), (1, 11_256));
        assert_eq!(ports(&["--rate", "2M", "--timeout", "2s"]).0, 8);
        assert_eq!(ports(&["--rate", "10k", "--retransmit", "1", "--ports", "4"]), (4, 5_756));
        assert_eq!(ports(&["--threads", "3"]).0, 3);
    }
}

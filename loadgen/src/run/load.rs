//! One load: threads that start together, and the sum of what they have counted.

use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use core_affinity::CoreId;

use super::asker::{Amount, Asker, Pace, Port};
use super::check::Checker;
use super::cpu;
use super::flight::{Flight, Since};
use super::judge::Expected;
use super::live::Live;
use super::options::Options;
use super::progress::Progress;
use super::rate::{Rate, Timetable};
use super::tally::Tally;
use super::transport::{self, Batch, Transport};
use super::watch::Watch;
use crate::fault::Fault;
use crate::leases::Clients;
use crate::query::{Draw, Encoder, Query, Source};
use crate::random::{Random, mix};

/// How often the main thread looks whether the load is over.
const LOOK: Duration = Duration::from_millis(20);
/// Queries that wait for an answer on one port, in an open loop whose answers all are lost; half of what a
/// port can hold.
const WAITING_PER_PORT: f64 = (Flight::<Query>::CAPACITY_MAX / 2) as f64;
/// Most ports unless more are asked for: their tables take gigabytes. Where they do not suffice, because
/// hardly anything is answered, queries are late, and the report says so.
const PORTS_USUAL_MAX: f64 = 16.0;

/// What all threads of all loads share.
pub(super) struct Setup<'a> {
    pub(super) options: &'a Options,
    pub(super) clients: &'a Clients,
    pub(super) source: Source<'a>,
    pub(super) encoder: Encoder,
    pub(super) verify: bool,
    pub(super) stop: &'a AtomicBool,
}

/// How fast and how much all threads ask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Plan {
    /// Open loop at this rate, or closed loop.
    pub(super) rate: Option<Rate>,
    pub(super) queries: Option<u64>,
    pub(super) duration: Option<Duration>,
}

/// What a load has shown.
pub(super) struct Outcome {
    pub(super) tally: Tally,
    pub(super) server_cpu: Option<Duration>,
    /// Source ports over all threads.
    pub(super) ports: u32,
}

/// Starts the threads together and adds up what they have counted.
pub(super) fn load(setup: &Setup<'_>, plan: Plan, what: &str) -> Result<Outcome, Fault> {
    let options = setup.options;
    let live = Live::new(options.threads, setup.stop);
    let askers = (0..options.threads as usize)
        .map(|number| asker(setup, plan, number))
        .collect::<Result<Vec<_>, _>>()?;
    let cpu_time = || options.server_pid.map(cpu::of_process).transpose();
    let before = cpu_time()?;
    let barrier = Barrier::new(askers.len());
    let tally = thread::scope(|scope| {
        let mut handles = Vec::new();
        for asker in askers {
            let cpu = options.cpus.as_ref().map(|cpus| cpus.0[asker.number % cpus.0.len()]);
            let (barrier, live) = (&barrier, &live);
            handles.push(scope.spawn(move || {
                prepare_thread(cpu);
                barrier.wait();
                asker.run(Instant::now(), live)
            }));
        }
        let mut progress = Progress::new(what, plan.duration);
        while !handles.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(LOOK);
            progress.show(live.totals());
        }
        let mut sum = Tally::new(options.late_after);
        for handle in handles {
            sum.add(handle.join().map_err(|_| Fault::Thread)?);
        }
        Ok(sum)
    })?;
    let server_cpu = before.zip(cpu_time()?).map(|(before, after)| after.saturating_sub(before));
    Ok(Outcome { tally, server_cpu, ports: plan.ports(options) })
}

/// Pins the thread, and lets it wake up when it means to rather than up to 50 µs later.
fn prepare_thread(cpu: Option<usize>) {
    if let Some(id) = cpu {
        core_affinity::set_for_current(CoreId { id }); // one of those that were found usable
    }
    // Without it, sends are later by that; they say so themselves.
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

/// Thread `number`'s share of the load.
fn asker<'a>(setup: &'a Setup<'_>, plan: Plan, number: usize) -> Result<Asker<'a>, Fault> {
    let Setup { options, clients, source, encoder, verify, .. } = setup;
    let target = options.target;
    let threads = options.threads;
    let pace = plan.pace(options, number as u64);
    let ports = part(u64::from(plan.ports(options)), number as u64, u64::from(threads)).max(1);
    let capacity = plan.waiting_max(options);
    let ports = (0..ports)
        .map(|_| {
            let transport = Transport::connect(target, options.gso).map_err(transport::fault(target))?;
            Ok(Port { transport, flight: Flight::new(capacity, options.timeout, options.retransmit) })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let watched = || Watch::new(ports.iter().map(|port: &Port| &port.transport));
    let several = (ports.len() > 1).then(watched).transpose();
    let watch = several.map_err(|source| Fault::Socket { target, step: "watching several ports", source })?;
    let server = options.server_duid.as_ref().map(|duid| &duid.0[..]);
    let expected = if options.echo {
        Expected::Echo { encoder, clients }
    } else {
        Expected::Replies(Checker::new(clients, &options.requestor_duid.0, server, *verify))
    };
    let random = Random::new(mix(options.seed).wrapping_add(number as u64));
    Ok(Asker {
        number,
        ports,
        watch,
        next_port: 0,
        clients,
        draw: Draw::new(source.clone(), random, number, threads as usize),
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

/// Part `number` of so many, whose sum is `all`.
fn part(all: u64, number: u64, parts: u64) -> u64 {
    all / parts + u64::from(number < all % parts)
}

impl Plan {
    /// What the flags ask for; ten seconds if they name no end.
    pub(super) fn of(options: &Options) -> Self {
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
            // A part of a u32.
            None => Pace::Closed { window: part(u64::from(options.window), number, threads).max(1) as u32 },
        }
    }

    /// Queries that wait at once if no answer comes at all.
    fn waiting_all(self, options: &Options) -> f64 {
        let patience = options.timeout.as_secs_f64() * f64::from(1 + options.retransmit);
        let waiting = match self.rate {
            Some(rate) => rate.max() * patience,
            None => f64::from(options.window),
        };
        self.queries.map_or(waiting, |queries| waiting.min(queries as f64))
    }

    /// Source ports: as many as asked for, or as are needed for all transaction ids.
    pub(super) fn ports(self, options: &Options) -> u32 {
        let needed = (self.waiting_all(options) / WAITING_PER_PORT).ceil().min(PORTS_USUAL_MAX) as u32;
        options.ports.unwrap_or(needed).max(options.threads)
    }

    /// Queries that one port has to have room for.
    fn waiting_max(self, options: &Options) -> u32 {
        let all = self.waiting_all(options).ceil();
        let on_one = match self.rate {
            // Ports take turns, so they share evenly but for a batch or two.
            Some(_) => all / f64::from(self.ports(options)) * 1.1 + 256.0,
            None => all,
        };
        (on_one as u32).clamp(1, Flight::<Query>::CAPACITY_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::options::parse;

    #[test]
    fn parts_of_threads_add_up() {
        let options = parse(&["--threads", "3", "--window", "10", "--queries", "100"]).unwrap();
        let plan = Plan::of(&options);
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
        assert_eq!(Plan::of(&parse(&[]).unwrap()).duration, Some(Duration::from_secs(10)));
        assert_eq!(Plan::of(&parse(&["--order", "reboot"]).unwrap()).duration, None);
    }

    #[test]
    fn ports_suffice_for_the_ids() {
        let ports = |flags: &[&str]| {
            let options = parse(flags).unwrap();
            let plan = Plan::of(&options);
            (plan.ports(&options), plan.waiting_max(&options))
        };
        assert_eq!(ports(&[]), (1, 256));
        assert_eq!(ports(&["--rate", "10k"]), (1, 11_256));
        assert_eq!(ports(&["--rate", "2M", "--timeout", "2s"]).0, 8);
        assert_eq!(ports(&["--rate", "10k", "--retransmit", "1", "--ports", "4"]), (4, 5_756));
        assert_eq!(ports(&["--threads", "3"]).0, 3);
    }
}

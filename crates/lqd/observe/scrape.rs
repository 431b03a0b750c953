//! All numbers at one moment, the source of both metrics and status.
//!
//! Datagrams received are always the sum of all outcomes: a worker has one counter for each outcome and class
//! of query, and all sums of a scrape come from one reading of them. The counters of `lqd-net` are read
//! later, and it counts a datagram before the outcome is known, so they are never behind.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use lqd_answer::{BATCH_MAX, Outcome};
use lqd_feed::FeedState;
use lqd_index::Summary;
use lqd_net::{NetCounters, Sizes};
use lqd_stats::Distribution;
use lqd_wire::StatusCode;

use super::bulk::BulkState;
use super::census::Census;
use super::process::Process;
use super::state::{OUTCOMES, QUERY_CLASSES, ServerState, ServingState, WorkerCounters};
use super::tls::TlsState;
use crate::log;

/// Most requestors listed.
const REQUESTORS_MAX: usize = 20;

/// State of the program at one moment.
pub(super) struct Scrape {
    pub(super) uptime: Duration,
    pub(super) started_at: SystemTime,
    /// Reason for which queries should go to another server.
    pub(super) unready: Option<String>,
    pub(super) stale: bool,
    pub(super) max_feed_age: Duration,
    pub(super) reloads: u64,
    pub(super) rejected_reloads: u64,
    pub(super) process: Process,
    /// State of the serving program; `None` before the first snapshot is complete.
    pub(super) served: Option<Served>,
}

/// State of the serving program at that moment.
pub(super) struct Served {
    pub(super) listen: Vec<SocketAddrV6>,
    pub(super) workers: Vec<WorkerCounts>,
    pub(super) answer_times: Distribution,
    /// Sources with the most datagrams, and a lower bound of their count; highest first.
    pub(super) requestors: Vec<(Ipv6Addr, u64)>,
    pub(super) feed: FeedState,
    pub(super) index: Summary,
    pub(super) memory: Vec<(&'static str, usize)>,
    pub(super) census: Option<Arc<Census>>,
    /// Records of the query log by result.
    pub(super) log_counts: [(&'static str, u64); 3],
    /// Counters of bulk leasequery, if it is offered; read when they are written out.
    pub(super) bulk: Option<Arc<BulkState>>,
    /// Certificates of TLS.
    pub(super) tls: Arc<TlsState>,
    /// Log lines that standard error did not take.
    pub(super) log_lines_lost: u64,
}

/// Counters of one worker.
pub(super) struct WorkerCounts {
    datagrams: [[u64; QUERY_CLASSES]; OUTCOMES],
    batches: [u64; BATCH_MAX + 1],
    /// Read when they are written out, after all others.
    pub(super) net: Arc<NetCounters>,
}

impl Scrape {
    /// Reads all numbers.
    pub(super) fn take(state: &ServerState) -> Self {
        Self {
            uptime: state.started.elapsed(),
            started_at: state.started_at,
            unready: state.unready(),
            stale: state.is_stale(),
            max_feed_age: state.max_feed_age(),
            reloads: state.reloads.load(Ordering::Relaxed),
            rejected_reloads: state.rejected_reloads.load(Ordering::Relaxed),
            process: Process::read(),
            served: state.serving.get().map(|serving| Served::take(serving, state.census.load_full())),
        }
    }
}

impl Served {
    fn take(serving: &ServingState, census: Option<Arc<Census>>) -> Self {
        let mut answer_times = Distribution::default();
        serving.workers.iter().for_each(|counters| answer_times.add(&counters.answer_times.read()));
        Self {
            listen: serving.listen.clone(),
            workers: serving.workers.iter().map(|counters| WorkerCounts::of(counters)).collect(),
            answer_times,
            requestors: requestors(&serving.workers),
            feed: serving.feed.state(),
            index: serving.store.summary(),
            memory: serving.store.memory(),
            census,
            log_counts: serving.log_counts.read(),
            bulk: serving.bulk.clone(),
            tls: Arc::clone(&serving.tls),
            log_lines_lost: log::lost(),
        }
    }

    /// Returns the datagrams of all workers.
    pub(super) fn received(&self) -> u64 {
        self.workers.iter().map(WorkerCounts::received).sum()
    }

    /// Returns the datagrams with an outcome.
    pub(super) fn by_outcome(&self, outcome: usize) -> u64 {
        self.workers.iter().map(|worker| worker.by_outcome(outcome)).sum()
    }

    /// Returns the datagrams with a class of query.
    pub(super) fn by_query_class(&self, class: usize) -> u64 {
        let of = |worker: &WorkerCounts| worker.datagrams.iter().map(|counts| counts[class]).sum::<u64>();
        self.workers.iter().map(of).sum()
    }

    /// Returns the datagrams whose reply had a status.
    pub(super) fn by_status(&self, status: StatusCode) -> u64 {
        let such = Outcome::TABLE.iter().filter(|(outcome, ..)| outcome.status() == Some(status));
        such.map(|(outcome, ..)| self.by_outcome(*outcome as usize)).sum()
    }

    /// Returns the batches of at most `len` datagrams.
    pub(super) fn batches_up_to(&self, len: usize) -> u64 {
        self.workers.iter().map(|worker| worker.batches[..=len].iter().sum::<u64>()).sum()
    }

    /// Returns the datagrams in all batches.
    pub(super) fn batched(&self) -> u64 {
        let of = |worker: &WorkerCounts| -> u64 { (0..).zip(worker.batches).map(|(len, n)| len * n).sum() };
        self.workers.iter().map(of).sum()
    }

    /// Returns the receives or sends of at most that many datagrams, for each of [`Sizes::UP_TO`].
    pub(super) fn sizes(&self, sizes: impl Fn(&NetCounters) -> &Sizes) -> [u64; Sizes::UP_TO.len()] {
        let mut up_to = [0; Sizes::UP_TO.len()];
        for counts in self.workers.iter().map(|worker| sizes(&worker.net).get()) {
            let mut sum = 0;
            for (total, count) in up_to.iter_mut().zip(counts) {
                sum += count;
                *total += sum;
            }
        }
        up_to
    }

    /// Returns one counter of `lqd-net`, summed over all workers.
    pub(super) fn net(&self, number: impl Fn(&NetCounters) -> u64) -> u64 {
        self.workers.iter().map(|worker| number(&worker.net)).sum()
    }
}

impl WorkerCounts {
    fn of(counters: &WorkerCounters) -> Self {
        Self {
            datagrams: counters.datagrams(),
            batches: counters.batches.read(),
            net: Arc::clone(&counters.net),
        }
    }

    /// Returns the worker's datagrams.
    pub(super) fn received(&self) -> u64 {
        self.datagrams.as_flattened().iter().sum()
    }

    /// Returns the worker's datagrams with an outcome.
    pub(super) fn by_outcome(&self, outcome: usize) -> u64 {
        self.datagrams[outcome].iter().sum()
    }
}

/// Returns the sources with the most datagrams, over all workers.
fn requestors(workers: &[Arc<WorkerCounters>]) -> Vec<(Ipv6Addr, u64)> {
    let mut counts: HashMap<u128, u64> = HashMap::new();
    for entry in workers.iter().flat_map(|counters| counters.sources.read()) {
        *counts.entry(entry.key).or_default() += entry.at_least();
    }
    let mut counts: Vec<_> = counts.into_iter().map(|(source, count)| (source.into(), count)).collect();
    counts.sort_unstable_by_key(|&(source, count)| (std::cmp::Reverse(count), source));
    counts.truncate(REQUESTORS_MAX);
    counts
}

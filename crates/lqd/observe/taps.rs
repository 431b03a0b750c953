//! Diagnosis of packets: the query log, and the last discarded datagrams.
//!
//! ```text
//! record   one query, of fixed size          log      the thread that writes records
//! sink     file, journal or standard error   discards the last discarded datagrams of a worker
//! pcap     discards as a capture file
//! ```
//! Off by default: a worker then finds no [`Taps`], once a batch. On, it copies into memory allocated before,
//! never waits, and counts records that do not fit. Each worker has a bounded queue, and the writer empties
//! all of them 20 times a second: a channel would cost the worker a system call to wake the reader, and one
//! queue for all would make workers wait for each other's cache lines.

mod discards;
mod log;
mod pcap;
mod record;
mod sink;

use std::net::Ipv6Addr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use crossbeam::channel::Sender;
use crossbeam::queue::ArrayQueue;
use ipnet::Ipv6Net;
use lqd_stats::Counters;

use crate::error::ExitError;
use crate::settings::{QueryLog, Settings};

pub(crate) use discards::{Discard, Ring};
pub(crate) use pcap::write_pcap;
pub(crate) use record::{About, Ending, Record};

/// Most queued records of one worker: up to 160,000 a second are logged without loss.
const QUEUE_LEN: usize = 8192;

/// Query log and rings of all workers, replaced as a whole by reloads.
pub(crate) struct Taps {
    log: Option<LogTap>,
    /// One for each worker; none if discarded datagrams are not kept.
    rings: Vec<Arc<Ring>>,
}

/// Selection of the queries to log, and the queues of their records.
struct LogTap {
    /// Logs one of this many queries.
    sample: NonZeroU32,
    /// Prefix of the requestors whose queries are logged.
    requestor: Ipv6Net,
    /// One for each worker, then one for each thread of bulk leasequery.
    queues: Vec<Arc<Queue>>,
}

/// Queue of one worker's records.
struct Queue {
    records: ArrayQueue<Record>,
    /// Records lost to a full queue.
    lost: Counters<1>,
}

/// Records of the query log by result.
#[derive(Default)]
pub(crate) struct LogCounts {
    /// Records written.
    written: AtomicU64,
    /// Records lost to an error of the file or the journal.
    failed: AtomicU64,
    /// Queues with the counters of lost records.
    queues: OnceLock<Vec<Arc<Queue>>>,
}

/// Query log and ring of one worker, for one batch.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tap<'a> {
    log: Option<(&'a LogTap, &'a Queue)>,
    ring: Option<&'a Ring>,
}

impl Taps {
    /// Returns the taps of a worker; the threads of bulk leasequery are numbered behind the workers.
    pub(crate) fn of(&self, worker: usize) -> Tap<'_> {
        Tap {
            log: self.log.as_ref().and_then(|log| Some((log, &**log.queues.get(worker)?))),
            ring: self.rings.get(worker).map(|ring| &**ring),
        }
    }

    /// Returns the kept datagrams of all workers, oldest first, or `None` if discards are not kept.
    pub(crate) fn discards(&self) -> Option<Vec<Discard>> {
        if self.rings.is_empty() {
            return None;
        }
        let mut all: Vec<_> = self.rings.iter().flat_map(|ring| ring.read()).collect();
        all.sort_by_key(|discard| discard.at);
        Some(all)
    }
}

impl<'a> Tap<'a> {
    /// Returns whether to log a query from this source; `skipped` counts the worker's queries since the last
    /// logged one.
    pub(crate) fn logs(self, source: Ipv6Addr, skipped: &mut u32) -> bool {
        let Some((log, _)) = self.log.filter(|(log, _)| log.requestor.contains(&source)) else {
            return false;
        };
        *skipped += 1;
        let chosen = *skipped >= log.sample.get();
        if chosen {
            *skipped = 0;
        }
        chosen
    }

    /// Queues a record for the writer, or counts it as lost.
    pub(crate) fn log(self, record: &Record) {
        if let Some((_, queue)) = self.log
            && queue.records.push(record.clone()).is_err()
        {
            queue.lost.count(0);
        }
    }

    /// Returns the ring that keeps discarded datagrams.
    pub(crate) fn ring(self) -> Option<&'a Ring> {
        self.ring
    }
}

/// Owner of taps, queues and the writer thread; replaces taps when settings change.
pub(crate) struct Recorder {
    /// Taps that workers use.
    pub(crate) taps: Arc<ArcSwapOption<Taps>>,
    /// Records of the query log by result.
    pub(crate) counts: Arc<LogCounts>,
    workers: usize,
    /// Threads of bulk leasequery, whose queues follow those of the workers.
    bulk_threads: usize,
    queues: Vec<Arc<Queue>>,
    /// Replaced taps that a worker may still use: freed here, never by a worker.
    replaced: Vec<Arc<Taps>>,
    writer: Option<log::Writer>,
}

/// Checked and opened taps, ready to be set.
pub(crate) struct Prepared {
    sink: Option<sink::Sink>,
    log: Option<QueryLog>,
    keep_discards: usize,
}

impl Recorder {
    /// Creates a recorder with all taps off.
    pub(crate) fn new(workers: usize, bulk_threads: usize) -> Self {
        Self {
            taps: Arc::default(),
            counts: Arc::default(),
            workers,
            bulk_threads,
            queues: Vec::new(),
            replaced: Vec::new(),
            writer: None,
        }
    }

    /// Opens the query log; after logrotate moved the file, a new one.
    pub(crate) fn prepare(settings: &Settings) -> Result<Prepared, ExitError> {
        let log = settings.query_log.clone();
        let sink =
            log.as_ref().map(|log| sink::Sink::open(&log.to)).transpose().map_err(ExitError::unusable)?;
        Ok(Prepared { sink, log, keep_discards: settings.keep_discards })
    }

    /// Sets taps from now on. `done` is called, here or on the writer's thread, once the former file is
    /// closed, so that logrotate may compress it; a file system that hangs delays it.
    pub(crate) fn set(
        &mut self,
        prepared: Prepared,
        done: impl FnOnce() + Send + 'static,
    ) -> Result<(), ExitError> {
        let Prepared { sink, log, keep_discards } = prepared;
        if log.is_some() && self.queues.is_empty() {
            let queue = || Queue { records: ArrayQueue::new(QUEUE_LEN), lost: Counters::default() };
            self.queues = (0..self.workers + self.bulk_threads).map(|_| Arc::new(queue())).collect();
            // Queues are made once, so this is never set before.
            let _ = self.counts.queues.set(self.queues.clone());
        }
        if sink.is_some() && self.writer.is_none() {
            self.writer =
                Some(log::Writer::start(self.queues.clone(), &self.counts).map_err(ExitError::running)?);
        }
        let log = log.map(|log| LogTap {
            sample: log.sample,
            requestor: log.requestor,
            queues: self.queues.clone(),
        });
        let is_on = sink.is_some();
        let mut done: Option<Done> = Some(Box::new(done));
        if let (true, Some(writer)) = (is_on, &self.writer) {
            writer.write_to(sink, done.take());
        }
        let taps = (log.is_some() || keep_discards > 0)
            .then(|| Arc::new(Taps { log, rings: self.rings(keep_discards) }));
        self.replaced.extend(self.taps.swap(taps));
        if let (false, Some(writer)) = (is_on, &self.writer) {
            // After the taps are off, so that every queued record is still written.
            writer.write_to(None, done.take());
        }
        done.into_iter().for_each(|done| done());
        self.replaced.retain(|taps| Arc::strong_count(taps) > 1);
        Ok(())
    }

    /// Returns the present rings if they have this length, else new ones.
    fn rings(&self, len: usize) -> Vec<Arc<Ring>> {
        let now = self.taps.load();
        match now.as_ref().filter(|taps| taps.rings.first().map_or(0, |ring| ring.len_max()) == len) {
            Some(taps) => taps.rings.clone(),
            None if len == 0 => Vec::new(),
            None => (0..self.workers).map(|_| Arc::new(Ring::new(len))).collect(),
        }
    }

    /// Writes queued records, and ends the thread.
    pub(crate) fn stop(self) {
        if let Some(writer) = self.writer {
            writer.stop();
        }
    }
}

impl LogCounts {
    /// Returns each count with its name.
    pub(crate) fn read(&self) -> [(&'static str, u64); 3] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let lost = self.queues.get().into_iter().flatten().map(|queue| queue.lost.read()[0]).sum();
        [("written", of(&self.written)), ("lost", lost), ("failed", of(&self.failed))]
    }
}

/// Order to the writer thread.
enum Order {
    /// Write to this sink from now on (`None`: nowhere), and call this once the former one is closed.
    WriteTo(Option<sink::Sink>, Option<Done>),
    /// Write queued records and end.
    End,
}

/// Function called once an order is executed.
type Done = Box<dyn FnOnce() + Send>;

/// Channel of orders.
type Orders = Sender<Order>;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lqd_answer::Outcome;

    use super::*;

    fn taps(sample: u32, requestor: &str) -> Taps {
        let queue = || Arc::new(Queue { records: ArrayQueue::new(4), lost: Counters::default() });
        let log = LogTap {
            sample: NonZeroU32::new(sample).unwrap(),
            requestor: requestor.parse().unwrap(),
            queues: vec![queue(), queue()],
        };
        Taps { log: Some(log), rings: Vec::new() }
    }

    #[test]
    fn one_of_n_queries_of_the_prefix_is_logged() {
        let (inside, outside) = ("fd00::1".parse().unwrap(), "fe00::1".parse().unwrap());
        for (sample, want) in [(1, 12), (3, 4), (5, 2), (13, 0)] {
            let taps = taps(sample, "fd00::/8");
            let mut skipped = 0;
            let logged = (0..12).filter(|_| {
                assert!(!taps.of(1).logs(outside, &mut skipped));
                taps.of(1).logs(inside, &mut skipped)
            });
            assert_eq!(logged.count(), want, "1 in {sample}");
        }
        assert!(!Tap::default().logs(inside, &mut 0));
    }

    #[test]
    fn a_record_without_room_is_counted_and_nothing_is_allocated() {
        let taps = taps(1, "::/0");
        let record = Record {
            at: Duration::ZERO,
            source: "[fd00::1]:547".parse().unwrap(),
            certificate: None,
            ending: Ending::Datagram { outcome: Outcome::Answered, reply_len: 1, took: Duration::ZERO },
            about: None,
        };
        let counted = allocation_counter::measure(|| (0..10).for_each(|_| taps.of(1).log(&record)));
        assert_eq!(counted.count_total, 0);
        let queues = &taps.log.as_ref().unwrap().queues;
        let counts = LogCounts::default();
        assert!(counts.queues.set(queues.clone()).is_ok());
        assert_eq!((queues[0].records.len(), queues[1].records.len()), (0, 4), "its own queue");
        assert_eq!(counts.read(), [("written", 0), ("lost", 6), ("failed", 0)]);
        taps.of(2).log(&record); // no such worker
    }
}

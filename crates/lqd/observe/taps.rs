//! What is taken aside of the packets for whoever looks for a fault: the query log, and the last discarded datagrams.
//!
//! ```text
//! record   one query, of fixed size          log      the thread that writes records, to file, journal or stderr
//! sink     where it writes                   discards the last discarded datagrams of a worker
//! pcap     these as a capture file
//! ```
//! Off unless asked for: then a worker finds no [`Taps`], once a batch. On, it copies into memory that is there
//! already, never waits, and counts what does not fit. Three ways were seen for records. A channel wakes its reader
//! by a system call of the sender, thus of the worker. One queue for all makes workers wait for each other's cache
//! lines. So each worker has a bounded queue of its own, and the writer looks into all of them 20 times a second.

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
pub(crate) use record::{About, Record};

/// Records of one worker that wait to be written: 160,000 a second may be logged before some are lost.
const QUEUE_LEN: usize = 8192;

/// What workers look at, replaced as a whole when settings are read again.
pub(crate) struct Taps {
    log: Option<LogTap>,
    /// Of each worker; none if discarded datagrams are not kept.
    rings: Vec<Arc<Ring>>,
}

/// Which queries are logged, and where to.
struct LogTap {
    /// One of so many.
    sample: NonZeroU32,
    /// Of requestors in here.
    requestor: Ipv6Net,
    /// Of each worker.
    queues: Vec<Arc<Queue>>,
}

/// One worker's records on their way.
struct Queue {
    records: ArrayQueue<Record>,
    /// Those that found no room, as the writer was behind.
    lost: Counters<1>,
}

/// What became of records.
#[derive(Default)]
pub(crate) struct LogCounts {
    /// Written out.
    written: AtomicU64,
    /// Taken, but the file or the journal did not take them.
    failed: AtomicU64,
    /// Where those are counted that were not taken.
    queues: OnceLock<Vec<Arc<Queue>>>,
}

/// One worker's taps during a batch.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tap<'a> {
    log: Option<(&'a LogTap, &'a Queue)>,
    ring: Option<&'a Ring>,
}

impl Taps {
    /// Those of a worker.
    pub(crate) fn of(&self, worker: usize) -> Tap<'_> {
        Tap {
            log: self.log.as_ref().and_then(|log| Some((log, &**log.queues.get(worker)?))),
            ring: self.rings.get(worker).map(|ring| &**ring),
        }
    }

    /// The kept datagrams of all workers, oldest first; `None` if none are to be kept.
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
    /// Whether a query from this source is to be logged; `skipped` counts those that were not, for this worker.
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

    /// Hands a record to the writer, if there is one and it is not too far behind.
    pub(crate) fn log(self, record: &Record) {
        if let Some((_, queue)) = self.log
            && queue.records.push(*record).is_err()
        {
            queue.lost.count(0);
        }
    }

    /// Where discarded datagrams are kept.
    pub(crate) fn ring(self) -> Option<&'a Ring> {
        self.ring
    }
}

/// Sets taps as settings say, and holds what must outlive a change of them.
pub(crate) struct Recorder {
    /// What workers look at.
    pub(crate) taps: Arc<ArcSwapOption<Taps>>,
    /// What became of records.
    pub(crate) counts: Arc<LogCounts>,
    workers: usize,
    queues: Vec<Arc<Queue>>,
    /// Those of before: kept until no worker holds them, so that no worker is the one to free them.
    replaced: Vec<Arc<Taps>>,
    writer: Option<log::Writer>,
}

/// Taps that can be set: what can fail has not.
pub(crate) struct Prepared {
    sink: Option<sink::Sink>,
    log: Option<QueryLog>,
    keep_discards: usize,
}

impl Recorder {
    /// Sets nothing yet.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            taps: Arc::default(),
            counts: Arc::default(),
            workers,
            queues: Vec::new(),
            replaced: Vec::new(),
            writer: None,
        }
    }

    /// Opens what the settings name: a file that was moved away (logrotate) begins anew.
    pub(crate) fn prepare(settings: &Settings) -> Result<Prepared, ExitError> {
        let log = settings.query_log.clone();
        let sink =
            log.as_ref().map(|log| sink::Sink::open(&log.to)).transpose().map_err(ExitError::unusable)?;
        Ok(Prepared { sink, log, keep_discards: settings.keep_discards })
    }

    /// From now on this is taken aside. `done` is called, here or on the writer's thread, when the file of before is let
    /// go: logrotate may compress it. Only a file system that does not answer makes that come late.
    pub(crate) fn set(
        &mut self,
        prepared: Prepared,
        done: impl FnOnce() + Send + 'static,
    ) -> Result<(), ExitError> {
        let Prepared { sink, log, keep_discards } = prepared;
        if log.is_some() && self.queues.is_empty() {
            let queue = || Queue { records: ArrayQueue::new(QUEUE_LEN), lost: Counters::default() };
            self.queues = (0..self.workers).map(|_| Arc::new(queue())).collect();
            let _ = self.counts.queues.set(self.queues.clone()); // once, as they are made once
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
            // Last, so that nothing is taken any more that could not be written.
            writer.write_to(None, done.take());
        }
        done.into_iter().for_each(|done| done());
        // Who still reads one of them holds it.
        self.replaced.retain(|taps| Arc::strong_count(taps) > 1);
        Ok(())
    }

    /// The rings that there are, if they have this length.
    fn rings(&self, len: usize) -> Vec<Arc<Ring>> {
        let now = self.taps.load();
        match now.as_ref().filter(|taps| taps.rings.first().map_or(0, |ring| ring.len_max()) == len) {
            Some(taps) => taps.rings.clone(),
            None if len == 0 => Vec::new(),
            None => (0..self.workers).map(|_| Arc::new(Ring::new(len))).collect(),
        }
    }

    /// Writes what was taken, and ends.
    pub(crate) fn stop(self) {
        if let Some(writer) = self.writer {
            writer.stop();
        }
    }
}

impl LogCounts {
    /// Each with its name.
    pub(crate) fn read(&self) -> [(&'static str, u64); 3] {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let lost = self.queues.get().into_iter().flatten().map(|queue| queue.lost.read()[0]).sum();
        [("written", of(&self.written)), ("lost", lost), ("failed", of(&self.failed))]
    }
}

/// What the writer is told.
enum Order {
    /// To write here from now on (`None`: nothing), and to call this when it does.
    WriteTo(Option<sink::Sink>, Option<Done>),
    /// To write what there is, and end.
    End,
}

/// What is to be called when an order is carried out.
type Done = Box<dyn FnOnce() + Send>;

/// How it is told.
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
    fn one_of_so_many_of_whom() {
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
    fn what_finds_no_room_is_counted_and_nothing_is_allocated() {
        let taps = taps(1, "::/0");
        let record = Record {
            at: Duration::ZERO,
            took: Duration::ZERO,
            source: "[fd00::1]:547".parse().unwrap(),
            outcome: Outcome::Answered,
            reply_len: 1,
            about: None,
        };
        let counted = allocation_counter::measure(|| (0..10).for_each(|_| taps.of(1).log(&record)));
        assert_eq!(counted.count_total, 0);
        let queues = &taps.log.as_ref().unwrap().queues;
        let counts = LogCounts::default();
        assert!(counts.queues.set(queues.clone()).is_ok());
        assert_eq!((queues[0].records.len(), queues[1].records.len()), (0, 4), "its own queue");
        assert_eq!(counts.read(), [("written", 0), ("lost", 6), ("failed", 0)]);
        taps.of(2).log(&record); // a worker that there is not
    }
}

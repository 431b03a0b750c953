//! One worker: passes datagrams from `lqd-net` to `lqd-answer` and its replies back, and counts them.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use crossbeam::channel::Sender;
use lqd_answer::{Engine, Limits, Now, Outcome, QueryClass, Verdict};
use lqd_index::Reader;
use lqd_net::{Datagram, Replies, RunError, Service};
use tracing::warn;

use super::event::Event;
use crate::observe::state::WorkerCounters;
use crate::observe::taps::{About, Discard, Ending, Record, Tap, Taps};
use crate::observe::unix_time;

/// State of one worker.
pub(super) struct Worker {
    /// Access to the leases.
    pub(super) leases: Reader,
    /// Policy, replaced as a whole by reloads.
    pub(super) engine: Arc<ArcSwap<Engine>>,
    /// Query rates of requestors.
    pub(super) limits: Limits,
    /// Start of the monotonic time by which rates are measured.
    pub(super) since: Instant,
    pub(super) counters: Arc<WorkerCounters>,
    /// Worker number, from 0.
    pub(super) number: usize,
    /// Query log and kept discards; mostly off.
    pub(super) taps: Arc<ArcSwapOption<Taps>>,
    /// Queries since the last one that was logged.
    pub(super) skipped: u32,
    /// Events of the main thread.
    pub(super) events: Sender<Event>,
}

impl Service for Worker {
    fn started(&mut self) {
        // The receiver is gone once the program ends.
        let _ = self.events.send(Event::WorkerStarted);
    }

    fn fell_back(&mut self, reason: &RunError) {
        warn!(worker = self.number, %reason, "back end of this worker: recvmmsg and sendmmsg, as io_uring cannot be used");
    }

    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        let Self { leases, engine, limits, since, counters, .. } = self;
        // Read once a batch, not for every datagram. Lifetimes need the system clock; rates and times, one
        // that is never stepped.
        let started = Instant::now();
        let at = unix_time(SystemTime::now());
        let unix_seconds = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
        let now = Now { unix_seconds, monotonic_ns: nanoseconds(started - *since) };
        let engine = engine.load();
        let taps = self.taps.load();
        let tap = taps.as_ref().map_or(Tap::default(), |taps| taps.of(self.number));
        let leases = leases.pin();
        let mut replied = 0;
        for batch in batch.chunks(lqd_answer::BATCH_MAX) {
            // Counted before answers, so that discards count as well.
            count_sources(counters, batch);
            let mut datagrams = [lqd_answer::Datagram::EMPTY; lqd_answer::BATCH_MAX];
            for (slot, datagram) in datagrams.iter_mut().zip(batch) {
                *slot = lqd_answer::Datagram { octets: datagram.payload, source: datagram.source };
            }
            engine.answer(limits, &leases, now, &datagrams[..batch.len()], |position, verdict| {
                let datagram = &batch[position];
                let (mut outcome, mut class, mut reply_len) =
                    (Outcome::DropReplyTooLong, QueryClass::Unparsed, 0);
                // Decided before the answer, as details of the query are kept only for the log.
                let logged = tap.logs(*datagram.source.ip(), &mut self.skipped);
                let mut about = None;
                match verdict {
                    Verdict::Silence(silent) => outcome = silent,
                    Verdict::Reply(reply) => {
                        class = reply.query_class();
                        about = logged.then(|| About::of(reply));
                        replies.send(reply.to(), datagram.local, |slot| {
                            (reply_len, outcome) = reply.write(slot);
                            replied += u64::from(reply_len > 0);
                            reply_len
                        });
                    }
                }
                counters.count(outcome, class);
                if logged {
                    let (took, source) = (started.elapsed(), datagram.source);
                    let ending = Ending::Datagram { outcome, reply_len, took };
                    tap.log(&Record { at, source, certificate: None, ending, about });
                }
                if let Some(ring) = tap.ring()
                    // Answered queries are no discards.
                    && outcome.status().is_none()
                {
                    let to = datagram.local.address;
                    ring.keep(&Discard::new(at, datagram.source, to, outcome, datagram.payload));
                }
            });
        }
        counters.answer_times.record(started.elapsed(), replied);
    }
}

/// Counts a batch and the sources of its datagrams.
fn count_sources(counters: &WorkerCounters, batch: &[Datagram<'_>]) {
    counters.batches.count(batch.len());
    let mut rest = batch.iter();
    let Some(mut source) = rest.next().map(|first| first.source.ip()) else { return };
    // Neighbours mostly share a source, so a run of them costs one update.
    let mut run = 1;
    for next in rest.map(|datagram| datagram.source.ip()) {
        if next == source {
            run += 1;
        } else {
            counters.sources.count(u128::from(*source), run);
            (source, run) = (next, 1);
        }
    }
    counters.sources.count(u128::from(*source), run);
}

/// Converts to nanoseconds, which overflow after 584 years.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

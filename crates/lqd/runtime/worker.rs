//! One worker's corridor: datagrams from `lqd-net`, verdicts of `lqd-answer`, replies to `lqd-net`.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::{ArcSwap, ArcSwapOption};
use crossbeam::channel::Sender;
use lqd_answer::{Engine, Limits, Now, Outcome, QueryClass, Verdict};
use lqd_index::Reader;
use lqd_net::{Datagram, Replies, RunError, Service};
use tracing::warn;

use super::serve::Event;
use crate::observe::state::WorkerBooks;
use crate::observe::taps::{About, Discard, Record, Tap, Taps};

/// What a worker needs to answer.
pub(crate) struct Worker {
    /// Its access to the leases.
    pub(crate) leases: Reader,
    /// Policy; replaced as a whole when settings are read again.
    pub(crate) engine: Arc<ArcSwap<Engine>>,
    /// How often requestors have asked it.
    pub(crate) limits: Limits,
    /// From when on it measures how often.
    pub(crate) since: Instant,
    /// What it counts.
    pub(crate) books: Arc<WorkerBooks>,
    /// Its number, from 0.
    pub(crate) number: usize,
    /// What is taken aside for diagnosis; mostly nothing.
    pub(crate) taps: Arc<ArcSwapOption<Taps>>,
    /// Queries since the last one that was logged.
    pub(crate) skipped: u32,
    /// To be told when it receives.
    pub(crate) events: Sender<Event>,
}

impl Service for Worker {
    fn started(&mut self) {
        // Nobody listens any more when the program ends.
        let _ = self.events.send(Event::WorkerStarted);
    }

    fn fell_back(&mut self, reason: &RunError) {
        warn!(worker = self.number, %reason, "back end of this worker: recvmmsg and sendmmsg, as io_uring cannot be used");
    }

    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        let Self { leases, engine, limits, since, books, .. } = self;
        // Clocks are read for a batch, never for one datagram: lifetimes go by the wall's, rates and times by one
        // that is never set.
        let taken_up = Instant::now();
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_seconds = u32::try_from(at.as_secs()).unwrap_or(u32::MAX);
        let now = Now { unix_seconds, monotonic_ns: nanoseconds(taken_up - *since) };
        let engine = engine.load();
        let taps = self.taps.load();
        let tap = taps.as_ref().map_or(Tap::default(), |taps| taps.of(self.number));
        let leases = leases.pin();
        let mut replied = 0;
        for batch in batch.chunks(lqd_answer::BATCH_MAX) {
            count_sources(books, batch);
            let mut datagrams = [lqd_answer::Datagram::EMPTY; lqd_answer::BATCH_MAX];
            for (place, datagram) in datagrams.iter_mut().zip(batch) {
                *place = lqd_answer::Datagram { octets: datagram.payload, source: datagram.source };
            }
            engine.answer(limits, &leases, now, &datagrams[..batch.len()], |position, verdict| {
                let datagram = &batch[position];
                let (mut outcome, mut class, mut reply_len) =
                    (Outcome::DropReplyTooLong, QueryClass::Unparsed, 0);
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
                books.count(outcome, class);
                if logged {
                    let (took, source) = (taken_up.elapsed(), datagram.source);
                    tap.log(&Record { at, took, source, outcome, reply_len, about });
                }
                if let Some(ring) = tap.ring()
                    && outcome.status().is_none()
                {
                    let to = datagram.local.address;
                    ring.keep(&Discard::new(at, datagram.source, to, outcome, datagram.payload));
                }
            });
        }
        books.answer_times.record(taken_up.elapsed(), replied);
    }
}

/// Counts a batch and who sent it. Neighbours are mostly of one requestor, and counted together.
fn count_sources(books: &WorkerBooks, batch: &[Datagram<'_>]) {
    books.batches.count(batch.len());
    let mut rest = batch.iter();
    let Some(mut source) = rest.next().map(|first| first.source.ip()) else { return };
    let mut run = 1;
    for next in rest.map(|datagram| datagram.source.ip()) {
        if next == source {
            run += 1;
        } else {
            books.sources.count(u128::from(*source), run);
            (source, run) = (next, 1);
        }
    }
    books.sources.count(u128::from(*source), run);
}

/// 584 years pass before it ends.
fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

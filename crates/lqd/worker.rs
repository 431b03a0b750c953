//! One worker's corridor: datagrams from `lqd-net`, verdicts of `lqd-answer`, replies to `lqd-net`.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use crossbeam::channel::Sender;
use lqd_answer::{Asked, Engine, Limits, Now, Outcome, Verdict};
use lqd_index::Reader;
use lqd_net::{Datagram, Replies, Service};

use crate::board::WorkerBooks;
use crate::serve::Event;

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
    /// To be told when it receives.
    pub(crate) events: Sender<Event>,
}

impl Service for Worker {
    fn started(&mut self) {
        // Nobody listens any more when the program ends.
        let _ = self.events.send(Event::WorkerStarted);
    }

    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        let Self { leases, engine, limits, since, books, .. } = self;
        // Clocks are read for a batch, never for one datagram: lifetimes go by the wall's, rates and times by one
        // that is never set.
        let taken_up = Instant::now();
        let now = Now { unix_seconds: unix_seconds(), monotonic_ns: nanoseconds(taken_up - *since) };
        let engine = engine.load();
        let leases = leases.pin();
        let mut replied = 0;
        for batch in batch.chunks(lqd_answer::BATCH_MAX) {
            count_sources(books, batch);
            let mut datagrams = [lqd_answer::Datagram::EMPTY; lqd_answer::BATCH_MAX];
            for (place, datagram) in datagrams.iter_mut().zip(batch) {
                *place = lqd_answer::Datagram { octets: datagram.payload, source: datagram.source };
            }
            engine.answer(limits, &leases, now, &datagrams[..batch.len()], |position, verdict| {
                let (mut outcome, mut asked) = (Outcome::DropReplyTooLong, Asked::Unread);
                match verdict {
                    Verdict::Silence(silent) => outcome = silent,
                    Verdict::Reply(reply) => {
                        asked = reply.asked();
                        replies.send(reply.to(), batch[position].local, |slot| {
                            let (len, written) = reply.write(slot);
                            outcome = written;
                            replied += u64::from(len > 0);
                            len
                        });
                    }
                }
                books.count(outcome, asked);
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

fn unix_seconds() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

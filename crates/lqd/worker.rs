//! One worker's corridor: datagrams from `lqd-net`, verdicts of `lqd-answer`, replies to `lqd-net`.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use crossbeam::channel::Sender;
use lqd_answer::{Engine, Limits, Now, Outcome, Verdict};
use lqd_index::Reader;
use lqd_net::{Datagram, Replies, Service};
use lqd_stats::Counters;

use crate::serve::Event;

/// One worker's datagrams by outcome, in the order of [`Outcome::TABLE`].
pub(crate) type OutcomeCounters = Counters<{ Outcome::TABLE.len() }>;

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
    /// Its counters.
    pub(crate) outcomes: Arc<OutcomeCounters>,
    /// To be told when it receives.
    pub(crate) events: Sender<Event>,
}

impl Service for Worker {
    fn started(&mut self) {
        // Nobody listens any more when the program ends.
        let _ = self.events.send(Event::WorkerStarted);
    }

    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        let engine = self.engine.load();
        let leases = self.leases.pin();
        let now = Now { unix_seconds: unix_seconds(), monotonic_ns: nanoseconds(self.since) };
        for batch in batch.chunks(lqd_answer::BATCH_MAX) {
            let mut datagrams = [lqd_answer::Datagram::EMPTY; lqd_answer::BATCH_MAX];
            for (place, datagram) in datagrams.iter_mut().zip(batch) {
                *place = lqd_answer::Datagram { octets: datagram.payload, source: datagram.source };
            }
            engine.answer(&mut self.limits, &leases, now, &datagrams[..batch.len()], |position, verdict| {
                let mut outcome = Outcome::DropReplyTooLong;
                match verdict {
                    Verdict::Silence(silent) => outcome = silent,
                    Verdict::Reply(reply) => replies.send(reply.to(), batch[position].local, |slot| {
                        let (len, written) = reply.write(slot);
                        outcome = written;
                        len
                    }),
                }
                self.outcomes.count(outcome as usize);
            });
        }
    }
}

/// The clock that rates are measured by, read once a batch; 584 years pass before it ends.
fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// The clock that lifetimes are measured by, read once a batch.
fn unix_seconds() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

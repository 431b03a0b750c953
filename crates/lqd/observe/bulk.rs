//! Counters of bulk leasequery, written by its threads.

use std::net::SocketAddrV6;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lqd_answer::QueryClass;
use lqd_answer::bulk::{BulkOutcome, FinishedQuery};
use lqd_stats::Counters;
use lqd_stream::{Closed, Handshake, Refused};
use serde_json::{Map, Value, json};

use super::active::ActiveLogState;

/// Number of outcomes of a bulk query.
const OUTCOMES: usize = BulkOutcome::TABLE.len();

/// Number of classes of queries.
const CLASSES: usize = QueryClass::COUNT;

/// Bulk leasequery: its addresses and all counters.
pub(crate) struct BulkState {
    /// Bound addresses.
    pub(crate) listen: Vec<SocketAddrV6>,
    /// Counters of connections.
    pub(crate) stream: Arc<lqd_stream::Counters>,
    /// Counters of queries, one set for each thread.
    pub(crate) threads: Vec<Arc<BulkCounters>>,
    /// Active leasequery, if it is offered.
    pub(crate) active: Option<Arc<ActiveLogState>>,
}

/// Counters of one thread, written by it alone and read by others.
#[derive(Default)]
pub(crate) struct BulkCounters {
    /// Queries by outcome and query class: position `outcome * CLASSES + class`.
    queries: Counters<{ OUTCOMES * CLASSES }>,
    bindings: AtomicU64,
    messages: AtomicU64,
}

impl BulkCounters {
    /// Counts a finished query; called by its thread only.
    pub(crate) fn count(&self, query: &FinishedQuery) {
        self.queries.count(query.outcome as usize * CLASSES + query.class as usize);
        self.bindings.fetch_add(query.bindings, Ordering::Relaxed);
        self.messages.fetch_add(query.messages, Ordering::Relaxed);
    }
}

impl BulkState {
    /// Returns the queries with each outcome.
    pub(super) fn by_outcome(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.queries();
        BulkOutcome::TABLE
            .iter()
            .enumerate()
            .map(move |(outcome, (_, name, _))| (*name, counts[outcome * CLASSES..][..CLASSES].iter().sum()))
    }

    /// Returns the queries with each class.
    pub(super) fn by_class(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.queries();
        let of_class = move |class: usize| counts.iter().skip(class).step_by(CLASSES).sum();
        QueryClass::BULK.iter().map(move |(class, name)| (*name, of_class(*class as usize)))
    }

    /// Returns the bindings that were sent.
    pub(super) fn bindings(&self) -> u64 {
        self.threads.iter().map(|thread| thread.bindings.load(Ordering::Relaxed)).sum()
    }

    /// Returns the messages that were sent.
    pub(super) fn messages(&self) -> u64 {
        self.threads.iter().map(|thread| thread.messages.load(Ordering::Relaxed)).sum()
    }

    fn queries(&self) -> [u64; OUTCOMES * CLASSES] {
        let mut sums = [0; OUTCOMES * CLASSES];
        for thread in &self.threads {
            sums.iter_mut().zip(thread.queries.read()).for_each(|(sum, count)| *sum += count);
        }
        sums
    }

    /// Returns the status of bulk leasequery.
    pub(super) fn json(&self) -> Value {
        let stream = &self.stream;
        let refused = Refused::ALL.iter().map(|reason| (reason.name(), stream.refused(*reason)));
        let closed = Closed::ALL.iter().map(|reason| (reason.name(), stream.closed(*reason)));
        let handshakes = Handshake::ALL.iter().map(|result| (result.name(), stream.handshakes(*result)));
        let (received, sent) = stream.octets();
        json!({
            "listen": self.listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "connections": {
                "open": stream.open(),
                "accepted": stream.accepted(),
                "refused": counts(refused),
                "closed": counts(closed),
                "accept_errors": stream.accept_errors(),
            },
            "tls_handshakes": counts(handshakes),
            "outcomes": counts(self.by_outcome()),
            "query_types": counts(self.by_class()),
            "bindings": self.bindings(),
            "messages": self.messages(),
            "received_octets": received,
            "sent_octets": sent,
            "active": self.active.as_ref().map(|active| active.json()),
        })
    }
}

pub(super) fn counts(counts: impl Iterator<Item = (&'static str, u64)>) -> Value {
    counts.map(|(name, count)| (name.to_owned(), count.into())).collect::<Map<_, _>>().into()
}

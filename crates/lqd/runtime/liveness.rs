//! Liveness of a worker, judged by the queues of its sockets and its receive counter.

use std::io;
use std::sync::Arc;

use lqd_net::{Intake, NetCounters, Socket};

/// Liveness of one worker.
pub(super) struct Liveness {
    intakes: Vec<Intake>,
    counters: Arc<NetCounters>,
    received_before: u64,
}

impl Liveness {
    /// Observes a worker by its sockets and counters.
    ///
    /// # Errors
    /// A socket cannot be duplicated.
    pub(super) fn new(sockets: &[Socket], counters: &Arc<NetCounters>) -> io::Result<Self> {
        let intakes = sockets.iter().map(Socket::intake).collect::<Result<_, _>>()?;
        Ok(Self { intakes, counters: Arc::clone(counters), received_before: 0 })
    }

    /// Returns whether the worker received datagrams since the previous call, or has none queued.
    pub(super) fn made_progress(&mut self) -> bool {
        let received = self.counters.received.get();
        let before = std::mem::replace(&mut self.received_before, received);
        // Idle is not stalled: without queued datagrams nothing has to be received.
        received != before || self.intakes.iter().all(Intake::is_empty)
    }

    /// Receiving ends of the worker's sockets.
    pub(super) fn intakes(&self) -> &[Intake] {
        &self.intakes
    }
}

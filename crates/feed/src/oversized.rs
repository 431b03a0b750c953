//! Reports of clients that hold more leases than one reply can carry.

use std::time::{Duration, Instant};

use lqd_index::{CLIENT_LEASES_MAX, Writer};
use tracing::{info, warn};

/// Shortest time between two reports.
const EVERY: Duration = Duration::from_secs(60);

/// The state last reported.
#[derive(Default)]
pub(crate) struct OversizedReport {
    clients: usize,
    at: Option<Instant>,
}

impl OversizedReport {
    /// Reports clients that became oversized by a load or a batch, and that none is any more.
    pub(crate) fn note(&mut self, writer: &Writer) {
        let clients = writer.oversized_count();
        if clients <= self.clients {
            // The end of the state is worth a line, as the operator acted on the first.
            if clients == 0 && self.clients > 0 {
                info!("no client holds more leases than one reply can carry any more");
            }
            self.clients = clients;
            return;
        }
        // Clients can grow with each batch, so lines are spaced in time.
        if self.at.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        let Some(largest) = writer.oversized().max_by_key(|client| client.leases) else { return };
        warn!(
            clients,
            largest = %largest,
            leases = largest.leases,
            limit = CLIENT_LEASES_MAX,
            "clients hold more leases than one reply can carry: queries about them get UnspecFail; \
             see why Kea gives so many leases to the DUID named as largest"
        );
        self.clients = clients;
        self.at = Some(Instant::now());
    }
}

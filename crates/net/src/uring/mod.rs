//! The io_uring back end: multishot receives into lent buffers, sends from the reply area, one ring per
//! worker.
//!
//! ```text
//! turn:  arm idle receives → io_uring_enter (submits the last turn's replies, waits) → take completions
//!        → serve arrivals, 64 at a time → give the buffers back → queue the replies → …
//! ```
//!
//! SendMsg, plain buffers, no SQPOLL, no huge pages: measured, see DESIGN.md.

mod buffers;
mod engine;
mod port;
mod restrict;
mod ring;
mod token;

use crate::{NetCounters, RunError, Service, Socket, StopSignal, WorkerSettings};

pub use ring::probe;

/// Serves until stopped; see [`Worker::run`](crate::Worker::run). Builds the ring on the calling thread, the
/// only one that may use it (IORING_SETUP_SINGLE_ISSUER).
pub(crate) fn run(
    settings: &WorkerSettings,
    sockets: &[Socket],
    stop: &StopSignal,
    counters: &NetCounters,
    service: &mut impl Service,
) -> Result<(), BackendError> {
    // The number of completions depends on the buffers, and an overflow would lose datagrams.
    let built = ring::build(ring::completions_max(settings.buffers));
    let mut ring = built.map_err(|error| BackendError::Setup(error.into()))?;
    let engine = engine::Engine::start(&mut ring, settings, sockets, stop, counters);
    engine.map_err(BackendError::Setup)?.run(service).map_err(BackendError::Serving)
}

/// An error of the back end, by the phase it came up in.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) enum BackendError {
    /// The ring could not be set up; no datagram was received.
    Setup(RunError),
    /// The worker failed while serving.
    Serving(RunError),
}

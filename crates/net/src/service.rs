//! The service that a worker calls.

use crate::{Datagram, Replies, RunError};

/// Turns batches of datagrams into replies, on the worker's thread.
pub trait Service {
    /// Called once the worker is pinned and its back end set up; it receives from then on.
    fn started(&mut self) {}

    /// Called before [`started`](Self::started) if io_uring cannot be set up and the worker uses
    /// [`Backend::Mmsg`](crate::Backend::Mmsg).
    fn fell_back(&mut self, _reason: &RunError) {}

    /// Serves 1..=[`BATCH_MAX`](crate::BATCH_MAX) datagrams of one socket, in order of arrival.
    ///
    /// May send any number of replies, to any destination; they leave in order, from the socket of the batch.
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>);
}

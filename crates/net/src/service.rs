//! The service that a worker calls.

use crate::{Datagram, Replies, RunError};

/// Turns batches of datagrams into replies. Runs on the worker's thread, which waits for it.
pub trait Service {
    /// Called once, when the worker is pinned and its back end set up: from now on it receives.
    fn started(&mut self) {}

    /// Called before [`started`](Self::started) if the worker serves by [`Backend::Mmsg`](crate::Backend::Mmsg)
    /// because io_uring cannot be set up for it.
    fn fell_back(&mut self, _reason: &RunError) {}

    /// Serves 1..=[`BATCH_MAX`](crate::BATCH_MAX) datagrams that came in on one socket, in order of arrival.
    ///
    /// Any number of replies may be sent, to anyone; they leave from the socket the batch came in on, in
    /// order.
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>);
}

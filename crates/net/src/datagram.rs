//! What a worker hands to its service, and the service itself.

use std::net::{Ipv6Addr, SocketAddrV6};

use crate::{Replies, RunError};

/// Most datagrams in one call of [`Service::serve`].
///
/// One UDP_GRO aggregate of the kernel holds as many, and so many interleaved look-ups hide the memory's
/// latency.
pub const BATCH_MAX: usize = 64;

/// Longest UDP payload over IPv6 without jumbograms, octets: 65,535 (RFC 8200 §3) less 8 of UDP header.
pub const REPLY_LEN_MAX: usize = 65_527;

/// Where a datagram arrived: the address that was asked and the interface it came in on (RFC 3542 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Destination address of the datagram; a multicast group when it was sent to one.
    pub address: Ipv6Addr,
    /// Index of the interface the datagram came in on.
    pub interface: u32,
}

/// One received datagram, whole: truncated ones never get here.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// UDP payload, 0..=65,527 octets.
    pub payload: &'a [u8],
    /// Sender; its scope id is set when the address is link-local.
    pub source: SocketAddrV6,
    /// Where it arrived; give it back in [`Replies::send`].
    pub local: Local,
}

impl Datagram<'_> {
    /// Fills the unused tail of a batch array.
    pub(crate) const EMPTY: Self = Datagram {
        payload: &[],
        source: SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0),
        local: Local { address: Ipv6Addr::UNSPECIFIED, interface: 0 },
    };
}

/// Turns batches of datagrams into replies. Runs on the worker's thread, which waits for it.
pub trait Service {
    /// Called once, when the worker is pinned and its back end set up: from now on it receives.
    fn started(&mut self) {}

    /// Called before [`started`](Self::started) if the worker serves by [`Backend::Mmsg`](crate::Backend::Mmsg)
    /// because io_uring cannot be set up for it.
    fn fell_back(&mut self, _reason: &RunError) {}

    /// Serves 1..=[`BATCH_MAX`] datagrams that came in on one socket, in order of arrival.
    ///
    /// Any number of replies may be sent, to anyone; they leave from the socket the batch came in on, in
    /// order.
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>);
}

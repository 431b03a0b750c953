//! Datagrams as a worker hands them to its service.

use std::net::{Ipv6Addr, SocketAddrV6};

/// Most datagrams in one call of [`Service::serve`](crate::Service::serve).
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
    /// Where it arrived; give it back in [`Replies::send`](crate::Replies::send).
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

//! Datagrams as a worker passes them to its service.

use std::net::{Ipv6Addr, SocketAddrV6};

/// Maximum of datagrams in one call of [`Service::serve`](crate::Service::serve).
///
/// A UDP_GRO aggregate holds up to as many, and that many interleaved lookups hide the latency of memory.
pub const BATCH_MAX: usize = 64;

/// Longest UDP payload over IPv6 without jumbograms, octets: 65,535 (RFC 8200 §3) less 8 of UDP header.
pub const REPLY_LEN_MAX: usize = 65_527;

/// Destination address and receiving interface of a datagram (RFC 3542 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// Destination address; a multicast group if the datagram was sent to one.
    pub address: Ipv6Addr,
    /// Index of the receiving interface.
    pub interface: u32,
}

/// A received datagram; truncated ones are dropped before.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// UDP payload, 0..=65,527 octets.
    pub payload: &'a [u8],
    /// Sender; its scope id is set when the address is link-local.
    pub source: SocketAddrV6,
    /// Destination and interface, to pass to [`Replies::send`](crate::Replies::send).
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

//! Removal of a lease by its source.

use std::net::Ipv6Addr;

/// Event that ended a lease, as far as its source tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemovalReason {
    /// The valid lifetime is over.
    Expired,
    /// The client released it (RFC 8415 §18.3.7).
    Released,
    /// The client declined it: another host uses the address (RFC 8415 §18.3.8).
    Declined,
    /// The lease expired, and the server reclaimed it.
    Reclaimed,
    /// Another lease took its place: of another client, or of another prefix length.
    Replaced,
    /// The source no longer has it, and does not tell why.
    Gone,
}

/// Removal of the lease with this address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The lease's address as its source wrote it.
    pub address: Ipv6Addr,
    /// Event that ended it.
    pub reason: RemovalReason,
    /// Time of the event, or the last time before it that the source tells: seconds since 1970-01-01 UTC on
    /// the source's clock.
    pub time: Option<u32>,
}

impl Removal {
    /// A removal of which only the address is known.
    pub fn gone(address: Ipv6Addr) -> Self {
        Self { address, reason: RemovalReason::Gone, time: None }
    }
}

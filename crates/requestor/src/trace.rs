//! Events for observers of the traffic.

use std::net::SocketAddrV6;
use std::sync::Arc;

use lqd_wire::TransactionId;

use crate::IgnoreReason;

/// One event. Octets are whole datagrams with their relay hops, or the
/// messages in the frames of a TCP connection.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A TCP connection that was established (RFC 5460 §6.1).
    Connected {
        /// The server.
        to: SocketAddrV6,
    },
    /// The end of a TCP connection.
    Disconnected {
        /// The server.
        from: SocketAddrV6,
        /// The reason.
        why: &'a str,
    },
    /// A transmission of a query.
    Sent {
        /// The destination.
        to: SocketAddrV6,
        /// The transaction-id.
        id: TransactionId,
        /// Number of this transmission, from 1.
        transmission: u32,
        /// Most transmissions of this query.
        transmissions_max: u32,
        /// The datagram.
        octets: &'a [u8],
    },
    /// A query that could not be sent.
    NotSent {
        /// The destination.
        to: SocketAddrV6,
        /// The transaction-id.
        id: TransactionId,
        /// The system's error.
        error: &'a str,
    },
    /// A received answer that is used.
    Accepted {
        /// Address that it came from.
        from: SocketAddrV6,
        /// The transaction-id.
        id: TransactionId,
        /// The datagram.
        octets: &'a [u8],
    },
    /// A received datagram that is not used.
    Ignored {
        /// Address that it came from.
        from: SocketAddrV6,
        /// The reason.
        reason: &'a IgnoreReason,
        /// The datagram.
        octets: &'a [u8],
    },
    /// An error in receiving; the requestor goes on.
    ReceiveFailed {
        /// The system's error.
        error: &'a str,
    },
}

/// Callback for events. It runs in the requestor's tasks, so it must be quick and must not block.
pub type Observer = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

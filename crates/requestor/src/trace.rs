//! What happens on the wire, told as it happens.

use std::net::SocketAddrV6;
use std::sync::Arc;

use lqd_wire::TransactionId;

use crate::Ignored;

/// One event. Octets are whole datagrams, relay levels included.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A query was sent.
    Sent {
        /// To whom.
        to: SocketAddrV6,
        /// Its transaction-id.
        id: TransactionId,
        /// Which transmission this is, from 1.
        transmission: u32,
        /// How many there may be.
        transmissions_max: u32,
        /// The datagram.
        octets: &'a [u8],
    },
    /// A query could not be sent.
    NotSent {
        /// To whom.
        to: SocketAddrV6,
        /// Its transaction-id.
        id: TransactionId,
        /// What the system says.
        error: &'a str,
    },
    /// An answer was received and is used.
    Accepted {
        /// From whom.
        from: SocketAddrV6,
        /// Its transaction-id.
        id: TransactionId,
        /// The datagram.
        octets: &'a [u8],
    },
    /// A datagram was received and is not used.
    Ignored {
        /// From whom.
        from: SocketAddrV6,
        /// Why.
        reason: &'a Ignored,
        /// The datagram.
        octets: &'a [u8],
    },
    /// The socket failed to receive; the requestor goes on.
    ReceiveFailed {
        /// What the system says.
        error: &'a str,
    },
}

/// Who is told of events. Called from the requestor's tasks: it must be quick and must not block.
pub type Observer = Arc<dyn Fn(&Event<'_>) + Send + Sync>;

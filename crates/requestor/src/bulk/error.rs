//! Errors of a connection and of a server's octets.

use std::io;
use std::net::SocketAddrV6;
use std::time::Duration;

use lqd_wire::{FrameError, MessageType, TransactionId};

use super::TlsError;
use crate::IgnoreReason;

/// Octets after which a connection is of no use: close it (RFC 5460 §6.3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A frame too short for a message.
    #[error("{0}")]
    Frame(#[from] FrameError),
    /// A LEASEQUERY-REPLY or LEASEQUERY-DONE that is not valid (RFC 5007 §4.2.2).
    #[error("{0:?} is invalid: {1}")]
    Invalid(MessageType, IgnoreReason),
    /// A message type that no server sends to a bulk requestor.
    #[error("message type {0:?} in a bulk answer (RFC 5460 §5.2)")]
    UnexpectedType(MessageType),
    /// A LEASEQUERY-DONE whose transaction-id is of no open query (RFC 5460 §6.3).
    #[error("LEASEQUERY-DONE with transaction-id {0:?}, which is of no open query (RFC 5460 §6.3)")]
    UnknownDone(TransactionId),
    /// A second LEASEQUERY-REPLY to one query.
    #[error("a second LEASEQUERY-REPLY to query {0:?} (RFC 5460 §5.2)")]
    SecondReply(TransactionId),
    /// A message that must follow a LEASEQUERY-REPLY.
    #[error("{0:?} without LEASEQUERY-REPLY before it (RFC 5460 §5.2.1)")]
    BeforeReply(MessageType),
    /// The end of the connection inside a frame.
    #[error("the connection ended inside a message, after {0} octets of its frame")]
    Cut(usize),
    /// The end of the connection with queries open.
    #[error("the server closed the connection before the answer was complete (RFC 5460 §6.3.1)")]
    Closed,
}

/// The reason why a connection is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A local address or port that cannot be used.
    #[error("cannot open a TCP socket at {address}: {source}")]
    Bind {
        /// The local address.
        address: SocketAddrV6,
        /// The system's error.
        source: io::Error,
    },
    /// A query that is longer than a frame.
    #[error("the query is longer than a message; request fewer options")]
    TooLong,
    /// A connection that was not established.
    #[error("cannot connect to {server}: {source}; does the server offer bulk leasequery there?")]
    Connect {
        /// The server.
        server: SocketAddrV6,
        /// The system's error.
        source: io::Error,
    },
    /// No progress within the data timeout (RFC 5460 §6.3).
    #[error("{server} {}", stalled(*.while_connecting, *.after))]
    TimedOut {
        /// The server.
        server: SocketAddrV6,
        /// Whether there was no connection yet.
        while_connecting: bool,
        /// The timeout.
        after: Duration,
    },
    /// A connection that broke.
    #[error("connection to {server}: {source}")]
    Broken {
        /// The server.
        server: SocketAddrV6,
        /// The system's error.
        source: io::Error,
    },
    /// Octets of the server that end the connection.
    #[error("{server}: {error}")]
    Protocol {
        /// The server.
        server: SocketAddrV6,
        /// The error.
        error: ProtocolError,
    },
    /// TLS that was asked for and did not begin, or that the server ended for its own reasons.
    #[error("{server}: {error}")]
    Tls {
        /// The server.
        server: SocketAddrV6,
        /// The error.
        error: TlsError,
    },
}

fn stalled(while_connecting: bool, after: Duration) -> String {
    let seconds = after.as_secs_f64();
    if while_connecting {
        format!("did not accept the connection within {seconds} s")
    } else {
        format!("sent no whole message for {seconds} s")
    }
}

//! Reasons for ignoring a received datagram, typed so that a trace can show them and a test can check them.

use std::net::SocketAddrV6;

use lqd_wire::{MessageType, ParseError, TransactionId};

use crate::Duid;

/// The reason for ignoring a datagram. The exchange goes on as if it had not come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IgnoreReason {
    /// A datagram too short for any message.
    #[error("too short for a DHCPv6 message")]
    Empty,
    /// A LEASEQUERY, which only servers accept (RFC 5007 §4.2.1).
    #[error("a LEASEQUERY, which only servers accept (RFC 5007 §4.2.1)")]
    Leasequery,
    /// A message type other than LEASEQUERY-REPLY and its relay wrapping.
    #[error("message type {0:?} instead of LEASEQUERY-REPLY")]
    OtherMessage(MessageType),
    /// Options that do not parse.
    #[error("malformed: {0}")]
    Malformed(ParseError),
    /// No OPTION_SERVERID (RFC 5007 §4.2.2).
    #[error("no server-id (RFC 5007 §4.2.2)")]
    NoServerId,
    /// No OPTION_CLIENTID (RFC 5007 §4.2.2).
    #[error("no client-id (RFC 5007 §4.2.2)")]
    NoClientId,
    /// An OPTION_CLIENTID other than this requestor's DUID (RFC 5007 §4.2.2).
    #[error("the client-id is another requestor's (RFC 5007 §4.2.2)")]
    OtherClientId,
    /// An answer of another server than the one the query names.
    #[error("by server {0}, but the query names another one")]
    OtherServer(Duid),
    /// A transaction-id of no query of this requestor (RFC 5007 §4.2.2).
    #[error("transaction-id {0:?} belongs to no query of ours (RFC 5007 §4.2.2)")]
    OtherTransaction(TransactionId),
    /// A transaction-id whose exchange has ended.
    #[error("late: the exchange {0:?} had ended")]
    Late(TransactionId),
    /// A second answer of the same server.
    #[error("duplicate: this server has answered already")]
    Duplicate,
    /// An answer from an address that was not queried.
    #[error("from an address that was not queried")]
    OtherSource(SocketAddrV6),
    /// A relay wrapping other than the one sent.
    #[error("in other relay hops than those sent (RFC 8415 §19.3)")]
    OtherRelay,
    /// A datagram beyond the exchange's queue.
    #[error("too many datagrams at once for this exchange")]
    Flood,
}

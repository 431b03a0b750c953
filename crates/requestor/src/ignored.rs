//! Why a received datagram is no answer. Each reason is a type, so that a trace can say it and a test can ask for it.

use std::net::SocketAddrV6;

use lqd_wire::{MessageType, ParseError, TransactionId};

use crate::Duid;

/// Why a datagram was ignored. The exchange goes on as if it had not come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ignored {
    /// Too short for any message.
    #[error("too short for a DHCPv6 message")]
    Empty,
    /// A LEASEQUERY: only servers take those (RFC 5007 §4.2.1).
    #[error("a LEASEQUERY, which only servers take (RFC 5007 §4.2.1)")]
    Leasequery,
    /// Neither LEASEQUERY-REPLY nor what it may be wrapped in.
    #[error("message type {0:?} where LEASEQUERY-REPLY was due")]
    OtherMessage(MessageType),
    /// Its options do not parse.
    #[error("malformed: {0}")]
    Malformed(ParseError),
    /// No OPTION_SERVERID (RFC 5007 §4.2.2).
    #[error("no server-id (RFC 5007 §4.2.2)")]
    NoServerId,
    /// No OPTION_CLIENTID (RFC 5007 §4.2.2).
    #[error("no client-id (RFC 5007 §4.2.2)")]
    NoClientId,
    /// OPTION_CLIENTID is not this requestor's DUID (RFC 5007 §4.2.2).
    #[error("the client-id is another requestor's (RFC 5007 §4.2.2)")]
    OtherClientId,
    /// The query named one server, and this is another.
    #[error("by server {0}, but another one was named in the query")]
    OtherServer(Duid),
    /// No query of this requestor has this transaction-id (RFC 5007 §4.2.2).
    #[error("transaction-id {0:?} is none of ours (RFC 5007 §4.2.2)")]
    OtherTransaction(TransactionId),
    /// The exchange with this transaction-id has ended.
    #[error("late: the exchange {0:?} had ended")]
    Late(TransactionId),
    /// This server's answer is here already.
    #[error("duplicate: this server has answered already")]
    Duplicate,
    /// From an address that was not asked.
    #[error("from an address that was not asked")]
    OtherSource(SocketAddrV6),
    /// The relay levels are not the ones that were sent.
    #[error("in other relay levels than those sent (RFC 8415 §19.3)")]
    OtherRelay,
    /// More datagrams at once than the exchange takes.
    #[error("too many datagrams at once for this exchange")]
    Flood,
}

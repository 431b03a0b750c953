//! DHCPv6 and leasequery on the wire (RFC 8415, RFC 5007, RFC 5460, RFC 7653): parsed in place, written into
//! the caller's buffer.
//!
//! Allocates nothing and trusts no length. [`Options`] walks an option list; errors carry their offset.
//! [`Message`], [`Relay`] and [`Query`] are views of the caller's octets. [`Writer`] builds nested options
//! and fills in their lengths; [`Free`] is its unwritten end, for the options in every packet. The caller
//! decides whether an error means discard, refuse or ignore.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

#[cfg(test)]
extern crate std;

mod address;
mod code;
mod duid;
mod frame;
mod free;
pub mod hex;
mod message;
mod option;
mod query;
mod relay_header;
mod reply;
mod time;
mod write;

pub use address::{IaAddress, IaPrefix};
pub use code::{MessageType, OptionCode, QueryType, StatusCode};
pub use duid::Duid;
pub use frame::{Frame, FrameError, MESSAGE_LEN_MAX};
pub use free::Free;
pub use message::{Message, Relay, TransactionId};
pub use option::{Options, ParseError, ParseErrorKind};
pub use query::{OptionRequest, Query};
pub use relay_header::RelayHeader;
pub use reply::{ClientLinks, RelayData, Status};
pub use time::LqTime;
pub use write::{NoRoomError, Writer};

/// UDP port of servers and relay agents (RFC 8415 §7.2), and TCP port of servers (RFC 5460 §5.6).
pub const SERVER_PORT: u16 = 547;

/// Most relay hops of a message: hop-counts 0 to 32, the HOP_COUNT_LIMIT of RFC 3315 §5.5.
///
/// RFC 8415 §7.6 has 8, hence 9 hops: a relay agent forwards while hop-count is below the limit (§19.1.2).
pub const RELAY_HOPS_MAX: usize = 33;

/// Longest payload of a UDP datagram over IPv6, in octets: 65,535 less the UDP header.
pub const DATAGRAM_LEN_MAX: usize = 65_527;

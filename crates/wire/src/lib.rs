//! DHCPv6 octets as leasequery needs them (RFC 5007, RFC 8415): parsed in place, written into the caller's buffer.
//!
//! Nothing here allocates, copies more than it must, or trusts a length. Three shapes carry everything:
//! [`Options`] walks an option list and reports the first fault with its offset, the message types ([`Message`],
//! [`Relay`], [`Query`]) are views of the caller's octets, and [`Writer`] builds nested options whose lengths fill
//! themselves in; [`Free`] is its free end, for what is written for every packet. What a fault *means* (discard,
//! refuse, ignore) is not decided here.
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
mod free;
pub mod hex;
mod message;
mod option;
mod query;
mod relay_header;
mod reply;
mod write;

pub use address::{IaAddress, IaPrefix};
pub use code::{MessageType, OptionCode, QueryType, StatusCode};
pub use duid::Duid;
pub use free::Free;
pub use message::{Message, Relay, TransactionId};
pub use option::{Options, ParseError, ParseFault};
pub use query::{OptionRequest, Query};
pub use relay_header::RelayHeader;
pub use reply::{ClientLinks, RelayData, Status};
pub use write::{NoRoom, Writer};

/// UDP port of servers and relay agents (RFC 8415 §7.2).
pub const SERVER_PORT: u16 = 547;

/// Most relay levels around a message: hop-counts 0 to 32, the HOP_COUNT_LIMIT of RFC 3315 §5.5. RFC 8415 §7.6 has 8,
/// which makes 9 levels (§19.1.2: a relay agent adds its level where hop-count is below the limit).
pub const RELAY_LEVELS_MAX: usize = 33;

/// Most octets that one UDP datagram over IPv6 carries: 65,535 less the UDP header.
pub const DATAGRAM_LEN_MAX: usize = 65_527;

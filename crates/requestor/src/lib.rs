//! A DHCPv6 Leasequery requestor (RFC 5007 §4.3), complete, for authors of access concentrators.
//!
//! An access concentrator that lost its bindings, or sees an unknown source address, asks the DHCPv6 servers:
//!
//! ```no_run
//! use lqd_requestor::{AddressOrPrefix, OptionCode, Plan, Query, Requestor, Settings, load_or_create};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let own = load_or_create("/var/lib/concentrator/duid".as_ref())?;
//! let requestor = Requestor::bind(own, Settings::default())?;
//! let servers = Plan::together(["[2001:db8::1]:547".parse()?, "[2001:db8::2]:547".parse()?]);
//!
//! let query = Query::by_address("2001:db8:100::7".parse()?).requesting([OptionCode::LQ_RELAY_DATA]);
//! let lookup = requestor.ask(&query, &servers).await?;
//! match lookup.outcome {
//!     Ok(clients) if clients.is_empty() => println!("no binding: deny"),
//!     Ok(clients) => {
//!         for lease in clients.iter().flat_map(|client| &client.leases) {
//!             let until = lease.valid_until();
//!             match lease.lease.resource {
//!                 AddressOrPrefix::Address(address) => println!("{address} until {until:?}"),
//!                 AddressOrPrefix::Prefix(prefix) => println!("route to {prefix} until {until:?}"),
//!             }
//!         }
//!     }
//!     Err(error) => println!("unknown, keep the present state: {error}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Requestor::ask`] sends and retransmits (§4.3.2), validates answers (§4.2.2), queries each link of a
//! client that is on several (§4.3.3), and merges the answers of several servers (§4.3.4). [`Settings`] adds
//! negative caching and access networks (§5) for requestors that run for long. For another event loop, use
//! the parts: [`Query::encode`] and [`Reply::parse`] for octets, [`Transaction`] for the state machine of one
//! query without clock and socket, [`merge()`] for the merge.
//!
//! [`bulk`] has the requestor of bulk leasequery (RFC 5460): all bindings of a relay agent, of a remote-id or
//! of a link, over TCP. [`follow`] keeps a table equal to a server's bindings (RFC 7653).
//!
//! **Silence never becomes "no binding".** An empty result means that every responsible server that was
//! queried said so. Every other absence of a result is a [`LookupError`], which names server and reason.
#![forbid(unsafe_code)]

pub mod bulk;
mod client_data;
mod deviation;
mod domain_name;
mod duid;
mod error;
pub mod follow;
mod identity;
mod ignore_reason;
mod lookup;
mod merge;
mod negative_cache;
mod plan;
mod query;
mod registry;
mod relay;
mod relay_data;
mod reply;
mod requestor;
mod retransmission;
mod socket;
mod trace;
mod transaction;

pub use client_data::{AddressOrPrefix, ClientData, Lease, LinkLayerAddress, RawOption, option_text};
pub use deviation::Deviation;
pub use domain_name::Fqdn;
pub use duid::{Duid, DuidError, DuidKind};
pub use error::{Error, LookupError};
pub use identity::{IdentityError, load_or_create};
pub use ignore_reason::IgnoreReason;
pub use lookup::Lookup;
pub use lqd_wire::{
    LqTime, MessageType, OptionCode, ParseError, QueryType, SERVER_PORT, StatusCode, TransactionId,
};
pub use merge::{ClientOnLink, MergedLease, Source, merge};
pub use negative_cache::NegativeCache;
pub use plan::{ALL_DHCP_RELAY_AGENTS_AND_SERVERS, ALL_DHCP_SERVERS, Plan};
pub use query::{Query, Target};
pub use registry::{enterprise_name, hardware_name};
pub use relay::{RelayHop, RelayPath, Unwrapped};
pub use relay_data::{RelayAgent, RelayChain, RemoteId, RemoteIdError};
pub use reply::{Content, Reply, Status};
pub use requestor::{Requestor, Settings};
pub use retransmission::{RAND_MAX, Timers};
pub use socket::interface_index;
pub use trace::{Event, Observer};
pub use transaction::{Answer, Exchange, Expected, SilentServer, Step, Transaction};

#[cfg(test)]
mod tests;

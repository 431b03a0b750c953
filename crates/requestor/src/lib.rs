//! A DHCPv6 Leasequery requestor: the whole of RFC 5007 §4.3, for those who build access concentrators.
//!
//! An access concentrator that lost its bindings, or sees a source address that it does not know, asks the DHCPv6
//! servers who holds it:
//!
//! ```no_run
//! use lqd_requestor::{Binding, OptionCode, Plan, Query, Requestor, Settings, load_or_create};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let own = load_or_create("/var/lib/concentrator/duid".as_ref())?;
//! let requestor = Requestor::bind(own, Settings::default())?;
//! let servers = Plan::together(["[2001:db8::1]:547".parse()?, "[2001:db8::2]:547".parse()?]);
//!
//! let query = Query::by_address("2001:db8:100::7".parse()?).requesting([OptionCode::LQ_RELAY_DATA]);
//! let lookup = requestor.ask(&query, &servers).await?;
//! match lookup.outcome {
//!     Ok(clients) if clients.is_empty() => println!("nobody holds it: deny"),
//!     Ok(clients) => {
//!         for lease in clients.iter().flat_map(|client| &client.leases) {
//!             match lease.lease.binding {
//!                 Binding::Address(address) => println!("{address} until {:?}", lease.valid_until()),
//!                 Binding::Prefix(prefix) => println!("route to {prefix} until {:?}", lease.valid_until()),
//!             }
//!         }
//!     }
//!     Err(failure) => println!("not known, keep what there is: {failure}"),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Requestor::ask`] sends, sends again (§4.3.2), judges what comes (§4.2.2), asks each link of a client that is on
//! several (§4.3.3), and merges what several servers say (§4.3.4). [`Settings`] has the rest of what the RFC asks of
//! a requestor that runs for long: negative caching and access networks (§5). The parts stand alone where another
//! event loop is wanted: [`Query::encode`] and [`Reply::parse`] are octets, [`Transaction`] is the state machine of one
//! query without clock and socket, [`merge()`] is a function.
//!
//! **"No binding" is never made of silence.** A lookup's empty result means that every server that was asked and is
//! responsible said so. Everything else that is no result is a [`Failure`], with who and why.
#![forbid(unsafe_code)]

mod client_data;
mod deviation;
mod domain_name;
mod duid;
mod error;
mod identity;
mod ignored;
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

pub use client_data::{Binding, ClientData, Lease, LinkLayerAddress, RawOption, option_text};
pub use deviation::Deviation;
pub use domain_name::Fqdn;
pub use duid::{Duid, DuidError, DuidKind};
pub use error::{Error, Failure};
pub use identity::{IdentityError, load_or_create};
pub use ignored::Ignored;
pub use lookup::Lookup;
pub use lqd_wire::{MessageType, OptionCode, ParseError, QueryType, SERVER_PORT, StatusCode, TransactionId};
pub use merge::{ClientOnLink, MergedLease, Source, merge};
pub use negative_cache::NegativeCache;
pub use plan::{ALL_DHCP_RELAY_AGENTS_AND_SERVERS, ALL_DHCP_SERVERS, Plan};
pub use query::{Query, Target};
pub use registry::{enterprise_name, hardware_name};
pub use relay::{RelayLevel, RelayPath, Unwrapped};
pub use relay_data::{RelayAgent, RelayChain, RemoteId};
pub use reply::{Content, Reply, Status};
pub use requestor::{Requestor, Settings};
pub use retransmission::{RAND_MAX, Timers};
pub use socket::interface_index;
pub use trace::{Event, Observer};
pub use transaction::{Answer, Exchange, Expected, Silent, Step, Transaction};

#[cfg(test)]
mod tests;

//! The requestor of bulk leasequery (RFC 5460 §6): many clients in answer to one query, over TCP.
//!
//! ```no_run
//! use lqd_requestor::bulk::{Connection, Query, Settings, Target};
//! use lqd_requestor::{OptionCode, load_or_create};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let own = load_or_create("/var/lib/concentrator/duid".as_ref())?;
//! let relay_id = "00:03:00:01:02:00:5e:10:00:01".parse()?;
//! let query = Query::new(Target::RelayId(relay_id)).requesting([OptionCode::LQ_RELAY_DATA]);
//!
//! let mut connection = Connection::open("[2001:db8::1]:547".parse()?, own, Settings::default()).await?;
//! connection.ask(&query).await?;
//! while let Some(message) = connection.next().await? {
//!     for lease in message.data.iter().flat_map(|client| &client.leases) {
//!         println!("route to {}", lease.resource);
//!     }
//!     if let Some(completion) = message.completion {
//!         println!("complete: {}, {} bindings", completion.is_whole(), completion.tally.bindings);
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Connection`] drives a [`Session`] over tokio. For another event loop use the session: octets in,
//! messages out, no clock and no socket. Both hold one frame of a server at most, however long its answer is.
//!
//! **A part of an answer never looks whole.** Only a [`Completion`] of which [`Completion::is_whole`] is true
//! proves that every binding came.

mod connection;
mod error;
mod message;
mod open_query;
mod query;
mod session;
mod start_tls;
mod tls;

pub use connection::{Connection, DATA_TIMEOUT, Settings};
pub use error::{Error, ProtocolError};
pub use message::{Completion, Message, Outcome, Tally};
pub use query::{Query, Target};
pub use session::{Received, Session};
pub use start_tls::TlsError;
pub use tls::{Tls, TlsFileError, TlsPart};

//! RFC 5007, server side: a batch of datagrams in, one named [`Outcome`] and at most one reply for each out.
//!
//! Reads no clock, opens no socket, allocates nothing: the same arguments give the same replies, for ever.
//!
//! ```text
//!         ┌─► access ────────────────► outcome, refusal, policy
//! udp ────┼─► query ──────► select ──► access, outcome, refusal
//!         └─► client_data ► select
//! ```
//! `access` says who may ask what, and how often. `query` is the table of query kinds: each reads its subject, looks it
//! up and decides which bindings answer. `select` tells bindings by link, and those that a requestor may see.
//! `client_data` writes them. `udp` runs batches of datagrams through all of that.
#![forbid(unsafe_code)]

mod access;
mod client_data;
mod outcome;
mod policy;
mod query;
mod refusal;
mod select;
mod udp;

pub use access::{Access, AccessFault, Deny, Limits, QueryTypes, RATE_MAX, ROWS_MAX, Rate, Relayed, Rights};
pub use outcome::Outcome;
pub use policy::{Policy, Unbound};
pub use query::{QueryClass, QueryKind, Subject};
pub use udp::{BATCH_MAX, Datagram, Engine, Now, Reply, Verdict};

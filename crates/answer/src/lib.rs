//! RFC 5007, server side: a batch of datagrams in, one named [`Outcome`] and at most one reply for each out.
//!
//! Reads no clock, opens no socket, allocates nothing: equal arguments give equal replies.
//!
//! ```text
//!         ┌─► access ────────────────► outcome, refusal, policy
//! udp ────┼─► query ──────► select ──► access, outcome, refusal
//!         └─► client_data ► select
//! ```
//! - `access`: rules and rate limits of requestors.
//! - `query`: the table of query kinds; each kind parses its subject, looks it up and decides the reply.
//! - `select`: the bindings on a link, and those that a requestor may see.
//! - `client_data`: the writer of OPTION_CLIENT_DATA.
//! - `udp`: the batch engine, from datagrams to replies.
//! - `bulk`: sessions of bulk leasequery over TCP (RFC 5460), octets in and octets out.
#![forbid(unsafe_code)]

mod access;
pub mod bulk;
mod client_data;
mod outcome;
mod policy;
mod query;
mod refusal;
mod select;
mod udp;

pub use access::{Access, AccessError, Deny, Limits, QueryTypes, RATE_MAX, RULES_MAX, Rate, Relayed, Rights};
pub use outcome::Outcome;
pub use policy::{NoBindingPolicy, Policy, PolicyError};
pub use query::{QueryClass, QueryKind, Subject};
pub use udp::{BATCH_MAX, Datagram, Engine, Now, Reply, Verdict};

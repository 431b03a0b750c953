//! Leases, queries and lease-file rows for the benches: the same ones on every machine, from a client's
//! number alone.
//!
//! The load generator has a maker of leases of its own (`lqload make-leases`), which writes files for
//! programs that run side by side. Benches need the same kind of data inside one process, in the shape of
//! each crate's input, and must not change when the load generator does; so they have this small one.
//!
//! ```text
//! network   client number → DUID, address, prefix, link
//! leases    clients → batches and links of the index
//! rows      clients → text of a Kea lease file
//! query     clients → LEASEQUERY messages by kind
//! codec     one query read, one reply written
//! engine    a batch of queries answered
//! server_lines  what a server says while it starts
//! ```
#![forbid(unsafe_code)]

pub mod codec;
pub mod engine;
pub mod leases;
pub mod lookups;
pub mod network;
pub mod query;
pub mod rows;
pub mod server_lines;

/// The moment at which all benches take place, UNIX seconds: all leases are valid then.
pub const NOW: u32 = 1_800_000_000;

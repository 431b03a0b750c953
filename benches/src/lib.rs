//! Leases, queries and lease-file rows for the benches: computed from the number of a client, the same on
//! every machine.
//!
//! The load generator makes leases too (`lqload make-leases`), as files for separate programs. Benches need
//! the same kind of data inside one process, in the form of each crate's input, and must not change with the
//! load generator; hence this small generator.
//!
//! ```text
//! network   client number → DUID, address, prefix, link
//! leases    clients → batches and links of the index
//! rows      clients → text of a Kea lease file
//! query     clients → LEASEQUERY messages by kind
//! codec     a query read, a reply written
//! engine    a batch of queries answered
//! lookups   a batch of lookups in the index
//! server_lines  start-up lines of a server
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

/// Time of all benches, UNIX seconds: all leases are valid then.
pub const NOW: u32 = 1_800_000_000;

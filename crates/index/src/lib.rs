//! The leases of a DHCPv6 server in memory: read by many workers, written by one feed.
//!
//! ```text
//! address ── trie ──┐
//!                   ├─ client number ── record: DUID, bindings, options
//! DUID ── DUID map ─┘
//! link-address, subnet id ── links
//! ```
//! A [`Writer`] replaces all leases ([`Writer::replace`]) or applies changes ([`Writer::apply`]); [`Reader`]s pin the
//! [`Store`] once a batch and look a whole batch up. What that promises is written down in `store.rs`, where the
//! octets go in `arena.rs`, `record.rs`, `trie.rs` and `duids.rs`.
#![forbid(unsafe_code)]

mod arena;
mod bulk;
mod clients;
mod duids;
mod epoch;
mod lease;
mod links;
mod look_up;
mod prefixes;
mod record;
mod store;
mod tables;
mod trie;
mod writer;

pub use lease::{Batch, Change, DUID_LEN_MAX, INFINITY, Lease, LeaseFault, LeaseKind};
pub use links::{Link, LinkId, Links, LinksFault, Subnet};
pub use prefixes::{Prefix, Prefixes};
pub use record::{Binding, Client, StoredOption, StoredOptions};
pub use store::{Found, LookUp, Pinned, READERS_MAX, Reader, Store, Summary};
pub use writer::{Applied, Writer};

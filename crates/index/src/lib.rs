//! The leases of a DHCPv6 server in memory: read by many workers, written by one feed.
//!
//! ```text
//! address ── trie of prefix lengths ── map by address ──┐
//!                                                       ├─ client number ── record: DUID, bindings, options
//! DUID ──────────────────────────────── map by DUID ────┘
//! link-address, subnet id ── links
//! ```
//! A [`Writer`] replaces all leases ([`Writer::replace`]) or applies changes ([`Writer::apply`]); [`Reader`]s
//! pin the [`Store`] once a batch and look up a whole batch; a [`Cursor`] scans clients. `store.rs` gives the
//! concurrency contract; `tables.rs`, `arena.rs`, `record.rs`, `map.rs` and `trie.rs` the layout of memory.
//! Unsafe code is in `pages.rs` and `prefetch.rs` alone.
#![deny(unsafe_code)]

mod arena;
mod bulk;
mod changes;
mod clients;
mod cursor;
mod epoch;
mod lease;
mod lease_options;
mod limits;
mod links;
mod loader_threads;
mod lookup;
mod map;
mod octets;
mod options;
mod pages;
mod prefetch;
mod prefixes;
mod record;
mod removal;
mod room;
mod secondary;
mod store;
mod tables;
mod template;
mod trie;
mod writer;
mod written;

pub use bulk::Loader;
pub use changes::{
    ChangeLog, ChangeLogLimits, ChangeLogStatistics, ChangeObserver, Changes, Difference, ExpiryWatch,
    FormerLease, LeaseChange, LogChunk, LoggedChange, LoggedEvent, LoggedLease, OverrunError, RemovedLease,
    SweepProgress,
};
pub use cursor::{Cursor, ReplacedError, Scanned, Slice};
pub use lease::{Batch, Change, DUID_LEN_MAX, HOST_BITS_LEN_MIN, INFINITY, Lease, LeaseError, LeaseKind};
pub use lease_options::{PoolOptions, Reservations, SubnetOptions};
pub use limits::CLIENT_LEASES_MAX;
pub use links::{LeaseChecks, Link, LinkId, LinkSet, Links, LinksError, Location, OwnSubnet, Subnet};
pub use loader_threads::{LoaderThreadsError, start_loader_threads};
pub use lookup::{Found, Lookup, Lookups};
pub use options::{StoredOption, StoredOptions};
pub use prefixes::{Prefix, Prefixes};
pub use record::{Binding, Bindings, Client, Covering, Left};
pub use removal::{Removal, RemovalReason};
pub use room::NoRoomError;
pub use secondary::{PostingsSize, SecondaryIndexes};
pub use store::{Pinned, READERS_MAX, Reader, Store, Summary};
pub use writer::{Applied, Held, OversizedClient, Writer};

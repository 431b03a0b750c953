//! Lease sources to index: the leases of DHCPv6 servers, loaded and followed.
//!
//! ```text
//! kea-dhcp6.conf ── kea_config ── links, server DUID, requestors, lease file
//! kea-leases6.csv ─ kea_memfile ─ source: snapshot, then changes ─ followed ─┬─ merged ── index
//! … one thread for each source …                                             ┘
//! ```
//! `feed` starts, stops and configures these threads; `claims` decides between sources that claim one
//! address.
//!
//! `resolved` follows names through symbolic links; `confinement` knows the reach of the sandbox.
#![forbid(unsafe_code)]

mod bad_rows;
mod claims;
mod confinement;
mod feed;
mod followed;
pub mod kea_config;
pub mod kea_memfile;
mod merged;
mod oversized;
mod resolved;
mod source;
mod source_config;
mod state;
mod subnet_numbers;

pub use confinement::{Access, Confinement, OUT_OF_REACH, is_out_of_reach};
pub use feed::{ConfigureError, Feed, FeedHandle, Report};
pub use resolved::Resolved;
pub use source::{
    Figure, FigureValue, LeaseSource, LeftOut, LoadError, LoadRequest, Loaded, Missing, Part, RowTally, Seen,
    SkippedRow, SnapshotRows, SourceName, Status, Step, Trouble,
};
pub use source_config::{SourceConfig, UnknownSubnets, links_of};
pub use state::{FeedState, FeedWatch, SourceState};

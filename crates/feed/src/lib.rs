//! Lease sources to index: what a DHCPv6 server wrote becomes what leasequery answers.
//!
//! ```text
//! kea-dhcp6.conf ── kea_config ── links, server DUID, requestors, lease file
//! kea-leases6.csv ─ kea_memfile ─ source: snapshot, then changes ── applier ── index
//! ```
//!
//! `resolved` follows names through symbolic links; `confinement` knows what the sandbox leaves in reach.
#![forbid(unsafe_code)]

mod applier;
mod confinement;
pub mod kea_config;
pub mod kea_memfile;
mod oversized;
mod resolved;
mod source;
mod standing;

pub use applier::{ConfigureFault, Feed, Report, Steering, speak_of_unknown_subnets};
pub use confinement::{Access, Confinement, OUT_OF_REACH, is_out_of_reach};
pub use resolved::Resolved;
pub use source::{
    Figure, FigureValue, LeaseSource, LeftOut, LoadError, LoadRequest, Loaded, Missing, Part, RowTally, Seen,
    SkippedRow, SourceName, Status, Step, Trouble,
};
pub use standing::{Standing, Watch};

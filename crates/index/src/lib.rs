//! The leases of a DHCPv6 server in memory, for many readers and one writer.
mod lease;
mod links;

pub use lease::{Batch, Change, DUID_LEN_MAX, INFINITY, Lease, LeaseFault, LeaseKind};
pub use links::{Link, LinkId, Links, LinksFault, Prefix, Subnet};

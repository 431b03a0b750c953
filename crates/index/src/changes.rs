//! Changes of leases, reported in the step that publishes them; `DESIGN.md` compares the designs.

use std::net::Ipv6Addr;

use crate::lease::{Lease, LeaseKind};
#[cfg(doc)]
use crate::links::Links;
use crate::removal::RemovalReason;

mod batch;
mod difference;
mod log;

pub use batch::Changes;
pub(crate) use batch::Report;
pub use difference::Difference;
pub(crate) use difference::Side;
pub use log::{
    ChangeLog, ChangeLogLimits, ChangeLogStatistics, ExpiryWatch, LogChunk, LoggedChange, LoggedEvent,
    LoggedLease, OverrunError, SweepProgress,
};

/// Change of one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseChange<'a> {
    /// The client has this lease: new, renewed, or otherwise changed.
    Put {
        /// The lease as it is now.
        lease: Lease<'a>,
        /// Facts by which queries chose the lease before, if the client had it with other ones.
        former: Option<FormerLease<'a>>,
    },
    /// The client no longer has this lease.
    ///
    /// A lease that passes to another client, or changes its prefix length, is removed first and then put.
    Removed(RemovedLease<'a>),
    /// The last row of this lease cannot be read: its holder is not known.
    Unreadable {
        /// Address as written by the source.
        address: Ipv6Addr,
        /// Length of the shortest prefix that may belong to the lease, as in
        /// [`Change::Unreadable`](crate::Change::Unreadable).
        prefix_len: u8,
        /// DUID in the row; empty if that cannot be read either, or is not known any more.
        duid: &'a [u8],
        /// The lease as it was before, if that could be read; its reason is [`RemovalReason::Gone`].
        before: Option<RemovedLease<'a>>,
    },
}

/// Facts by which queries for links and relay agents choose a lease, as they were before a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormerLease<'a> {
    /// The source's number for the subnet.
    pub subnet_id: u32,
    /// Value of OPTION_LQ_RELAY_DATA (RFC 5007 §4.1.2.4) as stored: peer-address, then the relayed message.
    /// Empty if there was none.
    pub relay_data: &'a [u8],
}

/// A lease that its client no longer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovedLease<'a> {
    /// DUID of the client; empty if the lease could not be read.
    pub duid: &'a [u8],
    /// Address as written by the source.
    pub address: Ipv6Addr,
    /// 128 for an address.
    pub prefix_len: u8,
    /// Address or delegated prefix.
    pub kind: LeaseKind,
    /// Subnet and relay data.
    pub former: FormerLease<'a>,
    /// Last communication with the client that the removed lease told of: seconds since 1970-01-01 UTC on the
    /// source's clock.
    pub cltt: u32,
    /// Second in which its valid lifetime is over; `None`: never.
    pub ends: Option<u32>,
    /// Event that ended it.
    pub reason: RemovalReason,
    /// Time of the event, as in [`Removal`](crate::Removal); of a lease that was replaced, the cltt of the
    /// new one.
    pub time: Option<u32>,
}

/// A listener to all changes of leases, called on the writer's thread when readers can see them.
///
/// It must be quick: the next batch waits for it.
pub trait ChangeObserver: Send + Sync {
    /// Takes note that changes or a snapshot come next, of which readers see nothing yet.
    fn will_change(&mut self) {}

    /// Takes the changes of a batch.
    fn changed(&mut self, changes: &Changes<'_>);

    /// Takes note of a snapshot in place of all leases.
    ///
    /// The difference costs nothing unless it is asked for.
    fn replaced(&mut self, difference: &Difference<'_>);

    /// Takes note of links that are not those from before ([`Links::are_same`]). With a snapshot, it comes
    /// before [`Self::replaced`].
    fn links_replaced(&mut self) {}
}

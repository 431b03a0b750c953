//! Events of a follower.

use std::time::SystemTime;

use lqd_wire::LqTime;

use crate::{AddressOrPrefix, ClientData, Deviation, Duid, Lease};

/// A change of the table, or of the state of following.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A binding that is new, or told again.
    Put {
        /// The lease with its lifetimes at `received`.
        lease: Lease,
        /// The client with its options, as told with this lease.
        client: Box<ClientData>,
        /// Time of arrival, from which ages and lifetimes count.
        received: SystemTime,
        /// The server's time of the message.
        base_time: Option<LqTime>,
    },
    /// A binding that is no longer one.
    Remove {
        /// The client that held it.
        client: Duid,
        /// The address or prefix.
        resource: AddressOrPrefix,
        /// The reason.
        reason: RemovalReason,
    },
    /// Deviations of a message from the RFCs.
    Deviations(Vec<Deviation>),
    /// A new state, or the same with other counts.
    State(State),
}

/// The reason of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalReason {
    /// A message with lifetimes of 0.
    Told,
    /// Another client holds it; its binding is the next event.
    Moved,
    /// A whole bulk answer lacks it.
    Missing,
}

impl RemovalReason {
    /// The short name for programs, which never changes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Moved => "moved",
            Self::Missing => "missing",
        }
    }
}

/// The state of following.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No connection.
    Lost,
    /// The query was sent; no reply yet.
    Connected,
    /// Changes since the loss of the last connection come.
    CatchingUp,
    /// Changes come, and the table is not complete: a bulk query is needed or runs.
    Filling,
    /// The table is complete, and changes come.
    Live,
}

impl State {
    /// The short name for programs, which never changes.
    pub fn code(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Connected => "connected",
            Self::CatchingUp => "catching-up",
            Self::Filling => "filling",
            Self::Live => "live",
        }
    }
}

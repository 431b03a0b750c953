//! Settings of the engine: the server's identity and the access rules.

use lqd_wire::{Duid, RELAY_HOPS_MAX};

use crate::Access;

/// Settings of an [`Engine`](crate::Engine); a reload replaces them as a whole.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The server's DUID, sent in OPTION_SERVERID; 1..=130 octets.
    pub server_duid: Vec<u8>,
    /// Access rules by IP source (RFC 5007 §4.4.1); the source of a relayed query is the last relay agent.
    pub access: Access,
    /// Most relay hops of a query, 0..=[`RELAY_HOPS_MAX`].
    pub relay_hops_max: u8,
}

/// The reply to a query with no matching lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoBindingPolicy {
    /// Success without client data: there is no binding (RFC 5007 §4.3.3, variant 3).
    Answer,
    /// No reply: the requestor retransmits, or asks another server.
    Silent,
    /// The status UnspecFail; NotConfigured and NotAllowed would be false.
    Refuse,
}

/// An unusable [`Policy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// The server DUID is empty or too long.
    #[error("the server DUID has {0} octets; a DUID has 1 to {max}", max = Duid::LEN_MAX)]
    ServerDuidLength(usize),
    /// The limit of relay hops is above [`RELAY_HOPS_MAX`].
    #[error("a limit of {0} relay hops; at most {RELAY_HOPS_MAX} can be accepted")]
    RelayHops(u8),
}

impl Policy {
    /// Checks that an engine can use the policy.
    pub(crate) fn check(&self) -> Result<(), PolicyError> {
        if Duid::new(&self.server_duid).is_none() {
            return Err(PolicyError::ServerDuidLength(self.server_duid.len()));
        }
        if usize::from(self.relay_hops_max) > RELAY_HOPS_MAX {
            return Err(PolicyError::RelayHops(self.relay_hops_max));
        }
        Ok(())
    }
}

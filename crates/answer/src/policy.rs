//! What the operator decided: who may ask, what is returned, as which server.

use lqd_wire::{Duid, RELAY_LEVELS_MAX};

use crate::Access;

/// Settings of the answering machine; replaced as a whole.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Our OPTION_SERVERID, 1..=130 octets.
    pub server_duid: Vec<u8>,
    /// Who may ask what, by IP source (RFC 5007 §4.4.1); for a relayed query that is the last relay agent.
    pub access: Access,
    /// Most relay levels that are accepted, 0..=[`RELAY_LEVELS_MAX`].
    pub relay_levels_max: u8,
}

/// What a query gets for which no binding is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbound {
    /// That there is none: a success without client data (RFC 5007 §4.3.3, variant 3).
    Answer,
    /// Nothing: the requestor asks again, or asks another server.
    Silent,
    /// The status UnspecFail. NotConfigured and NotAllowed would say things that are not so.
    Refuse,
}

impl Policy {
    /// Whether the settings can be used; the text says what to mend.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        Duid::new(&self.server_duid).ok_or("the server DUID must have 1 to 130 octets")?;
        if usize::from(self.relay_levels_max) > RELAY_LEVELS_MAX {
            return Err("at most 33 relay levels can be accepted");
        }
        Ok(())
    }
}

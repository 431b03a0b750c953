//! What the operator decided: who may ask, what is returned, as which server.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use lqd_wire::{Duid, OptionCode};

/// Settings of the answering machine; replaced as a whole.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Our OPTION_SERVERID, 1..=130 octets.
    pub server_duid: Vec<u8>,
    /// IP sources that may ask (RFC 5007 §4.4.1); for a relayed query that is the last relay agent.
    pub allow: Vec<Ipv6Net>,
    /// What others get.
    pub deny: Deny,
    /// What becomes of relayed queries (RFC 5007 §5).
    pub relayed: Relayed,
    /// Most levels of relaying that are accepted, 0..=32 (RFC 8415 §7.6: HOP_COUNT_LIMIT is 8).
    pub relay_levels_max: u8,
    /// Options that are never returned, even if asked for (RFC 5007 §4.4.2, "sensitive options").
    pub sensitive: Vec<OptionCode>,
}

/// What a requestor that is not allowed gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deny {
    /// The status NotAllowed.
    NotAllowed,
    /// Nothing.
    Drop,
}

/// What becomes of relayed queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relayed {
    /// They are answered in a RELAY-REPL.
    Answer,
    /// They are discarded.
    Drop,
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
    pub(crate) fn allows(&self, source: Ipv6Addr) -> bool {
        self.allow.iter().any(|net| net.contains(&source))
    }

    pub(crate) fn is_sensitive(&self, code: OptionCode) -> bool {
        self.sensitive.contains(&code)
    }

    /// Whether the settings can be used; the text says what to mend.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        Duid::new(&self.server_duid).ok_or("the server DUID must have 1 to 130 octets")?;
        if self.relay_levels_max > 32 {
            return Err("at most 32 levels of relaying can be accepted");
        }
        Ok(())
    }
}

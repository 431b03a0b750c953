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

impl Policy {
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

/// Who may ask, in the form in which it is asked for each datagram: first and last address of each net.
#[derive(Clone, Debug)]
pub(crate) struct Allowed(Box<[(u128, u128)]>);

impl Allowed {
    pub(crate) fn new(nets: &[Ipv6Net]) -> Self {
        Self(nets.iter().map(|net| (net.network().into(), net.broadcast().into())).collect())
    }

    pub(crate) fn contains(&self, source: Ipv6Addr) -> bool {
        let source = u128::from(source);
        self.0.iter().any(|&(first, last)| first <= source && source <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_are_the_addresses_of_the_nets() {
        let nets: Vec<Ipv6Net> =
            ["2001:db8::/32", "fd00::5/128", "fe80::1/64"].map(|net| net.parse().unwrap()).into();
        let allowed = Allowed::new(&nets);
        let rows = [
            ("2001:db8::", true),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", true),
            ("2001:db9::", false),
            ("2001:db7:ffff::", false),
            ("fd00::5", true),
            ("fd00::6", false),
            ("fe80::2", true),
            ("::1", false),
        ];
        for (source, is) in rows {
            assert_eq!(allowed.contains(source.parse().unwrap()), is, "{source}");
        }
        assert!(!Allowed::new(&[]).contains(Ipv6Addr::LOCALHOST));
    }
}

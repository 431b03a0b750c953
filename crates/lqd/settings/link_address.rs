//! Addresses that the operator chooses for links.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::SettingsError;
use super::spelled::{Literal, Spelled};

/// A subnet of a link, and the global address of the link in OPTION_LQ_CLIENT_LINK (RFC 5007 §4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkAddress {
    /// Kea's number for a subnet of the link, 1..=4,294,967,294.
    pub(crate) subnet_id: u32,
    /// The address.
    pub(crate) address: Ipv6Addr,
}

impl FromStr for LinkAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (subnet_id, address) = text.split_once('=')?;
            Some(Self { subnet_id: subnet_id.parse().ok()?, address: address.parse().ok()? })
        };
        let is_global = |address: Ipv6Addr| {
            !address.is_unspecified() && !address.is_multicast() && !address.is_unicast_link_local()
        };
        match read() {
            Some(read) if !(1..u32::MAX).contains(&read.subnet_id) => {
                Err(format!("must be {}", Self::form()))
            }
            Some(read) if is_global(read.address) => Ok(read),
            Some(read) => Err(format!("{} is not a global address, which a link needs", read.address)),
            None => Err(format!("must be {}", Self::form())),
        }
    }
}

impl fmt::Display for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.subnet_id, self.address)
    }
}

impl Spelled for LinkAddress {
    const LITERAL: Literal = Literal::Text;

    fn form() -> String {
        "the id of a subnet and an IPv6 address, such as 7=2001:db8:7::1".to_owned()
    }
}

/// Rejects a subnet or an address that is given twice.
pub(super) fn each_once(given: Vec<LinkAddress>) -> Result<Vec<LinkAddress>, SettingsError> {
    for (position, one) in given.iter().enumerate() {
        let repeats = |other: &&LinkAddress| other.subnet_id == one.subnet_id || other.address == one.address;
        if let Some(other) = given[..position].iter().find(repeats) {
            return Err(SettingsError::Value {
                setting: "link-address",
                value: one.to_string(),
                fault: format!("contradicts {other}; give each link one address, and each its own"),
            });
        }
    }
    Ok(given)
}

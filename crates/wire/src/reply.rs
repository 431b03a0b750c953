//! Options of a LEASEQUERY-REPLY beside leases: status, relay data, links (RFC 5007 §4.1.2).

use core::net::Ipv6Addr;

use crate::{ParseError, ParseErrorKind, StatusCode};

/// OPTION_STATUS_CODE: a code and a text for people (RFC 8415 §21.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status<'a> {
    /// The status code; any value.
    pub code: StatusCode,
    /// The text, which should be UTF-8; not checked.
    pub text: &'a [u8],
}

impl<'a> Status<'a> {
    /// Parses the option's value.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let Some((code, text)) = value.split_first_chunk::<2>() else {
            return Err(ParseError { at: value.len(), kind: ParseErrorKind::Length });
        };
        Ok(Self { code: StatusCode(u16::from_be_bytes(*code)), text })
    }
}

/// OPTION_LQ_RELAY_DATA: the relay chain of the client's last message (RFC 5007 §4.1.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayData<'a> {
    /// The relay agent from which the server received the message.
    pub peer_address: Ipv6Addr,
    /// The RELAY-FORW message, possibly nested, without the client's message; not checked.
    pub message: &'a [u8],
}

impl<'a> RelayData<'a> {
    /// Length in octets of the part before the relay message.
    pub const HEADER_LEN: usize = 16;

    /// Parses the option's value; the relay message is not checked yet.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let Some((peer, message)) = value.split_first_chunk::<16>() else {
            return Err(ParseError { at: value.len(), kind: ParseErrorKind::Length });
        };
        Ok(Self { peer_address: Ipv6Addr::from(*peer), message })
    }
}

/// OPTION_LQ_CLIENT_LINK: an address of each link on which the client has bindings (RFC 5007 §4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientLinks<'a>(&'a [[u8; 16]]);

impl<'a> ClientLinks<'a> {
    /// Parses the option's value: a multiple of 16 octets.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        match value.as_chunks() {
            (links, []) => Ok(Self(links)),
            _ => Err(ParseError { at: value.len(), kind: ParseErrorKind::Length }),
        }
    }

    /// Returns the link-addresses in the server's order.
    pub fn addresses(self) -> impl Iterator<Item = Ipv6Addr> + 'a {
        self.0.iter().map(|&octets| Ipv6Addr::from(octets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_status_has_at_least_two_octets() {
        assert!(Status::parse(&[0]).is_err());
        let status = Status::parse(&[0, 9, b'n', b'o']).unwrap();
        assert_eq!((status.code, status.text), (StatusCode::NOT_CONFIGURED, &b"no"[..]));
    }

    #[test]
    fn relay_data_has_at_least_a_peer_address() {
        let value = [0x20; 18];
        assert!(RelayData::parse(&value[..15]).is_err());
        assert_eq!(RelayData::parse(&value[..16]).unwrap().message, [0; 0]);
        assert_eq!(RelayData::parse(&value).unwrap().message, [0x20; 2]);
    }

    #[test]
    fn link_addresses_have_16_octets_each() {
        let mut value = [0; 32];
        (value[15], value[31]) = (1, 2);
        let links: Vec<_> = ClientLinks::parse(&value).unwrap().addresses().collect();
        assert_eq!(links, ["::1", "::2"].map(|text| text.parse::<Ipv6Addr>().unwrap()));
        assert_eq!(ClientLinks::parse(&value[..17]).unwrap_err().kind, ParseErrorKind::Length);
        assert_eq!(ClientLinks::parse(&[]).unwrap().addresses().count(), 0);
    }
}

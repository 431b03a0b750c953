//! DHCPv6 options as the tests' own client and requestor write and read them.
//!
//! Nothing here is shared with lqd's codec, so that a fault in that one cannot cancel itself out.

use std::net::Ipv6Addr;

/// Option codes (IANA, DHCPv6 Option Codes).
pub(crate) mod code {
    pub(crate) const CLIENTID: u16 = 1;
    pub(crate) const SERVERID: u16 = 2;
    pub(crate) const IA_NA: u16 = 3;
    pub(crate) const IAADDR: u16 = 5;
    pub(crate) const ORO: u16 = 6;
    pub(crate) const ELAPSED_TIME: u16 = 8;
    pub(crate) const RELAY_MSG: u16 = 9;
    pub(crate) const STATUS_CODE: u16 = 13;
    pub(crate) const RAPID_COMMIT: u16 = 14;
    pub(crate) const INTERFACE_ID: u16 = 18;
    pub(crate) const IA_PD: u16 = 25;
    pub(crate) const IAPREFIX: u16 = 26;
    pub(crate) const REMOTE_ID: u16 = 37;
    pub(crate) const CLIENT_FQDN: u16 = 39;
    pub(crate) const LQ_QUERY: u16 = 44;
    pub(crate) const CLIENT_DATA: u16 = 45;
    pub(crate) const CLT_TIME: u16 = 46;
    pub(crate) const LQ_RELAY_DATA: u16 = 47;
    pub(crate) const LQ_CLIENT_LINK: u16 = 48;
    pub(crate) const CLIENT_LINKLAYER_ADDR: u16 = 79;
}

/// Message types (IANA, DHCPv6 Message Types).
pub(crate) mod msg {
    pub(crate) const SOLICIT: u8 = 1;
    pub(crate) const RENEW: u8 = 5;
    pub(crate) const REPLY: u8 = 7;
    pub(crate) const RELEASE: u8 = 8;
    pub(crate) const DECLINE: u8 = 9;
    pub(crate) const RELAY_FORW: u8 = 12;
    pub(crate) const RELAY_REPL: u8 = 13;
    pub(crate) const LEASEQUERY: u8 = 14;
    pub(crate) const LEASEQUERY_REPLY: u8 = 15;
}

/// Octets before the options of a client/server message: type and transaction id (RFC 8415 §8).
pub(crate) const CLIENT_HEADER_LEN: usize = 4;
/// Octets before the options of a relay message: type, hop-count, two addresses (RFC 8415 §9).
pub(crate) const RELAY_HEADER_LEN: usize = 34;

/// One option on the wire (RFC 8415 §21.1).
pub(crate) fn option(code: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("an option body has at most 65,535 octets");
    [&code.to_be_bytes()[..], &length.to_be_bytes(), body].concat()
}

/// Splits `octets` into (code, body) pairs; an option that does not fit is an error, and so is a rest.
pub(crate) fn options(mut octets: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, String> {
    let mut found = Vec::new();
    while !octets.is_empty() {
        let Some((&[c0, c1, l0, l1], rest)) = octets.split_first_chunk::<4>() else {
            return Err(format!("{} octets are left over after the last option", octets.len()));
        };
        let (code, length) = (u16::from_be_bytes([c0, c1]), usize::from(u16::from_be_bytes([l0, l1])));
        let Some((body, rest)) = rest.split_at_checked(length) else {
            return Err(format!("option {code} says {length} octets, {} are left", rest.len()));
        };
        found.push((code, body.to_vec()));
        octets = rest;
    }
    Ok(found)
}

/// The one option `code`; more than one is an error, as all that the tests look for are singletons.
pub(crate) fn single(options: &[(u16, Vec<u8>)], code: u16) -> Result<Option<&[u8]>, String> {
    let mut bodies = options.iter().filter(|(found, _)| *found == code).map(|(_, body)| body.as_slice());
    let first = bodies.next();
    if bodies.next().is_some() { Err(format!("option {code} comes more than once")) } else { Ok(first) }
}

/// Four octets at `at`, big-endian.
pub(crate) fn u32_at(octets: &[u8], at: usize) -> Result<u32, String> {
    let field = octets.get(at..at + 4).ok_or_else(|| format!("no 32-bit field at octet {at}"))?;
    Ok(u32::from_be_bytes(field.try_into().expect("four octets")))
}

/// Sixteen octets at `at`.
pub(crate) fn address_at(octets: &[u8], at: usize) -> Result<Ipv6Addr, String> {
    let field = octets.get(at..at + 16).ok_or_else(|| format!("no address at octet {at}"))?;
    Ok(Ipv6Addr::from(<[u8; 16]>::try_from(field).expect("sixteen octets")))
}

/// Octets of `aa:bb:…`, as Kea writes DUIDs.
pub(crate) fn colon_hex(text: &str) -> Result<Vec<u8>, String> {
    text.split(':').map(|octet| u8::from_str_radix(octet, 16).map_err(|e| format!("{text:?}: {e}"))).collect()
}

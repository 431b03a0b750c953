//! DHCPv6 messages as the tests' own clients, relay agents and requestors write and read them.
//!
//! Shares no code with lqd's codec: a bug there must not cancel itself out here.

use std::net::Ipv6Addr;

/// Option codes (IANA, DHCPv6 Option Codes).
pub mod code {
    pub const CLIENTID: u16 = 1;
    pub const SERVERID: u16 = 2;
    pub const IA_NA: u16 = 3;
    pub const IAADDR: u16 = 5;
    pub const ORO: u16 = 6;
    pub const ELAPSED_TIME: u16 = 8;
    pub const RELAY_MSG: u16 = 9;
    pub const STATUS_CODE: u16 = 13;
    pub const RAPID_COMMIT: u16 = 14;
    pub const INTERFACE_ID: u16 = 18;
    pub const IA_PD: u16 = 25;
    pub const IAPREFIX: u16 = 26;
    pub const REMOTE_ID: u16 = 37;
    pub const CLIENT_FQDN: u16 = 39;
    pub const LQ_QUERY: u16 = 44;
    pub const CLIENT_DATA: u16 = 45;
    pub const CLT_TIME: u16 = 46;
    pub const LQ_RELAY_DATA: u16 = 47;
    pub const LQ_CLIENT_LINK: u16 = 48;
    pub const CLIENT_LINKLAYER_ADDR: u16 = 79;
    pub const RELAY_SOURCE_PORT: u16 = 135;
}

/// Message types (IANA, DHCPv6 Message Types).
pub mod msg {
    pub const SOLICIT: u8 = 1;
    pub const RENEW: u8 = 5;
    pub const REPLY: u8 = 7;
    pub const RELEASE: u8 = 8;
    pub const DECLINE: u8 = 9;
    pub const RELAY_FORW: u8 = 12;
    pub const RELAY_REPL: u8 = 13;
    pub const LEASEQUERY: u8 = 14;
    pub const LEASEQUERY_REPLY: u8 = 15;
}

/// Query types (RFC 5007 §4.1.2.1, RFC 5460 §5.2.1).
pub mod query {
    pub const BY_ADDRESS: u8 = 1;
    pub const BY_CLIENTID: u8 = 2;
    pub const BY_LINK_ADDRESS: u8 = 4;
}

/// Octets before the options of a client/server message: type and transaction-id (RFC 8415 §8).
pub const CLIENT_HEADER_LEN: usize = 4;
/// Octets before the options of a relay message: type, hop-count, two addresses (RFC 8415 §9).
pub const RELAY_HEADER_LEN: usize = 34;

/// DUID of the requestor, which replies must repeat (RFC 5007 §4.2.2).
pub const REQUESTOR_DUID: [u8; 10] = [0, 3, 0, 1, 2, 0, 0x5e, 0, 0x53, 0xaa];

/// DUID-EN (RFC 8415 §11.3) of a server whose `server-id` has enterprise-id 2495 and identifier A1B2C3D4.
pub const SERVER_DUID: [u8; 10] = [0, 2, 0, 0, 0x09, 0xbf, 0xa1, 0xb2, 0xc3, 0xd4];

/// Writes one option (RFC 8415 §21.1).
///
/// # Panics
/// If the body exceeds 65,535 octets.
pub fn option(code: u16, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("an option body has at most 65,535 octets");
    [&code.to_be_bytes()[..], &length.to_be_bytes(), body].concat()
}

/// Writes an ORO of these codes.
pub fn option_request(codes: &[u16]) -> Vec<u8> {
    let codes: Vec<u8> = codes.iter().flat_map(|code| code.to_be_bytes()).collect();
    option(code::ORO, &codes)
}

/// Writes an IAADDR with both lifetimes 0.
pub fn iaaddr(address: Ipv6Addr) -> Vec<u8> {
    option(code::IAADDR, &[&address.octets()[..], &[0; 8]].concat())
}

/// Writes a LEASEQUERY of [`REQUESTOR_DUID`], with an ORO unless `requested` is empty.
pub fn leasequery(
    transaction_id: [u8; 3],
    query_type: u8,
    link: Ipv6Addr,
    query_option: &[u8],
    requested: &[u16],
) -> Vec<u8> {
    let mut query = [&[query_type][..], &link.octets(), query_option].concat();
    if !requested.is_empty() {
        query.extend(option_request(requested));
    }
    let mut message = [&[msg::LEASEQUERY][..], &transaction_id].concat();
    message.extend(option(code::CLIENTID, &REQUESTOR_DUID));
    message.extend(option(code::LQ_QUERY, &query));
    message
}

/// A relay agent, as its RELAY-FORW shows it (RFC 8415 §9).
#[derive(Clone, Debug)]
pub struct Relay {
    pub link: Ipv6Addr,
    pub peer: Ipv6Addr,
    /// Options beside the relay message, as (code, body).
    pub options: Vec<(u16, Vec<u8>)>,
}

/// Wraps `message` in one RELAY-FORW per relay, the relay nearest to the client first.
///
/// Without a message the innermost RELAY-FORW has no OPTION_RELAY_MSG, as in `LQ_RELAY_DATA` (RFC 5007
/// §4.1.2.4).
///
/// # Panics
/// Without both message and relays.
pub fn relay_forward(relays: &[Relay], message: Option<Vec<u8>>) -> Vec<u8> {
    let mut carried = message;
    for (hop, relay) in (0u8..).zip(relays) {
        let mut octets = vec![msg::RELAY_FORW, hop];
        octets.extend(relay.link.octets());
        octets.extend(relay.peer.octets());
        octets.extend(relay.options.iter().flat_map(|(code, body)| option(*code, body)));
        octets.extend(carried.iter().flat_map(|inner| option(code::RELAY_MSG, inner)));
        carried = Some(octets);
    }
    carried.expect("there is a message or a relay")
}

/// Splits off the first option: its code, its body, and the octets after it; `None` if no whole option is
/// left.
pub fn split_option(octets: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&[c0, c1, l0, l1], rest) = octets.split_first_chunk()?;
    let (body, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])))?;
    Some((u16::from_be_bytes([c0, c1]), body, rest))
}

/// Splits `octets` into (code, body) pairs.
///
/// # Errors
/// An option is cut short, or octets remain after the last one.
pub fn options(mut octets: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, String> {
    let mut found = Vec::new();
    while !octets.is_empty() {
        let Some((code, body, rest)) = split_option(octets) else {
            return Err(format!("no whole option in the last {} octets: {octets:02x?}", octets.len()));
        };
        found.push((code, body.to_vec()));
        octets = rest;
    }
    Ok(found)
}

/// Returns the body of the option `code`.
///
/// # Errors
/// The option is repeated: all options that the tests look for are singletons.
pub fn single(options: &[(u16, Vec<u8>)], code: u16) -> Result<Option<&[u8]>, String> {
    let mut bodies = options.iter().filter(|(found, _)| *found == code).map(|(_, body)| body.as_slice());
    let first = bodies.next();
    if bodies.next().is_some() { Err(format!("option {code} is repeated")) } else { Ok(first) }
}

/// Reads four octets at `at`, big-endian.
///
/// # Errors
/// There are fewer.
pub fn u32_at(octets: &[u8], at: usize) -> Result<u32, String> {
    let field = octets.get(at..at + 4).ok_or_else(|| format!("no 32-bit field at octet {at}"))?;
    Ok(u32::from_be_bytes(field.try_into().expect("four octets")))
}

/// Reads the sixteen octets at `at`.
///
/// # Errors
/// There are fewer.
pub fn address_at(octets: &[u8], at: usize) -> Result<Ipv6Addr, String> {
    let field = octets.get(at..at + 16).ok_or_else(|| format!("no address at octet {at}"))?;
    Ok(Ipv6Addr::from(<[u8; 16]>::try_from(field).expect("sixteen octets")))
}

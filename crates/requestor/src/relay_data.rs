//! The relay agents on the path of the client's last message (RFC 5007 §4.1.2.4).

use std::net::Ipv6Addr;
use std::str::FromStr;

use lqd_wire::{MessageType, OptionCode, Options, ParseError, ParseErrorKind, RelayData, RelayHeader, hex};

use crate::{Deviation, RawOption};

/// Most hops that are decoded. RFC 8415 §7.6 allows 9 (hop-counts 0 to 8), RFC 3315 §5.5 allowed 33.
const HOPS_MAX: usize = 64;

/// The decoded content of OPTION_LQ_RELAY_DATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayChain {
    /// The relay agent that sent the message to the server.
    pub peer_address: Ipv6Addr,
    /// The relay agents, the outermost (closest to the server) first.
    pub relays: Vec<RelayAgent>,
    /// The first fault of the relay message, if it has one.
    pub fault: Option<ParseError>,
    /// The relay message, undecoded.
    pub octets: Vec<u8>,
}

/// One hop: the content of a RELAY-FORW.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAgent {
    /// Number of relay agents that the message passed before.
    pub hop_count: u8,
    /// An address of the client's link, or `::`.
    pub link_address: Ipv6Addr,
    /// Address from which the relay agent received the message: the client's, or the next relay agent's.
    pub peer_address: Ipv6Addr,
    /// OPTION_INTERFACE_ID.
    pub interface_id: Option<Vec<u8>>,
    /// OPTION_REMOTE_ID (RFC 4649 §3).
    pub remote_id: Option<RemoteId>,
    /// Other options, without the relayed message.
    pub other: Vec<RawOption>,
}

/// A relay agent's identifier of the remote end of a circuit (RFC 4649 §3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteId {
    /// The vendor's private enterprise number.
    pub enterprise: u32,
    /// The vendor's identifier.
    pub identifier: Vec<u8>,
}

/// Text that is no remote-id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be ENTERPRISE:HEX, such as 4491:cc0000000001, or all octets in hexadecimal, 5 at least")]
pub struct RemoteIdError;

impl FromStr for RemoteId {
    type Err = RemoteIdError;

    /// Parses `4491:cc0000000001` or all octets of the option, `0000118bcc0000000001` or `00:00:11:8b:cc:…`.
    fn from_str(text: &str) -> Result<Self, RemoteIdError> {
        let mut octets = Vec::new();
        match text.split_once(':') {
            Some((enterprise, digits)) if !digits.contains(':') => {
                let enterprise: u32 = enterprise.parse().map_err(|_| RemoteIdError)?;
                octets.extend(enterprise.to_be_bytes());
                hex::parse_undivided(without_0x(digits).as_bytes(), &mut octets)
            }
            Some(_) => hex::parse_divided(text.as_bytes(), b':', &mut octets),
            None => hex::parse_undivided(without_0x(text).as_bytes(), &mut octets),
        }
        .map_err(|_| RemoteIdError)?;
        // RFC 4649 §3: the identifier has one octet at least.
        Self::read(&octets).filter(|read| !read.identifier.is_empty()).ok_or(RemoteIdError)
    }
}

fn without_0x(text: &str) -> &str {
    text.strip_prefix("0x").unwrap_or(text)
}

impl RemoteId {
    /// Splits the option's value; `None` if it is too short.
    fn read(value: &[u8]) -> Option<Self> {
        let (enterprise, identifier) = value.split_first_chunk()?;
        Some(Self { enterprise: u32::from_be_bytes(*enterprise), identifier: identifier.to_vec() })
    }
}

impl RelayChain {
    /// Parses the option's value. Only a missing peer-address is an error; a malformed chain is decoded as
    /// far as it goes.
    pub(crate) fn read(value: &[u8], deviations: &mut Vec<Deviation>) -> Result<Self, ParseError> {
        let RelayData { peer_address, message } = RelayData::parse(value)?;
        let mut relays = Vec::new();
        let fault = read_hops(message, &mut relays, deviations).err();
        deviations.extend(fault.map(Deviation::RelayDataBroken));
        Ok(Self { peer_address, relays, fault, octets: message.to_vec() })
    }
}

/// Appends the hops, outermost first; offsets of faults count from the start of the relay message.
fn read_hops(
    message: &[u8],
    relays: &mut Vec<RelayAgent>,
    deviations: &mut Vec<Deviation>,
) -> Result<(), ParseError> {
    let (mut level, mut offset) = (message, 0);
    // The first fault; the hop is read on to the message inside, so that more of the path is seen.
    let mut fault = None;
    // Bounded, since a hostile chain may nest as deep as its datagram is long.
    for _ in 0..HOPS_MAX {
        // Offsets inside a hop are relative to it.
        let outer = |error: ParseError| ParseError { at: offset + error.at, ..error };
        let (header, options) = RelayHeader::parse(level).map_err(|error| fault.unwrap_or(outer(error)))?;
        if header.kind != MessageType::RELAY_FORW {
            return Err(fault.unwrap_or(ParseError { at: offset, kind: ParseErrorKind::Value }));
        }
        let mut relay = RelayAgent::new(header);
        let (inner, broken) = relay.read_options(options);
        relays.push(relay);
        fault = fault.or(broken.map(outer));
        match inner {
            None => return fault.map_or(Ok(()), Err),
            Some((message, _)) if message.first().is_some_and(|&kind| kind != MessageType::RELAY_FORW.0) => {
                // RFC 5007 §4.1.2.4: the server removes the client's message, which ends the chain.
                deviations.push(Deviation::RelayDataWithMessage);
                return fault.map_or(Ok(()), Err);
            }
            Some((message, at)) => (level, offset) = (message, offset + at),
        }
    }
    Err(fault.unwrap_or(ParseError { at: offset, kind: ParseErrorKind::Value }))
}

impl RelayAgent {
    fn new(header: RelayHeader) -> Self {
        Self {
            hop_count: header.hop_count,
            link_address: header.link_address,
            peer_address: header.peer_address,
            interface_id: None,
            remote_id: None,
            other: Vec::new(),
        }
    }

    /// Stores the options of this hop up to a fault; returns the inner message, if there is one, with its
    /// offset.
    fn read_options<'a>(
        &mut self,
        mut options: Options<'a>,
    ) -> (Option<(&'a [u8], usize)>, Option<ParseError>) {
        let mut inner = None;
        loop {
            let at = options.offset();
            match options.next() {
                None => return (inner, None),
                Some(Ok((OptionCode::RELAY_MSG, message))) if inner.is_none() => {
                    inner = Some((message, at + 4));
                }
                Some(Ok((code, value))) => self.take(code, value),
                Some(Err(error)) => return (inner, Some(error)),
            }
        }
    }

    fn take(&mut self, code: OptionCode, value: &[u8]) {
        match code {
            OptionCode::INTERFACE_ID if self.interface_id.is_none() => {
                self.interface_id = Some(value.to_vec());
            }
            OptionCode::REMOTE_ID if self.remote_id.is_none() && value.len() >= 4 => {
                self.remote_id = RemoteId::read(value);
            }
            _ => self.other.push(RawOption { code, value: value.to_vec() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::octets;

    const TWO: &str = "
        fe800000000000000000000000000001
        0c 01 20010db8000000010000000000000001 fe800000000000000000000000000001
              0012 0004 00000000
              0009 0034
        0c 00 20010db8000000020000000000000001 fe800000000000000000000000000002
              0025 0006 0000118b abcd
              0035 0004 00030001";

    #[test]
    fn hops_are_read_from_the_outermost() {
        let mut deviations = Vec::new();
        let chain = RelayChain::read(&octets(TWO), &mut deviations).expect("a peer is there");
        assert_eq!((chain.fault, deviations), (None, vec![]));
        assert_eq!(chain.relays.len(), 2);
        let [outer, inner] = &chain.relays[..] else { unreachable!() };
        assert_eq!((outer.hop_count, outer.interface_id.as_deref()), (1, Some(&[0; 4][..])));
        assert_eq!(inner.remote_id, Some(RemoteId { enterprise: 4491, identifier: vec![0xab, 0xcd] }));
        assert_eq!(inner.other, [RawOption { code: OptionCode::RELAY_ID, value: vec![0, 3, 0, 1] }]);
    }

    #[test]
    fn remote_ids_are_parsed_with_the_enterprise_number_or_whole() {
        let want = RemoteId { enterprise: 4491, identifier: vec![0xcc, 0, 1] };
        for text in
            ["4491:cc0001", "4491:0xcc0001", "0000118bcc0001", "0x0000118bcc0001", "00:00:11:8b:cc:00:01"]
        {
            assert_eq!(text.parse(), Ok(want.clone()), "{text}");
        }
        for text in ["", ":", "4491:", "4491", "0000118b", "x:00", "4294967296:00", "4491:c", "9:aa:bb"] {
            assert_eq!(text.parse::<RemoteId>(), Err(RemoteIdError), "{text}");
        }
    }

    #[test]
    fn a_malformed_chain_is_kept_up_to_its_fault() {
        let whole = octets(TWO);
        for end in 16..whole.len() {
            let mut deviations = Vec::new();
            let chain = RelayChain::read(&whole[..end], &mut deviations).expect("a peer is there");
            // Cut between two options of the outermost hop, nothing shows that there was more.
            let sound = [16 + 34, 16 + 34 + 8].contains(&end);
            assert_eq!(chain.fault.is_none(), sound, "cut after {end}");
            assert_eq!(deviations.is_empty(), sound, "cut after {end}");
        }
        assert!(RelayChain::read(&whole[..15], &mut Vec::new()).is_err());
    }

    #[test]
    fn a_client_message_inside_is_a_deviation() {
        let mut value = octets(TWO);
        value[16 + 34 + 8 + 4] = 1; // SOLICIT
        let mut deviations = Vec::new();
        let chain = RelayChain::read(&value, &mut deviations).expect("a peer is there");
        assert_eq!((chain.relays.len(), deviations), (1, vec![Deviation::RelayDataWithMessage]));
    }
}

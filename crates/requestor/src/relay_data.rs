//! The relay chain through which a client was last heard (RFC 5007 §4.1.2.4).

use std::net::Ipv6Addr;

use lqd_wire::{MessageType, OptionCode, Options, ParseError, ParseFault, RelayData, RelayHeader};

use crate::{Deviation, RawOption};

/// Deeper chains are cut off: 9 levels are what RFC 8415 §7.6 allows (hop-counts 0 to 8), 33 what RFC 3315 §5.5 did.
const LEVELS_MAX: usize = 64;

/// OPTION_LQ_RELAY_DATA, level by level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayChain {
    /// The relay agent from which the server had the message.
    pub peer_address: Ipv6Addr,
    /// The relay agents, the outermost (closest to the server) first.
    pub relays: Vec<RelayAgent>,
    /// Where it stopped to make sense, if it did.
    pub fault: Option<ParseError>,
    /// The relay message as it came.
    pub octets: Vec<u8>,
}

/// One level of a RELAY-FORW.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayAgent {
    /// Relay agents that the message passed before this one.
    pub hop_count: u8,
    /// An address of the link on which the client is, or `::`.
    pub link_address: Ipv6Addr,
    /// From whom the relay agent had the message: the client, or the next relay agent.
    pub peer_address: Ipv6Addr,
    /// OPTION_INTERFACE_ID.
    pub interface_id: Option<Vec<u8>>,
    /// OPTION_REMOTE_ID (RFC 4649 §3).
    pub remote_id: Option<RemoteId>,
    /// All other options but the message inside.
    pub other: Vec<RawOption>,
}

/// A relay agent's name for the far end of a circuit (RFC 4649 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteId {
    /// The vendor's private enterprise number.
    pub enterprise: u32,
    /// What the vendor chose.
    pub identifier: Vec<u8>,
}

impl RelayChain {
    /// Reads the option's value. Only a missing peer-address is an error; a broken chain is shown as far as it goes.
    pub(crate) fn read(value: &[u8], deviations: &mut Vec<Deviation>) -> Result<Self, ParseError> {
        let RelayData { peer_address, message } = RelayData::parse(value)?;
        let mut relays = Vec::new();
        let fault = read_levels(message, &mut relays, deviations).err();
        deviations.extend(fault.map(Deviation::RelayDataBroken));
        Ok(Self { peer_address, relays, fault, octets: message.to_vec() })
    }
}

/// Appends the levels, outermost first; offsets of faults count from the start of the relay message.
fn read_levels(
    message: &[u8],
    relays: &mut Vec<RelayAgent>,
    deviations: &mut Vec<Deviation>,
) -> Result<(), ParseError> {
    let (mut level, mut offset) = (message, 0);
    let mut fault = None; // the first; what the level holds before it is read on, so that more of the path is seen
    for _ in 0..LEVELS_MAX {
        let outer = |error: ParseError| ParseError { at: offset + error.at, ..error };
        let (header, options) = RelayHeader::parse(level).map_err(|error| fault.unwrap_or(outer(error)))?;
        if header.kind != MessageType::RELAY_FORW {
            return Err(fault.unwrap_or(ParseError { at: offset, fault: ParseFault::Value }));
        }
        let mut relay = RelayAgent::new(header);
        let (inner, broken) = relay.read_options(options);
        relays.push(relay);
        fault = fault.or(broken.map(outer));
        match inner {
            None => return fault.map_or(Ok(()), Err),
            Some((message, _)) if message.first().is_some_and(|&kind| kind != MessageType::RELAY_FORW.0) => {
                deviations.push(Deviation::RelayDataWithMessage);
                return fault.map_or(Ok(()), Err);
            }
            Some((message, at)) => (level, offset) = (message, offset + at),
        }
    }
    Err(fault.unwrap_or(ParseError { at: offset, fault: ParseFault::Value }))
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

    /// Keeps the options of this level up to a fault; the message inside, if there is one, with its offset.
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
                let (enterprise, identifier) = value.split_at(4);
                let enterprise = enterprise.iter().fold(0, |number, &octet| number << 8 | u32::from(octet));
                self.remote_id = Some(RemoteId { enterprise, identifier: identifier.to_vec() });
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
    fn levels_from_the_outermost() {
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
    fn a_broken_chain_is_kept_as_far_as_it_goes() {
        let whole = octets(TWO);
        for end in 16..whole.len() {
            let mut deviations = Vec::new();
            let chain = RelayChain::read(&whole[..end], &mut deviations).expect("a peer is there");
            // Cut between two options of the outermost level, nothing shows that there was more.
            let sound = [16 + 34, 16 + 34 + 8].contains(&end);
            assert_eq!(chain.fault.is_none(), sound, "cut after {end}");
            assert_eq!(deviations.is_empty(), sound, "cut after {end}");
        }
        assert!(RelayChain::read(&whole[..15], &mut Vec::new()).is_err());
    }

    #[test]
    fn a_message_of_the_client_inside_is_marked() {
        let mut value = octets(TWO);
        value[16 + 34 + 8 + 4] = 1; // SOLICIT
        let mut deviations = Vec::new();
        let chain = RelayChain::read(&value, &mut deviations).expect("a peer is there");
        assert_eq!((chain.relays.len(), deviations), (1, vec![Deviation::RelayDataWithMessage]));
    }
}

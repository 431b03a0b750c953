//! The fixed part of a relay message, alone: for chains without a message at their core, and for writing.

use core::net::Ipv6Addr;

use crate::{MessageType, NoRoom, Options, ParseError, ParseFault, Relay, Writer};

/// Type, hop-count and addresses of a RELAY-FORW or RELAY-REPL message (RFC 8415 §9).
///
/// [`Relay`] is what a server needs, with a message inside; the chain in OPTION_LQ_RELAY_DATA has none at its core
/// (RFC 5007 §4.1.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayHeader {
    /// RELAY-FORW or RELAY-REPL; not checked.
    pub kind: MessageType,
    /// Relay agents that the message passed before this one.
    pub hop_count: u8,
    /// An address of the link on which the client is, or `::`.
    pub link_address: Ipv6Addr,
    /// From whom the relay agent had the message.
    pub peer_address: Ipv6Addr,
}

impl RelayHeader {
    /// Reads the header; the options after it are not looked at yet, offsets counted from the start of the message.
    pub fn parse(octets: &[u8]) -> Result<(Self, Options<'_>), ParseError> {
        let truncated = ParseError { at: octets.len(), fault: ParseFault::Truncated };
        let (&[kind, hop_count], rest) = octets.split_first_chunk::<2>().ok_or(truncated)?;
        let (link, rest) = rest.split_first_chunk::<16>().ok_or(truncated)?;
        let (peer, rest) = rest.split_first_chunk::<16>().ok_or(truncated)?;
        let header = Self {
            kind: MessageType(kind),
            hop_count,
            link_address: Ipv6Addr::from(*link),
            peer_address: Ipv6Addr::from(*peer),
        };
        Ok((header, Options::at(rest, Relay::HEADER_LEN)))
    }

    /// Writes the header; options follow.
    pub fn write(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.put(&[self.kind.0, self.hop_count])?;
        w.put(&self.link_address.octets())?;
        w.put(&self.peer_address.octets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_without_a_message_inside() {
        let mut octets = [0; 40];
        octets[..2].copy_from_slice(&[12, 3]);
        (octets[17], octets[33]) = (1, 2);
        octets[34..].copy_from_slice(&[0, 18, 0, 2, 5, 6]);
        let (header, mut options) = RelayHeader::parse(&octets).unwrap();
        assert_eq!((header.kind, header.hop_count), (MessageType::RELAY_FORW, 3));
        assert_eq!(
            (header.link_address, header.peer_address),
            ("::1".parse().unwrap(), "::2".parse().unwrap())
        );
        assert_eq!(options.next().unwrap().unwrap().1, [5, 6]);
        assert_eq!(options.offset(), 40);
        let mut buffer = [0; 34];
        let mut w = Writer::new(&mut buffer);
        header.write(&mut w).unwrap();
        assert_eq!(w.written(), &octets[..34]);
        for len in 0..34 {
            let fault = ParseError { at: len, fault: ParseFault::Truncated };
            assert_eq!(RelayHeader::parse(&octets[..len]).unwrap_err(), fault);
        }
    }
}

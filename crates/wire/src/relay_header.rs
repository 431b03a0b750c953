//! The fixed part of a relay message, for relay chains without a client message and for writing.

use core::net::Ipv6Addr;

use crate::{MessageType, NoRoomError, Options, ParseError, ParseErrorKind, Relay, Writer};

/// Type, hop-count and addresses of a RELAY-FORW or RELAY-REPL message (RFC 8415 §9).
///
/// [`Relay`] requires a message inside; the innermost one in OPTION_LQ_RELAY_DATA has none
/// (RFC 5007 §4.1.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayHeader {
    /// The message type, RELAY-FORW or RELAY-REPL; not checked.
    pub kind: MessageType,
    /// The number of relay agents that the message passed before this one.
    pub hop_count: u8,
    /// An address of the client's link, or `::`.
    pub link_address: Ipv6Addr,
    /// The address from which the relay agent received the message.
    pub peer_address: Ipv6Addr,
}

impl RelayHeader {
    /// Parses the header; the options are not checked yet, their offsets count from the start of the message.
    pub fn parse(octets: &[u8]) -> Result<(Self, Options<'_>), ParseError> {
        let truncated = ParseError { at: octets.len(), kind: ParseErrorKind::Truncated };
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
    pub fn write(&self, w: &mut Writer<'_>) -> Result<(), NoRoomError> {
        w.put(&[self.kind.0, self.hop_count])?;
        w.put(&self.link_address.octets())?;
        w.put(&self.peer_address.octets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_without_a_message_inside_survives_parsing_and_writing() {
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
            let error = ParseError { at: len, kind: ParseErrorKind::Truncated };
            assert_eq!(RelayHeader::parse(&octets[..len]).unwrap_err(), error);
        }
    }
}

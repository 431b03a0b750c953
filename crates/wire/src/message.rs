//! Client/server messages and relay messages (RFC 8415 §8, §9).

use core::fmt;
use core::net::Ipv6Addr;

use crate::{MessageType, OptionCode, Options, ParseError, ParseErrorKind};

/// The transaction id of an exchange, three octets in wire order (RFC 8415 §8).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionId(pub [u8; 3]);

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a:02x}{b:02x}{c:02x}")
    }
}

/// A client/server message: type, transaction id, options (RFC 8415 §8).
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The message type; not checked.
    pub kind: MessageType,
    /// The transaction id.
    pub transaction_id: TransactionId,
    /// The options, offsets counted from the start of the message.
    pub options: Options<'a>,
}

impl<'a> Message<'a> {
    /// Length in octets of the part before the options.
    pub const HEADER_LEN: usize = 4;

    /// Parses the header; `None` if the message is shorter.
    pub fn parse(octets: &'a [u8]) -> Option<Self> {
        let (&[kind, a, b, c], rest) = octets.split_first_chunk::<4>()?;
        Some(Self {
            kind: MessageType(kind),
            transaction_id: TransactionId([a, b, c]),
            options: Options::at(rest, Self::HEADER_LEN),
        })
    }
}

/// One relay hop of a message (RFC 8415 §9): the fields that a reply repeats, and the message inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relay<'a> {
    /// The number of relay agents that the message passed before this one.
    pub hop_count: u8,
    /// An address of the client's link, or `::`.
    pub link_address: Ipv6Addr,
    /// The address from which the relay agent received the message.
    pub peer_address: Ipv6Addr,
    /// The value of the Interface-Id option, which a server must copy (RFC 8415 §21.18).
    pub interface_id: Option<&'a [u8]>,
    /// The value of the Relay Source Port option, which a server must copy (RFC 8357 §5.2).
    pub source_port: Option<&'a [u8]>,
    /// The message inside (OPTION_RELAY_MSG).
    pub message: &'a [u8],
}

impl<'a> Relay<'a> {
    /// Length in octets of the part before the options (RFC 8415 §9).
    pub const HEADER_LEN: usize = 34;

    /// Parses a RELAY-FORW or RELAY-REPL message with all its options; the type octet is not checked.
    ///
    /// OPTION_RELAY_MSG must appear once; Interface-Id and Relay Source Port (two octets) at most once.
    pub fn parse(octets: &'a [u8]) -> Result<Self, ParseError> {
        let truncated = ParseError { at: octets.len(), kind: ParseErrorKind::Truncated };
        let (&[_, hop_count], rest) = octets.split_first_chunk::<2>().ok_or(truncated)?;
        let (link, rest) = rest.split_first_chunk::<16>().ok_or(truncated)?;
        let (peer, rest) = rest.split_first_chunk::<16>().ok_or(truncated)?;
        let (mut message, mut interface_id, mut source_port) = (None, None, None);
        let mut options = Options::at(rest, Self::HEADER_LEN);
        loop {
            // An error names the start of the option, which `next` leaves behind.
            let at = options.offset();
            let Some(option) = options.next() else { break };
            let (code, value) = option?;
            let value_of_option = match code {
                OptionCode::RELAY_MSG => &mut message,
                OptionCode::INTERFACE_ID => &mut interface_id,
                OptionCode::RELAY_SOURCE_PORT if value.len() != 2 => {
                    return Err(ParseError { at, kind: ParseErrorKind::Length });
                }
                OptionCode::RELAY_SOURCE_PORT => &mut source_port,
                _ => continue,
            };
            if value_of_option.replace(value).is_some() {
                return Err(ParseError { at, kind: ParseErrorKind::Repeated });
            }
        }
        Ok(Self {
            hop_count,
            link_address: Ipv6Addr::from(*link),
            peer_address: Ipv6Addr::from(*peer),
            interface_id,
            source_port,
            message: message.ok_or(ParseError { at: octets.len(), kind: ParseErrorKind::Missing })?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::vec::Vec;

    /// RELAY-FORW by hand: hop 1, link 2001:db8::1, peer fe80::2, then these options.
    fn relay(options: &[u8]) -> Vec<u8> {
        let mut octets = Vec::from([12, 1]);
        octets.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        octets.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        octets.extend(options);
        octets
    }

    #[test]
    fn a_message_header_has_four_octets() {
        let message = Message::parse(&[14, 0xa1, 0xb2, 0xc3, 0, 1]).unwrap();
        assert_eq!((message.kind, message.options.offset()), (MessageType::LEASEQUERY, 4));
        assert_eq!(format!("{:?}", message.transaction_id), "a1b2c3");
        assert!(Message::parse(&[14, 0, 0]).is_none());
    }

    #[test]
    fn a_relay_message_with_every_option_parses() {
        let octets = relay(&[0, 9, 0, 1, 14, 0, 18, 0, 2, 5, 6, 0, 135, 0, 2, 0x12, 0x34, 0, 37, 0, 1, 9]);
        let parsed = Relay::parse(&octets).unwrap();
        assert_eq!((parsed.hop_count, parsed.message), (1, &[14][..]));
        assert_eq!(parsed.link_address, "2001:db8::1".parse::<Ipv6Addr>().unwrap());
        assert_eq!(parsed.peer_address, "fe80::2".parse::<Ipv6Addr>().unwrap());
        assert_eq!((parsed.interface_id, parsed.source_port), (Some(&[5, 6][..]), Some(&[0x12, 0x34][..])));
    }

    #[test]
    fn each_error_of_a_relay_message_has_its_kind_and_offset() {
        let rows: [(&str, &[u8], ParseErrorKind, usize); 5] = [
            ("no message inside", &[0, 18, 0, 1, 7], ParseErrorKind::Missing, 39),
            ("two messages inside", &[0, 9, 0, 0, 0, 9, 0, 0], ParseErrorKind::Repeated, 38),
            ("two interface-ids", &[0, 18, 0, 0, 0, 18, 0, 0, 0, 9, 0, 0], ParseErrorKind::Repeated, 38),
            ("source port of one octet", &[0, 135, 0, 1, 2, 0, 9, 0, 0], ParseErrorKind::Length, 34),
            ("cut option", &[0, 9, 0, 1], ParseErrorKind::Truncated, 34),
        ];
        for (name, options, kind, at) in rows {
            assert_eq!(Relay::parse(&relay(options)), Err(ParseError { at, kind }), "{name}");
        }
        let header = relay(&[]);
        for len in 0..header.len() {
            assert_eq!(
                Relay::parse(&header[..len]).unwrap_err().kind,
                ParseErrorKind::Truncated,
                "{len} octets"
            );
        }
    }
}

//! Queries relayed as by a relay agent: the query inside RELAY-FORW, the answer inside RELAY-REPL (RFC 8415
//! §19).
//!
//! A server answers a RELAY-FORW to port 547 of the relay agent, where a requestor must not listen (RFC 5007
//! §4.2.2: relay agents discard LEASEQUERY-REPLY there). So the outermost hop always carries
//! OPTION_RELAY_PORT (RFC 8357 §5.1), which makes the server answer to the source port.

use std::net::Ipv6Addr;

use lqd_wire::{MessageType, NoRoomError, OptionCode, Relay, RelayHeader, Writer};

use crate::IgnoreReason;

/// A simulated relay agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayHop {
    /// An address of the link on which the query appears to originate.
    pub link_address: Ipv6Addr,
    /// The address from which the relay agent appears to have received the query.
    pub peer_address: Ipv6Addr,
    /// The relay agent's name for the interface, which the server must return.
    pub interface_id: Option<Vec<u8>>,
}

/// The simulated relay agents, the innermost first. An empty path sends the query unrelayed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayPath(pub Vec<RelayHop>);

/// A reply without its relay hops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwrapped<'a> {
    /// The innermost message.
    pub message: &'a [u8],
    /// Whether it came without the RELAY-REPL that was due.
    pub bare: bool,
}

impl RelayPath {
    /// Wraps the message as the outermost relay agent sends it.
    pub fn wrap(&self, message: Vec<u8>) -> Result<Vec<u8>, NoRoomError> {
        let outermost = self.0.len().saturating_sub(1);
        self.0.iter().enumerate().try_fold(message, |message, (hop, level)| {
            let len = Relay::HEADER_LEN
                + 3 * 4
                + 2
                + level.interface_id.as_ref().map_or(0, Vec::len)
                + message.len();
            let mut forward = vec![0; len];
            let mut w = Writer::new(&mut forward);
            level.header(MessageType::RELAY_FORW, hop).write(&mut w)?;
            if let Some(interface_id) = &level.interface_id {
                w.option(OptionCode::INTERFACE_ID, |w| w.put(interface_id))?;
            }
            if hop == outermost {
                // 0: no relay agent below uses a source port of its own (RFC 8357 §5.1).
                w.option(OptionCode::RELAY_SOURCE_PORT, |w| w.put(&[0, 0]))?;
            }
            w.option(OptionCode::RELAY_MSG, |w| w.put(&message))?;
            let len = w.position();
            forward.truncate(len);
            Ok(forward)
        })
    }

    /// Returns the message inside a reply, if each hop answers the one that was sent.
    ///
    /// A LEASEQUERY-REPLY without any hop is accepted and marked `bare`: Kea answers so. A real relay agent
    /// could not forward it, but an operator who debugs wants to see it.
    pub fn unwrap<'a>(&self, datagram: &'a [u8]) -> Result<Unwrapped<'a>, IgnoreReason> {
        let is_reply = |octets: &[u8]| octets.first() == Some(&MessageType::LEASEQUERY_REPLY.0);
        // Kea answers a relayed query with the bare message.
        if !self.0.is_empty() && is_reply(datagram) {
            return Ok(Unwrapped { message: datagram, bare: true });
        }
        // The outermost hop was added last.
        let mut levels = self.0.iter().enumerate().rev();
        let message = levels.try_fold(datagram, |octets, (hop, level)| level.unwrap(hop, octets))?;
        Ok(Unwrapped { message, bare: false })
    }
}

impl RelayHop {
    fn header(&self, kind: MessageType, hop: usize) -> RelayHeader {
        RelayHeader {
            kind,
            hop_count: u8::try_from(hop).unwrap_or(u8::MAX),
            link_address: self.link_address,
            peer_address: self.peer_address,
        }
    }

    fn unwrap<'a>(&self, hop: usize, octets: &'a [u8]) -> Result<&'a [u8], IgnoreReason> {
        let kind = MessageType(*octets.first().ok_or(IgnoreReason::Empty)?);
        if kind != MessageType::RELAY_REPL {
            return Err(IgnoreReason::OtherMessage(kind));
        }
        let relay = Relay::parse(octets).map_err(IgnoreReason::Malformed)?;
        let (header, _) = RelayHeader::parse(octets).map_err(IgnoreReason::Malformed)?;
        // RFC 8415 §19.3: the server copies these fields, so a difference means another relay's answer.
        if header != self.header(kind, hop) || relay.interface_id != self.interface_id.as_deref() {
            return Err(IgnoreReason::OtherRelay);
        }
        Ok(relay.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::octets;
    use proptest::prelude::*;

    fn path() -> RelayPath {
        let level = |link: &str, peer: &str, interface_id: Option<&[u8]>| RelayHop {
            link_address: link.parse().expect("an address"),
            peer_address: peer.parse().expect("an address"),
            interface_id: interface_id.map(<[u8]>::to_vec),
        };
        RelayPath(vec![level("2001:db8::1", "fe80::2", Some(b"eth0")), level("::", "2001:db8::1", None)])
    }

    const FORWARD: &str = "
        0c 01 00000000000000000000000000000000 20010db8000000000000000000000001
              0087 0002 0000
              0009 0033
        0c 00 20010db8000000000000000000000001 fe800000000000000000000000000002
              0012 0004 65746830
              0009 0005 0e a1b2c3 77";

    #[test]
    fn two_hops_are_wrapped_as_in_rfc_8415_19_1() {
        assert_eq!(path().wrap(vec![0x0e, 0xa1, 0xb2, 0xc3, 0x77]), Ok(octets(FORWARD)));
        assert_eq!(RelayPath::default().wrap(vec![1, 2]), Ok(vec![1, 2]));
        let long = RelayPath(path().0.into_iter().take(1).collect());
        assert_eq!(long.wrap(vec![0; 65_536]), Err(NoRoomError));
    }

    #[test]
    fn a_reply_must_come_in_the_hops_that_were_sent() {
        let mut reply = octets(FORWARD);
        let inner = reply.len() - 5;
        (reply[0], reply[44]) = (0x0d, 0x0d);
        let unwrapped = path().unwrap(&reply).expect("both hops match");
        assert_eq!(unwrapped, Unwrapped { message: &reply[inner..], bare: false });
        let rows: [(&str, usize, u8, IgnoreReason); 5] = [
            ("another type outside", 0, 0x0c, IgnoreReason::OtherMessage(MessageType::RELAY_FORW)),
            ("another hop-count", 1, 0, IgnoreReason::OtherRelay),
            ("another link-address", 2, 1, IgnoreReason::OtherRelay),
            ("another peer-address inside", 77, 9, IgnoreReason::OtherRelay),
            ("another interface-id", 82, b'f', IgnoreReason::OtherRelay),
        ];
        for (name, at, octet, want) in rows {
            let mut other = reply.clone();
            other[at] = octet;
            assert_eq!(path().unwrap(&other), Err(want), "{name}");
        }
        assert!(matches!(path().unwrap(&reply[..40]), Err(IgnoreReason::Malformed(_))));
        assert_eq!(path().unwrap(&[]), Err(IgnoreReason::Empty));
        assert_eq!(path().unwrap(&[15, 1]), Ok(Unwrapped { message: &[15, 1], bare: true }));
        assert_eq!(RelayPath::default().unwrap(&[15, 1]), Ok(Unwrapped { message: &[15, 1], bare: false }));
    }

    proptest! {
        #[test]
        fn no_octets_make_unwrap_panic(octets in prop::collection::vec(any::<u8>(), 0..200), kind in 12_u8..16) {
            let octets = [&[kind][..], &octets].concat();
            let _ = path().unwrap(&octets);
        }

        /// Wrapped and answered hop by hop, the message comes out unchanged.
        #[test]
        fn unwrap_reverses_wrap(message in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reply = path().wrap(message.clone()).expect("it fits");
            (reply[0], reply[44]) = (0x0d, 0x0d);
            prop_assert_eq!(path().unwrap(&reply), Ok(Unwrapped { message: &message, bare: false }));
        }
    }
}

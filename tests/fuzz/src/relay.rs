//! Relay levels of a query and of its reply, walked one by one (RFC 8415 §9, §19.3; RFC 8357 §5.2).

use lqd_wire::{MessageType, OptionCode, Options};

/// Octets before the options of a relay message: type, hop-count, link-address, peer-address.
const HEADER_LEN: usize = 34;

/// A relay hop.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Level<'a> {
    /// Hop-count, link-address, peer-address.
    header: &'a [u8],
    interface_id: Option<&'a [u8]>,
    pub(crate) source_port: Option<&'a [u8]>,
}

/// Splits a message into its relay hops of this type and the inner message.
///
/// # Panics
/// The hops violate RFC 8415; those of an answered query and of a reply do not.
pub(crate) fn levels(mut octets: &[u8], kind: MessageType) -> (Vec<Level<'_>>, &[u8]) {
    let mut levels = Vec::new();
    while octets.first() == Some(&kind.0) {
        let (header, options) = octets.split_at_checked(HEADER_LEN).expect("a whole relay header");
        // Type and options are compared apart from the rest.
        let mut level = Level { header: &header[1..], interface_id: None, source_port: None };
        let mut message = None;
        for option in Options::new(options) {
            let (code, value) = option.expect("a relay message whose options parse");
            let place = match code {
                OptionCode::RELAY_MSG => &mut message,
                OptionCode::INTERFACE_ID => &mut level.interface_id,
                OptionCode::RELAY_SOURCE_PORT => &mut level.source_port,
                // A reply must not echo options that RFC 8415 §19.3 does not name.
                _ if kind == MessageType::RELAY_REPL => panic!("{code:?} in a RELAY-REPL"),
                _ => continue,
            };
            // A second message would make the chain ambiguous.
            assert!(place.replace(value).is_none(), "{code:?} twice");
        }
        levels.push(level);
        octets = message.expect("a message inside the relay message");
    }
    (levels, octets)
}

/// OPTION_LQ_RELAY_DATA: a peer-address and the relay messages of the client's last message (RFC 5007
/// §4.1.2.4).
///
/// # Panics
/// The octets are malformed.
pub(crate) fn check_relay_data(value: &[u8]) {
    let (_peer, mut message) = value.split_at_checked(16).expect("a peer-address");
    assert_eq!(message.first(), Some(&MessageType::RELAY_FORW.0), "relay data without a relay message");
    while let [kind, ..] = message {
        assert_eq!(*kind, MessageType::RELAY_FORW.0, "relay data ends at the client's message");
        let mut inner: &[u8] = &[];
        for option in Options::new(message.get(HEADER_LEN..).expect("a whole relay header")) {
            let (code, value) = option.expect("relay data whose options parse");
            if code == OptionCode::RELAY_MSG {
                assert!(inner.is_empty(), "two messages in one level of relay data");
                inner = value;
            }
        }
        // Without a further message, the chain has ended.
        message = inner;
    }
}

/// Rewrites OPTION_LQ_RELAY_DATA without the options that `hides` names; leaves the inner message alone.
///
/// # Panics
/// The octets are malformed.
pub(crate) fn relay_data_without(value: &[u8], hides: impl Fn(OptionCode) -> bool) -> Vec<u8> {
    let (peer, message) = value.split_at_checked(16).expect("a peer-address");
    [peer, &message_without(message, &hides)].concat()
}

fn message_without(message: &[u8], hides: &impl Fn(OptionCode) -> bool) -> Vec<u8> {
    let (header, options) = message.split_at_checked(HEADER_LEN).expect("a whole relay header");
    let mut kept = header.to_vec();
    for option in Options::new(options) {
        let (code, value) = option.expect("relay data whose options parse");
        // The message inside is rewritten, too.
        let value = match code {
            OptionCode::RELAY_MSG => message_without(value, hides),
            _ if hides(code) => continue,
            _ => value.to_vec(),
        };
        kept.extend(code.0.to_be_bytes());
        // Shorter than before, so the length fits.
        kept.extend(u16::try_from(value.len()).expect("it came out of an option").to_be_bytes());
        kept.extend(value);
    }
    kept
}

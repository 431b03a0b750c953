//! OPTION_LQ_RELAY_DATA (RFC 5007 §4.1.2.4) from the relay information in Kea's `user_context`.
//!
//! Kea keeps, where `store-extended-info` is on, `{"ISC": {"relay-info": [ {"hop", "link", "peer",
//! "options"}, … ]}}` with the relay closest to the server first (the key was `relays` before Kea 2.3.2).
//! From it the RELAY-FORW chain is written again, without the client's message. The option's peer-address
//! should be the IP source of the outer packet, which Kea does not keep: the outermost relay's link-address
//! stands for it, being the one address of that relay that is known, or `::` where it has none. An inner
//! relay's address would name another relay agent.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use memchr::{memchr, memmem};
use serde::Deserialize;

use super::text::{hexadecimal, unescape};
use super::{ipv6, json};
use scan::{Relay, Scanner};

mod scan;

const OPTION_RELAY_MSG: u16 = 9;
const OPTION_LQ_RELAY_DATA: u16 = 47;
const RELAY_FORW: u8 = 12;

/// Octets of a relay message before its options: type, hop-count, link-address, peer-address (RFC 8415 §9).
const RELAY_HEADER_LEN: usize = 34;
/// Octets of an option before its value.
const OPTION_HEADER_LEN: usize = 4;
/// Relays on one path: hop-counts 0 to 32, the HOP_COUNT_LIMIT of RFC 3315 §5.5, the largest that was ever
/// standard.
const RELAYS_MAX: usize = 33;

#[derive(Deserialize)]
struct UserContext<'a> {
    #[serde(rename = "ISC", borrow)]
    isc: Option<Isc<'a>>,
}

#[derive(Deserialize)]
struct Isc<'a> {
    #[serde(rename = "relay-info", borrow)]
    relay_info: Option<Vec<RelayInfo<'a>>>,
    /// The older key for the same.
    #[serde(borrow)]
    relays: Option<Vec<RelayInfo<'a>>>,
}

#[derive(Deserialize)]
struct RelayInfo<'a> {
    hop: u8,
    #[serde(borrow)]
    link: Cow<'a, str>,
    #[serde(borrow)]
    peer: Cow<'a, str>,
    #[serde(borrow)]
    options: Option<Cow<'a, str>>,
}

impl RelayInfo<'_> {
    fn borrowed(&self) -> Relay<'_> {
        let options = self.options.as_ref().map(|options| options.as_bytes());
        Relay { hop: self.hop, link: self.link.as_bytes(), peer: self.peer.as_bytes(), options }
    }
}

/// A RELAY-FORW; its options lie in the encoder's `options`.
#[derive(Debug)]
struct Level {
    hop_count: u8,
    link_address: Ipv6Addr,
    peer_address: Ipv6Addr,
    options_end: usize,
    /// Octets of this RELAY-FORW with all that it encapsulates.
    len: usize,
}

/// The text is no `user_context` to Kea.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON map")]
pub(super) struct NotAMapError;

/// Whether all of `text` is of the shape that Kea writes.
fn is_usual(text: &[u8]) -> bool {
    let Some(mut scanner) = Scanner::new(text) else { return false };
    loop {
        // The scan has reached the end: every relay was of the usual shape.
        match scanner.relay() {
            Some(Some(_)) => {}
            other => return other.is_some(),
        }
    }
}

/// Writes the option; keeps its buffers from lease to lease.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    levels: Vec<Level>,
    options: Vec<u8>,
    octets: Vec<u8>,
    unescaped: Vec<u8>,
}

impl Encoder {
    /// Appends the option if `text` (a `user_context` as the file has it) names relays; false if their data
    /// cannot be understood.
    ///
    /// A client without relays has no such option, which is no error.
    pub(super) fn append_option(&mut self, text: &[u8], options: &mut Vec<u8>) -> Result<bool, NotAMapError> {
        // Kea writes one shape, and scanning it costs a fraction of parsing JSON.
        let usual = self.take_usual(text, options);
        let understood = usual.map_or_else(
            || {
                // The scan may have read some relays before it met another shape.
                self.clear();
                self.take_any(text, options)
            },
            Ok,
        );
        // Buffers keep their memory, and must not keep their contents.
        self.clear();
        understood
    }

    /// Whether `text` is a map, as all contexts are.
    pub(super) fn is_map(&mut self, text: &[u8]) -> bool {
        is_usual(text) || json::is_map(unescape(text, &mut self.unescaped))
    }

    /// The shape that Kea writes; none if it is another.
    fn take_usual(&mut self, text: &[u8], options: &mut Vec<u8>) -> Option<bool> {
        let mut scanner = Scanner::new(text)?;
        let mut faulty = false;
        while let Some(relay) = scanner.relay()? {
            // The scan goes on after a faulty relay: an unusual shape behind it is for the parser to judge.
            faulty = faulty || self.levels.len() == RELAYS_MAX || self.read(&relay).is_none();
        }
        Some(!faulty && (self.levels.is_empty() || self.write(options)))
    }

    /// Any JSON.
    fn take_any(&mut self, text: &[u8], options: &mut Vec<u8>) -> Result<bool, NotAMapError> {
        let mut space = std::mem::take(&mut self.unescaped);
        let json = unescape(text, &mut space);
        // Kea refuses the whole row if its context is no map.
        let understood =
            if json::is_map(json) { Ok(self.take_json(json, options)) } else { Err(NotAMapError) };
        self.unescaped = space;
        understood
    }

    fn take_json(&mut self, json: &[u8], options: &mut Vec<u8>) -> bool {
        // Many contexts are about something else; a backslash may hide the key.
        if memmem::find(json, b"relay").is_none() && memchr(b'\\', json).is_none() {
            return true;
        }
        let Ok(context) = serde_json::from_slice::<UserContext<'_>>(json) else { return false };
        // The newer key wins where both are present.
        let Some(relays) = context.isc.and_then(|isc| isc.relay_info.or(isc.relays)) else { return true };
        if relays.is_empty() {
            return true;
        }
        // A longer chain exceeds every hop limit, so it cannot be from relay agents.
        if relays.len() > RELAYS_MAX || relays.iter().any(|relay| self.read(&relay.borrowed()).is_none()) {
            return false;
        }
        self.write(options)
    }

    fn clear(&mut self) {
        self.levels.clear();
        self.options.clear();
    }

    /// Takes in the next relay, towards the client.
    fn read(&mut self, relay: &Relay<'_>) -> Option<()> {
        if let Some(options) = relay.options {
            // Partial options would change the meaning of those behind them.
            let whole = hexadecimal(options, &mut self.octets) && are_relay_options(&self.octets);
            whole.then(|| self.options.extend_from_slice(&self.octets))?;
        }
        self.levels.push(Level {
            hop_count: relay.hop,
            link_address: ipv6::parse(relay.link)?,
            peer_address: ipv6::parse(relay.peer)?,
            options_end: self.options.len(),
            len: 0,
        });
        Some(())
    }

    /// Writes the chain from the outermost relay inwards; false, and nothing written, if it does not fit an
    /// option.
    fn write(&mut self, out: &mut Vec<u8>) -> bool {
        // Each length includes the inner messages, so lengths come from the innermost level outwards.
        let mut inner_len = 0;
        for position in (0..self.levels.len()).rev() {
            // Options lie one behind the other, so a level starts where the level around it ends.
            let options_start = position.checked_sub(1).map_or(0, |outer| self.levels[outer].options_end);
            let level = &mut self.levels[position];
            level.len = RELAY_HEADER_LEN + (level.options_end - options_start);
            if inner_len > 0 {
                level.len += OPTION_HEADER_LEN + inner_len;
            }
            inner_len = level.len;
        }
        // A chain that does not fit an option is left out whole: a part of it would mislead.
        let Ok(option_len) = u16::try_from(16 + inner_len) else { return false };
        // All options of a lease share a length of 16 bits in the index.
        if out.len() + OPTION_HEADER_LEN + usize::from(option_len) > usize::from(u16::MAX) {
            return false;
        }
        // RFC 5007 §4.1.2.4 wants the relay agent's own address; Kea keeps its link-address only.
        let peer_address =
            self.levels.first().map_or(Ipv6Addr::UNSPECIFIED, |outermost| outermost.link_address);
        out.extend_from_slice(&OPTION_LQ_RELAY_DATA.to_be_bytes());
        out.extend_from_slice(&option_len.to_be_bytes());
        out.extend_from_slice(&peer_address.octets());
        let mut options_start = 0;
        for (position, level) in self.levels.iter().enumerate() {
            if position > 0 {
                out.extend_from_slice(&OPTION_RELAY_MSG.to_be_bytes());
                out.extend_from_slice(&(level.len as u16).to_be_bytes()); // < option_len, a u16
            }
            out.extend_from_slice(&[RELAY_FORW, level.hop_count]);
            out.extend_from_slice(&level.link_address.octets());
            out.extend_from_slice(&level.peer_address.octets());
            out.extend_from_slice(&self.options[options_start..level.options_end]);
            options_start = level.options_end;
        }
        true
    }
}

/// Whole options, none of them OPTION_RELAY_MSG: a second one in a level would make the chain ambiguous.
fn are_relay_options(mut octets: &[u8]) -> bool {
    while let Some((&[code_high, code_low, len_high, len_low], rest)) = octets.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        // An option that claims more than is left would swallow the next level.
        if u16::from_be_bytes([code_high, code_low]) == OPTION_RELAY_MSG || rest.len() < len {
            return false;
        }
        octets = &rest[len..];
    }
    octets.is_empty()
}

#[cfg(test)]
mod tests;

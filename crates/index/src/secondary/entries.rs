//! Keys of a client's record.

use lqd_wire::{OptionCode, RelayHeader};

use super::{Key, Kind, Secondary};
use crate::changes::FormerLease;
use crate::links::{Links, Location};
use crate::record::{Binding, Client};

/// Octets of code and length.
const OPTION_HEADER_LEN: usize = 4;

/// Octets of the value of OPTION_LQ_RELAY_DATA before its message: peer-address (RFC 5007 §4.1.2.4).
const PEER_ADDRESS_LEN: usize = 16;

/// Finds the keys of records; keeps its buffers from one to the next.
#[derive(Default)]
pub(crate) struct Extractor {
    option: Vec<u8>,
    keys: Vec<Key>,
}

impl Extractor {
    /// The keys of this record, of those kinds that are asked for: ascending, each once.
    pub(crate) fn keys(&mut self, secondary: &Secondary, client: Client<'_>, links: &Links) -> &[Key] {
        self.keys.clear();
        // A partial client is in every scan, as its other leases are not known.
        if client.is_partial() {
            self.keys.push(Key::PARTIAL);
        }
        if secondary.has(Kind::Link) {
            self.keys.extend(client.bindings().map(|lease| {
                match links.locate(lease.subnet_id, lease.address, lease.kind) {
                    Location::Link(link) => Key::link(link),
                    // Leases off their subnet depend on the address, so they are listed together.
                    Location::Containing(_) | Location::NotConfigured => Key::OFF_SUBNET,
                }
            }));
        }
        let (relay_ids, remote_ids) = (secondary.has(Kind::RelayId), secondary.has(Kind::RemoteId));
        if relay_ids || remote_ids {
            let keys = &mut self.keys;
            // Relay data is parsed once for both kinds.
            for_each_id(client, &mut self.option, |code, id| match code {
                OptionCode::RELAY_ID if relay_ids => keys.push(Key::relay_id(id)),
                OptionCode::REMOTE_ID if remote_ids => keys.push(Key::remote_id(id)),
                _ => {}
            });
        }
        // Leases of a client share keys, and each is posted once.
        self.keys.sort_unstable();
        self.keys.dedup();
        &self.keys
    }
}

/// Whether a relay agent on the path of any of the client's leases has this Relay-ID or Remote-ID.
pub(crate) fn has_id(client: Client<'_>, code: OptionCode, id: &[u8]) -> bool {
    let (mut option, mut has) = (Vec::new(), false);
    for_each_id(client, &mut option, |other, value| has |= (other, value) == (code, id));
    has
}

impl Client<'_> {
    /// Whether a relay agent on the path of this lease of the client has this Relay-ID or Remote-ID.
    ///
    /// `code`: OPTION_RELAY_ID or OPTION_REMOTE_ID; `scratch`: any buffer, to be used again.
    pub fn has_relay_option(
        self,
        lease: &Binding,
        code: OptionCode,
        value: &[u8],
        scratch: &mut Vec<u8>,
    ) -> bool {
        let mut has = false;
        for_each_id_of(self, lease, scratch, &mut |other, octets| has |= (other, octets) == (code, value));
        has
    }
}

impl FormerLease<'_> {
    /// Whether a relay agent on the path had this Relay-ID or Remote-ID, as
    /// [`Client::has_relay_option`] says of a present lease.
    ///
    /// `code`: OPTION_RELAY_ID or OPTION_REMOTE_ID.
    pub fn has_relay_option(&self, code: OptionCode, value: &[u8]) -> bool {
        let mut has = false;
        for_each_id_in(self.relay_data, &mut |other, octets| has |= (other, octets) == (code, value));
        has
    }
}

/// Calls `see` with the code and value of each option of each relay agent in the relay data of the client's
/// leases.
fn for_each_id(client: Client<'_>, option: &mut Vec<u8>, mut see: impl FnMut(OptionCode, &[u8])) {
    let mut last_block = 0;
    for lease in client.bindings() {
        // Leases of one client share their options as a rule.
        if lease.block == last_block {
            continue;
        }
        last_block = lease.block;
        for_each_id_of(client, &lease, option, &mut see);
    }
}

/// Calls `see` as [`for_each_id`] for one lease.
fn for_each_id_of(
    client: Client<'_>,
    lease: &Binding,
    option: &mut Vec<u8>,
    see: &mut impl FnMut(OptionCode, &[u8]),
) {
    let mut options = client.options(lease).iter();
    // A lease without relay data was not relayed.
    if let Some((_, relay_data)) = options.find(|&(code, _)| code == OptionCode::LQ_RELAY_DATA.0) {
        option.resize(relay_data.wire_len(), 0);
        relay_data.copy_into(option);
        for_each_id_in(&option[OPTION_HEADER_LEN..], see);
    }
}

/// Calls `see` as [`for_each_id`] for the value of one OPTION_LQ_RELAY_DATA.
fn for_each_id_in(relay_data: &[u8], see: &mut impl FnMut(OptionCode, &[u8])) {
    // Damaged data has no relay message behind its address.
    for_each_relay_option(relay_data.get(PEER_ADDRESS_LEN..).unwrap_or_default(), see);
}

/// Calls `see` for each option of each relay message, from the outermost inwards.
fn for_each_relay_option(mut message: &[u8], see: &mut impl FnMut(OptionCode, &[u8])) {
    while let Ok((_, options)) = RelayHeader::parse(message) {
        // Without a nested message this was the innermost relay agent.
        message = &[];
        // An option that does not parse hides those behind it.
        for (code, value) in options.map_while(Result::ok) {
            if code == OptionCode::RELAY_MSG {
                message = value;
            } else {
                see(code, value);
            }
        }
    }
}

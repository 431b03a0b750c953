//! Octets of a query: LEASEQUERY (RFC 5007 §4.1.1), unrelayed or through one relay agent.

use std::net::Ipv6Addr;

use lqd_wire::{IaAddress, MessageType, NoRoomError, OptionCode, QueryType, TransactionId, Writer};

use super::{Query, Subject};
use crate::leases::Clients;

/// The simulated relay agent's link-address, peer-address and interface-id, which the answer must return (RFC
/// 8415 §19.3).
pub(crate) const RELAY_LINK: Ipv6Addr = Ipv6Addr::new(0x3fff, 0, 0, 1, 0, 0, 0, 1);
pub(crate) const RELAY_PEER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x1717);
pub(crate) const RELAY_INTERFACE_ID: &[u8] = b"lqload";
/// A link that no server has: the discard-only prefix (RFC 6666).
const UNKNOWN_LINK: Ipv6Addr = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1);

/// Encoder of the queries of one requestor.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    requestor: Vec<u8>,
    /// Codes of the requested options.
    asked: Vec<u16>,
}

impl Encoder {
    /// Longest query in octets: headers, two DUIDs of 130 octets, [`ASKED_MAX`](Self::ASKED_MAX) codes.
    pub(crate) const LEN_MAX: usize = 512;
    /// Most requested options.
    pub(crate) const ASKED_MAX: usize = 32;

    /// Makes an encoder. `requestor` is the requestor's DUID of 1 to 130 octets; `asked` are the codes for
    /// OPTION_ORO, at most [`ASKED_MAX`](Self::ASKED_MAX).
    pub(crate) fn new(requestor: &[u8], asked: &[u16]) -> Self {
        Self { requestor: requestor.to_owned(), asked: asked.to_owned() }
    }

    /// Appends a query.
    pub(crate) fn write(
        &self,
        w: &mut Writer<'_>,
        id: TransactionId,
        query: Query,
        clients: &Clients,
    ) -> Result<(), NoRoomError> {
        let duid = clients.get(query.client).duid;
        self.write_for(w, id, query, query.address(clients), duid)
    }

    /// Appends a query for an address, or by client-id for a DUID.
    pub(crate) fn write_for(
        &self,
        w: &mut Writer<'_>,
        id: TransactionId,
        query: Query,
        address: Ipv6Addr,
        duid: &[u8],
    ) -> Result<(), NoRoomError> {
        // The plain form first, as most queries are not relayed.
        if !query.relayed {
            return self.write_query(w, id, query.subject, address, duid);
        }
        let hop_count = 0;
        w.put(&[MessageType::RELAY_FORW.0, hop_count])?;
        w.put(&RELAY_LINK.octets())?;
        w.put(&RELAY_PEER.octets())?;
        w.option(OptionCode::INTERFACE_ID, |w| w.put(RELAY_INTERFACE_ID))?;
        // RFC 8357 §5.2: without it the answer would go to port 547; 0 since no other relay agent is between.
        w.option(OptionCode::RELAY_SOURCE_PORT, |w| w.put(&[0, 0]))?;
        w.option(OptionCode::RELAY_MSG, |w| self.write_query(w, id, query.subject, address, duid))
    }

    fn write_query(
        &self,
        w: &mut Writer<'_>,
        id: TransactionId,
        subject: Subject,
        address: Ipv6Addr,
        duid: &[u8],
    ) -> Result<(), NoRoomError> {
        w.header(MessageType::LEASEQUERY, id)?;
        w.option(OptionCode::CLIENTID, |w| w.put(&self.requestor))?;
        w.option(OptionCode::LQ_QUERY, |w| {
            let by_client_id = subject.is_by_client_id();
            let kind = if by_client_id { QueryType::BY_CLIENT_ID } else { QueryType::BY_ADDRESS };
            // `::` leaves the link to the server.
            let link = if subject == Subject::UnknownLink { UNKNOWN_LINK } else { Ipv6Addr::UNSPECIFIED };
            // RFC 5007 §4.1.2.1: query-type, link-address, then the options.
            w.put(&[kind.0])?;
            w.put(&link.octets())?;
            if by_client_id {
                w.option(OptionCode::CLIENTID, |w| w.put(duid))?;
            } else {
                IaAddress { address, preferred_lifetime: 0, valid_lifetime: 0 }.write(w)?;
            }
            // An empty OPTION_ORO would ask for nothing, and is left out.
            if self.asked.is_empty() {
                return Ok(());
            }
            w.option(OptionCode::ORO, |w| self.asked.iter().try_for_each(|code| w.put(&code.to_be_bytes())))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(encoder: &Encoder, subject: Subject, relayed: bool) -> String {
        let mut octets = [0; Encoder::LEN_MAX];
        let mut w = Writer::new(&mut octets);
        let address = "2001:db8:500:0:4116:4309:1d48:cbd9".parse().unwrap();
        let query = Query { subject, relayed, lease: 0, client: 0, salt: 0 };
        encoder.write_for(&mut w, TransactionId([0, 1, 2]), query, address, &[0, 3, 0xab]).unwrap();
        w.written().iter().map(|octet| format!("{octet:02x}")).collect()
    }

    fn encoder(asked: &[u16]) -> Encoder {
        Encoder::new(&[0, 1, 0, 1, 1, 2, 3, 4, 0, 0, 0x5e, 0x10, 0, 1], asked)
    }

    #[test]
    fn a_query_by_address_equals_one_that_kea_answered() {
        // Octets of another implementation are the judge.
        // A query that Kea 3.3.1 answered.
        let expected = "0e0001020001000e000100010102030400005e100001002c002d0100000000000000000000000000\
                        0000000005001820010db805000000411643091d48cbd90000000000000000";
        for subject in [Subject::Address, Subject::Miss, Subject::Prefix] {
            assert_eq!(written(&encoder(&[]), subject, false), expected);
        }
    }

    #[test]
    fn queries_by_client_id_are_encoded_with_their_link() {
        let expected = "0e0001020001000e000100010102030400005e100001002c00180200000000000000000000000000\
                        000000000100030003ab";
        assert_eq!(written(&encoder(&[]), Subject::ClientId, false), expected);
        let expected = "0e0001020001000e000100010102030400005e100001002c00180201000000000000000000000000\
                        000001000100030003ab";
        assert_eq!(written(&encoder(&[]), Subject::UnknownLink, false), expected);
    }

    #[test]
    fn relayed_queries_with_requested_options_are_encoded() {
        let expected = "0c003fff0000000000010000000000000001fe800000000000000000000000001717\
                        001200066c716c6f6164008700020000\
                        0009003a0e0001020001000e000100010102030400005e100001\
                        002c00200200000000000000000000000000000000000100030003ab00060004002f0027";
        assert_eq!(written(&encoder(&[47, 39]), Subject::ClientId, true), expected);
    }

    #[test]
    fn the_longest_query_fits() {
        let encoder = Encoder::new(&[7; 130], &[1; Encoder::ASKED_MAX]);
        let mut octets = [0; Encoder::LEN_MAX];
        let query = Query { subject: Subject::ClientId, relayed: true, lease: 0, client: 0, salt: 0 };
        let id = TransactionId([0, 1, 2]);
        let written =
            encoder.write_for(&mut Writer::new(&mut octets), id, query, Ipv6Addr::LOCALHOST, &[8; 130]);
        assert_eq!(written, Ok(()));
    }
}

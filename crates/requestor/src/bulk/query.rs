//! A bulk query and its octets.

use std::net::Ipv6Addr;

use lqd_wire::{
    Frame, IaAddress, LqTime, MessageType, NoRoomError, OptionCode, QueryType, TransactionId, Writer,
};

use crate::{Duid, RelayChain, RemoteId};

/// The bindings in question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Bindings of the client that holds this address, or a prefix around it (QUERY_BY_ADDRESS).
    Address(Ipv6Addr),
    /// Bindings of the client with this DUID (QUERY_BY_CLIENTID).
    Client(Duid),
    /// Bindings that came through the relay agent with this DUID (QUERY_BY_RELAY_ID, RFC 5460 §5.3.1).
    RelayId(Duid),
    /// Bindings on the link of this address (QUERY_BY_LINK_ADDRESS, RFC 5460 §5.3.2).
    Link(Ipv6Addr),
    /// Bindings that came with this remote-id (QUERY_BY_REMOTE_ID, RFC 5460 §5.3.3).
    RemoteId(RemoteId),
}

/// A bulk query (RFC 5460 §6.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// The bindings in question.
    pub target: Target,
    /// An address of the link to look on, beside another target; `None` looks on every link.
    pub link: Option<Ipv6Addr>,
    /// Options to return beside the leases (the ORO inside OPTION_LQ_QUERY).
    pub requested: Vec<OptionCode>,
    /// Earliest time of change of a binding, in the server's time (RFC 7653 §6.3.2).
    pub start: Option<LqTime>,
    /// Latest time of change of a binding, in the server's time (RFC 7653 §6.3.3).
    pub end: Option<LqTime>,
    /// The only server that may answer (OPTION_SERVERID).
    pub server: Option<Duid>,
}

impl Query {
    /// A query for these bindings, on every link, of any time.
    pub fn new(target: Target) -> Self {
        Self { target, link: None, requested: Vec::new(), start: None, end: None, server: None }
    }

    /// Restricts the query to the link with this address.
    #[must_use]
    pub fn on_link(mut self, link: Ipv6Addr) -> Self {
        self.link = Some(link);
        self
    }

    /// Requests these options, too.
    #[must_use]
    pub fn requesting(mut self, codes: impl IntoIterator<Item = OptionCode>) -> Self {
        self.requested.extend(codes);
        self
    }

    /// The query-type on the wire.
    pub fn kind(&self) -> QueryType {
        match self.target {
            Target::Address(_) => QueryType::BY_ADDRESS,
            Target::Client(_) => QueryType::BY_CLIENT_ID,
            Target::RelayId(_) => QueryType::BY_RELAY_ID,
            Target::Link(_) => QueryType::BY_LINK_ADDRESS,
            Target::RemoteId(_) => QueryType::BY_REMOTE_ID,
        }
    }

    /// Encodes the LEASEQUERY in its frame (RFC 5460 §5.1); `NoRoomError` if it is longer than a frame.
    pub fn encode(&self, own: &Duid, id: TransactionId) -> Result<Vec<u8>, NoRoomError> {
        self.encode_as(MessageType::LEASEQUERY, own, id)
    }

    /// Encodes the ACTIVELEASEQUERY in its frame (RFC 7653 §6.2.1); it has no end time (§6.3.3).
    pub fn encode_active(&self, own: &Duid, id: TransactionId) -> Result<Vec<u8>, NoRoomError> {
        Self { end: None, ..self.clone() }.encode_as(MessageType::ACTIVELEASEQUERY, own, id)
    }

    fn encode_as(&self, kind: MessageType, own: &Duid, id: TransactionId) -> Result<Vec<u8>, NoRoomError> {
        let mut frame = vec![0; Frame::LEN_MAX];
        let mut w = Writer::new(&mut frame);
        w.frame(|w| self.write(w, kind, own, id))?;
        let len = w.position();
        frame.truncate(len);
        Ok(frame)
    }

    fn write(
        &self,
        w: &mut Writer<'_>,
        kind: MessageType,
        own: &Duid,
        id: TransactionId,
    ) -> Result<(), NoRoomError> {
        w.header(kind, id)?;
        w.option_with(OptionCode::CLIENTID, own.octets())?;
        if let Some(server) = &self.server {
            w.option_with(OptionCode::SERVERID, server.octets())?;
        }
        w.option(OptionCode::LQ_QUERY, |w| self.write_body(w))?;
        // RFC 7653 §6.2.1 has the times beside OPTION_LQ_QUERY, which an active query may lack.
        if let Some(start) = self.start {
            start.write(w, OptionCode::LQ_START_TIME)?;
        }
        self.end.map_or(Ok(()), |end| end.write(w, OptionCode::LQ_END_TIME))
    }

    fn write_body(&self, w: &mut Writer<'_>) -> Result<(), NoRoomError> {
        let link = match self.target {
            Target::Link(link) => Some(link),
            _ => self.link,
        };
        w.put(&[self.kind().0])?;
        w.put(&link.unwrap_or(Ipv6Addr::UNSPECIFIED).octets())?;
        match &self.target {
            Target::Address(address) => {
                // RFC 5007 §4.1.2.1: the lifetimes of a query mean nothing.
                IaAddress { address: *address, preferred_lifetime: 0, valid_lifetime: 0 }.write(w)?;
            }
            Target::Client(client) => w.option_with(OptionCode::CLIENTID, client.octets())?,
            Target::RelayId(relay) => w.option_with(OptionCode::RELAY_ID, relay.octets())?,
            Target::Link(_) => {}
            Target::RemoteId(RemoteId { enterprise, identifier }) => {
                w.option(OptionCode::REMOTE_ID, |w| {
                    w.put(&enterprise.to_be_bytes())?;
                    w.put(identifier)
                })?;
            }
        }
        // An empty ORO would only lengthen the message.
        if self.requested.is_empty() {
            return Ok(());
        }
        w.option(OptionCode::ORO, |w| self.requested.iter().try_for_each(|code| w.put(&code.0.to_be_bytes())))
    }

    /// Whether relay data agrees with the query: some relay agent has the queried id.
    pub(super) fn agrees(&self, relay: &RelayChain) -> bool {
        // The cut-off part of a broken chain may have the id.
        if relay.fault.is_some() {
            return true;
        }
        match &self.target {
            Target::RelayId(id) => relay.relays.iter().any(|relay| {
                let mut ids = relay.other.iter().filter(|option| option.code == OptionCode::RELAY_ID);
                ids.any(|option| option.value == id.octets())
            }),
            Target::RemoteId(id) => relay.relays.iter().any(|relay| relay.remote_id.as_ref() == Some(id)),
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::octets;

    /// BR2.
    #[test]
    fn queries_are_encoded_as_in_rfc_5460_and_rfc_7653() {
        let own: Duid = "00:03:00:01:02:a0:b0:c0:d0:e0".parse().expect("a DUID");
        let relay: Duid = "00:03:00:01:02:77:00:00:00:01".parse().expect("a DUID");
        let link: Ipv6Addr = "2001:db8:1::1".parse().expect("an address");
        let address: Ipv6Addr = "2001:db8:1::a".parse().expect("an address");
        let remote = RemoteId { enterprise: 4491, identifier: vec![0xcc, 1] };
        let times = Query {
            start: Some(LqTime(1)),
            end: Some(LqTime(2)),
            server: Some(relay.clone()),
            ..Query::new(Target::Link(link)).requesting([OptionCode::LQ_BASE_TIME])
        };
        // The frame of Kea's recorded query by relay-id, and its variants by hand.
        let start = "0e 005471 0001 000a 000300 0102a0b0c0d0e0";
        let rows = [
            (
                Query::new(Target::RelayId(relay.clone())),
                "0035",
                "002c 001f 03 00000000000000000000000000000000 0035 000a 00030001027700000001",
            ),
            (
                Query::new(Target::RemoteId(remote)).on_link(link),
                "0031",
                "002c 001b 05 20010db8000100000000000000000001 0025 0006 0000118b cc01",
            ),
            (
                Query::new(Target::Address(address)),
                "0043",
                "002c 002d 01 00000000000000000000000000000000
                 0005 0018 20010db800010000000000000000000a 00000000 00000000",
            ),
            (
                Query::new(Target::Client(relay)),
                "0035",
                "002c 001f 02 00000000000000000000000000000000 0001 000a 00030001027700000001",
            ),
            (
                times,
                "004b",
                "0002 000a 00030001027700000001
                 002c 0017 04 20010db8000100000000000000000001 0006 0002 0064
                 0065 0004 00000001 0066 0004 00000002",
            ),
        ];
        for (query, len, rest) in rows {
            let want = octets(&format!("{len} {start} {rest}"));
            assert_eq!(query.encode(&own, TransactionId([0, 0x54, 0x71])), Ok(want), "{query:?}");
        }
    }

    /// AR4, AR6.
    #[test]
    fn an_active_query_is_encoded_as_in_rfc_7653() {
        let own: Duid = "00:04:aa:bb".parse().expect("a DUID");
        let link: Ipv6Addr = "2001:db8:1::1".parse().expect("an address");
        let query = Query {
            start: Some(LqTime(0x0102_0304)),
            end: Some(LqTime(2)),
            ..Query::new(Target::Link(link)).requesting([OptionCode::LQ_BASE_TIME])
        };
        let want = "002f 16 010203 0001 0004 0004aabb
                    002c 0017 04 20010db8000100000000000000000001 0006 0002 0064
                    0065 0004 01020304";
        assert_eq!(query.encode_active(&own, TransactionId([1, 2, 3])), Ok(octets(want)));
        let without = Query { start: None, ..query }.encode_active(&own, TransactionId([1, 2, 3]));
        assert_eq!(without, Ok(octets(&want.replace("002f", "0027").replace("0065 0004 01020304", ""))));
    }

    #[test]
    fn a_query_longer_than_a_frame_is_an_error() {
        let own = Duid::new([7]).expect("a DUID");
        let long = RemoteId { enterprise: 1, identifier: vec![0; 65_520] };
        let query = Query::new(Target::RemoteId(long));
        assert_eq!(query.encode(&own, TransactionId([0; 3])), Err(NoRoomError));
    }
}

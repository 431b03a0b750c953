//! A query and its octets.

use std::net::Ipv6Addr;

use lqd_wire::{IaAddress, MessageType, NoRoomError, OptionCode, QueryType, TransactionId, Writer};

use crate::Duid;

/// Length of a LEASEQUERY with the longest DUIDs, without its option request: header, three DUID options,
/// LQ_QUERY.
const LEN_WITHOUT_REQUEST: usize =
    4 + 3 * (4 + lqd_wire::Duid::LEN_MAX) + 4 + lqd_wire::Query::HEADER_LEN + 4;

/// The client in question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The client that holds this address, or a delegated prefix that contains it (QUERY_BY_ADDRESS).
    Address(Ipv6Addr),
    /// The client with this DUID (QUERY_BY_CLIENTID).
    Client(Duid),
}

/// A query (RFC 5007 §4.1.2.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// The client in question.
    pub target: Target,
    /// An address of the link to look on; `None` leaves it to the server.
    pub link: Option<Ipv6Addr>,
    /// Options of the client to return beside its leases (the ORO inside OPTION_LQ_QUERY).
    pub requested: Vec<OptionCode>,
    /// The only server that may answer, for queries that reach several (RFC 5007 §4.3.1).
    pub server: Option<Duid>,
}

impl Query {
    /// Makes a query for the client of an address, or of a delegated prefix around it.
    pub fn by_address(address: Ipv6Addr) -> Self {
        Self { target: Target::Address(address), link: None, requested: Vec::new(), server: None }
    }

    /// Makes a query for the bindings of a client.
    pub fn by_client_id(client: Duid) -> Self {
        Self { target: Target::Client(client), link: None, requested: Vec::new(), server: None }
    }

    /// Restricts the query to the link with this address.
    #[must_use]
    pub fn on_link(mut self, link: Ipv6Addr) -> Self {
        self.link = Some(link);
        self
    }

    /// Requests these options of the client, too.
    #[must_use]
    pub fn requesting(mut self, codes: impl IntoIterator<Item = OptionCode>) -> Self {
        self.requested.extend(codes);
        self
    }

    /// Restricts the answer to this server.
    #[must_use]
    pub fn to_server(mut self, server: Duid) -> Self {
        self.server = Some(server);
        self
    }

    /// The query-type on the wire.
    pub fn kind(&self) -> QueryType {
        match self.target {
            Target::Address(_) => QueryType::BY_ADDRESS,
            Target::Client(_) => QueryType::BY_CLIENT_ID,
        }
    }

    /// Encodes the LEASEQUERY (RFC 5007 §4.3.1); `NoRoomError` if more options are requested than an option
    /// can list.
    pub fn encode(&self, own: &Duid, id: TransactionId) -> Result<Vec<u8>, NoRoomError> {
        let mut message = vec![0; LEN_WITHOUT_REQUEST + 2 * self.requested.len()];
        let mut w = Writer::new(&mut message);
        w.header(MessageType::LEASEQUERY, id)?;
        w.option(OptionCode::CLIENTID, |w| w.put(own.octets()))?;
        if let Some(server) = &self.server {
            w.option(OptionCode::SERVERID, |w| w.put(server.octets()))?;
        }
        w.option(OptionCode::LQ_QUERY, |w| self.write_body(w))?;
        let len = w.position();
        message.truncate(len);
        Ok(message)
    }

    fn write_body(&self, w: &mut Writer<'_>) -> Result<(), NoRoomError> {
        w.put(&[self.kind().0])?;
        w.put(&self.link.unwrap_or(Ipv6Addr::UNSPECIFIED).octets())?;
        match &self.target {
            Target::Address(address) => {
                // RFC 5007 §4.1.2.1: the lifetimes of a query mean nothing.
                IaAddress { address: *address, preferred_lifetime: 0, valid_lifetime: 0 }.write(w)?;
            }
            Target::Client(client) => w.option(OptionCode::CLIENTID, |w| w.put(client.octets()))?,
        }
        // An empty ORO would only lengthen the message.
        if self.requested.is_empty() {
            return Ok(());
        }
        w.option(OptionCode::ORO, |w| self.requested.iter().try_for_each(|code| w.put(&code.0.to_be_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::octets;

    const ID: TransactionId = TransactionId([0xa1, 0xb2, 0xc3]);

    fn duid(text: &str) -> Duid {
        text.parse().expect("a DUID")
    }

    /// R6, R7, R8, R9, R10, R11.
    #[test]
    fn a_query_is_encoded_as_in_rfc_5007_4_1_2_1() {
        let own = duid("00:03:00:01:02:00:5e:10:00:01");
        let address: Ipv6Addr = "2001:db8::1".parse().expect("an address");
        let link: Ipv6Addr = "2001:db8:1::".parse().expect("an address");
        let rows = [
            (
                "by address",
                Query::by_address(address),
                "0e a1b2c3  0001 000a 0003 0001 0200 5e10 0001
                 002c 002d  01 00000000000000000000000000000000
                            0005 0018 20010db8000000000000000000000001 00000000 00000000",
            ),
            (
                "by client-id, on a link, with options, to one server",
                Query::by_client_id(duid("00:04:07"))
                    .on_link(link)
                    .requesting([OptionCode::LQ_RELAY_DATA, OptionCode(39)])
                    .to_server(duid("00:02:09")),
                "0e a1b2c3  0001 000a 0003 0001 0200 5e10 0001  0002 0003 000209
                 002c 0020  02 20010db8000100000000000000000000  0001 0003 000407  0006 0004 002f 0027",
            ),
        ];
        for (name, query, want) in rows {
            assert_eq!(query.encode(&own, ID), Ok(octets(want)), "{name}");
        }
    }

    #[test]
    fn the_longest_query_fits_and_too_many_options_do_not() {
        let long = Duid::new(vec![7; 130]).expect("130 octets");
        let query = Query::by_client_id(long.clone()).to_server(long.clone());
        assert_eq!(query.encode(&long, ID).map(|message| message.len()), Ok(4 + 3 * 134 + 4 + 17));
        let greedy = Query::by_client_id(long.clone()).requesting((0..=32_767).map(OptionCode));
        assert_eq!(greedy.encode(&long, ID), Err(NoRoomError));
    }
}

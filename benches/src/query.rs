//! LEASEQUERY messages (RFC 5007 §4.1.1) by kind.

use std::net::Ipv6Addr;

use lqd_wire::{IaAddress, MessageType, NoRoomError, OptionCode, QueryType, TransactionId, Writer};

use crate::network::{self, Client};

/// Longest message written here, octets.
pub const LEN_MAX: usize = 256;

/// DUID of the requestor: DUID-EN with the enterprise number for documentation (RFC 5612).
const REQUESTOR: [u8; 10] = [0, 2, 0, 0, 0x7e, 0xd9, b'c', b'm', b't', b's'];

/// Kind of a query about a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The leased address.
    Address,
    /// An address inside the delegated prefix.
    Prefix,
    /// The DUID, on all links.
    ClientId,
    /// A free address near the leased one.
    Miss,
    /// The leased address, with OPTION_ORO for relay data.
    RelayData,
    /// The leased address, through a relay agent.
    Relayed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Address, Self::Prefix, Self::ClientId, Self::Miss, Self::RelayData, Self::Relayed];

    /// Name in the benches' results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Prefix => "prefix",
            Self::ClientId => "client-id",
            Self::Miss => "miss",
            Self::RelayData => "relay-data",
            Self::Relayed => "relayed",
        }
    }

    /// Makes the query of this kind about a client.
    ///
    /// # Panics
    /// The query is longer than [`LEN_MAX`].
    pub fn query(self, client: &Client) -> Vec<u8> {
        let mut octets = [0; LEN_MAX];
        let mut w = Writer::new(&mut octets);
        write(&mut w, self, client).expect("a query is shorter than LEN_MAX");
        w.written().to_vec()
    }
}

fn write(w: &mut Writer<'_>, kind: Kind, client: &Client) -> Result<(), NoRoomError> {
    if kind != Kind::Relayed {
        return write_message(w, kind, client);
    }
    w.put(&[MessageType::RELAY_FORW.0, 0])?;
    w.put(&network::subnet(client.subnet_id).octets())?;
    w.put(&Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1).octets())?;
    w.option(OptionCode::INTERFACE_ID, |w| w.put(b"olt-1/22"))?;
    w.option(OptionCode::RELAY_MSG, |w| write_message(w, kind, client))
}

fn write_message(w: &mut Writer<'_>, kind: Kind, client: &Client) -> Result<(), NoRoomError> {
    let [.., a, b, c] = client.duid;
    w.header(MessageType::LEASEQUERY, TransactionId([a, b, c]))?;
    w.option(OptionCode::CLIENTID, |w| w.put(&REQUESTOR))?;
    w.option(OptionCode::LQ_QUERY, |w| {
        let by = if kind == Kind::ClientId { QueryType::BY_CLIENT_ID } else { QueryType::BY_ADDRESS };
        w.put(&[by.0])?;
        w.put(&Ipv6Addr::UNSPECIFIED.octets())?;
        let address = match kind {
            Kind::ClientId => return w.option(OptionCode::CLIENTID, |w| w.put(&client.duid)),
            Kind::Address | Kind::RelayData | Kind::Relayed => client.address,
            Kind::Prefix => client.address_in_prefix(),
            Kind::Miss => client.free_address(),
        };
        IaAddress { address, preferred_lifetime: 0, valid_lifetime: 0 }.write(w)?;
        if kind == Kind::RelayData {
            let code = OptionCode::LQ_RELAY_DATA.0.to_be_bytes();
            w.option(OptionCode::ORO, |w| w.put(&code))?;
        }
        Ok(())
    })
}

//! LEASEQUERY-REPLYs as parsed by the tests themselves, and the requestor of the live tests.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv6Addr, SocketAddrV6};

use crate::support::Requestor;
use crate::support::message::{
    self, CLIENT_HEADER_LEN, RELAY_HEADER_LEN, REQUESTOR_DUID, SERVER_DUID, address_at, code, iaaddr,
    leasequery, msg, option, options, query, single, u32_at,
};

/// A lease in an answer, with the length for a prefix.
pub(super) type Leased = (Ipv6Addr, Option<u8>);

/// Preferred and valid lifetime in seconds.
pub(super) type Lifetimes = (u32, u32);

/// `OPTION_CLIENT_DATA` (RFC 5007 §4.1.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientData {
    pub(super) duid: Vec<u8>,
    pub(super) leases: BTreeMap<Leased, Lifetimes>,
    pub(super) clt_time_s: u32,
    pub(super) relay_data: Option<RelayData>,
    /// Body of `OPTION_CLIENT_LINKLAYER_ADDR` (RFC 6939 §4).
    pub(super) link_layer: Option<Vec<u8>>,
    /// Body of `OPTION_CLIENT_FQDN` (RFC 4704 §4).
    pub(super) fqdn: Option<Vec<u8>>,
}

/// `OPTION_LQ_RELAY_DATA` (RFC 5007 §4.1.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RelayData {
    pub(super) peer: Ipv6Addr,
    pub(super) levels: Vec<RelayLevel>,
}

/// One RELAY-FORW: hop-count, link-address, peer-address, and the options beside the relay message.
///
/// Options are sorted, because Kea does not keep their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RelayLevel {
    pub(super) hop: u8,
    pub(super) link: Ipv6Addr,
    pub(super) peer: Ipv6Addr,
    pub(super) options: Vec<(u16, Vec<u8>)>,
}

/// Content of a LEASEQUERY-REPLY (RFC 5007 §4.3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Bindings(ClientData),
    Links(BTreeSet<Ipv6Addr>),
    NoBinding,
    Refused(u16),
}

/// Options requested by all queries: FQDN, `LQ_RELAY_DATA`, link-layer address.
const ASKED: [u16; 3] = [code::CLIENT_FQDN, code::LQ_RELAY_DATA, code::CLIENT_LINKLAYER_ADDR];

/// A requestor that parses the replies.
pub(super) struct LiveRequestor {
    requestor: Requestor,
    transaction: Cell<u32>,
}

impl LiveRequestor {
    pub(super) fn new(server: SocketAddrV6) -> Self {
        Self { requestor: Requestor::new(server), transaction: Cell::new(0) }
    }

    /// Queries the lease of this address, or of the prefix around it.
    pub(super) fn by_address(&self, address: Ipv6Addr) -> Result<Answer, String> {
        self.ask(query::BY_ADDRESS, Ipv6Addr::UNSPECIFIED, &iaaddr(address))
    }

    /// Queries the leases of this client on this link (`::` = on all).
    pub(super) fn by_client_id(&self, duid: &[u8], link: Ipv6Addr) -> Result<Answer, String> {
        self.ask(query::BY_CLIENTID, link, &option(code::CLIENTID, duid))
    }

    /// Returns the options with these codes that lqd knows of a client on any link.
    ///
    /// # Errors
    /// The reply lacks leases of some of these kinds (option codes): Kea writes them one after the other.
    pub(super) fn options_of(
        &self,
        duid: &[u8],
        leases: &[u16],
        codes: &[u16],
    ) -> Result<Vec<(u16, Vec<u8>)>, String> {
        let target = option(code::CLIENTID, duid);
        let (reply, _) = self.exchange(query::BY_CLIENTID, Ipv6Addr::UNSPECIFIED, &target, codes);
        let top = options(reply.get(CLIENT_HEADER_LEN..).unwrap_or_default())?;
        let data = single(&top, code::CLIENT_DATA)?.ok_or_else(|| format!("no data in {reply:02x?}"))?;
        let mut inside = options(data)?;
        let is_there = |lease: &u16| inside.iter().any(|(code, _)| code == lease);
        if !leases.iter().all(is_there) {
            return Err(format!("not all leases are in {reply:02x?}"));
        }
        inside.retain(|(code, _)| codes.contains(code));
        Ok(inside)
    }

    fn ask(&self, query_type: u8, link: Ipv6Addr, target: &[u8]) -> Result<Answer, String> {
        let (reply, transaction) = self.exchange(query_type, link, target, &ASKED);
        read_reply(&reply, &transaction).map_err(|e| format!("{e} in {reply:02x?}"))
    }

    /// Sends a query; returns the reply and the transaction-id.
    fn exchange(&self, query_type: u8, link: Ipv6Addr, target: &[u8], codes: &[u16]) -> (Vec<u8>, [u8; 3]) {
        self.transaction.set(self.transaction.get() + 1);
        let [_, transaction @ ..] = self.transaction.get().to_be_bytes();
        let message = leasequery(transaction, query_type, link, target, codes);
        let (reply, _) = self.requestor.ask(&message).expect("lqd answers every query of these tests");
        (reply, transaction)
    }
}

fn read_reply(reply: &[u8], transaction: &[u8; 3]) -> Result<Answer, String> {
    let (header, rest) = reply.split_at_checked(CLIENT_HEADER_LEN).ok_or("no whole header")?;
    if header != [&[msg::LEASEQUERY_REPLY][..], transaction].concat() {
        return Err("another message type or transaction id".into());
    }
    let top = options(rest)?;
    let is = |code: u16, duid: &[u8]| Ok::<_, String>(single(&top, code)? == Some(duid));
    if !is(code::CLIENTID, &REQUESTOR_DUID)? || !is(code::SERVERID, &SERVER_DUID)? {
        return Err("not our client identifier, or not Kea's server identifier".into());
    }
    let status =
        single(&top, code::STATUS_CODE)?.map(|body| body.first_chunk().copied().ok_or("a short status"));
    let status = status.transpose()?.map_or(0, u16::from_be_bytes);
    match (status, single(&top, code::CLIENT_DATA)?, single(&top, code::LQ_CLIENT_LINK)?) {
        (0, Some(data), None) => Ok(Answer::Bindings(read_client_data(data)?)),
        (0, None, Some(links)) => {
            links.chunks(16).map(|link| address_at(link, 0)).collect::<Result<_, _>>().map(Answer::Links)
        }
        (0, None, None) => Ok(Answer::NoBinding),
        (status, None, None) => Ok(Answer::Refused(status)),
        _ => Err("data beside an error, or beside links".into()),
    }
}

fn read_client_data(data: &[u8]) -> Result<ClientData, String> {
    let inside = options(data)?;
    let body = |code: u16| Ok::<_, String>(single(&inside, code)?.map(<[u8]>::to_vec));
    let mut leases = BTreeMap::new();
    for (code, body) in &inside {
        let (leased, lifetimes_at) = match *code {
            code::IAADDR => ((address_at(body, 0)?, None), 16),
            code::IAPREFIX => ((address_at(body, 9)?, Some(body[8])), 0),
            _ => continue,
        };
        let lifetimes = (u32_at(body, lifetimes_at)?, u32_at(body, lifetimes_at + 4)?);
        if leases.insert(leased, lifetimes).is_some() {
            return Err(format!("{leased:?} comes twice"));
        }
    }
    Ok(ClientData {
        duid: body(code::CLIENTID)?.ok_or("client data without a client identifier")?,
        leases,
        clt_time_s: u32_at(&body(code::CLT_TIME)?.ok_or("client data without a time")?, 0)?,
        relay_data: body(code::LQ_RELAY_DATA)?.map(|body| read_relay_data(&body)).transpose()?,
        link_layer: body(code::CLIENT_LINKLAYER_ADDR)?,
        fqdn: body(code::CLIENT_FQDN)?,
    })
}

fn read_relay_data(body: &[u8]) -> Result<RelayData, String> {
    let (peer, message) = (address_at(body, 0)?, &body[16..]);
    Ok(RelayData { peer, levels: relay_levels(message)? })
}

/// Parses nested RELAY-FORWs, outermost first.
pub(super) fn relay_levels(message: &[u8]) -> Result<Vec<RelayLevel>, String> {
    let mut levels = Vec::new();
    let mut next = Some(message.to_vec());
    while let Some(level) = next {
        if level.len() < RELAY_HEADER_LEN || level[0] != msg::RELAY_FORW {
            return Err(format!("level {} is no RELAY-FORW: {level:02x?}", levels.len()));
        }
        let mut inside = message::options(&level[RELAY_HEADER_LEN..])?;
        next = single(&inside, code::RELAY_MSG)?.map(<[u8]>::to_vec);
        inside.retain(|(code, _)| *code != code::RELAY_MSG);
        inside.sort();
        let (link, peer) = (address_at(&level, 2)?, address_at(&level, 18)?);
        levels.push(RelayLevel { hop: level[1], link, peer, options: inside });
    }
    Ok(levels)
}

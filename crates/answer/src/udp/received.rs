//! Parsed datagrams: relay hops and message validation (RFC 5007 §4.2.1).
//!
//! A datagram to discard ends in an [`Outcome`], a query to refuse in a [`Refusal`].

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_wire::{Duid, Message, MessageType, OptionCode, Options, Relay, SERVER_PORT, TransactionId};

use super::Datagram;
use crate::query::ParsedQuery;
use crate::refusal::Refusal;
use crate::{Outcome, Policy, Relayed, Rights};

/// A datagram, parsed as far as it goes.
///
/// Filled in place, field by field: copying a partly written struct defeats store-to-load forwarding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    /// The datagram, whose outer `relay_hops` messages are RELAY-FORW.
    pub(crate) datagram: &'a Datagram<'a>,
    /// The rights of the source.
    pub(crate) rights: &'a Rights,
    /// The requestor's DUID, which the reply must repeat (§4.2.2).
    pub(crate) requestor: Duid<'a>,
    /// OPTION_LQ_QUERY.
    pub(crate) query: ParsedQuery<'a>,
    /// The destination port of the reply, at the datagram's source address.
    pub(crate) port: u16,
    pub(crate) relay_hops: u8,
    pub(crate) transaction_id: TransactionId,
    /// The reason for a status instead of data; `query` is then unspecified.
    pub(crate) refusal: Option<Refusal>,
}

/// The rights in the placeholder.
static NO_RIGHTS: Rights = Rights::NONE;

impl<'a> Received<'a> {
    /// A placeholder in the unused end of a batch.
    pub(crate) const EMPTY: Self = Received {
        datagram: &Datagram::EMPTY,
        rights: &NO_RIGHTS,
        requestor: Duid::PLACEHOLDER,
        query: ParsedQuery::EMPTY,
        port: 0,
        relay_hops: 0,
        transaction_id: TransactionId([0; 3]),
        refusal: None,
    };

    /// Returns the requestor's address; `None` for a relayed query, as relay messages can be forged.
    pub(crate) fn source(&self) -> Option<&'a Ipv6Addr> {
        (self.relay_hops == 0).then_some(self.datagram.source.ip())
    }

    /// Returns the destination of the reply.
    pub(crate) fn to(&self) -> SocketAddrV6 {
        let mut to = self.datagram.source;
        to.set_port(self.port);
        to
    }

    /// Parses a datagram, whose source has `rights`, into `self`.
    ///
    /// `bulk_offered`: whether the server offers bulk leasequery over TCP.
    ///
    /// # Errors
    /// The outcome, if the datagram is discarded (RFC 5007 §4.2.1).
    #[inline]
    pub(crate) fn parse(
        &mut self,
        policy: &Policy,
        bulk_offered: bool,
        rights: &'a Rights,
        datagram: &'a Datagram<'a>,
    ) -> Result<(), Outcome> {
        (self.datagram, self.rights, self.port) = (datagram, rights, datagram.source.port());
        let mut message = datagram.octets;
        if message.first() == Some(&MessageType::RELAY_FORW.0) {
            message = self.unwrap(policy)?;
        }
        let message = Message::parse(message).ok_or(Outcome::DropMalformed)?;
        match message.kind {
            MessageType::LEASEQUERY => {}
            MessageType::LEASEQUERY_REPLY => return Err(Outcome::DropReply),
            _ => return Err(Outcome::DropOtherMessage),
        }
        self.transaction_id = message.transaction_id;
        let query = self.validate(policy, message.options)?;
        self.refusal = match query {
            // Only a valid message gets a status: RFC 5007 §4.2.1 comes before §4.4.1.
            _ if !rights.allow => Some(Refusal::NotAllowed),
            Some(query) => self.query.parse(query, &self.rights.query_types, bulk_offered).err(),
            None => Some(Refusal::MalformedQuery),
        };
        Ok(())
    }

    /// Removes the relay hops (RFC 8415 §19.3) and returns the message inside.
    #[inline(never)]
    fn unwrap(&mut self, policy: &Policy) -> Result<&'a [u8], Outcome> {
        let mut message = self.datagram.octets;
        while message.first() == Some(&MessageType::RELAY_FORW.0) {
            if self.rights.relayed == Relayed::Drop {
                return Err(Outcome::DropRelayed);
            }
            if self.relay_hops == policy.relay_hops_max {
                return Err(Outcome::DropRelayChain);
            }
            let relay = Relay::parse(message).map_err(|_| Outcome::DropMalformed)?;
            // The reply goes to port 547, unless option 135 asks for the source port (RFC 8357 §5.2).
            if self.relay_hops == 0 && relay.source_port.is_none() {
                self.port = SERVER_PORT;
            }
            self.relay_hops += 1;
            message = relay.message;
        }
        Ok(message)
    }

    /// Validates the message (RFC 5007 §4.2.1); returns the value of OPTION_LQ_QUERY, or `None` if it is
    /// repeated, which is a malformed query. Unknown options are ignored (RFC 8415 §16).
    #[inline]
    fn validate(&mut self, policy: &Policy, options: Options<'a>) -> Result<Option<&'a [u8]>, Outcome> {
        let (mut client_id, mut server_id, mut query, mut queries) = (None, None, None, 0);
        for option in options {
            let (code, value) = option.map_err(|_| Outcome::DropMalformed)?;
            match code {
                OptionCode::CLIENTID if client_id.is_none() => client_id = Some(value),
                OptionCode::SERVERID if server_id.is_none() => server_id = Some(value),
                OptionCode::CLIENTID | OptionCode::SERVERID => return Err(Outcome::DropDuplicateId),
                OptionCode::LQ_QUERY => {
                    queries += 1;
                    query = Some(value);
                }
                _ => {}
            }
        }
        let client_id = client_id.filter(|value| !value.is_empty()).ok_or(Outcome::DropNoClientId)?;
        self.requestor = Duid::new(client_id).ok_or(Outcome::DropMalformed)?;
        // The query names another server, which answers it.
        if server_id.is_some_and(|value| value != policy.server_duid) {
            return Err(Outcome::DropOtherServer);
        }
        let query = query.ok_or(Outcome::DropNoQuery)?;
        Ok((queries == 1).then_some(query))
    }
}

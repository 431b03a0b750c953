//! From octets to a query: relay levels, message validation (RFC 5007 §4.2.1).
//!
//! What must be discarded and what must be refused are different types: [`Received::read`] ends in an
//! [`Outcome`] for the first, in a [`Refusal`] for the second.

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_wire::{Duid, Message, MessageType, OptionCode, Options, Relay, SERVER_PORT, TransactionId};

use super::Datagram;
use crate::query::Question;
use crate::refusal::Refusal;
use crate::{Outcome, Policy, Relayed, Rights};

/// A datagram, as far as it was read.
///
/// It is filled in where it is kept, field by field, and refers to the datagram for what is there: what is stored in
/// pieces and copied as a whole holds the processor up (two stores of 8 octets do not forward to a load of 16).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    /// The first `relay_levels` levels of it are relay messages.
    pub(crate) datagram: &'a Datagram<'a>,
    /// What its source may do.
    pub(crate) rights: &'a Rights,
    /// The requestor's DUID; it drops replies that do not repeat it (§4.2.2).
    pub(crate) requestor: Duid<'a>,
    /// OPTION_LQ_QUERY.
    pub(crate) question: Question<'a>,
    /// Where the reply goes, at the datagram's source.
    pub(crate) port: u16,
    pub(crate) relay_levels: u8,
    pub(crate) transaction_id: TransactionId,
    /// Why it gets a status instead of data; then the question means nothing.
    pub(crate) refusal: Option<Refusal>,
}

/// What a source may do of which nothing is known.
static NO_RIGHTS: Rights = Rights::NONE;

impl<'a> Received<'a> {
    /// Fills the unused end of a batch.
    pub(crate) const EMPTY: Self = Received {
        datagram: &Datagram::EMPTY,
        rights: &NO_RIGHTS,
        requestor: Duid::UNKNOWN,
        question: Question::EMPTY,
        port: 0,
        relay_levels: 0,
        transaction_id: TransactionId([0; 3]),
        refusal: None,
    };

    /// The requestor's address, unless relay agents stand between: what these say of it may be made up.
    pub(crate) fn source(&self) -> Option<&'a Ipv6Addr> {
        (self.relay_levels == 0).then_some(self.datagram.source.ip())
    }

    /// Where the reply goes.
    pub(crate) fn to(&self) -> SocketAddrV6 {
        let mut to = self.datagram.source;
        to.set_port(self.port);
        to
    }

    /// Reads a datagram, whose source has these rights, as far as it takes to know whether and to whom to reply.
    ///
    /// `bulk_offered`: whether the server offers bulk leasequery over TCP.
    ///
    /// # Errors
    /// The outcome, if RFC 5007 §4.2.1 tells us not to.
    #[inline]
    pub(crate) fn read(
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
            _ if !rights.allow => Some(Refusal::NotAllowed),
            Some(query) => self.question.read(query, &self.rights.query_types, bulk_offered).err(),
            None => Some(Refusal::MalformedQuery),
        };
        Ok(())
    }

    /// Takes the relay levels off (RFC 8415 §19.3); the message inside.
    ///
    /// A direct query is answered at its source address and port (RFC 5007 §4.4.3); a relayed one at the relay agent's
    /// port 547, or at its source port if it says so in option 135 (RFC 8357 §5.2).
    #[inline(never)]
    fn unwrap(&mut self, policy: &Policy) -> Result<&'a [u8], Outcome> {
        let mut message = self.datagram.octets;
        while message.first() == Some(&MessageType::RELAY_FORW.0) {
            if self.rights.relayed == Relayed::Drop {
                return Err(Outcome::DropRelayed);
            }
            if self.relay_levels == policy.relay_levels_max {
                return Err(Outcome::DropRelayChain);
            }
            let relay = Relay::parse(message).map_err(|_| Outcome::DropMalformed)?;
            if self.relay_levels == 0 && relay.source_port.is_none() {
                self.port = SERVER_PORT;
            }
            self.relay_levels += 1;
            message = relay.message;
        }
        Ok(message)
    }

    /// Message validation (RFC 5007 §4.2.1); the value of OPTION_LQ_QUERY, or none if it is there twice, which is a
    /// malformed query. Unknown options are ignored (RFC 8415 §16).
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
        if server_id.is_some_and(|value| value != policy.server_duid) {
            return Err(Outcome::DropOtherServer);
        }
        let query = query.ok_or(Outcome::DropNoQuery)?;
        Ok((queries == 1).then_some(query))
    }
}

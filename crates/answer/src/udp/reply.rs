//! Writing the reply (RFC 5007 §4.4.2, §4.4.3; RFC 8415 §19.3).

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_wire::{DATAGRAM_LEN_MAX, MessageType, NoRoom, OptionCode, Relay, TransactionId, Writer};

use super::client_links;
use super::received::Received;
use crate::client_data::{self, Requested};
use crate::refusal::Refusal;
use crate::select::{Content, View};
use crate::{Outcome, Policy, QueryClass, Subject, Unbound};

/// A reply that is decided but not written yet.
pub struct Reply<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) unbound: Unbound,
    pub(crate) view: View<'a>,
    pub(crate) now: u32,
    pub(crate) received: &'a Received<'a>,
    /// Where it is decided: what is stored in pieces and copied as a whole holds the processor up.
    pub(crate) content: &'a Content<'a>,
}

impl Reply<'_> {
    /// The outcome if, instead of this, nothing is to be sent.
    pub(crate) fn silence(&self) -> Option<Outcome> {
        match *self.content {
            Content::Refused(refusal) => refusal.silence(self.received.rights.deny),
            _ => None,
        }
    }

    /// Where it goes.
    pub fn to(&self) -> SocketAddrV6 {
        self.received.to()
    }

    /// The class in which the query is counted.
    pub fn query_class(&self) -> QueryClass {
        QueryClass::of(self.received.question.target, self.received.refusal)
    }

    /// The subject; `None` if the query was refused before that was read.
    pub fn subject(&self) -> Option<Subject<'_>> {
        self.received.question.target.subject().filter(|_| self.received.refusal.is_none())
    }

    /// The link-address of the query; `None` if it names none, or was refused before that was read.
    pub fn link_address(&self) -> Option<Ipv6Addr> {
        let is_read = self.received.refusal.is_none();
        self.received.question.link_address.filter(|_| is_read).map(|&address| address.into())
    }

    /// The query's transaction id.
    pub fn transaction_id(&self) -> TransactionId {
        self.received.transaction_id
    }

    /// Levels of relaying around the query.
    pub fn relay_levels(&self) -> u8 {
        self.received.relay_levels
    }

    /// Writes it to the front of `slot`; its length, and what became of the query.
    ///
    /// Never a part of the bindings: if they do not fit into slot or [`reply_len_max`](crate::Rights::reply_len_max),
    /// the reply says so. Length 0: nothing is to be sent.
    pub fn write(&self, slot: &mut [u8]) -> (usize, Outcome) {
        let whole = slot.len().min(DATAGRAM_LEN_MAX);
        let len = whole.min(self.received.rights.reply_len_max);
        let mut w = Writer::new(&mut slot[..len]);
        if let Ok(outcome) = self.write_content(&mut w, self.content) {
            return (if outcome == Outcome::DropStale { 0 } else { w.len() }, outcome);
        }
        self.write_without_bindings(&mut slot[..whole])
    }

    /// What is said where the reply itself finds no room. Relays and identities are the query's own, and have no limit.
    #[cold]
    fn write_without_bindings(&self, slot: &mut [u8]) -> (usize, Outcome) {
        let content = match *self.content {
            Content::Client(..) | Content::Links(_) => Content::Refused(Refusal::TooManyBindings),
            content => content,
        };
        let mut w = Writer::new(slot);
        match self.write_content(&mut w, &content) {
            Ok(Outcome::DropStale) => (0, Outcome::DropStale),
            Ok(outcome) => (w.len(), outcome),
            Err(NoRoom) => (0, Outcome::DropReplyTooLong),
        }
    }

    fn write_content(&self, w: &mut Writer<'_>, content: &Content<'_>) -> Result<Outcome, NoRoom> {
        if self.received.relay_levels == 0 {
            return self.message(w, content);
        }
        let mut outcome = Outcome::NoBinding;
        wrap(w, self.received.datagram.octets, self.received.relay_levels, &mut |w| {
            outcome = self.message(w, content)?;
            Ok(())
        })?;
        Ok(outcome)
    }

    /// The LEASEQUERY-REPLY itself.
    fn message(&self, w: &mut Writer<'_>, content: &Content<'_>) -> Result<Outcome, NoRoom> {
        w.header(MessageType::LEASEQUERY_REPLY, self.received.transaction_id)?;
        w.extend(|free| {
            free.option_with(OptionCode::CLIENTID, self.received.requestor.octets())?;
            free.option_with(OptionCode::SERVERID, &self.policy.server_duid)
        })?;
        match content {
            Content::Refused(refusal) => status(w, *refusal),
            Content::NoBinding => match self.unbound {
                Unbound::Answer => Ok(Outcome::NoBinding),
                Unbound::Silent => Ok(Outcome::DropStale),
                Unbound::Refuse => status(w, Refusal::Stale),
            },
            Content::Client(client, on_links) => {
                let requested =
                    Requested { codes: self.received.question.request, rights: self.received.rights };
                client_data::write(w, &self.view, self.now, client, on_links, requested)?;
                Ok(Outcome::Answered)
            }
            Content::Links(client) => {
                client_links::write(w, &self.view, self.now, client)?;
                Ok(Outcome::AnsweredLinks)
            }
        }
    }
}

/// A status other than success, with its text for people.
fn status(w: &mut Writer<'_>, refusal: Refusal) -> Result<Outcome, NoRoom> {
    let (code, text, outcome) = refusal.status();
    w.option(OptionCode::STATUS_CODE, |w| {
        w.put(&code.0.to_be_bytes())?;
        w.put(text.as_bytes())
    })?;
    Ok(outcome)
}

/// Writes `body` inside one RELAY-REPL for each RELAY-FORW level of `octets` (RFC 8415 §19.3, RFC 8357 §5.2).
fn wrap(
    w: &mut Writer<'_>,
    octets: &[u8],
    levels: u8,
    body: &mut dyn FnMut(&mut Writer<'_>) -> Result<(), NoRoom>,
) -> Result<(), NoRoom> {
    if levels == 0 {
        return body(w);
    }
    // These levels parsed when the query was received.
    let relay = Relay::parse(octets).map_err(|_| NoRoom)?;
    w.put(&[MessageType::RELAY_REPL.0, relay.hop_count])?;
    w.put(&relay.link_address.octets())?;
    w.put(&relay.peer_address.octets())?;
    if let Some(interface_id) = relay.interface_id {
        w.option(OptionCode::INTERFACE_ID, |w| w.put(interface_id))?;
    }
    if let Some(source_port) = relay.source_port {
        w.option(OptionCode::RELAY_SOURCE_PORT, |w| w.put(source_port))?;
    }
    w.option(OptionCode::RELAY_MSG, |w| wrap(w, relay.message, levels - 1, body))
}

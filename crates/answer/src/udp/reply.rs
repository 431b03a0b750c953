//! Replies: LEASEQUERY-REPLY and the relay messages around it (RFC 5007 §4.4.2, §4.4.3; RFC 8415 §19.3).

use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_wire::{DATAGRAM_LEN_MAX, MessageType, NoRoomError, OptionCode, Relay, TransactionId, Writer};

use super::client_links;
use super::received::Received;
use crate::client_data::{self, Requested};
use crate::refusal::Refusal;
use crate::select::{Content, View};
use crate::{NoBindingPolicy, Outcome, Policy, QueryClass, Subject};

/// A reply, decided but not written yet.
pub struct Reply<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) no_binding: NoBindingPolicy,
    pub(crate) view: View<'a>,
    pub(crate) now: u32,
    pub(crate) received: &'a Received<'a>,
    /// Left in place: copying a partly written struct defeats store-to-load forwarding.
    pub(crate) content: &'a Content<'a>,
}

impl Reply<'_> {
    /// Returns the outcome if no reply is sent.
    pub(crate) fn silence(&self) -> Option<Outcome> {
        match *self.content {
            Content::Refused(refusal) => refusal.silence(self.received.rights.deny),
            _ => None,
        }
    }

    /// Returns the destination.
    pub fn to(&self) -> SocketAddrV6 {
        self.received.to()
    }

    /// Returns the class in which the query is counted.
    pub fn query_class(&self) -> QueryClass {
        QueryClass::of(self.received.query.target, self.received.refusal)
    }

    /// Returns the subject of the query; `None` if it was not parsed.
    pub fn subject(&self) -> Option<Subject<'_>> {
        self.received.query.target.subject().filter(|_| self.received.refusal.is_none())
    }

    /// Returns the link-address of the query; `None` if it is `::` or was not parsed.
    pub fn link_address(&self) -> Option<Ipv6Addr> {
        let is_parsed = self.received.refusal.is_none();
        self.received.query.link_address.filter(|_| is_parsed).map(|&address| address.into())
    }

    /// Returns the transaction id of the query.
    pub fn transaction_id(&self) -> TransactionId {
        self.received.transaction_id
    }

    /// Returns the number of relay hops of the query.
    pub fn relay_hops(&self) -> u8 {
        self.received.relay_hops
    }

    /// Writes the reply to the front of `slot`; returns its length and the outcome. Length 0: no reply is
    /// sent.
    ///
    /// Bindings that do not fit into `slot` or [`reply_len_max`](crate::Rights::reply_len_max) are replaced
    /// by a status.
    pub fn write(&self, slot: &mut [u8]) -> (usize, Outcome) {
        let whole = slot.len().min(DATAGRAM_LEN_MAX);
        // The limit is for data: relay messages and a status may exceed it.
        let len = whole.min(self.received.rights.reply_len_max);
        let mut w = Writer::new(&mut slot[..len]);
        if let Ok(outcome) = self.write_content(&mut w, self.content) {
            return (if outcome == Outcome::DropStale { 0 } else { w.position() }, outcome);
        }
        self.write_without_bindings(&mut slot[..whole])
    }

    /// Writes the reply without bindings; relay messages and DUIDs are the query's own and have no limit.
    #[cold]
    fn write_without_bindings(&self, slot: &mut [u8]) -> (usize, Outcome) {
        let content = match *self.content {
            Content::Client(..) | Content::Links(_) => Content::Refused(Refusal::TooManyBindings),
            content => content,
        };
        let mut w = Writer::new(slot);
        match self.write_content(&mut w, &content) {
            Ok(Outcome::DropStale) => (0, Outcome::DropStale),
            Ok(outcome) => (w.position(), outcome),
            Err(NoRoomError) => (0, Outcome::DropReplyTooLong),
        }
    }

    fn write_content(&self, w: &mut Writer<'_>, content: &Content<'_>) -> Result<Outcome, NoRoomError> {
        if self.received.relay_hops == 0 {
            return self.message(w, content);
        }
        // `wrap` recurses, so its closure is called through a pointer; direct queries avoid that.
        let mut outcome = Outcome::NoBinding;
        wrap(w, self.received.datagram.octets, self.received.relay_hops, &mut |w| {
            outcome = self.message(w, content)?;
            Ok(())
        })?;
        Ok(outcome)
    }

    /// Writes the LEASEQUERY-REPLY.
    fn message(&self, w: &mut Writer<'_>, content: &Content<'_>) -> Result<Outcome, NoRoomError> {
        w.header(MessageType::LEASEQUERY_REPLY, self.received.transaction_id)?;
        w.extend(|free| {
            free.option_with(OptionCode::CLIENTID, self.received.requestor.octets())?;
            free.option_with(OptionCode::SERVERID, &self.policy.server_duid)
        })?;
        match content {
            Content::Refused(refusal) => status(w, *refusal),
            Content::NoBinding => match self.no_binding {
                NoBindingPolicy::Answer => Ok(Outcome::NoBinding),
                NoBindingPolicy::Silent => Ok(Outcome::DropStale),
                NoBindingPolicy::Refuse => status(w, Refusal::Stale),
            },
            Content::Client(client, on_links) => {
                let requested =
                    Requested { codes: self.received.query.request, rights: self.received.rights };
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

/// Writes a status other than success.
fn status(w: &mut Writer<'_>, refusal: Refusal) -> Result<Outcome, NoRoomError> {
    let (code, text, outcome) = refusal.status();
    w.option(OptionCode::STATUS_CODE, |w| {
        w.put(&code.0.to_be_bytes())?;
        w.put(text.as_bytes())
    })?;
    Ok(outcome)
}

/// Writes `body` inside one RELAY-REPL for each relay hop of `octets` (RFC 8415 §19.3, RFC 8357 §5.2).
fn wrap(
    w: &mut Writer<'_>,
    octets: &[u8],
    hops: u8,
    body: &mut dyn FnMut(&mut Writer<'_>) -> Result<(), NoRoomError>,
) -> Result<(), NoRoomError> {
    if hops == 0 {
        return body(w);
    }
    // Cannot fail: these relay messages parsed when the query was received.
    let relay = Relay::parse(octets).map_err(|_| NoRoomError)?;
    w.put(&[MessageType::RELAY_REPL.0, relay.hop_count])?;
    w.put(&relay.link_address.octets())?;
    w.put(&relay.peer_address.octets())?;
    if let Some(interface_id) = relay.interface_id {
        w.option(OptionCode::INTERFACE_ID, |w| w.put(interface_id))?;
    }
    if let Some(source_port) = relay.source_port {
        w.option(OptionCode::RELAY_SOURCE_PORT, |w| w.put(source_port))?;
    }
    w.option(OptionCode::RELAY_MSG, |w| wrap(w, relay.message, hops - 1, body))
}

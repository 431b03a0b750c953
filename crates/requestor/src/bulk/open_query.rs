//! A query whose answer is not complete: checks of each message against it.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use lqd_wire::{LqTime, MESSAGE_LEN_MAX, MessageType, OptionCode, StatusCode, TransactionId};

use super::{Completion, Message, Outcome, ProtocolError, Query, Tally, Target};
use crate::reply::MessageOptions;
use crate::{ClientData, Content, Deviation, Duid, IgnoreReason, Lease, Status};

/// Clients that are remembered to detect repeated ones: enough for a page of Kea's answer, in bounded memory.
const RECENT_CLIENTS: usize = 256;

mod active;

/// A query whose answer is not complete.
#[derive(Debug)]
pub(super) struct OpenQuery {
    pub(super) id: TransactionId,
    query: Query,
    /// Whether this is an ACTIVELEASEQUERY, whose answer does not end.
    is_active: bool,
    /// Whether CatchUpComplete may come (RFC 7653 §8.4.1).
    is_catching_up: bool,
    /// Whether its LEASEQUERY-REPLY came.
    is_replied: bool,
    /// Whether a valid lease covers the queried address.
    is_covered: bool,
    tally: Tally,
    /// Hashes of the recent clients with their links.
    recent: VecDeque<u64>,
}

/// The parts of a message that its query decides.
struct Part {
    data: Option<ClientData>,
    deviations: Vec<Deviation>,
    outcome: Option<Outcome>,
}

impl OpenQuery {
    pub(super) fn new(id: TransactionId, query: Query) -> Self {
        let recent = VecDeque::new();
        Self {
            id,
            query,
            is_active: false,
            is_catching_up: false,
            is_replied: false,
            is_covered: false,
            tally: Tally::default(),
            recent,
        }
    }

    pub(super) fn new_active(id: TransactionId, query: Query) -> Self {
        let is_catching_up = query.start.is_some();
        Self { is_active: true, is_catching_up, ..Self::new(id, query) }
    }

    /// Takes a LEASEQUERY-REPLY, LEASEQUERY-DATA or LEASEQUERY-DONE of this query.
    pub(super) fn take(
        &mut self,
        message: lqd_wire::Message<'_>,
        octets: &[u8],
        own: &Duid,
    ) -> Result<Message, ProtocolError> {
        let kind = message.kind;
        match (kind, self.is_replied) {
            (MessageType::LEASEQUERY_REPLY, true) => return Err(ProtocolError::SecondReply(self.id)),
            (MessageType::LEASEQUERY_REPLY, false) | (_, true) => {}
            (_, false) => return Err(ProtocolError::BeforeReply(kind)),
        }
        let read = MessageOptions::read(message).and_then(|top| Ok((top.status()?, top)));
        let (status, mut top) = match read {
            Ok(read) => read,
            // The frames after it are sound; only this client is lost.
            Err(error) if kind == MessageType::LEASEQUERY_DATA => {
                self.tally.lost += 1;
                let part = Part { data: None, deviations: vec![Deviation::DataBroken(error)], outcome: None };
                return Ok(self.message(kind, part, octets));
            }
            Err(error) => return Err(ProtocolError::Invalid(kind, IgnoreReason::Malformed(error))),
        };
        let (base_time, broken_time) = take_base_time(&mut top);
        let code = status.as_ref().map(|status| status.code);
        let mut server = None;
        let mut part = match kind {
            MessageType::LEASEQUERY_REPLY if self.is_active => {
                server = Some(self.server(&top, own).map_err(|why| ProtocolError::Invalid(kind, why))?);
                self.is_replied = true;
                self.active_reply(&top, status.as_ref(), octets.len())
            }
            MessageType::LEASEQUERY_DATA if self.is_active => self.active_data(&top, code, octets.len()),
            MessageType::LEASEQUERY_REPLY => {
                server = Some(self.server(&top, own).map_err(|why| ProtocolError::Invalid(kind, why))?);
                self.is_replied = true;
                self.reply(&top, status.as_ref(), octets.len())
            }
            MessageType::LEASEQUERY_DATA => self.data(&top, status.is_some(), octets.len()),
            _ => self.done(&top, status.as_ref()),
        };
        part.deviations.extend(broken_time);
        let is_wanted = self.query.requested.contains(&OptionCode::LQ_BASE_TIME);
        if is_wanted && base_time.is_none() {
            part.deviations.push(Deviation::NoBaseTime);
        }
        Ok(Message { server, status, base_time, other: top.other, ..self.message(kind, part, octets) })
    }

    fn message(&self, kind: MessageType, part: Part, octets: &[u8]) -> Message {
        Message {
            transaction_id: self.id,
            kind,
            server: None,
            status: None,
            base_time: None,
            data: part.data,
            other: Vec::new(),
            deviations: part.deviations,
            tally: self.tally,
            octets: octets.to_vec(),
            completion: part.outcome.map(|outcome| Completion { outcome, tally: self.tally }),
        }
    }

    /// Validates a LEASEQUERY-REPLY (RFC 5007 §4.2.2) and returns the server's DUID.
    fn server(&self, top: &MessageOptions<'_>, own: &Duid) -> Result<Duid, IgnoreReason> {
        let server = top.server(own)?;
        match &self.query.server {
            Some(wanted) if *wanted != server => Err(IgnoreReason::OtherServer(server)),
            _ => Ok(server),
        }
    }

    fn reply(&mut self, top: &MessageOptions<'_>, status: Option<&Status>, len: usize) -> Part {
        let mut deviations = Vec::new();
        let content = content(top, status, &mut deviations);
        let outcome = match content {
            Content::NoBinding => {
                deviations.extend(status.map(|_| Deviation::SuccessWithoutBinding));
                Some(Outcome::NoBinding)
            }
            Content::Refused => Some(Outcome::Refused),
            // Links say that there are bindings, so this is not "no binding".
            Content::Unusable if top.client_data.is_none() => Some(Outcome::Unusable),
            _ => None,
        };
        let data = if outcome.is_none() { self.client(content, len, &mut deviations) } else { None };
        Part { data, deviations, outcome }
    }

    fn data(&mut self, top: &MessageOptions<'_>, has_status: bool, len: usize) -> Part {
        let mut deviations = Vec::new();
        let present = [
            (OptionCode::CLIENTID, top.client_id.is_some()),
            (OptionCode::SERVERID, top.server_id.is_some()),
            (OptionCode::STATUS_CODE, has_status),
        ];
        let found = present.into_iter().filter(|(_, is_present)| *is_present);
        deviations.extend(found.map(|(code, _)| Deviation::ReplyOptionInData(code)));
        // RFC 5460 §5.2.1: an error comes in LEASEQUERY-DONE, so a status here decides nothing.
        let content = content(top, None, &mut deviations);
        if top.client_data.is_none() {
            deviations.push(Deviation::DataWithoutClientData);
            return Part { data: None, deviations, outcome: None };
        }
        let data = self.client(content, len, &mut deviations);
        Part { data, deviations, outcome: None }
    }

    fn done(&mut self, top: &MessageOptions<'_>, status: Option<&Status>) -> Part {
        let present = [
            (OptionCode::CLIENTID, top.client_id.is_some()),
            (OptionCode::SERVERID, top.server_id.is_some()),
            (OptionCode::CLIENT_DATA, top.client_data.is_some()),
            (OptionCode::LQ_CLIENT_LINK, top.links.is_some()),
            (OptionCode::LQ_RELAY_DATA, top.relay_data.is_some()),
        ];
        let found = present.into_iter().filter(|(_, is_present)| *is_present).map(|(code, _)| code);
        let other = top.other.iter().map(|option| option.code);
        let mut deviations: Vec<_> = found.chain(other).map(Deviation::OptionInDone).collect();
        self.tally.lost += u64::from(top.client_data.is_some());
        let is_error = status.is_some_and(|status| status.code != StatusCode::SUCCESS);
        let outcome = if is_error {
            Outcome::Terminated
        } else if self.is_unanswered() {
            deviations.push(Deviation::AddressNotCovered);
            Outcome::Unusable
        } else {
            Outcome::Done
        };
        Part { data: None, deviations, outcome: Some(outcome) }
    }

    /// Whether the address of a query by address was not in its answer.
    fn is_unanswered(&self) -> bool {
        matches!(self.query.target, Target::Address(_)) && !self.is_covered && !self.is_active
    }

    /// Counts client data and checks it against the query; `None` if it must be discarded.
    fn client(
        &mut self,
        content: Content,
        len: usize,
        deviations: &mut Vec<Deviation>,
    ) -> Option<ClientData> {
        let Content::Data(data) = content else {
            self.tally.lost += 1;
            return None;
        };
        if let Target::Client(client) = &self.query.target
            && *client != data.client
        {
            deviations.push(Deviation::OtherClient(data.client));
            self.tally.lost += 1;
            return None;
        }
        if self.is_active {
            // Removed bindings have lifetimes of 0.
            deviations.retain(|one| !matches!(one, Deviation::NoValidLifetime(_)));
        }
        if let Some(relay) = &data.relay {
            if !self.query.requested.contains(&OptionCode::LQ_RELAY_DATA) {
                deviations.push(Deviation::RelayDataUnasked);
            }
            if !self.is_active && !self.query.agrees(relay) {
                deviations.push(Deviation::OtherRelayAgent);
            }
        }
        if data.client.octets().iter().all(|&octet| octet == 0) {
            deviations.push(Deviation::ClientIdZero);
        }
        if !self.is_active && self.is_repeated(&data, len) {
            deviations.push(Deviation::ClientRepeated);
        }
        if let Target::Address(address) = self.query.target {
            self.is_covered |= data.leases.iter().any(|one| one.is_valid() && one.resource.covers(address));
        }
        let valid = data.leases.iter().filter(|lease| Lease::is_valid(lease)).count() as u64;
        self.tally.clients += 1;
        self.tally.bindings += valid;
        self.tally.expired += data.leases.len() as u64 - valid;
        Some(data)
    }

    /// Whether this client came on the same link a short while ago, in a message with room for more.
    fn is_repeated(&mut self, data: &ClientData, len: usize) -> bool {
        // Without relay data the link is not known, and a full message has to be continued in another one.
        let link = data.relay.as_ref().filter(|chain| chain.fault.is_none());
        let Some(hop) = link.and_then(|chain| chain.relays.last()) else { return false };
        if len > MESSAGE_LEN_MAX / 2 {
            return false;
        }
        let mut hasher = DefaultHasher::new();
        (&data.client, hop.link_address).hash(&mut hasher);
        let hash = hasher.finish();
        if self.recent.contains(&hash) {
            return true;
        }
        if self.recent.len() == RECENT_CLIENTS {
            self.recent.pop_front();
        }
        self.recent.push_back(hash);
        false
    }
}

/// Returns the content of a message; links and broken client data are unusable.
fn content(top: &MessageOptions<'_>, status: Option<&Status>, deviations: &mut Vec<Deviation>) -> Content {
    if top.links.is_some() {
        deviations.push(Deviation::LinksInBulk);
    }
    let mut found = Vec::new();
    let content = match top.content(status, &mut found) {
        Ok(Content::Links(_)) => Content::Unusable,
        Ok(content) => content,
        Err(error) => {
            found.push(Deviation::ClientDataBroken(error));
            Content::Unusable
        }
    };
    // The deviation above says the same.
    deviations.extend(found.into_iter().filter(|one| *one != Deviation::LinksWithData));
    content
}

/// Removes OPTION_LQ_BASE_TIME from the other options and parses it.
fn take_base_time(top: &mut MessageOptions<'_>) -> (Option<LqTime>, Option<Deviation>) {
    let is_time = |option: &crate::RawOption| option.code == OptionCode::LQ_BASE_TIME;
    let Some(at) = top.other.iter().position(is_time) else { return (None, None) };
    match LqTime::parse(&top.other[at].value) {
        Ok(time) => {
            top.other.remove(at);
            (Some(time), None)
        }
        Err(_) => (None, Some(Deviation::OptionBroken(OptionCode::LQ_BASE_TIME))),
    }
}

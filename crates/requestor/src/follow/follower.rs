//! The state machine of following one server. No clock, no socket.

mod doubt;

use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use lqd_wire::{LqTime, MessageType, OptionCode, StatusCode};

use super::table::{Holder, Table};
use super::{Digest, Event, RemovalReason, State};
use crate::bulk::{Message, Outcome, Query, Target};
use crate::{AddressOrPrefix, ClientData, Duid, Lease};
use doubt::Told;

/// The reason why following cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// More bindings than the table may hold.
    #[error("the server has more than {0} bindings in this query; raise --max-bindings, or follow a part")]
    Full(usize),
}

/// The bulk query that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Bulk {
    Idle,
    /// All bindings of the query.
    All,
    /// The holder of an address or prefix about which both connections differ; `found` is the answer so far.
    Doubt {
        resource: AddressOrPrefix,
        found: Option<(Lease, Box<ClientData>)>,
    },
}

/// A table that follows a server: messages in, events and queries out.
#[derive(Debug)]
pub struct Follower {
    query: Query,
    bindings_max: usize,
    table: Table,
    state: State,
    server: Option<Duid>,
    /// Whether the table has every binding as of the base-time.
    is_whole: bool,
    /// Base-time of the newest message outside of a catch-up, if the table was whole then.
    resume: Option<LqTime>,
    /// Base-time of the newest message of the active connection outside of a catch-up.
    base_time: Option<LqTime>,
    bulk: Bulk,
    /// Number of the newest bulk query for all bindings.
    generation: u32,
    /// The newest word of the active connection on each address and prefix since the bulk query began.
    told: HashMap<AddressOrPrefix, Told>,
    /// Addresses and prefixes to query again.
    doubts: Vec<AddressOrPrefix>,
    /// Client data of the active connection that was discarded.
    lost: u64,
    events: VecDeque<Event>,
}

impl Follower {
    /// A follower of the bindings of this query, whose times are not used, with a table of at most
    /// `bindings_max`.
    pub fn new(mut query: Query, bindings_max: usize) -> Self {
        (query.start, query.end) = (None, None);
        if !query.requested.contains(&OptionCode::LQ_BASE_TIME) {
            query.requested.push(OptionCode::LQ_BASE_TIME);
        }
        Self {
            query,
            bindings_max,
            table: Table::default(),
            state: State::Lost,
            server: None,
            is_whole: false,
            resume: None,
            base_time: None,
            bulk: Bulk::Idle,
            generation: 0,
            told: HashMap::new(),
            doubts: Vec::new(),
            lost: 0,
            events: VecDeque::new(),
        }
    }

    /// The state of following.
    pub fn state(&self) -> State {
        self.state
    }

    /// DUID of the server, once it has replied.
    pub fn server(&self) -> Option<&Duid> {
        self.server.as_ref()
    }

    /// Number of bindings in the table.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether the table has no binding.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Digest of the bindings in the table.
    pub fn digest(&self) -> Digest {
        self.table.digest()
    }

    /// The time from which a new connection would continue; `None` if it would begin with a bulk query.
    pub fn resume(&self) -> Option<LqTime> {
        self.resume
    }

    /// Every binding in the table, in no order.
    pub fn bindings(&self) -> impl Iterator<Item = (AddressOrPrefix, &Duid)> {
        self.table.bindings()
    }

    /// Takes the oldest event.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Returns the active query to send on a new connection (RFC 7653 §8.3).
    pub fn connected(&mut self) -> Query {
        (self.base_time, self.lost) = (None, 0);
        if self.resume.is_none() {
            self.is_whole = false;
        }
        self.enter(State::Connected);
        Query { start: self.resume, ..self.query.clone() }
    }

    /// Notes the end of the active connection, and with it of a bulk query.
    pub fn disconnected(&mut self) {
        self.bulk_failed();
        self.enter(State::Lost);
    }

    /// Takes a message of the active connection.
    ///
    /// # Errors
    /// If the table is full.
    pub fn take_active(&mut self, message: &Message, received: SystemTime) -> Result<(), FollowError> {
        self.note(message);
        if message.kind == MessageType::LEASEQUERY_REPLY {
            if message.completion.is_some() {
                return Ok(()); // refused
            }
            self.replied(message);
        }
        if let Some(data) = &message.data {
            self.changed(data, message.base_time, received)?;
        }
        match message.status.as_ref().map(|status| status.code) {
            Some(StatusCode::DATA_MISSING) => self.miss(),
            Some(StatusCode::CATCH_UP_COMPLETE) if self.state == State::CatchingUp => {
                self.enter(State::Live);
            }
            _ => {}
        }
        if message.tally.lost > self.lost {
            // A change that cannot be read is a change that was missed.
            self.lost = message.tally.lost;
            self.miss();
        }
        // RFC 7653 §8.4.1: base-times of a catch-up must not be kept.
        if self.state != State::CatchingUp && message.base_time.is_some() {
            self.base_time = message.base_time;
            if self.is_whole {
                self.resume = self.base_time;
            }
        }
        Ok(())
    }

    /// Returns the bulk query to send now, on a connection of its own; `None` if none is needed.
    pub fn next_bulk(&mut self) -> Option<Query> {
        if !self.needs_bulk() {
            return None;
        }
        if let Some(resource) = self.doubts.pop() {
            return Some(self.ask_again(resource));
        }
        self.generation = self.generation.wrapping_add(1);
        self.told.clear();
        self.bulk = Bulk::All;
        Some(self.query.clone())
    }

    /// Whether a bulk query runs.
    pub fn awaits_bulk(&self) -> bool {
        self.bulk != Bulk::Idle
    }

    /// Whether the next bulk query is a short one, by address.
    pub fn has_doubts(&self) -> bool {
        !self.doubts.is_empty()
    }

    /// Whether the table is not complete, and no bulk query runs.
    pub fn needs_bulk(&self) -> bool {
        self.state == State::Filling && !self.awaits_bulk()
    }

    /// Takes a message of the bulk connection.
    ///
    /// # Errors
    /// If the table is full.
    pub fn take_bulk(&mut self, message: &Message, received: SystemTime) -> Result<(), FollowError> {
        self.note(message);
        if let Some(data) = &message.data {
            match self.bulk {
                Bulk::All => self.listed(data, message.base_time, received)?,
                Bulk::Doubt { .. } => self.answered(data),
                Bulk::Idle => {}
            }
        }
        match message.completion {
            None => Ok(()),
            Some(completion) if completion.is_whole() => self.bulk_ended(message, received),
            // A part of an answer removes nothing. The answer about a doubt may be "not that address".
            Some(completion)
                if completion.outcome == Outcome::Unusable && matches!(self.bulk, Bulk::Doubt { .. }) =>
            {
                self.bulk_ended(message, received)
            }
            // A server that refuses queries by address leaves the word of the active connection.
            Some(completion)
                if completion.outcome == Outcome::Refused && matches!(self.bulk, Bulk::Doubt { .. }) =>
            {
                self.bulk = Bulk::Idle;
                self.finish();
                Ok(())
            }
            Some(_) => {
                self.bulk_failed();
                Ok(())
            }
        }
    }

    /// Notes that the bulk query failed; [`Self::next_bulk`] begins anew.
    pub fn bulk_failed(&mut self) {
        self.bulk = Bulk::Idle;
        self.told.clear();
        self.doubts.clear();
    }

    fn note(&mut self, message: &Message) {
        if !message.deviations.is_empty() {
            self.events.push_back(Event::Deviations(message.deviations.clone()));
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.events.push_back(Event::State(state));
    }

    /// Takes a LEASEQUERY-REPLY that is no refusal.
    fn replied(&mut self, message: &Message) {
        if self.server.is_some() && self.server != message.server {
            // Times of another server mean nothing to this one (RFC 7653 §8.5).
            (self.is_whole, self.resume) = (false, None);
        }
        self.server.clone_from(&message.server);
        let is_missing = |status: &crate::Status| status.code == StatusCode::DATA_MISSING;
        if !self.is_whole {
            self.enter(State::Filling);
        } else if !message.status.as_ref().is_some_and(is_missing) {
            self.enter(State::CatchingUp);
        }
    }

    /// Notes that changes were missed: the table needs a bulk query (RFC 7653 §8.4.1).
    fn miss(&mut self) {
        (self.is_whole, self.resume) = (false, None);
        // One that runs may have passed the place of the change.
        self.bulk_failed();
        self.enter(State::Filling);
    }

    /// Applies client data of the active connection.
    fn changed(
        &mut self,
        data: &ClientData,
        base_time: Option<LqTime>,
        received: SystemTime,
    ) -> Result<(), FollowError> {
        for lease in &data.leases {
            self.tell(lease, data, base_time);
            if lease.is_valid() {
                self.put(lease, data, base_time, received)?;
            } else if self.table.get(lease.resource).is_some_and(|holder| holder.client == data.client) {
                // Another client's binding is not this client's to remove.
                self.remove(lease.resource, RemovalReason::Told);
            }
        }
        Ok(())
    }

    /// Applies client data of the bulk answer.
    fn listed(
        &mut self,
        data: &ClientData,
        base_time: Option<LqTime>,
        received: SystemTime,
    ) -> Result<(), FollowError> {
        let heard = heard(data, base_time);
        for lease in data.leases.iter().filter(|lease| lease.is_valid()) {
            if self.is_overruled(lease.resource, &data.client, base_time) {
                continue;
            }
            let is_older = |holder: &Holder| {
                let is_listed = holder.generation == self.generation && holder.client != data.client;
                is_listed
                    && heard.zip(holder.heard).is_some_and(|(own, other)| LqTime(other).is_after(LqTime(own)))
            };
            // Two clients of one address in one answer: the server heard from its holder last.
            if !self.table.get(lease.resource).is_some_and(is_older) {
                self.put(lease, data, base_time, received)?;
            }
        }
        Ok(())
    }

    /// Ends the bulk query that runs, after its whole answer.
    fn bulk_ended(&mut self, message: &Message, received: SystemTime) -> Result<(), FollowError> {
        match std::mem::replace(&mut self.bulk, Bulk::Idle) {
            Bulk::All => {
                for resource in self.table.unconfirmed(self.generation) {
                    self.remove(resource, RemovalReason::Missing);
                }
            }
            Bulk::Doubt { resource, found } => self.settle(resource, found, message.base_time, received)?,
            Bulk::Idle => return Ok(()),
        }
        self.finish();
        Ok(())
    }

    /// Notes that the table is complete, once no doubt is left.
    fn finish(&mut self) {
        if self.doubts.is_empty() {
            self.told.clear();
            (self.is_whole, self.resume) = (true, self.base_time);
            self.enter(State::Live);
        }
    }

    /// Sets the holder of an address or prefix.
    fn put(
        &mut self,
        lease: &Lease,
        data: &ClientData,
        base_time: Option<LqTime>,
        received: SystemTime,
    ) -> Result<(), FollowError> {
        let before = self.table.get(lease.resource);
        if before.is_none() && self.table.len() >= self.bindings_max {
            return Err(FollowError::Full(self.bindings_max));
        }
        if before.is_some_and(|holder| holder.client != data.client) {
            self.remove(lease.resource, RemovalReason::Moved);
        }
        let (client, heard) = (data.client.clone(), heard(data, base_time));
        self.table.insert(lease.resource, Holder { client, heard, generation: self.generation });
        let client = Box::new(ClientData { leases: vec![*lease], ..data.clone() });
        self.events.push_back(Event::Put { lease: *lease, client, received, base_time });
        Ok(())
    }

    fn remove(&mut self, resource: AddressOrPrefix, reason: RemovalReason) {
        if let Some(Holder { client, .. }) = self.table.remove(resource) {
            self.events.push_back(Event::Remove { client, resource, reason });
        }
    }
}

/// Returns the server's time when it last heard from the client: CLT_TIME counts from base-time (§6.3.1).
fn heard(data: &ClientData, base_time: Option<LqTime>) -> Option<u32> {
    base_time.map(|time| time.0.wrapping_sub(data.clt_time_s))
}

/// Whether a query by address is about the same bindings as this one: a filter by relay agent cannot be
/// added to it.
fn can_ask_by_address(query: &Query) -> bool {
    matches!(query.target, Target::Link(_))
}

#[cfg(test)]
mod convergence;
#[cfg(test)]
mod tests;

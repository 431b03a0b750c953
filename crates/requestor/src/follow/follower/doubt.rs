//! Differences between the active connection and a bulk answer: which of them is newer.

use std::time::SystemTime;

use lqd_wire::{LqTime, OptionCode};

use super::{Bulk, FollowError, Follower, can_ask_by_address};
use crate::bulk::{Query, Target};
use crate::{AddressOrPrefix, ClientData, Duid, Lease};

/// The newest word of the active connection on an address or prefix.
#[derive(Debug)]
pub(super) struct Told {
    /// The holder; `None` is the tombstone of a removal.
    holder: Option<Duid>,
    base_time: Option<LqTime>,
}

impl Follower {
    /// Notes a binding or removal of the active connection while a bulk query runs.
    pub(super) fn tell(&mut self, lease: &Lease, data: &ClientData, base_time: Option<LqTime>) {
        if self.bulk == Bulk::Idle && self.doubts.is_empty() {
            return;
        }
        let resource = lease.resource;
        self.doubts.retain(|doubt| *doubt != resource);
        let holder = lease.is_valid().then(|| data.client.clone());
        let is_of_another =
            holder.is_none() && self.table.get(resource).is_some_and(|holder| holder.client != data.client);
        if is_of_another && self.told.contains_key(&resource) {
            // The binding of the present holder was told on this connection, too.
            return;
        }
        self.told.insert(resource, Told { holder, base_time });
    }

    /// Whether the active connection knows better than a bulk message of this time; in doubt the server is
    /// queried again.
    pub(super) fn is_overruled(
        &mut self,
        resource: AddressOrPrefix,
        client: &Duid,
        base_time: Option<LqTime>,
    ) -> bool {
        let Some(told) = self.told.get(&resource) else { return false };
        // The active message's base-time is at most the time of its state, the bulk message's is its own.
        let is_older = told.base_time.zip(base_time).is_some_and(|(told, bulk)| told.is_after(bulk));
        let agrees = told.holder.as_ref() == Some(client);
        if !agrees && !is_older && can_ask_by_address(&self.query) && !self.doubts.contains(&resource) {
            self.doubts.push(resource);
        }
        true
    }

    /// Returns the query by address that decides a doubt.
    pub(super) fn ask_again(&mut self, resource: AddressOrPrefix) -> Query {
        self.told.remove(&resource);
        self.bulk = Bulk::Doubt { resource, found: None };
        let address = match resource {
            AddressOrPrefix::Address(address) => address,
            AddressOrPrefix::Prefix(prefix) => prefix.addr(),
        };
        let link = match self.query.target {
            Target::Link(link) => Some(link),
            _ => self.query.link,
        };
        let requested: Vec<OptionCode> = self.query.requested.clone();
        Query { link, requested, server: self.query.server.clone(), ..Query::new(Target::Address(address)) }
    }

    /// Keeps the queried binding out of the answer about a doubt.
    pub(super) fn answered(&mut self, data: &ClientData) {
        let Bulk::Doubt { resource, found } = &mut self.bulk else { return };
        let lease = data.leases.iter().find(|lease| lease.resource == *resource && lease.is_valid());
        if let Some(lease) = lease {
            *found = Some((*lease, Box::new(data.clone())));
        }
    }

    /// Applies the answer about a doubt, unless the active connection has told of the binding since.
    pub(super) fn settle(
        &mut self,
        resource: AddressOrPrefix,
        found: Option<(Lease, Box<ClientData>)>,
        base_time: Option<LqTime>,
        received: SystemTime,
    ) -> Result<(), FollowError> {
        if self.told.contains_key(&resource) {
            return Ok(());
        }
        match found {
            Some((lease, data)) => self.put(&lease, &data, base_time, received),
            None => {
                self.remove(resource, super::RemovalReason::Missing);
                Ok(())
            }
        }
    }
}

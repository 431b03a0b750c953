//! The queries to send, and the leases that each must return.

use std::hash::BuildHasher;
use std::net::Ipv6Addr;
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::Options;
use crate::error::Error;
use crate::leases::{Client, Clients};

/// Subject of a bulk query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The link of a subnet, by an address in it.
    Link { address: Ipv6Addr, subnet_id: u32 },
    /// Relay-ID: a DUID.
    RelayId(Vec<u8>),
    /// Remote-ID: enterprise number and identifier.
    RemoteId(Vec<u8>),
}

/// Queries, and the leases of the file in the orders that the checks need.
pub(super) struct Plan<'a> {
    clients: &'a Clients,
    queries: Vec<Subject>,
    /// Number of the first lease of each client.
    first_lease: Vec<u32>,
    /// Subnet id, client and position among its leases, ascending.
    by_subnet: Vec<(u32, u32, u16)>,
    by_duid: HashTable<u32>,
    hasher: RandomState,
}

impl<'a> Plan<'a> {
    /// Makes the plan.
    ///
    /// # Errors
    /// No lease is of a requested subnet.
    pub(super) fn new(clients: &'a Clients, options: &Options) -> Result<Self, Error> {
        let hasher = RandomState::default();
        let mut by_duid = HashTable::with_capacity(clients.len() as usize);
        let (mut first_lease, mut by_subnet) = (Vec::new(), Vec::new());
        let mut leases = 0_u32;
        for number in 0..clients.len() {
            let client = clients.get(number);
            let hash = |number: &u32| hasher.hash_one(clients.get(*number).duid);
            by_duid.insert_unique(hasher.hash_one(client.duid), number, hash);
            first_lease.push(leases);
            for (position, lease) in (0..=u16::MAX).zip(client.leases()) {
                by_subnet.push((lease.subnet_id, number, position));
                leases += 1;
            }
        }
        by_subnet.sort_unstable();
        let mut plan = Self { clients, queries: Vec::new(), first_lease, by_subnet, by_duid, hasher };
        plan.queries = plan.subjects(options)?;
        Ok(plan)
    }

    fn subjects(&self, options: &Options) -> Result<Vec<Subject>, Error> {
        let relay_ids = options.relay_id.iter().map(|duid| Subject::RelayId(duid.0.clone()));
        let remote_ids = options.remote_id.iter().map(|id| Subject::RemoteId(id.0.clone()));
        let ids: Vec<_> = relay_ids.chain(remote_ids).collect();
        if !ids.is_empty() {
            return Ok(ids);
        }
        let mut subnets: Vec<_> = self.by_subnet.iter().map(|&(subnet_id, ..)| subnet_id).collect();
        subnets.dedup();
        if !options.subnet.is_empty() {
            let missing = options.subnet.iter().find(|id| subnets.binary_search(id).is_err());
            if let Some(&id) = missing {
                return Err(Error::Subnet(id));
            }
            subnets.clone_from(&options.subnet);
        }
        Ok(subnets.into_iter().filter_map(|subnet_id| self.link_of(subnet_id)).collect())
    }

    /// Names the link of a subnet by the address of a lease in it.
    fn link_of(&self, subnet_id: u32) -> Option<Subject> {
        let (client, lease) = self.leases_of(subnet_id).next()?;
        let address = self.clients.get(client).leases().nth(lease.into())?.address;
        Some(Subject::Link { address, subnet_id })
    }

    /// Returns client and position of each lease of a subnet.
    pub(super) fn leases_of(&self, subnet_id: u32) -> impl Iterator<Item = (u32, u16)> + '_ {
        let range: Range<usize> = self.by_subnet.partition_point(|&(id, ..)| id < subnet_id)
            ..self.by_subnet.partition_point(|&(id, ..)| id <= subnet_id);
        self.by_subnet[range].iter().map(|&(_, client, position)| (client, position))
    }

    /// Returns the number of a lease over all clients.
    pub(super) fn lease_number(&self, client: u32, position: u16) -> usize {
        self.first_lease[client as usize] as usize + usize::from(position)
    }

    /// Returns the number of leases of all clients.
    pub(super) fn leases(&self) -> usize {
        self.by_subnet.len()
    }

    /// Returns the client with this DUID.
    pub(super) fn client(&self, duid: &[u8]) -> Option<(u32, Client<'a>)> {
        let number = *self
            .by_duid
            .find(self.hasher.hash_one(duid), |&number| self.clients.get(number).duid == duid)?;
        Some((number, self.clients.get(number)))
    }

    /// Returns a client by number.
    pub(super) fn client_at(&self, number: u32) -> Client<'a> {
        self.clients.get(number)
    }

    /// Returns the queries, at least one.
    pub(super) fn queries(&self) -> &[Subject] {
        &self.queries
    }
}

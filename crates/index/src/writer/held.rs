//! Leases read back by the writer, to compare those of one source with those of others.

use std::net::Ipv6Addr;

use super::Writer;
use super::doubts::Duid;
use crate::lease::{Batch, Lease, LeaseError};
use crate::record::{Binding, Client};

/// A lease in the index, as the writer reads it back.
pub struct Held<'w> {
    client: Client<'w>,
    /// As its source wrote it.
    address: Ipv6Addr,
    binding: Binding,
    /// Clients that are in doubt by it.
    doubts: &'w [Duid],
}

impl Writer {
    /// Returns the lease with this address as its source wrote it.
    pub fn held(&self, address: Ipv6Addr) -> Option<Held<'_>> {
        let (first, number) = self.written.place(address.into());
        // The written address is the key, and the first address is where records keep it.
        let (client, binding) = self.tables.lease_from(first, number)?;
        Some(self.read_back(self.tables.client(client)?, address, binding))
    }

    /// Returns the number of leases, expired ones included.
    pub fn lease_count(&self) -> usize {
        self.tables.lease_count()
    }

    /// Returns all leases, by client.
    pub fn all_held(&self) -> impl Iterator<Item = Held<'_>> {
        let clients = (0..self.tables.clients.end()).filter_map(|client| self.tables.client(client));
        clients.flat_map(move |client| {
            let leases = client.as_written(&self.written);
            leases.map(move |(address, binding)| self.read_back(client, address, binding))
        })
    }

    fn read_back<'w>(&'w self, client: Client<'w>, address: Ipv6Addr, binding: Binding) -> Held<'w> {
        // A readable lease puts no client in doubt.
        let doubts = if client.is_unreadable() { self.doubts.of_lease(address.into()) } else { &[] };
        Held { client, address, binding, doubts }
    }
}

impl Held<'_> {
    /// The address as its source wrote it.
    pub fn address(&self) -> Ipv6Addr {
        self.address
    }

    /// The number of its subnet.
    pub fn subnet_id(&self) -> u32 {
        self.binding.subnet_id
    }

    /// The time at which its source last spoke with the client, UNIX seconds.
    pub fn cltt(&self) -> u32 {
        self.binding.cltt
    }

    /// Whether the lease [cannot be read](crate::Change::Unreadable).
    pub fn is_unreadable(&self) -> bool {
        self.client.is_unreadable()
    }

    /// Whether `other`, of another index, is the same lease.
    pub fn is_same(&self, other: &Held<'_>) -> bool {
        let key = |held: &Held<'_>| {
            let Binding { prefix_len, kind, valid_lifetime, preferred_lifetime, cltt, subnet_id, .. } =
                held.binding;
            (held.address, prefix_len, kind, valid_lifetime, preferred_lifetime, cltt, subnet_id)
        };
        // Cheap fields first: most leases differ in their times, or in nothing.
        key(self) == key(other)
            && self.doubts == other.doubts
            && self.duid() == other.duid()
            && self.options() == other.options()
    }

    /// Appends the change that makes it the lease on its address.
    ///
    /// # Errors
    /// If the batch is full.
    pub fn push_into(&self, batch: &mut Batch) -> Result<(), LeaseError> {
        let Binding { prefix_len, kind, valid_lifetime, preferred_lifetime, cltt, subnet_id, .. } =
            self.binding;
        let address = self.address;
        // A readable lease is written as it was.
        if !self.is_unreadable() {
            let (duid, options) = (&self.duid()[..], &self.options()[..]);
            return batch.put(&Lease {
                address,
                prefix_len,
                kind,
                duid,
                valid_lifetime,
                preferred_lifetime,
                cltt,
                subnet_id,
                options,
            });
        }
        let first = batch.len();
        // The first row stands for the lease itself, and the others for the clients in doubt.
        batch.unreadable(address, prefix_len, &[])?;
        for duid in self.doubts {
            batch.unreadable(address, prefix_len, duid)?;
        }
        // The feed's number tells whose lease it is, so it is kept.
        batch.rows[first..].iter_mut().for_each(|row| row.subnet_id = subnet_id);
        Ok(())
    }

    fn duid(&self) -> Vec<u8> {
        let mut duid = vec![0; self.client.duid_len()];
        self.client.copy_duid(&mut duid);
        duid
    }

    /// The options of a lease, in wire form.
    fn options(&self) -> Vec<u8> {
        let mut options = Vec::new();
        self.client.options(&self.binding).copy_to(&mut options);
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, LeaseKind};

    fn batch() -> Batch {
        let mut batch = Batch::new();
        let mut relay_data = vec![0, 47, 0, 68, 0, 9, 0, 64];
        relay_data.resize(72, 7);
        let options = [&[0, 39, 0, 3, 1, 2, 3], &relay_data[..]].concat();
        type Row<'a> = (&'a str, u8, LeaseKind, &'a [u8], &'a [u8]);
        let leases: [Row; 4] = [
            ("2001:db8::1", 128, LeaseKind::Address, &[1], &options),
            ("2001:db8::2", 128, LeaseKind::Address, &[1; 130], &[]),
            ("2001:db8:1::", 56, LeaseKind::Prefix, &[1], &[]),
            ("2001:db8:1::5", 56, LeaseKind::Prefix, &[2], &options),
        ];
        for (address, prefix_len, kind, duid, options) in leases {
            let lease = Lease {
                address: address.parse().unwrap(),
                prefix_len,
                kind,
                duid,
                valid_lifetime: 4000,
                preferred_lifetime: 3000,
                cltt: 1_700_000_000,
                subnet_id: 7,
                options,
            };
            batch.push(Change::Put(lease)).unwrap();
        }
        for duid in [&[8][..], &[9]] {
            batch.unreadable("2001:db8::2".parse().unwrap(), 128, duid).unwrap();
        }
        // Numbers of a feed are not those of the source, so they must survive.
        batch.renumber_subnets(|id| id + 5);
        batch
    }

    #[test]
    fn leases_read_back_make_the_same_index() {
        let (mut first, _) = Writer::new();
        first.replace(&[batch()], None);
        let mut copy = Batch::new();
        first.all_held().for_each(|held| held.push_into(&mut copy).unwrap());
        let (mut second, _) = Writer::new();
        // Applied as changes, not loaded: both ways must give the same.
        second.apply(&copy);
        assert_eq!((first.lease_count(), first.all_held().count()), (4, 4));
        for held in first.all_held() {
            let same = second.held(held.address()).unwrap();
            assert!(held.is_same(&same), "{}", held.address());
            let subnet_id = if held.is_unreadable() { 5 } else { 12 };
            assert_eq!((same.subnet_id(), same.is_unreadable()), (subnet_id, held.is_unreadable()));
            assert_eq!(held.doubts, same.doubts);
        }
        let unreadable = second.held("2001:db8::2".parse().unwrap()).unwrap();
        assert_eq!(unreadable.doubts.len(), 3, "its holder, and those that it names");
        copy.clear();
        copy.push_from(&batch(), 0).unwrap();
        copy.renumber_subnets(|id| id + 1);
        second.apply(&copy);
        let address = "2001:db8::1".parse().unwrap();
        assert!(!first.held(address).unwrap().is_same(&second.held(address).unwrap()), "another subnet");
    }
}

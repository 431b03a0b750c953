//! Addresses, prefixes and clients of the churn: numbers on the inside, octets in the file and on the wire.
//!
//! ```text
//! even slot   an address      SUBNET/64, then fffe and its number
//! odd slot    a /112          SUBNET/64, then ffff, its number, 0
//! client      a DUID-EN       enterprise 32473 (RFC 5612), run, number
//! ```
//!
//! The number is in the address, so that a reader finds the slot of a binding without a map.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use crate::error::Error;
use crate::leases::{Clients, Lease, LeaseKind};

/// Most slots: their numbers have 32 bits together with those of earlier runs.
pub(super) const POOL_MAX: u32 = 1 << 28;
/// Most changes of a run, by which lifetimes differ.
pub(super) const CHANGES_MAX: u32 = 1 << 28;
/// Length of the delegated prefixes.
pub(super) const PREFIX_LEN: u8 = 112;
/// Subnets that the slots are spread over.
const SUBNETS_MAX: usize = 4096;
/// DUID-EN of the documentation's enterprise number.
const DUID_START: [u8; 6] = [0, 2, 0, 0, 0x7e, 0xd9];
const DUID_LEN: usize = 14;

/// Upper 16 bits of an interface-id.
const ADDRESS_MARK: u64 = 0xfffe;
const PREFIX_MARK: u64 = 0xffff;

/// A subnet of the lease file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subnet {
    pub(super) id: u32,
    /// Upper 64 bits of its addresses.
    network: u64,
}

/// Slots and clients of one run.
pub(super) struct Pool {
    subnets: Vec<Subnet>,
    slots: u32,
    clients: u32,
    /// Number of the first slot.
    first: u32,
    run: [u8; 4],
}

impl Pool {
    /// Makes a pool on the subnets of these leases, with numbers that none of them has; `run` tells the
    /// clients from those of other runs.
    pub(super) fn new(leases: &Clients, slots: u32, run: u32) -> Result<Self, Error> {
        let (subnets, taken) = survey(leases);
        if subnets.is_empty() {
            return Err(Error::NoAddressLease);
        }
        let first = first_gap(taken, slots).ok_or(Error::PoolTaken)?;
        // Two leases a client, when all are assigned.
        Ok(Self { subnets, slots, clients: slots.div_ceil(2), first, run: run.to_be_bytes() })
    }

    pub(super) fn slots(&self) -> u32 {
        self.slots
    }

    pub(super) fn clients(&self) -> u32 {
        self.clients
    }

    pub(super) fn subnet(&self, slot: u32) -> Subnet {
        // Two slots in a row, an address and a prefix, are of one subnet.
        self.subnets[slot as usize / 2 % self.subnets.len()]
    }

    /// Returns address and prefix length of a slot; 128 for an address.
    pub(super) fn address(&self, slot: u32) -> (Ipv6Addr, u8) {
        let number = u64::from(self.first + slot);
        let (interface, len) = if slot.is_multiple_of(2) {
            (ADDRESS_MARK << 48 | number, 128)
        } else {
            (PREFIX_MARK << 48 | number << 16, PREFIX_LEN)
        };
        (Ipv6Addr::from_bits(u128::from(self.subnet(slot).network) << 64 | u128::from(interface)), len)
    }

    /// Returns the slot of an address or prefix; none if it is not of this run.
    pub(super) fn slot(&self, address: Ipv6Addr, len: u8) -> Option<u32> {
        let slot = number(address)?.checked_sub(self.first).filter(|&slot| slot < self.slots)?;
        (self.address(slot) == (address, len)).then_some(slot)
    }

    pub(super) fn duid(&self, client: u32) -> [u8; DUID_LEN] {
        let mut duid = [0; DUID_LEN];
        duid[..6].copy_from_slice(&DUID_START);
        duid[6..10].copy_from_slice(&self.run);
        duid[10..].copy_from_slice(&client.to_be_bytes());
        duid
    }

    /// Returns the client with this DUID; none if it is not of this run.
    pub(super) fn client(&self, duid: &[u8]) -> Option<u32> {
        let number = duid.strip_prefix(&DUID_START)?.strip_prefix(&self.run)?;
        let client = u32::from_be_bytes(number.try_into().ok()?);
        (client < self.clients).then_some(client)
    }
}

/// Returns subnets of addresses in the leases, and the numbers of slots that they take.
fn survey(leases: &Clients) -> (Vec<Subnet>, Vec<u32>) {
    let (mut subnets, mut known, mut taken) = (Vec::new(), HashSet::new(), Vec::new());
    let all = (0..leases.len()).flat_map(|client| leases.get(client).leases());
    for Lease { kind, address, subnet_id: id, .. } in all {
        taken.extend(number(address));
        if kind == LeaseKind::Address && subnets.len() < SUBNETS_MAX && known.insert(id) {
            subnets.push(Subnet { id, network: (address.to_bits() >> 64) as u64 });
        }
    }
    (subnets, taken)
}

/// Returns the number of a slot with this address, in this or another run.
fn number(address: Ipv6Addr) -> Option<u32> {
    let interface = address.to_bits() as u64;
    let number = match interface >> 48 {
        ADDRESS_MARK => interface & 0xffff_ffff_ffff,
        PREFIX_MARK => interface >> 16 & 0xffff_ffff,
        _ => return None,
    };
    u32::try_from(number).ok()
}

/// Returns the least number from which so many are free.
fn first_gap(mut taken: Vec<u32>, slots: u32) -> Option<u32> {
    taken.sort_unstable();
    let mut first = 0_u32;
    for number in taken {
        if number.saturating_sub(first) >= slots {
            break;
        }
        first = number.checked_add(1)?;
    }
    first.checked_add(slots).map(|_| first)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Leases of one address in each of subnets 1 and 7.
    pub(in crate::active) fn leases(more: &str) -> Clients {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("leases");
        let text = format!(
            "{}2001:db8::1,00:01,4000,4294967000,1,4000,0,1,128,0,0,,,0,,,,0\n\
             2001:db8:7::1,00:02,4000,4294967000,7,4000,0,1,128,0,0,,,0,,,,0\n{more}",
            crate::make_leases::HEADER
        );
        std::fs::write(&path, text).unwrap();
        crate::leases::read(&[path], 1000).unwrap().0
    }

    #[test]
    fn slots_and_clients_are_found_by_their_octets() {
        let pool = Pool::new(&leases(""), 8, 0x0102_0304).unwrap();
        let address = |slot| pool.address(slot).0.to_string();
        let all = [0, 1, 2, 3].map(address);
        let of = [
            "2001:db8:0:0:fffe::",
            "2001:db8::ffff:0:1:0",
            "2001:db8:7:0:fffe::2",
            "2001:db8:7:0:ffff:0:3:0",
        ];
        assert_eq!(all, of);
        assert_eq!((pool.subnet(1).id, pool.subnet(2).id, pool.subnet(4).id), (1, 7, 1));
        for slot in 0..8 {
            let (address, len) = pool.address(slot);
            assert_eq!(pool.slot(address, len), Some(slot));
            assert_eq!(pool.slot(address, 127), None, "another length");
        }
        assert_eq!(pool.slot("2001:db8::fffe:0:0:8".parse().unwrap(), 128), None, "beyond the last");
        assert_eq!(pool.slot("2001:db9:0:0:fffe::".parse().unwrap(), 128), None, "another subnet");
        assert_eq!(pool.duid(2), [0, 2, 0, 0, 0x7e, 0xd9, 1, 2, 3, 4, 0, 0, 0, 2]);
        assert_eq!(pool.client(&pool.duid(3)), Some(3));
        assert_eq!(pool.client(&pool.duid(4)), None, "beyond the last");
        assert_eq!(pool.client(&[0, 2, 0, 0, 0x7e, 0xd9, 1, 2, 3, 5, 0, 0, 0, 2]), None, "another run");
    }

    #[test]
    fn leases_of_the_file_keep_their_numbers() {
        let row = "2001:db8::fffe:0:0:4,00:03,4000,4294967000,1,4000,0,1,128,0,0,,,0,,,,0\n";
        let first = |slots| Pool::new(&leases(row), slots, 1).map(|pool| pool.first).ok();
        assert_eq!((first(4), first(5)), (Some(0), Some(5)));
    }
}

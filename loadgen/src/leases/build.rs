//! From rows in any order to clients.
//!
//! Rows are kept in a vector and sorted, first by address, so that the last row of an address wins as it does
//! in Kea, then by client. Sorting takes seconds for tens of millions of rows and no memory; a map from
//! address to lease would take more than the clients themselves.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::row::Row;
use super::{Clients, Kind, Lease};
use crate::fault::Fault;

/// Rows of lease files, in their order.
#[derive(Default)]
pub(super) struct Builder {
    rows: Vec<Kept>,
    duids: Duids,
}

#[derive(Clone, Copy)]
struct Kept {
    lease: Lease,
    /// Which row of an address is the later one.
    order: u32,
    /// Place of the DUID.
    duid: u32,
    /// The client's last transaction about leases that are over; 0 if there are none.
    heard: u32,
    assigned: bool,
}

/// Which leases a client has; the order of the runs of records.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Has {
    Addresses,
    Both,
    Prefixes,
}

impl Builder {
    /// Takes the next row.
    pub(super) fn add(&mut self, row: &Row, duid: &[u8]) -> Result<(), Fault> {
        let order = u32::try_from(self.rows.len()).map_err(|_| Fault::TooManyLeases)?;
        let Row { lease, assigned } = *row;
        let duid = if assigned { self.duids.place(duid)? } else { 0 };
        self.rows.push(Kept { lease, order, duid, heard: 0, assigned });
        Ok(())
    }

    /// The clients that have a lease at this time, seconds since 1970.
    pub(super) fn build(self, now: u32) -> Result<Clients, Fault> {
        let Self { mut rows, duids: Duids { octets: duids, .. } } = self;
        rows.sort_unstable_by(|a, b| a.lease.address.cmp(&b.lease.address).then(b.order.cmp(&a.order)));
        rows.dedup_by_key(|row| row.lease.address); // keeps the first of equals, which is the latest
        rows.retain(|row| row.assigned);
        rows.sort_unstable_by_key(|row| (row.duid, row.lease.address));
        for client in rows.chunk_by_mut(|a, b| a.duid == b.duid) {
            let over = client.iter().map(|row| row.lease).filter(|lease| lease.expire() <= now);
            let heard = over.map(|lease| lease.cltt).max().unwrap_or_default();
            client.iter_mut().for_each(|row| row.heard = heard);
        }
        rows.retain(|row| row.lease.expire() > now);
        let mut clients = Clients { leases: rows.len() as u64, ..Clients::default() };
        clients.records.reserve_exact(records_len(&rows, &duids));
        for wanted in [Has::Addresses, Has::Both, Has::Prefixes] {
            let start = clients.starts.len() as u32;
            for client in rows.chunk_by(|a, b| a.duid == b.duid).filter(|client| has(client) == wanted) {
                clients.push(duid_at(&duids, client[0].duid), client)?;
            }
            let end = clients.starts.len() as u32;
            match wanted {
                Has::Addresses => clients.with_address = start..end,
                Has::Both => (clients.with_address.end, clients.with_prefix) = (end, start..end),
                Has::Prefixes => clients.with_prefix.end = end,
            }
        }
        clients.with_duid = 0..clients.starts.len() as u32;
        clients.generated = rows.iter().all(|row| is_documentation(row.lease.address.octets()));
        clients.starts.push(clients.end()?);
        Ok(clients)
    }
}

impl Clients {
    fn push(&mut self, duid: &[u8], leases: &[Kept]) -> Result<(), Fault> {
        self.starts.push(self.end()?);
        self.records.push(duid.len() as u8); // ≤ 130
        self.records.extend_from_slice(duid);
        self.records.extend_from_slice(&leases[0].heard.to_be_bytes());
        leases.iter().for_each(|kept| kept.lease.pack(&mut self.records));
        Ok(())
    }

    pub(super) fn end(&self) -> Result<u32, Fault> {
        u32::try_from(self.records.len()).map_err(|_| Fault::TooManyLeases)
    }
}

/// In 3fff::/20 (RFC 9637).
fn is_documentation([a, b, c, ..]: [u8; 16]) -> bool {
    (a, b, c >> 4) == (0x3f, 0xff, 0)
}

fn has(leases: &[Kept]) -> Has {
    let is_address = |kept: &Kept| kept.lease.kind == Kind::Address;
    match (leases.iter().any(is_address), leases.iter().all(is_address)) {
        (_, true) => Has::Addresses,
        (true, false) => Has::Both,
        (false, false) => Has::Prefixes,
    }
}

fn records_len(rows: &[Kept], duids: &[u8]) -> usize {
    let of_duids: usize =
        rows.chunk_by(|a, b| a.duid == b.duid).map(|client| 5 + duid_at(duids, client[0].duid).len()).sum();
    let of_lease = |row: &Kept| match row.lease.kind {
        Kind::Address => super::LEASE_HEADER_LEN + 16,
        Kind::Prefix(len) => super::LEASE_HEADER_LEN + super::octets_of_prefix(len),
    };
    of_duids + rows.iter().map(of_lease).sum::<usize>()
}

/// Every DUID once: a length octet and the DUID, one after the other.
#[derive(Default)]
struct Duids {
    octets: Vec<u8>,
    places: HashTable<u32>,
}

impl Duids {
    /// Where this DUID of 1 to 130 octets is; it is added if it is new.
    fn place(&mut self, duid: &[u8]) -> Result<u32, Fault> {
        // Each run hashes alike: a lease file that is hostile to the hash costs its reader time, nobody else.
        let hash = |duid: &[u8]| FixedState::default().hash_one(duid);
        let Self { octets, places } = self;
        if let Some(&place) = places.find(hash(duid), |&place| duid_at(octets, place) == duid) {
            return Ok(place);
        }
        let place = u32::try_from(octets.len()).map_err(|_| Fault::TooManyLeases)?;
        octets.push(duid.len() as u8);
        octets.extend_from_slice(duid);
        places.insert_unique(hash(duid), place, |&place| hash(duid_at(octets, place)));
        Ok(place)
    }
}

fn duid_at(octets: &[u8], place: u32) -> &[u8] {
    let place = place as usize;
    &octets[place + 1..place + 1 + usize::from(octets[place])]
}

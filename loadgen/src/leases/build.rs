//! Clients from rows in any order.
//!
//! Rows are kept in a vector and sorted, first by address, so that the last row of an address wins as in Kea,
//! then by client. Sorting tens of millions of rows takes seconds and no memory; a map from address to lease
//! would take more memory than the clients.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

use super::row::LeaseRow;
use super::{Clients, Lease, LeaseKind};
use crate::error::Error;

/// The rows of lease files, in file order.
#[derive(Default)]
pub(super) struct Builder {
    rows: Vec<KeptRow>,
    duids: Duids,
}

#[derive(Clone, Copy)]
struct KeptRow {
    lease: Lease,
    /// Position in the files, by which the last row of an address wins.
    order: u32,
    /// Offset of the DUID in [`Duids`].
    duid: u32,
    /// Last transaction about the client's expired leases, seconds since 1970; 0 if it has none.
    heard: u32,
    assigned: bool,
}

/// Kinds of leases that a client has; also the order of the runs of records.
#[derive(Clone, Copy, PartialEq, Eq)]
enum KindsOfClient {
    Addresses,
    Both,
    Prefixes,
}

impl Builder {
    /// Adds the next row.
    pub(super) fn add(&mut self, row: &LeaseRow, duid: &[u8]) -> Result<(), Error> {
        // The number of a row has to fit a u32, or later rows could not be told from earlier ones.
        let order = u32::try_from(self.rows.len()).map_err(|_| Error::TooManyLeases)?;
        let LeaseRow { lease, assigned } = *row;
        // Removed leases have no client, and may have no DUID.
        let duid = if assigned { self.duids.place(duid)? } else { 0 };
        self.rows.push(KeptRow { lease, order, duid, heard: 0, assigned });
        Ok(())
    }

    /// Builds the clients that have a lease at this time, seconds since 1970.
    pub(super) fn build(self, now: u32) -> Result<Clients, Error> {
        let Self { mut rows, duids: Duids { octets: duids, .. } } = self;
        // Unstable sorts need no memory; `order` makes the result unique.
        rows.sort_unstable_by(|a, b| a.lease.address.cmp(&b.lease.address).then(b.order.cmp(&a.order)));
        // The sort put the latest row of each address first, which dedup keeps.
        rows.dedup_by_key(|row| row.lease.address);
        // A last row that takes the lease away must have won before it is dropped.
        rows.retain(|row| row.assigned);
        // By client now, since queries are drawn from clients.
        rows.sort_unstable_by_key(|row| (row.duid, row.lease.address));
        for client in rows.chunk_by_mut(|a, b| a.duid == b.duid) {
            // CLT_TIME of a server that remembers expired leases may be that of one.
            let over = client.iter().map(|row| row.lease).filter(|lease| lease.expire() <= now);
            let heard = over.map(|lease| lease.cltt).max().unwrap_or_default();
            client.iter_mut().for_each(|row| row.heard = heard);
        }
        // Expired leases have done their part: they gave the newest transaction.
        rows.retain(|row| row.lease.expire() > now);
        let mut clients = Clients { leases: rows.len() as u64, ..Clients::default() };
        // Exact, since doubling would waste up to half of several gigabytes.
        clients.records.reserve_exact(records_len(&rows, &duids));
        // Three passes give three runs without sorting the clients once more.
        for wanted in [KindsOfClient::Addresses, KindsOfClient::Both, KindsOfClient::Prefixes] {
            let start = clients.starts.len() as u32;
            // Rows of a client lie together after the sort.
            for client in rows.chunk_by(|a, b| a.duid == b.duid).filter(|client| has(client) == wanted) {
                clients.push(duid_at(&duids, client[0].duid), client)?;
            }
            let end = clients.starts.len() as u32;
            match wanted {
                KindsOfClient::Addresses => clients.with_address = start..end,
                KindsOfClient::Both => (clients.with_address.end, clients.with_prefix) = (end, start..end),
                KindsOfClient::Prefixes => clients.with_prefix.end = end,
            }
        }
        clients.with_duid = 0..clients.starts.len() as u32;
        // One lease outside documentation space shows that the leases are real.
        clients.generated = rows.iter().all(|row| is_documentation(row.lease.address.octets()));
        // One more offset ends the last record.
        clients.starts.push(clients.end()?);
        Ok(clients)
    }
}

impl Clients {
    fn push(&mut self, duid: &[u8], leases: &[KeptRow]) -> Result<(), Error> {
        // Records are addressed by u32, which bounds them to 4 GiB.
        self.starts.push(self.end()?);
        self.records.push(duid.len() as u8); // at most 130
        self.records.extend_from_slice(duid);
        self.records.extend_from_slice(&leases[0].heard.to_be_bytes());
        leases.iter().for_each(|kept| kept.lease.pack(&mut self.records));
        Ok(())
    }

    pub(super) fn end(&self) -> Result<u32, Error> {
        u32::try_from(self.records.len()).map_err(|_| Error::TooManyLeases)
    }
}

/// Whether an address is in 3fff::/20 (RFC 9637).
fn is_documentation([a, b, c, ..]: [u8; 16]) -> bool {
    (a, b, c >> 4) == (0x3f, 0xff, 0)
}

fn has(leases: &[KeptRow]) -> KindsOfClient {
    let is_address = |kept: &KeptRow| kept.lease.kind == LeaseKind::Address;
    match (leases.iter().any(is_address), leases.iter().all(is_address)) {
        // Any client whose leases are all addresses, an empty one too.
        (_, true) => KindsOfClient::Addresses,
        (true, false) => KindsOfClient::Both,
        (false, false) => KindsOfClient::Prefixes,
    }
}

fn records_len(rows: &[KeptRow], duids: &[u8]) -> usize {
    let of_duids: usize =
        // One octet of length and four of time stand before the leases.
        rows.chunk_by(|a, b| a.duid == b.duid).map(|client| 5 + duid_at(duids, client[0].duid).len()).sum();
    let of_lease = |row: &KeptRow| match row.lease.kind {
        LeaseKind::Address => super::LEASE_HEADER_LEN + 16,
        LeaseKind::Prefix(len) => super::LEASE_HEADER_LEN + super::octets_of_prefix(len),
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
    /// Returns the offset of this DUID of 1 to 130 octets; adds it if it is new.
    fn place(&mut self, duid: &[u8]) -> Result<u32, Error> {
        // A fixed seed keeps runs comparable; a file that attacks the hash only slows down its own reader.
        let hash = |duid: &[u8]| FixedState::default().hash_one(duid);
        let Self { octets, places } = self;
        // Clients have several leases, so most DUIDs are known.
        if let Some(&place) = places.find(hash(duid), |&place| duid_at(octets, place) == duid) {
            return Ok(place);
        }
        let place = u32::try_from(octets.len()).map_err(|_| Error::TooManyLeases)?;
        // At most 130 octets, as the row parser has checked.
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

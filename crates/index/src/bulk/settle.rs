//! Addresses with rows of several clients, or with removals: the last row counts.
//!
//! Rows are brought together by client first, as nearly every address has one client only. Two claims on one
//! address show when the map by address is filled: their hashes meet in it. Losing claims leave the map at
//! once, and the records when the map is complete.

use std::cmp::Reverse;
use std::net::Ipv6Addr;

use rayon::prelude::*;

use super::special::{Former, Special, Specials};
use super::staging::{Claim, End, kept};
use super::{Loader, LoaderThread};
use crate::clients::ClientId;
use crate::lease::{Lease, address_hash, duid_hash};
use crate::record::{self, Unpacked, WORDS_MAX, Wholeness};

/// An address that a client has lost.
pub(super) type Loss = (ClientId, u128);

/// A claim on an address, or its removal.
struct Claimant {
    address: u128,
    number: u64,
    who: Who,
    hash: u64,
}

#[derive(Clone, Copy)]
enum Who {
    /// The address was removed.
    None,
    Client(ClientId),
    /// The client of a row that was set aside.
    Special(Special),
}

/// Claims to settle: all there are with some hashes.
pub(super) struct Claims<'a> {
    /// Claims on one hash by one client are in the order of its record.
    pub(super) claims: Vec<Claim>,
    pub(super) aside: &'a [Special],
}

/// Result of settling.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) lost: Vec<Loss>,
    /// Rows that were set aside and are the last of their addresses.
    pub(super) remaining: Vec<Special>,
    pub(super) formers: Vec<Former>,
}

impl Loader {
    /// Finds the last row of each address that has these claims and ends.
    pub(super) fn settle(
        &self,
        Claims { mut claims, aside }: Claims<'_>,
        ends: impl Iterator<Item = End>,
        specials: &Specials,
    ) -> Settled {
        // Stable: `find_addresses` relies on the order within one hash.
        claims.sort_by_key(|claim| (claim.client, claim.hash)); // stable
        let mut claimants: Vec<Claimant> = ends
            .map(|End { address, number }| Claimant { address, number, who: Who::None, hash: 0 })
            .collect();
        claimants.extend(aside.iter().map(|&special| {
            let Special { address, number, .. } = special;
            Claimant { address, number, who: Who::Special(special), hash: 0 }
        }));
        for claims in claims.chunk_by(|a, b| a.client == b.client) {
            self.find_addresses(claims, &mut claimants);
        }
        // The last row of each address comes first, and wins.
        claimants.sort_unstable_by_key(|claimant| (claimant.address, Reverse(claimant.number)));
        let mut settled = Settled::default();
        for same in claimants.chunk_by(|a, b| a.address == b.address) {
            // A row set aside wins, so the writer has to apply it after the tables are published.
            if let Who::Special(special) = same[0].who {
                settled.remaining.push(special);
                settled.formers.extend(self.formers(same, specials));
            }
            for loser in &same[1..] {
                let Who::Client(client) = loser.who else { continue };
                let removed = self.tables.addresses.remove(&self.tables.arena, loser.hash, client);
                removed.expect("a claim is in the map");
                settled.lost.push((client, loser.address));
            }
        }
        settled
    }

    /// The clients in doubt by an address whose last rows cannot be read: the former holder, and the clients
    /// named by rows before the last one.
    fn formers(&self, same: &[Claimant], specials: &Specials) -> Vec<Former> {
        let unreadable = |claimant: &Claimant| match claimant.who {
            // Rows after the last readable one leave in doubt whose lease it is.
            Who::Special(special) if specials.is_unreadable(special) => Some(special),
            _ => None,
        };
        let rows: Vec<Special> = same.iter().map_while(unreadable).collect();
        let Some(earlier) = rows.get(1..) else { return Vec::new() };
        let holder = match same.get(rows.len()).map(|claimant| claimant.who) {
            // The newest row that can be read names the holder before the doubt.
            None | Some(Who::None) => None,
            Some(Who::Special(special)) => Some(specials.duid(special).into()),
            Some(Who::Client(client)) => self.tables.client(client).map(|client| {
                let mut duid = vec![0; client.duid_len()];
                client.copy_duid(&mut duid);
                duid.into()
            }),
        };
        let named = earlier.iter().rev().map(|&special| specials.duid(special).into());
        holder.into_iter().chain(named).map(|duid| (same[0].address, duid)).collect()
    }

    /// Finds the addresses of one client's claims, ascending by hash, in its record.
    fn find_addresses(&self, claims: &[Claim], claimants: &mut Vec<Claimant>) {
        let client = claims[0].client;
        let mut found = vec![0; claims.len()]; // of each hash, at its first claim
        // A claim keeps only part of a hash, so the record gives the address itself.
        for binding in self.tables.client(client).into_iter().flat_map(record::Client::bindings) {
            let address = u128::from(binding.address);
            let hash = kept(address_hash(address));
            let first = claims.partition_point(|claim| claim.hash < hash);
            let Some(claim) = found.get(first).and_then(|nth| claims.get(first + nth)) else { continue };
            if claim.hash == hash {
                // Claims of one hash are in the record's order, so the next one belongs to the next address.
                found[first] += 1;
                claimants.push(Claimant { address, number: claim.number, who: Who::Client(client), hash });
            }
        }
    }

    /// Removes lost addresses from records.
    pub(super) fn take_away(&self, mut lost: Vec<Loss>) {
        // Sorted by client, so that each record is rewritten once, whatever it loses.
        lost.par_sort_unstable();
        let clients: Vec<&[Loss]> = lost.chunk_by(|a, b| a.0 == b.0).collect();
        clients.into_par_iter().for_each_init(Unpacked::default, |unpacked, lost| {
            self.with_thread(|thread| self.take_from(thread, unpacked, lost));
        });
    }

    fn take_from(&self, thread: &mut LoaderThread, unpacked: &mut Unpacked, lost: &[Loss]) {
        let (client, tables) = (lost[0].0, &self.tables);
        let Some(before) = tables.clients.get(client) else { return };
        let record = record::Client::at(&tables.arena, before);
        unpacked.read(Some(record), &self.written);
        let keeps = |address: Ipv6Addr| lost.binary_search(&(client, address.into())).is_err();
        let leases: Vec<Lease<'_>> = unpacked.leases().filter(|lease| keeps(lease.address)).collect();
        thread.leases -= (record.len() - leases.len()) as isize;
        let after = if leases.is_empty() {
            // Segments are not in the map by DUID; only their anchor is.
            if !record.is_oversized() {
                let removed = tables.duids.remove(&tables.arena, duid_hash(unpacked.duid()), client);
                removed.expect("a client with a record is in the map");
            }
            // The number has no readers yet, and can be used again at once.
            thread.numbers.push(client);
            0
        } else {
            let wholeness = if record.is_oversized() { Wholeness::Part } else { Wholeness::Whole };
            let (leases, words) = ((&leases[..], wholeness), &mut thread.words);
            record::write(&tables.arena, &mut thread.allocator, words, &self.written, leases, WORDS_MAX)
                .expect("fewer leases than before fit")
        };
        tables.clients.set(client, after);
        // The old record has no readers either.
        thread.allocator.free(before, record.record_words());
    }
}

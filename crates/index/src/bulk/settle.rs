//! Addresses that several clients hold by the rows of a snapshot, or that end: whose row came last?
//!
//! Rows are brought together by client first, as nearly always an address has one client only. That two say to have
//! the same shows when the map by address is filled: their hashes meet in it. What is found here is taken out of the
//! map at once, and out of the records of those who lost it when the map is complete.

use std::cmp::Reverse;
use std::net::Ipv6Addr;

use rayon::prelude::*;

use super::staging::{Claim, End, kept};
use super::{Hand, Loader};
use crate::clients::ClientId;
use crate::lease::{Lease, address_hash, duid_hash};
use crate::record::{self, Unpacked, WORDS_MAX};

/// An address that a client has lost.
pub(super) type Loss = (ClientId, u128);

/// Who says to have an address.
struct Claimant {
    address: u128,
    number: u64,
    /// None: from then on, nobody.
    client: Option<ClientId>,
    hash: u64,
}

impl Loader {
    /// Settles whose the addresses are that have these claims and ends, all there are with these hashes. Claims on one
    /// hash by one client are in the order of its record.
    pub(super) fn settle(&self, mut claims: Vec<Claim>, ends: impl Iterator<Item = End>) -> Vec<Loss> {
        claims.sort_by_key(|claim| (claim.client, claim.hash)); // stable
        let mut claimants: Vec<Claimant> =
            ends.map(|End { address, number }| Claimant { address, number, client: None, hash: 0 }).collect();
        for claims in claims.chunk_by(|a, b| a.client == b.client) {
            self.find_addresses(claims, &mut claimants);
        }
        claimants.sort_unstable_by_key(|claimant| (claimant.address, Reverse(claimant.number)));
        let losers = claimants.chunk_by(|a, b| a.address == b.address).flat_map(|same| &same[1..]);
        let lost = losers.filter_map(|loser| {
            let client = loser.client?;
            let removed = self.tables.addresses.remove(&self.tables.arena, loser.hash, client);
            removed.expect("a claim is in the map");
            Some((client, loser.address))
        });
        lost.collect()
    }

    /// Finds the addresses of one client's claims, ascending by hash, in its record.
    fn find_addresses(&self, claims: &[Claim], claimants: &mut Vec<Claimant>) {
        let client = claims[0].client;
        let mut found = vec![0; claims.len()]; // of each hash, at its first claim
        for binding in self.tables.client(client).into_iter().flat_map(record::Client::bindings) {
            let address = u128::from(binding.address);
            let hash = kept(address_hash(address));
            let first = claims.partition_point(|claim| claim.hash < hash);
            let Some(claim) = found.get(first).and_then(|nth| claims.get(first + nth)) else { continue };
            if claim.hash == hash {
                found[first] += 1;
                claimants.push(Claimant { address, number: claim.number, client: Some(client), hash });
            }
        }
    }

    /// Takes lost addresses out of records.
    pub(super) fn take_away(&self, mut lost: Vec<Loss>) {
        lost.par_sort_unstable();
        let clients: Vec<&[Loss]> = lost.chunk_by(|a, b| a.0 == b.0).collect();
        clients.into_par_iter().for_each_init(Unpacked::default, |unpacked, lost| {
            self.with_hand(|hand| self.take_from(hand, unpacked, lost));
        });
    }

    fn take_from(&self, hand: &mut Hand, unpacked: &mut Unpacked, lost: &[Loss]) {
        let (client, tables) = (lost[0].0, &self.tables);
        let Some(before) = tables.clients.get(client) else { return };
        let record = record::Client::at(&tables.arena, before);
        unpacked.read(Some(record));
        let keeps = |address: Ipv6Addr| lost.binary_search(&(client, address.into())).is_err();
        let leases: Vec<Lease<'_>> = unpacked.leases().filter(|lease| keeps(lease.address)).collect();
        hand.leases -= (record.len() - leases.len()) as isize;
        let after = if leases.is_empty() {
            if !record.is_oversized() {
                let removed = tables.duids.remove(&tables.arena, duid_hash(unpacked.duid()), client);
                removed.expect("a client with a record is in the map");
            }
            hand.numbers.push(client);
            0
        } else {
            let leases = (&leases[..], record.is_oversized());
            record::write(&tables.arena, &mut hand.allocator, &mut hand.words, leases, WORDS_MAX)
                .expect("fewer leases than before fit")
        };
        tables.clients.set(client, after);
        hand.allocator.free(before, record.record_words());
    }
}

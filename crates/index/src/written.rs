//! Leases whose source wrote host bits behind a delegated prefix, by the address as written.
//!
//! A source knows a lease by that address, readers by the prefix; mostly both begin alike. Where they do not,
//! the record has a number beside the prefix, 0 for all other leases, and this table maps the number to the
//! address. So leases of one first address, even of one prefix, are told apart, at no cost to leases without
//! host bits.

use std::collections::HashMap;

use crate::lease::mask;

type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Leases with host bits that the index holds; for the writer alone.
#[derive(Default)]
pub(crate) struct Written {
    /// Leases by address as written.
    leases: FastMap<u128, NumberedLease>,
    /// Addresses as written, by number.
    addresses: FastMap<u32, u128>,
    /// The address as written of some lease with host bits, by first address: all that there were since the
    /// last snapshot.
    firsts: FastMap<u128, u128>,
    last_number: u32,
}

struct NumberedLease {
    number: u32,
    /// Prefix length of the lease that the index holds; none before it is published.
    prefix_len: Option<u8>,
}

impl Written {
    /// No lease with host bits is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// The first address and the number of the lease with this address as written.
    pub(crate) fn place(&self, address: u128) -> (u128, u32) {
        match self.leases.get(&address) {
            // A lease whose length is not known yet is not in the index.
            Some(&NumberedLease { number, prefix_len: Some(len) }) => (address & mask(len), number),
            _ => (address, 0),
        }
    }

    /// The number of a lease with host bits, a new one if it is new.
    pub(crate) fn enter(&mut self, address: u128) -> u32 {
        if let Some(place) = self.leases.get(&address) {
            return place.number;
        }
        loop {
            self.last_number = self.last_number.wrapping_add(1);
            let number = self.last_number;
            // 0 stands for no host bits, and numbers of living leases are taken.
            if number != 0 && !self.addresses.contains_key(&number) {
                self.addresses.insert(number, address);
                self.leases.insert(address, NumberedLease { number, prefix_len: None });
                return number;
            }
        }
    }

    /// The number of a lease with this address as written and this first address.
    ///
    /// # Panics
    /// If they differ and it was not [entered](Self::enter).
    pub(crate) fn number(&self, address: u128, first: u128) -> u32 {
        // Most leases need no table.
        if address == first { 0 } else { self.leases[&address].number }
    }

    /// The address as written of a lease with this first address and this number.
    pub(crate) fn address(&self, first: u128, number: u32) -> u128 {
        if number == 0 { first } else { self.addresses[&number] }
    }

    /// Sets the prefix length of the lease with this address as written; `None`: it has no host bits.
    pub(crate) fn set(&mut self, address: u128, prefix_len: Option<u8>) {
        if prefix_len.is_none() {
            if let Some(place) = self.leases.remove(&address) {
                self.addresses.remove(&place.number);
            }
        } else if let Some(place) = self.leases.get_mut(&address) {
            place.prefix_len = prefix_len;
        }
    }

    /// Records the first address of a lease with host bits; returns whether another one was there.
    pub(crate) fn note_first(&mut self, first: u128, address: u128) -> bool {
        // Another written address means that two leases begin at one address.
        *self.firsts.entry(first).or_insert(address) != address
    }

    /// Whether there is or was any lease with host bits since the last snapshot.
    pub(crate) fn has_any_first(&self) -> bool {
        !self.firsts.is_empty()
    }

    /// Whether a lease with host bits begins at this address, or did.
    pub(crate) fn has_first(&self, first: u128) -> bool {
        self.firsts.contains_key(&first)
    }
}

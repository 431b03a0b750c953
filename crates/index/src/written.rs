//! Leases whose source wrote host bits behind a delegated prefix, by the address as written.
//!
//! A source knows a lease by that address, readers by the prefix; as a rule both begin alike. Where they do not, the
//! record has a number beside the prefix, 0 for all other leases, and this table knows what the number stands for. So
//! leases of one first address, even of one prefix, are told apart, and tidy ones pay nothing for it.

use std::collections::HashMap;

use crate::lease::mask;

type FastMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Of the leases that the index holds, those with host bits; for the writer alone.
#[derive(Default)]
pub(crate) struct Written {
    /// By address as written.
    leases: FastMap<u128, Place>,
    /// Addresses as written, by number.
    addresses: FastMap<u32, u128>,
    /// The address as written of some lease with host bits, by first address: all that there were since the last snapshot.
    firsts: FastMap<u128, u128>,
    last_number: u32,
}

struct Place {
    number: u32,
    /// Of the lease that the index holds; none before that is published.
    prefix_len: Option<u8>,
}

impl Written {
    /// No lease with host bits is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// Where the index has the lease with this address as written, if it has one: its first address, and its number.
    pub(crate) fn place(&self, address: u128) -> (u128, u32) {
        match self.leases.get(&address) {
            Some(&Place { number, prefix_len: Some(len) }) => (address & mask(len), number),
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
            if number != 0 && !self.addresses.contains_key(&number) {
                self.addresses.insert(number, address);
                self.leases.insert(address, Place { number, prefix_len: None });
                return number;
            }
        }
    }

    /// The number of a lease with this address as written and this first address.
    ///
    /// # Panics
    /// If they differ and it was not [entered](Self::enter).
    pub(crate) fn number(&self, address: u128, first: u128) -> u32 {
        if address == first { 0 } else { self.leases[&address].number }
    }

    /// The address as written of a lease with this first address and this number.
    pub(crate) fn address(&self, first: u128, number: u32) -> u128 {
        if number == 0 { first } else { self.addresses[&number] }
    }

    /// The lease with this address as written now has host bits behind a prefix of this length, or none.
    pub(crate) fn set(&mut self, address: u128, prefix_len: Option<u8>) {
        if prefix_len.is_none() {
            if let Some(place) = self.leases.remove(&address) {
                self.addresses.remove(&place.number);
            }
        } else if let Some(place) = self.leases.get_mut(&address) {
            place.prefix_len = prefix_len;
        }
    }

    /// Takes note of the first address of a lease with host bits; whether another one was there.
    pub(crate) fn note_first(&mut self, first: u128, address: u128) -> bool {
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

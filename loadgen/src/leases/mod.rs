//! The clients to ask for, with all their leases, packed.
//!
//! A client is a record of variable length: DUID length (1 octet), DUID, the last transaction about leases that
//! are over (4), then each lease as kind (1), time of
//! the last transaction (4), valid and preferred lifetime (4 each), subnet id (4) and the address, of a prefix
//! only as many octets as it has. With one address and one /56 that is 77 octets, and 4 for the record's place:
//! 40.5 a lease, against 60 and more for a struct of addresses and a map. What is needed to check an answer lies together, at the price of one or two cache
//! misses a query.
//!
//! Records are in three runs: clients with addresses only, with both, with prefixes only. So those that can
//! be asked for by address, or by an address inside a prefix, are a range each, and drawing one uniformly is
//! drawing a number.

mod build;
mod list;
mod read;
mod row;

use std::net::Ipv6Addr;
use std::ops::Range;

pub(crate) use list::read_list;
pub(crate) use read::read;

/// Mark of an address where a prefix has its length.
const ADDRESS: u8 = 0xff;
/// Octets of a lease before its address.
const LEASE_HEADER_LEN: usize = 17;
/// An infinite lifetime (RFC 8415 §7.7), and the expiry of what never expires.
pub(crate) const NEVER: u32 = u32::MAX;

/// What a lease is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Address,
    /// A delegated prefix of this length.
    Prefix(u8),
}

/// One lease of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) kind: Kind,
    /// The address, or the first one of the prefix.
    pub(crate) address: Ipv6Addr,
    /// When the client last spoke with the server (cltt), seconds since 1970.
    pub(crate) cltt: u32,
    /// Seconds from `cltt` on for which it is valid, or [`NEVER`].
    pub(crate) valid: u32,
    /// Seconds from `cltt` on for which it is preferred, or [`NEVER`].
    pub(crate) preferred: u32,
    /// Kea's id of its subnet.
    pub(crate) subnet_id: u32,
}

/// All clients that have a lease, each once.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    records: Vec<u8>,
    /// Where each record starts, and where the last one ends.
    starts: Vec<u32>,
    with_address: Range<u32>,
    with_prefix: Range<u32>,
    with_duid: Range<u32>,
    generated: bool,
    leases: u64,
}

impl Clients {
    /// How many clients.
    pub(crate) fn len(&self) -> u32 {
        self.starts.len().saturating_sub(1) as u32 // each record has an octet or more of 2^32
    }

    /// How many leases all of them have.
    pub(crate) fn leases(&self) -> u64 {
        self.leases
    }

    /// Numbers of the clients that have an address.
    pub(crate) fn with_address(&self) -> Range<u32> {
        self.with_address.clone()
    }

    /// Numbers of the clients that have a delegated prefix.
    pub(crate) fn with_prefix(&self) -> Range<u32> {
        self.with_prefix.clone()
    }

    /// Numbers of the clients whose DUID is known.
    pub(crate) fn with_duid(&self) -> Range<u32> {
        self.with_duid.clone()
    }

    /// All leases are in documentation space, as those of `make-leases` are and no real ones.
    pub(crate) fn are_generated(&self) -> bool {
        self.generated
    }

    /// Reads the records of these clients, so that they are in the cache when they are asked for.
    ///
    /// One after the other, each would be waited for twice, first for its place and then for itself: more
    /// than half of the time that a query takes here. Read together, they are waited for together.
    pub(crate) fn warm(&self, numbers: impl Iterator<Item = u32> + Clone) {
        let ends = |number: u32| {
            let number = number as usize;
            [self.starts[number] as usize, self.starts[number + 1] as usize - 1]
        };
        let places = numbers.clone().flat_map(ends).fold(0_usize, usize::wrapping_add);
        let octets = numbers.flat_map(ends).map(|place| self.records[place]).fold(0_u8, u8::wrapping_add);
        std::hint::black_box((places, octets));
    }

    /// Client `number`, less than [`len`](Self::len).
    pub(crate) fn get(&self, number: u32) -> Client<'_> {
        let number = number as usize;
        let record = &self.records[self.starts[number] as usize..self.starts[number + 1] as usize];
        let (duid, rest) = record[1..].split_at(usize::from(record[0]));
        let (heard, leases) = rest.split_first_chunk().unwrap_or((&[0; 4], &[]));
        Client { duid, heard: u32::from_be_bytes(*heard), leases }
    }
}

/// One client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    pub(crate) duid: &'a [u8],
    /// Its last transaction about leases that are over, seconds since 1970; 0 if there are none.
    pub(crate) heard: u32,
    leases: &'a [u8],
}

impl<'a> Client<'a> {
    pub(crate) fn leases(self) -> impl Iterator<Item = Lease> + 'a {
        let mut rest = self.leases;
        std::iter::from_fn(move || {
            let (lease, after) = Lease::unpack(rest)?;
            rest = after;
            Some(lease)
        })
    }
}

impl Lease {
    /// The second from which it is no longer valid, since 1970; [`NEVER`] if there is none.
    pub(crate) fn expire(&self) -> u32 {
        end(self.cltt, self.valid)
    }

    /// The second from which it is no longer preferred, as [`Self::expire`].
    pub(crate) fn deprecated(&self) -> u32 {
        end(self.cltt, self.preferred)
    }

    fn pack(&self, out: &mut Vec<u8>) {
        let (kind, len) = match self.kind {
            Kind::Address => (ADDRESS, 16),
            Kind::Prefix(len) => (len, octets_of_prefix(len)),
        };
        out.push(kind);
        for number in [self.cltt, self.valid, self.preferred, self.subnet_id] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.extend_from_slice(&self.address.octets()[..len]);
    }

    fn unpack(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (&[kind, ref numbers @ ..], rest) = octets.split_first_chunk::<LEASE_HEADER_LEN>()?;
        let [cltt, valid, preferred, subnet_id] = *numbers.as_chunks::<4>().0 else { return None };
        let (kind, len) = match kind {
            ADDRESS => (Kind::Address, 16),
            len => (Kind::Prefix(len), octets_of_prefix(len)),
        };
        let (known, rest) = rest.split_at_checked(len)?;
        let mut address = [0; 16];
        address[..len].copy_from_slice(known);
        let lease = Self {
            kind,
            address: Ipv6Addr::from(address),
            cltt: u32::from_be_bytes(cltt),
            valid: u32::from_be_bytes(valid),
            preferred: u32::from_be_bytes(preferred),
            subnet_id: u32::from_be_bytes(subnet_id),
        };
        Some((lease, rest))
    }
}

/// When a lifetime from `cltt` on is over.
fn end(cltt: u32, lifetime: u32) -> u32 {
    if lifetime == NEVER { NEVER } else { cltt.saturating_add(lifetime) }
}

fn octets_of_prefix(len: u8) -> usize {
    usize::from(len.min(128)).div_ceil(8)
}

#[cfg(test)]
mod tests;

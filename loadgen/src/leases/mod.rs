//! The clients to query, with all their leases, packed.
//!
//! A client is a record of variable length: DUID length (1 octet), DUID, last transaction about expired
//! leases (4), then each lease as kind (1), last transaction (4), valid and preferred lifetime (4 each),
//! subnet id (4) and address; a prefix has only as many octets as its length needs. The data that checks an
//! answer lies together, at the cost of one or two cache misses per query; see loadgen/DESIGN.md for sizes.
//!
//! Records are in three runs: clients with addresses only, with both, with prefixes only. So the clients that
//! can be queried by address, or by an address inside a prefix, are a range each, and a uniform draw is a
//! random number.

mod build;
mod list;
mod read;
mod row;

use std::net::Ipv6Addr;
use std::ops::Range;

pub(crate) use list::read_list;
pub(crate) use read::read;
pub(crate) use row::{HeaderError, LeaseRow, parse};

/// Lease kind of an address; a prefix has its length there.
const ADDRESS: u8 = 0xff;
/// Length of a lease before its address, in octets.
const LEASE_HEADER_LEN: usize = 17;
/// An infinite lifetime (RFC 8415 §7.7), and the expiry of a lease that never expires.
pub(crate) const NEVER: u32 = u32::MAX;

/// Kind of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseKind {
    Address,
    /// A delegated prefix of this length.
    Prefix(u8),
}

/// One lease of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) kind: LeaseKind,
    /// The address, or the first address of the prefix.
    pub(crate) address: Ipv6Addr,
    /// Time of the client's last transaction (cltt), seconds since 1970.
    pub(crate) cltt: u32,
    /// Valid lifetime in seconds from `cltt`, or [`NEVER`].
    pub(crate) valid: u32,
    /// Preferred lifetime in seconds from `cltt`, or [`NEVER`].
    pub(crate) preferred: u32,
    /// Kea's subnet id.
    pub(crate) subnet_id: u32,
}

/// Clients that have a lease, each once.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    records: Vec<u8>,
    /// Start of each record, and the end of the last one.
    starts: Vec<u32>,
    with_address: Range<u32>,
    with_prefix: Range<u32>,
    with_duid: Range<u32>,
    generated: bool,
    leases: u64,
}

impl Clients {
    /// Number of clients.
    pub(crate) fn len(&self) -> u32 {
        self.starts.len().saturating_sub(1) as u32 // records have an octet or more of at most 2^32
    }

    /// Number of leases of all clients.
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

    /// Whether every lease is in documentation space, as those of `make-leases` are and real ones are not.
    pub(crate) fn are_generated(&self) -> bool {
        self.generated
    }

    /// Reads the records of these clients, so that they are cached when they are needed.
    ///
    /// One by one, each would cost two cache misses in sequence, for its offset and for itself: more than
    /// half of the time of a query here. Read together, the misses overlap.
    pub(crate) fn warm(&self, numbers: impl Iterator<Item = u32> + Clone) {
        let ends = |number: u32| {
            let number = number as usize;
            [self.starts[number] as usize, self.starts[number + 1] as usize - 1]
        };
        // First every offset, then every record: loads of one kind do not depend on each other.
        let places = numbers.clone().flat_map(ends).fold(0_usize, usize::wrapping_add);
        let octets = numbers.flat_map(ends).map(|place| self.records[place]).fold(0_u8, u8::wrapping_add);
        std::hint::black_box((places, octets));
    }

    /// Returns client `number`, less than [`len`](Self::len).
    pub(crate) fn get(&self, number: u32) -> Client<'_> {
        let number = number as usize;
        // Read through the offsets, as records differ in length.
        // The next record's start is this one's end.
        let record = &self.records[self.starts[number] as usize..self.starts[number + 1] as usize];
        let (duid, rest) = record[1..].split_at(usize::from(record[0]));
        // A record without leases has its time all the same.
        let (heard, leases) = rest.split_first_chunk().unwrap_or((&[0; 4], &[]));
        Client { duid, heard: u32::from_be_bytes(*heard), leases }
    }
}

/// A client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client<'a> {
    pub(crate) duid: &'a [u8],
    /// Last transaction about its expired leases, seconds since 1970; 0 if it has none.
    pub(crate) heard: u32,
    leases: &'a [u8],
}

impl<'a> Client<'a> {
    pub(crate) fn leases(self) -> impl Iterator<Item = Lease> + 'a {
        let mut rest = self.leases;
        std::iter::from_fn(move || {
            // The end of the record ends the iteration.
            let (lease, after) = Lease::unpack(rest)?;
            rest = after;
            Some(lease)
        })
    }
}

impl Lease {
    /// End of the valid lifetime, seconds since 1970, or [`NEVER`].
    pub(crate) fn expire(&self) -> u32 {
        end(self.cltt, self.valid)
    }

    /// End of the preferred lifetime, like [`Self::expire`].
    pub(crate) fn deprecated(&self) -> u32 {
        end(self.cltt, self.preferred)
    }

    fn pack(&self, out: &mut Vec<u8>) {
        let (kind, len) = match self.kind {
            // A prefix keeps the octets of its length only, as leases are many.
            LeaseKind::Address => (ADDRESS, 16),
            LeaseKind::Prefix(len) => (len, octets_of_prefix(len)),
        };
        out.push(kind);
        for number in [self.cltt, self.valid, self.preferred, self.subnet_id] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        // The rest of a prefix's address is zero.
        out.extend_from_slice(&self.address.octets()[..len]);
    }

    fn unpack(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (&[kind, ref numbers @ ..], rest) = octets.split_first_chunk::<LEASE_HEADER_LEN>()?;
        let [cltt, valid, preferred, subnet_id] = *numbers.as_chunks::<4>().0 else { return None };
        let (kind, len) = match kind {
            ADDRESS => (LeaseKind::Address, 16),
            len => (LeaseKind::Prefix(len), octets_of_prefix(len)),
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

/// Returns the end of a lifetime that starts at `cltt`.
fn end(cltt: u32, lifetime: u32) -> u32 {
    // A lease that never ends must not wrap.
    if lifetime == NEVER { NEVER } else { cltt.saturating_add(lifetime) }
}

fn octets_of_prefix(len: u8) -> usize {
    // A length beyond 128 can only come from a damaged record.
    usize::from(len.min(128)).div_ceil(8)
}

#[cfg(test)]
mod tests;

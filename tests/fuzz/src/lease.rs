//! An owned lease, for the models.

use std::net::Ipv6Addr;

use lqd_index::{INFINITY, Lease, LeaseKind};

/// [`Lease`], owned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `Lease`")]
pub struct OwnedLease {
    pub address: Ipv6Addr,
    pub prefix_len: u8,
    pub kind: LeaseKind,
    pub duid: Vec<u8>,
    pub valid_lifetime: u32,
    pub preferred_lifetime: u32,
    pub cltt: u32,
    pub subnet_id: u32,
    pub options: Vec<u8>,
}

impl From<Lease<'_>> for OwnedLease {
    fn from(lease: Lease<'_>) -> Self {
        Self {
            address: lease.address,
            prefix_len: lease.prefix_len,
            kind: lease.kind,
            duid: lease.duid.to_vec(),
            valid_lifetime: lease.valid_lifetime,
            preferred_lifetime: lease.preferred_lifetime,
            cltt: lease.cltt,
            subnet_id: lease.subnet_id,
            options: lease.options.to_vec(),
        }
    }
}

impl OwnedLease {
    /// Borrows the lease.
    pub fn lease(&self) -> Lease<'_> {
        Lease {
            address: self.address,
            prefix_len: self.prefix_len,
            kind: self.kind,
            duid: &self.duid,
            valid_lifetime: self.valid_lifetime,
            preferred_lifetime: self.preferred_lifetime,
            cltt: self.cltt,
            subnet_id: self.subnet_id,
            options: &self.options,
        }
    }

    /// Seconds of preferred and valid lifetime left at `now`; an infinite lifetime stays infinite.
    pub fn left(&self, now: u32) -> (u32, u32) {
        // A clock of the source ahead of ours adds nothing.
        let gone = u64::from(now).saturating_sub(u64::from(self.cltt));
        let left = |lifetime: u32| match lifetime {
            INFINITY => INFINITY,
            lifetime => u64::from(lifetime).saturating_sub(gone) as u32, // ≤ lifetime
        };
        let valid = left(self.valid_lifetime);
        (left(self.preferred_lifetime).min(valid), valid)
    }

    /// Whether the client may use it at `now`.
    pub fn is_live(&self, now: u32) -> bool {
        self.left(now).1 > 0
    }

    /// Whether it is for `address`, or for a prefix that covers it.
    pub fn covers(&self, address: Ipv6Addr) -> bool {
        within(address, self.address, self.prefix_len)
    }

    /// Order of a reply: addresses ascending, then prefixes longer than 64 bits, then the others, each
    /// ascending.
    pub fn order(&self) -> (bool, bool, Ipv6Addr) {
        let is_prefix = self.kind == LeaseKind::Prefix;
        (is_prefix, is_prefix && self.prefix_len <= 64, self.address)
    }
}

/// Whether `address` is in `prefix`/`len`, bit by bit.
pub(crate) fn within(address: Ipv6Addr, prefix: Ipv6Addr, len: u8) -> bool {
    let (address, prefix) = (u128::from(address), u128::from(prefix));
    // Slower than masks, and obviously right.
    (0..len).all(|bit| (address ^ prefix) >> (127 - bit) & 1 == 0)
}

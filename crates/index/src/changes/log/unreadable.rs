//! Leases whose last row cannot be read, with the client that had them before.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use super::super::{FormerLease, RemovedLease};
use crate::lease::LeaseKind;

/// Most leases remembered.
const LEASES_MAX: usize = 4096;

/// Most octets of DUIDs and relay data remembered.
const OCTETS_MAX: usize = 1 << 20;

/// Leases by address as written. While a lease cannot be read, the index does not know its client, but
/// readers of the log do.
#[derive(Default)]
pub(super) struct Unreadable {
    leases: HashMap<Ipv6Addr, Remembered, foldhash::fast::RandomState>,
    octets: usize,
}

/// A lease as it was when it could be read last.
pub(super) struct Remembered {
    address: Ipv6Addr,
    prefix_len: u8,
    kind: LeaseKind,
    subnet_id: u32,
    cltt: u32,
    ends: Option<u32>,
    duid_len: usize,
    /// The DUID, then the relay data.
    octets: Box<[u8]>,
}

impl Unreadable {
    /// Remembers a lease; returns whether there was no room: then all are forgotten.
    pub(super) fn remember(&mut self, lease: &RemovedLease<'_>) -> bool {
        let octets = [lease.duid, lease.former.relay_data].concat();
        self.octets += octets.len();
        // Readers that begin again know of none of these leases, so nothing is missed from then on.
        if self.leases.len() == LEASES_MAX || self.octets > OCTETS_MAX {
            self.clear();
            return true;
        }
        let remembered = Remembered {
            address: lease.address,
            prefix_len: lease.prefix_len,
            kind: lease.kind,
            subnet_id: lease.former.subnet_id,
            cltt: lease.cltt,
            ends: lease.ends,
            duid_len: lease.duid.len(),
            octets: octets.into(),
        };
        // The lease was readable until now, so it was not among these.
        self.leases.insert(lease.address, remembered);
        false
    }

    /// Takes the lease with this address as written out.
    pub(super) fn take(&mut self, address: Ipv6Addr) -> Option<Remembered> {
        // The usual table is empty, and costs no hash.
        if self.leases.is_empty() {
            return None;
        }
        let lease = self.leases.remove(&address)?;
        self.octets -= lease.octets.len();
        Some(lease)
    }

    pub(super) fn clear(&mut self) {
        (self.leases, self.octets) = Default::default();
    }
}

impl Remembered {
    /// The lease, as removed for no known reason.
    pub(super) fn lease(&self) -> RemovedLease<'_> {
        let (duid, relay_data) = self.octets.split_at(self.duid_len);
        RemovedLease {
            duid,
            address: self.address,
            prefix_len: self.prefix_len,
            kind: self.kind,
            former: FormerLease { subnet_id: self.subnet_id, relay_data },
            cltt: self.cltt,
            ends: self.ends,
            reason: crate::RemovalReason::Gone,
            time: None,
        }
    }
}

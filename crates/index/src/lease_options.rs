//! Options that the configuration gives with the leases of a subnet, beside those that the lease source
//! stores.
//!
//! A server picks each option from the innermost level that has it: a host reservation, the pool of the
//! lease, the subnet and the levels around it. Of reservations only the codes are known here, since the
//! values may depend on facts that a lease does not tell; such an option is left out.

use std::net::Ipv6Addr;
use std::sync::Arc;

use crate::lease::{DUID_LEN_MAX, LeaseKind};
use crate::record::Client;

/// Options of the leases of one subnet.
#[derive(Clone, Debug, Default)]
pub struct SubnetOptions {
    /// Options of the subnet and the levels around it, in wire form (code, length, value).
    pub given: Vec<u8>,
    /// Pools of addresses with options of their own, ascending, none within another.
    pub pools: Vec<PoolOptions>,
    /// The same for pools of prefixes.
    pub pd_pools: Vec<PoolOptions>,
    /// Host reservations in this subnet.
    pub reservations: Arc<Reservations>,
    /// Host reservations for all subnets, if they count in this one.
    pub global_reservations: Option<Arc<Reservations>>,
}

/// Options of the leases from one pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// First address of the pool.
    pub first: Ipv6Addr,
    /// Last address of the pool.
    pub last: Ipv6Addr,
    /// Options that go before those of the subnet, in wire form.
    pub given: Vec<u8>,
    /// Options of the subnet that these leases do not have, or perhaps not; ascending.
    pub hidden: Vec<u16>,
}

/// Option codes of host reservations by DUID.
#[derive(Clone, Debug, Default)]
pub struct Reservations(Vec<Reservation>);

#[derive(Clone, Debug)]
struct Reservation {
    duid: Box<[u8]>,
    codes: Box<[u16]>,
}

impl SubnetOptions {
    /// The pool with options of its own that contains the address of a lease.
    pub fn pool(&self, kind: LeaseKind, address: Ipv6Addr) -> Option<&PoolOptions> {
        let pools = match kind {
            LeaseKind::Address => &self.pools,
            LeaseKind::Prefix => &self.pd_pools,
        };
        // Pools are ascending and apart, so the last one that begins before is the only candidate.
        let after = pools.partition_point(|pool| pool.first <= address);
        pools[..after].last().filter(|pool| address <= pool.last)
    }

    /// Codes of the options to which a reservation of this client, in the subnet and for all, may give a
    /// value.
    pub fn reserved(&self, client: Client<'_>) -> [&[u16]; 2] {
        let global = self.global_reservations.as_deref().filter(|global| !global.is_empty());
        // The usual case, without copying the DUID.
        if self.reservations.is_empty() && global.is_none() {
            return [&[]; 2];
        }
        let mut room = [0; DUID_LEN_MAX];
        let duid = &mut room[..client.duid_len().min(DUID_LEN_MAX)];
        client.copy_duid(duid);
        [self.reservations.codes(duid), global.map_or(&[], |global| global.codes(duid))]
    }
}

impl Reservations {
    /// Makes the table of DUIDs with the codes that their reservations have; a DUID may come several times.
    pub fn new(mut rows: Vec<(Vec<u8>, Vec<u16>)>) -> Self {
        // Sorted, so that lookups need no hash of a DUID that a client chose.
        rows.sort();
        rows.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                // All reservations of a client count, as it is not known which one Kea took.
                earlier.1.append(&mut later.1);
            }
            same
        });
        let reservation =
            |(duid, codes): (Vec<u8>, Vec<u16>)| Reservation { duid: duid.into(), codes: codes.into() };
        Self(rows.into_iter().map(reservation).collect())
    }

    /// No client has a reservation with options.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The codes of this client's reservation.
    pub fn codes(&self, duid: &[u8]) -> &[u16] {
        match self.0.binary_search_by(|reservation| (*reservation.duid).cmp(duid)) {
            Ok(at) => &self.0[at].codes,
            Err(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Ipv6Addr {
        text.parse().unwrap()
    }

    #[test]
    fn the_pool_of_a_lease_contains_its_address_and_is_of_its_kind() {
        let pool = |first, last, code: u8| PoolOptions {
            first: address(first),
            last: address(last),
            given: vec![0, code, 0, 0],
            hidden: vec![],
        };
        let options = SubnetOptions {
            pools: vec![pool("2001:db8::10", "2001:db8::1f", 1), pool("2001:db8::20", "2001:db8::20", 2)],
            pd_pools: vec![pool("2001:db8::", "2001:db8:0:ffff:ffff:ffff:ffff:ffff", 3)],
            ..SubnetOptions::default()
        };
        let rows = [
            (LeaseKind::Address, "2001:db8::f", None),
            (LeaseKind::Address, "2001:db8::10", Some(1)),
            (LeaseKind::Address, "2001:db8::1f", Some(1)),
            (LeaseKind::Address, "2001:db8::20", Some(2)),
            (LeaseKind::Address, "2001:db8::21", None),
            (LeaseKind::Prefix, "2001:db8::10", Some(3)),
            (LeaseKind::Prefix, "2001:db8:1::", None),
        ];
        for (kind, text, want) in rows {
            let code = options.pool(kind, address(text)).map(|pool| pool.given[1]);
            assert_eq!(code, want, "{kind:?} {text}");
        }
    }

    #[test]
    fn reservations_are_found_by_duid() {
        let table =
            Reservations::new(vec![(vec![2, 2], vec![23]), (vec![1], vec![7, 24]), (vec![2, 2], vec![59])]);
        assert_eq!(table.codes(&[1]), [7, 24]);
        assert_eq!(table.codes(&[2, 2]), [23, 59]);
        assert_eq!(table.codes(&[2]), [0_u16; 0]);
        assert!(!table.is_empty() && Reservations::default().is_empty());
    }
}

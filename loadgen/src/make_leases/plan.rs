//! The address plan: everything about a client's leases, derived from its number.
//!
//! All addresses are in documentation space, 3fff::/20 (RFC 9637): 2001:db8::/32 has no room for fifty
//! million /56.
//!
//! ```text
//! subnet n       3fff:0:HHHH:LLLL::/64, HHHHLLLL = n (from 1, as Kea's subnet ids)
//! its pd-pool    the n-th block of 2^pool_bits prefixes of 56 bits in 3fff:800::/21
//! ```
//!
//! Links and subnets are numbered in parallel: eight links have nine subnets, and the eighth link has the
//! last two.

use std::net::Ipv6Addr;

use crate::random::{Random, mix, shuffle};

const SUBNETS: u128 = 0x3fff_0000 << 96;
const PD_POOLS: u128 = 0x3fff_0800 << 96;
/// Length of a delegated prefix.
pub(super) const DELEGATED_LEN: u8 = 56;
/// Links per shared network, which is the last of them.
const LINKS_PER_BLOCK: u64 = 8;
const SUBNETS_PER_BLOCK: u64 = LINKS_PER_BLOCK + 1;
/// First octet of a locally administered link-layer address.
pub(super) const LOCAL_ADDRESS: u8 = 0x02;

/// A link: one subnet, or the two of a shared network.
pub(super) struct Link {
    pub(super) number: u64,
    pub(super) subnets: Vec<Subnet>,
}

/// A subnet of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subnet {
    /// Kea's id, from 1.
    pub(super) id: u32,
    /// Network address of its /64.
    pub(super) address: Ipv6Addr,
    /// First address of its pd-pool.
    pub(super) pd_pool: Ipv6Addr,
    /// Prefix length of the pool.
    pub(super) pd_pool_len: u8,
}

/// A client and its two leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedClient {
    /// DUID-LLT (RFC 8415 §11.2).
    pub(super) duid: [u8; 14],
    pub(super) link_layer_address: [u8; 6],
    pub(super) subnet: Subnet,
    pub(super) address: Ipv6Addr,
    pub(super) prefix: Ipv6Addr,
    /// The client's own seed, from which everything else about it is drawn.
    pub(super) seed: u64,
}

/// Times of all leases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetimes {
    /// Seconds since 1970.
    pub(super) now: u32,
    pub(super) infinite: bool,
}

impl Lifetimes {
    const DAY: u32 = 86_400;

    /// Valid lifetime in seconds: two days, of which at most one has passed.
    pub(super) fn valid(self) -> u32 {
        if self.infinite { u32::MAX } else { 2 * Self::DAY }
    }

    /// Preferred lifetime in seconds, which has not ended for any lease either.
    pub(super) fn preferred(self) -> u32 {
        if self.infinite { u32::MAX } else { 2 * Self::DAY - Self::DAY / 2 }
    }

    /// Draws the time of a client's last transaction, within the last day.
    pub(super) fn cltt(self, random: &mut Random) -> u32 {
        // Within the last day, so that half of the valid lifetime is left at least.
        self.now.saturating_sub(random.below(u64::from(Self::DAY)) as u32)
    }
}

/// The address plan.
pub(super) struct AddressPlan {
    links: u64,
    seed: u64,
    /// Binary logarithm of the number of prefixes in a pd-pool.
    pool_bits: u32,
}

impl AddressPlan {
    /// Makes a plan for at most 10^9 clients and 10^6 links, whose pools fit into 3fff:800::/21.
    pub(super) fn new(clients: u64, links: u32, seed: u64) -> Self {
        let links = u64::from(links);
        // Rounded up, so that each link has room for its clients.
        let clients_per_link = clients.div_ceil(links);
        // A power of two, so that the pool is a prefix.
        Self { links, seed: mix(seed), pool_bits: clients_per_link.next_power_of_two().ilog2() }
    }

    pub(super) fn links(&self) -> impl Iterator<Item = Link> + '_ {
        (0..self.links).map(|number| {
            let first = first_subnet(number);
            // Every eighth link has two subnets.
            let subnets = (first..=first + u64::from(is_shared(number))).map(|index| self.subnet(index));
            Link { number, subnets: subnets.collect() }
        })
    }

    /// Returns client `number`, from 0, which is on link `number % links`.
    pub(super) fn client(&self, number: u64) -> PlannedClient {
        let (link, slot) = (number % self.links, number / self.links);
        // Clients of a shared network alternate between its subnets.
        let second_subnet = is_shared(link) && slot % 2 == 1;
        let subnet = self.subnet(first_subnet(link) + u64::from(second_subnet));
        // A key of its own for each subnet, or interface-ids would repeat on every link.
        let key = mix(self.seed ^ u64::from(subnet.id));
        // Unique within the subnet, and random to look at.
        let interface_id = shuffle(slot, 64, key);
        let prefix_number = shuffle(slot, self.pool_bits, key);
        // The number alone seeds the client, so that plans of other sizes have the same first clients.
        let seed = mix(self.seed.wrapping_add(number));
        let [_, _, _, a, b, c, d, e] = shuffle(number, 40, self.seed).to_be_bytes();
        let link_layer_address = [LOCAL_ADDRESS, a, b, c, d, e];
        PlannedClient {
            // A DUID-LLT, as most clients have one.
            duid: duid_llt(seed as u32, link_layer_address),
            link_layer_address,
            subnet,
            address: Ipv6Addr::from_bits(subnet.address.to_bits() | u128::from(interface_id)),
            prefix: nth_prefix(subnet.pd_pool, prefix_number),
            seed,
        }
    }

    /// Returns subnet `index`, from 0.
    fn subnet(&self, index: u64) -> Subnet {
        let id = index as u32 + 1; // less than 9/8 of 10^6
        Subnet {
            id,
            address: Ipv6Addr::from_bits(SUBNETS | u128::from(id) << 64),
            // Pools follow each other without gaps, each of the same size.
            pd_pool: nth_prefix(Ipv6Addr::from_bits(PD_POOLS), index << self.pool_bits),
            pd_pool_len: DELEGATED_LEN - self.pool_bits as u8, // pool_bits is at most 30: 10^9 clients on one link
        }
    }
}

fn is_shared(link: u64) -> bool {
    link % LINKS_PER_BLOCK == LINKS_PER_BLOCK - 1
}

fn first_subnet(link: u64) -> u64 {
    link / LINKS_PER_BLOCK * SUBNETS_PER_BLOCK + link % LINKS_PER_BLOCK
}

fn nth_prefix(pool: Ipv6Addr, number: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits(pool.to_bits() | u128::from(number) << (128 - DELEGATED_LEN))
}

fn duid_llt(time: u32, [m0, m1, m2, m3, m4, m5]: [u8; 6]) -> [u8; 14] {
    let [t0, t1, t2, t3] = time.to_be_bytes();
    [0, 1, 0, 1, t0, t1, t2, t3, m0, m1, m2, m3, m4, m5]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn links_and_subnets_are_numbered_in_parallel() {
        let plan = AddressPlan::new(100, 17, 1);
        let ids: Vec<Vec<u32>> =
            plan.links().map(|link| link.subnets.iter().map(|subnet| subnet.id).collect()).collect();
        let shared = |first| vec![first, first + 1];
        assert_eq!(ids[0], [1]);
        // Ids count subnets, not links, so that they jump after a shared network.
        assert_eq!((&ids[7], &ids[8], &ids[15], &ids[16]), (&shared(8), &vec![10], &shared(17), &vec![19]));
    }

    #[test]
    fn every_client_is_in_its_subnet_and_unique() {
        let plan = AddressPlan::new(5_000, 9, 3);
        let subnets: Vec<Subnet> = plan.links().flat_map(|link| link.subnets).collect();
        let clients: Vec<PlannedClient> = (0..5_000).map(|number| plan.client(number)).collect();
        for client in &clients {
            assert!(subnets.contains(&client.subnet));
            assert_eq!(client.address.to_bits() >> 64, client.subnet.address.to_bits() >> 64);
            let pool_host_bits = 128 - u32::from(client.subnet.pd_pool_len);
            assert_eq!(
                client.prefix.to_bits() >> pool_host_bits,
                client.subnet.pd_pool.to_bits() >> pool_host_bits
            );
            assert_eq!(client.prefix.to_bits() << 56, 0, "a /56 has no host bits");
        }
        assert_eq!(clients.iter().map(|client| client.duid).collect::<HashSet<_>>().len(), 5_000);
        assert_eq!(clients.iter().map(|client| client.address).collect::<HashSet<_>>().len(), 5_000);
        assert_eq!(clients.iter().map(|client| client.prefix).collect::<HashSet<_>>().len(), 5_000);
        let used: HashSet<u32> = clients.iter().map(|client| client.subnet.id).collect();
        assert_eq!(used.len(), 10, "both subnets of the shared network");
    }

    #[test]
    fn the_largest_plans_stay_in_their_space() {
        for (clients, links) in [(1_000_000_000, 1), (1_000_000_000, 1_000_000), (1, 1_000_000), (1, 1)] {
            let plan = AddressPlan::new(clients, links, 9);
            let last = plan.links().last().and_then(|link| link.subnets.last().copied()).unwrap();
            assert_eq!(last.pd_pool.to_bits() >> 107, PD_POOLS >> 107, "{clients} on {links}");
            assert_eq!(last.address.to_bits() >> 96, SUBNETS >> 96);
            let client = plan.client(clients - 1);
            assert_eq!(client.prefix.to_bits() >> 107, PD_POOLS >> 107);
        }
    }
}

//! The network of the benches: clients spread over links, each with one address and one delegated prefix.

use std::net::Ipv6Addr;

/// Links, each one subnet with a pd-pool: a large site.
pub const LINKS: u32 = 256;

/// Length of a delegated prefix.
pub const DELEGATED_LEN: u8 = 56;

/// Length of a pd-pool's prefix: room for 2^20 delegated prefixes on a link.
pub const PD_POOL_LEN: u8 = 36;

/// Subnets are 2001:db8:1:n::/64, n from 1.
const SUBNETS: u128 = 0x2001_0db8_0001 << 80;
/// Pd-pools are 3fff:n::/36 (RFC 9637), n from 0: nibbles 8 and 7 of the address.
const PD_POOLS: u128 = 0x3fff << 112;

/// A client and its leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// DUID-LLT (RFC 8415 §11.2).
    pub duid: [u8; 14],
    /// Subnet id in Kea, 1..=[`LINKS`].
    pub subnet_id: u32,
    /// Address in the /64 of the subnet, with a random-looking interface identifier.
    pub address: Ipv6Addr,
    /// Delegated prefix of [`DELEGATED_LEN`] bits.
    pub prefix: Ipv6Addr,
}

impl Client {
    /// Makes client `number`; distinct below 2^28.
    pub fn new(number: u32) -> Self {
        let link = number % LINKS;
        let delegated = u128::from(number / LINKS);
        let random = mix(u64::from(number));
        let [a, b, c, d, e, f, g, h] = random.to_be_bytes();
        Self {
            duid: [0, 1, 0, 1, a, b, c, d, 0x02, e, f, g, h, number as u8],
            subnet_id: link + 1,
            address: Ipv6Addr::from_bits(subnet(link + 1).to_bits() | u128::from(random)),
            prefix: Ipv6Addr::from_bits(pd_pool(link + 1).to_bits() | delegated << (128 - DELEGATED_LEN)),
        }
    }

    /// The first `count` clients.
    pub fn first(count: u32) -> impl Iterator<Item = Self> {
        (0..count).map(Self::new)
    }

    /// The first `count` clients in an order that no cache or prefetcher can predict.
    pub fn shuffled(count: u32) -> Vec<Self> {
        let mut numbers: Vec<u32> = (0..count).collect();
        numbers.sort_unstable_by_key(|&number| mix(u64::from(number) ^ u64::MAX));
        numbers.into_iter().map(Self::new).collect()
    }

    /// An address inside the delegated prefix, such as a subscriber's host has.
    pub fn address_in_prefix(&self) -> Ipv6Addr {
        let host_bits = u128::MAX >> DELEGATED_LEN;
        Ipv6Addr::from_bits(self.prefix.to_bits() | self.address.to_bits() & host_bits)
    }

    /// An address of the client's subnet that is not leased.
    pub fn free_address(&self) -> Ipv6Addr {
        let random = mix(self.address.to_bits() as u64 ^ u64::MAX);
        Ipv6Addr::from_bits(self.address.to_bits() >> 64 << 64 | u128::from(random))
    }
}

/// The /64 of the subnet of this id.
pub fn subnet(id: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(SUBNETS | u128::from(id) << 64)
}

/// The pd-pool of the subnet of this id, [`PD_POOL_LEN`] bits long.
pub fn pd_pool(id: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(PD_POOLS | u128::from(id) << (128 - PD_POOL_LEN))
}

/// Finalizer of SplitMix64 (Steele, Lea, Flood 2014): no two inputs share an output.
fn mix(number: u64) -> u64 {
    let mut x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const COUNT: u32 = 20_000;

    #[test]
    fn clients_are_distinct_and_inside_their_subnets() {
        let clients: Vec<_> = Client::first(COUNT).collect();
        let distinct = |values: Vec<u128>| values.into_iter().collect::<HashSet<_>>().len();
        let addresses = clients.iter().map(|client| client.address.to_bits()).collect();
        let prefixes = clients.iter().map(|client| client.prefix.to_bits()).collect();
        assert_eq!((distinct(addresses), distinct(prefixes)), (COUNT as usize, COUNT as usize));
        assert_eq!(clients.iter().map(|client| client.duid).collect::<HashSet<_>>().len(), COUNT as usize);
        for client in clients {
            let pool = pd_pool(client.subnet_id).to_bits();
            assert_eq!(client.address.to_bits() >> 64, subnet(client.subnet_id).to_bits() >> 64);
            assert_eq!(client.prefix.to_bits() >> 92, pool >> 92);
            assert_eq!(client.prefix.to_bits() << DELEGATED_LEN, 0, "no host bits");
            assert_eq!(client.address_in_prefix().to_bits() >> 72, client.prefix.to_bits() >> 72);
        }
    }

    #[test]
    fn free_addresses_are_free() {
        let leased: HashSet<_> = Client::first(COUNT).map(|client| client.address).collect();
        assert!(Client::first(COUNT).all(|client| !leased.contains(&client.free_address())));
    }

    #[test]
    fn shuffling_loses_no_client() {
        let mut shuffled = Client::shuffled(COUNT);
        assert_ne!(shuffled, Client::first(COUNT).collect::<Vec<_>>());
        shuffled.sort_unstable_by_key(|client| (client.prefix.to_bits() << 36 >> 72, client.subnet_id));
        assert_eq!(shuffled, Client::first(COUNT).collect::<Vec<_>>());
    }
}

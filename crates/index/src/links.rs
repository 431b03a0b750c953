//! The links of the network: which subnet or address belongs to which link, and by what address a link is known.
//!
//! A link is a Kea shared network, or a subnet outside one. The table is small (thousands of prefixes), read on
//! every query and replaced whole when the configuration changes, so it is built once.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use crate::prefixes::{Prefix, Prefixes};

/// Subnet ids from here on are looked up by hash.
const NEAR_MAX: u32 = 1 << 16;

/// Position of a link in its [`Links`] table; means nothing in another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(crate) u32);

impl LinkId {
    /// Its position in the configuration, from 0.
    pub fn number(self) -> usize {
        self.0 as usize
    }
}

/// One subnet of a link, as configured.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// The lease source's number for it.
    pub id: u32,
    /// Its prefix.
    pub prefix: Prefix,
    /// Prefixes that its pd-pools delegate from; they may lie outside `prefix`.
    pub pd_pools: Vec<Prefix>,
    /// Options that the configuration gives to clients of this subnet, in wire form (code, length, value).
    pub options: Vec<u8>,
}

/// One link, as configured.
#[derive(Clone, Debug)]
pub struct Link {
    /// The global address that requestors are told for this link; without one, the first subnet's first address.
    pub address: Option<Ipv6Addr>,
    /// Its subnets; at least one.
    pub subnets: Vec<Subnet>,
    /// Addresses of relay agents on this link, which identify it as link-address.
    pub relay_addresses: Vec<Ipv6Addr>,
}

/// All links, ready for look-up.
#[derive(Debug, Default)]
pub struct Links {
    addresses: Vec<Ipv6Addr>,
    subnets: HashMap<u32, (LinkId, Box<[u8]>), foldhash::fast::RandomState>,
    /// The links of subnets with ids below [`NEAR_MAX`], by id: most sites number their subnets from 1.
    near: Box<[Option<LinkId>]>,
    prefixes: Prefixes<LinkId>,
    /// Configured addresses of relay agents by link, ascending.
    relays: Vec<(LinkId, Ipv6Addr)>,
}

/// Why a set of links cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinksFault {
    /// Two subnets have this id.
    DuplicateSubnetId(u32),
    /// A link without a subnet.
    EmptyLink,
    /// This prefix (or relay address) is given to two links.
    TwoLinks(Prefix),
}

impl std::fmt::Display for LinksFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DuplicateSubnetId(id) => write!(f, "two subnets have the id {id}; give each its own"),
            Self::EmptyLink => f.write_str("a link has no subnet"),
            Self::TwoLinks(Prefix { address, len }) => {
                write!(f, "{address}/{len} is given to two links; a query for it would have two answers")
            }
        }
    }
}

impl std::error::Error for LinksFault {}

impl Links {
    /// Builds the table.
    pub fn new(links: Vec<Link>) -> Result<Self, LinksFault> {
        let mut table = Self::default();
        let mut prefixes = HashMap::new();
        for (number, link) in links.into_iter().enumerate() {
            let id = LinkId(number as u32);
            let Some(first) = link.subnets.first() else { return Err(LinksFault::EmptyLink) };
            table.addresses.push(link.address.unwrap_or(first.prefix.address));
            table.relays.extend(link.relay_addresses.iter().map(|&address| (id, address)));
            let relays = link.relay_addresses.into_iter().map(|address| Prefix { address, len: 128 });
            for prefix in relays.chain(link.subnets.iter().flat_map(Subnet::prefixes)) {
                if prefixes.insert(prefix, id).is_some_and(|other| other != id) {
                    return Err(LinksFault::TwoLinks(prefix));
                }
            }
            for subnet in link.subnets {
                if table.subnets.insert(subnet.id, (id, subnet.options.into())).is_some() {
                    return Err(LinksFault::DuplicateSubnetId(subnet.id));
                }
            }
        }
        let end = table.subnets.keys().filter(|&&id| id < NEAR_MAX).max().map_or(0, |&id| id + 1);
        table.near = (0..end).map(|id| table.subnets.get(&id).map(|&(link, _)| link)).collect();
        table.prefixes = Prefixes::new(prefixes);
        Ok(table)
    }

    /// The link of the longest subnet, pd-pool or relay address that contains this address.
    pub fn containing(&self, address: Ipv6Addr) -> Option<LinkId> {
        self.prefixes.containing(address)
    }

    /// The configured addresses of relay agents on this link.
    pub fn relay_addresses(&self, link: LinkId) -> impl Iterator<Item = Ipv6Addr> {
        let first = self.relays.partition_point(|&(other, _)| other < link);
        self.relays[first..].iter().take_while(move |&&(other, _)| other == link).map(|&(_, address)| address)
    }

    /// The link that a lease of this subnet is on, if the subnet is configured.
    #[inline]
    pub fn of_subnet(&self, subnet_id: u32) -> Option<LinkId> {
        match self.near.get(subnet_id as usize) {
            Some(&link) => link,
            None => self.of_far_subnet(subnet_id),
        }
    }

    #[cold]
    fn of_far_subnet(&self, subnet_id: u32) -> Option<LinkId> {
        self.subnets.get(&subnet_id).map(|&(link, _)| link)
    }

    /// Configured options of a subnet, in wire form; empty for an unknown subnet.
    pub fn subnet_options(&self, subnet_id: u32) -> &[u8] {
        self.subnets.get(&subnet_id).map_or(&[], |(_, options)| options)
    }

    /// The address that requestors are told for this link (RFC 5007 §4.1.2.5).
    pub fn address(&self, link: LinkId) -> Ipv6Addr {
        self.addresses[link.0 as usize]
    }

    /// The link at this position of the configuration, from 0.
    ///
    /// # Panics
    /// If there are not so many ([`Self::len`]).
    pub fn nth(&self, number: usize) -> LinkId {
        assert!(number < self.len(), "link {number} of {}", self.len());
        LinkId(number as u32)
    }

    /// Number of links.
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// No link is configured.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Number of subnets.
    pub fn subnet_count(&self) -> usize {
        self.subnets.len()
    }
}

impl Subnet {
    fn prefixes(&self) -> impl Iterator<Item = Prefix> {
        std::iter::once(self.prefix).chain(self.pd_pools.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        let (address, len) = text.split_once('/').unwrap();
        Prefix { address: address.parse().unwrap(), len: len.parse().unwrap() }
    }

    fn link(subnets: &[(u32, &str)], pd_pools: &[&str], relay_addresses: &[&str]) -> Link {
        let subnet = |&(id, text): &(u32, &str)| Subnet {
            id,
            prefix: prefix(text),
            pd_pools: pd_pools.iter().map(|text| prefix(text)).collect(),
            options: vec![id as u8],
        };
        Link {
            address: None,
            subnets: subnets.iter().map(subnet).collect(),
            relay_addresses: relay_addresses.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn the_longest_prefix_or_the_relay_address_decides() {
        let links = Links::new(vec![
            link(&[(1, "2001:db8:1::/64"), (2, "2001:db8:2::/64")], &["2001:db8:f000::/36"], &[]),
            link(&[(3, "2001:db8::/32")], &[], &["2001:db8:1::99", "fd00::1"]),
            link(&[(4, "2001:db8:f100::/40")], &[], &[]),
        ])
        .unwrap();
        let rows = [
            ("2001:db8:1::5", Some(0)),
            ("2001:db8:2:0:ffff:ffff:ffff:ffff", Some(0)),
            ("2001:db8:2:1::", Some(1)),
            ("2001:db8:1::98", Some(0)),
            ("2001:db8:1::99", Some(1)),
            ("2001:db8:1::9a", Some(0)),
            ("2001:db8:f0ff:ffff:ffff:ffff:ffff:ffff", Some(0)),
            ("2001:db8:f100::", Some(2)),
            ("2001:db8:f200::", Some(0)),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Some(0)),
            ("2001:db9::", None),
            ("2001:db7:ffff::", None),
            ("fd00::1", Some(1)),
            ("fd00::", None),
            ("fd00::2", None),
            ("::", None),
            ("ff02::1:2", None),
        ];
        for (address, expected) in rows {
            assert_eq!(links.containing(address.parse().unwrap()), expected.map(LinkId), "{address}");
        }
        assert_eq!(links.relay_addresses(LinkId(0)).count(), 0);
        assert_eq!(
            links.relay_addresses(LinkId(1)).map(|address| address.to_string()).collect::<Vec<_>>(),
            ["2001:db8:1::99", "fd00::1"]
        );
        assert_eq!((links.of_subnet(2), links.of_subnet(9)), (Some(LinkId(0)), None));
        assert_eq!(links.address(LinkId(0)), "2001:db8:1::".parse::<Ipv6Addr>().unwrap());
        assert_eq!((links.subnet_options(3), links.subnet_options(9)), (&[3][..], &[][..]));
    }

    #[test]
    fn prefixes_at_the_ends_of_the_address_space() {
        let links = Links::new(vec![
            link(&[(1, "::/0")], &[], &[]),
            link(&[(2, "::/128")], &[], &["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]),
        ])
        .unwrap();
        let of = |text: &str| links.containing(text.parse().unwrap()).unwrap().0;
        assert_eq!(
            [of("::"), of("::1"), of("ff00::"), of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")],
            [1, 0, 0, 1]
        );
    }

    #[test]
    fn faults() {
        let twice = Links::new(vec![link(&[(1, "fd00::/64"), (1, "fd01::/64")], &[], &[])]);
        assert_eq!(twice.unwrap_err(), LinksFault::DuplicateSubnetId(1));
        let shared = [link(&[(1, "fd00::/64")], &[], &[]), link(&[(2, "fd00::/64")], &[], &[])];
        assert_eq!(Links::new(shared.into()).unwrap_err(), LinksFault::TwoLinks(prefix("fd00::/64")));
        assert_eq!(Links::new(vec![link(&[], &[], &[])]).unwrap_err(), LinksFault::EmptyLink);
    }
}

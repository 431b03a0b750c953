//! The links of the network: which subnet or address belongs to which link, and by what address a link is known.
//!
//! A link is a Kea shared network, or a subnet outside one. The table is small (thousands of prefixes), read on
//! every query and replaced whole when the configuration changes, so it is built once into two flat arrays:
//! nested prefixes are cut into disjoint ranges, and a look-up is one binary search. A trie or a hash per prefix
//! length would save nothing at this size.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use crate::lease::mask;

/// Position of a link in its [`Links`] table; means nothing in another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(crate) u32);

/// A prefix, its bits beyond `len` zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// First address.
    pub address: Ipv6Addr,
    /// 0..=128.
    pub len: u8,
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
    /// First addresses of the disjoint ranges that cover the address space from the first one on, ascending.
    starts: Vec<u128>,
    /// Whose range it is, parallel to `starts`.
    owners: Vec<Option<LinkId>>,
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
        table.cut(prefixes);
        Ok(table)
    }

    /// Cuts nested prefixes into disjoint ranges, each owned by the longest prefix that covers it.
    fn cut(&mut self, prefixes: HashMap<Prefix, LinkId>) {
        let mut prefixes: Vec<_> = prefixes
            .into_iter()
            .map(|(Prefix { address, len }, id)| {
                let first = u128::from(address) & mask(len);
                (first, len, first | !mask(len), id)
            })
            .collect();
        prefixes.sort_unstable_by_key(|&(first, len, ..)| (first, len));
        // The prefixes around the current position, outermost first; an inner one always ends before or with its outer.
        let mut open: Vec<(u128, LinkId)> = Vec::new();
        for (first, _, last, id) in prefixes {
            self.close(&mut open, first);
            self.range(first, Some(id));
            open.push((last, id));
        }
        self.close(&mut open, u128::MAX);
    }

    /// Ends the open prefixes that lie wholly before `until`.
    fn close(&mut self, open: &mut Vec<(u128, LinkId)>, until: u128) {
        while let Some(&(last, _)) = open.last()
            && last < until
        {
            open.pop();
            self.range(last + 1, open.last().map(|&(_, id)| id)); // last < until ≤ MAX
        }
    }

    /// From `start` on, addresses are `owner`'s; a range that turned out empty is overwritten.
    fn range(&mut self, start: u128, owner: Option<LinkId>) {
        if self.starts.last() == Some(&start) {
            *self.owners.last_mut().expect("parallel to starts") = owner;
        } else {
            self.starts.push(start);
            self.owners.push(owner);
        }
    }

    /// The link of the longest subnet, pd-pool or relay address that contains this address.
    pub fn containing(&self, address: Ipv6Addr) -> Option<LinkId> {
        let after = self.starts.partition_point(|&start| start <= address.into());
        self.owners[after.checked_sub(1)?]
    }

    /// The link that a lease of this subnet is on, if the subnet is configured.
    pub fn of_subnet(&self, subnet_id: u32) -> Option<LinkId> {
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

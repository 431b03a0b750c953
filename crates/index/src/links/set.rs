//! The set of links that an address names.

use std::net::Ipv6Addr;

use super::{LinkId, Links};

/// A prefix (or relay address) of the configuration: the links that have it, and where to look on.
///
/// Sets of thousands of links that share a pd-pool are stored once, at the pool, and not with each prefix
/// inside it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Region {
    /// Links with a subnet of exactly this prefix, ascending.
    pub(super) subnet: Box<[LinkId]>,
    /// Links with a pd-pool of exactly this prefix, ascending.
    pub(super) pool: Box<[LinkId]>,
    /// Links with this relay address, ascending.
    pub(super) relay: Box<[LinkId]>,
    /// Nearest region with subnets: this one or one around it.
    pub(super) longest_subnet: Option<u32>,
    /// Nearest region with pd-pools: this one or one around it.
    pub(super) innermost_pool: Option<u32>,
    /// The nearest region around this one with pd-pools.
    pub(super) outer_pool: Option<u32>,
    /// The only link of the set that a link-address here names, if it is one.
    pub(super) only_named: Option<LinkId>,
    /// The only link that a client's address here could be of, if it is one.
    pub(super) only_of_address: Option<LinkId>,
}

/// A set of links, as large as the configuration makes it, without memory of its own.
#[derive(Clone, Copy, Debug)]
pub struct LinkSet<'a> {
    links: &'a Links,
    /// The set, if it is one link.
    only: Option<LinkId>,
    region: Option<u32>,
    part: Part,
}

/// The links of a region that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    All,
    WithoutRelays,
    RelaysAlone,
}

impl<'a> LinkSet<'a> {
    /// The set of this link alone.
    #[inline]
    pub fn of_link(links: &'a Links, link: LinkId) -> Self {
        Self { links, only: Some(link), region: None, part: Part::All }
    }

    #[inline]
    pub(super) fn named(links: &'a Links, region: Option<u32>, link_address: Ipv6Addr) -> Self {
        // RFC 5007 §4.1.2.1 wants a global address; others can only be a relay agent's.
        if link_address.is_multicast() || link_address.is_unicast_link_local() {
            return Self::of_relay(links, region);
        }
        let only = region.and_then(|at| links.regions[at as usize].only_named);
        Self { links, only, region, part: Part::All }
    }

    /// No prefix makes an address global that is not; Kea may still name such a relay address.
    #[cold]
    fn of_relay(links: &'a Links, region: Option<u32>) -> Self {
        // Without such a relay address the set is empty, whatever prefix contains it.
        let region = region.filter(|&at| !links.regions[at as usize].relay.is_empty());
        Self { links, only: None, region, part: Part::RelaysAlone }
    }

    #[inline]
    pub(super) fn of_address(links: &'a Links, region: Option<u32>) -> Self {
        let only = region.and_then(|at| links.regions[at as usize].only_of_address);
        Self { links, only, region, part: Part::WithoutRelays }
    }

    /// Whether it has no link: the address is not configured.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        // `only` answers for most sets without a walk.
        self.only.is_none() && self.has_none()
    }

    #[cold]
    fn has_none(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Whether it is this link alone. False also of some such sets: then [`Self::contains`] decides.
    #[inline(always)]
    pub fn is_only(&self, link: LinkId) -> bool {
        self.only == Some(link)
    }

    /// Whether this link is in it.
    #[inline(always)]
    pub fn contains(&self, link: LinkId) -> bool {
        match self.only {
            Some(only) => only == link,
            None => self.is_one_of_several(link),
        }
    }

    #[cold]
    fn is_one_of_several(&self, link: LinkId) -> bool {
        // Each run is sorted, so large sets cost a binary search.
        self.parts().any(|links| links.binary_search(&link).is_ok())
    }

    /// Whether they have a link in common.
    pub fn intersects(&self, other: &LinkSet<'_>) -> bool {
        // The other set is walked, as leases are in few links.
        other.iter().any(|link| self.contains(link))
    }

    /// Iterates over the links: those of relay addresses and of the longest subnet prefix first. A link may
    /// come twice.
    pub fn iter(self) -> impl Iterator<Item = LinkId> + use<'a> {
        // The set of one link has no region.
        let alone = self.only.filter(|_| self.region.is_none());
        alone.into_iter().chain(self.parts().flatten().copied())
    }

    /// The links, in sorted runs.
    fn parts(self) -> impl Iterator<Item = &'a [LinkId]> {
        let regions = &self.links.regions;
        let region = self.region.map(|at| &regions[at as usize]);
        let relay = region.filter(|_| self.part != Part::WithoutRelays).map(|region| &*region.relay);
        let region = region.filter(|_| self.part != Part::RelaysAlone);
        // Subnets count by the longest prefix alone, as in routing.
        let subnet = region.and_then(|region| region.longest_subnet).map(|at| &*regions[at as usize].subnet);
        let innermost = region.and_then(|region| region.innermost_pool);
        // Pools count at every level, since delegated prefixes nest.
        let pools = std::iter::successors(innermost, |&at| regions[at as usize].outer_pool);
        relay.into_iter().chain(subnet).chain(pools.map(|at| &*regions[at as usize].pool))
    }

    /// Whether a subnet's prefix contains the address.
    pub(super) fn has_subnet(self) -> bool {
        self.region.is_some_and(|at| self.links.regions[at as usize].longest_subnet.is_some())
    }

    /// Whether a pd-pool contains the address.
    pub(super) fn has_pool(self) -> bool {
        self.region.is_some_and(|at| self.links.regions[at as usize].innermost_pool.is_some())
    }

    /// The link, if it is exactly one.
    pub(super) fn sole(self) -> Option<LinkId> {
        let first = self.iter().next()?;
        // A link may come twice, so counting would be wrong.
        self.iter().all(|link| link == first).then_some(first)
    }
}

//! The links of the network: the link of a subnet, lease or address, and the address by which a requestor
//! knows a link.
//!
//! A link is a Kea shared network, or a subnet outside one; those that have a relay address in common are one
//! link, as link-address is what identifies a link (RFC 8415 §19.1.1). A link-address names a *set* of links
//! ([`LinkSet`]): those that have it as relay address, those of the longest subnet prefix that contains it,
//! and those with a pd-pool that contains it. A lease is on the link of its subnet if that contains it, else
//! on the links that contain it ([`Location`]).
//!
//! The table is small (thousands of prefixes), read on every query and replaced whole when the configuration
//! changes, so it is built once.

mod build;
mod location;
mod set;
mod tell;

use std::collections::HashMap;
use std::net::Ipv6Addr;

use crate::lease::mask;
use crate::lease_options::SubnetOptions;
use crate::prefixes::{Prefix, Prefixes};

pub use location::{Location, OwnSubnet};
pub use set::LinkSet;

use set::Region;

/// Subnet ids from here on are looked up by hash.
const NEAR_MAX: u32 = 1 << 16;

/// Position of a link in its [`Links`] table; means nothing in another table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(crate) u32);

impl LinkId {
    /// Position in the table, from 0.
    pub fn number(self) -> usize {
        self.0 as usize
    }
}

/// A subnet of a link, as configured.
#[derive(Clone, Debug)]
pub struct Subnet {
    /// The lease source's number for it.
    pub id: u32,
    /// The subnet's prefix.
    pub prefix: Prefix,
    /// Prefixes that its pd-pools delegate from; they may lie outside `prefix`.
    pub pd_pools: Vec<Prefix>,
    /// Options that the configuration gives with its leases.
    pub options: SubnetOptions,
}

/// A link, as configured: a shared network, or a subnet outside one.
#[derive(Clone, Debug)]
pub struct Link {
    /// The global address that the operator wants requestors to be told for this link.
    pub address: Option<Ipv6Addr>,
    /// Subnets of the link; at least one.
    pub subnets: Vec<Subnet>,
    /// Addresses of relay agents on this link, which identify it as link-address.
    pub relay_addresses: Vec<Ipv6Addr>,
}

/// The lease source's own check of leases whose subnet id does not fit their address (`lease-checks` of Kea's
/// `sanity-checks`). Kea applies it to rows of addresses (IA_NA) when it loads its leases, not to others, nor
/// later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaseChecks {
    /// Keep such a lease (`none`, `warn`), or move it to the subnet that contains it (`fix`).
    #[default]
    Keep,
    /// Discard it if no subnet contains it (`fix-del`).
    DiscardOutside,
    /// Discard it (`del`).
    Discard,
}

/// Table of all links, ready for lookup.
#[derive(Debug, Default)]
pub struct Links {
    /// The address told for each link.
    addresses: Vec<Ipv6Addr>,
    /// Links to which the address told does not lead back, ascending.
    unreachable: Vec<LinkId>,
    /// Subnets with ids below [`NEAR_MAX`], by id, and entries that are none between: most sites number their
    /// subnets from 1.
    near: Box<[SubnetEntry]>,
    /// Other subnets, by id.
    far: HashMap<u32, SubnetEntry, foldhash::fast::RandomState>,
    regions: Vec<Region>,
    /// Positions in `regions`.
    by_address: Prefixes<u32>,
    /// Configured addresses of relay agents by link, ascending.
    relays: Vec<(LinkId, Ipv6Addr)>,
    lease_checks: LeaseChecks,
}

/// A subnet, as it is looked up for each binding of a reply: 64 octets.
#[derive(Debug)]
struct SubnetEntry {
    prefix: Octets,
    pd_pools: Box<[Octets]>,
    /// `None` if no subnet has this id.
    options: Option<Box<SubnetOptions>>,
    id: u32,
    link: LinkId,
}

impl SubnetEntry {
    /// No subnet: it contains nothing.
    fn none() -> Self {
        let prefix = Octets { first: 1, mask: 0 };
        // An address masked to 0 never equals 1, so this entry contains nothing.
        Self { prefix, pd_pools: Box::default(), options: None, id: 0, link: LinkId(0) }
    }

    /// Whether both are the same subnet of the same link, whatever options they give.
    fn is_same(&self, other: &Self) -> bool {
        let place = |entry: &Self| (entry.options.is_some(), entry.id, entry.link, entry.prefix);
        place(self) == place(other) && self.pd_pools == other.pd_pools
    }

    #[inline(always)]
    fn contains(&self, address: Ipv6Addr) -> bool {
        self.prefix.contain(address) || self.pd_pools.iter().any(|pool| pool.contain(address))
    }
}

/// A prefix in network byte order, so that comparing an address swaps no bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Octets {
    first: u128,
    mask: u128,
}

impl Octets {
    fn new(prefix: Prefix) -> Self {
        let (first, mask) = first_and_mask(prefix);
        Self { first: first.to_be(), mask: mask.to_be() }
    }

    #[inline(always)]
    fn contain(&self, address: Ipv6Addr) -> bool {
        u128::from_ne_bytes(address.octets()) & self.mask == self.first
    }
}

/// A set of links that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinksError {
    /// Two subnets have this id.
    #[error("two subnets have the id {0}; give each its own")]
    DuplicateSubnetId(u32),
    /// A link without a subnet.
    #[error("a link has no subnet")]
    EmptyLink,
}

impl Links {
    /// Builds the table, with links that share a relay address made one.
    ///
    /// # Errors
    /// If two subnets have the same id, or a link has no subnet.
    pub fn new(links: Vec<Link>) -> Result<Self, LinksError> {
        build::build(links, false)
    }

    /// Builds the table of several sources: links with a subnet's prefix in common are one link, too.
    ///
    /// # Errors
    /// If two subnets have the same id, or a link has no subnet.
    pub fn of_several_sources(links: Vec<Link>) -> Result<Self, LinksError> {
        build::build(links, true)
    }

    /// The same links, for leases to which their source applies these checks.
    #[must_use]
    pub fn with_lease_checks(self, lease_checks: LeaseChecks) -> Self {
        Self { lease_checks, ..self }
    }

    /// Whether both put every lease and every address on the same links. Options that they give with leases
    /// may differ.
    pub fn are_same(&self, other: &Self) -> bool {
        // Named one by one, so that a new field is not forgotten.
        let Self { addresses, unreachable, near, far, regions, by_address, relays, lease_checks } = self;
        let same = |(one, two): (&SubnetEntry, &SubnetEntry)| one.is_same(two);
        (addresses, unreachable, relays) == (&other.addresses, &other.unreachable, &other.relays)
            && (by_address, lease_checks) == (&other.by_address, &other.lease_checks)
            && *regions == other.regions
            && (near.len(), far.len()) == (other.near.len(), other.far.len())
            && near.iter().zip(&other.near).all(same)
            && far.iter().all(|(id, one)| other.far.get(id).is_some_and(|two| one.is_same(two)))
    }

    /// The links that a link-address names: RFC 5007 §4.1.2.1, `tests/CONFORMANCE.md` A6. Empty if it is no
    /// global address and no configured one.
    #[inline]
    pub fn named(&self, link_address: Ipv6Addr) -> LinkSet<'_> {
        LinkSet::named(self, self.by_address.containing(link_address), link_address)
    }

    /// The links of which this address of a client could be: those of the longest subnet prefix that contains
    /// it, and those with a pd-pool that contains it.
    #[inline]
    pub fn of_address(&self, address: Ipv6Addr) -> LinkSet<'_> {
        LinkSet::of_address(self, self.by_address.containing(address))
    }

    /// The configured addresses of relay agents on this link.
    pub fn relay_addresses(&self, link: LinkId) -> impl Iterator<Item = Ipv6Addr> {
        let first = self.relays.partition_point(|&(other, _)| other < link);
        self.relays[first..].iter().take_while(move |&&(other, _)| other == link).map(|&(_, address)| address)
    }

    /// Whether a subnet with this id is configured.
    pub fn has_subnet(&self, subnet_id: u32) -> bool {
        self.subnet(subnet_id).is_some()
    }

    /// The subnet with this id; perhaps [`SubnetEntry::none`] if there is none.
    #[inline(always)]
    fn entry(&self, subnet_id: u32) -> Option<&SubnetEntry> {
        // Ids from 1 are the rule, and an array costs fewer reads than a hash.
        match self.near.get(subnet_id as usize) {
            Some(entry) => Some(entry),
            None => self.far_entry(subnet_id),
        }
    }

    #[cold]
    fn far_entry(&self, subnet_id: u32) -> Option<&SubnetEntry> {
        self.far.get(&subnet_id)
    }

    fn subnet(&self, subnet_id: u32) -> Option<&SubnetEntry> {
        // An entry of the array may be a gap between two ids.
        self.entry(subnet_id).filter(|entry| entry.options.is_some())
    }

    /// The address that requestors are told for this link (RFC 5007 §4.1.2.5).
    pub fn address(&self, link: LinkId) -> Ipv6Addr {
        self.addresses[link.0 as usize]
    }

    /// The addresses told for links to which they do not lead back: longer prefixes of other links cover them
    /// wholly.
    pub fn unreachable(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.unreachable.iter().map(|&link| self.address(link))
    }

    /// The link at this position of the table, from 0.
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

    /// Whether no link is configured.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Number of subnets.
    pub fn subnet_count(&self) -> usize {
        self.near.iter().filter(|entry| entry.options.is_some()).count() + self.far.len()
    }
}

fn first_and_mask(prefix: Prefix) -> (u128, u128) {
    // Host bits of a configured prefix are ignored.
    let mask = mask(prefix.len);
    (u128::from(prefix.address) & mask, mask)
}

#[cfg(test)]
mod tests;

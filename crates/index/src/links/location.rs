//! The link of a lease.

use std::net::Ipv6Addr;

use super::{LeaseChecks, LinkId, LinkSet, Links, SubnetEntry};
use crate::lease::LeaseKind;
use crate::lease_options::SubnetOptions;

/// Location of a lease.
#[derive(Clone, Copy, Debug)]
pub enum Location<'a> {
    /// The link of its subnet.
    Link(LinkId),
    /// The links that contain its address: its subnet id is not configured, or is another subnet's by now.
    Containing(LinkSet<'a>),
    /// No configured link.
    NotConfigured,
}

impl Location<'_> {
    /// Whether the lease is on a link of this set.
    pub fn is_in(self, set: &LinkSet<'_>) -> bool {
        match self {
            Self::Link(link) => set.contains(link),
            // It may be on any of these links, so it counts for each.
            Self::Containing(links) => set.intersects(&links),
            Self::NotConfigured => false,
        }
    }

    /// The link that it counts for where it can only be one.
    pub fn link(self) -> Option<LinkId> {
        match self {
            Self::Link(link) => Some(link),
            // One lease must count for one link in statistics, so the first is taken.
            Self::Containing(links) => links.iter().next(),
            Self::NotConfigured => None,
        }
    }
}

/// A subnet that contains a lease of its own.
#[derive(Clone, Copy, Debug)]
pub struct OwnSubnet<'a>(&'a SubnetEntry);

impl OwnSubnet<'_> {
    /// The link of the subnet, on which the lease is.
    #[inline(always)]
    pub fn link(self) -> LinkId {
        self.0.link
    }

    /// Whether [`Links::own_subnet`] finds it for this lease, too.
    #[inline(always)]
    pub fn is_of(self, subnet_id: u32, address: Ipv6Addr) -> bool {
        self.0.id == subnet_id && self.0.contains(address)
    }
}

impl Links {
    /// Locates a lease of this subnet id on this address, or of a delegated prefix that begins with it.
    ///
    /// Ids may be reassigned when a configuration changes: an id counts only if its subnet contains the
    /// address. Delegated prefixes need lie in no pd-pool (a reservation may give them), so there it counts
    /// unless another subnet's pd-pool contains them.
    #[inline(always)]
    pub fn locate(&self, subnet_id: u32, address: Ipv6Addr, kind: LeaseKind) -> Location<'_> {
        match self.own_subnet(subnet_id, address) {
            Some(subnet) => Location::Link(subnet.link()),
            None => self.locate_by_address(subnet_id, address, kind),
        }
    }

    /// Whether [`Self::locate`] finds the lease on a link of this set.
    #[inline(always)]
    pub fn is_on(&self, set: &LinkSet<'_>, subnet_id: u32, address: Ipv6Addr, kind: LeaseKind) -> bool {
        match self.own_subnet(subnet_id, address) {
            Some(subnet) => set.contains(subnet.link()),
            None => self.locate_by_address(subnet_id, address, kind).is_in(set),
        }
    }

    /// The lease's subnet, if that contains it: then [`Self::locate`] finds its link.
    #[inline(always)]
    pub fn own_subnet(&self, subnet_id: u32, address: Ipv6Addr) -> Option<OwnSubnet<'_>> {
        // An id counts only with its address: ids are reassigned when a configuration changes.
        self.entry(subnet_id).filter(|subnet| subnet.contains(address)).map(OwnSubnet)
    }

    #[cold]
    fn locate_by_address(&self, subnet_id: u32, address: Ipv6Addr, kind: LeaseKind) -> Location<'_> {
        let containing = self.of_address(address);
        match (kind, self.subnet(subnet_id)) {
            // A reservation may give a prefix that lies in no pool, so the id alone decides.
            (LeaseKind::Prefix, Some(subnet)) if !containing.has_pool() => Location::Link(subnet.link),
            _ if containing.is_empty() => Location::NotConfigured,
            _ => Location::Containing(containing),
        }
    }

    /// Whether the source discards leases whose subnet id does not fit their address, when it loads them.
    pub fn checks_leases(&self) -> bool {
        self.lease_checks != LeaseChecks::Keep
    }

    /// Whether the source discards the lease of an address (IA_NA) of this subnet id when it loads it
    /// ([`LeaseChecks`]).
    ///
    /// Kea gives id 0 to an address outside all subnets.
    pub fn discards(&self, subnet_id: u32, address: Ipv6Addr) -> bool {
        // Most leases pass here, without a look at the regions.
        if !self.checks_leases() || self.own_subnet(subnet_id, address).is_some() {
            return false;
        }
        let has_subnet = self.of_address(address).has_subnet();
        // Kea does not move an address of id 0 that lies outside all subnets.
        let is_elsewhere = has_subnet || subnet_id != 0;
        is_elsewhere && (self.lease_checks == LeaseChecks::Discard || !has_subnet)
    }

    /// Options that the configuration gives to the leases of this lease's subnet; `None` if that is not
    /// known.
    pub fn options_of(&self, subnet_id: u32, address: Ipv6Addr, kind: LeaseKind) -> Option<&SubnetOptions> {
        match self.locate(subnet_id, address, kind) {
            Location::Link(_) => self.subnet(subnet_id)?.options.as_deref(),
            _ => None,
        }
    }
}

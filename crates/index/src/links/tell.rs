//! The address told for each link in OPTION_LQ_CLIENT_LINK (RFC 5007 §4.1.2.5).
//!
//! A requestor asks again with it, so it must lead back to its link, and better to no other. In order: the
//! operator's setting, a relay address, the first address of a subnet, any address of a subnet. A subnet's
//! first address alone would not do: subnets may begin at one address, and pd-pools and relay addresses may
//! lie there.

use std::net::Ipv6Addr;

use super::set::LinkSet;
use super::{Link, LinkId, Links};

/// The address for each link, and the links to which theirs does not lead back.
pub(super) fn addresses(table: &Links, links: &[Link]) -> (Vec<Ipv6Addr>, Vec<LinkId>) {
    // Computed once for all links: a search for each would be quadratic.
    let alone = alone(table, links.len());
    let mut unreachable = Vec::new();
    let addresses = links.iter().enumerate().map(|(number, link)| {
        let id = LinkId(number as u32);
        let candidates = || {
            let subnets = link.subnets.iter().map(|subnet| subnet.prefix.address);
            link.relay_addresses.iter().copied().chain(subnets).filter(|&address| is_global(address))
        };
        let leads = |address: &Ipv6Addr| table.named(*address).contains(id);
        let leads_to_it_alone = |address: &Ipv6Addr| table.named(*address).sole() == Some(id);
        // The operator's own setting comes first, even if it leads elsewhere.
        link.address
            .or_else(|| candidates().find(leads_to_it_alone))
            .or(alone[number])
            // An address that leads to several links is better than one that leads to none.
            .or_else(|| candidates().find(leads))
            .unwrap_or_else(|| {
                // Reported to the operator, as a requestor cannot ask for this link.
                unreachable.push(id);
                link.subnets[0].prefix.address
            })
    });
    (addresses.collect(), unreachable)
}

/// Finds for each link an address that leads to it and to no other.
fn alone(table: &Links, links: usize) -> Vec<Option<Ipv6Addr>> {
    let mut alone = vec![None; links];
    for (first, region) in table.by_address.ranges() {
        // Ranges without region belong to no link.
        let Some(region) = region else { continue };
        let Some(link) = LinkSet::named(table, Some(region), Ipv6Addr::LOCALHOST).sole() else { continue };
        // The range of `::` goes on behind it, unless it is a relay's.
        let address = if first == 0 { 1 } else { first }.into();
        if is_global(address) && table.named(address).sole() == Some(link) {
            alone[link.number()].get_or_insert(address);
        }
    }
    alone
}

/// Whether a requestor can name a link by it.
fn is_global(address: Ipv6Addr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && !address.is_unicast_link_local()
}

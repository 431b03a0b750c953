//! Building the table of links.

use std::collections::{BTreeMap, HashMap};
use std::net::Ipv6Addr;

use super::set::{LinkSet, Region};
use super::{Link, LinkId, Links, LinksError, NEAR_MAX, Octets, Subnet, SubnetEntry, first_and_mask, tell};
use crate::lease::mask;
use crate::prefixes::{Prefix, Prefixes};

/// Builds the table; `joins_prefixes`: links with a subnet prefix in common are one link.
pub(super) fn build(links: Vec<Link>, joins_prefixes: bool) -> Result<Links, LinksError> {
    // A link without subnet has no address that could be told.
    if links.iter().any(|link| link.subnets.is_empty()) {
        return Err(LinksError::EmptyLink);
    }
    // Joined before numbering, as numbers are positions.
    let links = join(links, joins_prefixes);
    let mut table = Links::default();
    let mut subnets = HashMap::new();
    for (number, link) in links.iter().enumerate() {
        let id = LinkId(number as u32);
        table.relays.extend(link.relay_addresses.iter().map(|&address| (id, address)));
        for subnet in &link.subnets {
            // Leases carry ids, so an id in two subnets has no meaning.
            if subnets.insert(subnet.id, entry(id, subnet)).is_some() {
                return Err(LinksError::DuplicateSubnetId(subnet.id));
            }
        }
    }
    // The array ends at the largest near id, however sparse they are.
    let end = subnets.keys().filter(|&&id| id < NEAR_MAX).max().map_or(0, |&id| id + 1);
    table.near = (0..end).map(|id| subnets.remove(&id).unwrap_or_else(SubnetEntry::none)).collect();
    table.far = subnets.into_iter().collect();
    (table.regions, table.by_address) = regions(&links);
    // The common answers, one link, are computed once, so that a lookup need not walk the regions.
    for region in 0..table.regions.len() as u32 {
        // Any global address stands for the requestor's: the region decides.
        let sole = (
            LinkSet::named(&table, Some(region), Ipv6Addr::LOCALHOST).sole(),
            LinkSet::of_address(&table, Some(region)).sole(),
        );
        let region = &mut table.regions[region as usize];
        (region.only_named, region.only_of_address) = sole;
    }
    // Last, since told addresses are chosen by asking the table itself.
    (table.addresses, table.unreachable) = tell::addresses(&table, &links);
    Ok(table)
}

fn entry(link: LinkId, subnet: &Subnet) -> SubnetEntry {
    let pd_pools = subnet.pd_pools.iter().map(|&pool| Octets::new(pool)).collect();
    let options = Some(Box::new(subnet.options.clone()));
    SubnetEntry { prefix: Octets::new(subnet.prefix), pd_pools, options, id: subnet.id, link }
}

/// Makes one link of those that share a relay address or, if `joins_prefixes`, a subnet's prefix, directly or
/// by way of others; in the order of their first ones.
fn join(links: Vec<Link>, joins_prefixes: bool) -> Vec<Link> {
    let mut parents: Vec<usize> = (0..links.len()).collect();
    let mut first_with = HashMap::new();
    for (number, link) in links.iter().enumerate() {
        let relays = link.relay_addresses.iter().map(|&address| (true, u128::from(address), 128));
        let subnets = link.subnets.iter().filter(|_| joins_prefixes).map(|subnet| {
            let (first, _) = first_and_mask(subnet.prefix);
            (false, first, subnet.prefix.len)
        });
        for identity in relays.chain(subnets) {
            // The first link with an identity stands for all others with it.
            let other = *first_with.entry(identity).or_insert(number);
            let (one, other) = (root(&mut parents, number), root(&mut parents, other));
            // The lower number stays the root, so that links keep the order of the file.
            parents[one.max(other)] = one.min(other);
        }
    }
    let mut joined = BTreeMap::<usize, Link>::new();
    for (number, link) in links.into_iter().enumerate() {
        let root = root(&mut parents, number);
        match joined.get_mut(&root) {
            None => drop(joined.insert(root, link)),
            // The first link's own setting wins over those of links joined to it.
            Some(first) => {
                first.address = first.address.or(link.address);
                first.subnets.extend(link.subnets);
                first.relay_addresses.extend(link.relay_addresses);
            }
        }
    }
    let mut joined: Vec<_> = joined.into_values().collect();
    for link in &mut joined {
        // Joined links repeat the address that joined them.
        link.relay_addresses.sort_unstable();
        link.relay_addresses.dedup();
    }
    joined
}

/// The link that stands for this one; the way to it is halved, so that long chains cost little.
fn root(parents: &mut [usize], mut number: usize) -> usize {
    while parents[number] != number {
        parents[number] = parents[parents[number]];
        number = parents[number];
    }
    number
}

/// Links that have a prefix: as subnet, pd-pool, relay address.
#[derive(Default)]
struct Owners {
    subnet: Vec<LinkId>,
    pool: Vec<LinkId>,
    relay: Vec<LinkId>,
}

/// The regions, those around others before these, and where they are.
fn regions(links: &[Link]) -> (Vec<Region>, Prefixes<u32>) {
    // By first address and length: a region comes after those around it.
    let mut owners = BTreeMap::<(u128, u8), Owners>::new();
    for (number, link) in links.iter().enumerate() {
        let id = LinkId(number as u32);
        // A link's own setting identifies it like a relay address.
        for &address in link.relay_addresses.iter().chain(&link.address) {
            owners.entry((address.into(), 128)).or_default().relay.push(id);
        }
        for subnet in &link.subnets {
            let (first, _) = first_and_mask(subnet.prefix);
            owners.entry((first, subnet.prefix.len)).or_default().subnet.push(id);
            for &pool in &subnet.pd_pools {
                let (first, _) = first_and_mask(pool);
                owners.entry((first, pool.len)).or_default().pool.push(id);
            }
        }
    }
    let mut regions = Vec::<Region>::with_capacity(owners.len());
    let mut prefixes = HashMap::with_capacity(owners.len());
    let mut around: Vec<(u128, u32)> = Vec::new();
    for ((first, len), owners) in owners {
        // Regions that end before this one are not around it.
        while around.last().is_some_and(|&(last, _)| last < first) {
            around.pop();
        }
        let position = regions.len() as u32;
        // The order guarantees that the nearest region around is the last one open.
        let outer = around.last().map(|&(_, at)| &regions[at as usize]);
        let outer_pool = outer.and_then(|outer| outer.innermost_pool);
        let own = |links: &[LinkId]| (!links.is_empty()).then_some(position);
        let region = Region {
            // Inherited here, so that a lookup needs only the innermost region.
            longest_subnet: own(&owners.subnet).or(outer.and_then(|outer| outer.longest_subnet)),
            innermost_pool: own(&owners.pool).or(outer_pool),
            outer_pool,
            subnet: ascending(owners.subnet),
            pool: ascending(owners.pool),
            relay: ascending(owners.relay),
            ..Region::default()
        };
        regions.push(region);
        prefixes.insert(Prefix { address: first.into(), len }, position);
        // The last address of the region, with which it stays open.
        around.push((first | !mask(len), position));
    }
    (regions, Prefixes::new(prefixes))
}

fn ascending(mut links: Vec<LinkId>) -> Box<[LinkId]> {
    links.sort_unstable();
    links.dedup();
    links.into()
}

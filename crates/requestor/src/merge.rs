//! One view of a client from several servers, or several answers of one (RFC 5007 §4.3.4).
//!
//! Disjoint data (of different type or value) is combined. Of overlapping data (same type and value) the most
//! recent counts: that of the server that heard the client last. CLT_TIME is an age and answers arrive at
//! different times, so it is first converted into a point in time. Each lease ends up once: with the link and
//! server of the most recent source that has it.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, SystemTime};

use crate::client_data::{LinkLayerAddress, RawOption};
use crate::domain_name::Fqdn;
use crate::relay_data::RelayChain;
use crate::{AddressOrPrefix, ClientData, Duid, Lease};

/// Client data with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// DUID of the server that sent it.
    pub server: Duid,
    /// Address that it came from.
    pub from: SocketAddrV6,
    /// The link-address in the query; `None` if it had none.
    pub link: Option<Ipv6Addr>,
    /// Time of arrival, from which ages and lifetimes count.
    pub received: SystemTime,
    /// The client data.
    pub data: ClientData,
}

impl Source {
    /// Time at which the server last heard from the client (RFC 5007 §4.1.2.3); not before 1970, whatever
    /// CLT_TIME says.
    pub fn last_transaction(&self) -> SystemTime {
        let age = Duration::from_secs(self.data.clt_time_s.into());
        self.received.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH).max(SystemTime::UNIX_EPOCH)
    }
}

impl From<Source> for ClientOnLink {
    /// Converts the data of one source as it is, for streams that are too long to merge.
    fn from(source: Source) -> Self {
        Self {
            last_transaction: source.last_transaction(),
            leases: source.data.leases.iter().map(|lease| MergedLease::new(*lease, &source)).collect(),
            client: source.data.client,
            link: source.link,
            fqdn: source.data.fqdn,
            link_layer: source.data.link_layer,
            relay: source.data.relay,
            other: source.data.other,
            superseded: Vec::new(),
        }
    }
}

/// The bindings of one client on one link, merged from all sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOnLink {
    /// DUID of the client.
    pub client: Duid,
    /// The link-address in the query, if it had one.
    pub link: Option<Ipv6Addr>,
    /// Time at which any server last heard from the client on this link.
    pub last_transaction: SystemTime,
    /// The leases, each address and prefix once.
    pub leases: Vec<MergedLease>,
    /// The FQDN of the most recent source that has one.
    pub fqdn: Option<Fqdn>,
    /// The link-layer address of the most recent source that has one.
    pub link_layer: Option<LinkLayerAddress>,
    /// The relay data of the most recent source, if that source has any.
    pub relay: Option<RelayChain>,
    /// Other options: each code from the most recent source that has it.
    pub other: Vec<RawOption>,
    /// Leases that another source has more recently and with other lifetimes.
    pub superseded: Vec<MergedLease>,
}

/// A lease with the source that decides it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedLease {
    /// The lease.
    pub lease: Lease,
    /// Time from which its lifetimes count.
    pub received: SystemTime,
    /// DUID of the server that sent it.
    pub server: Duid,
    /// Address that it came from.
    pub from: SocketAddrV6,
}

/// Merges the data of all sources.
///
/// Clients and links keep the order of their first appearance; of sources of the same time the first counts.
pub fn merge(sources: &[Source]) -> Vec<ClientOnLink> {
    // Computed once: the loops below ask for every lease of every source.
    let winners = winners(sources);
    let mut merged: Vec<ClientOnLink> = Vec::new();
    for source in most_recent_first(sources) {
        let is_newest = !merged.iter().any(|one| is_place(one, source));
        let place = place(&mut merged, source);
        place.take_options(&source.data);
        if is_newest {
            // Only the newest message's path: an older one says nothing about where the client is now.
            place.relay = source.data.relay.clone();
        }
    }
    for (index, source) in sources.iter().enumerate() {
        for lease in &source.data.leases {
            let winner = winners[&(&source.data.client, lease.resource)];
            let place = place(&mut merged, &sources[winner]);
            let entry = MergedLease::new(*lease, source);
            let known = place.leases.iter().any(|known| known.lease.resource == lease.resource);
            // A source may repeat a lease; its first mention counts.
            if winner == index && !known {
                place.leases.push(entry);
            } else if winner != index && differ(lease_of(&sources[winner], lease.resource), &entry) {
                place.superseded.push(entry);
            }
        }
    }
    // A link whose every lease another link's source has more recently has nothing left to report.
    let spoke_of_leases = |one: &ClientOnLink| {
        sources.iter().any(|source| is_place(one, source) && !source.data.leases.is_empty())
    };
    merged.retain(|one| !one.leases.is_empty() || !spoke_of_leases(one));
    // Taking sources by recency has changed the order of first appearance.
    merged.sort_by_key(|one| sources.iter().position(|source| is_place(one, source)));
    merged
}

/// Returns, for each lease of each client, the index of the most recent source that has it.
fn winners(sources: &[Source]) -> HashMap<(&Duid, AddressOrPrefix), usize> {
    let mut winners = HashMap::new();
    for (index, source) in sources.iter().enumerate() {
        for lease in &source.data.leases {
            let winner = winners.entry((&source.data.client, lease.resource)).or_insert(index);
            if sources[*winner].last_transaction() < source.last_transaction() {
                *winner = index;
            }
        }
    }
    winners
}

/// The first lease of this address or prefix in a source.
fn lease_of(source: &Source, resource: AddressOrPrefix) -> Option<MergedLease> {
    let lease = source.data.leases.iter().find(|lease| lease.resource == resource)?;
    Some(MergedLease::new(*lease, source))
}

/// Whether two leases end at different times, beyond the rounding of two servers.
fn differ(one: Option<MergedLease>, other: &MergedLease) -> bool {
    // Each server rounds down, and the answers travel.
    const ROUNDING_S: u64 = 2;
    let Some(one) = one else { return true };
    let pairs =
        [MergedLease::preferred_until, MergedLease::valid_until].map(|until| (until(&one), until(other)));
    pairs.into_iter().any(|pair| match pair {
        (None, None) => false,
        // Two servers round the same end differently.
        (Some(one), Some(other)) => {
            let seconds =
                |end: SystemTime| end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            seconds(one).abs_diff(seconds(other)) > ROUNDING_S
        }
        _ => true,
    })
}

fn most_recent_first(sources: &[Source]) -> Vec<&Source> {
    let mut sorted: Vec<&Source> = sources.iter().collect();
    sorted.sort_by_key(|source| std::cmp::Reverse(source.last_transaction())); // stable
    sorted
}

fn is_place(one: &ClientOnLink, source: &Source) -> bool {
    one.client == source.data.client && one.link == source.link
}

fn place<'a>(merged: &'a mut Vec<ClientOnLink>, source: &Source) -> &'a mut ClientOnLink {
    let index = merged.iter().position(|one| is_place(one, source)).unwrap_or_else(|| {
        merged.push(ClientOnLink {
            client: source.data.client.clone(),
            link: source.link,
            last_transaction: source.last_transaction(),
            leases: Vec::new(),
            fqdn: None,
            link_layer: None,
            relay: None,
            other: Vec::new(),
            superseded: Vec::new(),
        });
        merged.len() - 1
    });
    &mut merged[index]
}

impl ClientOnLink {
    /// Adds the options that are missing so far; sources come most recent first.
    fn take_options(&mut self, data: &ClientData) {
        self.fqdn = self.fqdn.take().or_else(|| data.fqdn.clone());
        self.link_layer = self.link_layer.take().or_else(|| data.link_layer.clone());
        let known: Vec<_> = self.other.iter().map(|option| option.code).collect();
        self.other.extend(data.other.iter().filter(|option| !known.contains(&option.code)).cloned());
    }
}

impl MergedLease {
    fn new(lease: Lease, source: &Source) -> Self {
        Self { lease, received: source.received, server: source.server.clone(), from: source.from }
    }

    /// End of the preferred lifetime; `None` is never.
    pub fn preferred_until(&self) -> Option<SystemTime> {
        self.until(self.lease.preferred_lifetime_s)
    }

    /// End of the valid lifetime; `None` is never.
    pub fn valid_until(&self) -> Option<SystemTime> {
        self.until(self.lease.valid_lifetime_s)
    }

    fn until(&self, lifetime_s: u32) -> Option<SystemTime> {
        (lifetime_s != u32::MAX).then(|| self.received + Duration::from_secs(lifetime_s.into()))
    }
}

#[cfg(test)]
mod tests;

//! One view of what several servers, or one server several times, said of a client (RFC 5007 §4.3.4).
//!
//! Data of different type or value is disjoint and put together; data of the same type and value overlaps, and the
//! most recent counts: that of the server which spoke with the client last. CLT_TIME is an age, and the answers came
//! at different times, so each is first turned into a point in time. Each lease ends up in one place: the link and
//! server of the most recent source that has it.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, SystemTime};

use crate::client_data::{LinkLayerAddress, RawOption};
use crate::domain_name::Fqdn;
use crate::relay_data::RelayChain;
use crate::{Binding, ClientData, Duid, Lease};

/// Client data and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The server that said it.
    pub server: Duid,
    /// From where.
    pub from: SocketAddrV6,
    /// The link-address that the query named; `None` if it named none.
    pub link: Option<Ipv6Addr>,
    /// When it came: its ages and lifetimes count from here.
    pub received: SystemTime,
    /// What was said.
    pub data: ClientData,
}

impl Source {
    /// When the server last spoke with the client (RFC 5007 §4.1.2.3); not before 1970, whatever CLT_TIME says.
    pub fn last_transaction(&self) -> SystemTime {
        let age = Duration::from_secs(self.data.clt_time_s.into());
        self.received.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH).max(SystemTime::UNIX_EPOCH)
    }
}

/// The bindings of one client on one link, of all sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOnLink {
    /// Whose bindings.
    pub client: Duid,
    /// The link-address that was asked for, if one was.
    pub link: Option<Ipv6Addr>,
    /// When a server last spoke with the client on this link.
    pub last_transaction: SystemTime,
    /// Each address and prefix once.
    pub leases: Vec<MergedLease>,
    /// Of the most recent source that has it.
    pub fqdn: Option<Fqdn>,
    /// Of the most recent source that has it.
    pub link_layer: Option<LinkLayerAddress>,
    /// Of the most recent source, if that has it.
    pub relay: Option<RelayChain>,
    /// Each code of the most recent source that has it.
    pub other: Vec<RawOption>,
    /// Leases that another source knows more recently, and differently.
    pub superseded: Vec<MergedLease>,
}

/// A lease, and which source's word counts for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedLease {
    /// The lease.
    pub lease: Lease,
    /// When its lifetimes count from.
    pub received: SystemTime,
    /// The server that said it.
    pub server: Duid,
    /// From where.
    pub from: SocketAddrV6,
}

/// Merges the data of all sources. Clients and links are in the order in which they first appear, and of sources with
/// the same time the first counts.
pub fn merge(sources: &[Source]) -> Vec<ClientOnLink> {
    let winners = winners(sources);
    let mut merged: Vec<ClientOnLink> = Vec::new();
    for source in most_recent_first(sources) {
        let is_newest = !merged.iter().any(|one| is_place(one, source));
        let place = place(&mut merged, source);
        place.take_options(&source.data);
        if is_newest {
            // That of the last message or none: an older path is no fact about the client's present one.
            place.relay = source.data.relay.clone();
        }
    }
    for (index, source) in sources.iter().enumerate() {
        for lease in &source.data.leases {
            let winner = winners[&(&source.data.client, lease.binding)];
            let place = place(&mut merged, &sources[winner]);
            let entry = MergedLease::new(*lease, source);
            let known = place.leases.iter().any(|known| known.lease.binding == lease.binding);
            if winner == index && !known {
                place.leases.push(entry);
            } else if winner != index && differ(lease_of(&sources[winner], lease.binding), &entry) {
                place.superseded.push(entry);
            }
        }
    }
    // A link of which another link's source knows every lease more recently has nothing left to say.
    let spoke_of_leases = |one: &ClientOnLink| {
        sources.iter().any(|source| is_place(one, source) && !source.data.leases.is_empty())
    };
    merged.retain(|one| !one.leases.is_empty() || !spoke_of_leases(one));
    merged.sort_by_key(|one| sources.iter().position(|source| is_place(one, source)));
    merged
}

/// For each lease of each client, the source whose word counts.
fn winners(sources: &[Source]) -> HashMap<(&Duid, Binding), usize> {
    let mut winners = HashMap::new();
    for (index, source) in sources.iter().enumerate() {
        for lease in &source.data.leases {
            let winner = winners.entry((&source.data.client, lease.binding)).or_insert(index);
            if sources[*winner].last_transaction() < source.last_transaction() {
                *winner = index;
            }
        }
    }
    winners
}

/// The first lease of this binding, as the merge takes it.
fn lease_of(source: &Source, binding: Binding) -> Option<MergedLease> {
    let lease = source.data.leases.iter().find(|lease| lease.binding == binding)?;
    Some(MergedLease::new(*lease, source))
}

/// Their lifetimes do not end at the same time, give or take the rounding of two servers.
fn differ(one: Option<MergedLease>, other: &MergedLease) -> bool {
    const ROUNDING_S: u64 = 2;
    let Some(one) = one else { return true };
    let pairs =
        [MergedLease::preferred_until, MergedLease::valid_until].map(|until| (until(&one), until(other)));
    pairs.into_iter().any(|pair| match pair {
        (None, None) => false,
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
    /// Takes what is not there yet; sources come with the most recent first.
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

    /// When the preferred lifetime is over; `None` is never.
    pub fn preferred_until(&self) -> Option<SystemTime> {
        self.until(self.lease.preferred_lifetime_s)
    }

    /// When the valid lifetime is over; `None` is never.
    pub fn valid_until(&self) -> Option<SystemTime> {
        self.until(self.lease.valid_lifetime_s)
    }

    fn until(&self, lifetime_s: u32) -> Option<SystemTime> {
        (lifetime_s != u32::MAX).then(|| self.received + Duration::from_secs(lifetime_s.into()))
    }
}

#[cfg(test)]
mod tests;

//! Changed leases that were not sent yet, by client, in the order of their first change.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::net::Ipv6Addr;

use foldhash::fast::RandomState;
use lqd_index::LeaseKind;

/// Most leases that wait to be sent; further changes wait in the log.
pub(super) const DIRTY_LEASES_MAX: usize = 1024;

/// A lease that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DirtyLease {
    pub(super) address: Ipv6Addr,
    pub(super) prefix_len: u8,
    pub(super) kind: LeaseKind,
    /// Subnet as it was when the requestor may have been told of the lease.
    pub(super) subnet_id: u32,
    pub(super) cltt: u32,
    /// Whether the filter may have selected it before.
    pub(super) was_selected: bool,
    /// Whether its last change was a removal that the lease source told of.
    pub(super) is_removed: bool,
}

/// The changed leases of one client.
#[derive(Debug, Default)]
pub(super) struct DirtyClient {
    pub(super) duid: Vec<u8>,
    pub(super) leases: Vec<DirtyLease>,
    /// Position in the log, and second, of its first change.
    pub(super) sequence: u64,
    pub(super) published: u32,
    /// Whether it waits for complete leases.
    is_held: bool,
}

/// Changed leases, at most [`DIRTY_LEASES_MAX`].
#[derive(Debug, Default)]
pub(super) struct DirtySet {
    clients: VecDeque<DirtyClient>,
    /// Number of clients that left the front.
    popped: u64,
    /// Place of a client, counted with those that left, by the hash of its DUID.
    places: HashMap<u64, u64, RandomState>,
    hasher: RandomState,
    leases: usize,
    /// Clients that wait for complete leases.
    held: usize,
    /// Clients whose memory is used again.
    spare: Vec<DirtyClient>,
}

impl DirtySet {
    pub(super) fn leases(&self) -> usize {
        self.leases
    }

    /// Returns the number of clients.
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Returns whether all clients wait for complete leases.
    pub(super) fn is_idle(&self) -> bool {
        self.held >= self.clients.len()
    }

    /// Returns the second of the first change.
    pub(super) fn oldest(&self) -> Option<u32> {
        self.oldest_by(|client| client.published)
    }

    /// Returns the position of the first change in the log.
    pub(super) fn first(&self) -> Option<u64> {
        self.oldest_by(|client| client.sequence)
    }

    fn oldest_by<T: Ord>(&self, of: impl Fn(&DirtyClient) -> T) -> Option<T> {
        // Only clients that were put back are out of order.
        if self.held == 0 { self.clients.front().map(of) } else { self.clients.iter().map(of).min() }
    }

    /// Adds a lease of a client; returns whether there was room.
    pub(super) fn add(&mut self, duid: &[u8], lease: DirtyLease, sequence: u64, published: u32) -> bool {
        let hash = self.hasher.hash_one(duid);
        if let Some(&place) = self.places.get(&hash) {
            let client = &mut self.clients[(place - self.popped) as usize];
            // Two DUIDs of one hash: the second one waits until the first one is sent.
            return client.duid == duid && client.add(lease, &mut self.leases);
        }
        if self.leases >= DIRTY_LEASES_MAX {
            return false;
        }
        let mut client = self.spare.pop().unwrap_or_default();
        client.duid.extend_from_slice(duid);
        client.leases.push(lease);
        (client.sequence, client.published) = (sequence, published);
        self.leases += 1;
        self.push(hash, client);
        true
    }

    fn push(&mut self, hash: u64, client: DirtyClient) {
        self.places.insert(hash, self.popped + self.clients.len() as u64);
        self.clients.push_back(client);
    }

    /// Takes the client whose turn it is.
    pub(super) fn pop(&mut self) -> Option<DirtyClient> {
        let client = self.clients.pop_front()?;
        self.popped += 1;
        self.places.remove(&self.hasher.hash_one(&client.duid[..]));
        self.leases -= client.leases.len();
        self.held -= usize::from(client.is_held);
        Some(client)
    }

    /// Puts a client back that waits for complete leases.
    pub(super) fn hold(&mut self, mut client: DirtyClient) {
        client.is_held = true;
        self.leases += client.leases.len();
        self.held += 1;
        let hash = self.hasher.hash_one(&client.duid[..]);
        self.push(hash, client);
    }

    /// Gives held clients another turn.
    pub(super) fn retry(&mut self) {
        self.held = 0;
        // In order again, so that the first one is the oldest.
        let mut clients: Vec<_> = self.clients.drain(..).collect();
        clients.sort_by_key(|client| client.sequence);
        self.places.clear();
        for mut client in clients {
            client.is_held = false;
            let hash = self.hasher.hash_one(&client.duid[..]);
            self.push(hash, client);
        }
    }

    /// Keeps the memory of a client that was sent.
    pub(super) fn recycle(&mut self, mut client: DirtyClient) {
        if self.spare.len() < DIRTY_LEASES_MAX && client.leases.capacity() <= 8 {
            client.duid.clear();
            client.leases.clear();
            client.is_held = false;
            self.spare.push(client);
        }
    }
}

impl DirtyClient {
    /// Adds a lease; returns whether there was room.
    fn add(&mut self, lease: DirtyLease, count: &mut usize) -> bool {
        let is_same = |one: &&mut DirtyLease| {
            (one.address, one.prefix_len, one.kind) == (lease.address, lease.prefix_len, lease.kind)
        };
        if let Some(known) = self.leases.iter_mut().find(is_same) {
            // The requestor knows the lease as it was before the first change.
            if lease.was_selected && !known.was_selected {
                known.subnet_id = lease.subnet_id;
            }
            known.was_selected |= lease.was_selected;
            known.is_removed = lease.is_removed;
            known.cltt = known.cltt.max(lease.cltt);
            return true;
        }
        let has_room = *count < DIRTY_LEASES_MAX;
        if has_room {
            self.leases.push(lease);
            *count += 1;
        }
        has_room
    }
}

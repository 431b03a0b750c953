//! Secondary indexes: clients by relay-id, remote-id and link, for bulk queries (RFC 5460); off unless asked
//! for.
//!
//! An index maps the hash of a key to client numbers. It only narrows a scan down: the scan checks each
//! record that it reads, so hash collisions and numbers used again do no harm. Workers that answer UDP never
//! read it. `DESIGN.md` compares the designs.

use std::sync::Arc;

use crate::clients::ClientId;
use crate::lease::duid_hash;
use crate::links::LinkId;

mod build;
mod entries;
mod postings;

pub(crate) use entries::{Extractor, has_id};
use postings::Postings;
pub use postings::PostingsSize;

/// The indexes that a writer maintains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecondaryIndexes {
    /// Index by Relay-ID option (53) of any relay agent on the path (RFC 5460 §5.4.1).
    pub relay_id: bool,
    /// Index by Remote-ID option (37) of any relay agent on the path (RFC 4649 §3).
    pub remote_id: bool,
    /// Index by link.
    pub link: bool,
}

/// A kind of index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    RelayId,
    RemoteId,
    Link,
    /// Clients that every scan comes to: their records do not tell all leases.
    Partial,
}

impl Kind {
    const ALL: [Self; 4] = [Self::RelayId, Self::RemoteId, Self::Link, Self::Partial];

    fn name(self) -> &'static str {
        match self {
            Self::RelayId => "relay_id_index",
            Self::RemoteId => "remote_id_index",
            Self::Link => "link_index",
            Self::Partial => "partial_client_index",
        }
    }
}

/// A key of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    hash: u64,
}

impl Key {
    /// Clients with a lease whose links are found by its address, or that is on no link.
    pub(crate) const OFF_SUBNET: Self = Self { kind: Kind::Link, hash: u64::MAX };
    pub(crate) const PARTIAL: Self = Self { kind: Kind::Partial, hash: 0 };

    /// `octets`: the option's value.
    pub(crate) fn relay_id(octets: &[u8]) -> Self {
        Self { kind: Kind::RelayId, hash: duid_hash(octets) }
    }

    /// `octets`: the option's value, enterprise number included.
    pub(crate) fn remote_id(octets: &[u8]) -> Self {
        Self { kind: Kind::RemoteId, hash: duid_hash(octets) }
    }

    pub(crate) fn link(link: LinkId) -> Self {
        Self { kind: Kind::Link, hash: u64::from(link.0) }
    }
}

/// The indexes of one generation.
#[derive(Clone, Default)]
pub(crate) struct Secondary {
    /// Postings by [`Kind`]; `None` for indexes not asked for.
    postings: [Option<Arc<Postings>>; Kind::ALL.len()],
}

impl Secondary {
    /// Whether clients are found by this kind of key.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.of(kind).is_some()
    }

    fn of(&self, kind: Kind) -> Option<&Postings> {
        self.postings[kind as usize].as_deref()
    }

    pub(crate) fn insert(&self, key: Key, client: ClientId) {
        if let Some(postings) = self.of(key.kind) {
            postings.insert(key.hash, client);
        }
    }

    pub(crate) fn remove(&self, key: Key, client: ClientId) {
        if let Some(postings) = self.of(key.kind) {
            postings.remove(key.hash, client);
        }
    }

    /// The clients with any of these keys, and the partial ones: ascending, from `first` on, at most `count`.
    pub(crate) fn clients(
        &self,
        keys: impl Iterator<Item = Key>,
        first: ClientId,
        count: usize,
    ) -> Vec<ClientId> {
        let mut clients = Vec::new();
        for key in keys.chain([Key::PARTIAL]) {
            // An index that was not asked for has no postings, and costs nothing.
            if let Some(postings) = self.of(key.kind) {
                postings.copy(key.hash, first, count, &mut clients);
            }
        }
        // The first `count` of each list hold the first `count` of all.
        clients.sort_unstable();
        clients.dedup();
        clients.truncate(count);
        clients
    }

    /// Size of each index, by name as in metrics.
    pub(crate) fn sizes(&self) -> Vec<(&'static str, PostingsSize)> {
        let size = |&kind: &Kind| Some((kind.name(), self.of(kind)?.size()));
        Kind::ALL.iter().filter_map(size).collect()
    }
}

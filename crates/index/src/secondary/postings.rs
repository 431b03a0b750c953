//! Map from the hash of a key to client numbers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use foldhash::fast::RandomState;

use crate::clients::ClientId;

/// Many shards: one that grows holds up a scan or the writer only briefly.
const SHARDS: usize = 256;

/// Number of new clients from which on a set is merged as a whole, so that its nodes are full.
const MERGE_MIN: usize = 16;

/// Bytes of a B-tree's leaf: 11 numbers, links, and the allocator's overhead.
const LEAF_BYTES: usize = 64;
const LEAF_NUMBERS: usize = 11;

/// Client numbers by key, changed by one writer; scans read it beside the writer, a shard at a time.
pub(super) struct Postings {
    clients: DashMap<u64, Posting, RandomState>,
    /// Keys with several numbers, and these numbers.
    sets: AtomicUsize,
    shared: AtomicUsize,
}

/// Clients with one key.
enum Posting {
    One(ClientId),
    #[expect(clippy::box_collection, reason = "most keys have one client: a slot of 8 bytes instead of 24")]
    Several(Box<BTreeSet<ClientId>>),
}

/// Size of one index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostingsSize {
    /// Different keys.
    pub keys: usize,
    /// Client numbers under them.
    pub entries: usize,
    /// Bytes of memory, estimated.
    pub bytes: usize,
}

impl Postings {
    /// Makes room for so many keys.
    pub(super) fn with_capacity(keys: usize) -> Self {
        // One shard's lock is held for one key only, so 256 of them rarely meet.
        let clients =
            DashMap::with_capacity_and_hasher_and_shard_amount(keys, RandomState::default(), SHARDS);
        Self { clients, sets: AtomicUsize::new(0), shared: AtomicUsize::new(0) }
    }

    pub(super) fn insert(&self, key: u64, client: ClientId) {
        self.extend(key, &[client]);
    }

    /// Adds clients, ascending.
    pub(super) fn extend(&self, key: u64, clients: &[ClientId]) {
        match self.clients.entry(key) {
            Entry::Vacant(vacant) => {
                // Most keys of Remote-ID have a single client.
                if let [client] = *clients {
                    vacant.insert(Posting::One(client));
                } else {
                    vacant.insert(self.several(clients.iter().copied().collect()));
                }
            }
            Entry::Occupied(mut occupied) => match occupied.get_mut() {
                Posting::One(first) => {
                    let set: BTreeSet<ClientId> = clients.iter().copied().chain([*first]).collect();
                    // The same client again stays alone.
                    if set.len() > 1 {
                        *occupied.get_mut() = self.several(set);
                    }
                }
                Posting::Several(set) => {
                    let before = set.len();
                    if clients.len() < MERGE_MIN {
                        set.extend(clients);
                    // Merging builds full nodes where single insertions would split them.
                    } else {
                        set.append(&mut clients.iter().copied().collect());
                    }
                    self.shared.fetch_add(set.len() - before, Ordering::Relaxed);
                }
            },
        }
    }

    fn several(&self, set: BTreeSet<ClientId>) -> Posting {
        self.sets.fetch_add(1, Ordering::Relaxed);
        self.shared.fetch_add(set.len(), Ordering::Relaxed);
        Posting::Several(Box::new(set))
    }

    pub(super) fn remove(&self, key: u64, client: ClientId) {
        // A client may be removed twice, as records are compared key by key.
        let Entry::Occupied(mut occupied) = self.clients.entry(key) else { return };
        match occupied.get_mut() {
            Posting::One(only) => {
                if *only == client {
                    occupied.remove();
                }
            }
            Posting::Several(set) => {
                self.shared.fetch_sub(usize::from(set.remove(&client)), Ordering::Relaxed);
                // A set of one goes back to the small form, as memory is counted in bytes a lease.
                if let (1, Some(&last)) = (set.len(), set.first()) {
                    self.shared.fetch_sub(1, Ordering::Relaxed);
                    self.sets.fetch_sub(1, Ordering::Relaxed);
                    *occupied.get_mut() = Posting::One(last);
                }
            }
        }
    }

    /// Appends the clients with this key from `first` on, at most `count`, to `out`.
    pub(super) fn copy(&self, key: u64, first: ClientId, count: usize, out: &mut Vec<ClientId>) {
        match self.clients.get(&key).as_deref() {
            None => {}
            Some(&Posting::One(client)) => out.extend(Some(client).filter(|&client| client >= first)),
            // A bounded copy: a key may have millions of clients, and the shard is locked.
            Some(Posting::Several(set)) => out.extend(set.range(first..).take(count)),
        }
    }

    pub(super) fn size(&self) -> PostingsSize {
        let (keys, sets, shared) =
            (self.clients.len(), self.sets.load(Ordering::Relaxed), self.shared.load(Ordering::Relaxed));
        // Seven in eight places are filled at most; each has a byte of control beside it.
        let places = self.clients.capacity() / 7 * 8;
        let table = places * (size_of::<(u64, Posting)>() + 1);
        let leaves = sets + shared / LEAF_NUMBERS;
        let bytes = table + sets * size_of::<BTreeSet<ClientId>>() + leaves * LEAF_BYTES;
        // The counts may be of different moments, as the writer goes on.
        PostingsSize { keys, entries: (keys + shared).saturating_sub(sets), bytes }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Op {
        Extend(u64, BTreeSet<ClientId>),
        Remove(u64, ClientId),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            2 => (0_u64..4, prop::collection::btree_set(0_u32..40, 1..30))
                .prop_map(|(key, clients)| Op::Extend(key, clients)),
            5 => (0_u64..4, 0_u32..40).prop_map(|(key, client)| Op::Remove(key, client)),
        ]
    }

    proptest! {
        #[test]
        fn postings_hold_what_a_map_of_sets_holds(ops in prop::collection::vec(op(), 1..100)) {
            let (postings, mut model) = (Postings::with_capacity(0), BTreeMap::<u64, BTreeSet<ClientId>>::new());
            for op in ops {
                match op {
                    Op::Extend(key, clients) => {
                        postings.extend(key, &clients.iter().copied().collect::<Vec<_>>());
                        model.entry(key).or_default().extend(clients);
                    }
                    Op::Remove(key, client) => {
                        postings.remove(key, client);
                        model.entry(key).or_default().remove(&client);
                    }
                }
                model.retain(|_, clients| !clients.is_empty());
                for key in 0..4 {
                    for (first, count) in [(0, usize::MAX), (17, 3)] {
                        let mut found = Vec::new();
                        postings.copy(key, first, count, &mut found);
                        let clients = model.get(&key).into_iter().flat_map(|set| set.range(first..));
                        prop_assert_eq!(found, clients.take(count).copied().collect::<Vec<_>>());
                    }
                }
                let PostingsSize { keys, entries, .. } = postings.size();
                let expected = (model.len(), model.values().map(BTreeSet::len).sum());
                prop_assert_eq!((keys, entries), expected);
            }
        }
    }
}

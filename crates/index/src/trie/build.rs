//! A whole trie at once, from sorted keys: no node is written twice.

use std::sync::atomic::AtomicU32;

use super::{CLIENT, ClientId, Header, Key, LEVEL_BITS, Slot, Trie, write_node};
use crate::arena::{Address, Allocator, Arena};

/// Builds the trie of these items, of which `key` tells key and client.
///
/// They are ascending by the bits of their keys and have no bits twice.
pub(crate) fn build<T>(
    arena: &Arena,
    allocator: &mut Allocator,
    items: &[T],
    key: impl Fn(&T) -> (Key, ClientId),
) -> Trie {
    debug_assert!(items.is_sorted_by(|a, b| key(a).0.bits < key(b).0.bits));
    let root = if items.is_empty() { 0 } else { Builder { arena, allocator, key }.node(0, items) };
    Trie { root: AtomicU32::new(root) }
}

struct Builder<'a, F> {
    arena: &'a Arena,
    allocator: &'a mut Allocator,
    key: F,
}

impl<F> Builder<'_, F> {
    /// The entry for these items, at least one: a client, or a node at the level where they part.
    fn entry<T>(&mut self, items: &[T]) -> u32
    where
        F: Fn(&T) -> (Key, ClientId),
    {
        match items {
            [only] => (self.key)(only).1 | CLIENT,
            // A key that contains the others is the first; else the first and the last are farthest apart.
            [first, .., last] => {
                let ((first, _), (last, _)) = ((self.key)(first), (self.key)(last));
                let common = ((first.bits ^ last.bits).leading_zeros() as u8).min(first.len);
                self.node(common / LEVEL_BITS, items)
            }
            [] => unreachable!("an entry has a key"),
        }
    }

    fn node<T>(&mut self, level: u8, items: &[T]) -> Address
    where
        F: Fn(&T) -> (Key, ClientId),
    {
        let mut header = Header { level, ..Header::default() };
        let (mut ends, mut children) = ([0; 15], [0; 16]);
        let mut rest = items;
        while let Some(first) = rest.first() {
            let (key, client) = (self.key)(first);
            match key.slot(level) {
                Slot::Ends(bit) => {
                    header.ends |= 1 << bit;
                    ends[usize::from(bit)] = client | CLIENT;
                    rest = &rest[1..];
                }
                slot @ Slot::Child(bit) => {
                    let same = |item: &T| (self.key)(item).0.slot(level) == slot;
                    let (group, after) = rest.split_at(rest.partition_point(same));
                    header.children |= 1 << bit;
                    children[usize::from(bit)] = self.entry(group);
                    rest = after;
                }
            }
        }
        let at = self.allocator.allocate(self.arena, header.words());
        let present = ends.into_iter().chain(children).filter(|&entry| entry != 0);
        write_node(self.arena.run(at, header.words()), header, present);
        at
    }
}

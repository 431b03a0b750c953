//! A whole trie at once, from sorted keys, on all cores: no node is written twice.

use std::sync::atomic::AtomicU32;

use rayon::prelude::*;

use super::{CLIENT, ClientId, Header, Key, LEVEL_BITS, Slot, Trie, write_node};
use crate::arena::{Address, Allocator, Arena};

/// Keys below a node whose children are not built apart from each other.
const ALONE: usize = 1 << 14;

/// Lends an allocator to a piece of work.
pub(crate) type Lend<'a> = &'a (dyn Fn(&mut dyn FnMut(&mut Allocator)) + Sync);

/// Builds the trie of these items, of which `key` tells key and client.
///
/// They are ascending by the bits of their keys and have no bits twice.
pub(crate) fn build<T: Sync>(
    arena: &Arena,
    lend: Lend<'_>,
    items: &[T],
    key: impl Fn(&T) -> (Key, ClientId) + Sync,
) -> Trie {
    build_in_parts(arena, lend, ALONE, items, key)
}

/// As [`build`]; up to `alone` items are one thread's.
pub(super) fn build_in_parts<T: Sync>(
    arena: &Arena,
    lend: Lend<'_>,
    alone: usize,
    items: &[T],
    key: impl Fn(&T) -> (Key, ClientId) + Sync,
) -> Trie {
    debug_assert!(items.is_sorted_by(|a, b| key(a).0.bits < key(b).0.bits));
    let root = if items.is_empty() { 0 } else { Builder { arena, lend, alone, key }.branch(0, items) };
    Trie { root: AtomicU32::new(root) }
}

struct Builder<'a, F> {
    arena: &'a Arena,
    lend: Lend<'a>,
    alone: usize,
    key: F,
}

/// What a node leads to: its slots, and the items of each, ascending.
type Parts<'t, T> = Vec<(Slot, &'t [T])>;

impl<F> Builder<'_, F> {
    /// The node of these many items, its children at the same time.
    fn branch<T: Sync>(&self, level: u8, items: &[T]) -> Address
    where
        F: Fn(&T) -> (Key, ClientId) + Sync,
    {
        let mut node = 0;
        if items.len() <= self.alone {
            (self.lend)(&mut |allocator| node = self.node(allocator, level, items));
            return node;
        }
        let parts: Parts<'_, T> = self.parts(level, items).collect();
        let entries: Vec<u32> = parts
            .par_iter()
            .map(|&(_, items)| match self.level(items) {
                Err(entry) => entry,
                Ok(level) => self.branch(level, items),
            })
            .collect();
        let mut slots = Slots::new(level);
        parts.iter().zip(entries).for_each(|(&(slot, _), entry)| slots.set(slot, entry));
        (self.lend)(&mut |allocator| node = slots.write(self.arena, allocator));
        node
    }

    /// The level where these items, at least one, part; if it is one only, its entry.
    fn level<T>(&self, items: &[T]) -> Result<u8, u32>
    where
        F: Fn(&T) -> (Key, ClientId),
    {
        match items {
            [only] => Err((self.key)(only).1 | CLIENT),
            // A key that contains the others is the first; else the first and the last are farthest apart.
            [first, .., last] => {
                let ((first, _), (last, _)) = ((self.key)(first), (self.key)(last));
                Ok(((first.bits ^ last.bits).leading_zeros() as u8).min(first.len) / LEVEL_BITS)
            }
            [] => unreachable!("an entry has a key"),
        }
    }

    fn node<T>(&self, allocator: &mut Allocator, level: u8, items: &[T]) -> Address
    where
        F: Fn(&T) -> (Key, ClientId),
    {
        let mut slots = Slots::new(level);
        for (slot, items) in self.parts(level, items) {
            slots.set(
                slot,
                self.level(items).map_or_else(|entry| entry, |level| self.node(allocator, level, items)),
            );
        }
        slots.write(self.arena, allocator)
    }

    /// The slots of a node of this level.
    fn parts<'t, T>(&self, level: u8, items: &'t [T]) -> impl Iterator<Item = (Slot, &'t [T])>
    where
        F: Fn(&T) -> (Key, ClientId),
    {
        let mut rest = items;
        std::iter::from_fn(move || {
            let slot = (self.key)(rest.first()?).0.slot(level);
            let same = |item: &T| (self.key)(item).0.slot(level) == slot;
            // One key ends in one place.
            let len = if matches!(slot, Slot::Ends(_)) { 1 } else { rest.partition_point(same) };
            let (part, after) = rest.split_at(len);
            rest = after;
            Some((slot, part))
        })
    }
}

/// A node that is being made.
struct Slots {
    header: Header,
    children: [u32; 256],
    ends: [u32; 255],
}

impl Slots {
    fn new(level: u8) -> Self {
        Self { header: Header { level, ..Header::default() }, children: [0; 256], ends: [0; 255] }
    }

    fn set(&mut self, slot: Slot, entry: u32) {
        match slot {
            Slot::Ends(bit) => {
                self.header.ends.toggle(bit);
                self.ends[usize::from(bit)] = entry;
            }
            Slot::Child(bit) => {
                self.header.children.toggle(bit);
                self.children[usize::from(bit)] = entry;
            }
        }
    }

    fn write(&self, arena: &Arena, allocator: &mut Allocator) -> Address {
        let at = allocator.allocate(arena, self.header.words());
        let present = self.children.iter().chain(&self.ends).copied().filter(|&entry| entry != 0);
        write_node(arena.run(at, self.header.words()), self.header, present);
        at
    }
}

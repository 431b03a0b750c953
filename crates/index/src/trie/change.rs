//! Changing the trie: the one writer adds regions and lengths, while readers walk.

use std::sync::atomic::Ordering;

use super::{
    LARGE, LARGE_WORDS, LEVELS, Lengths, REGION, REGION_LEN, REGION_WORDS, SMALL_CHILDREN, SMALL_WORDS, Trie,
    child, half_of, place, region_of, words_of_region,
};
use crate::arena::{Address, Arena, Editor, Garbage};

/// Shift of the number of children in a small node's first word.
const COUNT_SHIFT: u32 = 16;

/// A run with these words, which no reader finds yet.
fn store(edit: &mut Editor<'_>, words: &[u64]) -> Address {
    let at = edit.allocator.allocate(edit.arena, words.len());
    // Relaxed: the node is published by the entry that leads to it.
    for (word, &value) in edit.arena.run(at, words.len()).iter().zip(words) {
        word.store(value, Ordering::Relaxed);
    }
    at
}

/// The entry of a new region.
fn new_region(edit: &mut Editor<'_>, region: u64, lengths: Lengths) -> u32 {
    let words: [u64; REGION_WORDS] = [region, lengths.short, lengths.long];
    store(edit, &words) | REGION
}

fn octet_of(region: u64, level: u32) -> u8 {
    region.to_be_bytes()[level as usize]
}

fn level_of(arena: &Arena, node: Address) -> u32 {
    u32::from(arena.word(node).load(Ordering::Relaxed) as u8)
}

/// A node of this level with two children.
fn new_node(edit: &mut Editor<'_>, level: u32, children: [(u8, u32); 2]) -> Address {
    let [(a, first), (b, second)] = children;
    let mut words = [0; SMALL_WORDS];
    // Two children are in the first slots, so that a scan ends early.
    words[0] = u64::from(level) | 2 << COUNT_SHIFT;
    words[1] = u64::from(a) | u64::from(b) << 8;
    words[2] = u64::from(first) | u64::from(second) << 32;
    store(edit, &words)
}

/// Adds a child to a node; if that is full, to a larger one, which takes its place.
fn add_child(edit: &mut Editor<'_>, node: Address, octet: u8, entry: u32) -> Option<Address> {
    let arena = edit.arena;
    let first = arena.word(node).load(Ordering::Relaxed);
    let count = (first >> COUNT_SHIFT) as u32;
    // A large node has a place for every octet, and never grows.
    if first & LARGE != 0 {
        set(arena, half_of(node + 1, octet.into()), entry);
        return None;
    }
    let octets = arena.word(node + 1).load(Ordering::Relaxed);
    if count < SMALL_CHILDREN {
        // A reader that finds the octet finds the entry.
        set(arena, half_of(node + 2, count), entry);
        // Release: a reader that sees the octet must see the entry before it.
        arena.word(node + 1).store(octets | u64::from(octet) << (8 * count), Ordering::Release);
        // The count is for the writer alone, so readers need not see it at once.
        arena.word(node).store(first + (1 << COUNT_SHIFT), Ordering::Relaxed);
        return None;
    }
    let mut words = [0; LARGE_WORDS];
    // The level stays, and the flag tells readers how to find children.
    words[0] = u64::from(first as u8) | LARGE;
    let children =
        octets.to_le_bytes().into_iter().zip(0..).map(|(octet, n)| (octet, get(arena, half_of(node + 2, n))));
    for (octet, entry) in children.chain([(octet, entry)]) {
        words[1 + usize::from(octet / 2)] |= u64::from(entry) << (32 * (octet % 2));
    }
    // Readers may still walk the small node.
    edit.garbage.push(Garbage { at: node, words: SMALL_WORDS });
    Some(store(edit, &words))
}

/// An entry's place: its word, and by how much it is shifted there.
type Half = (Address, u32);

fn get(arena: &Arena, (word, shift): Half) -> u32 {
    (arena.word(word).load(Ordering::Relaxed) >> shift) as u32
}

/// Publishes an entry; only the writer does, so that a load and a store are as good as one step.
fn set(arena: &Arena, (word, shift): Half, entry: u32) {
    let word = arena.word(word);
    // The other half of the word belongs to another child.
    let kept = word.load(Ordering::Relaxed) & !(u64::from(u32::MAX) << shift);
    word.store(kept | u64::from(entry) << shift, Ordering::Release);
}

impl Trie {
    /// Marks this length as in use around this address.
    pub(crate) fn add(&self, edit: &mut Editor<'_>, address: u128, len: u8) {
        // Mostly known already: lines that all workers read are not written without need.
        if self.around(edit.arena, &address.to_be_bytes()).contains(len) {
            return;
        }
        let lengths = Lengths::of(len);
        // Such leases are around several regions, so they are kept for the whole trie.
        if len <= REGION_LEN {
            self.wide.fetch_or(lengths.short, Ordering::Relaxed);
            return;
        }
        let region = region_of(address);
        // The first region is the root itself.
        let Some(near) = self.near(edit.arena, region) else {
            let entry = new_region(edit, region, lengths);
            return self.root.store(entry, Ordering::Release);
        };
        let [bits, short, long] = words_of_region(edit.arena, near);
        let other = bits.load(Ordering::Relaxed);
        // Levels above the first differing octet are shared.
        let parting = (other ^ region).leading_zeros() / 8;
        // Regions that differ need a node where they part.
        if parting < LEVELS {
            self.insert(edit, (region, lengths), other, parting);
        } else {
            // Lengths are only added: one that is gone costs a probe, no wrong answer.
            short.fetch_or(lengths.short, Ordering::Relaxed);
            long.fetch_or(lengths.long, Ordering::Relaxed);
        }
    }

    /// The entry of a region that agrees with this one in as many octets as any; none if there is no region.
    fn near(&self, arena: &Arena, region: u64) -> Option<u32> {
        let mut at = self.root.load(Ordering::Relaxed);
        while at & REGION == 0 {
            if at == 0 {
                return None;
            }
            // The own octet first, so that the path follows the region as far as it can.
            let towards = octet_of(region, level_of(arena, at));
            let octets = std::iter::once(towards).chain(0..=255);
            at = octets.map(|octet| child(arena, at, octet)).find(|&entry| entry != 0)?;
        }
        Some(at)
    }

    /// Adds a region, which parts at this level from this other one, and later from none.
    fn insert(&self, edit: &mut Editor<'_>, (region, lengths): (u64, Lengths), other: u64, parting: u32) {
        let arena = edit.arena;
        let (mut above, mut at) = (None, self.root.load(Ordering::Relaxed));
        // Nodes above the parting are shared by both regions.
        while at & REGION == 0 && level_of(arena, at) < parting {
            let half = place(arena, at, octet_of(region, level_of(arena, at)))
                .expect("both regions go on from here");
            (above, at) = (Some(half), get(arena, half));
        }
        let new = (octet_of(region, parting), new_region(edit, region, lengths));
        // The node at the parting level takes one more child; else a new node goes between.
        let node = if at & REGION == 0 && level_of(arena, at) == parting {
            add_child(edit, at, new.0, new.1)
        } else {
            Some(new_node(edit, parting, [new, (octet_of(other, parting), at)]))
        };
        match (node, above) {
            (Some(node), Some(half)) => set(arena, half, node),
            (Some(node), None) => self.root.store(node, Ordering::Release),
            // The child went into the node that is there, so nothing above changes.
            (None, _) => {}
        }
    }
}

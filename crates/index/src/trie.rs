//! Radix trie from delegated prefixes to clients: which lease is the longest around an address?
//!
//! Whole addresses are not in it: who asks for one finds it by its hash ([`crate::map`]), and nothing is longer.
//! Path-compressed, four bits a level: IPv6 plans cut at nibbles, so nodes fill up (a run of /56 makes nodes of 16
//! children), and all levels but the lowest stay in the cache. Designs considered: a binary radix trie (21 dependent
//! misses for 2 million leases, against 2 or 3), an adaptive trie of eight bits (delegated lengths such as /60 fall
//! inside its levels), a probe of the map for each prefix length in use (figures in `look_up.rs`: faster for one or
//! two lengths, but one more length, in one lease, changes every look-up, and 127 of them cost 127 probes).
//!
//! ```text
//! word 0    level (8, at bit 32) | prefixes that end here (15, at bit 16) | children (16)
//! then      an entry of 32 bits for each of the prefixes, then for each of the children
//! ```
//! A node at level `l` looks at the four bits from `4l` on. A prefix of length `4l..4l+4` ends in it; its bit is
//! numbered as in a heap (1 << further bits, less one, plus their value). An entry is a client (top bit set) or a
//! node. A child that leads to one prefix only is that prefix's client at once.
//!
//! Neither nodes nor entries repeat the bits that path compression skipped: what a walk meets is a *candidate*, and
//! the client's record says whether one of its leases covers the address. Every lease that does cover it is among
//! the candidates, so the longest that holds is the answer.
//!
//! Nodes are replaced, not changed, except that one entry can be overwritten by another: a reader finds the old
//! state or the new one. One writer.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::arena::{Address, Arena};
use crate::clients::{CLIENT_IDS, ClientId};
use crate::lease::PREFIX_LEN_MAX;
use crate::prefetch::prefetch;

mod build;
mod change;
#[cfg(test)]
mod tests;

pub(crate) use build::build;

/// Marks an entry as a client's; addresses in the arena stay below it, and so do client numbers.
const CLIENT: u32 = 1 << 31;
const _: () = assert!(CLIENT_IDS <= CLIENT);

const LEVEL_BITS: u8 = 4;

/// Of a header: which prefixes end in the node.
const ENDS: u32 = 0x7fff << 16;

/// For each nibble, which prefixes that end in a node lie around it.
const ENDS_AROUND: [u32; 16] = {
    let mut around = [0; 16];
    let mut nibble = 0;
    while nibble < 16 {
        let mut further = 0;
        while further < LEVEL_BITS {
            around[nibble] |= 1 << (16 + ends_bit(nibble as u8, further));
            further += 1;
        }
        nibble += 1;
    }
    around
};

/// A prefix in the trie: its bits beyond `len` are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) bits: u128,
    pub(crate) len: u8,
}

impl Key {
    /// The key of a lease; none for a whole address, which is not in the trie.
    pub(crate) fn new(address: Ipv6Addr, len: u8) -> Option<Self> {
        (len < PREFIX_LEN_MAX).then(|| Self { bits: address.into(), len })
    }

    /// Length of the longest prefix that is common to both keys.
    fn agreement(self, other: Self) -> u8 {
        ((self.bits ^ other.bits).leading_zeros() as u8).min(self.len).min(other.len)
    }

    /// Where the key leaves a node of this level.
    fn slot(self, level: u8) -> Slot {
        let end = level * LEVEL_BITS;
        debug_assert!(self.len >= end, "{self:?} ends above level {level}");
        match self.len - end {
            further @ 0..LEVEL_BITS => Slot::Ends(ends_bit(nibble(self.bits, level), further)),
            _ => Slot::Child(nibble(self.bits, level)),
        }
    }
}

/// One of the places that a node can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// For a prefix that ends in the node: 0..15.
    Ends(u8),
    /// For what goes on: 0..16.
    Child(u8),
}

fn nibble(bits: u128, level: u8) -> u8 {
    (bits >> (124 - u32::from(level * LEVEL_BITS))) as u8 & 15
}

/// Number of the prefix that fixes `further` (0..4) bits of the nibble.
const fn ends_bit(nibble: u8, further: u8) -> u8 {
    (1 << further) - 1 + (nibble >> (LEVEL_BITS - further))
}

/// What a node consists of, besides its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Header {
    level: u8,
    ends: u16,
    children: u16,
}

impl Header {
    fn unpack(word: u64) -> Self {
        Self { level: (word >> 32) as u8, ends: (word >> 16) as u16, children: word as u16 }
    }

    fn pack(self) -> u64 {
        u64::from(self.level) << 32 | u64::from(self.ends) << 16 | u64::from(self.children)
    }

    fn count(self) -> usize {
        (self.ends.count_ones() + self.children.count_ones()) as usize
    }

    fn words(self) -> usize {
        1 + self.count().div_ceil(2)
    }

    fn has(self, slot: Slot) -> bool {
        match slot {
            Slot::Ends(bit) => self.ends >> bit & 1 == 1,
            Slot::Child(bit) => self.children >> bit & 1 == 1,
        }
    }

    /// Position of the slot's entry, whether it is there or would be inserted.
    fn position(self, slot: Slot) -> usize {
        let below = |map: u16, bit: u8| (map & ((1 << bit) - 1)).count_ones();
        let position = match slot {
            Slot::Ends(bit) => below(self.ends, bit),
            Slot::Child(bit) => self.ends.count_ones() + below(self.children, bit),
        };
        position as usize
    }

    fn toggled(mut self, slot: Slot) -> Self {
        match slot {
            Slot::Ends(bit) => self.ends ^= 1 << bit,
            Slot::Child(bit) => self.children ^= 1 << bit,
        }
        self
    }
}

/// A node as found in memory.
#[derive(Clone, Copy)]
struct Node<'a> {
    at: Address,
    header: Header,
    words: &'a [AtomicU64],
}

impl<'a> Node<'a> {
    fn at(arena: &'a Arena, at: Address) -> Self {
        let words = arena.from(at);
        Self { at, header: Header::unpack(words[0].load(Ordering::Relaxed)), words }
    }

    fn entry(self, position: usize) -> u32 {
        (self.words[1 + position / 2].load(Ordering::Acquire) >> (32 * (position % 2))) as u32
    }

    fn get(self, slot: Slot) -> Option<u32> {
        self.header.has(slot).then(|| self.entry(self.header.position(slot)))
    }

    /// Overwrites one entry; only the writer does, so that a load and a store are as good as one step.
    fn set(self, position: usize, entry: u32) {
        let (word, shift) = (&self.words[1 + position / 2], 32 * (position % 2));
        let kept = word.load(Ordering::Relaxed) & !(u64::from(u32::MAX) << shift);
        word.store(kept | u64::from(entry) << shift, Ordering::Release);
    }

    fn entries(self) -> impl Iterator<Item = u32> + 'a {
        (0..self.header.count()).map(move |position| self.entry(position))
    }
}

/// The trie: its root, a node at level 0, by its address in the arena; 0 as long as nothing was ever in it.
#[derive(Default)]
pub(crate) struct Trie {
    root: AtomicU32,
}

/// Writes a node to memory that no reader finds yet.
fn write_node(words: &[AtomicU64], header: Header, entries: impl Iterator<Item = u32>) {
    words[0].store(header.pack(), Ordering::Relaxed);
    let mut half = None;
    let mut position = 1;
    for entry in entries {
        match half.take() {
            None => half = Some(entry),
            Some(low) => {
                words[position].store(u64::from(entry) << 32 | u64::from(low), Ordering::Relaxed);
                position += 1;
            }
        }
    }
    if let Some(low) = half {
        words[position].store(u64::from(low), Ordering::Relaxed);
    }
}

/// A walk from the root towards an address, node by node.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    /// 0: it is over.
    at: Address,
    /// The client at the end of the longest of them.
    candidate: ClientId,
    /// Prefixes met that may cover the address.
    met: u32,
}

impl Walk {
    /// A walk that is over.
    pub(crate) const ENDED: Self = Self { at: 0, candidate: 0, met: 0 };

    pub(crate) fn has_ended(&self) -> bool {
        self.at == 0
    }

    /// The client with the longest prefix met that may cover the address, and whether it is the only one met.
    pub(crate) fn candidate(&self) -> Option<(ClientId, bool)> {
        (self.met > 0).then_some((self.candidate, self.met == 1))
    }

    /// Looks at one node of a walk that has not ended, and asks for the memory of the next.
    #[inline]
    pub(crate) fn step(&mut self, arena: &Arena, address: u128) {
        let header = arena.word(self.at).load(Ordering::Relaxed);
        let present = header as u32;
        let nibble = nibble(address, (header >> 32) as u8);
        let around = present & ENDS_AROUND[usize::from(nibble)];
        if around != 0 {
            let deepest = around.ilog2();
            let position = (present & ENDS & ((1 << deepest) - 1)).count_ones();
            self.candidate = entry_at(arena, self.at, position) & !CLIENT;
            self.met += around.count_ones();
        }
        if present >> nibble & 1 == 0 {
            self.at = 0;
            return;
        }
        let entry = entry_at(arena, self.at, (present & (ENDS | ((1 << nibble) - 1))).count_ones());
        if entry & CLIENT == 0 {
            self.at = entry;
            prefetch(arena.word(entry));
        } else {
            self.at = 0;
            self.candidate = entry & !CLIENT;
            self.met += 1;
        }
    }
}

fn entry_at(arena: &Arena, node: Address, position: u32) -> u32 {
    let word = arena.word(node + 1 + position / 2).load(Ordering::Acquire);
    (word >> (32 * (position % 2))) as u32
}

impl Trie {
    fn root<'a>(&self, arena: &'a Arena) -> Option<Node<'a>> {
        let at = self.root.load(Ordering::Acquire);
        (at != 0).then(|| Node::at(arena, at))
    }

    /// Begins the walk towards any address.
    pub(crate) fn walk(&self) -> Walk {
        Walk { at: self.root.load(Ordering::Acquire), ..Walk::ENDED }
    }

    /// Calls `candidate` with every client that may have a prefix covering `address`, short prefixes first.
    pub(crate) fn candidates(&self, arena: &Arena, address: u128, mut candidate: impl FnMut(ClientId)) {
        let Some(mut node) = self.root(arena) else { return };
        loop {
            let nibble = nibble(address, node.header.level);
            let ends = (0..LEVEL_BITS).map(|further| Slot::Ends(ends_bit(nibble, further)));
            ends.filter_map(|slot| node.get(slot)).for_each(|entry| candidate(entry & !CLIENT));
            match node.get(Slot::Child(nibble)) {
                Some(entry) if entry & CLIENT != 0 => return candidate(entry & !CLIENT),
                Some(at) => node = Node::at(arena, at),
                None => return,
            }
        }
    }
}

//! Radix trie from delegated prefixes to clients: which lease is the longest around an address?
//!
//! Whole addresses are not in it: who asks for one finds it by its hash ([`crate::map`]), and nothing is longer.
//! Path-compressed, eight bits a level. Designs considered, CPU of a worker for an answer by prefix, coalesced, in 2
//! million leases, in one afternoon on a machine that others used (`compare --clients 1000000 --seconds 1 --gso 64
//! --window 1024`, 1 to 3 rounds): a binary radix trie (21 dependent misses, not built);
//! four bits a level, 0.74 µs (twice the steps, and in the lowest level two cache lines a look-up instead of one, as
//! the headers of many small nodes do not stay in the cache); this one, 0.57 µs; a probe of the map for each of two
//! prefix lengths in use, 0.45 µs, but one more length, in one lease, changes every look-up, and 127 of them cost 127
//! probes: the trie's cost is bounded whatever is leased.
//!
//! ```text
//! word 0    level (8) | prefixes end here (1) | zeros | children below 64, 128, 192 (8 each, from bit 40)
//! words     children (256 bits, 4 words) | prefixes that end here (255 bits, 4 words, if there are any)
//! then      an entry of 32 bits for each of the children, then for each of the prefixes
//! ```
//! A node at level `l` looks at the eight bits from `8l` on. A prefix of length `8l..8l+8` ends in it; its bit is
//! numbered as in a heap (1 << further bits, less one, plus their value). An entry is a client (top bit set) or a
//! node. A child that leads to one prefix only is that prefix's client at once. A run of /56 takes some 5 octets each.
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

const LEVEL_BITS: u8 = 8;

/// Nodes from the root on at which a walk looks without waiting: so few are there that they stay in the cache.
const NODES_AT_ONCE: usize = 3;

/// Words of a header, without the prefixes that end in the node.
const HEADER_WORDS: usize = 5;

/// In word 0: prefixes end in the node, which 4 more words tell.
const HAS_ENDS: u64 = 1 << 8;

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
            further @ 0..LEVEL_BITS => Slot::Ends(ends_bit(step_of(self.bits, level), further)),
            _ => Slot::Child(step_of(self.bits, level)),
        }
    }
}

/// One of the places that a node can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// For a prefix that ends in the node: 0..255.
    Ends(u8),
    /// For what goes on.
    Child(u8),
}

/// The bits of an address that a node of this level looks at.
fn step_of(bits: u128, level: u8) -> u8 {
    (bits >> (120 - u32::from(level * LEVEL_BITS))) as u8
}

/// Number of the prefix that fixes `further` (0..8) of these bits.
fn ends_bit(bits: u8, further: u8) -> u8 {
    let value = u16::from(bits) >> (LEVEL_BITS - further);
    ((1 << further) - 1 + value) as u8 // < 255
}

/// A set of numbers below 256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bits([u64; 4]);

impl Bits {
    fn has(self, number: u8) -> bool {
        self.0[usize::from(number) / 64] >> (number % 64) & 1 == 1
    }

    fn toggle(&mut self, number: u8) {
        self.0[usize::from(number) / 64] ^= 1 << (number % 64);
    }

    fn count(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// How many are smaller than this one.
    fn below(self, number: u8) -> usize {
        let (word, bit) = (usize::from(number) / 64, number % 64);
        let whole: u32 = self.0[..word].iter().map(|word| word.count_ones()).sum();
        (whole + (self.0[word] & ((1 << bit) - 1)).count_ones()) as usize
    }
}

/// What a node consists of, besides its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Header {
    level: u8,
    children: Bits,
    ends: Bits,
}

impl Header {
    fn read(words: &[AtomicU64]) -> Self {
        let load = |from: usize| Bits(std::array::from_fn(|at| words[from + at].load(Ordering::Relaxed)));
        let first = words[0].load(Ordering::Relaxed);
        let ends = if first & HAS_ENDS == 0 { Bits::default() } else { load(HEADER_WORDS) };
        Self { level: first as u8, children: load(1), ends }
    }

    fn write(self, words: &[AtomicU64]) {
        let has_ends = if self.has_ends() { HAS_ENDS } else { 0 };
        let below = |shift: u32, number: u8| (self.children.below(number) as u64) << shift; // ≤ 192
        let first = u64::from(self.level) | has_ends | below(40, 64) | below(48, 128) | below(56, 192);
        let ends = self.ends.0.into_iter().take(if self.has_ends() { 4 } else { 0 });
        for (word, value) in words.iter().zip([first].into_iter().chain(self.children.0).chain(ends)) {
            word.store(value, Ordering::Relaxed);
        }
    }

    fn has_ends(self) -> bool {
        self.ends != Bits::default()
    }

    fn header_words(self) -> usize {
        HEADER_WORDS + if self.has_ends() { 4 } else { 0 }
    }

    fn count(self) -> usize {
        self.ends.count() + self.children.count()
    }

    fn words(self) -> usize {
        self.header_words() + self.count().div_ceil(2)
    }

    fn has(self, slot: Slot) -> bool {
        match slot {
            Slot::Ends(bit) => self.ends.has(bit),
            Slot::Child(bit) => self.children.has(bit),
        }
    }

    /// Position of the slot's entry, whether it is there or would be inserted.
    fn position(self, slot: Slot) -> usize {
        match slot {
            Slot::Child(bit) => self.children.below(bit),
            Slot::Ends(bit) => self.children.count() + self.ends.below(bit),
        }
    }

    fn toggled(mut self, slot: Slot) -> Self {
        match slot {
            Slot::Ends(bit) => self.ends.toggle(bit),
            Slot::Child(bit) => self.children.toggle(bit),
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
        Self { at, header: Header::read(words), words }
    }

    fn entry(self, position: usize) -> u32 {
        let word = &self.words[self.header.header_words() + position / 2];
        (word.load(Ordering::Acquire) >> (32 * (position % 2))) as u32
    }

    fn get(self, slot: Slot) -> Option<u32> {
        self.header.has(slot).then(|| self.entry(self.header.position(slot)))
    }

    /// Overwrites one entry; only the writer does, so that a load and a store are as good as one step.
    fn set(self, position: usize, entry: u32) {
        let word = &self.words[self.header.header_words() + position / 2];
        let shift = 32 * (position % 2);
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
    header.write(words);
    let mut half = None;
    let mut position = header.header_words();
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

/// A walk from the root towards an address, each of its steps over memory that the step before has asked for.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    /// Where what it looks at next lies; 0: it is over.
    at: Address,
    ahead: Ahead,
    /// The client at the end of the longest of the prefixes met.
    candidate: ClientId,
    /// Prefixes met that may cover the address.
    met: u32,
}

/// What a walk looks at next.
#[derive(Clone, Copy)]
enum Ahead {
    /// The header of a node.
    Node,
    /// An entry in the lower half of a word.
    Lower,
    /// An entry in the upper half of a word.
    Upper,
}

impl Walk {
    /// A walk that is over.
    pub(crate) const ENDED: Self = Self { at: 0, ahead: Ahead::Node, candidate: 0, met: 0 };

    /// Begins towards an address: behind the first nodes, which walks keep in the cache.
    #[inline]
    pub(crate) fn begin(&mut self, trie: &Trie, arena: &Arena, address: &[u8; 16]) {
        self.at = trie.root.load(Ordering::Acquire);
        for _ in 0..NODES_AT_ONCE {
            if self.has_ended() || !self.look_at_node(arena, address) || !self.follow(arena) {
                return;
            }
        }
        self.prefetch(arena);
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.at == 0
    }

    /// The client with the longest prefix met that may cover the address.
    pub(crate) fn candidate(&self) -> Option<ClientId> {
        (self.met > 0).then_some(self.candidate)
    }

    /// Whether no other prefix than the candidate's may cover the address.
    pub(crate) fn has_met_one(&self) -> bool {
        self.met == 1
    }

    /// Goes on, unless the walk has ended, and asks for the memory of the next step.
    #[inline]
    pub(crate) fn step(&mut self, arena: &Arena, address: &[u8; 16]) {
        match self.ahead {
            Ahead::Node => {
                if self.look_at_node(arena, address) {
                    prefetch(arena.word(self.at));
                }
            }
            Ahead::Lower | Ahead::Upper => {
                if self.follow(arena) {
                    self.prefetch(arena);
                }
            }
        }
    }

    /// Asks for the header of the node ahead.
    #[inline]
    fn prefetch(&self, arena: &Arena) {
        prefetch(arena.word(self.at));
        prefetch(arena.word(self.at + HEADER_WORDS as u32 - 1));
    }

    /// From a node to the entry that leads on; false if there is none, and the walk has ended.
    #[inline]
    fn look_at_node(&mut self, arena: &Arena, address: &[u8; 16]) -> bool {
        let first = arena.word(self.at).load(Ordering::Relaxed);
        let bits = address[first as usize % 16]; // levels are below 16
        if first & HAS_ENDS != 0 {
            self.meet_ends(arena, bits);
        }
        let (quarter, bit) = (u32::from(bits / 64), bits % 64);
        let children = arena.word(self.at + 1 + quarter).load(Ordering::Relaxed);
        if children >> bit & 1 == 0 {
            self.at = 0;
            return false;
        }
        let below = (first >> (32 + 8 * quarter)) as u32 & 0xff; // for the first quarter, zeros lie there
        let position = below + (children & ((1 << bit) - 1)).count_ones();
        let header_words = if first & HAS_ENDS == 0 { HEADER_WORDS } else { HEADER_WORDS + 4 };
        self.at += header_words as u32 + position / 2;
        self.ahead = if position.is_multiple_of(2) { Ahead::Lower } else { Ahead::Upper };
        true
    }

    /// From an entry to the node that it names; false if it names a client, and the walk has ended.
    #[inline]
    fn follow(&mut self, arena: &Arena) -> bool {
        let word = arena.word(self.at).load(Ordering::Acquire);
        let entry = if matches!(self.ahead, Ahead::Lower) { word as u32 } else { (word >> 32) as u32 };
        if entry & CLIENT == 0 {
            (self.at, self.ahead) = (entry, Ahead::Node);
            return true;
        }
        self.at = 0;
        self.candidate = entry & !CLIENT;
        self.met += 1;
        false
    }

    /// Takes note of the prefixes that end in the node and may cover the address; the longest is the candidate.
    #[cold]
    fn meet_ends(&mut self, arena: &Arena, bits: u8) {
        let node = Node::at(arena, self.at);
        for further in 0..LEVEL_BITS {
            if let Some(entry) = node.get(Slot::Ends(ends_bit(bits, further))) {
                self.candidate = entry & !CLIENT;
                self.met += 1;
            }
        }
    }
}

impl Trie {
    fn root<'a>(&self, arena: &'a Arena) -> Option<Node<'a>> {
        let at = self.root.load(Ordering::Acquire);
        (at != 0).then(|| Node::at(arena, at))
    }

    /// Calls `candidate` with every client that may have a prefix covering `address`, short prefixes first.
    pub(crate) fn candidates(&self, arena: &Arena, address: u128, mut candidate: impl FnMut(ClientId)) {
        let Some(mut node) = self.root(arena) else { return };
        loop {
            let bits = step_of(address, node.header.level);
            let ends = (0..LEVEL_BITS).map(|further| Slot::Ends(ends_bit(bits, further)));
            ends.filter_map(|slot| node.get(slot)).for_each(|entry| candidate(entry & !CLIENT));
            match node.get(Slot::Child(bits)) {
                Some(entry) if entry & CLIENT != 0 => return candidate(entry & !CLIENT),
                Some(at) => node = Node::at(arena, at),
                None => return,
            }
        }
    }
}

//! Radix trie from addresses and prefixes to clients: which lease is the longest that covers an address?
//!
//! Path-compressed, four bits a level: IPv6 plans cut at nibbles, so nodes fill up (a run of /56 makes nodes of 16
//! children), and all levels but the lowest stay in the cache. Designs considered: a binary radix trie (21 dependent
//! misses for 2 million leases, against 2 or 3), an adaptive trie of eight bits (delegated lengths such as /60 fall
//! inside its levels), a hash table for each prefix length (as many probes as there are lengths in use, and a lease
//! of a new length changes every look-up).
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
use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::{Address, Allocator, Arena};

pub(crate) mod build;
#[cfg(test)]
mod tests;

/// Number of a client; names its record for as long as it has one.
pub(crate) type ClientId = u32;

/// Client numbers stay below this: an entry has 31 bits for them.
pub(crate) const CLIENT_IDS: u32 = 1 << 31;

const CLIENT: u32 = CLIENT_IDS;
const LEVEL_BITS: u8 = 4;

/// A prefix in the trie: its bits beyond `len` are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) bits: u128,
    pub(crate) len: u8,
}

impl Key {
    pub(crate) fn new(address: Ipv6Addr, len: u8) -> Self {
        Self { bits: address.into(), len }
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
fn ends_bit(nibble: u8, further: u8) -> u8 {
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

/// A run of memory that is linked from nowhere any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Garbage {
    pub(crate) at: Address,
    pub(crate) words: usize,
}

/// The trie: its root, an address in the arena. The root node is always there, at level 0.
pub(crate) struct Trie {
    root: AtomicU64,
}

/// What the writer needs to change the trie.
pub(crate) struct Editor<'a> {
    pub(crate) arena: &'a Arena,
    pub(crate) allocator: &'a mut Allocator,
    pub(crate) garbage: &'a mut Vec<Garbage>,
}

impl Editor<'_> {
    fn node(&mut self, header: Header, entries: impl Iterator<Item = u32>) -> Address {
        let at = self.allocator.allocate(self.arena, header.words());
        write_node(self.arena.run(at, header.words()), header, entries);
        at
    }

    /// A copy of the node in which this slot has this entry, or none.
    fn copy(&mut self, node: Node<'_>, slot: Slot, entry: Option<u32>) -> Address {
        let position = node.header.position(slot);
        let skipped = usize::from(entry.is_none());
        let (before, after) = (node.entries().take(position), node.entries().skip(position + skipped));
        self.garbage.push(Garbage { at: node.at, words: node.header.words() });
        self.node(node.header.toggled(slot), before.chain(entry).chain(after))
    }
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
    address: u128,
    /// 0: it is over.
    at: Address,
}

impl Walk {
    /// A walk that is over.
    pub(crate) const ENDED: Self = Self { address: 0, at: 0 };

    pub(crate) fn ended(&self) -> bool {
        self.at == 0
    }

    /// Looks at one node: calls `candidate` with the clients that it names, short prefixes first, and goes on.
    pub(crate) fn step(&mut self, arena: &Arena, mut candidate: impl FnMut(ClientId)) {
        let node = Node::at(arena, self.at);
        let nibble = nibble(self.address, node.header.level);
        if node.header.ends != 0 {
            for further in 0..LEVEL_BITS {
                if let Some(entry) = node.get(Slot::Ends(ends_bit(nibble, further))) {
                    candidate(entry & !CLIENT);
                }
            }
        }
        self.at = match node.get(Slot::Child(nibble)) {
            Some(entry) if entry & CLIENT != 0 => {
                candidate(entry & !CLIENT);
                0
            }
            Some(at) => at,
            None => 0,
        };
    }
}

/// Where the entry that leads to a node stands.
#[derive(Clone, Copy)]
enum Parent<'a> {
    Root,
    Entry(Node<'a>, usize),
}

impl Trie {
    /// An empty trie.
    pub(crate) fn new(arena: &Arena, allocator: &mut Allocator) -> Self {
        let header = Header::default();
        let at = allocator.allocate(arena, header.words());
        write_node(arena.run(at, header.words()), header, std::iter::empty());
        Self { root: AtomicU64::new(u64::from(at)) }
    }

    fn root<'a>(&self, arena: &'a Arena) -> Node<'a> {
        Node::at(arena, self.root.load(Ordering::Acquire) as Address)
    }

    /// Begins the walk towards an address.
    pub(crate) fn walk(&self, address: u128) -> Walk {
        Walk { address, at: self.root.load(Ordering::Acquire) as Address }
    }

    /// Calls `candidate` with every client that may have a lease covering `address`, short prefixes first.
    pub(crate) fn candidates(&self, arena: &Arena, address: u128, mut candidate: impl FnMut(ClientId)) {
        let mut walk = self.walk(address);
        while !walk.ended() {
            walk.step(arena, &mut candidate);
        }
    }

    /// Any client of the subtree in which `key` belongs, found without looking at skipped bits.
    fn neighbour(&self, arena: &Arena, key: Key) -> Option<ClientId> {
        let mut node = self.root(arena);
        loop {
            let reaches = key.len >= node.header.level * LEVEL_BITS;
            let wished = if reaches { node.get(key.slot(node.header.level)) } else { None };
            let entry = wished.or_else(|| node.entries().next())?;
            if entry & CLIENT != 0 {
                return Some(entry & !CLIENT);
            }
            node = Node::at(arena, entry);
        }
    }

    /// Puts `client` at `key`, in place of whoever was there.
    ///
    /// `keys_of` names all keys of a client that are in the trie, and none that is not: they stand in for the bits
    /// that nodes do not repeat.
    pub(crate) fn insert(
        &self,
        edit: &mut Editor<'_>,
        key: Key,
        client: ClientId,
        keys_of: impl Fn(ClientId, &mut dyn FnMut(Key)),
    ) {
        let closest = self.neighbour(edit.arena, key).and_then(|neighbour| {
            let mut closest: Option<Key> = None;
            keys_of(neighbour, &mut |other| {
                if closest.is_none_or(|best| key.agreement(other) > key.agreement(best)) {
                    closest = Some(other);
                }
            });
            closest
        });
        let (mut parent, mut node) = (Parent::Root, self.root(edit.arena));
        loop {
            let slot = key.slot(node.header.level);
            let Some(entry) = node.get(slot) else {
                let at = edit.copy(node, slot, Some(client | CLIENT));
                return self.point(parent, at);
            };
            let position = node.header.position(slot);
            let closest = closest.expect("a trie with an entry has a neighbour for every key");
            let agreed = key.agreement(closest);
            if let Slot::Ends(_) = slot {
                return node.set(position, client | CLIENT);
            }
            if entry & CLIENT == 0 {
                let below = Node::at(edit.arena, entry);
                if agreed >= below.header.level * LEVEL_BITS {
                    (parent, node) = (Parent::Entry(node, position), below);
                    continue;
                }
            } else if agreed == key.len && agreed == closest.len {
                return node.set(position, client | CLIENT);
            }
            let at = split(edit, agreed / LEVEL_BITS, (key, client | CLIENT), (closest, entry));
            return node.set(position, at);
        }
    }

    /// Takes `key`, which is there and leads to `client`, out.
    pub(crate) fn remove(&self, edit: &mut Editor<'_>, key: Key, client: ClientId) -> Result<(), Absent> {
        let (mut parent, mut node) = (Parent::Root, self.root(edit.arena));
        loop {
            if key.len < node.header.level * LEVEL_BITS {
                return Err(Absent);
            }
            let slot = key.slot(node.header.level);
            match node.get(slot).ok_or(Absent)? {
                entry if entry == client | CLIENT => {
                    self.cut(edit, parent, node, slot);
                    return Ok(());
                }
                entry if entry & CLIENT != 0 => return Err(Absent),
                at => {
                    parent = Parent::Entry(node, node.header.position(slot));
                    node = Node::at(edit.arena, at);
                }
            }
        }
    }

    /// Removes one entry of a node, and the node itself if one entry is left that its parent can hold.
    fn cut(&self, edit: &mut Editor<'_>, parent: Parent<'_>, node: Node<'_>, slot: Slot) {
        if let (Parent::Entry(above, position), 2) = (parent, node.header.count()) {
            let last = node.entry(1 - node.header.position(slot));
            above.set(position, last);
            edit.garbage.push(Garbage { at: node.at, words: node.header.words() });
        } else {
            let at = edit.copy(node, slot, None);
            self.point(parent, at);
        }
    }

    fn point(&self, parent: Parent<'_>, at: Address) {
        match parent {
            Parent::Root => self.root.store(u64::from(at), Ordering::Release),
            Parent::Entry(node, position) => node.set(position, at),
        }
    }
}

/// The key that was to be removed is not in the trie: the writer's books are wrong.
#[derive(Debug)]
pub(crate) struct Absent;

/// A node of this level with two entries; the keys part in it.
fn split(edit: &mut Editor<'_>, level: u8, one: (Key, u32), other: (Key, u32)) -> Address {
    let (a, b) = (one.0.slot(level), other.0.slot(level));
    debug_assert_ne!(a, b, "{one:?} and {other:?} part at level {level}");
    let header = Header { level, ..Header::default() }.toggled(a).toggled(b);
    let first_is_one = header.position(a) == 0;
    let (first, second) = if first_is_one { (one.1, other.1) } else { (other.1, one.1) };
    edit.node(header, [first, second].into_iter())
}

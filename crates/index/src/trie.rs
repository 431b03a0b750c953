//! Radix trie over the regions of the address space that have leases, to the prefix lengths in use in each.
//!
//! A region is 40 bits long, and an operator has few of them, so that the trie stays in the cache however
//! many leases there are. A lookup by address walks to the address's region, and then probes the map by
//! address ([`crate::map`]) once for each length in use there, longest first: a lease of that length begins
//! at the address cut to it. Mostly one length is in use, and the first probe finds the lease. `DESIGN.md`
//! compares the designs.
//!
//! ```text
//! small     level (8) | is large: 0 (1) | number of children, 1 to 8 (8, from bit 16)
//!           their octets, one after the other from the lowest bits; zeros
//!           an entry of 32 bits for each, then zeros: 4 words
//! large     level (8) | is large: 1 (1)
//!           an entry of 32 bits for each octet, or 0: 128 words
//! entry     a node, or (top bit set) a region
//! region    its 40 bits, zeros
//!           lengths in use, 41 to 64, by bit (length - 1)
//!           lengths in use, 65 to 128, by bit (length - 65)
//! ```
//! Two kinds of nodes are an adaptive radix tree's (Leis et al., ICDE 2013): a few children are found by one
//! comparison of eight octets at once, many by their place. A bitmap with counts, as the trie of all prefixes
//! had, takes 25 instructions more a node where the processor's own count of bits is not to be relied on
//! (x86-64 at its baseline). A node at level `l` looks at octet `l` of an address; levels in which all
//! regions agree have no node. Leases of at most 40 bits have no region: their lengths count everywhere.
//!
//! Lengths are added, and stay until the next snapshot: one that is not in use any more costs a probe that
//! finds nothing. Children are added in place, each by one word that is stored last; only a small node that
//! is full is replaced. One writer.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::arena::{Address, Arena};

mod change;
mod lengths;
#[cfg(test)]
mod tests;

pub(crate) use lengths::Lengths;

/// Bits of a region.
const REGION_LEN: u8 = 40;

/// Octets of a region: levels of the trie.
const LEVELS: u32 = REGION_LEN as u32 / 8;

/// Marks an entry as a region's; addresses in the arena stay below it.
const REGION: u32 = 1 << 31;

const REGION_WORDS: usize = 3;

/// Bit of a large node's first word.
const LARGE: u64 = 1 << 8;

/// Children that a small node has at most.
const SMALL_CHILDREN: u32 = 8;

const SMALL_WORDS: usize = 2 + SMALL_CHILDREN as usize / 2;
const LARGE_WORDS: usize = 1 + 256 / 2;

/// The trie.
#[derive(Default)]
pub(crate) struct Trie {
    /// The entry that leads to all; 0 as long as there is no region.
    root: AtomicU32,
    /// Lengths of leases that are no smaller than a region, as in [`Lengths`].
    wide: AtomicU64,
}

/// The region of an address, in the upper bits of a word.
pub(crate) fn region_of(address: u128) -> u64 {
    (address >> 64) as u64 >> (64 - REGION_LEN) << (64 - REGION_LEN)
}

impl Trie {
    /// The lengths of all leases that may be around this address; of others, few.
    #[inline(always)]
    pub(crate) fn around(&self, arena: &Arena, address: &[u8; 16]) -> Lengths {
        // Leases wider than a region are around many, so they are kept apart.
        let wide = Lengths { short: self.wide.load(Ordering::Relaxed), long: 0 };
        let mut entry = self.root.load(Ordering::Acquire);
        while entry & REGION == 0 {
            // A path that ends has no leases below it.
            if entry == 0 {
                return wide;
            }
            let level = arena.word(entry).load(Ordering::Relaxed) as usize % 16; // below 5
            entry = child(arena, entry, address[level]);
        }
        let [region, short, long] =
            words_of_region(arena, entry).each_ref().map(|word| word.load(Ordering::Relaxed));
        // Paths are cut short where there is one region, so the region itself has the last word.
        if region == region_of(u128::from_be_bytes(*address)) {
            Lengths { short: short | wide.short, long }
        } else {
            wide
        }
    }
}

/// The words of the region that this entry leads to.
#[inline]
fn words_of_region(arena: &Arena, entry: u32) -> &[AtomicU64; REGION_WORDS] {
    arena.from(entry & !REGION).first_chunk().expect("the arena's last words are never handed out")
}

/// The entry by which a node leads on, given the octet of its level; 0 if there is none.
#[inline]
fn child(arena: &Arena, node: Address, octet: u8) -> u32 {
    let half = place(arena, node, octet);
    half.map_or(0, |(word, shift)| (arena.word(word).load(Ordering::Acquire) >> shift) as u32)
}

/// Position of a node's entry for this octet.
#[inline]
fn place(arena: &Arena, node: Address, octet: u8) -> Option<(Address, u32)> {
    // A large node has a place for every octet.
    if arena.word(node).load(Ordering::Relaxed) & LARGE != 0 {
        return Some(half_of(node + 1, octet.into()));
    }
    let octets = arena.word(node + 1).load(Ordering::Acquire);
    position(octets, octet).map(|position| half_of(node + 2, position))
}

/// Word and shift of an entry at this position, of the entries from a word on.
#[inline]
fn half_of(entries: Address, position: u32) -> (Address, u32) {
    (entries + position / 2, 32 * (position % 2))
}

/// Position of the first of eight octets, from the lowest bits on, that equals this one.
#[inline]
fn position(octets: u64, octet: u8) -> Option<u32> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    let differing = octets ^ (ONES * u64::from(octet));
    // The top bit of each octet that is zero, and perhaps of ones behind it.
    let zero = differing.wrapping_sub(ONES) & !differing & (ONES << 7);
    (zero != 0).then(|| zero.trailing_zeros() / 8)
}

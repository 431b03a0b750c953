//! Rows on their way through a load, cut into partitions by the top bits of a hash, in blocks of the arena.
//!
//! ```text
//! row   number (46) | has options (1) | is a prefix (1) | prefix length (8) | DUID length (8); 0: a removal
//!       first half of the address, and the second unless a prefix of at most 64 bits
//!       valid lifetime (32) | preferred lifetime (32); cltt (32) | subnet id (32); the DUID; the option block
//! ```
//! 48 or 56 octets for a lease of a client with a DUID of 14 octets; a removal has the number and the address only.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::{Address, Allocator, Arena, BLOCK_WORDS};
use crate::clients::{CLIENT_IDS, ClientId};
use crate::lease::{Lease, LeaseKind, address_hash};
use crate::options::block_len;
use crate::record::{copy_octets, push_octets};

/// As many as a thread can write to in turn while their ends stay in its cache, and so many that one of 20 million
/// leases is small beside it.
const PARTITION_BITS: u32 = 8;
pub(super) const PARTITIONS: usize = 1 << PARTITION_BITS;

/// Row numbers stay below this.
pub(super) const ROW_NUMBERS: u64 = 1 << (64 - NUMBER_SHIFT);
const NUMBER_SHIFT: u32 = 18;
const HAS_OPTIONS: u64 = 1 << 17;
const IS_PREFIX: u64 = 1 << 16;

/// The partition of what has this hash.
pub(super) fn partition_of(hash: u64) -> usize {
    (hash >> (64 - PARTITION_BITS)) as usize
}

/// A client and the part of a hash that a map keeps, in one word: with the partition, the first 44 bits of the hash.
pub(super) fn entry(hash: u64, client: ClientId) -> u64 {
    hash << PARTITION_BITS & !u64::from(CLIENT_IDS - 1) | u64::from(client)
}

/// The hash, as far as it was kept, and the client of an entry of this partition.
pub(super) fn hash_and_client(partition: usize, entry: u64) -> (u64, ClientId) {
    let mask = u64::from(CLIENT_IDS - 1);
    let hash = (partition as u64) << (64 - PARTITION_BITS) | (entry & !mask) >> PARTITION_BITS;
    (hash, (entry & mask) as ClientId)
}

/// A run of words that is being filled, or was.
#[derive(Clone, Copy)]
pub(super) struct Block {
    at: Address,
    words: usize,
    used: usize,
}

impl Block {
    /// What was written to it.
    pub(super) fn contents(self, arena: &Arena) -> &[AtomicU64] {
        arena.run(self.at, self.used)
    }

    /// Gives it back.
    pub(super) fn free(self, allocator: &mut Allocator) {
        allocator.free(self.at, self.words);
    }
}

/// What one thread has written, by partition.
pub(super) struct Staged(Vec<Vec<Block>>);

impl Staged {
    pub(super) fn new() -> Self {
        Self(vec![Vec::new(); PARTITIONS])
    }

    /// Appends an item, of one word or more, to the partition of this hash.
    pub(super) fn push(
        &mut self,
        arena: &Arena,
        allocator: &mut Allocator,
        hash: u64,
        item: impl ExactSizeIterator<Item = u64>,
    ) {
        let blocks = &mut self.0[partition_of(hash)];
        if blocks.last().is_none_or(|block| block.words - block.used < item.len()) {
            let words = item.len().max(BLOCK_WORDS);
            blocks.push(Block { at: allocator.allocate(arena, words), words, used: 0 });
        }
        let Some(block) = blocks.last_mut() else { return };
        let at = block.at + block.used as Address;
        block.used += item.len();
        for (word, value) in arena.run(at, item.len()).iter().zip(item) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// The partitions of several threads, each in one list.
    pub(super) fn merged(parts: impl Iterator<Item = Self>) -> Vec<Vec<Block>> {
        let mut merged = vec![Vec::new(); PARTITIONS];
        for part in parts {
            merged.iter_mut().zip(part.0).for_each(|(all, blocks)| all.extend(blocks));
        }
        merged
    }
}

/// A row, in a block.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    words: &'a [AtomicU64],
}

/// The rows of a block.
pub(super) fn rows(mut words: &[AtomicU64]) -> impl Iterator<Item = Row<'_>> {
    std::iter::from_fn(move || {
        let len = Row { words: words.get(..).filter(|words| !words.is_empty())? }.len();
        let (row, rest) = words.split_at(len);
        words = rest;
        Some(Row { words: row })
    })
}

/// Writes a lease with its options packed, or without a lease the removal of what is on the address.
pub(super) fn compose(out: &mut Vec<u64>, number: u64, address: u128, lease: Option<&Lease<'_>>) {
    out.clear();
    let prefix_len = lease.map_or(128, |lease| lease.prefix_len);
    let mut head = number << NUMBER_SHIFT | u64::from(prefix_len) << 8;
    out.extend([head, (address >> 64) as u64]);
    if prefix_len > 64 {
        out.push(address as u64);
    }
    let Some(lease) = lease else { return };
    head |= lease.duid.len() as u64; // ≤ 130
    head |= if lease.kind == LeaseKind::Prefix { IS_PREFIX } else { 0 };
    head |= if lease.options.is_empty() { 0 } else { HAS_OPTIONS };
    out[0] = head;
    out.push(u64::from(lease.valid_lifetime) << 32 | u64::from(lease.preferred_lifetime));
    out.push(u64::from(lease.cltt) << 32 | u64::from(lease.subnet_id));
    push_octets(out, lease.duid);
    push_octets(out, lease.options);
}

impl<'a> Row<'a> {
    fn word(self, at: usize) -> u64 {
        self.words[at].load(Ordering::Relaxed)
    }

    /// The words as they are.
    pub(super) fn copy(self) -> impl ExactSizeIterator<Item = u64> + 'a {
        self.words.iter().map(|word| word.load(Ordering::Relaxed))
    }

    pub(super) fn number(self) -> u64 {
        self.word(0) >> NUMBER_SHIFT
    }

    pub(super) fn is_removal(self) -> bool {
        self.duid_len() == 0
    }

    fn duid_len(self) -> usize {
        self.word(0) as usize & 0xff
    }

    fn prefix_len(self) -> u8 {
        (self.word(0) >> 8) as u8
    }

    fn has_options(self) -> bool {
        self.word(0) & HAS_OPTIONS != 0
    }

    pub(super) fn address(self) -> u128 {
        let low = if self.prefix_len() > 64 { self.word(2) } else { 0 };
        u128::from(self.word(1)) << 64 | u128::from(low)
    }

    pub(super) fn address_hash(self) -> u64 {
        address_hash(self.address())
    }

    /// Where the words behind the address begin.
    fn fixed_at(self) -> usize {
        2 + usize::from(self.prefix_len() > 64)
    }

    fn options_at(self) -> usize {
        self.fixed_at() + 2 + self.duid_len().div_ceil(8)
    }

    /// Words of a row that these words begin with.
    fn len(self) -> usize {
        if self.is_removal() {
            return self.fixed_at();
        }
        let options = if self.has_options() { block_len(self.word(self.options_at())) } else { 0 };
        self.options_at() + options.div_ceil(8)
    }

    /// Appends the DUID.
    pub(super) fn copy_duid(self, out: &mut Vec<u8>) {
        copy_to(&self.words[self.fixed_at() + 2..], self.duid_len(), out);
    }

    /// Appends the option block.
    pub(super) fn copy_options(self, out: &mut Vec<u8>) {
        if self.has_options() {
            let at = self.options_at();
            copy_to(&self.words[at..], block_len(self.word(at)), out);
        }
    }

    /// The lease, with this DUID and options.
    pub(super) fn lease<'l>(self, duid: &'l [u8], options: &'l [u8]) -> Lease<'l> {
        let (lifetimes, times) = (self.word(self.fixed_at()), self.word(self.fixed_at() + 1));
        Lease {
            address: Ipv6Addr::from(self.address()),
            prefix_len: self.prefix_len(),
            kind: if self.word(0) & IS_PREFIX != 0 { LeaseKind::Prefix } else { LeaseKind::Address },
            duid,
            valid_lifetime: (lifetimes >> 32) as u32,
            preferred_lifetime: lifetimes as u32,
            cltt: (times >> 32) as u32,
            subnet_id: times as u32,
            options,
        }
    }
}

fn copy_to(words: &[AtomicU64], len: usize, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + len, 0);
    copy_octets(words, 0, &mut out[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_what_maps_need() {
        let hash = 0x89ab_cdef_0123_4567;
        let (kept, client) = hash_and_client(partition_of(hash), entry(hash, CLIENT_IDS - 1));
        assert_eq!((kept >> 20, client), (hash >> 20, CLIENT_IDS - 1));
        const { assert!(44 >= crate::map::HASH_BITS_KEPT) };
    }

    #[test]
    fn rows_come_back_as_they_were_written() {
        let (arena, mut allocator) = (Arena::new(), Allocator::new());
        let mut staged = Staged::new();
        let duid: Vec<u8> = (0..130).collect();
        let block = [&[0, 3, 0, 3, 0, 0, 0, 0][..], &[1, 2, 3]].concat();
        let long = [&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0][..], &[9; 65_535]].concat();
        let lease = |prefix_len, duid_len, options| Lease {
            address: "2001:db8:1:2:8000::".parse().unwrap(),
            prefix_len,
            kind: if prefix_len == 128 { LeaseKind::Address } else { LeaseKind::Prefix },
            duid: &duid[..duid_len],
            valid_lifetime: u32::MAX,
            preferred_lifetime: 7,
            cltt: 1_700_000_000,
            subnet_id: u32::MAX - 1,
            options,
        };
        let leases =
            [lease(128, 1, &block[..]), lease(65, 8, &[]), lease(80, 130, &long), lease(128, 14, &[])];
        let (mut words, mut number) = (Vec::new(), ROW_NUMBERS - 100);
        for lease in leases.iter().flat_map(|lease| [Some(lease), None]) {
            compose(&mut words, number, leases[0].address.into(), lease);
            staged.push(&arena, &mut allocator, 0, words.iter().copied());
            number += 1;
        }
        let blocks = &Staged::merged([staged].into_iter())[0];
        assert_eq!(blocks.len(), 3, "one before the long row, its own, one after");
        let read: Vec<_> = blocks.iter().flat_map(|block| rows(block.contents(&arena))).collect();
        assert_eq!(read.len(), 8);
        for (n, row) in read.iter().enumerate() {
            assert_eq!((row.number(), row.is_removal()), (ROW_NUMBERS - 100 + n as u64, n % 2 == 1));
            assert_eq!(Ipv6Addr::from(row.address()), leases[0].address);
            if n % 2 == 0 {
                let (mut duid, mut options) = (Vec::new(), Vec::new());
                row.copy_duid(&mut duid);
                row.copy_options(&mut options);
                assert_eq!(row.lease(&duid, &options), leases[n / 2]);
            }
        }
    }
}

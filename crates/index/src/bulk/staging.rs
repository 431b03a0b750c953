//! Rows on their way through a load, cut into partitions by the top bits of a hash, in blocks of the arena.
//!
//! ```text
//! row    number (44) | same client (1) | same options (1) | has options (1) | is a prefix (1) |
//!        prefix length (8) | DUID length (8)
//!        first half of the address, and the second unless a prefix of at most 64 bits
//!        valid lifetime (32) | preferred lifetime (32); cltt (32) | subnet id (32)
//!        the DUID, unless the client is that of the row before
//!        the option block, if it has options, unless they are those of the row before
//! claim  first 44 bits of an address's hash, without the partition's own | client (28); number
//! end    the address, two words; number
//! ```
//! A lease takes 48 or 56 octets and its options if its client has a DUID of 14 octets, the next of the same
//! client 32 or 40.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::{Address, Allocator, Arena, BLOCK_WORDS};
use crate::clients::ClientId;
use crate::lease::{Lease, LeaseKind};
use crate::map::{PARTITION_BITS, partition_of};
use crate::octets::push_octets;
use crate::options::block_len;
use crate::record::Entry;
use crate::room::CLIENT_IDS;

/// Number of partitions, as in the maps: few enough that their ends stay in a thread's cache, and so many
/// that one of 20 million leases fits into it.
pub(super) const PARTITIONS: usize = 1 << PARTITION_BITS;

/// Row numbers stay below this.
pub(super) const ROW_NUMBERS: u64 = 1 << (64 - NUMBER_SHIFT);
const NUMBER_SHIFT: u32 = 20;
const SAME_CLIENT: u64 = 1 << 19;
const SAME_OPTIONS: u64 = 1 << 18;
const HAS_OPTIONS: u64 = 1 << 17;
const IS_PREFIX: u64 = 1 << 16;

/// Most words of a row before DUID and options.
const FIXED_WORDS: usize = 5;

/// Words of a claim, and of an end.
const CLAIM_WORDS: usize = 2;
const END_WORDS: usize = 3;

/// The bits of a hash that a claim keeps.
pub(super) fn kept(hash: u64) -> u64 {
    hash & !(u64::from(CLIENT_IDS - 1) >> PARTITION_BITS)
}

/// A record's claim on an address, by the address's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The bits that are [`kept`].
    pub(super) hash: u64,
    pub(super) client: ClientId,
    /// Number of the row.
    pub(super) number: u64,
}

impl Claim {
    pub(super) fn words(self) -> [u64; CLAIM_WORDS] {
        // The low bits give way to the client number; the partition restores the high ones.
        [self.hash << PARTITION_BITS & !u64::from(CLIENT_IDS - 1) | u64::from(self.client), self.number]
    }
}

/// The claims of a partition, in the order in which each thread made its own.
pub(super) fn claims(arena: &Arena, partition: usize, blocks: &[Block]) -> impl Iterator<Item = Claim> {
    items::<CLAIM_WORDS>(arena, blocks).map(move |[entry, number]| {
        let mask = u64::from(CLIENT_IDS - 1);
        // The partition's bits were shifted out, and come back from the block's place.
        let hash = (partition as u64) << (64 - PARTITION_BITS) | (entry & !mask) >> PARTITION_BITS;
        Claim { hash, client: (entry & mask) as ClientId, number }
    })
}

/// Removal of an address by the row with this number.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) address: u128,
    pub(super) number: u64,
}

impl End {
    pub(super) fn words(self) -> [u64; END_WORDS] {
        [(self.address >> 64) as u64, self.address as u64, self.number]
    }
}

/// The ends of a partition.
pub(super) fn ends(arena: &Arena, blocks: &[Block]) -> impl Iterator<Item = End> {
    items::<END_WORDS>(arena, blocks)
        .map(|[high, low, number]| End { address: u128::from(high) << 64 | u128::from(low), number })
}

fn items<const N: usize>(arena: &Arena, blocks: &[Block]) -> impl Iterator<Item = [u64; N]> {
    let items = blocks.iter().flat_map(|block| block.contents(arena).as_chunks::<N>().0);
    items.map(|item| item.each_ref().map(|word| word.load(Ordering::Relaxed)))
}

/// A run of words that is being filled, or was.
#[derive(Clone, Copy)]
pub(super) struct Block {
    at: Address,
    words: usize,
    used: usize,
}

impl Block {
    /// The words written to it.
    fn contents(self, arena: &Arena) -> &[AtomicU64] {
        arena.run(self.at, self.used)
    }

    /// Frees it.
    pub(super) fn free(self, allocator: &mut Allocator) {
        allocator.free(self.at, self.words);
    }
}

/// Items that one thread has staged, by partition.
pub(super) struct Staged(Vec<Vec<Block>>);

impl Staged {
    pub(super) fn new() -> Self {
        Self(vec![Vec::new(); PARTITIONS])
    }

    /// Appends an item, of one word or more, to the partition of this hash.
    pub(super) fn push(&mut self, arena: &Arena, allocator: &mut Allocator, hash: u64, item: &[u64]) {
        // A thread has blocks of its own for each partition, so staging takes no lock.
        let blocks = &mut self.0[partition_of(hash)];
        if blocks.last().is_none_or(|block| block.words - block.used < item.len()) {
            // A row longer than a block gets a run of its own.
            let words = item.len().max(BLOCK_WORDS);
            blocks.push(Block { at: allocator.allocate(arena, words), words, used: 0 });
        }
        let Some(block) = blocks.last_mut() else { return };
        let at = block.at + block.used as Address;
        block.used += item.len();
        // Relaxed: other threads read after the pass has ended.
        for (word, value) in arena.run(at, item.len()).iter().zip(item) {
            word.store(*value, Ordering::Relaxed);
        }
    }

    /// Whether the next item of this partition comes right behind the last, if it has so many words.
    fn goes_on(&self, hash: u64, words: usize) -> bool {
        self.0[partition_of(hash)].last().is_some_and(|block| block.words - block.used >= words)
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

/// A lease to be staged.
pub(super) struct Item<'a> {
    pub(super) number: u64,
    pub(super) lease: Lease<'a>,
    pub(super) duid_hash: u64,
    /// The row staged last by this thread is of the same client.
    pub(super) same_client: bool,
    /// And has the same options.
    pub(super) same_options: bool,
}

impl Item<'_> {
    /// Stages it; `words` is any vector.
    pub(super) fn stage(
        &self,
        arena: &Arena,
        allocator: &mut Allocator,
        staged: &mut Staged,
        words: &mut Vec<u64>,
    ) {
        let Lease { prefix_len, duid, options, .. } = self.lease;
        let words_max = FIXED_WORDS + if self.same_options { 0 } else { options.len().div_ceil(8) };
        // A run must not cross blocks, so a row that starts a block repeats the DUID.
        let same_client = self.same_client && staged.goes_on(self.duid_hash, words_max);
        let same_options = same_client && self.same_options;
        let address = u128::from(self.lease.address);
        let flag = |is: bool, flag: u64| if is { flag } else { 0 };
        let head = self.number << NUMBER_SHIFT
            | flag(same_client, SAME_CLIENT)
            | flag(same_options, SAME_OPTIONS)
            | flag(!options.is_empty(), HAS_OPTIONS)
            | flag(self.lease.kind == LeaseKind::Prefix, IS_PREFIX)
            | u64::from(prefix_len) << 8
            | duid.len() as u64; // ≤ 130
        words.clear();
        words.extend([head, (address >> 64) as u64]);
        // Shorter prefixes have no bits in the lower half.
        if prefix_len > 64 {
            words.push(address as u64);
        }
        words.push(u64::from(self.lease.valid_lifetime) << 32 | u64::from(self.lease.preferred_lifetime));
        words.push(u64::from(self.lease.cltt) << 32 | u64::from(self.lease.subnet_id));
        if !same_client {
            push_octets(words, duid);
        }
        if !same_options {
            push_octets(words, options);
        }
        staged.push(arena, allocator, self.duid_hash, words);
    }
}

/// A row in a block, and all words behind it.
#[derive(Clone, Copy)]
struct StagedRow<'a> {
    words: &'a [AtomicU64],
    head: u64,
}

impl<'a> StagedRow<'a> {
    /// The row that these words begin with.
    fn first(words: &'a [AtomicU64]) -> Option<Self> {
        Some(Self { words, head: words.first()?.load(Ordering::Relaxed) })
    }

    fn word(self, at: usize) -> u64 {
        self.words[at].load(Ordering::Relaxed)
    }

    fn duid_len(self) -> usize {
        self.head as usize & 0xff
    }

    fn prefix_len(self) -> u8 {
        (self.head >> 8) as u8
    }

    fn is_same_client(self) -> bool {
        self.head & SAME_CLIENT != 0
    }

    /// Position of the first word behind the address.
    fn fixed_at(self) -> usize {
        2 + usize::from(self.prefix_len() > 64)
    }

    /// The row's own DUID, in words; empty if it is that of the row before.
    fn duid(self) -> &'a [AtomicU64] {
        // A row of the same client has no DUID of its own, which saves most of the text.
        let len = if self.is_same_client() { 0 } else { self.duid_len().div_ceil(8) };
        &self.words[self.fixed_at() + 2..][..len]
    }

    /// The row's own option block; empty if it has none or that of the row before.
    fn own_options(self) -> &'a [AtomicU64] {
        // The position depends on both optional parts before it.
        let at = self.fixed_at() + 2 + self.duid().len();
        if self.head & (HAS_OPTIONS | SAME_OPTIONS) == HAS_OPTIONS {
            let len = block_len(self.word(at)).div_ceil(8);
            &self.words[at..at + len]
        } else {
            &[]
        }
    }

    /// The words behind it.
    fn behind(self) -> &'a [AtomicU64] {
        &self.words[self.fixed_at() + 2 + self.duid().len() + self.own_options().len()..]
    }
}

/// Rows of one client, one behind the other.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    /// Words from the first row to the end of the last.
    words: &'a [AtomicU64],
}

/// The runs of a block.
pub(super) fn runs(arena: &Arena, block: Block) -> impl Iterator<Item = Run<'_>> {
    let mut words = block.contents(arena);
    std::iter::from_fn(move || {
        let mut rest = StagedRow::first(words)?.behind();
        // A run ends where the next row names its client again.
        while let Some(row) = StagedRow::first(rest)
            && row.is_same_client()
        {
            rest = row.behind();
        }
        let (run, behind) = words.split_at(words.len() - rest.len());
        words = behind;
        Some(Run { words: run })
    })
}

impl<'a> Run<'a> {
    /// Octets of the client's DUID, and the words they are in.
    pub(super) fn duid(self) -> (usize, &'a [AtomicU64]) {
        // The first row of a run always has the DUID.
        StagedRow::first(self.words).map_or((0, &[]), |row| (row.duid_len(), row.duid()))
    }

    /// Each row's number and lease.
    pub(super) fn entries(self) -> impl Iterator<Item = (u64, Entry<&'a [AtomicU64]>)> {
        let (mut words, mut options): (_, &[AtomicU64]) = (self.words, &[]);
        std::iter::from_fn(move || {
            let row = StagedRow::first(words)?;
            words = row.behind();
            // Options are carried over from the row before them.
            if row.head & SAME_OPTIONS == 0 {
                options = row.own_options();
            }
            let (fixed_at, low) = (row.fixed_at(), if row.prefix_len() > 64 { row.word(2) } else { 0 });
            let times = row.word(fixed_at + 1);
            let entry = Entry {
                address: u128::from(row.word(1)) << 64 | u128::from(low),
                // Staged leases have no host bits, so they have no written form either.
                number: 0,
                prefix_len: row.prefix_len(),
                kind: if row.head & IS_PREFIX != 0 { LeaseKind::Prefix } else { LeaseKind::Address },
                subnet_id: times as u32,
                lifetimes: row.word(fixed_at),
                cltt: (times >> 32) as u32,
                block: options,
            };
            Some((row.head >> NUMBER_SHIFT, entry))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_keep_what_maps_need() {
        let (arena, mut allocator) = (Arena::large(), Allocator::new());
        let hash = 0x89ab_cdef_0123_4567;
        let claim = Claim { hash: kept(hash), client: CLIENT_IDS - 1, number: ROW_NUMBERS - 1 };
        let mut staged = Staged::new();
        staged.push(&arena, &mut allocator, hash, &claim.words());
        let partition = partition_of(hash);
        let blocks = &Staged::merged([staged].into_iter())[partition];
        assert_eq!(claims(&arena, partition, blocks).collect::<Vec<_>>(), [claim]);
        assert_eq!(kept(hash) >> 20, hash >> 20);
        const { assert!(44 >= crate::map::HASH_BITS) };
    }

    #[test]
    fn rows_come_back_as_they_were_written() {
        let (arena, mut allocator) = (Arena::large(), Allocator::new());
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
        let leases = [
            lease(128, 14, &block[..]),
            lease(65, 14, &block),
            lease(65, 14, &[]),
            lease(80, 130, &long),
            lease(128, 130, &long),
            lease(128, 1, &[]),
        ];
        let (mut words, mut number) = (Vec::new(), ROW_NUMBERS - 100);
        let mut before: Option<Lease<'_>> = None;
        for lease in leases {
            let same_client = before.is_some_and(|before| before.duid == lease.duid);
            let same_options = same_client && before.is_some_and(|before| before.options == lease.options);
            let item = Item { number, lease, duid_hash: 0, same_client, same_options };
            item.stage(&arena, &mut allocator, &mut staged, &mut words);
            number += 1;
            before = Some(lease);
        }
        let blocks = &Staged::merged([staged].into_iter())[0];
        assert_eq!(blocks.len(), 4, "one before the long rows, two of their own, one after");
        let runs: Vec<_> = blocks.iter().flat_map(|&block| runs(&arena, block)).collect();
        assert_eq!(runs.iter().map(|run| run.duid().0).collect::<Vec<_>>(), [14, 130, 130, 1]);
        let read: Vec<_> = runs.iter().flat_map(|run| run.entries()).collect();
        assert_eq!(read.len(), leases.len());
        for ((n, (number, entry)), lease) in read.iter().enumerate().zip(leases) {
            assert_eq!(*number, ROW_NUMBERS - 100 + n as u64);
            let mut options = Vec::new();
            push_octets(&mut options, lease.options);
            let block = entry.block.iter().map(|word| word.load(Ordering::Relaxed));
            assert!(block.eq(options), "options of row {n}");
            let low = if lease.prefix_len > 64 { u128::MAX } else { u128::MAX << 64 };
            assert_eq!(entry.address, u128::from(lease.address) & low);
            let lifetimes = u64::from(lease.valid_lifetime) << 32 | u64::from(lease.preferred_lifetime);
            assert_eq!((entry.prefix_len, entry.kind), (lease.prefix_len, lease.kind));
            assert_eq!((entry.subnet_id, entry.cltt), (lease.subnet_id, lease.cltt));
            assert_eq!(entry.lifetimes, lifetimes);
        }
    }
}

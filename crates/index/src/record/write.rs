//! Writing a client's record.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{DOUBT_BIT, INCOMPLETE_BIT, LEASES_MAX, WORDS_MAX, address_words};
use crate::arena::{Address, Allocator, Arena};
use crate::lease::{Lease, LeaseKind};
use crate::octets::{push_octets, word_of};
use crate::written::Written;

/// Among how many blocks of the record a new lease looks for equal options.
const SHARING_WINDOW: usize = 8;

/// A client's leases take more words than its record may have.
#[derive(Debug)]
pub(crate) struct RecordTooLargeError;

/// Key by which the leases of a record are ordered: of two from one address, the longer one comes first.
pub(crate) fn order(prefix_len: u8, kind: LeaseKind, first: u128) -> (bool, bool, u128, Reverse<u8>) {
    (address_words(prefix_len) == 1, kind == LeaseKind::Prefix, first, Reverse(prefix_len))
}

/// Whether a record has all leases of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wholeness {
    Whole,
    /// The record is the anchor or a segment of an oversized client.
    Part,
    /// The client may hold leases whose rows cannot be read.
    InDoubt,
}

/// Sorts leases of one client as a record holds them. Mostly they are those of a record and then a few: two
/// runs, which a stable sort merges.
pub(crate) fn sort(leases: &mut [Lease<'_>]) {
    // Stable, so that sorted runs are merged in one pass.
    leases.sort_by_key(|lease| order(lease.prefix_len, lease.kind, lease.first()));
}

/// Writes a record of one client; `leases` are its own, at least one, in the order of [`sort`].
///
/// Their `options` are blocks, as [`crate::options::Packer`] makes them. `scratch` is any vector; it is kept
/// to save allocations.
pub(crate) fn write(
    arena: &Arena,
    allocator: &mut Allocator,
    scratch: &mut Vec<u64>,
    written: &Written,
    (leases, wholeness): (&[Lease<'_>], Wholeness),
    words_max: usize,
) -> Result<Address, RecordTooLargeError> {
    let duid = leases.first().map_or(&[][..], |lease| lease.duid);
    let entries = leases.iter().map(|lease| Entry {
        address: lease.first(),
        // Only leases with host bits have a number; 0 stands for the first address.
        number: written.number(lease.address.into(), lease.first()),
        prefix_len: lease.prefix_len,
        kind: lease.kind,
        subnet_id: lease.subnet_id,
        lifetimes: u64::from(lease.valid_lifetime) << 32 | u64::from(lease.preferred_lifetime),
        cltt: lease.cltt,
        block: lease.options,
    });
    let client = (duid.len(), duid.chunks(8).map(word_of), wholeness);
    write_entries(arena, allocator, scratch, client, entries, words_max)
}

/// Writes the record of a client that the map by DUID leads to, without leases.
pub(crate) fn write_without_leases(
    arena: &Arena,
    allocator: &mut Allocator,
    scratch: &mut Vec<u64>,
    client: (usize, impl Iterator<Item = u64>, Wholeness),
) -> Address {
    let none = std::iter::empty::<Entry<&[u8]>>();
    write_entries(arena, allocator, scratch, client, none, WORDS_MAX).expect("a DUID fits")
}

/// A lease on its way into a record.
#[derive(Clone, Copy)]
pub(crate) struct Entry<B> {
    /// The first one.
    pub(crate) address: u128,
    /// Number of its address as written.
    pub(crate) number: u32,
    pub(crate) prefix_len: u8,
    pub(crate) kind: LeaseKind,
    pub(crate) subnet_id: u32,
    /// Valid lifetime (32) | preferred lifetime (32).
    pub(crate) lifetimes: u64,
    pub(crate) cltt: u32,
    /// Option block; empty if it has no options.
    pub(crate) block: B,
}

/// An option block, in octets or in words as a record has it.
pub(crate) trait OptionBlock: Copy {
    fn is_empty(self) -> bool;
    fn is(self, other: Self) -> bool;
    fn push_to(self, out: &mut Vec<u64>);
}

impl OptionBlock for &[u8] {
    fn is_empty(self) -> bool {
        self.is_empty()
    }

    fn is(self, other: Self) -> bool {
        self == other
    }

    fn push_to(self, out: &mut Vec<u64>) {
        push_octets(out, self);
    }
}

impl OptionBlock for &[AtomicU64] {
    fn is_empty(self) -> bool {
        self.is_empty()
    }

    fn is(self, other: Self) -> bool {
        // Blocks of one record are compared by position first.
        std::ptr::eq(self, other) || self.len() == other.len() && words(self).eq(words(other))
    }

    fn push_to(self, out: &mut Vec<u64>) {
        out.extend(words(self));
    }
}

fn words(words: &[AtomicU64]) -> impl ExactSizeIterator<Item = u64> {
    words.iter().map(|word| word.load(Ordering::Relaxed))
}

/// Writes a record as [`write()`] does, of a client whose DUID has so many octets, in these words.
pub(crate) fn write_entries<B: OptionBlock>(
    arena: &Arena,
    allocator: &mut Allocator,
    scratch: &mut Vec<u64>,
    client: (usize, impl Iterator<Item = u64>, Wholeness),
    entries: impl Iterator<Item = Entry<B>> + Clone,
    words_max: usize,
) -> Result<Address, RecordTooLargeError> {
    // Composed in a vector: its length is not known before, and a run cannot grow.
    compose(scratch, client, entries, words_max)?;
    let at = allocator.allocate(arena, scratch.len());
    // Relaxed: the record is published by its address.
    for (word, value) in arena.run(at, scratch.len()).iter().zip(&*scratch) {
        word.store(*value, Ordering::Relaxed);
    }
    Ok(at)
}

fn compose<B: OptionBlock>(
    out: &mut Vec<u64>,
    (duid_len, duid, wholeness): (usize, impl Iterator<Item = u64>, Wholeness),
    entries: impl Iterator<Item = Entry<B>> + Clone,
    words_max: usize,
) -> Result<(), RecordTooLargeError> {
    out.clear();
    // The head is written last, when all lengths are known.
    out.push(0);
    out.extend(duid);
    let (mut at, mut count, mut long) = (out.len(), 0, 0);
    let mut blocks_at = at;
    // The bindings are counted first, as blocks lie behind them.
    for entry in entries.clone() {
        count += 1;
        long += address_words(entry.prefix_len) - 1;
        blocks_at += 3 + address_words(entry.prefix_len);
    }
    // Checked before memory grows, as this may be a client with millions of leases.
    if count > LEASES_MAX || blocks_at >= words_max {
        return Err(RecordTooLargeError);
    }
    out.resize(blocks_at, 0);
    // Leases of one client mostly have equal options: a window finds nearly all of them.
    let mut recent: [Option<(B, usize)>; SHARING_WINDOW] = [None; SHARING_WINDOW];
    for (n, entry) in entries.enumerate() {
        let block = if entry.block.is_empty() {
            0
        } else if let Some((_, at)) = recent.iter().flatten().find(|(block, _)| block.is(entry.block)) {
            *at
        } else {
            let at = out.len();
            entry.block.push_to(out);
            // A ring, so that the oldest block makes room.
            recent[n % SHARING_WINDOW] = Some((entry.block, at));
            at
        };
        // Checked with each block: options may be long.
        if out.len() >= words_max {
            return Err(RecordTooLargeError);
        }
        at = put_binding(out, at, &entry, block as u64);
    }
    out[0] = (count as u64) << 48
        | u64::from(wholeness != Wholeness::Whole) << INCOMPLETE_BIT
        | (long as u64) << 32
        | u64::from(wholeness == Wholeness::InDoubt) << DOUBT_BIT
        | (out.len() as u64) << 8
        | duid_len as u64;
    Ok(())
}

/// Writes a binding to the words from `at` on; returns where the next begins.
fn put_binding<B>(out: &mut [u64], at: usize, entry: &Entry<B>, block: u64) -> usize {
    let prefix = u64::from(entry.kind == LeaseKind::Prefix);
    let head = u64::from(entry.subnet_id) << 32 | block << 9 | prefix << 8 | u64::from(entry.prefix_len);
    let times = u64::from(entry.cltt) << 32 | u64::from(entry.number);
    let fixed = [head, entry.lifetimes, times, (entry.address >> 64) as u64];
    out[at..at + fixed.len()].copy_from_slice(&fixed);
    let end = at + fixed.len();
    // The second half of a short prefix is zero and not stored.
    if address_words(entry.prefix_len) == 1 {
        return end;
    }
    out[end] = entry.address as u64;
    end + 1
}

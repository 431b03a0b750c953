//! Record of a client: its bindings in one run of words, written once and then only read.
//!
//! ```text
//! word 0    lease count (16) | is incomplete (1) | long leases (15) | is in doubt (1) |
//!           words of the record (23) | DUID length (8)
//!           the DUID, padded with zeros
//!           leases: the long ones first, each part addresses ascending, then prefixes ascending, each
//!             subnet id (32) | option block (23) | is a prefix (1) | prefix length (8)
//!             valid lifetime (32) | preferred lifetime (32)
//!             cltt (32) | number of its address as written (32; `written.rs`), mostly 0
//!             first half of the address, and of a long one (an address, or a prefix over 64) the second
//!           option blocks (`options.rs`), each padded; leases with equal options share one
//! ```
//! A client with one address, one prefix and a DUID of 14 octets takes 96 bytes. Octets lie in a word in
//! network order. An option block is named by its word offset in the record; 0 is none. In each part, leases
//! take equally many words, so that one of many is found by bisection.
//!
//! The record of an oversized client, which has more leases than a reply can tell (`limits.rs`), is either
//! its anchor, without leases, which the map by DUID leads to, or one of its segments, which the map by
//! address leads to. It is incomplete; so is that of a client in doubt, which may hold a lease whose row
//! cannot be read, and may have no others.

use std::net::Ipv6Addr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::{Address, Arena, LINE_WORDS};
use crate::lease::{INFINITY, LeaseKind};
use crate::octets::{load, word_of};
use crate::options::StoredOptions;
use crate::prefetch::prefetch;

mod binding;
mod unpacked;
mod write;

pub use binding::{Binding, Left};
pub(crate) use unpacked::Unpacked;
pub(crate) use write::{
    Entry, RecordTooLargeError, Wholeness, order, sort, write, write_entries, write_without_leases,
};

const BLOCK_BITS: u32 = 23;

/// Bits of a record's first word.
const INCOMPLETE_BIT: u32 = 47;
const DOUBT_BIT: u32 = 31;

/// Most words of a record, by its length field and block offsets: 64 MiB. A segment of 64 leases
/// stays below, twice over, whatever their options.
pub(crate) const WORDS_MAX: usize = 1 << BLOCK_BITS;

/// Most leases that a record can have.
pub(super) const LEASES_MAX: usize = (1 << 15) - 1;

/// Number of leases from which on one is found by bisection.
const BISECT_FROM: usize = 16;

/// A client's record, as a reader sees it.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    words: &'a [AtomicU64],
    /// Arena with the templates of options.
    arena: &'a Arena,
}

impl<'a> Client<'a> {
    /// The record that begins at `at`.
    pub(crate) fn at(arena: &'a Arena, at: Address) -> Self {
        let words = arena.from(at);
        // The length is in the first word, so that one read bounds all others.
        let record_words = (load(words, 0) >> 8) as usize & (WORDS_MAX - 1);
        Self { words: &words[..record_words], arena }
    }

    /// Asks for the memory of the record at `at`, as far as a client with an address and a prefix has one.
    pub(crate) fn prefetch(arena: &Arena, at: Address) {
        prefetch(arena.word(at));
        // A second line: an address and a prefix mostly reach into it.
        prefetch(arena.word(at + LINE_WORDS as Address));
    }

    /// Words that its run was allocated with.
    pub(crate) fn record_words(self) -> usize {
        self.words.len()
    }

    /// Bytes of memory that its record takes.
    pub fn record_bytes(self) -> usize {
        size_of_val(self.words)
    }

    /// Length of the DUID in octets.
    pub fn duid_len(self) -> usize {
        load(self.words, 0) as usize & 0xff
    }

    /// Whether this is no client, but stands for the holders of leases that cannot be read
    /// ([`Change::Unreadable`](crate::Change::Unreadable)).
    #[inline(always)]
    pub fn is_unreadable(self) -> bool {
        self.duid_len() == 0
    }

    /// Returns whether not all of its bindings are known: it [is unreadable](Self::is_unreadable) or
    /// [has unlisted ones](Self::has_unlisted_bindings).
    #[inline(always)]
    pub fn is_partial(self) -> bool {
        let head = load(self.words, 0);
        // One word is read for both questions, as this runs for every record found.
        head as u8 == 0 || head >> INCOMPLETE_BIT & 1 == 1
    }

    /// The DUID, padded to 16 octets, if it has 9 to 16, as most have.
    #[inline]
    pub fn short_duid(self) -> Option<[u8; 16]> {
        // A short record may have fewer words than a DUID of this length needs.
        let [head, first, second] = self.words.first_chunk()?;
        let load = |word: &AtomicU64| u128::from(word.load(Ordering::Relaxed));
        let is_short = (9..=16).contains(&(head.load(Ordering::Relaxed) as u8));
        is_short.then(|| (load(first) << 64 | load(second)).to_be_bytes())
    }

    /// Fills `out`, of [`Self::duid_len`] octets, with the DUID.
    pub fn copy_duid(self, out: &mut [u8]) {
        let (whole, tail) = out.as_chunks_mut::<8>();
        let (first, words) = self.words[1..].split_at(whole.len());
        for (chunk, word) in whole.iter_mut().zip(first) {
            *chunk = word.load(Ordering::Relaxed).to_be_bytes();
        }
        // Octet by octet: a call that copies any length costs more than these seven at most.
        if let Some(word) = words.first() {
            let octets = word.load(Ordering::Relaxed).to_be_bytes();
            tail.iter_mut().zip(octets).for_each(|(octet, stored)| *octet = stored);
        }
    }

    /// Whether this is the client with this DUID.
    pub fn has_duid(self, duid: &[u8]) -> bool {
        // Lengths differ for most DUIDs whose hashes collide.
        if self.duid_len() != duid.len() {
            return false;
        }
        let (whole, tail) = duid.as_chunks::<8>();
        let same = |(chunk, word): (&[u8; 8], &AtomicU64)| {
            word.load(Ordering::Relaxed) == u64::from_be_bytes(*chunk)
        };
        whole.iter().zip(&self.words[1..]).all(same)
            // The last word is padded with zeros, as the argument is.
            && (tail.is_empty() || load(self.words, 1 + whole.len()) == word_of(tail))
    }

    /// Whether both records name the same client.
    pub(crate) fn has_duid_of(self, other: Client<'_>) -> bool {
        let words = |client: Self| {
            let len = client.duid_len().div_ceil(8);
            client.words[1..=len].iter().map(|word| word.load(Ordering::Relaxed))
        };
        let other_words = &other.words[1..=other.duid_len().div_ceil(8)];
        self.duid_len() == other.duid_len()
            && words(self).eq(other_words.iter().map(|word| word.load(Ordering::Relaxed)))
    }

    /// Number of bindings, expired ones included; an oversized client has others besides.
    pub fn len(self) -> usize {
        (load(self.words, 0) >> 48) as usize
    }

    /// Returns whether it has no listed bindings; only a client with [unlisted](Self::has_unlisted_bindings)
    /// ones can.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Returns whether the client has, or may have, bindings that are not among [these](Self::bindings): it
    /// is
    /// [oversized](Self::is_oversized) or [in doubt](Self::is_in_doubt).
    #[inline(always)]
    pub fn has_unlisted_bindings(self) -> bool {
        load(self.words, 0) >> INCOMPLETE_BIT & 1 == 1
    }

    /// Whether the client has more leases than a reply can tell
    /// ([`CLIENT_LEASES_MAX`](crate::CLIENT_LEASES_MAX)), or had, not long ago.
    pub fn is_oversized(self) -> bool {
        // Both kinds set the first bit; the second tells them apart.
        self.has_unlisted_bindings() && !self.is_in_doubt()
    }

    /// Whether the client may have a lease that [cannot be read](crate::Change::Unreadable): it had it
    /// before, or its row names the client.
    pub fn is_in_doubt(self) -> bool {
        load(self.words, 0) >> DOUBT_BIT & 1 == 1
    }

    /// Iterates over the bindings, expired ones included: addresses ascending, then prefixes longer than 64
    /// bits ascending, then shorter prefixes ascending.
    #[inline]
    pub fn bindings(self) -> Bindings<'a> {
        Bindings { rest: self.binding_words(), left: self.len() }
    }

    #[inline]
    fn binding_words(self) -> &'a [AtomicU64] {
        &self.words[1 + self.duid_len().div_ceil(8)..]
    }

    /// Finds the binding that begins at `first`, if that covers `address` and has valid lifetime left at
    /// `now`.
    #[inline(always)]
    pub(crate) fn covering_from(self, first: u128, address: u128, now: u32) -> Option<BindingAt> {
        // Few bindings are found faster by walking, since they lie in one or two lines.
        if self.len() >= BISECT_FROM {
            return self.bisect_covering(first, address, now);
        }
        let [high, low] = halves(first);
        let mut bindings = self.bindings();
        loop {
            let behind = bindings.rest.len();
            let packed = bindings.next_packed()?;
            // The prefix length is compared with the differing bits: a lease covers what it does not differ
            // in.
            // A client has one lease that begins there, or two of different lengths while it changes.
            if packed.high() == high && packed.low == low && packed.covers(first ^ address, now) {
                return NonZeroU32::new(behind as u32).map(BindingAt); // records have below 2^23 words
            }
        }
    }

    #[cold]
    fn bisect_covering(self, first: u128, address: u128, now: u32) -> Option<BindingAt> {
        // Rare: only clients of many leases need it.
        self.from(first).find(|(_, packed)| packed.covers(first ^ address, now)).map(|(place, _)| place)
    }

    /// Finds all bindings that begin at `first`, cover `address` and have valid lifetime left at `now`.
    pub(crate) fn all_covering_from(
        self,
        first: u128,
        address: u128,
        now: u32,
    ) -> impl Iterator<Item = BindingAt> {
        let covering = self.from(first).filter(move |(_, packed)| packed.covers(first ^ address, now));
        covering.map(|(place, _)| place)
    }

    /// Finds the binding that begins at `first` and has this number ([`Written`](crate::written::Written)),
    /// of which the writer has one at most in a record.
    pub(crate) fn binding_from(self, first: u128, number: u32) -> Option<Binding> {
        let [high, low] = halves(first);
        if self.len() >= BISECT_FROM {
            let found = self.from(first).find(|(_, packed)| packed.number() == number);
            return found.map(|(_, packed)| packed.unpack());
        }
        let mut bindings = self.bindings();
        std::iter::from_fn(|| bindings.next_packed())
            // A walk compares the number too, as several leases may begin at one address.
            .find(|packed| packed.high() == high && packed.low == low && packed.number() == number)
            .map(Packed::unpack)
    }

    /// Finds the bindings that begin at `first` by bisection.
    fn from(self, first: u128) -> impl Iterator<Item = (BindingAt, Packed<'a>)> {
        // Leases are in three sorted parts, which differ in size and in kind.
        let long = (load(self.words, 0) >> 32) as usize & LEASES_MAX;
        let words = self.binding_words();
        let (long_words, rest) = words.split_at(long * LONG_WORDS);
        let short_words = &rest[..(self.len() - long) * SHORT_WORDS];
        // With the words from there to the record's end, which tell a place.
        let parts = [
            (long_words, words.len(), LONG_WORDS, LeaseKind::Address),
            (long_words, words.len(), LONG_WORDS, LeaseKind::Prefix),
            (short_words, rest.len(), SHORT_WORDS, LeaseKind::Prefix),
        ];
        // A key may be in any part, as its length is not part of it.
        parts.into_iter().flat_map(move |(words, behind, stride, kind)| {
            let (wanted, count) = ((kind == LeaseKind::Prefix, first), words.len() / stride);
            let at = move |n: usize| Packed::split(&words[n * stride..]).0;
            let (mut start, mut end) = (0, count);
            while start < end {
                let middle = usize::midpoint(start, end);
                if at(middle).key() < wanted { start = middle + 1 } else { end = middle }
            }
            // Several leases of one key lie together.
            let same =
                (start..count).map(move |n| (n, at(n))).take_while(move |(_, packed)| packed.key() == wanted);
            // Records have below 2^23 words.
            same.filter_map(move |(n, packed)| {
                Some((BindingAt(NonZeroU32::new((behind - n * stride) as u32)?), packed))
            })
        })
    }

    /// The binding at a place of this record.
    ///
    /// # Panics
    /// If the place is another record's.
    #[inline(always)]
    pub(crate) fn covering_at(self, place: BindingAt) -> Covering<'a> {
        Covering(&self.words[self.words.len() - place.0.get() as usize..])
    }

    /// The options stored with one of its bindings.
    pub fn options(self, binding: &Binding) -> StoredOptions<'a> {
        match binding.block as usize {
            // 0 is the record's own head, so it stands for "no options".
            0 => StoredOptions::NONE,
            at => StoredOptions::of(self.arena, &self.words[at..]),
        }
    }
}

/// The binding that covers an address; read from the record as far as it is asked for.
#[derive(Clone, Copy)]
pub struct Covering<'a>(&'a [AtomicU64]);

impl Covering<'_> {
    /// The source's number for its subnet.
    #[inline(always)]
    pub fn subnet_id(self) -> u32 {
        (load(self.0, 0) >> 32) as u32
    }

    /// The leased address, or the first address of the delegated prefix.
    #[inline(always)]
    pub fn address(self) -> Ipv6Addr {
        Packed::split(self.0).0.address()
    }

    /// Address or delegated prefix.
    #[inline(always)]
    pub fn kind(self) -> LeaseKind {
        kind(load(self.0, 0))
    }

    /// The whole binding.
    pub fn binding(self) -> Binding {
        Packed::split(self.0).0.unpack()
    }
}

/// Position of a binding in its record: words before its end.
#[derive(Clone, Copy)]
pub(crate) struct BindingAt(NonZeroU32);

/// The bindings of a record, one after the other.
#[derive(Clone)]
pub struct Bindings<'a> {
    rest: &'a [AtomicU64],
    left: usize,
}

impl<'a> Bindings<'a> {
    #[inline]
    fn next_packed(&mut self) -> Option<Packed<'a>> {
        // Counted, since option blocks follow the bindings without a mark between.
        self.left = self.left.checked_sub(1)?;
        let (packed, rest) = Packed::split(self.rest);
        self.rest = rest;
        Some(packed)
    }
}

impl Iterator for Bindings<'_> {
    type Item = Binding;

    #[inline]
    fn next(&mut self) -> Option<Binding> {
        self.next_packed().map(Packed::unpack)
    }
}

/// A binding as it lies in a record.
#[derive(Clone, Copy)]
struct Packed<'a> {
    fixed: &'a [AtomicU64; 4],
    head: u64,
    /// Second half of the address.
    low: u64,
}

impl<'a> Packed<'a> {
    /// The binding at the front of these words, and the words behind it.
    #[inline]
    fn split(words: &'a [AtomicU64]) -> (Self, &'a [AtomicU64]) {
        let (fixed, rest) = words.split_first_chunk().expect("a record holds whole bindings");
        let head = load(fixed, 0);
        // Prefixes up to 64 bits have no second half, which saves a word.
        if address_words(head as u8) == 1 {
            return (Self { fixed, head, low: 0 }, rest);
        }
        let (low, rest) = rest.split_first().expect("a record holds whole bindings");
        (Self { fixed, head, low: low.load(Ordering::Relaxed) }, rest)
    }

    fn prefix_len(&self) -> u8 {
        self.head as u8
    }

    /// Number of its address as written.
    fn number(&self) -> u32 {
        load(self.fixed, 2) as u32
    }

    /// Key by which leases of one part are ordered.
    fn key(&self) -> (bool, u128) {
        (self.head >> 8 & 1 == 1, u128::from(self.high()) << 64 | u128::from(self.low))
    }

    /// First half of the address.
    fn high(&self) -> u64 {
        load(self.fixed, 3)
    }

    /// Whether it covers an address that differs in these bits from its own, and has valid lifetime left.
    #[inline(always)]
    fn covers(&self, differing: u128, now: u32) -> bool {
        // Checked before the lifetime: most leases here are valid, and many do not cover.
        u32::from(self.prefix_len()) <= differing.leading_zeros() && self.is_valid(now)
    }

    fn is_valid(&self, now: u32) -> bool {
        let (valid_lifetime, cltt) = ((load(self.fixed, 1) >> 32) as u32, (load(self.fixed, 2) >> 32) as u32);
        // A clock behind the source's gives no time elapsed, so the lease is valid.
        valid_lifetime == INFINITY || valid_lifetime > now.saturating_sub(cltt)
    }

    #[inline(always)]
    fn address(&self) -> Ipv6Addr {
        (u128::from(self.high()) << 64 | u128::from(self.low)).into()
    }

    #[inline]
    fn unpack(self) -> Binding {
        let (head, lifetimes) = (self.head, load(self.fixed, 1));
        Binding {
            address: self.address(),
            prefix_len: head as u8,
            kind: kind(head),
            valid_lifetime: (lifetimes >> 32) as u32,
            preferred_lifetime: lifetimes as u32,
            cltt: (load(self.fixed, 2) >> 32) as u32,
            subnet_id: (head >> 32) as u32,
            block: (head >> 9) as u32 & (WORDS_MAX as u32 - 1),
        }
    }
}

/// The kind of lease in the first word of a binding.
#[inline(always)]
fn kind(head: u64) -> LeaseKind {
    if head >> 8 & 1 == 1 { LeaseKind::Prefix } else { LeaseKind::Address }
}

/// Words of a lease in a record, with an address of two words or one.
const LONG_WORDS: usize = 5;
const SHORT_WORDS: usize = 4;

fn address_words(prefix_len: u8) -> usize {
    1 + usize::from(prefix_len > 64)
}

fn halves(address: u128) -> [u64; 2] {
    [(address >> 64) as u64, address as u64]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Allocator;
    use crate::lease::Lease;
    use crate::options::Packer;
    use crate::template::Dictionary;
    use crate::written::Written;

    fn lease<'a>(address: &str, prefix_len: u8, duid: &'a [u8], options: &'a [u8]) -> Lease<'a> {
        let kind = if prefix_len == 128 { LeaseKind::Address } else { LeaseKind::Prefix };
        Lease {
            address: address.parse().unwrap(),
            prefix_len,
            kind,
            duid,
            valid_lifetime: 4000,
            preferred_lifetime: 3000,
            cltt: 1_700_000_000,
            subnet_id: u32::MAX,
            options,
        }
    }

    /// Writes a record of leases whose options are not packed yet.
    fn write(arena: &Arena, allocator: &mut Allocator, leases: &[Lease<'_>]) -> Address {
        let (dictionary, mut packer) = (Dictionary::default(), Packer::default());
        let mut blocks = vec![Vec::new(); leases.len()];
        for (lease, block) in leases.iter().zip(&mut blocks) {
            packer.pack((&dictionary, arena), allocator, lease.options, block);
        }
        let leases = leases.iter().zip(&blocks).map(|(lease, block)| Lease { options: block, ..*lease });
        write_packed(arena, allocator, &leases.collect::<Vec<_>>())
    }

    fn write_packed(arena: &Arena, allocator: &mut Allocator, leases: &[Lease<'_>]) -> Address {
        let (words, written) = (&mut Vec::new(), &Written::default());
        super::write(arena, allocator, words, written, (leases, Wholeness::Whole), WORDS_MAX).unwrap()
    }

    fn round_trip(leases: &mut [Lease<'_>]) -> usize {
        let (arena, mut allocator) = (Arena::large(), Allocator::new());
        // Records are written from sorted leases only.
        sort(leases);
        let at = write(&arena, &mut allocator, leases);
        let client = Client::at(&arena, at);
        assert!(client.has_duid(leases[0].duid) && !client.has_duid(&[]));
        let mut unpacked = Unpacked::default();
        unpacked.read(Some(client), &Written::default());
        let options: Vec<_> = client.bindings().map(|binding| client.options(&binding).octets()).collect();
        let read = unpacked.leases().zip(&options).map(|(lease, options)| Lease { options, ..lease });
        assert!(read.eq(leases.iter().copied()));
        let unpacked: Vec<_> = unpacked.leases().collect();
        let again = write_packed(&arena, &mut allocator, &unpacked);
        let words = |at| {
            let client = Client::at(&arena, at);
            (0..client.record_words()).map(|word| load(client.words, word)).collect::<Vec<_>>()
        };
        assert_eq!(words(again), words(at));
        client.record_words()
    }

    #[test]
    fn what_is_written_is_read() {
        for duid_len in [1, 7, 8, 9, 14, 130] {
            let duid: Vec<u8> = (0..duid_len).collect();
            round_trip(&mut [
                lease("2001:db8::2", 128, &duid, &[0, 39, 0, 1, 5]),
                lease("2001:db8:f::", 56, &duid, &[0, 79, 0, 0]),
                lease("2001:db8::1", 128, &duid, &[]),
                lease("2001:db8:f:0:8000::", 65, &duid, &[0, 39, 0, 1, 5]),
            ]);
        }
    }

    #[test]
    fn a_typical_client_takes_96_octets_and_shares_options() {
        let duid = [1; 14];
        let address = |options| lease("2001:db8::1", 128, &duid, options);
        let prefix = |options| lease("2001:db8:f::", 56, &duid, options);
        assert_eq!(round_trip(&mut [address(&[]), prefix(&[])]) * 8, 96);
        let options = [0, 79, 0, 4, 0, 1, 2, 3];
        assert_eq!(round_trip(&mut [address(&options), prefix(&options)]) * 8, 96 + 16);
    }

    #[test]
    fn options_are_walked_and_faults_hide_the_rest() {
        let (arena, mut allocator) = (Arena::large(), Allocator::new());
        let options = [0, 39, 0, 3, 1, 2, 3, 0, 79, 0, 9, 1, 0, 47, 0, 0];
        let at = write(&arena, &mut allocator, &[lease("::1", 128, &[9], &options)]);
        let client = Client::at(&arena, at);
        let stored = client.options(&client.bindings().next().unwrap());
        let all: Vec<_> = stored.iter().collect();
        assert_eq!(all.len(), 1, "the second is longer than what is there");
        let (code, option) = all[0];
        let mut octets = vec![0; option.wire_len()];
        option.copy_into(&mut octets);
        assert_eq!((code, &*octets), (39, &[0, 39, 0, 3, 1, 2, 3][..]));
    }

    #[test]
    fn lifetimes_count_down_to_zero_at_the_second() {
        let (arena, mut allocator) = (Arena::large(), Allocator::new());
        let binding = |valid_lifetime, preferred_lifetime| {
            let lease = Lease { valid_lifetime, preferred_lifetime, ..lease("::1", 128, &[9], &[]) };
            let at = write(&arena, &mut Allocator::new(), &[lease]);
            Client::at(&arena, at).bindings().next().unwrap()
        };
        let start = 1_700_000_000;
        let rows = [
            (100, 50, start, (100, 50)),
            (100, 50, start - 3600, (100, 50)),
            (100, 50, start + 50, (50, 0)),
            (100, 50, start + 99, (1, 0)),
            (100, 50, start + 100, (0, 0)),
            (100, 50, u32::MAX, (0, 0)),
            (INFINITY, 50, u32::MAX, (INFINITY, 0)),
            (INFINITY, INFINITY, u32::MAX, (INFINITY, INFINITY)),
            (100, INFINITY, start + 10, (90, 90)),
            (100, 200, start + 10, (90, 90)),
        ];
        for (valid, preferred, now, left) in rows {
            let binding = binding(valid, preferred);
            assert_eq!(
                (binding.valid_left(now), binding.preferred_left(now)),
                left,
                "{valid} {preferred} {now}"
            );
        }
        allocator.free(1, 1);
    }
}

//! Memory of the index: 64-bit atomic words, handed out in runs, addressed by `u32`.
//!
//! Records and hash tables live here. Every word is an atomic: reading a word that the writer is about to
//! replace is defined behaviour without unsafe code. All of it is one reservation of address space
//! ([`crate::pages`]). `DESIGN.md` compares the designs.
//!
//! A run is written before the word that points to it is stored with `Release`. It is never written again
//! while a reader may read it (except single words, each meaningful alone), and is freed only when no reader
//! can still hold it ([`crate::epoch`]).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::pages::{HUGE_PAGE, Pages};
use crate::room::NoRoomError;

mod spans;

use spans::Spans;

/// Words of a chunk, the unit in which an allocator takes memory: a huge page.
const CHUNK_WORDS: usize = HUGE_PAGE / size_of::<AtomicU64>();

/// Words of a block, in which small runs lie. A loader stages rows in such runs, so that freed staging memory
/// becomes records.
pub(crate) const BLOCK_WORDS: usize = 1 << 11;

/// Longest run, in words, that is cut from a block.
const SMALL_WORDS: usize = BLOCK_WORDS / 16;

/// Free runs are joined when they make up this part of the memory.
const IDLE_PART: usize = 8;

/// Words of a cache line.
pub(crate) const LINE_WORDS: usize = 8;

/// Position of a run's first word; 0 is never handed out and means "none".
pub(crate) type Address = u32;

/// The words. Shared by all; growing needs no exclusive access.
pub(crate) struct Arena {
    words: Pages<AtomicU64>,
    /// Chunks handed out, from the front. The first never is, so that 0 is no address; untouched, it costs
    /// nothing.
    claimed: AtomicU32,
    /// Chunks handed out that the system backs no longer.
    released: AtomicU32,
}

impl Arena {
    /// Reserves this many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        let words = Pages::reserve(bytes as usize / size_of::<AtomicU64>());
        // The first chunk is only skipped; the second is where the first run will lie.
        words.commit(2 * CHUNK_WORDS);
        Self { words, claimed: AtomicU32::new(1), released: AtomicU32::new(0) }
    }

    /// Reserves more than any test needs.
    #[cfg(test)]
    pub(crate) fn large() -> Self {
        Self::new(16 << 30)
    }

    /// The word at `at`.
    pub(crate) fn word(&self, at: Address) -> &AtomicU64 {
        &self.words[at as usize]
    }

    /// The words from `at` on.
    pub(crate) fn from(&self, at: Address) -> &[AtomicU64] {
        &self.words[at as usize..]
    }

    /// The run of `words` words at `at`.
    pub(crate) fn run(&self, at: Address, words: usize) -> &[AtomicU64] {
        &self.from(at)[..words]
    }

    /// Bytes reserved.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        (self.words.len() * size_of::<AtomicU64>()) as u64
    }

    /// Bytes taken from the system.
    pub(crate) fn bytes(&self) -> usize {
        let released = self.released.load(Ordering::Relaxed);
        (self.claimed.load(Ordering::Relaxed) - released) as usize * HUGE_PAGE - HUGE_PAGE
    }

    /// Takes chunks for at least `words` words.
    fn claim(&self, words: usize) -> Address {
        let chunks = words.div_ceil(CHUNK_WORDS);
        // Atomic, since loading threads claim chunks of one arena side by side.
        let first = self.claimed.fetch_add(chunks as u32, Ordering::Relaxed) as usize;
        let room = self.words.len() / CHUNK_WORDS;
        // The last chunk stays free: a prefetch may reach a cache line past a run.
        if first + chunks >= room {
            NoRoomError::Full { mebibytes: self.reserved_bytes() >> 20 }.give_up();
        }
        self.words.commit((first + chunks + 1) * CHUNK_WORDS);
        (first * CHUNK_WORDS) as Address
    }
}

/// A run of memory that no published word points to any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Garbage {
    pub(crate) at: Address,
    pub(crate) words: usize,
}

/// Access of the writer to an arena.
pub(crate) struct Editor<'a> {
    pub(crate) arena: &'a Arena,
    pub(crate) allocator: &'a mut Allocator,
    pub(crate) garbage: &'a mut Vec<Garbage>,
}

/// Hands out runs of an [`Arena`] to one writing thread and takes them back.
pub(crate) struct Allocator {
    /// Rest of a chunk, for blocks and long runs.
    large: Region,
    /// Rest of a block, for small runs.
    small: Region,
    /// Freed runs, by size class.
    free: Vec<Vec<Address>>,
    /// Words in them.
    free_words: usize,
    /// Freed runs that were joined.
    spans: Spans,
    /// Words handed out so far.
    #[cfg(test)]
    pub(crate) words_given: usize,
}

/// Words not handed out yet.
#[derive(Clone, Copy, Default)]
struct Region {
    next: Address,
    end: Address,
}

impl Region {
    fn words(self) -> usize {
        (self.end - self.next) as usize
    }

    fn take(&mut self, words: usize) -> Option<Address> {
        let at = self.next;
        (self.words() >= words).then(|| {
            self.next += words as Address;
            at
        })
    }
}

/// Returns both, the longer one first.
fn longer(a: Region, b: Region) -> (Region, Region) {
    if a.words() > b.words() { (a, b) } else { (b, a) }
}

impl Allocator {
    pub(crate) fn new() -> Self {
        Self {
            large: Region::default(),
            small: Region::default(),
            free: Vec::new(),
            free_words: 0,
            spans: Spans::default(),
            #[cfg(test)]
            words_given: 0,
        }
    }

    /// A run of at least `words` words, of any content.
    pub(crate) fn allocate(&mut self, arena: &Arena, words: usize) -> Address {
        #[cfg(test)]
        {
            self.words_given += words;
        }
        let (class, words) = size_class(words);
        // A run of the same class fits exactly, and is likely still in a cache.
        if let Some(at) = self.free.get_mut(class).and_then(Vec::pop) {
            self.free_words -= words;
            return at;
        }
        if words > SMALL_WORDS {
            return self.large.take(words).unwrap_or_else(|| {
                let mut region = self.region(arena, words);
                let at = region.next;
                region.next += words as Address;
                // The longer rest is kept, as it serves more runs before the next chunk is taken.
                let (more, less) = longer(self.large, region);
                self.large = more;
                self.give(less);
                at
            });
        }
        self.small.take(words).unwrap_or_else(|| {
            // Small runs are cut from blocks, so that they do not scatter over the long ones.
            let mut region = self.span(arena, words, BLOCK_WORDS).unwrap_or_else(|| {
                let next = self.allocate(arena, BLOCK_WORDS);
                Region { next, end: next + BLOCK_WORDS as Address }
            });
            let at = region.next;
            region.next += words as Address;
            let (more, less) = longer(self.small, region);
            self.small = more;
            self.give(less);
            at
        })
    }

    /// Takes at least `words` words for long runs.
    fn region(&mut self, arena: &Arena, words: usize) -> Region {
        let at_most = words.max(CHUNK_WORDS);
        let span = self.span(arena, words, at_most).or_else(|| {
            // Joining costs a sort of all free runs, so memory that is free as it is comes first.
            self.join_if_idle(arena);
            self.span(arena, words, at_most)
        });
        span.unwrap_or_else(|| {
            let next = arena.claim(words);
            Region { next, end: next + words.next_multiple_of(CHUNK_WORDS) as Address }
        })
    }

    /// Words of a run that was joined.
    fn span(&mut self, arena: &Arena, words: usize, at_most: usize) -> Option<Region> {
        let (region, backed) = self.spans.take(words, at_most)?;
        // The system backs released chunks again when they are touched, so they count from here on.
        arena.released.fetch_sub(backed, Ordering::Relaxed);
        Some(region)
    }

    /// Free words go to the size classes.
    fn give(&mut self, mut region: Region) {
        while region.words() > 0 {
            // Cut from the top class downwards, so that few pieces remain.
            let words = size_class_below(region.words());
            self.free(region.next, words);
            region.next += words as Address;
        }
    }

    /// Joins free runs with their neighbours once they make up 1/[`IDLE_PART`] of the memory, so that they
    /// serve runs of any size, and returns whole chunks to the system.
    pub(crate) fn join_if_idle(&mut self, arena: &Arena) {
        // Below this, joining would be repeated for a gain that the system never sees.
        if self.free_words < CHUNK_WORDS.max(arena.bytes() / size_of::<AtomicU64>() / IDLE_PART) {
            return;
        }
        let mut runs = Vec::new();
        for (class, free) in self.free.iter_mut().enumerate() {
            let words = size_of_class(class) as Address;
            runs.extend(free.iter().map(|&next| Region { next, end: next + words }));
            // A new vector, as the old one may hold millions of entries.
            *free = Vec::new();
        }
        self.free_words = 0;
        self.spans.join(runs);
        let released = self.spans.release();
        arena.released.fetch_add(released.len() as u32, Ordering::Relaxed);
        for chunk in released {
            let first = chunk as usize * CHUNK_WORDS;
            // Released after the count, so that the count is never too large.
            arena.words.release(first..first + CHUNK_WORDS);
        }
    }

    /// Frees a run that no reader can hold any more; `words` as when it was allocated.
    pub(crate) fn free(&mut self, at: Address, words: usize) {
        let (class, words) = size_class(words);
        if self.free.len() <= class {
            self.free.resize_with(class + 1, Vec::new);
        }
        self.free[class].push(at);
        self.free_words += words;
    }

    /// Returns unused memory to the system: the rest of the last chunk, and free blocks that make up a
    /// quarter of a huge page.
    ///
    /// Fewer blocks are kept: one hole in a huge page, and the system backs the rest of it by small pages.
    pub(crate) fn release_unused(&mut self, arena: &Arena) {
        // The rest of a chunk was committed with it and is untouched.
        arena.words.release(self.large.next as usize..self.large.end as usize);
        let (class, _) = size_class(BLOCK_WORDS);
        let Some(free) = self.free.get_mut(class) else { return };
        // The lowest addresses are used again first, and neighbours share pages.
        free.sort_unstable_by(|a, b| b.cmp(a));
        let chunk_of = |block: Address| block as usize / CHUNK_WORDS;
        let chunks = free.chunk_by(|above, below| chunk_of(*above) == chunk_of(*below));
        // Each release splits a huge page, so few blocks are not worth it.
        for blocks in chunks.filter(|blocks| blocks.len() * BLOCK_WORDS >= CHUNK_WORDS / 4) {
            for run in blocks.chunk_by(|above, below| below + BLOCK_WORDS as Address == *above) {
                let first = run[run.len() - 1] as usize;
                arena.words.release(first..first + run.len() * BLOCK_WORDS);
            }
        }
    }

    /// Takes all free memory of another allocator of the same arena.
    pub(crate) fn absorb(&mut self, other: Self) {
        let mut rests = Vec::new();
        // Only one rest of each kind can be kept; the other is freed.
        for (mine, other) in [(&mut self.large, other.large), (&mut self.small, other.small)] {
            let (more, less) = longer(*mine, other);
            *mine = more;
            rests.push(less);
        }
        rests.into_iter().for_each(|rest| self.give(rest));
        self.free_words += other.free_words;
        self.spans.absorb(other.spans);
        for (class, runs) in other.free.into_iter().enumerate() {
            if self.free.len() <= class {
                self.free.resize_with(class + 1, Vec::new);
            }
            self.free[class].extend(runs);
        }
    }
}

/// Class number and true size for a wished size: exact up to 64 words, then in steps of at most 1/32.
fn size_class(words: usize) -> (usize, usize) {
    if words <= 64 {
        return (words, words);
    }
    // 32 steps between two powers of two bound the waste to 1/32.
    let shift = words.ilog2() - 5;
    let steps = words.div_ceil(1 << shift); // 32..=64; 64 is the first step of the next octave
    (64 + (shift as usize - 1) * 32 + (steps - 32), steps << shift)
}

/// Words of a run of this class, as [`size_class`] has them.
fn size_of_class(class: usize) -> usize {
    if class <= 64 {
        return class;
    }
    let (shift, steps) = ((class - 65) / 32 + 1, (class - 65) % 32 + 33);
    steps << shift
}

/// Largest size of a class that is not larger than this.
fn size_class_below(words: usize) -> usize {
    let shift = words.ilog2().saturating_sub(5);
    if words <= 64 { words } else { words >> shift << shift }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_are_tight_distinct_and_ascending() {
        let (mut last, mut largest) = ((0, 0), 0);
        for words in 1..200_000 {
            let (class, size) = size_class(words);
            assert!(size >= words && size <= words + words / 32 + 1, "{words} words get {size}");
            assert_eq!(size_class(size), (class, size), "{words}: the true size is of the same class");
            assert_eq!(size_of_class(class), size, "{words}");
            largest = if size == words { size } else { largest };
            assert_eq!(size_class_below(words), largest, "{words}");
            assert!((class, size) == last || (class > last.0 && size > last.1), "{words}");
            last = (class, size);
        }
    }

    #[test]
    fn runs_do_not_overlap_and_come_back() {
        let (arena, mut allocator) = (Arena::large(), Allocator::new());
        let sizes = [1, 7, 64, 65, 1000, CHUNK_WORDS, CHUNK_WORDS + 1, 3 * CHUNK_WORDS];
        let runs: Vec<_> =
            sizes.iter().cycle().take(200).map(|&n| (allocator.allocate(&arena, n), n)).collect();
        for (tag, &(at, words)) in runs.iter().enumerate() {
            assert_ne!(at, 0);
            arena.run(at, words).iter().for_each(|word| word.store(tag as u64, Ordering::Relaxed));
        }
        for (tag, &(at, words)) in runs.iter().enumerate() {
            assert!(arena.run(at, words).iter().all(|word| word.load(Ordering::Relaxed) == tag as u64));
        }
        let bytes = arena.bytes();
        runs.iter().for_each(|&(at, words)| allocator.free(at, words));
        let again: Vec<_> = sizes.iter().cycle().take(200).map(|&n| allocator.allocate(&arena, n)).collect();
        assert_eq!(again.len(), runs.len());
        assert_eq!(arena.bytes(), bytes, "all of it was used again");
    }
}

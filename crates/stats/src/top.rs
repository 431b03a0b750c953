//! Top list: the most frequent keys, in memory that does not grow with the number of keys.
//!
//! Designs considered: (1) a hash map of all keys: grows with every forged source address; (2) a count-min
//! sketch: small, but does not store keys; (3) the stream summary of the Space-Saving algorithm (Metwally,
//! Agrawal, El Abbadi 2005): all slots in one list ordered by count, whose pointers every count updates; (4)
//! used: Space-Saving with slots in sets of 8, as in a processor cache. The hash of a key selects its set; a
//! missing key replaces the one with the least count in the set, and keeps that count as its error. Within a
//! set the guarantees of Space-Saving hold: a key with more than an eighth of the set's occurrences is
//! present, and every true count is in `count - error..=count`. Counting a present key reads one set and
//! writes one count.
//!
//! Readers use a sequence lock: a set's number is odd while a slot is replaced; a reader that sees it odd, or
//! changed since it began, reads again. All fields are atomics, so a race costs a retry and is never
//! undefined behaviour. The writer never waits.

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// Slots of a set.
const WAYS: usize = 8;

/// Sets, a power of two: 256 keys in all.
const SETS: usize = 32;

/// Maximum of tries of a reader at a set. One suffices unless the writer is replacing a slot, for some
/// nanoseconds.
const TRIES_MAX: usize = 100;

/// The keys that occur most often, each of 128 bits; written by one thread.
#[derive(Debug)]
pub struct Top {
    sets: Box<[Set<WAYS>]>,
    /// Secret seed: no sender can choose addresses that displace a given key.
    hasher: foldhash::fast::RandomState,
}

/// A key and its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: u128,
    /// Upper bound of its occurrences.
    pub count: u64,
    /// Part of `count` that may belong to other keys.
    pub error: u64,
}

impl Entry {
    /// Lower bound of its occurrences. Never decreases while the key is present.
    pub fn at_least(&self) -> u64 {
        self.count - self.error
    }
}

/// A set, on two cache lines for counting, and more for readers.
#[derive(Debug)]
#[repr(align(64))]
struct Set<const WAYS: usize> {
    /// Upper and lower halves of the keys.
    highs: [AtomicU64; WAYS],
    lows: [AtomicU64; WAYS],
    /// A count of 0 is a free slot.
    counts: [AtomicU64; WAYS],
    errors: [AtomicU64; WAYS],
    /// Odd while a slot is replaced.
    sequence: AtomicU64,
}

impl Default for Top {
    fn default() -> Self {
        Self { sets: (0..SETS).map(|_| Set::new()).collect(), hasher: foldhash::fast::RandomState::default() }
    }
}

impl Top {
    /// Counts `n` occurrences of `key`. Only the thread that owns the list may call this.
    pub fn count(&self, key: u128, n: u64) {
        use std::hash::BuildHasher;
        let hash = self.hasher.hash_one(key);
        self.sets[(hash >> 32) as usize % SETS].count(key, n);
    }

    /// Returns the present keys, by descending lower bound.
    ///
    /// Skips a set that is replaced without pause; it holds no frequent key.
    pub fn read(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.sets.iter().filter_map(Set::read).flatten().flatten().collect();
        entries.sort_unstable_by_key(|entry| (std::cmp::Reverse(entry.at_least()), entry.key));
        entries
    }
}

impl<const WAYS: usize> Set<WAYS> {
    fn new() -> Self {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        Self { highs: zeros(), lows: zeros(), counts: zeros(), errors: zeros(), sequence: AtomicU64::new(0) }
    }

    fn count(&self, key: u128, n: u64) {
        let (high, low) = halves(key);
        for way in 0..WAYS {
            let present = self.lows[way].load(Ordering::Relaxed) == low
                && self.highs[way].load(Ordering::Relaxed) == high;
            if present {
                let count = &self.counts[way];
                return count.store(count.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
            }
        }
        self.replace_least(key, n);
    }

    /// Replaces the key with the least count.
    #[cold]
    fn replace_least(&self, key: u128, n: u64) {
        let count_of = |way: usize| self.counts[way].load(Ordering::Relaxed);
        // Space-Saving: the least frequent key makes room; a free slot counts 0.
        let way = (0..WAYS).min_by_key(|&way| count_of(way)).unwrap_or_default();
        let (least, (high, low)) = (count_of(way), halves(key));
        let sequence = self.sequence.load(Ordering::Relaxed);
        self.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        // A reader that sees one of the stores below also sees the odd number.
        fence(Ordering::Release);
        self.highs[way].store(high, Ordering::Relaxed);
        self.lows[way].store(low, Ordering::Relaxed);
        self.errors[way].store(least, Ordering::Relaxed);
        self.counts[way].store(least.wrapping_add(n), Ordering::Relaxed);
        // A reader that sees this number sees the stores above.
        self.sequence.store(sequence.wrapping_add(2), Ordering::Release);
    }

    /// Returns the slots in use; `None` if one was replaced during every try.
    fn read(&self) -> Option<[Option<Entry>; WAYS]> {
        (0..TRIES_MAX).find_map(|_| self.try_read())
    }

    fn try_read(&self) -> Option<[Option<Entry>; WAYS]> {
        let before = self.sequence.load(Ordering::Acquire);
        let entries = std::array::from_fn(|way| {
            let half = |halves: &[AtomicU64; WAYS]| u128::from(halves[way].load(Ordering::Relaxed));
            let key = half(&self.highs) << 64 | half(&self.lows);
            let (count, error) =
                (self.counts[way].load(Ordering::Relaxed), self.errors[way].load(Ordering::Relaxed));
            (count > 0).then_some(Entry { key, count, error })
        });
        // Pairs with the fence of the writer: if a load above saw a store of a replacement, the number has
        // changed.
        fence(Ordering::Acquire);
        let unchanged = before.is_multiple_of(2) && self.sequence.load(Ordering::Relaxed) == before;
        unchanged.then_some(entries)
    }
}

fn halves(key: u128) -> (u64, u64) {
    ((key >> 64) as u64, key as u64)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn few_keys_are_counted_exactly() {
        let top = Top::default();
        for (key, n) in [(1 << 100, 5), (7, 2), (1 << 100, 1), (u128::MAX, 9), (7, 1)] {
            top.count(key, n);
        }
        let entry = |key, count| Entry { key, count, error: 0 };
        assert_eq!(top.read(), [entry(u128::MAX, 9), entry(1 << 100, 6), entry(7, 3)]);
    }

    #[test]
    fn frequent_keys_survive_a_flood_of_forged_keys() {
        let top = Top::default();
        for forged in 0..100_000_u128 {
            top.count(forged << 64 | 1, 1);
            top.count(42, 1);
        }
        let first = top.read()[0];
        assert_eq!(first.key, 42);
        assert!((99_000..=100_000).contains(&first.at_least()), "{first:?}");
    }

    proptest! {
        /// Checks the guarantees of Space-Saving, within one set, against a map of all keys.
        #[test]
        fn true_counts_are_within_the_error(keys in proptest::collection::vec(0..30_u128, 1..400)) {
            let (set, mut all) = (Set::<WAYS>::new(), HashMap::<u128, u64>::new());
            for &key in &keys {
                set.count(key + 1, 1);
                *all.entry(key + 1).or_default() += 1;
            }
            let present: Vec<Entry> = set.read().unwrap().into_iter().flatten().collect();
            prop_assert_eq!(present.iter().map(|entry| entry.count).sum::<u64>(), keys.len() as u64);
            for entry in &present {
                let truth = all[&entry.key];
                prop_assert!((entry.at_least()..=entry.count).contains(&truth), "{truth}: {entry:?}");
            }
            for (key, count) in all.into_iter().filter(|(_, count)| count * WAYS as u64 > keys.len() as u64) {
                prop_assert!(present.iter().any(|entry| entry.key == key), "{key} occurs {count} times");
            }
        }
    }
}

/// Run by `RUSTFLAGS="--cfg loom" cargo test -p lqd-stats --release --target-dir target/loom top`.
#[cfg(all(test, loom))]
mod loom_tests {
    use loom::sync::Arc;

    use super::*;

    /// Checks that in every interleaving a reader sees a key with its own count and error, or reads again.
    #[test]
    fn top_is_never_torn() {
        loom::model(|| {
            let set = Arc::new(Set::<1>::new());
            set.count(1 << 64 | 1, 10);
            let writer = {
                let set = Arc::clone(&set);
                loom::thread::spawn(move || {
                    set.count(2 << 64 | 2, 100);
                    set.count(3 << 64 | 3, 1000);
                })
            };
            if let Some([entry]) = set.try_read() {
                let wanted = [(1, 10, 0), (2, 110, 10), (3, 1110, 110)]
                    .map(|(key, count, error)| Some(Entry { key: key << 64 | key, count, error }));
                assert!(wanted.contains(&entry), "{entry:?}");
            }
            writer.join().unwrap();
        });
    }
}

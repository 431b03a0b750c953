//! Epoch-based reclamation: unlinked memory is reused once every reader has passed a quiescent point.
//!
//! Each reader owns one padded word: the epoch in which its current batch began, or [`IDLE`]. The writer
//! raises the epoch after it has unlinked something, and reuses it once no reader is in an older one. Readers
//! never wait, write no line that another reader touches, and never free memory (crossbeam-epoch's `pin`
//! sometimes collects garbage, on the packet path).

use crossbeam::utils::CachePadded;

#[cfg(loom)]
use loom::sync::atomic::{AtomicU64, Ordering, fence};
#[cfg(not(loom))]
use std::sync::atomic::{AtomicU64, Ordering, fence};

/// The word of a reader that is between batches.
const IDLE: u64 = u64::MAX;

/// The word of a place that no reader has taken.
const VACANT: u64 = u64::MAX - 1;

/// A moment after which no reader may be left behind; from [`Epochs::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Epoch(u64);

/// The epoch and the places of the readers.
pub(crate) struct Epochs {
    current: AtomicU64,
    readers: Box<[CachePadded<AtomicU64>]>,
}

impl Epochs {
    /// Room for this many readers.
    pub(crate) fn new(readers_max: usize) -> Self {
        let readers = (0..readers_max).map(|_| CachePadded::new(AtomicU64::new(VACANT))).collect();
        Self { current: AtomicU64::new(1), readers }
    }

    /// Takes a place for a reader, if one is vacant.
    pub(crate) fn register(&self) -> Option<usize> {
        let take =
            // Relaxed: the place's contents are published by `enter`.
            |word: &AtomicU64| word.compare_exchange(VACANT, IDLE, Ordering::Relaxed, Ordering::Relaxed);
        self.readers.iter().position(|word| take(word).is_ok())
    }

    /// Gives a place back.
    pub(crate) fn unregister(&self, place: usize) {
        // Release: a writer that sees the vacancy has also seen the reads before it.
        self.readers[place].store(VACANT, Ordering::Release);
    }

    /// Begins a batch of the reader of this place: until [`Self::leave`], memory that it finds is not reused.
    pub(crate) fn enter(&self, place: usize) {
        // An epoch that is stale when stored is only over-careful; Acquire pairs with `advance`. Release: a
        // writer that sees this epoch has also seen the end of the batch before it.
        self.readers[place].store(self.current.load(Ordering::Acquire), Ordering::Release);
        // Either the writer's check sees this store, or the reads that follow see the writer's unlinking.
        fence(Ordering::SeqCst);
    }

    /// Ends the batch of the reader of this place.
    pub(crate) fn leave(&self, place: usize) {
        // Release: the reads of this batch end before the writer may reuse what they saw.
        self.readers[place].store(IDLE, Ordering::Release);
    }

    /// Begins a new epoch, after unlinking: once it has [passed](Self::passed), no reader holds unlinked
    /// memory.
    pub(crate) fn advance(&self) -> Epoch {
        // SeqCst: the unlinking must come before the check of the readers.
        Epoch(self.current.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// Whether every reader has passed a quiescent point since this epoch began.
    pub(crate) fn passed(&self, epoch: Epoch) -> bool {
        // Pairs with the fence in `enter`.
        fence(Ordering::SeqCst);
        // IDLE and VACANT are larger than any epoch.
        self.readers.iter().all(|word| word.load(Ordering::Acquire) >= epoch.0)
    }

    /// Waits until every reader has passed a quiescent point: at most as long as a batch takes.
    pub(crate) fn synchronize(&self) {
        let epoch = self.advance();
        while !self.passed(epoch) {
            // A batch takes microseconds, so yielding is enough; a futex would cost every reader.
            std::thread::yield_now();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_passes_when_its_older_readers_leave() {
        let epochs = Epochs::new(2);
        let (a, b) = (epochs.register().unwrap(), epochs.register().unwrap());
        assert_eq!(epochs.register(), None, "both places are taken");
        epochs.enter(a);
        let epoch = epochs.advance();
        epochs.enter(b);
        assert!(!epochs.passed(epoch), "a entered before");
        epochs.leave(a);
        assert!(epochs.passed(epoch), "b entered after");
        epochs.enter(a);
        assert!(epochs.passed(epoch), "a came back after");
        epochs.unregister(b);
        assert_eq!(epochs.register(), Some(b));
    }
}

/// Run with `RUSTFLAGS="--cfg loom" cargo test -p lqd-index --release epoch`.
#[cfg(all(test, loom))]
mod model {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// Memory that a reader finds is not reused under it: one word is the published pointer, two are the
    /// memory.
    #[test]
    fn no_reader_sees_reused_memory() {
        loom::model(|| {
            let epochs = Arc::new(Epochs::new(1));
            let place = epochs.register().unwrap();
            let shared = Arc::new((AtomicU64::new(0), [AtomicU64::new(7), AtomicU64::new(0)]));
            let reader = {
                let (epochs, shared) = (Arc::clone(&epochs), Arc::clone(&shared));
                thread::spawn(move || {
                    // Two batches: the second must see the word that was published meanwhile.
                    for _batch in 0..2 {
                        epochs.enter(place);
                        let at = shared.0.load(Ordering::Acquire) as usize;
                        let value = shared.1[at].load(Ordering::Relaxed);
                        epochs.leave(place);
                        assert_eq!(value, 7, "what was found was reused");
                    }
                })
            };
            shared.1[1].store(7, Ordering::Relaxed);
            shared.0.store(1, Ordering::Release);
            // The order under test: unlink, advance, check, reuse.
            let epoch = epochs.advance();
            if epochs.passed(epoch) {
                shared.1[0].store(666, Ordering::Relaxed);
            }
            reader.join().unwrap();
        });
    }
}

//! Counters of running threads, for the progress line, and the flag that stops them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counters of one thread, on a cache line of their own, since they change with every batch.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counters {
    pub(super) sent: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) wrong: AtomicU64,
}

/// State shared by the threads and the progress line.
#[derive(Debug)]
pub(super) struct LiveCounters<'a> {
    pub(super) threads: Vec<Counters>,
    /// Send no more queries; only wait for the pending ones.
    pub(super) stop: &'a AtomicBool,
}

/// Sums over all threads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) lost: u64,
    pub(super) wrong: u64,
}

impl<'a> LiveCounters<'a> {
    pub(super) fn new(threads: u32, stop: &'a AtomicBool) -> Self {
        Self { threads: (0..threads).map(|_| Counters::default()).collect(), stop }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn totals(&self) -> Totals {
        let sum = |counter: fn(&Counters) -> &AtomicU64| {
            // Relaxed: the line shows progress, not a result.
            self.threads.iter().map(|thread| counter(thread).load(Ordering::Relaxed)).sum()
        };
        Totals {
            sent: sum(|thread| &thread.sent),
            answered: sum(|thread| &thread.answered),
            lost: sum(|thread| &thread.lost),
            wrong: sum(|thread| &thread.wrong),
        }
    }
}

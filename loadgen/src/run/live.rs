//! Counters of running threads, for the progress line, and the sign for them to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// One thread's counters; on a cache line of their own, for they change with every batch.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counters {
    pub(super) sent: AtomicU64,
    pub(super) answered: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) wrong: AtomicU64,
}

/// What threads and the progress line share.
#[derive(Debug)]
pub(super) struct Live<'a> {
    pub(super) threads: Vec<Counters>,
    /// Ask no more, and wait for the answers under way only.
    pub(super) stop: &'a AtomicBool,
}

/// The sum over all threads.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    pub(super) sent: u64,
    pub(super) answered: u64,
    pub(super) lost: u64,
    pub(super) wrong: u64,
}

impl<'a> Live<'a> {
    pub(super) fn new(threads: u32, stop: &'a AtomicBool) -> Self {
        Self { threads: (0..threads).map(|_| Counters::default()).collect(), stop }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn totals(&self) -> Totals {
        let sum = |counter: fn(&Counters) -> &AtomicU64| {
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

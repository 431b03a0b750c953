//! The thread that finds leases whose valid lifetime has passed.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use lqd_index::{ExpiryWatch, Reader, Store, SweepProgress};
use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, gettid, sched_getaffinity, sched_setaffinity};

use super::unix_seconds;
use crate::error::ExitError;
use crate::observe::state::ServerState;
use crate::runtime::event::{Event, ExitNotifier};

/// Pause after a sweep as a multiple of its time: one percent of a CPU.
const REST: u32 = 100;

/// Shortest pause after a sweep, and the pause while leases are stale or incomplete.
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// Niceness of the thread.
const NICENESS: i32 = 10;

/// The running thread.
pub(in crate::runtime) struct Expiry {
    /// Disconnected to stop it.
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// State of the thread.
struct Sweeper {
    watch: ExpiryWatch,
    leases: Reader,
    state: Arc<ServerState>,
    stop: Receiver<()>,
}

impl Expiry {
    /// Starts the thread, and returns once its priority is set.
    pub(super) fn start(
        watch: ExpiryWatch,
        store: &Arc<Store>,
        state: &Arc<ServerState>,
        workers: &[usize],
        events: Sender<Event>,
    ) -> Result<Self, ExitError> {
        let leases = store.reader().expect("a reader is left beside those of workers and connections");
        let (stop, stopped) = bounded(0);
        let (started, awaited) = bounded::<()>(0);
        let sweeper = Sweeper { watch, leases, state: Arc::clone(state), stop: stopped };
        let workers = workers.to_vec();
        let run = move || {
            let mut notifier = ExitNotifier::new(events, Event::ExpiryEnded);
            yield_to_others(&workers);
            drop(started);
            sweeper.run();
            notifier.dismiss();
        };
        let thread = thread::Builder::new().name("lqd-expiry".to_owned()).spawn(run)?;
        // The priority cannot be set any more once the sandbox is sealed.
        let _ = awaited.recv();
        Ok(Self { stop, thread })
    }

    /// Ends the thread.
    pub(in crate::runtime) fn stop(self) {
        drop(self.stop);
        // A panic was reported by its event.
        let _ = self.thread.join();
    }
}

/// Lowers the priority of this thread, and leaves the workers' CPUs to them where there are others.
fn yield_to_others(workers: &[usize]) {
    // Both save latency only, so a refusal is no reason to stop.
    let _ = setpriority_process(Some(gettid()), NICENESS);
    let Ok(mut cpus) = sched_getaffinity(None) else { return };
    workers.iter().filter(|&&cpu| cpu < CpuSet::MAX_CPU).for_each(|&cpu| cpus.unset(cpu));
    if cpus.count() > 0 {
        let _ = sched_setaffinity(None, &cpus);
    }
}

impl Sweeper {
    fn run(mut self) {
        let mut took = Duration::ZERO;
        loop {
            let pause = match self.step(&mut took) {
                Some(SweepProgress::UnderWay) => Duration::ZERO,
                Some(SweepProgress::Over) => (std::mem::take(&mut took) * REST).max(PAUSE_MIN),
                None => PAUSE_MIN,
            };
            if self.stop.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
                return;
            }
        }
    }

    /// Takes a step and adds its time; `None` while leases are stale or incomplete, and may be renewed
    /// already.
    fn step(&mut self, took: &mut Duration) -> Option<SweepProgress> {
        if self.state.is_stale() {
            return None;
        }
        let leases = self.leases.pin();
        if leases.is_incomplete() {
            return None;
        }
        let started = Instant::now();
        let progress = self.watch.step(&leases, unix_seconds());
        *took += started.elapsed();
        Some(progress)
    }
}

//! Worker threads: started with their sockets, observed while they run, stopped after their queues are
//! drained.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddrV6;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam::channel::Sender;
use lqd_answer::{Engine, Limits};
use lqd_index::Store;
use lqd_net::{REPLY_LEN_MAX, Socket, StopHandle, StopSignal, WorkerSettings, drain, stop_pair};
use tracing::{info, warn};

use super::event::{Event, ExitNotifier};
use super::liveness::Liveness;
use super::sockets;
use super::worker::Worker;
use crate::error::ExitError;
use crate::observe::state::{OUTCOMES, WorkerCounters};
use crate::observe::taps::Recorder;
use crate::observe::tls::TlsState;
use crate::security::Sandbox;
use crate::settings::{CpuSteering, Io, Settings, Switch};

/// Longest time to drain the queues of stopped workers. A full queue takes some hundredths of a second; one
/// that stays full belongs to a worker that hangs.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// Data and channels that all workers share.
pub(super) struct Shared<'a> {
    pub(super) store: &'a Arc<Store>,
    pub(super) engine: &'a Arc<ArcSwap<Engine>>,
    pub(super) recorder: &'a Recorder,
    pub(super) tls: &'a Arc<TlsState>,
    pub(super) events: &'a Sender<Event>,
}

/// Running workers.
pub(super) struct Workers {
    /// Listen addresses.
    pub(super) addresses: Vec<SocketAddrV6>,
    /// CPUs that workers are pinned to.
    pub(super) cpus: Vec<usize>,
    /// Counters, one set for each worker.
    pub(super) counters: Vec<Arc<WorkerCounters>>,
    liveness: Vec<Liveness>,
    stop: StopHandle,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Binds the sockets, drops capabilities and starts the workers.
    pub(super) fn start(
        settings: &Settings,
        shared: &Shared<'_>,
        sandbox: &mut Sandbox,
    ) -> Result<Self, ExitError> {
        let backend = sockets::backend(settings.io)?;
        let cpus = sockets::cpus(settings);
        let workers = settings.workers;
        // With capabilities: port 547 needs CAP_NET_BIND_SERVICE, and larger buffers CAP_NET_ADMIN.
        let (addresses, sockets) = sockets::bind(settings)?;
        if settings.steering == CpuSteering::Cpu {
            sockets::steer(&sockets, addresses.len(), &cpus)?;
        }
        // Needs capabilities as well, so before they are dropped.
        let busy_poll = sockets::busy_poll(backend, settings, sockets.iter().flatten());
        sandbox.drop_capabilities()?;
        let (stop, signal) = stop_pair().map_err(ExitError::running)?;
        let mut started = Self {
            addresses,
            cpus: Vec::new(),
            counters: Vec::new(),
            liveness: Vec::new(),
            stop,
            threads: Vec::new(),
        };
        for (number, sockets) in sockets.into_iter().enumerate() {
            // With more workers than CPUs, the scheduler places them better than pins.
            let cpu = if workers <= cpus.len() { Some(cpus[number]) } else { None };
            let net = WorkerSettings {
                backend,
                fall_back: settings.io == Io::Auto,
                cpu,
                buffers: settings.buffers,
                buffer_len: REPLY_LEN_MAX,
                coalesce: settings.gro == Switch::On,
                busy_poll,
            };
            started.cpus.extend(cpu);
            started.spawn_worker(net, sockets, signal.clone(), shared)?;
        }
        info!(workers, ?backend, "workers started");
        Ok(started)
    }

    fn spawn_worker(
        &mut self,
        settings: WorkerSettings,
        sockets: Vec<Socket>,
        stop: StopSignal,
        shared: &Shared<'_>,
    ) -> Result<(), ExitError> {
        let number = self.threads.len();
        let counters = Arc::new(WorkerCounters::default());
        let too_many = || ExitError::unusable("too many workers; lower --workers");
        let mut service = Worker {
            leases: shared.store.reader().ok_or_else(too_many)?,
            engine: Arc::clone(shared.engine),
            // A random key, so that no requestor can choose prefixes that collide.
            limits: Limits::new(RandomState::new().hash_one(number)),
            since: Instant::now(),
            counters: Arc::clone(&counters),
            number,
            taps: Arc::clone(&shared.recorder.taps),
            skipped: 0,
            events: shared.events.clone(),
        };
        self.liveness.push(Liveness::new(&sockets, &counters.net).map_err(ExitError::running)?);
        let worker = lqd_net::Worker::new(settings, sockets, stop, Arc::clone(&counters.net))
            .map_err(ExitError::unusable)?;
        let events = shared.events.clone();
        let run = move || {
            // Sent as it is after a panic, whose reason is logged by the panic itself.
            let mut notifier = ExitNotifier::new(events, Event::WorkerEnded(number, None));
            match worker.run(&mut service) {
                Ok(()) => notifier.dismiss(),
                Err(error) => notifier.replace(Event::WorkerEnded(number, Some(error.to_string()))),
            }
        };
        let thread =
            thread::Builder::new().name(format!("lqd-{number}")).spawn(run).map_err(ExitError::running)?;
        self.threads.push(thread);
        self.counters.push(counters);
        Ok(())
    }

    /// Returns the first worker that has datagrams queued and received none since the previous call.
    pub(super) fn stalled(&mut self) -> Option<usize> {
        let mut first = None;
        for (number, liveness) in self.liveness.iter_mut().enumerate() {
            // Every worker's counter is read, so that the next call compares with this one.
            if !liveness.made_progress() {
                first = first.or(Some(number));
            }
        }
        first
    }

    /// Stops receiving, answers the queued datagrams and ends the workers; returns the datagrams by outcome.
    ///
    /// New datagrams go to another lqd on the same port, if there is one.
    pub(super) fn stop(self) -> [u64; OUTCOMES] {
        // Workers still run here, so that they empty the queues.
        let drained = drain(self.liveness.iter().flat_map(Liveness::intakes), DRAIN_PATIENCE);
        for (address, error) in drained.stayed {
            warn!(%address, %error, "cannot leave the port before the end: queries may be lost in its queue");
        }
        for address in drained.unread {
            warn!(%address, "queries in the queue of a socket are lost: its worker does not take them");
        }
        self.stop.stop();
        for thread in self.threads {
            // The panic of a worker has been logged already.
            let _ = thread.join();
        }
        let mut totals = [0; OUTCOMES];
        for counters in self.counters {
            let counts = counters.datagrams();
            totals.iter_mut().zip(counts).for_each(|(total, counts)| *total += counts.iter().sum::<u64>());
        }
        totals
    }
}

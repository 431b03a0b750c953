//! The workers: their sockets, threads and counters.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam::channel::Sender;
use lqd_answer::{Engine, Limits};
use lqd_index::Store;
use lqd_net::{
    Backend, Intake, NetCounters, REPLY_LEN_MAX, Socket, SocketOptions, StopHandle, StopSignal,
    WorkerSettings, drain, listen, listen_multicast, prepare_busy_poll, probe, steer_by_cpu, stop_pair,
};
use tracing::{info, warn};

use super::serve::Event;
use super::worker::Worker;
use crate::Failure;
use crate::observe::state::{OUTCOMES, WorkerBooks};
use crate::observe::taps::Recorder;
use crate::security::Sandbox;
use crate::settings::{Io, Settings, Steering, Switch};

/// All_DHCP_Servers and All_DHCP_Relay_Agents_and_Servers (RFC 8415 §7.1).
const GROUPS: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 3), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2)];

/// How long workers may take for what is queued when they are stopped: a full queue takes some hundredths of a
/// second, and one that stays full belongs to a worker that is not there any more.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// Workers at work.
pub(crate) struct Crew {
    /// Where they listen.
    pub(crate) addresses: Vec<SocketAddrV6>,
    /// CPUs that workers are pinned to.
    pub(crate) cpus: Vec<usize>,
    /// Each worker's.
    pulses: Vec<Pulse>,
    stop: StopHandle,
    threads: Vec<JoinHandle<()>>,
    /// What each worker counts.
    pub(crate) books: Vec<Arc<WorkerBooks>>,
}

impl Crew {
    /// Binds the sockets and starts the workers; each one's end is told to `events`.
    pub(crate) fn start(
        settings: &Settings,
        store: &Arc<Store>,
        engine: &Arc<ArcSwap<Engine>>,
        recorder: &Recorder,
        events: &Sender<Event>,
        sandbox: &mut Sandbox,
    ) -> Result<Self, Failure> {
        let backend = backend(settings.io)?;
        let cpus = cpus(settings);
        let workers = settings.workers;
        let (addresses, sockets) = bind(settings, workers)?;
        if settings.steering == Steering::Cpu {
            steer(&sockets, addresses.len(), &cpus)?;
        }
        let busy_poll = busy_poll(backend, settings, sockets.iter().flatten());
        sandbox.drop_capabilities()?;
        let (stop, signal) = stop_pair().map_err(Failure::running)?;
        let mut crew = Self {
            addresses,
            cpus: Vec::new(),
            pulses: Vec::new(),
            stop,
            threads: Vec::new(),
            books: Vec::new(),
        };
        for (number, sockets) in sockets.into_iter().enumerate() {
            // More workers than CPUs: the scheduler knows better than a pin.
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
            crew.cpus.extend(cpu);
            crew.hire(number, net, sockets, signal.clone(), (store, engine, recorder), events.clone())?;
        }
        info!(workers, ?backend, "workers started");
        Ok(crew)
    }

    fn hire(
        &mut self,
        number: usize,
        settings: WorkerSettings,
        sockets: Vec<Socket>,
        stop: StopSignal,
        (store, engine, recorder): (&Arc<Store>, &Arc<ArcSwap<Engine>>, &Recorder),
        events: Sender<Event>,
    ) -> Result<(), Failure> {
        let books = Arc::new(WorkerBooks::default());
        let leases = store.reader().ok_or_else(|| Failure::unusable("too many workers; lower --workers"))?;
        let mut service = Worker {
            leases,
            engine: Arc::clone(engine),
            limits: Limits::new(RandomState::new().hash_one(number)),
            since: Instant::now(),
            books: Arc::clone(&books),
            number,
            taps: Arc::clone(&recorder.taps),
            skipped: 0,
            events: events.clone(),
        };
        self.pulses.push(Pulse::new(&sockets, &books.net)?);
        let worker = lqd_net::Worker::new(settings, sockets, stop, Arc::clone(&books.net))
            .map_err(Failure::unusable)?;
        let run = move || {
            let mut farewell = Farewell { number, reason: None, ended_well: false, events };
            match worker.run(&mut service) {
                Ok(()) => farewell.ended_well = true,
                Err(error) => farewell.reason = Some(error.to_string()),
            }
        };
        let thread =
            thread::Builder::new().name(format!("lqd-{number}")).spawn(run).map_err(Failure::running)?;
        self.threads.push(thread);
        self.books.push(books);
        Ok(())
    }

    /// The first worker, if there is one, that lets datagrams wait and has taken none since this was last asked.
    pub(crate) fn idle_beside_work(&mut self) -> Option<usize> {
        let mut idle = self.pulses.iter_mut().enumerate().filter_map(|(number, pulse)| {
            let beats = pulse.beats();
            (!beats).then_some(number)
        });
        let first = idle.next();
        idle.for_each(drop); // each pulse is taken
        first
    }

    /// No new datagrams: they go to the successor, if there is one on the same port. What waits in the sockets'
    /// queues is answered, and the workers end. Returns the datagrams by outcome.
    pub(crate) fn stop(self) -> [u64; OUTCOMES] {
        let drained = drain(self.pulses.iter().flat_map(|pulse| &pulse.intakes), DRAIN_PATIENCE);
        for (address, error) in drained.stayed {
            warn!(%address, %error, "cannot leave the port before the end: queries may be lost in its queue");
        }
        for address in drained.unread {
            warn!(%address, "queries in the queue of a socket are lost: its worker does not take them");
        }
        self.stop.stop();
        for thread in self.threads {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
        let mut totals = [0; OUTCOMES];
        for books in self.books {
            let counts = books.datagrams();
            totals.iter_mut().zip(counts).for_each(|(total, counts)| *total += counts.iter().sum::<u64>());
        }
        totals
    }
}

/// By what a worker is seen to live: what waits for it, and what it has taken.
struct Pulse {
    intakes: Vec<Intake>,
    counters: Arc<NetCounters>,
    received_before: u64,
}

impl Pulse {
    fn new(sockets: &[Socket], counters: &Arc<NetCounters>) -> Result<Self, Failure> {
        let intakes = sockets.iter().map(Socket::intake).collect::<Result<_, _>>();
        Ok(Self {
            intakes: intakes.map_err(Failure::running)?,
            counters: Arc::clone(counters),
            received_before: 0,
        })
    }

    /// Whether it took datagrams since the last time, or none wait.
    fn beats(&mut self) -> bool {
        let received = self.counters.received.get();
        let before = std::mem::replace(&mut self.received_before, received);
        received != before || self.intakes.iter().all(Intake::is_empty)
    }
}

/// Tells the main thread when a worker ends other than by being stopped; by a panic too.
struct Farewell {
    number: usize,
    reason: Option<String>,
    ended_well: bool,
    events: Sender<Event>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        if !self.ended_well {
            // Nobody listens any more when the program ends.
            let _ = self.events.send(Event::WorkerEnded(self.number, self.reason.take()));
        }
    }
}

/// Which back end to use, and why.
fn backend(io: Io) -> Result<Backend, Failure> {
    match io {
        Io::Mmsg => Ok(Backend::Mmsg),
        Io::Uring => probe().map(|()| Backend::Uring).map_err(Failure::running),
        Io::Auto => match probe() {
            Ok(()) => {
                info!("back end: io_uring, as the kernel offers all that is needed");
                Ok(Backend::Uring)
            }
            Err(reason) => {
                warn!(%reason, "back end: recvmmsg and sendmmsg, as io_uring cannot be used");
                Ok(Backend::Mmsg)
            }
        },
    }
}

/// The CPUs that workers may be pinned to.
fn cpus(settings: &Settings) -> Vec<usize> {
    match &settings.cpus {
        Some(cpus) => cpus.clone(),
        None => core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect(),
    }
}

/// Makes each worker's sockets on so many addresses, which it has first, get what its CPU receives.
fn steer(sockets: &[Vec<Socket>], addresses: usize, cpus: &[usize]) -> Result<(), Failure> {
    let workers = sockets.len();
    let Some(cpus) = cpus.get(..workers) else {
        return Err(Failure::unusable(format!(
            "steering by CPU needs a CPU for each of {workers} workers; lower --workers to {}, name more --cpus, \
             or leave --steering out",
            cpus.len()
        )));
    };
    for address in 0..addresses {
        let of_address: Vec<_> = sockets.iter().map(|sockets| &sockets[address]).collect();
        if let Err(reason) = steer_by_cpu(&of_address, cpus) {
            warn!(%reason, "datagrams go to workers by hash");
            break;
        }
    }
    Ok(())
}

/// How long workers poll before they sleep, microseconds: what is wanted, or not at all where that cannot be.
fn busy_poll<'a>(backend: Backend, settings: &Settings, sockets: impl Iterator<Item = &'a Socket>) -> u32 {
    let wanted = settings.busy_poll;
    if wanted == 0 {
        return 0;
    }
    if settings.gro == Switch::On {
        warn!(
            "busy polling with --gro on: what GRO collects waits until the polling ends; set --gro off for quick answers"
        );
    }
    match prepare_busy_poll(backend, sockets, wanted) {
        Ok(()) => wanted,
        Err(reason) => {
            warn!(%reason, "workers do not poll busily");
            0
        }
    }
}

/// The sockets of each worker; those for multicast groups are the first worker's.
fn bind(settings: &Settings, workers: usize) -> Result<(Vec<SocketAddrV6>, Vec<Vec<Socket>>), Failure> {
    let options =
        SocketOptions { receive_buffer: settings.receive_buffer, send_buffer: settings.send_buffer };
    let mut addresses = settings.listen.clone();
    let mut sockets: Vec<Vec<Socket>> = (0..workers).map(|_| Vec::new()).collect();
    for address in &mut addresses {
        for sockets in &mut sockets {
            let socket = listen(*address, &options).map_err(Failure::running)?;
            // If the port was 0, the kernel chose one for the first worker, and the others share it.
            *address = socket.local_address();
            sockets.push(socket);
        }
    }
    let port = addresses.first().map_or(lqd_wire::SERVER_PORT, SocketAddrV6::port);
    for interface in &settings.multicast {
        for group in GROUPS {
            sockets[0]
                .push(listen_multicast(group, interface.index, port, &options).map_err(Failure::running)?);
        }
    }
    if let Some(socket) = sockets[0].first() {
        warn_of_smaller("receive", "rmem_max", settings.receive_buffer, socket.receive_buffer());
        warn_of_smaller("send", "wmem_max", settings.send_buffer, socket.send_buffer());
    }
    Ok((addresses, sockets))
}

/// Says that a socket got less than was wanted, if so.
fn warn_of_smaller(buffer: &str, sysctl: &str, wanted: usize, got: usize) {
    if got < wanted {
        warn!(
            wanted,
            got,
            "the {buffer} buffer is smaller than wanted; raise sysctl net.core.{sysctl} or grant CAP_NET_ADMIN"
        );
    }
}

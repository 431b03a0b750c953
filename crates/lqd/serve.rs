//! `lqd serve`: start-up in the order that never answers from half a snapshot, then signals until the end.
//!
//! Leases first, sockets second: a socket that is bound takes queries away from whoever else listens there, so it
//! is bound when there is something to answer from.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use lqd_answer::{Engine, Outcome};
use lqd_feed::{Feed, Report, Steering, speak_of_unknown_subnets};
use lqd_index::{Store, Writer};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::crew::Crew;
use crate::sandbox::{Reach, Sandbox};
use crate::settings::{Flags, SandboxMode, Settings};
use crate::site::Site;
use crate::watchdog::Watchdog;
use crate::{Failure, example, log};

/// How often the main thread looks after what tells nothing by itself, if not oftener.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the main thread waits for.
pub(crate) enum Event {
    /// A signal came.
    Signal(i32),
    /// Nothing else happened for a while.
    Nothing,
    /// A worker is pinned, and receives.
    WorkerStarted,
    /// A worker's thread ended, with the reason if there is one.
    WorkerEnded(usize, Option<String>),
    /// The feed's thread ended.
    FeedEnded,
}

/// Serves until a signal says to stop.
pub(crate) fn serve(flags: &Flags, settings: Settings) -> Result<(), Failure> {
    log::start(&settings)?;
    // From here on signals wait until there is somebody to obey them.
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(Failure::running)?;
    let (events, incoming) = unbounded();
    let site = Site::read(&settings)?;
    site.warn();
    let mut sandbox =
        Sandbox::confine(settings.sandbox, &Reach::around(site.sources.iter().chain(&flags.config)))?;
    let (writer, store) = Writer::new();
    let load = || Feed::start(writer, site.links, site.files, load_threads());
    let (feed, report) = sandbox.without_capabilities(load).map_err(Failure::unusable)?;
    tell(&report, &store);
    let engine = Arc::new(ArcSwap::from_pointee(site.engine));
    let mut crew = Crew::start(&settings, &store, &engine, &events, &mut sandbox)?;
    await_workers(&incoming, settings.workers)?;
    let steering = feed.steering();
    spawn_feed(feed, events.clone())?;
    watch_signals(signals, events)?;
    if let Err(fault) = sandbox.seal() {
        crew.stop(); // what its sockets were given meanwhile is answered
        return Err(fault);
    }
    say_ready(&crew, &store);
    if settings.example_query {
        example::print(&crew.addresses, &report);
    }
    let mut running = Running { flags, settings, engine, steering, replaced: Vec::new() };
    let end = running.until_told(&incoming, &mut Care::new(&mut crew));
    tell_systemd(sd_notify::NotifyState::Stopping);
    running.steering.stop();
    let totals = crew.stop();
    for ((_, name, _), count) in Outcome::TABLE.iter().zip(totals).filter(|(_, count)| *count > 0) {
        info!(outcome = name, count, "datagrams");
    }
    end
}

/// A server at work, as its main thread sees it.
struct Running<'a> {
    flags: &'a Flags,
    settings: Settings,
    engine: Arc<ArcSwap<Engine>>,
    steering: Steering,
    /// Policies of before: kept, so that no worker is the one to free them.
    replaced: Vec<Arc<Engine>>,
}

impl Running<'_> {
    fn until_told(&mut self, events: &Receiver<Event>, care: &mut Care<'_>) -> Result<(), Failure> {
        loop {
            care.look();
            let event = match events.recv_timeout(care.pause()) {
                Err(RecvTimeoutError::Disconnected) => {
                    unreachable!("this thread holds a sender through the signal thread")
                }
                event => event.unwrap_or(Event::Nothing),
            };
            match event {
                Event::WorkerStarted | Event::Nothing => {}
                Event::Signal(SIGHUP) => self.reload(),
                Event::Signal(signal) => {
                    info!(signal, "stopping");
                    return Ok(());
                }
                Event::WorkerEnded(worker, reason) => {
                    let reason = reason.unwrap_or_else(|| "it panicked".to_owned());
                    return Err(Failure::running(format!("worker {worker} ended: {reason}")));
                }
                Event::FeedEnded => {
                    return Err(Failure::running("the feed ended: leases would no longer be followed"));
                }
            }
        }
    }

    /// Reads settings and Kea's configuration again; what cannot be used changes nothing.
    fn reload(&mut self) {
        let read = Settings::read(self.flags).map_err(Failure::unusable);
        match read.and_then(|settings| Site::read(&settings).map(|site| (settings, site))) {
            Ok((settings, site)) => {
                site.warn();
                if let Err(fault) = self.steering.configure(site.links, site.files) {
                    self.refuse(&fault);
                    return;
                }
                self.replaced.push(self.engine.swap(Arc::new(site.engine)));
                for setting in self.settings.restart_needed(&settings) {
                    warn!(setting, "this setting changed, but takes effect at the next start only");
                }
                self.settings = settings;
                info!("configuration read again");
            }
            Err(Failure::Unusable(fault) | Failure::Running(fault)) => {
                self.refuse(&fault);
            }
        }
    }

    /// Says why a configuration is not taken over, and what the fault does not say: a file that the operator can
    /// read may be out of the sandbox's reach.
    fn refuse(&self, fault: &dyn std::fmt::Display) {
        let fault = fault.to_string();
        let denied = fault.contains("(os error 13)") && self.settings.sandbox != SandboxMode::Off;
        let hint = denied.then_some(
            "the sandbox reads only in folders that were named at the start; if the file is in another, \
             restart lqd",
        );
        error!(%fault, hint, "configuration not taken over; the old one stays");
    }
}

/// What the main thread looks after from time to time.
struct Care<'a> {
    crew: &'a mut Crew,
    clock: Clock,
    watchdog: Watchdog,
}

impl<'a> Care<'a> {
    fn new(crew: &'a mut Crew) -> Self {
        Self { crew, clock: Clock::new(), watchdog: Watchdog::new() }
    }

    fn look(&mut self) {
        self.clock.look();
        self.watchdog.look(self.crew);
    }

    fn pause(&self) -> Duration {
        self.watchdog.pause().min(LOOK_EVERY)
    }
}

fn load_threads() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Says what the first load brought.
fn tell(report: &Report, store: &Store) {
    for file in &report.files {
        let (path, tally) = (file.path.display(), &file.tally);
        info!(file = %path, rows = tally.rows, bad_rows = tally.bad_rows, "read");
        for row in &tally.first_bad_rows {
            warn!(file = %path, line = row.line, fault = %row.fault, "skipped a row of the lease file");
        }
        let left_out = tally.left_out;
        if left_out != Default::default() {
            warn!(
                file = %path,
                relay_data = left_out.relay_data,
                client_fqdn = left_out.client_fqdn,
                link_layer_address = left_out.link_layer_address,
                "left options out of leases, because the rows do not say them in a usable way"
            );
        }
    }
    speak_of_unknown_subnets(&report.unknown_subnets);
    let summary = store.summary();
    info!(
        leases = summary.leases,
        clients = summary.clients,
        links = summary.links,
        octets = summary.octets,
        seconds = report.took.as_secs_f64(),
        "leases loaded"
    );
}

/// Until every worker receives; one that cannot ends start-up.
fn await_workers(events: &Receiver<Event>, workers: usize) -> Result<(), Failure> {
    for _ in 0..workers {
        if let Ok(Event::WorkerEnded(worker, reason)) = events.recv() {
            let reason = reason.unwrap_or_else(|| "it panicked".to_owned());
            return Err(Failure::unusable(format!("worker {worker} cannot start: {reason}")));
        }
    }
    Ok(())
}

fn say_ready(crew: &Crew, store: &Store) {
    let listen = crew.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    info!(target: log::READY, listen, leases = store.summary().leases, "lqd ready");
    tell_systemd(sd_notify::NotifyState::Ready);
}

/// Without systemd there is nobody to tell.
fn tell_systemd(state: sd_notify::NotifyState<'_>) {
    if let Err(fault) = sd_notify::notify(&[state]) {
        warn!(%fault, "cannot tell systemd how lqd is");
    }
}

fn spawn_feed(feed: Feed, events: Sender<Event>) -> Result<(), Failure> {
    let run = move || {
        // Sent when the thread ends, by a panic too.
        let _farewell = Farewell(events);
        feed.run();
    };
    thread::Builder::new().name("lqd-feed".to_owned()).spawn(run).map_err(Failure::running)?;
    Ok(())
}

struct Farewell(Sender<Event>);

impl Drop for Farewell {
    fn drop(&mut self) {
        // Nobody listens any more when the program ends.
        let _ = self.0.send(Event::FeedEnded);
    }
}

fn watch_signals(mut signals: Signals, events: Sender<Event>) -> Result<(), Failure> {
    let watch = move || {
        for signal in signals.forever() {
            if events.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("lqd-signals".to_owned()).spawn(watch).map_err(Failure::running)?;
    Ok(())
}

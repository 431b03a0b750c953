//! `lqd serve`: start-up in the order that never answers from half a snapshot, then signals until the end.
//!
//! Leases first, sockets second: a socket that is bound takes queries away from whoever else listens there, so it
//! is bound when there is something to answer from.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use lqd_answer::{Engine, Outcome};
use lqd_feed::{Feed, FeedWatch, Part, Report, SkippedRow, SourceState, UnknownSubnets};
use lqd_index::{Store, Writer};
use sd_notify::NotifyState;
use signal_hook::consts::SIGHUP;
use tracing::{error, info, warn};

use super::clock::Clock;
use super::reload::{Reloaded, Reloads};
use super::service_manager::tell_service_manager;
use super::signals::ProgramSignals;
use super::watchdog::Watchdog;
use super::workers::Crew;
use super::{await_kea, example};
use crate::observe::admin::Admin;
use crate::observe::state::{Board, NO_TROUBLE, Serving};
use crate::observe::taps::Recorder;
use crate::security::{self, Reach, Sandbox};
use crate::settings::{AdminAddress, Flags, Settings};
use crate::site::{self, Site};
use crate::{Failure, log};

/// How often the main thread looks after what tells nothing by itself, if not oftener.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Folders that systemd has made for logs (`LogsDirectory=`, systemd.exec(5)).
const LOGS_DIRECTORY: &str = "LOGS_DIRECTORY";

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
    /// A reload has read everything, or says why not.
    Reloaded(Box<Result<Reloaded, Failure>>),
}

/// Serves until a signal says to stop.
pub(crate) fn serve(flags: &Flags, settings: Settings) -> Result<(), Failure> {
    log::start(&settings)?;
    let mut signals = ProgramSignals::new()?;
    let (events, incoming) = unbounded();
    let board = Arc::new(Board::new(settings.max_feed_age));
    let addresses = settings.admin.clone();
    // Removes its sockets at the end, whatever the end is.
    let bound = signals.during("the admin port", None, move || Admin::bind(&addresses))?;
    let Some(mut admin) = bound else { return stopped() };
    let wanted = settings.clone();
    let read = signals.during("Kea's configuration", None, move || await_kea::site(&wanted))?;
    let Some(site) = read else { return stopped() };
    site.warn();
    let mut sandbox = Sandbox::confine(settings.sandbox, &reach(flags, &settings, &site))?;
    sandbox.without_capabilities(log::start_writing)?;
    // Before the leases: that they are not there yet is worth asking for.
    sandbox.without_capabilities(|| admin.answer(&board))?;
    let (writer, store) = Writer::new();
    let (sources, wanted, awaited) = (site.sources, settings.clone(), Arc::clone(&board));
    let load = move || {
        let taps = Recorder::prepare(&wanted)?;
        await_kea::leases(&sources, &awaited);
        let loaded = Feed::start(writer, sources, load_threads()).map_err(await_kea::failure)?;
        Ok((taps, loaded))
    };
    let loaded = signals.during("the lease file or the query log", Some(&sandbox), load)?;
    let Some((taps, (feed, report))) = loaded else { return stopped() };
    let mut recorder = Recorder::new(settings.workers);
    sandbox.without_capabilities(|| recorder.set(taps, || ()))?;
    tell(&report, &store);
    let engine = Arc::new(ArcSwap::from_pointee(site.engine));
    let mut crew = Crew::start(&settings, &store, &engine, &recorder, &events, &mut sandbox)?;
    await_workers(&incoming, settings.workers)?;
    let (handle, watch) = (feed.handle(), feed.watch());
    spawn_feed(feed, crew.cpus.clone(), events.clone())?;
    let reloads = Reloads::new(flags.clone(), handle.clone(), events.clone());
    signals.forward(events)?;
    if let Err(fault) = sandbox.seal(admin.needs()) {
        crew.stop(); // what its sockets were given meanwhile is answered
        return Err(fault);
    }
    let _ = board.serving.set(serving(&crew, &store, &watch, &recorder));
    say_ready(&crew, &store);
    if settings.example_query {
        example::print(&crew.addresses, &report);
    }
    let replaced = Vec::new();
    let mut running = Running { settings, engine, reloads, watch, board, recorder, replaced };
    let end = running.until_told(&incoming, &mut Care::new(&mut crew));
    tell_service_manager(&NotifyState::Stopping);
    running.board.set_stopping();
    handle.stop();
    let totals = crew.stop();
    running.recorder.stop();
    for ((_, name, _), count) in Outcome::TABLE.iter().zip(totals).filter(|(_, count)| *count > 0) {
        info!(outcome = name, count, "datagrams");
    }
    end
}

/// The end by a signal before queries are answered.
fn stopped() -> Result<(), Failure> {
    tell_service_manager(&NotifyState::Stopping);
    Ok(())
}

/// Where files are used after the start.
fn reach(flags: &Flags, settings: &Settings, site: &Site) -> Reach {
    let mut append = security::folders_or_devices(settings.query_log.as_ref().and_then(|log| log.to.file()));
    // Where the service manager wants logs, one may be begun by a reload.
    append.extend(std::env::var_os(LOGS_DIRECTORY).iter().flat_map(std::env::split_paths));
    let reads = || site.reads.iter().chain(&flags.config);
    Reach {
        read: [security::folders(reads()), security::beside_link_targets(reads())].concat(),
        append,
        sockets: security::folders(settings.admin.iter().filter_map(AdminAddress::path)),
    }
}

/// What the admin port shows from now on.
fn serving(crew: &Crew, store: &Arc<Store>, watch: &FeedWatch, recorder: &Recorder) -> Serving {
    Serving {
        listen: crew.addresses.clone(),
        store: Arc::clone(store),
        feed: watch.clone(),
        workers: crew.books.clone(),
        taps: Arc::clone(&recorder.taps),
        log_counts: Arc::clone(&recorder.counts),
    }
}

/// A server at work, as its main thread sees it.
struct Running {
    settings: Settings,
    engine: Arc<ArcSwap<Engine>>,
    reloads: Reloads,
    watch: FeedWatch,
    board: Arc<Board>,
    recorder: Recorder,
    /// Policies of before: kept, so that no worker is the one to free them.
    replaced: Vec<Arc<Engine>>,
}

impl Running {
    fn until_told(&mut self, events: &Receiver<Event>, care: &mut Care<'_>) -> Result<(), Failure> {
        loop {
            care.look();
            let event = match events.recv_timeout(care.pause()) {
                Err(RecvTimeoutError::Disconnected) => {
                    unreachable!("the signal thread holds a sender as long as this thread listens")
                }
                event => event.unwrap_or(Event::Nothing),
            };
            self.judge_age();
            match event {
                Event::WorkerStarted | Event::Nothing => {}
                Event::Signal(SIGHUP) => self.reload(),
                Event::Reloaded(result) => {
                    match *result {
                        Ok(reloaded) => self.apply(reloaded),
                        Err(Failure::Unusable(fault) | Failure::Running(fault)) => self.refuse(&fault),
                    }
                    if self.reloads.ended() {
                        self.reload();
                    }
                }
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

    /// Has queries without a known binding answered by how certain it is that there is none.
    fn judge_age(&mut self) {
        let state = self.watch.state();
        let stale = state.age() > self.settings.max_feed_age;
        if stale == self.board.is_stale() {
            return;
        }
        let no_binding = site::no_binding_policy(&self.settings, stale);
        let engine = Engine::clone(&self.engine.load()).with_no_binding(no_binding);
        self.replace(engine);
        self.board.set_stale(stale);
        if stale {
            let (age, when_stale) = (state.age().as_secs(), self.settings.when_stale);
            let oldest = state.oldest();
            let reason = oldest.and_then(|source| source.trouble.as_deref()).unwrap_or(NO_TROUBLE);
            let source = oldest.map(SourceState::label);
            error!(
                source,
                age,
                reason,
                ?when_stale,
                "leases are stale; for queries without lease --when-stale holds"
            );
        } else {
            info!("leases are fresh again");
        }
    }

    /// Answers by another policy from now on.
    fn replace(&mut self, engine: Engine) {
        self.replaced.push(self.engine.swap(Arc::new(engine)));
        // Who still reads one of them holds it.
        self.replaced.retain(|engine| Arc::strong_count(engine) > 1);
    }

    fn reload(&mut self) {
        if let Err(Failure::Unusable(fault) | Failure::Running(fault)) = self.reloads.start() {
            self.refuse(&fault);
        }
    }

    /// Goes on with what a reload has read.
    fn apply(&mut self, Reloaded { settings, engine, taps }: Reloaded) {
        self.board.reloads.fetch_add(1, Ordering::Relaxed);
        self.board.set_max_feed_age(settings.max_feed_age);
        let no_binding = site::no_binding_policy(&settings, self.board.is_stale());
        self.replace(engine.with_no_binding(no_binding));
        for setting in self.settings.restart_needed(&settings) {
            warn!(setting, "this setting changed, but takes effect at the next start only");
        }
        self.settings = settings;
        // Said when the query log's former file is let go, which may take as long as its file system likes.
        let done = || info!("configuration read again");
        if let Err(Failure::Unusable(fault) | Failure::Running(fault)) = self.recorder.set(taps, done) {
            error!(%fault, "the query log cannot be started");
        }
    }

    /// Counts and says why a configuration is not taken over.
    fn refuse(&self, fault: &dyn std::fmt::Display) {
        self.board.refused_reloads.fetch_add(1, Ordering::Relaxed);
        error!(%fault, "configuration not taken over; the old one stays");
    }
}

/// What the main thread looks after from time to time.
struct Care<'a> {
    crew: &'a mut Crew,
    clock: Clock,
    watchdog: Watchdog,
    /// The service manager was told that queries are answered, or cannot be.
    ready_told: bool,
}

impl<'a> Care<'a> {
    fn new(crew: &'a mut Crew) -> Self {
        Self { crew, clock: Clock::new(), watchdog: Watchdog::new(), ready_told: false }
    }

    fn look(&mut self) {
        // Without this message systemd would end the service, so it is tried again.
        self.ready_told = self.ready_told || tell_service_manager(&NotifyState::Ready);
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
    for Part { name: source, tally } in &report.parts {
        info!(%source, rows = tally.rows, bad_rows = tally.bad_rows, "read");
        for SkippedRow { at, error } in &tally.first_bad_rows {
            warn!(%source, %at, %error, "skipped a row of the {}", source.kind);
        }
        let left_out = tally.left_out;
        if left_out != Default::default() {
            warn!(
                %source,
                relay_data = left_out.relay_data,
                client_fqdn = left_out.client_fqdn,
                link_layer_address = left_out.link_layer_address,
                "left options out of leases, because the rows do not say them in a usable way"
            );
        }
    }
    report.unknown_subnets.iter().for_each(UnknownSubnets::log);
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
}

fn spawn_feed(feed: Feed, workers: Vec<usize>, events: Sender<Event>) -> Result<(), Failure> {
    let run = move || {
        // Sent when the thread ends, by a panic too.
        let _farewell = Farewell(events);
        feed.run_beside(&workers);
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

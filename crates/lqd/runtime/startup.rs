//! Start-up as phases, each consuming the previous one: [`Bound`] → [`Confined`] → [`Loaded`] → [`Serving`].
//!
//! Leases come first and UDP sockets second: a bound socket takes queries away from another server on the
//! same port, so it is bound when there are leases to answer from.

use std::net::SocketAddrV6;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, Sender, unbounded};
use lqd_answer::Engine;
use lqd_feed::{Feed, Part, Report, SkippedRow, UnknownSubnets};
use lqd_index::{Store, Writer, start_loader_threads};
use tracing::{info, warn};

use super::active::{Active, Expiry};
use super::bulk::{BoundBulk, Bulk};
use super::event::{Event, ExitNotifier};
use super::main_loop::{MainLoop, Serving};
use super::reload::Reloads;
use super::signals::{Interrupted, ProgramSignals};
use super::workers::{Shared, Workers};
use super::{await_kea, example, tls};
use crate::error::ExitError;
use crate::log;
use crate::observe::admin::Admin;
use crate::observe::state::{ServerState, ServingState};
use crate::observe::taps::Recorder;
use crate::observe::tls::{TlsOffer, TlsState};
use crate::security::{self, Reach, Sandbox};
use crate::settings::{AdminAddress, Flags, Settings};
use crate::site::tls::Tls;
use crate::site::{BULK_INDEXES, Site};

/// Folders that systemd has made for logs (`LogsDirectory=`, systemd.exec(5)).
const LOGS_DIRECTORY: &str = "LOGS_DIRECTORY";

/// First phase: log and signals are set up, and the admin port is bound.
pub(super) struct Bound {
    settings: Settings,
    signals: ProgramSignals,
    state: Arc<ServerState>,
    /// Removes its Unix sockets when dropped, however start-up ends.
    admin: Admin,
}

/// Second phase: Kea's configuration is read, and the sandbox restricts this thread.
pub(super) struct Confined {
    bound: Bound,
    site: Site,
    sandbox: Sandbox,
}

/// Third phase: leases are loaded, and the query log is open.
pub(super) struct Loaded {
    bound: Bound,
    sandbox: Sandbox,
    store: Arc<Store>,
    engine: Engine,
    feed: Feed,
    report: Report,
    recorder: Recorder,
    tls: Arc<TlsState>,
    active: Option<Active>,
}

impl Bound {
    /// Starts logging and binds the admin port.
    pub(super) fn new(settings: Settings) -> Result<Self, Interrupted> {
        log::start(&settings)?;
        // Before any step that may hang, so that Ctrl-C ends it.
        let mut signals = ProgramSignals::new()?;
        let state = Arc::new(ServerState::new(settings.max_feed_age));
        let addresses = settings.admin.clone();
        let admin = signals.during("the admin port", None, move || Admin::bind(&addresses))?;
        Ok(Self { settings, signals, state, admin })
    }

    /// Reads Kea's configuration, restricts the process to the files named there, and answers at the admin
    /// port.
    pub(super) fn confine(mut self, flags: &Flags) -> Result<Confined, Interrupted> {
        let settings = self.settings.clone();
        // Before the sandbox, which needs the folders that the configuration names.
        let site = self.signals.during("Kea's configuration", None, move || await_kea::site(&settings))?;
        site.warn();
        let sandbox = Sandbox::confine(self.settings.sandbox, &reach(flags, &self.settings, &site))?;
        // Not before the sandbox, which restricts only threads that are started later.
        sandbox.without_capabilities(log::start_writing)?;
        // Before the leases are loaded, so that /readyz says so meanwhile.
        sandbox.without_capabilities(|| self.admin.answer(&self.state))?;
        Ok(Confined { bound: self, site, sandbox })
    }
}

impl Confined {
    /// Loads the leases and opens the query log.
    pub(super) fn load(self) -> Result<Loaded, Interrupted> {
        let Self { mut bound, site: Site { sources, engine, .. }, sandbox } = self;
        let (mut writer, store) = Writer::new();
        if !bound.settings.bulk.is_empty() {
            // Before the first load, which then builds them once.
            writer.set_secondary_indexes(BULK_INDEXES);
        }
        let active = Active::new(&bound.settings);
        if let Some(active) = &active {
            writer.observe(active.log().observer());
        }
        let (settings, state) = (bound.settings.clone(), Arc::clone(&bound.state));
        let load = move || {
            // Before the wait for Kea: a query log that cannot be opened is told at once.
            let taps = Recorder::prepare(&settings)?;
            // Read again, without capabilities: a key that later reloads cannot read is told at once.
            let tls = settings.tls.as_ref().map(Tls::read).transpose()?;
            await_kea::leases(&sources, &state);
            // After the sandbox, which restricts only threads that are started later.
            start_loader_threads().map_err(ExitError::running)?;
            let loaded = Feed::start(writer, sources, load_threads()).map_err(await_kea::exit_error)?;
            Ok((taps, TlsOffer::new(&settings, tls), loaded))
        };
        let (taps, tls, (feed, report)) =
            bound.signals.during("the lease file or the query log", Some(&sandbox), load)?;
        let mut recorder = Recorder::new(bound.settings.workers, bulk_threads(&bound.settings));
        sandbox.without_capabilities(|| recorder.set(taps, || ()))?;
        log_report(&report, &store);
        // Only the snapshot of the first source is none of the changes.
        active.iter().for_each(|active| active.log().restart());
        let tls = Arc::new(TlsState::new(tls));
        Ok(Loaded { bound, sandbox, store, engine, feed, report, recorder, tls, active })
    }
}

impl Loaded {
    /// Binds the sockets, starts workers, bulk leasequery, feed and signal thread, and completes the sandbox.
    pub(super) fn serve(self, flags: &Flags) -> Result<Serving, Interrupted> {
        let Self { bound, mut sandbox, store, engine, feed, report, recorder, tls, active } = self;
        let Bound { settings, signals, state, admin } = bound;
        let (events, incoming) = unbounded();
        let engine = Arc::new(ArcSwap::from_pointee(engine));
        let shared =
            Shared { store: &store, engine: &engine, recorder: &recorder, tls: &tls, events: &events };
        // Only now: queries to a port without leases would be answered wrongly. TCP comes before the workers,
        // whose start drops the capability for port 547.
        let bound_bulk = BoundBulk::bind(&settings)?;
        let workers = Workers::start(&settings, &shared, &mut sandbox)?;
        await_workers(&incoming, settings.workers)?;
        let bulk =
            bound_bulk.map(|bound| bound.start(&settings, &shared, &workers, active.as_ref())).transpose()?;
        let waker = active.as_ref().map(Active::waker);
        let (feed_handle, watch) = (feed.handle(), feed.watch());
        // After the workers, whose CPUs the feed's threads leave alone.
        spawn_feed(feed, workers.cpus.clone(), events.clone())?;
        // As late as that, since it needs no capability.
        tls::watch(Arc::clone(&tls))?;
        let watch_expiry =
            |active: Active| active.watch_expiry(&store, &state, &workers.cpus, events.clone());
        let expiry = active.map(watch_expiry).transpose()?;
        let reloads = Reloads::new(flags.clone(), settings.bulk.clone(), feed_handle.clone(), events.clone());
        signals.forward(events)?;
        if let Err(error) = sandbox.seal(admin.needs()) {
            // Queries received meanwhile are answered.
            workers.stop();
            bulk.into_iter().for_each(Bulk::stop);
            expiry.into_iter().for_each(Expiry::stop);
            return Err(error.into());
        }
        // Set once only, so the error of a second time cannot occur.
        let _ = state.serving.set(ServingState {
            listen: workers.addresses.clone(),
            store: Arc::clone(&store),
            feed: watch.clone(),
            workers: workers.counters.clone(),
            taps: Arc::clone(&recorder.taps),
            log_counts: Arc::clone(&recorder.counts),
            bulk: bulk.as_ref().map(|bulk| Arc::clone(&bulk.state)),
            tls: Arc::clone(&tls),
        });
        // After the seal: from here on nothing can fail that would end the start.
        log_ready(&workers, bulk.as_ref(), &store);
        if settings.example_query {
            example::print(&workers.addresses, &report);
        }
        let main_loop = MainLoop::new(settings, engine, reloads, watch, state, recorder, tls);
        let main_loop = main_loop.with_waker(waker);
        Ok(Serving { main_loop, workers, bulk, expiry, feed_handle, incoming, _admin: admin })
    }
}

/// Returns the folders that are used after the start.
fn reach(flags: &Flags, settings: &Settings, site: &Site) -> Reach {
    let mut append = security::folders_or_devices(settings.query_log.as_ref().and_then(|log| log.to.file()));
    // A reload may begin a query log in the service manager's folder for logs.
    append.extend(std::env::var_os(LOGS_DIRECTORY).iter().flat_map(std::env::split_paths));
    let reads = || site.reads.iter().chain(&flags.config);
    Reach {
        read: [security::folders(reads()), security::beside_link_targets(reads())].concat(),
        append,
        sockets: security::folders(settings.admin.iter().filter_map(AdminAddress::path)),
    }
}

/// Threads of bulk leasequery; none if it is off.
fn bulk_threads(settings: &Settings) -> usize {
    if settings.bulk.is_empty() { 0 } else { settings.bulk_threads }
}

/// Returns addresses for a log line.
fn join(addresses: &[SocketAddrV6]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn load_threads() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Logs the result of the first load.
fn log_report(report: &Report, store: &Store) {
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
        bytes = summary.bytes,
        seconds = report.took.as_secs_f64(),
        "leases loaded"
    );
}

/// Waits until every worker receives; one that cannot ends start-up.
fn await_workers(events: &Receiver<Event>, workers: usize) -> Result<(), ExitError> {
    for _ in 0..workers {
        // The other event is a started worker; the caller holds a sender, so there is no error.
        if let Ok(Event::WorkerEnded(worker, reason)) = events.recv() {
            let reason = reason.unwrap_or_else(|| "it panicked".to_owned());
            return Err(ExitError::unusable(format!("worker {worker} cannot start: {reason}")));
        }
    }
    Ok(())
}

fn log_ready(workers: &Workers, bulk: Option<&Bulk>, store: &Store) {
    let (listen, bulk) = (join(&workers.addresses), bulk.map(|bulk| join(&bulk.state.listen)));
    info!(target: log::READY, listen, bulk, leases = store.summary().leases, "lqd ready");
}

fn spawn_feed(feed: Feed, worker_cpus: Vec<usize>, events: Sender<Event>) -> Result<(), ExitError> {
    let run = move || {
        // Also told by a panic, as it is sent when dropped.
        let _notifier = ExitNotifier::new(events, Event::FeedEnded);
        feed.run_beside(&worker_cpus);
    };
    thread::Builder::new().name("lqd-feed".to_owned()).spawn(run)?;
    Ok(())
}

//! Last phase: the main thread reacts to signals, reloads, stale leases and ended threads until it is told to
//! stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam::channel::{Receiver, RecvTimeoutError};
use lqd_answer::{Engine, Outcome};
use lqd_feed::{FeedHandle, FeedWatch, SourceState};
use sd_notify::NotifyState;
use signal_hook::consts::SIGHUP;
use tracing::{error, info, warn};

use super::active::{Expiry, Waker};
use super::bulk::Bulk;
use super::clock::Clock;
use super::event::{Event, Reloaded};
use super::reload::Reloads;
use super::service_manager;
use super::watchdog::Watchdog;
use super::workers::Workers;
use crate::error::ExitError;
use crate::observe::admin::Admin;
use crate::observe::state::{NO_TROUBLE, ServerState};
use crate::observe::taps::Recorder;
use crate::observe::tls::TlsState;
use crate::settings::Settings;
use crate::site;

/// Longest time between two rounds of housekeeping.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(1);

/// Running server: all threads are started, and queries are answered.
pub(super) struct Serving {
    pub(super) main_loop: MainLoop,
    pub(super) workers: Workers,
    pub(super) bulk: Option<Bulk>,
    pub(super) expiry: Option<Expiry>,
    pub(super) feed_handle: FeedHandle,
    pub(super) incoming: Receiver<Event>,
    /// Removes its Unix sockets when dropped.
    pub(super) _admin: Admin,
}

impl Serving {
    /// Serves until a signal stops it or a thread fails, then answers queued datagrams and ends the threads.
    pub(super) fn run(self) -> Result<(), ExitError> {
        let Self { mut main_loop, mut workers, mut bulk, expiry, feed_handle, incoming, _admin } = self;
        let end = main_loop.run(&incoming, &mut Housekeeping::new(&mut workers, bulk.as_mut()));
        // Said first: draining the queues may take a second.
        service_manager::notify(&NotifyState::Stopping);
        main_loop.state.set_stopping();
        feed_handle.stop();
        expiry.into_iter().for_each(Expiry::stop);
        // Bulk sessions end while the workers drain their queues.
        bulk.iter().for_each(Bulk::begin_stop);
        // Before the recorder, which writes the records of the last queries.
        let totals = workers.stop();
        bulk.into_iter().for_each(Bulk::stop);
        main_loop.recorder.stop();
        for ((_, name, _), count) in Outcome::TABLE.iter().zip(totals).filter(|(_, count)| *count > 0) {
            info!(outcome = name, count, "datagrams");
        }
        end
    }
}

/// Data that the main thread reads and replaces while serving.
pub(super) struct MainLoop {
    settings: Settings,
    engine: Arc<ArcSwap<Engine>>,
    reloads: Reloads,
    watch: FeedWatch,
    state: Arc<ServerState>,
    recorder: Recorder,
    tls: Arc<TlsState>,
    /// Wakes active queries, if they are offered.
    waker: Option<Waker>,
    /// Replaced engines that a worker may still read: freed here, never by a worker.
    replaced: Vec<Arc<Engine>>,
}

impl MainLoop {
    pub(super) fn new(
        settings: Settings,
        engine: Arc<ArcSwap<Engine>>,
        reloads: Reloads,
        watch: FeedWatch,
        state: Arc<ServerState>,
        recorder: Recorder,
        tls: Arc<TlsState>,
    ) -> Self {
        let (waker, replaced) = (None, Vec::new());
        Self { settings, engine, reloads, watch, state, recorder, tls, waker, replaced }
    }

    /// Wakes active queries after each reload.
    pub(super) fn with_waker(self, waker: Option<Waker>) -> Self {
        Self { waker, ..self }
    }

    fn run(
        &mut self,
        events: &Receiver<Event>,
        housekeeping: &mut Housekeeping<'_>,
    ) -> Result<(), ExitError> {
        loop {
            housekeeping.run();
            let event = match events.recv_timeout(housekeeping.pause()) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => {
                    unreachable!("the signal thread holds a sender as long as this thread listens")
                }
            };
            // At every turn, as leases become stale without any event.
            self.check_age();
            match event {
                None | Some(Event::WorkerStarted) => {}
                Some(Event::Signal(SIGHUP)) => self.reload(),
                Some(Event::Reloaded(result)) => {
                    match *result {
                        Ok(reloaded) => self.apply(reloaded),
                        Err(error) => self.reject(&error),
                    }
                    // A SIGHUP meanwhile may be about a change that this reload did not read.
                    if self.reloads.ended() {
                        self.reload();
                    }
                }
                Some(Event::Signal(signal)) => {
                    info!(signal, "stopping");
                    return Ok(());
                }
                Some(Event::WorkerEnded(worker, reason)) => {
                    let reason = reason.unwrap_or_else(|| "it panicked".to_owned());
                    return Err(ExitError::running(format!("worker {worker} ended: {reason}")));
                }
                Some(Event::BulkEnded(thread)) => {
                    return Err(ExitError::running(format!(
                        "thread {thread} of bulk leasequery ended: it panicked"
                    )));
                }
                Some(Event::ExpiryEnded) => {
                    return Err(ExitError::running(
                        "the thread that finds expired leases ended: it panicked",
                    ));
                }
                Some(Event::FeedEnded) => {
                    // A restart is better than answers that grow old unnoticed.
                    return Err(ExitError::running("the feed ended: leases would no longer be followed"));
                }
            }
        }
    }

    /// Switches the answer to queries with no known binding when leases become stale or fresh.
    fn check_age(&mut self) {
        let state = self.watch.state();
        let stale = state.age() > self.settings.max_feed_age;
        // Only a change needs a new engine and a log line.
        if stale == self.state.is_stale() {
            return;
        }
        let no_binding = site::no_binding_policy(&self.settings, stale);
        let engine = Engine::clone(&self.engine.load()).with_no_binding(no_binding);
        self.replace(engine);
        self.state.set_stale(stale);
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
                "leases are stale: applying --when-stale to queries with no matching lease"
            );
        } else {
            info!("leases are fresh again");
        }
    }

    /// Replaces the engine that workers answer by.
    fn replace(&mut self, engine: Engine) {
        self.replaced.push(self.engine.swap(Arc::new(engine)));
        // The last owner frees it, and that takes too long for a worker.
        self.replaced.retain(|engine| Arc::strong_count(engine) > 1);
        // A requestor whose rights changed is told at once, not with the next change of a lease.
        self.waker.iter().for_each(Waker::wake);
    }

    fn reload(&mut self) {
        if let Err(error) = self.reloads.start() {
            self.reject(&error);
        }
    }

    /// Applies the configuration that a reload has read.
    fn apply(&mut self, Reloaded { settings, engine, taps, tls }: Reloaded) {
        self.state.reloads.fetch_add(1, Ordering::Relaxed);
        // The admin port judges the age by the same limit as the answers.
        self.state.set_max_feed_age(settings.max_feed_age);
        // A reload does not make stale leases fresh.
        let no_binding = site::no_binding_policy(&settings, self.state.is_stale());
        self.replace(engine.with_no_binding(no_binding));
        self.tls.set(tls);
        for setting in self.settings.restart_needed(&settings) {
            warn!(setting, "this setting changed, but takes effect at the next start only");
        }
        self.settings = settings;
        // Logged when the query log's former file is closed, which may take as long as its file system likes.
        let done = || info!("configuration applied");
        if let Err(error) = self.recorder.set(taps, done) {
            error!(%error, "the query log cannot be started");
        }
    }

    /// Counts and logs a configuration that cannot be used.
    fn reject(&self, error: &ExitError) {
        self.state.rejected_reloads.fetch_add(1, Ordering::Relaxed);
        error!(%error, "configuration rejected; the old one stays");
    }
}

/// Periodic work of the main thread.
struct Housekeeping<'a> {
    workers: &'a mut Workers,
    bulk: Option<&'a mut Bulk>,
    clock: Clock,
    watchdog: Watchdog,
    /// The ready message was sent to the service manager, or cannot be.
    ready_sent: bool,
}

impl<'a> Housekeeping<'a> {
    fn new(workers: &'a mut Workers, bulk: Option<&'a mut Bulk>) -> Self {
        Self { workers, bulk, clock: Clock::new(), watchdog: Watchdog::new(), ready_sent: false }
    }

    fn run(&mut self) {
        // Without this message systemd would end the service, so it is tried again.
        self.ready_sent = self.ready_sent || service_manager::notify(&NotifyState::Ready);
        // At least each second, so that a step is logged near its moment.
        self.clock.check();
        self.bulk.iter_mut().for_each(|bulk| bulk.log_refusals());
        self.watchdog.check(|| self.workers.stalled());
    }

    fn pause(&self) -> Duration {
        self.watchdog.pause().min(HOUSEKEEPING_EVERY)
    }
}

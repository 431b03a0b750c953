//! Bulk leasequery over TCP (RFC 5460): its sockets, its threads, and their end.
//!
//! `lqd-stream` owns connections, `lqd-answer` the protocol; [`session`] connects the two.

mod cpus;
mod peer;
mod session;

use std::net::SocketAddrV6;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lqd_stream::{Listener, Options, Refused, Server};
use rustix::process::{Resource, getrlimit};
use tracing::{info, warn};

use super::active::Active;
use super::workers::{Shared, Workers};
use crate::error::ExitError;
use crate::observe::bulk::{BulkCounters, BulkState};
use crate::settings::Settings;
use cpus::CpuSetting;
use session::ThreadContext;

/// Shortest interval between two log lines about refused connections.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Open files beside connections, at least: a socket of each worker, files of Kea, the admin port.
const OTHER_FILES: usize = 512;

/// Bound sockets; connections wait in their queues until [`BoundBulk::start`].
pub(super) struct BoundBulk {
    listeners: Vec<Listener>,
}

/// Running threads.
pub(super) struct Bulk {
    /// Counters, and addresses.
    pub(super) state: Arc<BulkState>,
    server: Server,
    connections: usize,
    /// Refused connections that were logged, and the time of that.
    logged: (u64, Option<Instant>),
}

impl BoundBulk {
    /// Binds the addresses of `--bulk`; `None` if there are none.
    pub(super) fn bind(settings: &Settings) -> Result<Option<Self>, ExitError> {
        let bind = |address: &SocketAddrV6| Listener::bind(*address, settings.bulk_timeout);
        let listeners = settings.bulk.iter().map(bind);
        let listeners = listeners.collect::<Result<Vec<_>, _>>().map_err(ExitError::running)?;
        Ok((!listeners.is_empty()).then_some(Self { listeners }))
    }

    /// Answers connections from now on, on threads with the rights of this one.
    pub(super) fn start(
        self,
        settings: &Settings,
        shared: &Shared<'_>,
        workers: &Workers,
        active: Option<&Active>,
    ) -> Result<Bulk, ExitError> {
        let threads = settings.bulk_threads;
        warn_of_few_files(settings.bulk_connections);
        let counters: Vec<_> = (0..threads).map(|_| Arc::new(BulkCounters::default())).collect();
        let state = Arc::new(BulkState {
            listen: self.listeners.iter().map(Listener::local_address).collect(),
            stream: Arc::default(),
            threads: counters,
            active: active.map(Active::observed),
        });
        let context = ThreadContext {
            store: Arc::clone(shared.store),
            engine: Arc::clone(shared.engine),
            taps: Arc::clone(&shared.recorder.taps),
            events: shared.events.clone(),
            state: Arc::clone(&state),
            tls: Arc::clone(shared.tls),
            active: active.map(|active| active.service(settings)),
            queries: settings.bulk_queries,
            workers: settings.workers,
            cpus: CpuSetting::new(settings.bulk_cpus.as_deref(), &workers.cpus),
        };
        let options = Options {
            connections: settings.bulk_connections,
            per_requestor: settings.bulk_connections_per_requestor.unwrap_or(usize::MAX),
            timeout: settings.bulk_timeout,
            threads,
        };
        let server =
            Server::start(&self.listeners, &options, &state.stream, move |number| context.service(number))
                .map_err(ExitError::running)?;
        let listen = state.listen.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        info!(listen, "bulk leasequery listens");
        Ok(Bulk { state, server, connections: settings.bulk_connections, logged: (0, None) })
    }
}

/// Logs a limit of open files that connections may reach.
fn warn_of_few_files(connections: usize) {
    let wanted = connections + OTHER_FILES;
    if let Some(limit) = getrlimit(Resource::Nofile).current
        && limit < wanted as u64
    {
        warn!(
            limit,
            wanted, "open files are limited below --bulk-connections; raise LimitNOFILE= in the unit"
        );
    }
}

impl Bulk {
    /// Logs connections that were refused for want of a free one, now and then.
    pub(super) fn log_refusals(&mut self) {
        let full = [Refused::Full, Refused::LastSlot, Refused::PerRequestor];
        let refused: u64 = full.iter().map(|reason| self.state.stream.refused(*reason)).sum();
        let (logged, at) = self.logged;
        if refused > logged && at.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            let connections = self.connections;
            warn!(
                refused = refused - logged,
                connections, "bulk connections refused: too many are open; raise --bulk-connections"
            );
            self.logged = (refused, Some(Instant::now()));
        }
    }

    /// Accepts no more, and tells open queries that the server stops.
    pub(super) fn begin_stop(&self) {
        self.server.begin_stop();
    }

    /// Ends the threads once everything owed is sent, within [`lqd_stream::STOP_PATIENCE`] and some grace.
    pub(super) fn stop(self) {
        self.server.stop();
    }
}

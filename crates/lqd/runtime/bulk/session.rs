//! One thread of bulk leasequery and its connections: octets to `lqd-answer` and back, and the records of
//! answered queries.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddrV6;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::{ArcSwap, ArcSwapOption};
use crossbeam::channel::Sender;
use lqd_answer::bulk::{BULK_BUFFER_LEN, BulkLimits, BulkSession, FinishedQuery, Progress};
use lqd_answer::{Engine, Limits, Now};
use lqd_index::{Reader, Store};
use lqd_stream::{HandshakeError, PeerCertificate, TlsConfig};
use tokio::sync::watch;

use super::cpus::CpuSetting;
use super::peer::{Peer, RefusalLog};
use crate::observe::active::ReaderState;
use crate::observe::bulk::{BulkCounters, BulkState};
use crate::observe::taps::{Record, Tap, Taps};
use crate::observe::tls::TlsState;
use crate::observe::unix_time;
use crate::runtime::active::ActiveService;
use crate::runtime::event::{Event, ExitNotifier};

/// Inputs of all threads.
#[derive(Clone)]
pub(super) struct ThreadContext {
    pub(super) store: Arc<Store>,
    /// Policy, replaced as a whole by reloads.
    pub(super) engine: Arc<ArcSwap<Engine>>,
    pub(super) taps: Arc<ArcSwapOption<Taps>>,
    pub(super) events: Sender<Event>,
    pub(super) state: Arc<BulkState>,
    pub(super) tls: Arc<TlsState>,
    /// Active leasequery, if it is offered.
    pub(super) active: Option<ActiveService>,
    /// Queries in parallel on one connection.
    pub(super) queries: usize,
    /// Workers, whose query-log queues come before those of these threads.
    pub(super) workers: usize,
    pub(super) cpus: CpuSetting,
}

/// Sessions of one thread.
pub(super) struct Service(Rc<Thread>);

/// Data that the connections of one thread share, one after the other.
struct Thread {
    context: ThreadContext,
    number: usize,
    leases: RefCell<Reader>,
    /// Query rates of requestors.
    limits: RefCell<Limits>,
    /// Start of the monotonic time by which rates are measured.
    since: Instant,
    /// Queries since the last one that was logged.
    skipped: Cell<u32>,
    refusals: RefusalLog,
    _notifier: ExitNotifier,
}

/// One connection.
pub(super) struct Session {
    bulk: BulkSession,
    source: SocketAddrV6,
    /// The requestor's certificate, once the TLS handshake is done.
    peer: Option<Peer>,
    /// State of its active query, for metrics.
    reader: Option<Arc<ReaderState>>,
    thread: Rc<Thread>,
}

impl ThreadContext {
    /// Makes the service of a thread, on that thread.
    pub(super) fn service(&self, number: usize) -> Service {
        self.cpus.apply();
        let thread = Thread {
            number,
            leases: RefCell::new(self.store.reader().expect("readers for 64 such threads are left")),
            limits: RefCell::new(Limits::new(RandomState::new().hash_one(number))),
            since: Instant::now(),
            skipped: Cell::new(0),
            refusals: RefusalLog::default(),
            _notifier: ExitNotifier::new(self.events.clone(), Event::BulkEnded(number)),
            context: self.clone(),
        };
        Service(Rc::new(thread))
    }
}

impl lqd_stream::Service for Service {
    type Session = Session;

    fn accept(&self, peer: SocketAddrV6) -> Option<Session> {
        let thread = Rc::clone(&self.0);
        let limits = BulkLimits { queries: thread.context.queries };
        let allowed = thread.context.engine.load().allows(*peer.ip());
        allowed.then(|| {
            let mut bulk = BulkSession::new(*peer.ip(), limits).with_tls(thread.context.tls.offer().bulk);
            if let Some(active) = &thread.context.active {
                bulk = bulk.with_active(active.offer.clone());
                bulk = if active.requires_tls { bulk.require_tls_for_active() } else { bulk };
            }
            Session { bulk, source: peer, peer: None, reader: None, thread }
        })
    }

    fn buffer_len(&self) -> usize {
        BULK_BUFFER_LEN
    }

    fn tls(&self) -> Option<Arc<TlsConfig>> {
        self.0.context.tls.offer().tls.as_ref().map(|tls| Arc::clone(&tls.config))
    }

    fn growth(&self) -> Option<watch::Receiver<()>> {
        self.0.context.active.as_ref().map(|active| active.growth.clone())
    }
}

impl lqd_stream::Session for Session {
    fn wants_octets(&self) -> bool {
        self.bulk.wants_octets()
    }

    fn receive(&mut self, octets: &[u8]) {
        let engine = self.thread.context.engine.load();
        self.check_peer(&engine);
        let limits = &mut self.thread.limits.borrow_mut();
        self.bulk.receive(&engine, limits, self.thread.now(), octets);
    }

    fn receive_end(&mut self) {
        self.bulk.receive_end();
    }

    fn frames(&self) -> u64 {
        self.bulk.frames()
    }

    fn terminate(&mut self) {
        self.bulk.terminate();
    }

    fn awaits_frames(&self) -> bool {
        !self.bulk.is_active()
    }

    fn wake_in(&self) -> Option<Duration> {
        let now = self.thread.now().monotonic_ns;
        self.bulk.wake_at().map(|at| Duration::from_nanos(at.saturating_sub(now)))
    }

    fn send_timeout(&self) -> Option<Duration> {
        let active = self.thread.context.active.as_ref().filter(|_| self.bulk.is_active());
        active.map(|active| active.send_timeout)
    }

    fn send(&mut self, buffer: &mut [u8]) -> lqd_stream::Progress {
        let progress = {
            let engine = self.thread.context.engine.load();
            self.check_peer(&engine);
            let mut leases = self.thread.leases.borrow_mut();
            self.bulk.send(&engine, &leases.pin(), self.thread.now(), buffer)
        };
        self.note_finished();
        self.note_active();
        match progress {
            Progress::Octets(len) => lqd_stream::Progress::Octets(len),
            Progress::Busy => lqd_stream::Progress::Busy,
            Progress::Idle => lqd_stream::Progress::Idle,
            Progress::StartTls => lqd_stream::Progress::StartTls,
            Progress::Close => lqd_stream::Progress::Close,
        }
    }

    fn secured(&mut self, certificate: &PeerCertificate) -> bool {
        let engine = self.thread.context.engine.load();
        self.peer = Peer::admit(&engine, self.source, certificate);
        if self.peer.is_some() {
            self.bulk.secured();
        } else {
            self.thread.refusals.not_listed(self.source, certificate);
        }
        self.peer.is_some()
    }

    fn handshake_failed(&mut self, error: &HandshakeError) {
        self.thread.refusals.failed(self.source, error);
    }
}

impl Session {
    /// Ends the connection of a requestor whose certificate a reload has taken out of its access rule.
    fn check_peer(&mut self, engine: &Engine) {
        if self.peer.as_ref().is_some_and(|peer| !peer.is_listed(engine, self.source)) {
            self.bulk.revoke();
        }
    }
}

impl Session {
    fn note_finished(&mut self) {
        while let Some(query) = self.bulk.finished() {
            self.thread.note(self.source, self.peer.as_ref(), &query);
        }
    }
}

impl Session {
    /// Takes the progress of the active query for metrics.
    fn note_active(&mut self) {
        let Some(log) = &self.thread.context.state.active else { return };
        match (self.bulk.active(), &self.reader) {
            (Some(state), Some(reader)) => log.note(reader, state),
            (Some(state), None) => log.note(self.reader.insert(log.begin()), state),
            (None, Some(_)) => self.reader.take().iter().for_each(|reader| log.end(reader)),
            (None, None) => {}
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A connection that ended in order has no open query left.
        self.bulk.abandon();
        self.note_finished();
        self.note_active();
    }
}

impl Thread {
    fn now(&self) -> Now {
        let unix_seconds = unix_time(SystemTime::now()).as_secs();
        Now {
            unix_seconds: u32::try_from(unix_seconds).unwrap_or(u32::MAX),
            monotonic_ns: u64::try_from(self.since.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }

    fn counters(&self) -> &BulkCounters {
        &self.context.state.threads[self.number]
    }

    /// Counts a finished query, and logs it if the query log is on.
    fn note(&self, source: SocketAddrV6, peer: Option<&Peer>, query: &FinishedQuery) {
        self.counters().count(query);
        let taps = self.context.taps.load();
        let tap = taps.as_ref().map_or(Tap::default(), |taps| taps.of(self.context.workers + self.number));
        let mut skipped = self.skipped.get();
        if tap.logs(*source.ip(), &mut skipped) {
            let certificate = peer.map(|peer| Arc::clone(&peer.listed));
            tap.log(&Record::of_bulk(unix_time(SystemTime::now()), source, certificate, query));
        }
        self.skipped.set(skipped);
    }
}

//! Threads that accept connections and drive them, each with a tokio runtime of its own.
//!
//! All threads accept from the same sockets: whichever is idle takes the next connection, and keeps it.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep, timeout};

use crate::buffers::Buffers;
use crate::connection::{Connection, End, LINGER, Shared, linger};
use crate::counters::{Closed, Counters, Handshake, Refused};
use crate::listen::Listener;
use crate::session::{Service, Session as _};
use crate::slots::{Slot, Slots};
use crate::tls::{HANDSHAKE_TIMEOUT, HandshakeError, shake};

/// Longest time that a stopping server takes to send pending replies.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Time that the end of a thread may take beyond that, on a machine with other work.
const STOP_GRACE: Duration = Duration::from_secs(1);

/// Pause after a failed accept: until a file descriptor is free, the next one fails as well.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits of a server.
#[derive(Clone, Debug)]
pub struct Options {
    /// Open connections, at least 1; the last free one is kept for an address that has none.
    pub connections: usize,
    /// Open connections of one address, at least 1.
    pub per_requestor: usize,
    /// Longest wait for a frame, and for the peer to take one send buffer.
    pub timeout: Duration,
    /// Threads, at least 1.
    pub threads: usize,
}

/// A running server; it ends by [`Server::stop`].
#[derive(Debug)]
pub struct Server {
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// One thread before it runs.
struct Acceptor {
    runtime: Runtime,
    listeners: Vec<TcpListener>,
    slots: Arc<Slots>,
    counters: Arc<Counters>,
    timeout: Duration,
    stop: watch::Receiver<bool>,
}

impl Server {
    /// Accepts connections from now on. `service` is called on each thread with its number.
    ///
    /// # Errors
    /// A socket, a runtime or a thread cannot be made.
    pub fn start<S: Service>(
        listeners: &[Listener],
        options: &Options,
        counters: &Arc<Counters>,
        service: impl Fn(usize) -> S + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let slots = Arc::new(Slots::new(options.connections.max(1), options.per_requestor.max(1)));
        let mut server = Self { stop, threads: Vec::new() };
        for number in 0..options.threads.max(1) {
            let acceptor = Acceptor::new(listeners, options.timeout, &slots, counters, stopped.clone())?;
            let service = service.clone();
            let run = move || acceptor.run(service(number));
            let name = format!("lqd-stream-{number}");
            server.threads.push(thread::Builder::new().name(name).spawn(run)?);
        }
        Ok(server)
    }

    /// Accepts no more, and tells all sessions to end.
    pub fn begin_stop(&self) {
        // A thread that panicked receives nothing.
        let _ = self.stop.send(true);
    }

    /// Accepts no more, ends all sessions, and returns once everything owed is sent, at the latest after
    /// [`STOP_PATIENCE`] and some grace.
    pub fn stop(self) {
        self.begin_stop();
        for thread in self.threads {
            // A panic was reported by its hook.
            let _ = thread.join();
        }
    }
}

impl Acceptor {
    fn new(
        listeners: &[Listener],
        timeout: Duration,
        slots: &Arc<Slots>,
        counters: &Arc<Counters>,
        stop: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let entered = runtime.enter();
        let listeners = listeners.iter().map(|listener| TcpListener::from_std(listener.socket()?));
        let listeners = listeners.collect::<io::Result<_>>()?;
        drop(entered);
        let (slots, counters) = (Arc::clone(slots), Arc::clone(counters));
        Ok(Self { runtime, listeners, slots, counters, timeout, stop })
    }

    /// Accepts until the server stops, then waits for the connections of this thread.
    fn run<S: Service>(self, service: S) {
        let Self { runtime, listeners, slots, counters, timeout, stop } = self;
        let shared = Shared { buffers: Buffers::new(service.buffer_len()), counters, timeout };
        let thread = Rc::new(Thread { service, slots, shared, stop });
        let local = LocalSet::new();
        local.block_on(&runtime, async {
            let mut accepts = JoinSet::new();
            for listener in listeners {
                accepts.spawn_local(accept(listener, Rc::clone(&thread)));
            }
            while accepts.join_next().await.is_some() {}
        });
    }
}

/// Data of one thread.
struct Thread<S> {
    service: S,
    slots: Arc<Slots>,
    shared: Shared,
    stop: watch::Receiver<bool>,
}

/// Accepts from one socket until the server stops, and drives the connections.
async fn accept<S: Service>(listener: TcpListener, thread: Rc<Thread<S>>) {
    let (mut connections, mut stop) = (JoinSet::new(), thread.stop.clone());
    loop {
        tokio::select! {
            // An error means that the server is gone, which is a stop as well.
            _ = stop.wait_for(|stop| *stop) => break,
            // Frees the remains of ended connections.
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, SocketAddr::V6(peer))) => {
                    if let Some((slot, session)) = admit(&thread, peer) {
                        connections.spawn_local(drive(stream, slot, session, Rc::clone(&thread)));
                    }
                }
                // Not with IPV6_V6ONLY.
                Ok((_, SocketAddr::V4(_))) => thread.shared.counters.count_refused(Refused::NotAllowed),
                Err(_) => {
                    thread.shared.counters.count_accept_error();
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    // Connections close by themselves in time; those that do not are dropped with their set.
    let _ = timeout(STOP_PATIENCE + STOP_GRACE, ended).await;
}

/// Returns slot and session of a connection, or counts why it gets none.
fn admit<S: Service>(thread: &Thread<S>, peer: SocketAddrV6) -> Option<(Slot, S::Session)> {
    let admitted = thread.slots.take(peer).and_then(|slot| {
        let session = thread.service.accept(peer).ok_or(Refused::NotAllowed)?;
        Ok((slot, session))
    });
    admitted.map_err(|reason| thread.shared.counters.count_refused(reason)).ok()
}

/// Drives one connection to its end.
async fn drive<S: Service>(
    mut stream: TcpStream,
    slot: Slot,
    mut session: S::Session,
    thread: Rc<Thread<S>>,
) {
    let mut ended = Ended::new(&thread.shared.counters, slot);
    let connection = Connection::new(&mut stream, &mut session, &thread.shared);
    ended.reason = match connection.run(thread.stop.clone(), thread.service.growth()).await {
        End::Closed(reason) => reason,
        // Boxed, so that plain connections do not have the memory of encrypted ones.
        End::StartTls => Box::pin(encrypted(&mut stream, &mut session, &thread)).await,
    };
    if matches!(ended.reason, Closed::Stalled | Closed::Cut) {
        // A reset: otherwise the kernel would go on with octets that the peer does not take.
        let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
    // Before the slot is free, so that open connections never exceed the limit.
    drop(stream);
}

/// Encrypts a connection and drives it to its end.
async fn encrypted<S: Service>(
    stream: &mut TcpStream,
    session: &mut S::Session,
    thread: &Thread<S>,
) -> Closed {
    let (shared, mut stop) = (&thread.shared, thread.stop.clone());
    let Some(config) = thread.service.tls() else { return Closed::Tls };
    let shaken = tokio::select! {
        // A stopping server does not wait for a handshake.
        _ = stop.wait_for(|stop| *stop) => return Closed::Stopped,
        shaken = timeout(shared.timeout.min(HANDSHAKE_TIMEOUT), shake(&config, &mut *stream)) => shaken,
    };
    let (mut tls, peer) = match shaken.unwrap_or_else(|_| Err(HandshakeError::timeout())) {
        Ok(shaken) => shaken,
        Err(error) => {
            shared.counters.count_handshake(error.result);
            session.handshake_failed(&error);
            // The alert that tells the peer is on its way.
            linger(stream, Instant::now() + LINGER).await;
            return Closed::Tls;
        }
    };
    let is_allowed = session.secured(&peer);
    shared.counters.count_handshake(if is_allowed { Handshake::Ok } else { Handshake::NotListed });
    if !is_allowed {
        linger(&mut tls, Instant::now() + LINGER).await;
        return Closed::Tls;
    }
    match Connection::new(&mut tls, session, shared).run(stop, thread.service.growth()).await {
        End::Closed(reason) => reason,
        // Not over TLS.
        End::StartTls => Closed::Tls,
    }
}

/// Counts a connection as open until it is dropped, also by a panic.
struct Ended {
    counters: Arc<Counters>,
    reason: Closed,
    _slot: Slot,
}

impl Ended {
    fn new(counters: &Arc<Counters>, slot: Slot) -> Self {
        counters.count_accepted();
        Self { counters: Arc::clone(counters), reason: Closed::Failed, _slot: slot }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.counters.count_closed(self.reason);
    }
}

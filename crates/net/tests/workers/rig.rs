//! Shared parts of the cases: workers on threads, services, and requestors with timeouts.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lqd_net::{
    Counter, Datagram, NetCounters, Replies, RunError, SendError, Service, Socket, SocketOptions, StopHandle,
    Worker, WorkerSettings, listen, stop_pair,
};

/// Timeout of a case for an expected event.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Reply of [`Echo`] to an empty datagram.
pub(crate) const EMPTY_REPLY: &[u8] = b"an empty datagram";

/// Echoes every datagram to its source.
pub(crate) struct Echo;

impl Service for Echo {
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        assert!((1..=lqd_net::BATCH_MAX).contains(&batch.len()));
        for datagram in batch {
            let reply = if datagram.payload.is_empty() { EMPTY_REPLY } else { datagram.payload };
            replies.send(datagram.source, datagram.local, |slot| {
                slot[..reply.len()].copy_from_slice(reply);
                reply.len()
            });
        }
    }
}

/// Workers under test.
pub(crate) struct Server {
    pub(crate) stop: StopHandle,
    pub(crate) counters: Vec<Arc<NetCounters>>,
    threads: Vec<JoinHandle<Result<(), RunError>>>,
}

impl Server {
    /// Starts a worker for each element of `sockets`, with a service of its own.
    pub(crate) fn start<S: Service>(
        settings: &WorkerSettings,
        sockets: Vec<Vec<Socket>>,
        service: impl Fn() -> S + Send + Sync + 'static,
    ) -> Self {
        let (stop, signal) = stop_pair().unwrap();
        let service = Arc::new(service);
        let counters: Vec<Arc<NetCounters>> = sockets.iter().map(|_| Arc::default()).collect();
        let start = |(sockets, counters): (Vec<Socket>, &Arc<NetCounters>)| {
            let worker = Worker::new(settings.clone(), sockets, signal.clone(), counters.clone()).unwrap();
            let service = service.clone();
            std::thread::spawn(move || worker.run(&mut service()))
        };
        let threads = sockets.into_iter().zip(&counters).map(start).collect();
        Self { stop, counters, threads }
    }

    /// Starts one worker on a socket of `[::1]`; returns its address.
    pub(crate) fn on_loopback<S: Service>(
        settings: &WorkerSettings,
        service: impl Fn() -> S + Send + Sync + 'static,
    ) -> (Self, SocketAddrV6) {
        let socket = loopback_socket();
        let address = socket.local_address();
        (Self::start(settings, vec![vec![socket]], service), address)
    }

    /// Sum of one counter over all workers.
    pub(crate) fn sum(&self, counter: fn(&NetCounters) -> &Counter) -> u64 {
        self.counters.iter().map(|counters| counter(counters).get()).sum()
    }

    /// Replies taken or refused by the kernel.
    pub(crate) fn replies_done(&self) -> u64 {
        let failed = |counters: &NetCounters| -> u64 {
            SendError::ALL.iter().map(|&kind| counters.send_errors(kind).get()).sum()
        };
        self.sum(|counters| &counters.sent)
            + self.counters.iter().map(|counters| failed(counters)).sum::<u64>()
    }

    /// Stops the workers; all must end well.
    pub(crate) fn stop(&mut self) {
        self.stop.stop();
        for outcome in self.join() {
            outcome.expect("a worker panicked").expect("a worker failed");
        }
    }

    /// Waits for the workers to end.
    pub(crate) fn join(&mut self) -> Vec<std::thread::Result<Result<(), RunError>>> {
        self.threads.drain(..).map(JoinHandle::join).collect()
    }
}

/// A socket on its own port: for port 0 the kernel may choose one that the socket of another test shares.
pub(crate) fn loopback_socket() -> Socket {
    loopback_socket_with(&SocketOptions::default())
}

pub(crate) fn loopback_socket_with(options: &SocketOptions) -> Socket {
    let port = UdpSocket::bind("[::1]:0").unwrap().local_addr().unwrap().port();
    listen(SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0), options).unwrap()
}

/// A requestor on `[::1]`.
pub(crate) fn requestor() -> UdpSocket {
    requestor_on("[::1]:0")
}

/// A requestor on `address`, which gives up after [`PATIENCE`].
pub(crate) fn requestor_on(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Waits for a reply; returns it and its source.
pub(crate) fn receive(requestor: &UdpSocket) -> (Vec<u8>, SocketAddrV6) {
    let mut buffer = vec![0; 65_536];
    let (len, source) = loop {
        match requestor.recv_from(&mut buffer) {
            Ok(received) => break received,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {} // not restarted, with a timeout
            Err(error) => panic!("{requestor:?} waited in vain for a reply: {error}"),
        }
    };
    buffer.truncate(len);
    match source {
        SocketAddr::V6(source) => (buffer, source),
        SocketAddr::V4(source) => panic!("a reply from {source}"),
    }
}

/// Sends `payload` and expects it back from `server`.
pub(crate) fn exchange(requestor: &UdpSocket, server: SocketAddrV6, payload: &[u8]) {
    requestor.send_to(payload, server).unwrap();
    let (reply, source) = receive(requestor);
    assert_eq!(reply, if payload.is_empty() { EMPTY_REPLY } else { payload });
    assert_eq!(source.ip(), server.ip());
    assert_eq!(source.port(), server.port());
}

/// A payload of `len` octets that begins with `number`, for `len` ≥ 4.
pub(crate) fn numbered(number: u32, len: usize) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(len, number as u8);
    payload
}

/// Sends `count` numbered datagrams at once and expects each back exactly once.
pub(crate) fn burst(requestor: &UdpSocket, server: SocketAddrV6, count: u32) {
    for number in 0..count {
        requestor.send_to(&numbered(number, 100), server).unwrap();
    }
    collect(requestor, count);
}

/// Receives the replies to datagrams `0..count`, each exactly once.
pub(crate) fn collect(requestor: &UdpSocket, count: u32) {
    let mut missing: BTreeSet<u32> = (0..count).collect();
    while !missing.is_empty() {
        let (reply, _) = receive(requestor);
        let number = u32::from_be_bytes(*reply.first_chunk().expect("four octets"));
        assert_eq!(reply, numbered(number, 100));
        assert!(missing.remove(&number), "{number} came twice or was never sent");
    }
}

/// Waits, with [`PATIENCE`], until `reached` holds.
pub(crate) fn wait_until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !reached() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

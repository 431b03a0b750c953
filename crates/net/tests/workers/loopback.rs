//! Cases over the loopback interface, for any user.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

use lqd_net::{Backend, Datagram, REPLY_LEN_MAX, Replies, SendError, Service, WorkerSettings, listen};

use crate::alloc::allocations;
use crate::rig::{
    EMPTY_REPLY, Echo, PATIENCE, Server, burst, collect, exchange, loopback_socket, numbered, receive,
    requestor, wait_until,
};
use crate::{Case, Modes};

pub(crate) const CASES: &[Case] = &[
    case("echoes bursts of 1 to 64", bursts),
    case("echoes thousands", thousands),
    case("echoes every size", sizes),
    Case { modes: Modes::Plain, ..case("drops and counts datagrams longer than a buffer", too_long) },
    case("replies from the queried socket", several_sockets),
    case("shares a port between workers", shared_port),
    case("answers the datagrams that waited while buffers ran out", starvation),
    case("sends more replies than the area holds", many_replies),
    case("counts failed sends and goes on", failed_sends),
    case("stops while loaded, with every datagram answered", stop_while_loaded),
    case("stops when idle", stop_when_idle),
    case("leaves its port free when it ends", port_is_free),
    case("allocates nothing while serving", no_allocation),
    case("frees its resources when the service panics", panicking_service),
    case("refuses a CPU that does not exist", no_such_cpu),
];

const fn case(name: &'static str, run: fn(&WorkerSettings)) -> Case {
    Case { name, run, needs_root: false, modes: Modes::All }
}

fn bursts(settings: &WorkerSettings) {
    let (mut server, address) = Server::on_loopback(settings, || Echo);
    let requestor = requestor();
    for count in 1..=64 {
        burst(&requestor, address, count);
    }
    server.stop();
    assert_eq!(server.sum(|counters| &counters.received), 64 * 65 / 2);
    assert_eq!(server.sum(|counters| &counters.sent), 64 * 65 / 2);
}

fn thousands(settings: &WorkerSettings) {
    let (mut server, address) = Server::on_loopback(settings, || Echo);
    let requestor = requestor();
    for _ in 0..100 {
        burst(&requestor, address, 100); // as many as the requestor's own receive buffer surely holds
    }
    server.stop();
    assert_eq!(server.sum(|counters| &counters.sent), 10_000);
    assert_eq!(server.sum(|counters| &counters.truncated), 0);
}

fn sizes(settings: &WorkerSettings) {
    let settings = WorkerSettings { buffer_len: REPLY_LEN_MAX, buffers: 64, ..settings.clone() };
    let (mut server, address) = Server::on_loopback(&settings, || Echo);
    let requestor = requestor();
    for round in 0..40 {
        for len in [0, 1, 2, 3, 4, 1_232, 9_000, REPLY_LEN_MAX] {
            let mut payload = numbered(round, len.max(4));
            payload.truncate(len);
            exchange(&requestor, address, &payload);
        }
    }
    server.stop();
    if settings.backend == Backend::Uring {
        assert!(server.sum(|counters| &counters.rearmed) > 0, "an empty datagram ends a multishot receive");
    }
}

fn too_long(settings: &WorkerSettings) {
    let settings = WorkerSettings { buffer_len: 1_500, ..settings.clone() };
    let (mut server, address) = Server::on_loopback(&settings, || Echo);
    let requestor = requestor();
    for len in [1_501, 5_000, REPLY_LEN_MAX] {
        requestor.send_to(&numbered(0, len), address).unwrap();
        exchange(&requestor, address, &numbered(1, 1_500));
    }
    server.stop();
    assert_eq!(server.sum(|counters| &counters.truncated), 3);
    assert_eq!(server.sum(|counters| &counters.received), 3);
}

fn several_sockets(settings: &WorkerSettings) {
    let sockets: Vec<_> = (0..3).map(|_| loopback_socket()).collect();
    let addresses: Vec<_> = sockets.iter().map(lqd_net::Socket::local_address).collect();
    let mut server = Server::start(settings, vec![sockets], || Echo);
    let requestors: Vec<_> = addresses.iter().map(|_| requestor()).collect();
    for number in 0..300 {
        for (requestor, address) in requestors.iter().zip(&addresses) {
            requestor.send_to(&numbered(number % 100, 100), address).unwrap();
        }
        if number % 100 == 99 {
            requestors.iter().for_each(|requestor| collect(requestor, 100));
        }
    }
    for (requestor, &address) in requestors.iter().zip(&addresses) {
        exchange(requestor, address, b"from which port?");
    }
    server.stop();
}

fn shared_port(settings: &WorkerSettings) {
    let first = loopback_socket();
    let address = first.local_address();
    let second = listen(address, &lqd_net::SocketOptions::default()).unwrap();
    let mut server = Server::start(settings, vec![vec![first], vec![second]], || Echo);
    let mut requestors = 0;
    wait_until("both workers have received", || {
        exchange(&requestor(), address, b"hash me");
        requestors += 1;
        server.counters.iter().all(|counters| counters.received.get() > 0)
    });
    server.stop();
    assert_eq!(server.sum(|counters| &counters.sent), requestors);
}

/// Echoes, the first time only after the gate; sends five replies to nowhere before each that counts.
struct Gated {
    gate: Option<Arc<Barrier>>,
}

impl Service for Gated {
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        if let Some(gate) = self.gate.take() {
            gate.wait();
            gate.wait();
        }
        for datagram in batch {
            let mut nowhere = datagram.source;
            nowhere.set_port(0);
            for _ in 0..5 {
                replies.send(nowhere, datagram.local, |_| 1);
            }
            Echo.serve(&[*datagram], replies);
        }
    }
}

/// A full batch needs more replies than the area holds. They are sent while the service has all buffers, so
/// the kernel, which continues to receive, finds none.
fn starvation(settings: &WorkerSettings) {
    const WAITING: u32 = 100;
    const REQUESTORS: usize = 30;
    let gate = Arc::new(Barrier::new(2));
    let settings = WorkerSettings { buffers: 64, ..settings.clone() };
    let shared = gate.clone();
    let (mut server, address) = Server::on_loopback(&settings, move || Gated { gate: Some(shared.clone()) });
    let requestors: Vec<_> = (0..REQUESTORS).map(|_| requestor()).collect();
    requestors[0].send_to(&numbered(0, 100), address).unwrap();
    gate.wait(); // the worker is inside the service; all that follows waits in the socket's queue
    for (index, requestor) in requestors.iter().enumerate() {
        for number in u32::from(index == 0)..WAITING {
            requestor.send_to(&numbered(number, 100), address).unwrap();
        }
    }
    gate.wait();
    requestors.iter().for_each(|requestor| collect(requestor, WAITING));
    server.stop();
    assert_eq!(server.sum(|counters| &counters.sent), u64::from(WAITING) * REQUESTORS as u64);
    if settings.backend == Backend::Uring {
        assert!(server.sum(|counters| &counters.starved) > 0);
        assert!(server.sum(|counters| &counters.rearmed) > 0);
    }
}

/// Sends `count` replies of `len` octets to every datagram.
struct Verbose {
    count: u32,
    len: usize,
}

impl Service for Verbose {
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        for datagram in batch {
            for number in 0..self.count {
                replies.send(datagram.source, datagram.local, |slot| {
                    slot[..4].copy_from_slice(&number.to_be_bytes());
                    slot[4..self.len].fill(number as u8);
                    self.len
                });
            }
        }
    }
}

fn many_replies(settings: &WorkerSettings) {
    let (mut server, address) = Server::on_loopback(settings, || Verbose { count: 1_000, len: 4 });
    let asker = requestor();
    for round in 1..=3 {
        asker.send_to(b"tell me all", address).unwrap();
        wait_until("all replies are out", || server.replies_done() == round * 1_000);
    }
    server.stop();
    let (mut server, address) = Server::on_loopback(settings, || Verbose { count: 20, len: REPLY_LEN_MAX });
    asker.send_to(b"tell me more", address).unwrap();
    wait_until("all long replies are out", || server.replies_done() == 20);
    server.stop();
    let asker = requestor();
    let (mut server, address) = Server::on_loopback(settings, || Verbose { count: 2, len: REPLY_LEN_MAX });
    asker.send_to(b"and whole", address).unwrap();
    for number in 0..2 {
        assert!(receive(&asker).0 == numbered(number, REPLY_LEN_MAX), "long reply {number} is spoilt");
    }
    server.stop();
}

/// Replies to a port that does not exist, then to the requestor.
struct HalfWrong;

impl Service for HalfWrong {
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        for datagram in batch {
            let mut nowhere = datagram.source;
            nowhere.set_port(0);
            replies.send(nowhere, datagram.local, |slot| slot[..9].len());
            replies.send(datagram.source, datagram.local, |_| 0);
        }
        Echo.serve(batch, replies);
    }
}

fn failed_sends(settings: &WorkerSettings) {
    let (mut server, address) = Server::on_loopback(settings, || HalfWrong);
    burst(&requestor(), address, 64);
    server.stop();
    assert_eq!(server.sum(|counters| &counters.sent), 64);
    assert_eq!(server.sum(|counters| counters.send_errors(SendError::BadAddress)), 64);
    assert_eq!(server.replies_done(), 128);
}

fn stop_while_loaded(settings: &WorkerSettings) {
    let (mut server, address) = Server::on_loopback(settings, || Echo);
    let flooding = Arc::new(AtomicBool::new(true));
    let flood = {
        let flooding = flooding.clone();
        std::thread::spawn(move || {
            let (requestor, deadline) = (requestor(), std::time::Instant::now() + PATIENCE);
            while flooding.load(Ordering::Relaxed) && std::time::Instant::now() < deadline {
                let _ = requestor.send_to(&numbered(0, 100), address); // refused once the socket is gone
            }
        })
    };
    wait_until("the flood has begun", || server.sum(|counters| &counters.received) > 5_000);
    server.stop();
    flooding.store(false, Ordering::Relaxed);
    flood.join().unwrap();
    assert_eq!(server.replies_done(), server.sum(|counters| &counters.received));
}

fn stop_when_idle(settings: &WorkerSettings) {
    let (mut server, _) = Server::on_loopback(settings, || Echo);
    server.stop.clone().stop();
    server.stop();
    assert_eq!(server.replies_done(), 0);
}

/// A socket that outlives its worker would get datagrams meant for the next one on the port.
fn port_is_free(settings: &WorkerSettings) {
    for _ in 0..20 {
        let (mut server, address) = Server::on_loopback(settings, || Echo);
        exchange(&requestor(), address, b"before the end");
        server.stop();
        std::net::UdpSocket::bind(address).expect("the port is free at once");
    }
}

/// Echoes, and counts the allocations of its thread since its first call.
pub(crate) struct Watched {
    at_first: Option<u64>,
    since: Arc<AtomicU64>,
}

impl Watched {
    /// A maker of services for one worker, and the count it keeps; `u64::MAX` before it has served.
    pub(crate) fn new() -> (impl Fn() -> Self + Send + Sync + 'static, Arc<AtomicU64>) {
        let since = Arc::new(AtomicU64::new(u64::MAX));
        let shared = since.clone();
        (move || Self { at_first: None, since: shared.clone() }, since)
    }
}

impl Service for Watched {
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        let at_first = *self.at_first.get_or_insert_with(allocations);
        Echo.serve(batch, replies);
        self.since.store(allocations() - at_first, Ordering::Relaxed);
    }
}

fn no_allocation(settings: &WorkerSettings) {
    let (service, since) = Watched::new();
    let (mut server, address) = Server::on_loopback(settings, service);
    let requestor = requestor();
    for count in 1..=100 {
        burst(&requestor, address, count);
        exchange(&requestor, address, b"");
    }
    server.stop();
    assert_eq!(since.load(Ordering::Relaxed), 0);
}

/// Echoes half a batch, then panics.
struct Panicking;

impl Service for Panicking {
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        Echo.serve(batch, replies);
        panic!("the service of this test always panics");
    }
}

fn panicking_service(settings: &WorkerSettings) {
    for _ in 0..10 {
        let (mut server, address) = Server::on_loopback(settings, || Panicking);
        let asker = requestor();
        for number in 0..50 {
            let _ = asker.send_to(&numbered(number, 100), address); // refused once the worker is gone
        }
        assert!(server.join().pop().unwrap().is_err(), "the worker's thread ends with the panic");
    }
    let (mut server, address) = Server::on_loopback(settings, || Echo);
    exchange(&requestor(), address, EMPTY_REPLY);
    server.stop();
}

fn no_such_cpu(settings: &WorkerSettings) {
    for number in [1_000, 1_024, usize::MAX] {
        let settings = WorkerSettings { cpu: Some(number), ..settings.clone() };
        let (mut server, _) = Server::on_loopback(&settings, || Echo);
        let outcome = server.join().pop().unwrap().unwrap();
        assert!(matches!(outcome, Err(lqd_net::RunError::Pin { cpu }) if cpu == number), "{outcome:?}");
    }
}

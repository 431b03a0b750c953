//! Cases in which new workers take a port over from old ones under load.

use std::collections::BTreeSet;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

use lqd_net::{Intake, Socket, SocketOptions, WorkerSettings, drain, listen};

use crate::rig::{Echo, PATIENCE, Server, numbered, receive, requestor};
use crate::{Case, Modes};

pub(crate) const CASES: &[Case] = &[
    case("hands its port over under load, nothing lost", address_of_its_own),
    case("hands a port on every address over under load, nothing lost", every_address),
    case("answers queued datagrams when it leaves", backlog),
];

const fn case(name: &'static str, run: fn(&WorkerSettings)) -> Case {
    Case { name, run, needs_root: false, modes: Modes::All }
}

/// Takeovers in a row.
const GENERATIONS: usize = 20;
/// Requestors, each on its own port, so that all sockets receive queries at any time.
const REQUESTORS: usize = 8;
/// Datagrams in flight per requestor.
const IN_FLIGHT: usize = 32;

/// Workers with the intakes of their sockets.
struct Generation {
    server: Server,
    intakes: Vec<Intake>,
}

impl Generation {
    /// Two workers on `address`.
    fn start(settings: &WorkerSettings, address: SocketAddrV6) -> (Self, SocketAddrV6) {
        let first = listen(address, &SocketOptions::default()).unwrap();
        let address = first.local_address();
        let sockets = [first, listen(address, &SocketOptions::default()).unwrap()];
        let intakes = sockets.iter().map(Socket::intake).collect::<Result<_, _>>().unwrap();
        let sockets = sockets.into_iter().map(|socket| vec![socket]).collect();
        (Self { server: Server::start(settings, sockets, || Echo), intakes }, address)
    }

    fn end(mut self) {
        let drained = drain(self.intakes.iter(), PATIENCE);
        assert!(drained.stayed.is_empty() && drained.unread.is_empty(), "{drained:?}");
        self.server.stop();
    }
}

fn address_of_its_own(settings: &WorkerSettings) {
    hand_over(settings, Ipv6Addr::LOCALHOST);
}

fn every_address(settings: &WorkerSettings) {
    hand_over(settings, Ipv6Addr::UNSPECIFIED);
}

fn hand_over(settings: &WorkerSettings, address: Ipv6Addr) {
    let (mut generation, address) = Generation::start(settings, SocketAddrV6::new(address, 0, 0, 0));
    let asked = SocketAddrV6::new(Ipv6Addr::LOCALHOST, address.port(), 0, 0);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let requestors: Vec<_> = (0..REQUESTORS).map(|_| scope.spawn(|| ask(asked, &over))).collect();
        for _ in 0..GENERATIONS {
            let (successor, _) = Generation::start(settings, address);
            std::mem::replace(&mut generation, successor).end();
        }
        over.store(true, Ordering::Relaxed);
        for requestor in requestors {
            assert!(requestor.join().unwrap() > 0);
        }
    });
    generation.end();
}

/// Sends until `over`; every datagram must be echoed once. Returns their number.
fn ask(server: SocketAddrV6, over: &AtomicBool) -> u32 {
    let requestor: UdpSocket = requestor();
    let mut waiting = BTreeSet::new();
    let mut next = 0;
    loop {
        while waiting.len() < IN_FLIGHT && !over.load(Ordering::Relaxed) {
            requestor.send_to(&numbered(next, 100), server).unwrap();
            waiting.insert(next);
            next += 1;
        }
        if waiting.is_empty() {
            return next;
        }
        let (reply, _) = receive(&requestor);
        let number = u32::from_be_bytes(*reply.first_chunk().expect("four octets"));
        assert!(waiting.remove(&number), "{number} came twice or was never sent");
    }
}

/// Datagrams queued before the worker starts are answered, although the socket has left.
fn backlog(settings: &WorkerSettings) {
    let socket = listen("[::1]:0".parse().unwrap(), &SocketOptions::default()).unwrap();
    let (address, intake) = (socket.local_address(), socket.intake().unwrap());
    let requestor = requestor();
    for number in 0..500 {
        requestor.send_to(&numbered(number, 100), address).unwrap();
    }
    let mut server = Server::start(settings, vec![vec![socket]], || Echo);
    let drained = drain([&intake].into_iter(), PATIENCE);
    assert!(drained.stayed.is_empty() && drained.unread.is_empty(), "{drained:?}");
    server.stop();
    assert_eq!(server.sum(|counters| &counters.sent), 500);
}

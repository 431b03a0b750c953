//! Cases for the effect of tuning, and for the counters.

use std::io;
use std::net::SocketAddrV6;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use core_affinity::CoreId;
use lqd_net::{
    Datagram, Replies, Service, SocketOptions, WorkerSettings, drain, listen, prepare_busy_poll, steer_by_cpu,
};

use crate::namespaces::{Namespace, PORT, linked, warm_up};
use crate::rig::{
    Echo, PATIENCE, Server, exchange, loopback_socket, loopback_socket_with, numbered, requestor, wait_until,
};
use crate::{Case, Modes};

pub(crate) const CASES: &[Case] = &[
    case("counts overflowed datagrams", overflow),
    case("steers by the receiving CPU", steering),
    case("steers by CPU after a takeover, too", steering_after_takeover),
    Case { needs_root: true, modes: Modes::Uring, ..case("polls the network card busily", busy_polling) },
];

const fn case(name: &'static str, run: fn(&WorkerSettings)) -> Case {
    Case { name, run, needs_root: false, modes: Modes::All }
}

/// Echoes; the first time only after the gate.
struct Gated(Option<Arc<Barrier>>);

impl Service for Gated {
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        if let Some(gate) = self.0.take() {
            gate.wait();
            gate.wait();
        }
        Echo.serve(batch, replies);
    }
}

/// The socket buffer is too small for a flood: every datagram is either received or counted.
fn overflow(settings: &WorkerSettings) {
    let gate = Arc::new(Barrier::new(2));
    let options = SocketOptions { receive_buffer: 20_000, ..SocketOptions::default() };
    let socket = loopback_socket_with(&options);
    let address = socket.local_address();
    let shared = gate.clone();
    let mut server = Server::start(settings, vec![vec![socket]], move || Gated(Some(shared.clone())));
    let asker = requestor();
    asker.send_to(&numbered(0, 100), address).unwrap();
    gate.wait(); // the worker is inside the service, and receives nothing
    (1..1_000).for_each(|number| assert_eq!(asker.send_to(&numbered(number, 100), address).unwrap(), 100));
    gate.wait();
    let mut sent = 1_000;
    let last = requestor();
    last.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    wait_until("one is received behind all that were dropped", || {
        sent += 1; // is dropped itself while the queue is full
        last.send_to(b"the last", address).unwrap();
        last.recv(&mut [0; 64]).is_ok()
    });
    server.stop();
    let received = server.sum(|counters| &counters.received);
    let overflowed = server.sum(|counters| &counters.overflowed);
    assert!(overflowed > 500, "{overflowed} of 1,000 do not fit into 20,000 octets");
    assert_eq!(received + overflowed, sent);
}

/// Sends from each CPU; loopback receives on the same CPU.
fn steering(settings: &WorkerSettings) {
    let cpus: Vec<usize> = core_affinity::get_core_ids().unwrap().into_iter().map(|cpu| cpu.id).collect();
    let nowhere = 1_023;
    let mut pairs: Vec<[usize; 2]> = cpus.iter().flat_map(|&cpu| [[cpu, nowhere], [nowhere, cpu]]).collect();
    pairs.extend(cpus.windows(2).flat_map(|pair| [[pair[0], pair[1]], [pair[1], pair[0]]]));
    for pair in pairs {
        let first = loopback_socket();
        let address = first.local_address();
        let second = listen(address, &SocketOptions::default()).unwrap();
        steer_by_cpu(&[&first, &second], &pair).unwrap();
        let mut server = Server::start(settings, vec![vec![first], vec![second]], || Echo);
        let mut want = [0, 0];
        for (worker, &cpu) in pair.iter().enumerate().filter(|&(_, &cpu)| cpu != nowhere) {
            exchange_from(cpu, address);
            want[worker] += FROM_EACH;
        }
        server.stop();
        let got: Vec<u64> = server.counters.iter().map(|counters| counters.received.get()).collect();
        assert_eq!(got, want, "workers on {pair:?}");
    }
}

/// The successor has its workers in reverse order, and one more: positions in the group do not help.
fn steering_after_takeover(settings: &WorkerSettings) {
    if !marks_hold_in_groups() {
        eprintln!("before Linux 6.2 a takeover leaves datagrams to the hash");
        return;
    }
    let cpus: Vec<usize> = core_affinity::get_core_ids().unwrap().into_iter().map(|cpu| cpu.id).collect();
    let (nowhere, here) = (1_023, cpus[0]);
    let there = *cpus.last().unwrap();
    let bind = |address| listen(address, &SocketOptions::default()).unwrap();
    let first = loopback_socket();
    let address = first.local_address();
    let old = [first, bind(address)];
    steer_by_cpu(&[&old[0], &old[1]], &[here, nowhere]).unwrap();
    let intakes: Vec<_> = old.iter().map(|socket| socket.intake().unwrap()).collect();
    let mut predecessor = Server::start(settings, old.map(|socket| vec![socket]).into(), || Echo);
    let new = [bind(address), bind(address), bind(address)];
    steer_by_cpu(&[&new[0], &new[1], &new[2]], &[nowhere, there, here]).unwrap();
    let mut successor = Server::start(settings, new.map(|socket| vec![socket]).into(), || Echo);
    let drained = drain(intakes.iter(), PATIENCE);
    assert!(drained.stayed.is_empty() && drained.unread.is_empty(), "{drained:?}");
    predecessor.stop();
    drop(intakes);
    [here, there].into_iter().for_each(|cpu| exchange_from(cpu, address));
    successor.stop();
    let got: Vec<u64> = successor.counters.iter().map(|counters| counters.received.get()).collect();
    // On one CPU alone, two workers run on it, and either may have any.
    let want = if here == there { [0, got[1], 2 * FROM_EACH - got[1]] } else { [0, FROM_EACH, FROM_EACH] };
    assert_eq!(got, want);
}

/// Whether the kernel heeds SO_INCOMING_CPU among sockets that share an address.
fn marks_hold_in_groups() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next(), parts.next()) >= (Some(6), Some(2))
}

/// Requestors on each CPU: enough for a hash to send some to either worker.
const FROM_EACH: u64 = 40;

fn exchange_from(cpu: usize, address: SocketAddrV6) {
    let inside = || {
        assert!(core_affinity::set_for_current(CoreId { id: cpu }));
        (0..FROM_EACH).for_each(|_| exchange(&requestor(), address, b"received on this CPU"));
    };
    std::thread::scope(|scope| scope.spawn(inside).join().unwrap());
}

/// The kernel counts datagrams received by busy polling.
fn busy_polling(settings: &WorkerSettings) {
    let settings = WorkerSettings { busy_poll: 1_000, ..settings.clone() };
    if let Err(lacking) = prepare_busy_poll(settings.backend, [], settings.busy_poll) {
        eprintln!("{lacking}");
        assert!(std::env::var_os("LQD_TESTS_MUST_RUN").is_none_or(|value| value != "1"));
        return;
    }
    let (here, there) = linked();
    // A veth uses NAPI only with GRO, and GRO has work only if the peer does not segment.
    ethtool(&here, "vs", ETHTOOL_SGRO, 1);
    ethtool(&there, "vc", ETHTOOL_STSO, 0);
    let mut server = Server::start(&settings, vec![vec![here.listen()]], || Echo);
    let address = SocketAddrV6::new("2001:db8:1::5".parse().unwrap(), PORT, 0, 0);
    warm_up(&server, &there, address);
    let requestor = there.requestor("[2001:db8:1::9]:0");
    wait_until("a datagram came by busy polling", || {
        (0..100).for_each(|_| exchange(&requestor, address, b"while the worker polls"));
        busy_polled(&here) > 0
    });
    server.stop();
}

/// `ETHTOOL_STSO` and `ETHTOOL_SGRO` of `linux/ethtool.h`.
const ETHTOOL_STSO: u32 = 0x1f;
const ETHTOOL_SGRO: u32 = 0x2c;

/// Switches a feature of an interface.
fn ethtool(namespace: &Namespace, interface: &str, feature: u32, on: u32) {
    const SIOCETHTOOL: u64 = 0x8946;
    namespace.enter(|| {
        let mut value = [feature, on]; // struct ethtool_value
        // SAFETY: integers and raw pointers only; zeroes are valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, &from) in request.ifr_name.iter_mut().zip(interface.as_bytes()) {
            *to = from as libc::c_char;
        }
        request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
        // SAFETY: takes no pointers; the descriptor is checked.
        let fd = unsafe { libc::socket(libc::AF_INET6, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        assert!(fd >= 0);
        // SAFETY: a descriptor just made, with no other owner.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: the request and the value it points to are live, and of the kernel's layout.
        let done = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
        assert_eq!(done, 0, "{}", io::Error::last_os_error());
    });
}

/// `BusyPollRxPackets` of the namespace, by name: the file has pairs of lines, names above numbers.
fn busy_polled(namespace: &Namespace) -> u64 {
    let text = namespace.enter(|| std::fs::read_to_string("/proc/thread-self/net/netstat").unwrap());
    let lines: Vec<&str> = text.lines().collect();
    let mut pairs = lines.chunks(2).flat_map(|pair| pair[0].split(' ').zip(pair[1].split(' ')));
    let (_, count) = pairs.find(|(name, _)| *name == "BusyPollRxPackets").expect("the kernel counts them");
    count.parse().unwrap()
}

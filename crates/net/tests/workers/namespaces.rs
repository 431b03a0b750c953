//! Cases with addresses, links and multicast groups of their own, in network namespaces that end with the
//! test.
//!
//! ```text
//! server: vs fe80::5, 2001:db8:1::5 ── veth ── vc fe80::9, 2001:db8:1::9 :requestor
//!         other (a link to nowhere)
//! ```

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use lqd_net::{Socket, SocketOptions, WorkerSettings, drain, listen, listen_multicast};

use crate::rig::{Echo, PATIENCE, Server, exchange, receive, requestor_on, wait_until};
use crate::{Case, Modes};

pub(crate) const CASES: &[Case] = &[
    case("replies from the queried address", asked_address),
    case("keeps the scope of link-local requestors", link_local),
    case("answers a group once, from a unicast address", multicast),
];

const fn case(name: &'static str, run: fn(&WorkerSettings)) -> Case {
    Case { name, run, needs_root: true, modes: Modes::All }
}

pub(crate) const PORT: u16 = 5_547;

/// A network namespace; exists as long as this descriptor and the sockets opened in it.
pub(crate) struct Namespace(OwnedFd);

impl Namespace {
    fn new() -> Self {
        let made = std::thread::spawn(|| {
            // SAFETY: moves only the calling thread, which ends right here, into a new namespace.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWNET) }, 0, "{}", io::Error::last_os_error());
            std::fs::File::open("/proc/thread-self/ns/net").unwrap().into()
        });
        Self(made.join().unwrap())
    }

    /// Runs `work` on a thread inside the namespace; sockets it opens stay there.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            // SAFETY: moves only the calling thread, one made for this, by a descriptor that is open.
            let entered = unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) };
            assert_eq!(entered, 0, "{}", io::Error::last_os_error());
            work()
        };
        std::thread::scope(|scope| scope.spawn(inside).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs `ip` with these arguments, one command a line.
    fn ip(&self, commands: &str) {
        self.enter(|| {
            for command in commands.lines().map(str::trim).filter(|command| !command.is_empty()) {
                let output = Command::new("ip").args(command.split_whitespace()).output().unwrap();
                assert!(output.status.success(), "ip {command}: {}", String::from_utf8_lossy(&output.stderr));
            }
        });
    }

    /// A requestor bound to `address` in here.
    pub(crate) fn requestor(&self, address: &str) -> UdpSocket {
        self.enter(|| requestor_on(address))
    }

    /// Sockets on `[::]:PORT` in here.
    pub(crate) fn listen(&self) -> Socket {
        let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, PORT, 0, 0);
        self.enter(|| listen(any, &SocketOptions::default()).unwrap())
    }

    fn join(&self, group: &str, interface: &str) -> Socket {
        let group = group.parse().unwrap();
        self.enter(|| listen_multicast(group, interface, PORT, &SocketOptions::default()).unwrap())
    }

    /// `address%interface` at the server's port, as seen from in here.
    pub(crate) fn server_at(&self, address: &str, interface: &str) -> SocketAddrV6 {
        let text = self.enter(|| std::fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap());
        let line = text
            .lines()
            .find(|line| line.ends_with(&format!(" {interface}")))
            .expect("the interface has IPv6");
        let index = u32::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap();
        SocketAddrV6::new(address.parse().unwrap(), PORT, 0, index)
    }
}

/// Server and requestor, joined by a link with one queue each way.
pub(crate) fn linked() -> (Namespace, Namespace) {
    let (server, client) = (Namespace::new(), Namespace::new());
    let client_path = format!("/proc/{}/fd/{}", std::process::id(), client.0.as_raw_fd());
    server.ip(&format!(
        "link add vs numrxqueues 1 numtxqueues 1 type veth peer name vc numrxqueues 1 numtxqueues 1 netns {client_path}
         link set vs addrgenmode none
         link add other type veth peer name another
         link set other up
         address add fe80::5/64 dev vs nodad
         address add 2001:db8:1::5/64 dev vs nodad
         link set vs up"
    ));
    client.ip("address add fe80::9/64 dev vc nodad
         address add 2001:db8:1::9/64 dev vc nodad
         link set vc up");
    (server, client)
}

/// Exchanges datagrams until every worker has received one and the link works.
pub(crate) fn warm_up(server: &Server, client: &Namespace, address: SocketAddrV6) {
    let before: Vec<u64> = server.counters.iter().map(|counters| counters.received.get()).collect();
    wait_until("every worker has been heard over the link", || {
        let requestor = client.requestor("[::]:0"); // another port, perhaps another worker
        requestor.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let _ = requestor.send_to(b"are you there?", address);
        let _ = requestor.recv(&mut [0; 64]);
        server.counters.iter().zip(&before).all(|(counters, &before)| counters.received.get() > before)
    });
    wait_until("all of it is answered", || {
        server.replies_done() == server.sum(|counters| &counters.received)
    });
}

fn asked_address(settings: &WorkerSettings) {
    let namespace = Namespace::new();
    namespace.ip("link set lo up
         address add 2001:db8::1/128 dev lo nodad
         address add 2001:db8::2/128 dev lo nodad
         address add 2001:db8::3/128 dev lo nodad");
    let mut server = Server::start(settings, vec![vec![namespace.listen()]], || Echo);
    let requestor = namespace.requestor("[::]:0");
    for address in ["2001:db8::3", "::1", "2001:db8::1", "2001:db8::2", "2001:db8::3"] {
        let address = SocketAddrV6::new(address.parse().unwrap(), PORT, 0, 0);
        warm_up(&server, &namespace, address); // an address gets its route a moment later
        exchange(&requestor, address, b"who answers?");
    }
    server.stop();
}

fn link_local(settings: &WorkerSettings) {
    let (here, there) = linked();
    let mut server = Server::start(settings, vec![vec![here.listen()]], || Echo);
    let scoped = there.server_at("fe80::5", "vc");
    warm_up(&server, &there, scoped);
    exchange(&there.requestor(&format!("[fe80::9%{}]:0", scoped.scope_id())), scoped, b"both link-local");
    let global = SocketAddrV6::new("2001:db8:1::5".parse().unwrap(), PORT, 0, 0);
    exchange(&there.requestor("[2001:db8:1::9]:0"), global, b"both global");
    exchange(&there.requestor(&format!("[fe80::9%{}]:0", scoped.scope_id())), global, b"mixed");
    server.stop();
}

fn multicast(settings: &WorkerSettings) {
    let (here, there) = linked();
    let groups =
        [here.join("ff05::1:3", "vs"), here.join("ff02::1:2", "vs"), here.join("ff05::1:3", "other")];
    let intakes: Vec<_> = groups.iter().map(|group| group.intake().unwrap()).collect();
    let first = groups.into_iter().chain([here.listen()]).collect();
    let mut server = Server::start(settings, vec![first, vec![here.listen()]], || Echo);
    let unicast = there.server_at("fe80::5", "vc");
    let scope = unicast.scope_id();
    warm_up(&server, &there, unicast);
    for (group, from, answers) in [
        ("ff02::1:2", format!("[fe80::9%{scope}]:0"), "fe80::5"),
        ("ff05::1:3", format!("[fe80::9%{scope}]:0"), "fe80::5"),
        ("ff05::1:3", "[2001:db8:1::9]:0".to_owned(), "2001:db8:1::5"),
    ] {
        let requestor = there.requestor(&from);
        socket2::SockRef::from(&requestor).set_multicast_if_v6(scope).unwrap();
        let before = server.replies_done();
        let to = there.server_at(group, "vc");
        wait_until("the new link has its multicast route", || {
            requestor.send_to(b"is anyone there?", to).is_ok()
        });
        let (reply, source) = receive(&requestor);
        assert_eq!(reply, b"is anyone there?");
        assert_eq!(source.ip(), &answers.parse::<Ipv6Addr>().unwrap(), "answer to {group}");
        assert_eq!(source.port(), PORT);
        wait_until("the answer is counted", || server.replies_done() == before + 1);
        // Each socket's queue is in order: a second copy would be served before these.
        warm_up(&server, &there, unicast);
        requestor.set_nonblocking(true).unwrap();
        assert!(requestor.recv(&mut [0; 64]).is_err(), "a second answer to {group}");
    }
    let drained = here.enter(|| drain(intakes.iter(), PATIENCE));
    assert!(drained.stayed.is_empty() && drained.unread.is_empty(), "{drained:?}");
    let requestor = there.requestor(&format!("[fe80::9%{scope}]:0"));
    requestor.send_to(b"has everyone left?", there.server_at("ff02::1:2", "vc")).unwrap();
    warm_up(&server, &there, unicast);
    requestor.set_nonblocking(true).unwrap();
    assert!(requestor.recv(&mut [0; 64]).is_err(), "an answer to a group that was left");
    server.stop();
}

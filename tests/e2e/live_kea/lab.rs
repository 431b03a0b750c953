//! The link between Kea and its clients: a veth pair from this network namespace to one of Kea's own.
//!
//! The trial already runs in a namespace (`support::namespace`), which is the clients' end. Kea's namespace
//! has no name in the file system: it lives as long as its holder, a `cat` on a pipe from this process, which
//! ends with it, even by SIGKILL.

use std::io::{Read as _, Write as _};
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::process::{Child, Command, Stdio};

use crate::support::Until;

/// Address of the server's end, on which Kea listens besides the multicast groups.
pub(super) const SERVER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);
/// Address from which perfdhcp relays.
pub(super) const PERFDHCP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 2);
/// Address of our own directly attached client; not perfdhcp's, as both need port 546.
pub(super) const CLIENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 5);
/// Address of our own relay agent next to the server.
pub(super) const RELAY: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 6);

/// `All_DHCP_Relay_Agents_and_Servers` (RFC 8415 §7.1).
pub(super) const ALL_RELAYS_AND_SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);

/// Interface of the server's end.
pub(super) const SERVER_INTERFACE: &str = "k0";
/// Interface of the clients' end.
pub(super) const CLIENT_INTERFACE: &str = "c0";

/// Both ends of the link, up and with usable addresses.
pub(super) struct Lab {
    holder: Child,
    /// Index of the clients' interface, the scope of their multicasts.
    pub(super) client_index: u32,
}

impl Lab {
    /// Creates the server's namespace and the link to it.
    pub(super) fn new() -> Self {
        let mut lab = Self { holder: namespace_holder(), client_index: 0 };
        let (near, far) = (CLIENT_INTERFACE, SERVER_INTERFACE);
        run(&mut here("ip"), &format!("link add {near} type veth peer name {far} netns {}", lab.path()));
        run(&mut lab.server("ip"), "link set lo up");
        run(&mut here("sysctl"), &quiet(near));
        run(&mut lab.server("sysctl"), &quiet(far));
        run(&mut lab.server("ip"), &format!("addr add {SERVER}/64 dev {far} nodad"));
        for address in [CLIENT, RELAY, PERFDHCP] {
            run(&mut here("ip"), &format!("addr add {address}/64 dev {near} nodad"));
        }
        run(&mut lab.server("ip"), &format!("link set {far} up"));
        run(&mut here("ip"), &format!("link set {near} up"));
        lab.client_index = usable_index("/proc/self/net/if_inet6", near);
        lab.await_usable();
        lab
    }

    /// Waits until every address of both ends is usable, and the kernel sends to the servers' group.
    pub(super) fn await_usable(&self) {
        usable_index(&format!("/proc/{}/net/if_inet6", self.holder.id()), SERVER_INTERFACE);
        usable_index("/proc/self/net/if_inet6", CLIENT_INTERFACE);
        // The discard port (RFC 863), which has no listener.
        let to = SocketAddrV6::new(ALL_RELAYS_AND_SERVERS, 9, 0, self.client_index);
        for from in [CLIENT, RELAY, PERFDHCP] {
            let until = Until::patience();
            while let Err(error) = UdpSocket::bind((from, 0)).and_then(|socket| socket.send_to(b"?", to)) {
                assert!(until.pending(), "nothing leaves from {from}: {error}");
            }
        }
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// Returns a command at the server's end; its process id is the program's own.
    pub(super) fn server(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).arg(program);
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // Fails if the holder has ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn namespace_holder() -> Child {
    let mut unshare = Command::new("unshare");
    let holder = unshare.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut holder = holder.expect("unshare (util-linux) starts");
    // `cat` runs only once the namespace exists: it echoes an octet then.
    holder.stdin.as_mut().expect("piped").write_all(b"!").expect("the holder takes an octet");
    let mut echo = [0];
    holder.stdout.as_mut().expect("piped").read_exact(&mut echo).expect("`unshare --net` is permitted");
    holder
}

fn here(program: &str) -> Command {
    Command::new(program)
}

fn run(command: &mut Command, arguments: &str) {
    let output =
        command.args(arguments.split(' ')).output().expect("ip (iproute2) and sysctl (procps) start");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Returns sysctl arguments for an interface without other hosts: duplicate address detection would only cost
/// a second, and router solicitations only change routes.
fn quiet(interface: &str) -> String {
    let settings = ["accept_dad", "dad_transmits", "accept_ra", "autoconf", "router_solicitations"];
    let settings = settings.map(|setting| format!("net.ipv6.conf.{interface}.{setting}=0"));
    format!("-qw {}", settings.join(" "))
}

/// Returns the index of `interface` from a table as in proc(5), once it has a link-local address and no
/// tentative one (RFC 4862 §5.4).
fn usable_index(table: &str, interface: &str) -> u32 {
    const TENTATIVE: u32 = 0x40; // IFA_F_TENTATIVE
    let until = Until::patience();
    loop {
        let rows = std::fs::read_to_string(table).expect("the kernel has IPv6");
        let (mut link_local_index, mut tentative) = (None, false);
        for row in rows.lines() {
            let [address, index, _, _, flags, name] = row.split_whitespace().collect::<Vec<_>>()[..] else {
                continue;
            };
            if name == interface {
                let number = |digits| u32::from_str_radix(digits, 16).expect("a hexadecimal number");
                tentative |= number(flags) & TENTATIVE != 0;
                link_local_index = link_local_index.or(address.starts_with("fe80").then(|| number(index)));
            }
        }
        if let Some(index) = link_local_index.filter(|_| !tentative) {
            return index;
        }
        assert!(until.pending(), "no link-local address on {interface}, or a tentative address:\n{rows}");
    }
}

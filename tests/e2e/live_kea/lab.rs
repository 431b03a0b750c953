//! The wire between Kea and its clients: a veth pair from this namespace to one that Kea has to itself.
//!
//! The trial already runs in a namespace of its own (`support::namespace`): that is the clients' side, so
//! that their sockets and perfdhcp need no detour. The server's side has no name in the file system: it lives
//! as long as its holder, a `cat` that waits on a pipe from this process and ends with it, even by SIGKILL.

use std::io::{Read as _, Write as _};
use std::net::Ipv6Addr;
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

/// Interface of the server's end.
pub(super) const SERVER_INTERFACE: &str = "k0";
/// Interface of the clients' end.
pub(super) const CLIENT_INTERFACE: &str = "c0";

/// Both ends, up and with usable addresses.
pub(super) struct Lab {
    holder: Child,
    /// Index of the clients' interface: the scope of what they multicast.
    pub(super) client_index: u32,
}

impl Lab {
    /// Makes the server's namespace and the wire to it.
    pub(super) fn new() -> Self {
        let mut lab = Self { holder: namespace_holder(), client_index: 0 };
        let (near, far) = (CLIENT_INTERFACE, SERVER_INTERFACE);
        run(&mut here("ip"), &format!("link add {near} type veth peer name {far} netns {}", lab.path()));
        run(&mut lab.server("ip"), "link set lo up");
        // Nobody else is on this wire: duplicate address detection would only cost a second.
        run(&mut here("sysctl"), &format!("-qw net.ipv6.conf.{near}.accept_dad=0"));
        run(&mut lab.server("sysctl"), &format!("-qw net.ipv6.conf.{far}.accept_dad=0"));
        run(&mut lab.server("ip"), &format!("addr add {SERVER}/64 dev {far} nodad"));
        for address in [CLIENT, RELAY, PERFDHCP] {
            run(&mut here("ip"), &format!("addr add {address}/64 dev {near} nodad"));
        }
        run(&mut lab.server("ip"), &format!("link set {far} up"));
        run(&mut here("ip"), &format!("link set {near} up"));
        link_local_index(&format!("/proc/{}/net/if_inet6", lab.holder.id()), far);
        lab.client_index = link_local_index("/proc/self/net/if_inet6", near);
        lab
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// A command on the server's side; its process id is the program's own.
    pub(super) fn server(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).arg(program);
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // An error means that the holder has ended already, which is what is wanted.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn namespace_holder() -> Child {
    let mut unshare = Command::new("unshare");
    let holder = unshare.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut holder = holder.expect("unshare (util-linux) starts");
    // `cat` runs only once the namespace exists: an octet that comes back says so.
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

/// Index of `interface` in a table as proc(5) describes it, once its link-local address can be used.
fn link_local_index(table: &str, interface: &str) -> u32 {
    const TENTATIVE: u32 = 0x40; // IFA_F_TENTATIVE
    let until = Until::patience();
    loop {
        let rows = std::fs::read_to_string(table).expect("the kernel has IPv6");
        let index = rows.lines().find_map(|row| {
            let [address, index, _, _, flags, name] = row.split_whitespace().collect::<Vec<_>>()[..] else {
                return None;
            };
            let flags = u32::from_str_radix(flags, 16).ok()?;
            let usable = name == interface && address.starts_with("fe80") && flags & TENTATIVE == 0;
            usable.then(|| u32::from_str_radix(index, 16).ok()).flatten()
        });
        if let Some(index) = index {
            return index;
        }
        assert!(until.pending(), "no link-local address on {interface}:\n{rows}");
    }
}

//! A link between two network namespaces, with the server at one end and a requestor without coalescing at
//! the other.
//!
//! A veth plays the network card, with GRO (`gro`, `rx-udp-gro-forwarding`) and a delay to collect datagrams
//! (`gro_flush_timeout`, with `napi_defer_hard_irqs`), as a veth otherwise delivers each datagram as it is
//! sent and never finds a second one. All of that runs on the sending CPU, that of the load, as another CPU
//! may serve a card's interrupts. The requestor's receiving is moved to that CPU too (RPS): over a veth it
//! would run in the server's sends, and be counted there; between two hosts it does not.

use std::process::{Command, Stdio};

use crate::programs::CompareError;

/// Time that the card collects datagrams, nanoseconds.
const COLLECT_NS: &str = "50000";
/// The load's CPU, 1, as a mask in hexadecimal.
const LOAD_CPU_MASK: &str = "2";

/// The link; dropping it removes both namespaces.
pub(crate) struct Link {
    server: String,
    load: String,
}

impl Link {
    /// Address of the server's end.
    pub(crate) const SERVER: &str = "2001:db8:1::5";

    /// Makes both namespaces, and the link between them.
    pub(crate) fn new() -> Result<Self, CompareError> {
        let name = |end| format!("lqd-compare-{}-{end}", std::process::id());
        let link = Self { server: name("server"), load: name("load") };
        let (server, load) = (&link.server, &link.load);
        for command in [
            format!("ip netns add {server}"),
            format!("ip netns add {load}"),
            format!(
                "ip -n {server} link add vs numtxqueues 1 numrxqueues 1 type veth peer vl numtxqueues 1 numrxqueues 1 netns {load}"
            ),
            format!("ip -n {server} address add {}/64 dev vs nodad", Self::SERVER),
            format!("ip -n {load} address add 2001:db8:1::9/64 dev vl nodad"),
            // `nodad`: an address would be tentative for a second otherwise.
            format!("ip -n {server} link set lo up"),
            format!("ip -n {server} link set vs up"),
            format!("ip -n {load} link set vl up"),
            // The receiving side joins datagrams, as a network card does.
            format!("ip netns exec {server} ethtool -K vs gro on rx-udp-gro-forwarding on"),
        ] {
            run(command.split(' '))?;
        }
        for (namespace, attribute, value) in [
            (server, "vs/gro_flush_timeout", COLLECT_NS),
            (server, "vs/napi_defer_hard_irqs", "100"),
            (load, "vl/queues/rx-0/rps_cpus", LOAD_CPU_MASK),
        ] {
            // Written inside the namespace, as /sys shows only its own interfaces.
            let write = format!("echo {value} > /sys/class/net/{attribute}");
            run(["ip", "netns", "exec", namespace, "sh", "-c", &write])?;
        }
        Ok(link)
    }

    /// Namespace of the server.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Namespace of the load.
    pub(crate) fn load(&self) -> &str {
        &self.load
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for namespace in [&self.server, &self.load] {
            // Fails only if it was never made.
            let _ = run(["ip", "netns", "del", namespace]);
        }
    }
}

/// Runs a short command to its end.
fn run<'a>(command: impl IntoIterator<Item = &'a str>) -> Result<(), CompareError> {
    let mut words = command.into_iter();
    // An empty command fails to start, with its own error.
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).stdin(Stdio::null());
    let line = format!("{command:?}");
    let output = command
        .output()
        .map_err(|source| CompareError::Link { command: line.clone(), reason: source.to_string() })?;
    if output.status.success() {
        return Ok(());
    }
    Err(CompareError::Link {
        command: line,
        // The tool's own words are the reason.
        reason: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

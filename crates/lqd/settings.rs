//! Settings: what the operator typed, and what it means.
//!
//! Two stages, as in ripgrep. [`Flags`] is what was typed: one struct whose fields are at once the flags of
//! the command line, the keys of the configuration file, their limits and their manual, so that these cannot
//! drift apart. [`Settings`] is what it means: flags laid over the file, defaults filled in, interfaces
//! looked up. The rest of the program sees only [`Settings`], in which every value is one it can work with.
//!
//! Flag and key go through the same `FromStr` of one small type per kind of value ([`spelled`]), rather than
//! through clap's parsers on one side and serde's on the other: so both accept the same texts and give the
//! same advice. Flags stay as they were typed for the life of the process; at SIGHUP [`Settings::read`] lays
//! them over the file again.

mod choice;
mod command_line;
mod cpus;
mod duid;
mod error;
mod file;
mod flags;
mod interface;
mod listen;
mod network;
mod number;
mod spelled;

#[cfg(test)]
mod tests;

use std::net::{Ipv6Addr, SocketAddrV6};
use std::path::PathBuf;

use ipnet::Ipv6Net;
use lqd_wire::SERVER_PORT;

pub(crate) use self::choice::{Deny, Io, LogFormat, Relayed, SandboxMode, Switch};
pub(crate) use self::command_line::{Command, CommandLine};
pub(crate) use self::error::SettingsError;
pub(crate) use self::flags::Flags;
pub(crate) use self::interface::Interface;

/// Most workers, whatever the machine has; the limit of `--workers`.
const WORKERS_MAX: usize = 256;

/// Everything that the operator decides, checked.
///
/// The manual of each is at the flag of the same name in [`Flags`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Kea's configuration file.
    pub(crate) kea_config: PathBuf,
    /// Kea's lease file, if not the one that its configuration names.
    pub(crate) kea_leases: Option<PathBuf>,
    /// DUID in OPTION_SERVERID, 1..=130 octets, if not Kea's.
    pub(crate) server_duid: Option<Vec<u8>>,
    /// Where to listen: one at least, each once, unicast or `::`, scope ids filled in.
    pub(crate) listen: Vec<SocketAddrV6>,
    /// Interfaces on which to join the groups of DHCPv6 servers, each once.
    pub(crate) multicast: Vec<Interface>,
    /// Whose queries are answered; `None` leaves it to Kea's `requesters`, `Some` of nothing lets no one in.
    pub(crate) allow: Option<Vec<Ipv6Net>>,
    /// What others get.
    pub(crate) deny: Deny,
    /// What queries inside RELAY-FORW get.
    pub(crate) relayed: Relayed,
    /// RELAY-FORW levels accepted around a query, 0..=32.
    pub(crate) max_relay_hops: u8,
    /// Codes of options that are never returned, ascending, each once.
    pub(crate) sensitive_options: Vec<u16>,
    /// Worker threads, 1..=256.
    pub(crate) workers: usize,
    /// CPUs to pin workers to, one at least, each once, in the order given; `None`: start-up chooses.
    pub(crate) cpus: Option<Vec<usize>>,
    /// How workers talk to the kernel.
    pub(crate) io: Io,
    /// Whether datagrams are coalesced where the kernel can.
    pub(crate) gro: Switch,
    /// Receive buffers of each worker, a power of two in 64..=32,768.
    pub(crate) buffers: u32,
    /// Receive buffer of each socket, octets.
    pub(crate) receive_buffer: usize,
    /// Whether rights are given up that are not needed.
    pub(crate) sandbox: SandboxMode,
    /// Form of log lines.
    pub(crate) log_format: LogFormat,
    /// What is logged, in the language of `tracing_subscriber::EnvFilter`; not checked here.
    pub(crate) log: String,
    /// Whether to print a command that asks for a lease, once ready.
    pub(crate) example_query: bool,
}

impl Settings {
    /// Lays `flags` over the file that `--config` names, if any, and says what they mean together.
    ///
    /// Reads that file, and asks the kernel for the numbers of interfaces and for how many CPUs there are.
    pub(crate) fn read(flags: &Flags) -> Result<Self, SettingsError> {
        let file = flags.config.as_deref().map_or_else(|| Ok(Flags::default()), file::read)?;
        Self::checked(flags.clone().over(file))
    }

    /// Gives each setting its meaning; here, and only here, are the defaults.
    fn checked(typed: Flags) -> Result<Self, SettingsError> {
        let cpus = typed.cpus.map(|list| list.0);
        let workers = typed.workers.map(|number| number.0);
        let mut sensitive: Vec<u16> =
            typed.sensitive_option.into_iter().flatten().map(|code| code.0).collect();
        sensitive.sort_unstable();
        sensitive.dedup();
        Ok(Self {
            kea_config: typed.kea_config.ok_or(SettingsError::NoKeaConfig)?,
            kea_leases: typed.kea_leases,
            server_duid: typed.server_duid.map(|duid| duid.0),
            listen: listen::resolve(typed.listen)?,
            multicast: interface::resolve(typed.multicast.unwrap_or_default())?,
            allow: typed.allow.map(|networks| networks.into_iter().map(|network| network.0).collect()),
            deny: typed.deny.unwrap_or(Deny::NotAllowed),
            relayed: typed.relayed.unwrap_or(Relayed::Answer),
            max_relay_hops: typed.max_relay_hops.map_or(8, |hops| hops.0),
            sensitive_options: sensitive,
            workers: workers.unwrap_or_else(|| one_per_cpu(cpus.as_deref())),
            cpus,
            io: typed.io.unwrap_or(Io::Auto),
            gro: typed.gro.unwrap_or(Switch::On),
            buffers: typed.buffers.map_or(256, |count| count.0),
            receive_buffer: typed.receive_buffer.map_or(8 << 20, |octets| octets.0),
            sandbox: typed.sandbox.unwrap_or(SandboxMode::Auto),
            log_format: typed.log_format.unwrap_or(LogFormat::Text),
            log: typed.log.unwrap_or_else(|| "info".to_owned()),
            example_query: typed.example_query,
        })
    }

    /// Names of the settings that differ in `new` and that a running server cannot take up without a restart.
    pub(crate) fn restart_needed(&self, new: &Self) -> Vec<&'static str> {
        let differs = [
            ("listen", self.listen != new.listen),
            ("multicast", self.multicast != new.multicast),
            ("workers", self.workers != new.workers),
            ("cpus", self.cpus != new.cpus),
            ("io", self.io != new.io),
            ("gro", self.gro != new.gro),
            ("buffers", self.buffers != new.buffers),
            ("receive-buffer", self.receive_buffer != new.receive_buffer),
            ("sandbox", self.sandbox != new.sandbox),
            ("log", self.log != new.log),
            ("log-format", self.log_format != new.log_format),
        ];
        differs.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }
}

/// Default number of workers: one for each CPU of the list, or of those that the process may use.
fn one_per_cpu(cpus: Option<&[usize]>) -> usize {
    // The machine's number is unknown only where /proc and the affinity call are both barred.
    let count =
        cpus.map_or_else(|| std::thread::available_parallelism().map_or(1, Into::into), <[usize]>::len);
    count.min(WORKERS_MAX)
}

/// Where to listen unless told otherwise: every address of the host, on DHCPv6's own port.
fn everywhere() -> SocketAddrV6 {
    SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, SERVER_PORT, 0, 0)
}

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

mod access;
mod admin;
mod choice;
mod command_line;
mod config_help;
mod cpus;
mod duid;
mod error;
mod file;
mod flags;
mod interface;
mod link_address;
mod listen;
mod network;
mod number;
mod query_log;
mod sensitive;
mod source;
mod spelled;

#[cfg(test)]
mod tests;

use std::net::{Ipv6Addr, SocketAddrV6};
use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::Ipv6Net;
use lqd_answer::QueryTypes;
use lqd_wire::{DATAGRAM_LEN_MAX, SERVER_PORT};

pub(crate) use self::access::{AccessRow, Rate, Rights};
pub(crate) use self::admin::AdminAddress;
pub(crate) use self::choice::{CpuSteering, Deny, Io, LogFormat, Relayed, SandboxMode, Switch, WhenStale};
pub(crate) use self::command_line::{Command, CommandLine};
pub(crate) use self::error::SettingsError;
pub(crate) use self::flags::Flags;
pub(crate) use self::interface::Interface;
pub(crate) use self::link_address::LinkAddress;
pub(crate) use self::query_log::{LogTarget, QueryLog};
pub(crate) use self::source::SourceSettings;

/// Most workers, whatever the machine has; the limit of `--workers`.
const WORKERS_MAX: usize = 256;

/// Everything that the operator decides, checked.
///
/// The manual of each is at the flag of the same name in [`Flags`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Kea servers whose leases are served, one at least.
    pub(crate) sources: Vec<SourceSettings>,
    /// DUID in OPTION_SERVERID, 1..=130 octets, if not Kea's.
    pub(crate) server_duid: Option<Vec<u8>>,
    /// Where to listen: one at least, each once, unicast or `::`, scope ids filled in.
    pub(crate) listen: Vec<SocketAddrV6>,
    /// Interfaces on which to join the groups of DHCPv6 servers, each once.
    pub(crate) multicast: Vec<Interface>,
    /// Whose queries are answered; `None` leaves it to Kea's `requesters`, `Some` of nothing lets no one in.
    pub(crate) allow: Option<Vec<Ipv6Net>>,
    /// What requestors may do that no row is about.
    pub(crate) rights: Rights,
    /// Rows about requestors of one prefix, each prefix once.
    pub(crate) access: Vec<AccessRow>,
    /// RELAY-FORW levels accepted around a query, 0..=33.
    pub(crate) max_relay_hops: u8,
    /// How old leases may be before they are stale, 1..=86,400 s.
    pub(crate) max_feed_age: Duration,
    /// What queries without a known binding get then.
    pub(crate) when_stale: WhenStale,
    /// Where the admin port listens, each once; nowhere: there is none.
    pub(crate) admin: Vec<AdminAddress>,
    /// Which queries are logged; `None`: none.
    pub(crate) query_log: Option<QueryLog>,
    /// How many discarded datagrams each worker keeps, 0..=4,096.
    pub(crate) keep_discards: usize,
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
    /// Send buffer of each socket, octets.
    pub(crate) send_buffer: usize,
    /// Which worker gets a datagram.
    pub(crate) steering: CpuSteering,
    /// How long a worker polls before it sleeps, microseconds, 0..=1000.
    pub(crate) busy_poll: u32,
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
    fn checked(mut typed: Flags) -> Result<Self, SettingsError> {
        let sources = source::sources(&mut typed)?;
        let query_log = query_log(&typed)?;
        let cpus = typed.cpus.map(|list| list.0);
        let workers = typed.workers.map(|number| number.0);
        if let (None, Some(burst)) = (typed.rate, typed.burst) {
            return Err(SettingsError::Value {
                setting: "burst",
                value: burst.0.to_string(),
                fault: "goes with a rate; give --rate too, or leave --burst out".to_owned(),
            });
        }
        let rights = Rights {
            deny: typed.deny.unwrap_or(Deny::NotAllowed),
            query_types: QueryTypes::ALL,
            relayed: typed.relayed.unwrap_or(Relayed::Answer),
            sensitive_options: sensitive::ascending(typed.sensitive_option.unwrap_or_default()),
            max_reply: typed.max_reply.map_or(DATAGRAM_LEN_MAX, |octets| octets.0),
            rate: Rate::of(typed.rate, typed.burst),
            restricted_requestor: typed.restricted_requestor,
        };
        Ok(Self {
            sources,
            server_duid: typed.server_duid.map(|duid| duid.0),
            listen: listen::resolve(typed.listen)?,
            multicast: interface::resolve(typed.multicast.unwrap_or_default())?,
            allow: typed.allow.map(|networks| networks.into_iter().map(|network| network.0).collect()),
            access: typed.access.unwrap_or_default().into_iter().map(|row| row.over(&rights)).collect(),
            rights,
            max_relay_hops: typed.max_relay_hops.map_or(9, |hops| hops.0),
            max_feed_age: Duration::from_secs(typed.max_feed_age.map_or(60, |seconds| seconds.0).into()),
            when_stale: typed.when_stale.unwrap_or(WhenStale::Silent),
            admin: admin::resolve(typed.admin.unwrap_or_default())?,
            query_log,
            keep_discards: typed.keep_discards.map_or(0, |count| count.0),
            workers: workers.unwrap_or_else(|| one_per_cpu(cpus.as_deref())),
            cpus,
            io: typed.io.unwrap_or(Io::Auto),
            gro: typed.gro.unwrap_or(Switch::On),
            buffers: typed.buffers.map_or(256, |count| count.0),
            receive_buffer: typed.receive_buffer.map_or(8 << 20, |octets| octets.0),
            send_buffer: typed.send_buffer.map_or(4 << 20, |octets| octets.0),
            steering: typed.steering.unwrap_or(CpuSteering::Hash),
            busy_poll: typed.busy_poll.map_or(0, |microseconds| microseconds.0),
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
            ("admin", self.admin != new.admin),
            ("workers", self.workers != new.workers),
            ("cpus", self.cpus != new.cpus),
            ("io", self.io != new.io),
            ("gro", self.gro != new.gro),
            ("buffers", self.buffers != new.buffers),
            ("receive-buffer", self.receive_buffer != new.receive_buffer),
            ("send-buffer", self.send_buffer != new.send_buffer),
            ("steering", self.steering != new.steering),
            ("busy-poll", self.busy_poll != new.busy_poll),
            ("sandbox", self.sandbox != new.sandbox),
            ("log", self.log != new.log),
            ("log-format", self.log_format != new.log_format),
        ];
        differs.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }
}

/// The three settings of the query log together.
fn query_log(typed: &Flags) -> Result<Option<QueryLog>, SettingsError> {
    let alone = |setting, value: String| SettingsError::Value {
        setting,
        value,
        fault: "there is no query log; give --query-log too, or leave this out".to_owned(),
    };
    let requestor = typed.query_log_requestor.as_ref().map(|network| network.0);
    let sample = typed.query_log_sample.map(|sample| sample.0);
    let Some(to) = typed.query_log.clone() else {
        return match (sample, requestor) {
            (Some(sample), _) => Err(alone("query-log-sample", sample.to_string())),
            (_, Some(requestor)) => Err(alone("query-log-requestor", requestor.to_string())),
            (None, None) => Ok(None),
        };
    };
    let sample = sample.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    Ok(Some(QueryLog { to, sample, requestor: requestor.unwrap_or_default() }))
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

//! Flags of `lqload active`.
#![allow(rustdoc::broken_intra_doc_links, reason = "these are help texts: [::1] is an address")]

use std::net::SocketAddrV6;
use std::path::PathBuf;
use std::time::Duration;

use super::pool::{CHANGES_MAX, POOL_MAX};
use super::rows::ROW_LEN_MAX;
use crate::error::Error;
use crate::value::{DuidArgument, duration, target};

/// Default DUID of the requestor, as in `lqload run`.
const REQUESTOR_DUID: &str = "00:02:00:00:7e:d9:6c:71:6c:6f:61:64";
/// Longest churn: times of rows are kept in 4 µs units of 32 bits.
const DURATION_MAX: Duration = Duration::from_secs(4 * 3600);

/// Appends changes to a lease file while readers follow them by active leasequery (RFC 7653), and compares
/// the table of every reader with the file.
///
/// Writes to the file: give a copy of Kea's, or one of make-leases, that no Kea uses and a running server
/// follows. The churned leases are those of new clients on the subnets of the file: new leases, renewals,
/// moves to another client, releases and other removals, in rows as Kea writes them. Each row has a number of
/// its own in its lifetimes, so that a change that is lost, wrong or old is found. Plain TCP only: the server
/// must offer active leasequery without TLS (lqd: --active insecure).
///
/// Exit status: 0 if the tables of all readers are that of the file, 1 if one differs or a message was wrong
/// or late, 2 if the arguments or files are invalid or the server refuses the query.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Address and TCP port of the server, such as [2001:db8::1]:547
    #[arg(long, value_name = "[ADDR]:PORT", value_parser = target)]
    pub(crate) target: SocketAddrV6,
    /// Lease file (kea-leases6.csv) that the server follows, to which rows are appended
    #[arg(long, value_name = "FILE")]
    pub(crate) leases: PathBuf,
    /// Rows to append each second
    #[arg(long, value_name = "RATE", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) changes_per_second: u32,
    /// Time of the changes, at most 4h
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Number of addresses and prefixes that change; few of them make a server conflate more
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(2..=i64::from(POOL_MAX)))]
    pub(crate) pool: u32,
    /// Number of readers at full speed
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(..=1024))]
    pub(crate) readers: u32,
    /// Further readers at --slow-rate until the changes end. The server may end their queries
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1024))]
    pub(crate) slow: u32,
    /// Octets that a slow reader reads each second
    #[arg(long, value_name = "OCTETS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..))]
    pub(crate) slow_rate: u32,
    /// Further readers that read nothing until the changes end. The server may end their queries
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1024))]
    pub(crate) stalled: u32,
    /// Further connections that read a little, close, and connect again; they keep no table
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1024))]
    pub(crate) aborting: u32,
    /// Time after the last change within which every reader must have all of them
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) settle: Duration,
    /// Time from a row to its message at readers of full speed, beyond which the message counts as late
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) max_latency: Option<Duration>,
    /// Requests LQ_BASE_TIME, and checks that every message has it and that it never goes back
    #[arg(long)]
    pub(crate) base_time: bool,
    /// Most MiB that the lease file may grow by
    #[arg(long, value_name = "MIB", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) growth_max: u32,
    /// Time without a connection or reply after which the server counts as silent
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// DUID of the requestor, in hexadecimal with colons
    #[arg(long, value_name = "DUID", default_value = REQUESTOR_DUID)]
    pub(crate) requestor_duid: DuidArgument,
    /// Seed of the changes
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Process id of the server, on this host: reports its CPU time per change and its memory
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<u32>,
    /// File for the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// File for the report as a page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

impl Options {
    /// Number of changes to write.
    pub(super) fn changes(&self) -> u64 {
        (f64::from(self.changes_per_second) * self.duration.as_secs_f64()).round() as u64
    }

    /// Checks limits that depend on several flags.
    pub(super) fn check(&self) -> Result<(), Error> {
        let changes = self.changes();
        if self.duration > DURATION_MAX || changes > u64::from(CHANGES_MAX) {
            return Err(Error::ChurnTooLong(CHANGES_MAX));
        }
        let mib = (changes * ROW_LEN_MAX as u64).div_ceil(1 << 20);
        if mib > u64::from(self.growth_max) {
            return Err(Error::Growth { mib });
        }
        if self.readers + self.slow + self.stalled == 0 {
            return Err(Error::NoReaders);
        }
        Ok(())
    }
}

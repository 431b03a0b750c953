//! Flags of `lqload run`.
#![allow(rustdoc::broken_intra_doc_links, reason = "these are help texts: [::1] is an address")]

use std::net::{SocketAddr, SocketAddrV6};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedI64ValueParser;

use super::find_max::Bounds;
use super::flight::Flight;
use super::rate::Rate;
use crate::fault::Fault;
use crate::hex;
use crate::query::{Encoder, Mix, Order, Query};
use crate::share;

/// The requestor's DUID unless another is given: of type EN, with the enterprise number for documentation
/// (RFC 5612).
const REQUESTOR_DUID: &str = "00:02:00:00:7e:d9:6c:71:6c:6f:61:64";

const WINDOW_MAX: u32 = Flight::<Query>::CAPACITY_MAX;

/// Ask a leasequery server for the leases of a file, and judge every answer.
///
/// Open loop with `--rate`: queries go out by a timetable, and latency counts from when they were due. Closed
/// loop without: `--window` queries are under way at any time. Exit status 0: all answers were right; 1: some
/// were wrong; 2: the arguments or files are of no use, or the target does not answer.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Address and port of the server, as in [2001:db8::1]:547.
    #[arg(long, value_name = "[ADDR]:PORT", value_parser = target)]
    pub(crate) target: SocketAddrV6,
    /// Lease file of Kea (kea-leases6.csv); several are read in order, later rows overriding earlier ones.
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pub(crate) leases: Vec<PathBuf>,
    /// Instead of leases: a file with an address, or a DUID in hex with colons, on each line.
    #[arg(long, value_name = "FILE", conflicts_with = "leases")]
    pub(crate) list: Option<PathBuf>,
    /// What to ask for, as weights: address (a leased one), prefix (a random address inside a delegated
    /// prefix), client-id, miss (a free address), unknown-link (client-id on a link that the server does not
    /// have). Default: the first three in equal parts, as far as the file has them.
    #[arg(long, value_name = "SUBJECT=WEIGHT,…")]
    pub(crate) mix: Option<Mix>,
    /// Whom to ask about: uniform; zipf or zipf=EXPONENT, some far more often than others; reboot, every
    /// lease of one link once and in order, as an access concentrator does that has restarted (`--mix` is of
    /// no matter then).
    #[arg(long, value_name = "ORDER", default_value_t = Order::Uniform)]
    pub(crate) order: Order,
    /// Subnet id of the link that restarts; default: the one with the most leases.
    #[arg(long, value_name = "ID")]
    pub(crate) link: Option<u32>,
    /// Share of queries that come through a relay agent, in RELAY-FORW with its source port (RFC 8357).
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(crate) relayed: f64,
    /// Codes of options to ask for, as in 47,39 (OPTION_ORO).
    #[arg(long, value_name = "CODE,…", value_delimiter = ',')]
    pub(crate) oro: Vec<u16>,
    /// Open loop: queries a second over all threads, as in 5000, 20k or 1.5M; 1k..50k is a ramp over the
    /// duration.
    #[arg(long, value_name = "RATE")]
    pub(crate) rate: Option<Rate>,
    /// Closed loop: queries under way at once, over all threads.
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 256,
        value_parser = counts(WINDOW_MAX),
        conflicts_with = "rate"
    )]
    pub(crate) window: u32,
    /// Find the highest rate at which loss and p99 stay within --max-loss and --max-p99; the search starts at
    /// --rate.
    #[arg(long, conflicts_with_all = ["window", "queries", "duration"])]
    pub(crate) find_max: bool,
    /// Share of queries, 0 to 1, that may be lost for --find-max.
    #[arg(long, value_name = "SHARE", default_value_t = 0.001, value_parser = share)]
    pub(crate) max_loss: f64,
    /// Latency that 99 % of the answers may not exceed for --find-max.
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = duration)]
    pub(crate) max_p99: Duration,
    /// How long --find-max tries each rate.
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    pub(crate) step: Duration,
    /// End after so many queries.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) queries: Option<u64>,
    /// End after this time, as in 30s or 5min; default 10s, or no end with --queries and --order reboot.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// How long to wait for an answer before the query counts as lost, or is sent again.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Send a query again so often before it counts as lost, each time after the timeout.
    #[arg(
        long,
        value_name = "TIMES",
        default_value_t = 0,
        value_parser = clap::value_parser!(u8).range(..=10)
    )]
    pub(crate) retransmit: u8,
    /// A query that was sent so long after it was due counts as sent late; lqload says so if these are more
    /// than one in a thousand.
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = duration)]
    pub(crate) late_after: Duration,
    /// Threads, each with source ports of its own.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = counts(1024))]
    pub(crate) threads: u32,
    /// Source ports over all threads, at least one each; default: as few as the transaction ids allow.
    #[arg(long, value_name = "COUNT", value_parser = counts(16_384))]
    pub(crate) ports: Option<u32>,
    /// Send up to so many queries of one size as one with UDP_SEGMENT, and receive with UDP_GRO, as
    /// requestors do that coalesce; of each 64 queries, those of one form go together.
    #[arg(long, value_name = "COUNT", value_parser = gso)]
    pub(crate) gso: Option<NonZeroU16>,
    /// CPUs to pin the threads to, in turn, as in 1,3.
    #[arg(long, value_name = "LIST")]
    pub(crate) cpus: Option<Cpus>,
    /// Judge what the answers say of the client: its DUID, all its leases, their lifetimes, its last
    /// transaction. The leases have to be those that the server holds. Without it the report says that the
    /// answers were not verified. Default: true for leases of `make-leases`, false for others.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) verify: Option<bool>,
    /// The target is an echo server, the floor: datagrams that come back unchanged are the answers.
    #[arg(long, conflicts_with_all = ["verify", "server_duid"])]
    pub(crate) echo: bool,
    /// The requestor's own DUID, in hex with colons.
    #[arg(long, value_name = "DUID", default_value = REQUESTOR_DUID)]
    pub(crate) requestor_duid: DuidArgument,
    /// The DUID that the server has to name as its own; any if this is not given.
    #[arg(long, value_name = "DUID")]
    pub(crate) server_duid: Option<DuidArgument>,
    /// Process of the server, on this host: report its CPU time per answer.
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<u32>,
    /// Same seed, same queries (of each thread).
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write the report to this file as JSON, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the latencies to this file as HdrHistogram's percentile distribution (.hgrm).
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
    /// Write the report to this file as a page with plots, which needs nothing else.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

impl Options {
    /// Checks what no flag alone can tell.
    pub(super) fn check(&self) -> Result<(), Fault> {
        if self.list.is_some() {
            let needs = [(self.verify == Some(true), "--verify"), (self.is_reboot(), "--order reboot")];
            if let Some(&(_, what)) = needs.iter().find(|&&(given, _)| given) {
                return Err(Fault::NeedsLeases { what });
            }
        }
        let ramp = self.rate.is_some_and(Rate::is_ramp);
        let endless = self.duration.is_none() && (self.queries.is_some() || self.is_reboot());
        if ramp && (endless || self.find_max) {
            return Err(Fault::Ramp);
        }
        if self.oro.len() > Encoder::ASKED_MAX {
            return Err(Fault::Oro);
        }
        Ok(())
    }

    pub(super) fn is_reboot(&self) -> bool {
        self.order == Order::Reboot
    }

    /// What `--find-max` holds a rate to.
    pub(super) fn bounds(&self) -> Option<Bounds> {
        self.find_max.then_some(Bounds { loss_max: self.max_loss, p99_max: self.max_p99 })
    }
}

/// A DUID of 1 to 130 octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DuidArgument(pub(crate) Vec<u8>);

impl std::str::FromStr for DuidArgument {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex::duid(text)
            .map(Self)
            .ok_or("must be 1 to 130 octets in hex with colons, as in 00:03:00:01:02:00:5e:00:53:01")
    }
}

/// Numbers of CPUs, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cpus(pub(crate) Vec<usize>);

impl std::str::FromStr for Cpus {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let cpus: Result<_, _> = text.split(',').map(str::parse).collect();
        cpus.map(Self).map_err(|_| "must be numbers of CPUs with commas, as in 1,3")
    }
}

/// Takes 1 to `max`.
fn counts(max: u32) -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(max))
}

/// Takes 1 to 64, the most that UDP_SEGMENT takes.
fn gso(text: &str) -> Result<NonZeroU16, &'static str> {
    text.parse().ok().filter(|count: &NonZeroU16| count.get() <= 64).ok_or("must be a number from 1 to 64")
}

pub(crate) fn target(text: &str) -> Result<SocketAddrV6, &'static str> {
    match text.parse() {
        Ok(SocketAddr::V6(target)) if target.port() != 0 => Ok(target),
        Ok(SocketAddr::V4(_)) => Err("leasequery for DHCPv6 goes over IPv6; give an address as in [::1]:547"),
        _ => {
            Err("must be an IPv6 address and a port, as in [::1]:547 or [fe80::1%2]:547 (2: interface index)")
        }
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("must be more than 0".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; give a time as in 500ms, 10s or 5min")),
    }
}

/// The options of a command line with these flags, for tests.
#[cfg(test)]
pub(super) use tests::parse;

#[cfg(test)]
mod tests;

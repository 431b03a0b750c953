//! Flags of `lqload run`.
#![allow(rustdoc::broken_intra_doc_links, reason = "these are help texts: [::1] is an address")]

use std::net::SocketAddrV6;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedI64ValueParser;

use super::find_max::Bounds;
use super::in_flight::InFlight;
use super::rate::Rate;
use crate::error::Error;
use crate::query::{Encoder, Mix, Order, Query};
use crate::value::{Cpus, DuidArgument, duration, gso, share, target};

/// Default DUID of the requestor: a DUID-EN with the enterprise number for documentation (RFC 5612).
const REQUESTOR_DUID: &str = "00:02:00:00:7e:d9:6c:71:6c:6f:61:64";

const WINDOW_MAX: u32 = InFlight::<Query>::CAPACITY_MAX;

/// Queries a leasequery server for the leases of a file, and checks every answer.
///
/// With `--rate` (open loop), queries leave by a timetable, and latency counts from the time at which they
/// were due. Without (closed loop), `--window` queries are pending at any time.
///
/// Exit status: 0 if all answers were right, 1 if some were wrong, 2 if the arguments or files are invalid or
/// the target does not answer.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Address and port of the server, such as [2001:db8::1]:547
    #[arg(long, value_name = "[ADDR]:PORT", value_parser = target)]
    pub(crate) target: SocketAddrV6,
    /// Lease file of Kea (kea-leases6.csv). Repeatable: files are read in order, later rows override earlier
    /// ones
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pub(crate) leases: Vec<PathBuf>,
    /// List of addresses and DUIDs, one per line, DUIDs in hexadecimal with colons; instead of --leases
    #[arg(long, value_name = "FILE", conflicts_with = "leases")]
    pub(crate) list: Option<PathBuf>,
    /// Subjects of the queries and their weights, such as address=3,miss=1
    ///
    /// Subjects: address (a leased one), prefix (a random address inside a delegated prefix), client-id, miss
    /// (a free address), unknown-link (client-id on a link that the server does not have). Default: address,
    /// prefix and client-id in equal parts, as far as the file has them.
    #[arg(long, value_name = "SUBJECT=WEIGHT,…")]
    pub(crate) mix: Option<Mix>,
    /// Order of the clients: uniform, zipf, zipf=EXPONENT or reboot
    ///
    /// zipf queries some clients far more often than others. reboot queries each lease of one link once and
    /// in order, like an access concentrator that has restarted; it ignores --mix.
    #[arg(long, value_name = "ORDER", default_value_t = Order::Uniform)]
    pub(crate) order: Order,
    /// Subnet id of the link that restarts; default: the subnet with the most leases
    #[arg(long, value_name = "ID")]
    pub(crate) link: Option<u32>,
    /// Share of queries sent through a relay agent (RELAY-FORW with its source port, RFC 8357), 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub(crate) relayed: f64,
    /// Codes of the options to request (OPTION_ORO), such as 47,39
    #[arg(long, value_name = "CODE,…", value_delimiter = ',')]
    pub(crate) oro: Vec<u16>,
    /// Open loop: queries per second over all threads, such as 5000, 20k or 1.5M; 1k..50k is a ramp over the
    /// duration
    #[arg(long, value_name = "RATE")]
    pub(crate) rate: Option<Rate>,
    /// Closed loop: pending queries over all threads
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 256,
        value_parser = counts(WINDOW_MAX),
        conflicts_with = "rate"
    )]
    pub(crate) window: u32,
    /// Finds the highest rate at which loss and p99 stay within --max-loss and --max-p99; starts at --rate
    #[arg(long, conflicts_with_all = ["window", "queries", "duration"])]
    pub(crate) find_max: bool,
    /// Largest share of lost queries for --find-max, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.001, value_parser = share)]
    pub(crate) max_loss: f64,
    /// Largest latency of 99 % of the answers for --find-max
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = duration)]
    pub(crate) max_p99: Duration,
    /// Time for which --find-max tries each rate
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    pub(crate) step: Duration,
    /// Number of queries to send; default: no limit
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) queries: Option<u64>,
    /// Time to send for, such as 30s or 5min; default: 10s, or no limit with --queries or --order reboot
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Time to wait for an answer before a query is retransmitted or counts as lost
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Number of retransmissions before a query counts as lost, each after the timeout
    #[arg(
        long,
        value_name = "TIMES",
        default_value_t = 0,
        value_parser = clap::value_parser!(u8).range(..=10)
    )]
    pub(crate) retransmit: u8,
    /// Delay after which a query counts as sent late; lqload warns if more than one in a thousand is late
    #[arg(long, value_name = "TIME", default_value = "1ms", value_parser = duration)]
    pub(crate) late_after: Duration,
    /// Number of threads, each with source ports of its own
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = counts(1024))]
    pub(crate) threads: u32,
    /// Number of source ports over all threads, at least one each; default: as few as the transaction-ids
    /// allow
    #[arg(long, value_name = "COUNT", value_parser = counts(16_384))]
    pub(crate) ports: Option<u32>,
    /// Coalesces up to this many queries of one size into one send (UDP_SEGMENT), and receives with UDP_GRO;
    /// of each 64 queries, those of one form go together
    #[arg(long, value_name = "COUNT", value_parser = gso)]
    pub(crate) gso: Option<NonZeroU16>,
    /// CPUs to pin the threads to, in turn, such as 1,3
    #[arg(long, value_name = "LIST")]
    pub(crate) cpus: Option<Cpus>,
    /// Checks the client data of the answers: DUID, every lease, lifetimes, last transaction
    ///
    /// The server must have the leases of the file. Without this check the report says that the answers were
    /// not verified. Default: true for leases of `make-leases`, else false.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) verify: Option<bool>,
    /// Expects an echo server, the baseline: datagrams that come back unchanged are the answers
    #[arg(long, conflicts_with_all = ["verify", "server_duid"])]
    pub(crate) echo: bool,
    /// DUID of the requestor, in hexadecimal with colons
    #[arg(long, value_name = "DUID", default_value = REQUESTOR_DUID)]
    pub(crate) requestor_duid: DuidArgument,
    /// DUID that the server must identify itself with; default: any
    #[arg(long, value_name = "DUID")]
    pub(crate) server_duid: Option<DuidArgument>,
    /// Process id of the server, on this host: reports its CPU time per answer
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<u32>,
    /// Seed of the random numbers; the same seed sends the same queries (per thread)
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// File for the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// File for the latencies as HdrHistogram's percentile distribution (.hgrm)
    #[arg(long, value_name = "FILE")]
    pub(crate) hgrm: Option<PathBuf>,
    /// File for the report as a self-contained page with plots
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

impl Options {
    /// Checks the flags against each other.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.list.is_some() {
            // Both need lifetimes or subnets, which a list does not have.
            let needs = [(self.verify == Some(true), "--verify"), (self.is_reboot(), "--order reboot")];
            if let Some(&(_, flag)) = needs.iter().find(|&&(given, _)| given) {
                return Err(Error::NeedsLeases { flag });
            }
        }
        let ramp = self.rate.is_some_and(Rate::is_ramp);
        // A ramp needs an end to reach its last rate.
        let endless = self.duration.is_none() && (self.queries.is_some() || self.is_reboot());
        if ramp && (endless || self.find_max) {
            return Err(Error::Ramp);
        }
        // The encoder's buffer has room for this many codes.
        if self.oro.len() > Encoder::ASKED_MAX {
            return Err(Error::Oro);
        }
        Ok(())
    }

    pub(super) fn is_reboot(&self) -> bool {
        self.order == Order::Reboot
    }

    /// Returns the bounds of `--find-max`.
    pub(super) fn bounds(&self) -> Option<Bounds> {
        self.find_max.then_some(Bounds { loss_max: self.max_loss, p99_max: self.max_p99 })
    }
}

/// Accepts 1 to `max`.
fn counts(max: u32) -> RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(max))
}

/// Parses a command line with these flags, for tests.
#[cfg(test)]
pub(super) use tests::parse;

#[cfg(test)]
mod tests;

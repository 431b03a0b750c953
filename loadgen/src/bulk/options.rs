//! Flags of `lqload bulk`.
#![allow(rustdoc::broken_intra_doc_links, reason = "these are help texts: [::1] is an address")]

use std::net::SocketAddrV6;
use std::path::PathBuf;
use std::time::Duration;

use crate::value::{DuidArgument, HexArgument, duration, target};

/// Default DUID of the requestor, as in `lqload run`.
const REQUESTOR_DUID: &str = "00:02:00:00:7e:d9:6c:71:6c:6f:61:64";

/// Sends bulk queries (RFC 5460) for the leases of a file over TCP, and checks every binding.
///
/// Without --relay-id and --remote-id, each subnet of the file is queried by link-address: every valid lease
/// of the subnet must come exactly once. The server must have the leases of the file.
///
/// Exit status: 0 if all replies were right, 1 if some were wrong or did not end, 2 if the arguments or files
/// are invalid or the target does not accept the connection.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Address and TCP port of the server, such as [2001:db8::1]:547
    #[arg(long, value_name = "[ADDR]:PORT", value_parser = target)]
    pub(crate) target: SocketAddrV6,
    /// Lease file of Kea (kea-leases6.csv). Repeatable: files are read in order, later rows override earlier
    /// ones
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) leases: Vec<PathBuf>,
    /// Queries by Relay-ID (a DUID) instead of by link; repeatable. That no lease is missing is not checked
    #[arg(long, value_name = "DUID")]
    pub(crate) relay_id: Vec<DuidArgument>,
    /// Queries by Remote-ID (enterprise number and identifier in hexadecimal with colons) instead of by link;
    /// repeatable. That no lease is missing is not checked
    #[arg(long, value_name = "HEX")]
    pub(crate) remote_id: Vec<HexArgument>,
    /// Subnet ids to query; default: all
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub(crate) subnet: Vec<u32>,
    /// Number of times that each query is sent
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Number of connections, each with one query at a time
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) connections: u32,
    /// Codes of the options to request (OPTION_ORO), such as 47,39
    #[arg(long, value_name = "CODE,…", value_delimiter = ',')]
    pub(crate) oro: Vec<u16>,
    /// Further connections that query the same and never read
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1024))]
    pub(crate) stalled: u32,
    /// Further connections that query the same and read 10,000 octets a second
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1024))]
    pub(crate) slow: u32,
    /// Further connections that query the same, read a little, close, and connect again
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1024))]
    pub(crate) aborting: u32,
    /// Time without a received octet after which a query counts as failed
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// DUID of the requestor, in hexadecimal with colons
    #[arg(long, value_name = "DUID", default_value = REQUESTOR_DUID)]
    pub(crate) requestor_duid: DuidArgument,
    /// Process id of the server, on this host: reports its CPU time per binding and its memory
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<u32>,
    /// File for the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

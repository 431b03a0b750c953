//! The flags. Their help is also the manual page.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lqd_requestor::{Duid, LqTime, OptionCode, RemoteId};

use crate::request;
use crate::server::ServerName;
use crate::time;

/// Text after the flags: exit status and examples.
pub(crate) const AFTER_HELP: &str = "\
Exit status:
  0  found: bindings are shown
  1  no binding: every responsible server that was queried said so
  2  usage: a flag or the query is invalid; nothing was sent
  3  refused: a server refused (its status is shown), or its answer or its certificate is unusable
  4  no reply
  5  incomplete: bindings are shown, but a link of the client could not be queried, or a bulk answer broke off
  With --file: 4 if any query ended so, else 3, 2, 5, 1, 0.

Examples:
  lq -s '[::1]:5547' addr 2001:db8:f100:ff00::7
      Try it: query the sample data of lqd, served in another shell with
      cargo run -- serve --config tests/data/sample/lqd.toml
  lq -s 2001:db8::1 addr 2001:db8:100::7
      Which client holds this address, or the delegated prefix around it?
  lq -s 2001:db8::1 duid 00:03:00:01:02:00:5e:10:00:01 --request relay-data,fqdn
      Which leases does this client hold, and which relay agents is it behind?
  lq -s 2001:db8::1 -s 2001:db8::2 addr 2001:db8:100::7
      Query two servers at once; where they differ, the one that heard from the client last is right.
  lq -i eth0 addr 2001:db8:100::7
      Query every server of the site by multicast.
  lq -s 2001:db8::1 -f addresses.txt > answers.jsonl
      Query each address or DUID in a file; each answer is a line of JSON.
  lq -s 2001:db8::1 bulk --relay-id 00:03:00:01:02:00:5e:10:00:01 --json > bindings.jsonl
      Fetch all bindings of a relay agent over TCP; each client is a line of JSON.
  lq -s 2001:db8::1 bulk --link 2001:db8:100::1
      Fetch all bindings on a link.
  lq -s dhcp1.example.net bulk --link 2001:db8:100::1 --tls --cert bng1.pem --key bng1.key --ca dhcp-ca.pem
      The same, encrypted; the certificate of the server must be of that CA and for that name.
  lq -s 2001:db8::1 follow --link 2001:db8:100::1 > changes.jsonl
      Fetch all bindings on a link, and then every change.";

/// Asks DHCPv6 servers which client holds an address, what a client holds, or for all bindings of a relay
/// agent or link, once or as they change (Leasequery, RFC 5007, RFC 5460 and RFC 7653)
#[derive(Debug, Parser)]
#[command(name = "lq", version, after_long_help = AFTER_HELP)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Finds the client of an address, or of the delegated prefix around it
    Addr {
        /// IPv6 address
        address: Ipv6Addr,
    },
    /// Finds the leases of the client with this DUID
    Duid {
        /// Octets in hexadecimal: 00:03:00:01:…, 00-03-00-01-…, 00030001…, 0x00030001…
        duid: Duid,
    },
    /// Fetches all bindings of a relay agent, a remote-id, a link or a client over TCP (bulk, RFC 5460)
    ///
    /// Give one of --relay-id, --remote-id, --addr and --duid, or --link alone for all bindings on a link;
    /// with one of the others, --link restricts the query to that link. Clients are printed as they arrive:
    /// for each message of the server a page or, with --json, a line. A client with bindings on several
    /// links, or with many, comes several times. Several servers are queried at once, and their answers are
    /// not merged. A summary on standard error says for each server whether its answer is complete.
    Bulk(Box<Bulk>),
    /// Follows the bindings of a relay agent, a remote-id or a link (active leasequery, RFC 7653)
    ///
    /// Fetches all bindings, then prints each change as it happens, until interrupted: one line of JSON
    /// each. Give --relay-id or --remote-id, or --link alone; with one of the others, --link restricts it to
    /// that link. After the loss of the connection, changes since then are requested; if the server has no
    /// longer all of them, everything is fetched again, and bindings that are gone are removed.
    ///
    /// `event` is put (a binding, with the fields of bulk --json), remove or state. `state` is connected,
    /// catching-up, filling, live or lost: the printed bindings are complete in live alone. `digest` is the
    /// sum modulo 2^128, over all bindings, of the first 16 octets of SHA-256 over the length of the
    /// client's DUID (one octet), the DUID, the prefix length (one octet, 128 for an address) and the
    /// address. The data is as sensitive as the server's own: delete it once it has served its use.
    Follow(Box<Follow>),
    /// Prints the completion script for a shell
    Completions {
        /// Name of the shell
        shell: clap_complete::Shell,
    },
    /// Prints the manual page (read it with: lq man | man -l -)
    Man,
}

/// Flags of `bulk`.
#[derive(Debug, Args)]
#[group(id = "target", multiple = false)]
pub(crate) struct BulkTarget {
    /// Bindings that came through the relay agent with this DUID
    #[arg(long, value_name = "DUID")]
    pub(crate) relay_id: Option<Duid>,
    /// Bindings that came with this remote-id: ENTERPRISE:HEX, or all octets in hexadecimal
    #[arg(long, value_name = "REMOTE-ID")]
    pub(crate) remote_id: Option<RemoteId>,
    /// Bindings of the client that holds this address, or the delegated prefix around it
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) addr: Option<Ipv6Addr>,
    /// Bindings of the client with this DUID
    #[arg(long, value_name = "DUID")]
    pub(crate) duid: Option<Duid>,
}

/// Flags of `bulk`.
#[derive(Debug, Args)]
pub(crate) struct Bulk {
    #[command(flatten)]
    pub(crate) target: BulkTarget,
    /// Only bindings that changed at this time or later: 2026-11-27T16:00:00Z, or an age such as 15m
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub(crate) start_time: Option<LqTime>,
    /// Only bindings that changed at this time or earlier
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pub(crate) end_time: Option<LqTime>,
    /// Requests the server's time of each message, a start time for the next query
    #[arg(long)]
    pub(crate) base_time: bool,
    /// Closes the sending direction after the query; some servers do not answer then
    #[arg(long)]
    pub(crate) half_close: bool,
    #[command(flatten)]
    pub(crate) tls: Tls,
}

/// Bindings to follow.
#[derive(Debug, Args)]
#[group(id = "follow-target", multiple = false)]
pub(crate) struct FollowTarget {
    /// Bindings that come through the relay agent with this DUID
    #[arg(long, value_name = "DUID")]
    pub(crate) relay_id: Option<Duid>,
    /// Bindings that come with this remote-id: ENTERPRISE:HEX, or all octets in hexadecimal
    #[arg(long, value_name = "REMOTE-ID")]
    pub(crate) remote_id: Option<RemoteId>,
}

/// Flags of `follow`.
#[derive(Debug, Args)]
pub(crate) struct Follow {
    #[command(flatten)]
    pub(crate) target: FollowTarget,
    /// Most bindings to keep, about 200 bytes of memory each; beyond, lq ends with status 5
    #[arg(long, value_name = "COUNT", default_value_t = 10_000_000)]
    pub(crate) max_bindings: usize,
    /// Longest time without a message of the server (ACTIVE_LQ_RCV_TIMEOUT)
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = duration)]
    pub(crate) receive_timeout: Duration,
    /// Time between the end of a connection and the next one; below 60s only for tests and labs (RFC 7653)
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(crate) retry_interval: Duration,
    #[command(flatten)]
    pub(crate) tls: Tls,
}

/// Flags of TLS.
#[derive(Debug, Args)]
pub(crate) struct Tls {
    /// Encrypts connections by STARTTLS (RFC 7653); without it nothing is queried of a server that refuses
    #[arg(long, requires_all = ["cert", "key", "ca"])]
    pub(crate) tls: bool,
    /// Certificate of this requestor in PEM, with those between it and its CA
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(crate) cert: Option<PathBuf>,
    /// Private key of --cert in PEM, unencrypted
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(crate) key: Option<PathBuf>,
    /// Certificates in PEM of the CAs that certify servers
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub(crate) ca: Option<PathBuf>,
    /// Name or address in the certificate of the server [default: the name or address of -s]
    #[arg(long, value_name = "NAME", requires = "tls")]
    pub(crate) tls_name: Option<String>,
}

/// A group of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Servers of the site, ff05::1:3
    Site,
    /// Servers and relay agents of the link, ff02::1:2
    Link,
}

/// Values of `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// Only on a terminal, and not if NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) servers: Servers,
    #[command(flatten)]
    pub(crate) query: Query,
    #[command(flatten)]
    pub(crate) sending: Sending,
    #[command(flatten)]
    pub(crate) relay: Relay,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Reads queries from this file, one per line; - is standard input
    ///
    /// A line is an address or a DUID, after the word `addr` or `duid` or alone, and may end with
    /// `link=ADDRESS`. Empty lines and lines that begin with # are skipped. Each answer is one line of JSON
    /// (see --json) with the line number of its query, in the order of the file. A summary goes to standard
    /// error at the end.
    #[arg(short, long, value_name = "FILE", global = true, help_heading = "Batch")]
    pub(crate) file: Option<PathBuf>,
    /// Most queries pending at once
    #[arg(long, value_name = "COUNT", global = true, help_heading = "Batch", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) concurrency: u16,
}

/// Flags that choose the servers.
#[derive(Debug, Args)]
#[allow(
    rustdoc::broken_intra_doc_links,
    reason = "`--help` shows these texts: their brackets are those of addresses"
)]
#[command(next_help_heading = "Servers")]
pub(crate) struct Servers {
    /// Server to query: ADDRESS, [ADDRESS]:PORT, NAME or NAME:PORT; port 547 by default. Repeatable
    ///
    /// Several servers are queried at once and their answers merged. Without this flag the group of
    /// --interface is queried, and without --interface the server on this host, [::1]:547.
    #[arg(
        short,
        long = "server",
        value_name = "SERVER",
        global = true,
        env = "LQ_SERVER",
        value_delimiter = ','
    )]
    pub(crate) servers: Vec<ServerName>,
    /// Queries the servers one after the other, until one gives a conclusive answer
    #[arg(long, global = true)]
    pub(crate) in_turn: bool,
    /// Interface on which a group of servers is queried
    #[arg(short, long, value_name = "NAME", global = true)]
    pub(crate) interface: Option<String>,
    /// Group that is queried on --interface
    #[arg(long, value_name = "GROUP", global = true, default_value = "site")]
    pub(crate) group: Group,
    /// Queries the group as well if no named server gives a conclusive answer
    #[arg(long, global = true)]
    pub(crate) or_group: bool,
    /// DUID of the only server that may answer (OPTION_SERVERID)
    #[arg(long, value_name = "DUID", global = true)]
    pub(crate) server_id: Option<Duid>,
}

/// Flags that refine the query.
#[derive(Debug, Args)]
#[command(next_help_heading = "Query")]
pub(crate) struct Query {
    /// Address of the link to look on; default: every link of the server
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub(crate) link: Option<Ipv6Addr>,
    /// Options of the client to request: names or numbers, separated by commas. Repeatable
    ///
    /// Names: relay-data, fqdn, lladdr, dns-servers, domain-search, vendor-opts, and leasequery's own options
    /// by their names in the IANA registry. Request any other option by its number.
    #[arg(short, long, value_name = "OPTION", global = true, value_delimiter = ',', value_parser = request::option)]
    pub(crate) request: Vec<OptionCode>,
}

/// Flags of transmission.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sending")]
pub(crate) struct Sending {
    /// Time to wait for an answer before the first retransmission [default: 1s]; doubles each time, up to 10s
    ///
    /// With bulk: longest time without a message of the server [default: 300s].
    #[arg(long, value_name = "TIME", global = true, value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Number of retransmissions; with --timeout 1s, 4 take the 25 s of RFC 5007 (MRC 5)
    #[arg(long, value_name = "COUNT", global = true, default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) retries: u32,
    /// Time that other servers have left to answer once one has found bindings
    #[arg(long, value_name = "TIME", global = true, default_value = "1s", value_parser = duration)]
    pub(crate) gather: Duration,
    /// Local address; servers decide by it whether the requestor is allowed
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub(crate) source: Option<Ipv6Addr>,
    /// Local port; 0 for any. Port 547 is reserved for servers and relay agents
    #[arg(long, value_name = "PORT", global = true, default_value_t = 0)]
    pub(crate) source_port: u16,
    /// Accepts answers from addresses that were not queried
    #[arg(long, global = true)]
    pub(crate) any_source: bool,
    /// DUID of this requestor; overrides --duid-file
    #[arg(long, value_name = "DUID", global = true)]
    pub(crate) own_duid: Option<Duid>,
    /// File with the DUID of this requestor, generated on first use [default: ~/.local/state/lq/duid]
    #[arg(long, value_name = "FILE", global = true, env = "LQ_DUID_FILE")]
    pub(crate) duid_file: Option<PathBuf>,
}

/// Flags of the simulated relay agent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Simulated relay agent")]
pub(crate) struct Relay {
    /// Link-address of the relay agent; sends the query in RELAY-FORW
    ///
    /// A server answers a relay agent on port 547, where a requestor must not listen. So the query carries
    /// the Relay Source Port option (135, RFC 8357): a server that supports it answers to the source port of
    /// the query. The answer of any other server is lost.
    #[arg(long = "relay", value_name = "LINK-ADDRESS", global = true)]
    pub(crate) link_address: Option<Ipv6Addr>,
    /// Peer-address: where the relay agent appears to have the query from
    #[arg(long = "relay-peer", value_name = "ADDRESS", global = true, default_value = "::")]
    pub(crate) peer_address: Ipv6Addr,
    /// Interface-id: text, or octets as 0x…
    #[arg(long = "relay-interface-id", value_name = "ID", global = true, value_parser = interface_id)]
    pub(crate) interface_id: Option<InterfaceId>,
}

/// The octets of an interface-id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceId(pub(crate) Vec<u8>);

/// Flags of the output.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Prints one line of JSON instead of a page
    ///
    /// Its `schema` is 1 and is raised when a field changes its meaning or is removed; fields may be added.
    /// `result` is found, incomplete, no-binding, refused, no-reply or not-asked. Times are in UTC; a
    /// lifetime of null is infinite. With bulk, each message with bindings is a line, without `result`.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Shows the octets of queries and answers
    #[arg(long, global = true)]
    pub(crate) hex: bool,
    /// Logs every datagram sent or received to standard error, with times
    #[arg(long, global = true)]
    pub(crate) trace: bool,
    /// Colors of the page
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub(crate) color: Color,
}

/// An error in the value of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    /// Text other than a time.
    #[error("must be a time, such as 1s or 500ms")]
    Time,
    /// A time beyond an hour.
    #[error("must be at most one hour")]
    TooLong,
    /// Text other than octets after `0x`.
    #[error("must be two hexadecimal digits for each octet after 0x")]
    Octets,
}

/// Parses a time such as `500ms`, `1s`, `1m`; a number alone is seconds.
fn duration(text: &str) -> Result<Duration, ValueError> {
    const MAX: Duration = Duration::from_secs(3600);
    let read = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    let time = read.ok_or(ValueError::Time)?;
    if time > MAX { Err(ValueError::TooLong) } else { Ok(time) }
}

fn interface_id(text: &str) -> Result<InterfaceId, ValueError> {
    let Some(digits) = text.strip_prefix("0x") else { return Ok(InterfaceId(text.as_bytes().to_vec())) };
    let mut octets = Vec::new();
    lqd_wire::hex::parse_undivided(digits.as_bytes(), &mut octets).map_err(|_| ValueError::Octets)?;
    Ok(InterfaceId(octets))
}

//! The flags; their help is the manual.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lqd_requestor::{Duid, OptionCode};

use crate::request;
use crate::server::ServerName;

/// Status, files and examples: what no flag's help can say.
pub(crate) const AFTER_HELP: &str = "\
Exit status:
  0  found: bindings are shown
  1  no binding: every server that was asked, and is responsible, says so
  2  usage: the flags or the question cannot be used; nothing was asked
  3  a server refused (its status is shown), or its answer cannot be used
  4  no reply
  5  incomplete: bindings are shown, but a link of the client could not be asked for
  With --file: 4 if any question ended so, else 3, 2, 5, 1, 0.

Examples:
  lq -s 2001:db8::1 addr 2001:db8:100::7
      Who holds this address, or the delegated prefix around it?
  lq -s 2001:db8::1 duid 00:03:00:01:02:00:5e:10:00:01 --request relay-data,fqdn
      What does this client hold, and through which relay agents was it last heard?
  lq -s 2001:db8::1 -s 2001:db8::2 addr 2001:db8:100::7
      Asks both at once; where they differ, the one that heard the client last counts.
  lq -i eth0 addr 2001:db8:100::7
      Asks all servers of the site by multicast.
  lq -s 2001:db8::1 -f addresses.txt > answers.jsonl
      Each line of the file is an address or a DUID; each answer is a line of JSON.";

/// Asks DHCPv6 servers who holds an address, or what a client holds (Leasequery, RFC 5007)
#[derive(Debug, Parser)]
#[command(name = "lq", version, after_long_help = AFTER_HELP)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Who holds this address, or a delegated prefix that contains it?
    Addr {
        /// An IPv6 address
        address: Ipv6Addr,
    },
    /// What does the client with this DUID hold?
    Duid {
        /// Octets in hexadecimal: 00:03:00:01:…, 00-03-00-01-…, 00030001…, 0x00030001…
        duid: Duid,
    },
    /// Prints the completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Prints the manual page (read it with: lq man | man -l -)
    Man,
}

/// A group of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// All servers of the site, ff05::1:3
    Site,
    /// All servers and relay agents of the link, ff02::1:2
    Link,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Everything but the question.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) servers: Servers,
    #[command(flatten)]
    pub(crate) question: Question,
    #[command(flatten)]
    pub(crate) sending: Sending,
    #[command(flatten)]
    pub(crate) relay: Relay,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Reads questions from this file, one a line; - is standard input
    ///
    /// A line is an address or a DUID, with `addr` or `duid` before it or not, and may end with `link=ADDRESS`.
    /// Empty lines and those that begin with # are left out. Each answer is one line of JSON (see --json) with the
    /// question's line number, in the order of the file; a summary goes to standard error at the end.
    #[arg(short, long, value_name = "FILE", global = true, help_heading = "Many questions")]
    pub(crate) file: Option<PathBuf>,
    /// Questions under way at the same time
    #[arg(long, value_name = "COUNT", global = true, help_heading = "Many questions", default_value_t = 64,
          value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) concurrency: u16,
}

/// Whom to ask.
#[derive(Debug, Args)]
#[allow(
    rustdoc::broken_intra_doc_links,
    reason = "`--help` shows these texts: their brackets are those of addresses"
)]
#[command(next_help_heading = "Servers")]
pub(crate) struct Servers {
    /// Server to ask: ADDRESS, [ADDRESS]:PORT, NAME or NAME:PORT; port 547 if none is given. Repeatable
    ///
    /// Several are asked at once and their answers merged. Without any, the group of --interface is asked; without
    /// that either, the server on this host, [::1]:547.
    #[arg(
        short,
        long = "server",
        value_name = "SERVER",
        global = true,
        env = "LQ_SERVER",
        value_delimiter = ','
    )]
    pub(crate) servers: Vec<ServerName>,
    /// Asks the servers one after the other, until one gives an answer that counts
    #[arg(long, global = true)]
    pub(crate) in_turn: bool,
    /// Interface through which a group of servers is asked
    #[arg(short, long, value_name = "NAME", global = true)]
    pub(crate) interface: Option<String>,
    /// The group that --interface asks
    #[arg(long, value_name = "GROUP", global = true, default_value = "site")]
    pub(crate) group: Group,
    /// Asks the group, too, if no named server gives an answer that counts
    #[arg(long, global = true)]
    pub(crate) or_group: bool,
    /// Only the server with this DUID shall answer (OPTION_SERVERID)
    #[arg(long, value_name = "DUID", global = true)]
    pub(crate) server_id: Option<Duid>,
}

/// What to ask beside the target.
#[derive(Debug, Args)]
#[command(next_help_heading = "Question")]
pub(crate) struct Question {
    /// An address of the link that is meant; without, all links of the server
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub(crate) link: Option<Ipv6Addr>,
    /// Options of the client to ask for: names or numbers, separated by commas. Repeatable
    ///
    /// Names: relay-data, fqdn, lladdr, dns-servers, domain-search, vendor-opts, and those of the registry that
    /// leasequery knows. Any other option goes by its number.
    #[arg(short, long, value_name = "OPTION", global = true, value_delimiter = ',', value_parser = request::option)]
    pub(crate) request: Vec<OptionCode>,
}

/// How to ask.
#[derive(Debug, Args)]
#[command(next_help_heading = "Sending")]
pub(crate) struct Sending {
    /// How long the first query waits for an answer before it is sent again; doubles each time, up to 10 s
    #[arg(long, value_name = "TIME", global = true, default_value = "1s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// How often a query is sent again. With the first time, the default is what RFC 5007 asks for (MRC 5, 25 s)
    #[arg(long, value_name = "COUNT", global = true, default_value_t = 4,
          value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub(crate) retries: u32,
    /// How long other servers may still answer once one did
    #[arg(long, value_name = "TIME", global = true, default_value = "1s", value_parser = duration)]
    pub(crate) gather: Duration,
    /// Local address; servers decide by it who may ask
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub(crate) source: Option<Ipv6Addr>,
    /// Local port; 0 lets the system choose. 547 is for servers and relay agents
    #[arg(long, value_name = "PORT", global = true, default_value_t = 0)]
    pub(crate) source_port: u16,
    /// Takes answers from addresses that were not asked, too
    #[arg(long, global = true)]
    pub(crate) any_source: bool,
    /// This requestor's own DUID, instead of the one in --duid-file
    #[arg(long, value_name = "DUID", global = true)]
    pub(crate) own_duid: Option<Duid>,
    /// Where this requestor's own DUID is kept; made at the first start [default: ~/.local/state/lq/duid]
    #[arg(long, value_name = "FILE", global = true, env = "LQ_DUID_FILE")]
    pub(crate) duid_file: Option<PathBuf>,
}

/// Asking as a relay agent would.
#[derive(Debug, Args)]
#[command(next_help_heading = "Asking as a relay agent would")]
pub(crate) struct Relay {
    /// Sends the query in RELAY-FORW with this link-address
    ///
    /// A server answers a relay agent at port 547, where a requestor must not listen. So the Relay Source Port option
    /// (135, RFC 8357) is sent along, and a server that knows it answers to the port the query came from. One that
    /// does not is not heard.
    #[arg(long = "relay", value_name = "LINK-ADDRESS", global = true)]
    pub(crate) link_address: Option<Ipv6Addr>,
    /// Its peer-address: from whom the relay agent seems to have the query
    #[arg(long = "relay-peer", value_name = "ADDRESS", global = true, default_value = "::")]
    pub(crate) peer_address: Ipv6Addr,
    /// Its interface-id: text, or octets as 0x…
    #[arg(long = "relay-interface-id", value_name = "ID", global = true, value_parser = interface_id)]
    pub(crate) interface_id: Option<InterfaceId>,
}

/// An interface-id's octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceId(pub(crate) Vec<u8>);

/// What is shown.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Prints one line of JSON instead
    ///
    /// Its `schema` is 1 and grows when a field changes its meaning or goes; fields may be added. `result` is found,
    /// no-binding, refused, no-reply or not-asked. Times are in UTC; a lifetime of null has no end.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Shows the octets of queries and answers
    #[arg(long, global = true)]
    pub(crate) hex: bool,
    /// Tells every send and every datagram received on standard error, with times
    #[arg(long, global = true)]
    pub(crate) trace: bool,
    /// When to colour
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub(crate) color: Color,
}

/// A time such as `500ms`, `1s`, `1m`; a number alone is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    const MAX: Duration = Duration::from_secs(3600);
    let read = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    let time = read.ok_or("must be a time, such as 1s or 500ms")?;
    if time > MAX { Err("must be at most one hour".to_owned()) } else { Ok(time) }
}

fn interface_id(text: &str) -> Result<InterfaceId, String> {
    let Some(digits) = text.strip_prefix("0x") else { return Ok(InterfaceId(text.as_bytes().to_vec())) };
    let octets = (0..digits.len())
        .step_by(2)
        .map(|at| digits.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()));
    octets
        .collect::<Option<_>>()
        .map(InterfaceId)
        .ok_or("must be two hexadecimal digits for each octet after 0x".to_owned())
}

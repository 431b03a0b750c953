//! Flags of `lqload run`.

use std::net::{SocketAddr, SocketAddrV6};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedI64ValueParser;
use lqd_wire::Duid;

use super::flight::Flight;
use crate::query::{Mix, Query};

/// The requestor's DUID unless another is given: of type EN, with the enterprise number for documentation
/// (RFC 5612).
const REQUESTOR_DUID: &str = "00:02:00:00:7e:d9:6c:71:6c:6f:61:64";

const WINDOW_MAX: u32 = Flight::<Query>::CAPACITY_MAX;

/// Ask a leasequery server for the leases of a file, and judge every answer.
///
/// Closed loop: `--window` queries are under way at any time. Exit status 0: all answers were right; 1: some
/// were wrong; 2: the arguments or files are of no use, or the target does not answer.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Address and port of the server, as in [2001:db8::1]:547.
    #[arg(long, value_name = "[ADDR]:PORT", value_parser = target)]
    pub(crate) target: SocketAddrV6,
    /// Lease file of Kea (kea-leases6.csv); several are read in order, later rows overriding earlier ones.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) leases: Vec<PathBuf>,
    /// What to ask for, as weights: address (a leased one), prefix (a random address inside a delegated
    /// prefix), client-id, miss (a free address). Default: the first three in equal parts, as far as the file
    /// has them.
    #[arg(long, value_name = "SUBJECT=WEIGHT,…")]
    pub(crate) mix: Option<Mix>,
    /// Queries under way at once, over all threads.
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = counts(WINDOW_MAX))]
    pub(crate) window: u32,
    /// End after so many queries.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) queries: Option<u64>,
    /// End after this time, as in 30s or 5min; default 10s, or no end with --queries.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// How long to wait for an answer before the query counts as lost.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// Threads, each with a socket and port of its own.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = counts(1024))]
    pub(crate) threads: u32,
    /// CPUs to pin the threads to, in turn, as in 1,3.
    #[arg(long, value_name = "LIST")]
    pub(crate) cpus: Option<Cpus>,
    /// Judge what the answers say of the client: its DUID, all its leases, their lifetimes. The leases have
    /// to be those that the server holds.
    #[arg(long)]
    pub(crate) verify: bool,
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
}

/// A DUID of 1 to 130 octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DuidArgument(pub(crate) Vec<u8>);

impl std::str::FromStr for DuidArgument {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let octet = |pair: &str| {
            let digits = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            digits.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
        };
        let octets: Option<Vec<u8>> = text.split(':').map(octet).collect();
        octets
            .filter(|octets| Duid::new(octets).is_some())
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

fn target(text: &str) -> Result<SocketAddrV6, &'static str> {
    match text.parse() {
        Ok(SocketAddr::V6(target)) if target.port() != 0 => Ok(target),
        Ok(SocketAddr::V4(_)) => Err("leasequery for DHCPv6 goes over IPv6; give an address as in [::1]:547"),
        _ => {
            Err("must be an IPv6 address and a port, as in [::1]:547 or [fe80::1%2]:547 (2: interface index)")
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("must be more than 0".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("{error}; give a time as in 500ms, 10s or 5min")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser, Debug)]
    struct Arguments {
        #[command(flatten)]
        options: Options,
    }

    fn parse(more: &[&str]) -> Result<Options, String> {
        let usual = ["lqload", "--target", "[::1]:547", "--leases", "f"];
        let arguments = usual.iter().chain(more);
        Arguments::try_parse_from(arguments).map(|parsed| parsed.options).map_err(|error| error.to_string())
    }

    #[test]
    fn parts_of_threads_add_up() {
        let options = parse(&["--threads", "3", "--window", "10", "--queries", "100"]).unwrap();
        let amounts: Vec<_> = (0..3).map(|number| options.amount(number)).collect();
        assert_eq!(amounts.iter().map(|amount| amount.window).collect::<Vec<_>>(), [4, 3, 3]);
        assert_eq!(
            amounts.iter().map(|amount| amount.queries).collect::<Vec<_>>(),
            [Some(34), Some(33), Some(33)]
        );
        assert_eq!(amounts[0].duration, None);
        assert_eq!(parse(&[]).unwrap().amount(0).duration, Some(Duration::from_secs(10)));
    }

    #[test]
    fn refusals_say_what_is_meant() {
        for (flag, value, why) in [
            ("--mix", "adress=1", "is none of address"),
            ("--window", "0", "0 is not in 1..="),
            ("--duration", "10", "as in 500ms"),
            ("--timeout", "0s", "more than 0"),
            ("--server-duid", "0:1", "octets in hex with colons"),
            ("--server-duid", "+1:02", "octets in hex with colons"),
            ("--cpus", "1,", "numbers of CPUs"),
        ] {
            let fault = parse(&[flag, value]).unwrap_err();
            assert!(fault.contains(why), "{flag} {value}: {fault}");
        }
        for (text, why) in
            [("127.0.0.1:547", "over IPv6"), ("::1", "IPv6 address and a port"), ("[::1]:0", "a port")]
        {
            assert!(target(text).unwrap_err().contains(why), "{text}");
        }
    }
}

//! Errors of `lq` other than those of a lookup; each ends the program with exit status 2.

use std::io;
use std::path::PathBuf;

use lqd_requestor::IdentityError;

/// An error after the command line was parsed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A setting, the socket, or a query that cannot be sent.
    #[error(transparent)]
    Requestor(#[from] lqd_requestor::Error),
    /// The requestor's own DUID.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The file of queries.
    #[error("--file {}: {source}", path.display())]
    Queries { path: PathBuf, source: io::Error },
    /// Standard output.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// The tokio runtime.
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    /// A server name that does not resolve.
    #[error("server {name}: {source}")]
    Resolve { name: String, source: io::Error },
    /// A server name without IPv6 address.
    #[error("server {0} has no IPv6 address")]
    NoIpv6Address(String),
    /// `--or-group` alone.
    #[error("--or-group queries on an interface; give it with --interface")]
    GroupWithoutInterface,
    /// Flags of the relay agent without `--relay`.
    #[error("--relay-peer and --relay-interface-id describe a relay agent; give --relay with them")]
    RelayFlagsAlone,
    /// `--file` beside a query.
    #[error("--file takes the queries from the file; give it without a command")]
    FileWithCommand,
    /// `bulk` without a target.
    #[error("bulk needs one of --relay-id, --remote-id, --addr, --duid and --link")]
    NoBulkTarget,
    /// `follow` without a target.
    #[error("follow needs one of --relay-id, --remote-id and --link: no bulk query asks for everything")]
    NoFollowTarget,
    /// `follow` with several servers.
    #[error("follow takes one server; start one lq for each")]
    SeveralServers,
    /// A flag of UDP with a command over TCP.
    #[error("{0} is for queries over UDP; {1} connects over TCP to the servers of -s")]
    NotOverTcp(&'static str, &'static str),
    /// A time after its own end.
    #[error("--start-time is later than --end-time")]
    StartAfterEnd,
    /// A bulk query that is longer than a frame.
    #[error("the query is longer than a message; request fewer options")]
    TooLong,
    /// A file of certificates that cannot be read.
    #[error("{flag} {}: {source}", path.display())]
    TlsFile { flag: &'static str, path: PathBuf, source: io::Error },
    /// A file of certificates that cannot be used.
    #[error("{flag} {}: {error}", path.display())]
    TlsPart { flag: &'static str, path: PathBuf, error: lqd_requestor::bulk::TlsFileError },
    /// A name that no certificate has.
    #[error(
        "{0} is neither a DNS name nor an address; give the name in the server's certificate with --tls-name"
    )]
    TlsName(String),
    /// SIGINT.
    #[error("interrupted before every answer came")]
    Interrupted,
}

impl Error {
    /// Whether standard output was closed early, as by `lq man | head`.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

//! Errors of `lqload`. Each names its fix, and ends the program with exit status 2.

use std::io;
use std::net::SocketAddrV6;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::leases::HeaderError;
use crate::report::compare::ReportError;
use crate::run::cpu::ProcessError;

/// An error of the arguments, the files or the target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}: {source}; name an existing folder that is writable", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{} exists; choose another --out directory, or remove the file if no server uses it", _0.display())]
    Exists(PathBuf),
    #[error("{}: not a DHCPv6 lease file of Kea: {source}; give Kea's kea-leases6.csv", path.display())]
    Header { path: PathBuf, source: HeaderError },
    #[error("the lease files have no valid lease ({rows} rows read, {bad} of them unreadable{first})")]
    NoLeases { rows: u64, bad: u64, first: String },
    #[error("the lease files have more than the 4 GiB of clients that lqload can keep; give a part of them")]
    TooManyLeases,
    #[error("--mix queries {asked}, but no valid lease is {needed}; leave it out of the mix")]
    Mix { asked: &'static str, needed: &'static str },
    #[error("no valid lease is of subnet {0}; name another subnet with --link")]
    Link(u32),
    #[error("no valid lease is of subnet {0}; leave it out of --subnet")]
    Subnet(u32),
    #[error("{}:{line}: {text:?} is neither an IPv6 address nor a DUID in hexadecimal with colons", path.display())]
    List { path: PathBuf, line: u64, text: String },
    #[error("{}: it lists no address and no DUID", _0.display())]
    EmptyList(PathBuf),
    #[error("{flag} needs the leases themselves: give --leases, not --list")]
    NeedsLeases { flag: &'static str },
    #[error("{target}: {step}: {source}")]
    Socket { target: SocketAddrV6, step: &'static str, source: io::Error },
    #[error("--target {target}: {source}")]
    Connect { target: SocketAddrV6, source: lqd_net::ConnectError },
    #[error(
        "nothing listens at {0} (port unreachable); start the server, or give its address and port as \
         --target [ADDRESS]:PORT"
    )]
    Refused(SocketAddrV6),
    #[error(
        "no answer from {target} within {tries} tries of {timeout:?}; check that the server listens there and \
         allows this requestor"
    )]
    Silent { target: SocketAddrV6, tries: u32, timeout: Duration },
    #[error("--server-pid {pid}: {source}")]
    ServerPid { pid: u32, source: ProcessError },
    #[error("--cpus: CPU {0} is not available to this process")]
    Cpu(usize),
    #[error("--rate: a ramp needs --duration, and excludes --find-max and a mere count of queries")]
    Ramp,
    #[error("the query exceeds a message of 65,535 octets; shorten --remote-id or --oro")]
    QueryTooLong,
    #[error("--oro: at most 32 codes")]
    Oro,
    #[error("--duration: at most 4h, and at most {0} changes; lower --changes-per-second or --duration")]
    ChurnTooLong(u32),
    #[error(
        "the lease file may grow by {mib} MiB; raise --growth-max, or lower --changes-per-second or --duration"
    )]
    Growth { mib: u64 },
    #[error("no reader keeps a table; give --readers, --slow or --stalled")]
    NoReaders,
    #[error("no valid lease of the file is an address; the churn needs one of each subnet that it may use")]
    NoAddressLease,
    #[error("the leases of earlier runs leave no room for --pool; make the lease file anew")]
    PoolTaken,
    #[error("{}: {reason}", path.display())]
    NotAppendable { path: PathBuf, reason: &'static str },
    #[error("{}: another program changed leases of this run; stop it, and repeat the run", _0.display())]
    ForeignWriter(PathBuf),
    #[error("{target}: no active leasequery: {reason}; lqd offers it with --active insecure")]
    NotActive { target: SocketAddrV6, reason: String },
    #[error("cannot install signal handlers: {0}")]
    Signal(io::Error),
    #[error("{}: {source}; give a report that lqload run --json has written", path.display())]
    Report { path: PathBuf, source: ReportError },
    #[error("a worker thread panicked; this is a bug of lqload, please report it")]
    Thread,
}

impl Error {
    /// Returns the conversion of an I/O error on this file.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::File { path: path.to_owned(), source }
    }
}

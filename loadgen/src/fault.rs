//! Why `lqload` cannot do what it is asked: each fault says what to mend, and ends the program with exit
//! status 2.

use std::io;
use std::net::SocketAddrV6;
use std::path::PathBuf;

/// A fault of the arguments, the files or the target.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}: {source}; name a folder that exists and can be written to", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "{} exists; choose another --out directory, or remove the file if it is no server's",
        _0.display()
    )]
    Exists(PathBuf),
    #[error("{}: not a DHCPv6 lease file of Kea: {what}; give Kea's kea-leases6.csv", path.display())]
    Header { path: PathBuf, what: String },
    #[error(
        "the lease files hold no lease that is valid now ({rows} rows read, {bad} of them unreadable{first})"
    )]
    NoLeases { rows: u64, bad: u64, first: String },
    #[error("the lease files hold more than the 4 GiB of clients that lqload keeps; take a part of them")]
    TooManyLeases,
    #[error("--mix asks for {asked}, but no lease that is valid now is {needed}; leave it out of the mix")]
    Mix { asked: &'static str, needed: &'static str },
    #[error("no lease that is valid now is of subnet {0}; name another with --link")]
    Link(u32),
    #[error("{}:{line}: {text:?} is neither an IPv6 address nor a DUID in hex with colons", path.display())]
    List { path: PathBuf, line: u64, text: String },
    #[error("{}: it lists no address and no DUID", _0.display())]
    EmptyList(PathBuf),
    #[error("{what} needs the leases themselves: give --leases, not --list")]
    NeedsLeases { what: &'static str },
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
        "no answer from {target} within {tries} tries of {timeout:?}; does the server listen there, and does \
         it allow this requestor?"
    )]
    Silent { target: SocketAddrV6, tries: u32, timeout: std::time::Duration },
    #[error("--server-pid {pid}: {what}")]
    ServerPid { pid: u32, what: String },
    #[error("--cpus: CPU {0} is not one that this process may use")]
    Cpu(usize),
    #[error(
        "--rate: a ramp goes over the whole --duration: give one, and neither --find-max nor only a count"
    )]
    Ramp,
    #[error("--oro: at most 32 codes")]
    Oro,
    #[error("signals cannot be caught: {0}")]
    Signal(io::Error),
    #[error("{}: {what}; give a report that lqload run --json has written", path.display())]
    Report { path: PathBuf, what: String },
    #[error("a worker thread failed; that is a fault of lqload, please report it")]
    Thread,
}

impl Fault {
    /// For `map_err` on what concerns one file.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::File { path: path.to_owned(), source }
    }
}

//! What can go wrong, by who is at fault: the caller ([`Error`]), or servers and the network ([`Failure`]).

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_wire::StatusCode;

use crate::{Silent, Status};

/// The caller's settings or query cannot be used; nothing was learned about any client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Port 547 is for servers and relay agents, which must discard what we wait for (RFC 5007 §4.2.2).
    #[error(
        "the local port must not be 547, where LEASEQUERY-REPLY is to be discarded (RFC 5007 §4.2.2); take another or none"
    )]
    ServerPort,
    /// The socket.
    #[error("cannot open a UDP socket at {address}: {source}")]
    Bind {
        /// The local address.
        address: SocketAddrV6,
        /// What the system says.
        source: io::Error,
    },
    /// There is no such interface.
    #[error("interface {name}: {source}; `ip link` lists what there is")]
    Interface {
        /// Its name.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// The plan names no server.
    #[error("no server to ask; name one at least")]
    NoServer,
    /// The query does not fit into a datagram.
    #[error("the query is too long for one datagram; ask for fewer options")]
    TooLong,
    /// The address lies outside the access networks that were set (RFC 5007 §5).
    #[error("{0} lies outside the access networks; queries for it are not sent (RFC 5007 §5)")]
    OutsideAccessNetworks(Ipv6Addr),
}

/// Why a query that was sent has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A server refused: its status says why.
    #[error("{server} says {}", status_text(.status))]
    Refused {
        /// The server.
        server: SocketAddrV6,
        /// Its status.
        status: Status,
    },
    /// A server's answer has to be discarded; its deviations say why.
    #[error("the answer of {server} cannot be used: {why}")]
    Unusable {
        /// The server.
        server: SocketAddrV6,
        /// What is wrong with it.
        why: String,
    },
    /// The client is on links that were not asked for, so that nothing can be said of its bindings there.
    #[error("the client is on links that were not asked for: {}", .links.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    LinksNotAsked {
        /// Their link-addresses.
        links: Vec<Ipv6Addr>,
    },
    /// A server says that the client is on links, and no binding was found on any of them: a contradiction, and no proof
    /// that there are none.
    #[error("the client is said to be on {}, but no binding was found there", links_text(.links))]
    NothingOnLinks {
        /// Their link-addresses.
        links: Vec<Ipv6Addr>,
    },
    /// No answer, or none from a server whose word is needed.
    #[error("{}", silent_text(.silent, .no_binding_at))]
    NoReply {
        /// Who was asked in vain.
        silent: Vec<Silent>,
        /// A server that knows of no binding, which alone is no proof.
        no_binding_at: Option<SocketAddrV6>,
    },
}

fn links_text(links: &[Ipv6Addr]) -> String {
    if links.is_empty() {
        return "links that are not named".to_owned();
    }
    let links: Vec<String> = links.iter().map(ToString::to_string).collect();
    format!("the link of {}", links.join(", "))
}

/// The status in words, with what to do about it.
fn status_text(status: &Status) -> String {
    let name = status
        .code
        .name()
        .map_or_else(|| format!("status {}", status.code.0), |name| format!("{name}({})", status.code.0));
    let said =
        if status.text.is_empty() { String::new() } else { format!(" \"{}\"", status.text.escape_debug()) };
    let mend = match status.code {
        StatusCode::NOT_CONFIGURED => "; it has no link for this address, ask the server that has",
        StatusCode::NOT_ALLOWED => "; it must be told to allow this requestor's address",
        StatusCode::UNKNOWN_QUERY_TYPE => {
            "; it does not support this kind of query, ask the other way (address or DUID)"
        }
        _ => "",
    };
    format!("{name}{said}{mend}")
}

fn silent_text(silent: &[Silent], no_binding_at: &Option<SocketAddrV6>) -> String {
    let one = |server: &Silent| match &server.send_error {
        Some(error) => format!("cannot send to {}: {error}", server.server),
        None => format!(
            "no reply from {} to {} transmission{}",
            server.server,
            server.transmissions,
            if server.transmissions == 1 { "" } else { "s" }
        ),
    };
    let mut text = silent.iter().map(one).collect::<Vec<_>>().join("; ");
    if let Some(server) = no_binding_at {
        text.push_str(&format!("; {server} knows of no binding, but alone that proves nothing"));
    }
    text
}

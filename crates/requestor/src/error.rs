//! Errors by cause: the caller ([`Error`]), or servers and the network ([`LookupError`]).

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_wire::StatusCode;

use crate::{SilentServer, Status};

/// An unusable setting or query; nothing was sent, or nothing was learned about any client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Local port 547, where servers and relay agents discard LEASEQUERY-REPLY (RFC 5007 §4.2.2).
    #[error(
        "the local port must not be 547, where LEASEQUERY-REPLY is discarded (RFC 5007 §4.2.2); use another port, or 0"
    )]
    ServerPort,
    /// LookupError to open the socket.
    #[error("cannot open a UDP socket at {address}: {source}")]
    Bind {
        /// The local address.
        address: SocketAddrV6,
        /// The system's error.
        source: io::Error,
    },
    /// An unknown interface.
    #[error("interface {name}: {source}; `ip link` lists the interfaces")]
    Interface {
        /// The interface's name.
        name: String,
        /// The system's error.
        source: io::Error,
    },
    /// A plan without servers.
    #[error("no server to query; name at least one")]
    NoServer,
    /// A query that does not fit into one datagram.
    #[error("the query is too long for one datagram; request fewer options")]
    TooLong,
    /// An address outside the configured access networks (RFC 5007 §5).
    #[error("{0} is outside the access networks, for which alone queries are sent (RFC 5007 §5)")]
    OutsideAccessNetworks(Ipv6Addr),
}

/// The reason why a query that was sent has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LookupError {
    /// A server's refusal, with its status.
    #[error("{server} answered {}", status_text(.status))]
    Refused {
        /// The server.
        server: SocketAddrV6,
        /// The status it sent.
        status: Status,
    },
    /// An answer that must be discarded; its deviations give the reason.
    #[error("the answer of {server} is unusable: {why}")]
    Unusable {
        /// The server.
        server: SocketAddrV6,
        /// The deviations, as text.
        why: String,
    },
    /// Links of the client that were not queried, so that its bindings there are unknown.
    #[error("the client is on links that were not queried: {}", .links.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    LinksNotAsked {
        /// Link-addresses of these links.
        links: Vec<Ipv6Addr>,
    },
    /// Links named by a server on which no binding was found: a contradiction, not a proof of absence.
    #[error("a server placed the client on {}, but no binding was found there", links_text(.links))]
    NothingOnLinks {
        /// Link-addresses of these links.
        links: Vec<Ipv6Addr>,
    },
    /// No answer, or none from a server whose answer is needed.
    #[error("{}", silent_text(.silent, .no_binding_at))]
    NoReply {
        /// The servers that did not answer.
        silent: Vec<SilentServer>,
        /// A server that has no binding, which alone proves nothing.
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

/// Renders a status with advice for the operator.
pub(crate) fn status_text(status: &Status) -> String {
    let name = status
        .code
        .name()
        .map_or_else(|| format!("status {}", status.code.0), |name| format!("{name}({})", status.code.0));
    // The server's text is foreign: escaped, it cannot act on a terminal.
    let said =
        if status.text.is_empty() { String::new() } else { format!(" \"{}\"", status.text.escape_debug()) };
    let advice = match status.code {
        StatusCode::NOT_CONFIGURED => "; the link is not configured there, query the server that has it",
        StatusCode::NOT_ALLOWED => "; allow this requestor's address on that server",
        StatusCode::UNKNOWN_QUERY_TYPE => {
            "; it does not support this query type, query the other way (by address or by DUID)"
        }
        _ => "",
    };
    format!("{name}{said}{advice}")
}

fn silent_text(silent: &[SilentServer], no_binding_at: &Option<SocketAddrV6>) -> String {
    let one = |server: &SilentServer| match &server.send_error {
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
        text.push_str(&format!("; {server} has no binding, which alone proves nothing"));
    }
    text
}

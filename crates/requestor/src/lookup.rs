//! The result of the exchanges that one query led to.

use std::collections::HashSet;
use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_wire::StatusCode;

use crate::merge::{Source, merge};
use crate::{Answer, ClientOnLink, Content, Exchange, LookupError, Query, Reply, Target, deviation};

/// Most links of one client that are queried.
const LINKS_MAX: usize = 256;

/// The result of a lookup.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The query.
    pub query: Query,
    /// The client's bindings, by link; empty if there are certainly none.
    ///
    /// An access concentrator cuts a subscriber off on "none", so every responsible server that was queried
    /// must have said so. A server that refuses with NotConfigured is not responsible if another one is.
    pub outcome: Result<Vec<ClientOnLink>, LookupError>,
    /// Clients of the queried address according to a server that heard its client less recently than another
    /// server heard another client (RFC 5007 §4.3.4).
    pub superseded: Vec<ClientOnLink>,
    /// Errors on links that could not be queried, where bindings were found on others.
    pub incomplete: Vec<LookupError>,
    /// Messages sent and received: the query's own exchange first, then one for each link.
    pub exchanges: Vec<Exchange>,
    /// Whether the result is from the negative cache; nothing was sent then.
    pub cached: bool,
}

impl Lookup {
    /// Concludes from the query's own exchange, which comes first, and those of the links it led to.
    ///
    /// For callers that run [`crate::Transaction`]s themselves; [`crate::Requestor::ask`] ends with this.
    pub fn conclude(query: Query, exchanges: Vec<Exchange>) -> Self {
        let sources: Vec<Source> = exchanges.iter().flat_map(sources).collect();
        let mut failures: Vec<LookupError> =
            exchanges.iter().filter_map(|one| exchange_error(one).err()).collect();
        // Links beyond LINKS_MAX were never queried.
        failures.extend(links_not_asked(&exchanges));
        if failures.is_empty() {
            failures.extend(links_without_bindings(&exchanges, &sources));
        }
        let (clients, superseded) = split_by_recency(&query, merge(&sources));
        // Bindings found outweigh the errors, which are reported beside them.
        let outcome = if !sources.is_empty() {
            Ok(clients)
        } else if failures.is_empty() {
            Ok(Vec::new())
        } else {
            Err(failures.remove(0))
        };
        Self { query, outcome, superseded, incomplete: failures, exchanges, cached: false }
    }

    /// Makes a lookup of an outcome from the negative cache.
    pub(crate) fn cached(query: Query, outcome: Result<(), LookupError>) -> Self {
        let outcome = outcome.map(|()| Vec::new());
        let (superseded, incomplete, exchanges) = (Vec::new(), Vec::new(), Vec::new());
        Self { query, outcome, superseded, incomplete, exchanges, cached: true }
    }

    /// Whether there are certainly no bindings.
    pub fn is_no_binding(&self) -> bool {
        self.outcome.as_ref().is_ok_and(Vec::is_empty)
    }

    /// The answers of every exchange.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.exchanges.iter().flat_map(|exchange| &exchange.answers)
    }
}

/// Returns the links to query next (RFC 5007 §4.3.3), each once and at most [`LINKS_MAX`], with the servers
/// that named each, which are the ones to query.
pub(crate) fn links_to_follow(exchange: &Exchange) -> Vec<(Ipv6Addr, Vec<SocketAddrV6>)> {
    let named_by = |link: Ipv6Addr| {
        let names = |answer: &&Answer| matches!(&answer.reply.content, Content::Links(links) if links.contains(&link));
        exchange.answers.iter().filter(names).map(|answer| answer.from).collect()
    };
    links_named(exchange).into_iter().take(LINKS_MAX).map(|link| (link, named_by(link))).collect()
}

/// Returns an error if a server named links, perhaps none by address, and nothing was found on some of them.
fn links_without_bindings(exchanges: &[Exchange], sources: &[Source]) -> Option<LookupError> {
    let names = |exchange: &&Exchange| {
        let is_links = |answer: &Answer| matches!(answer.reply.content, Content::Links(_));
        deviation::may_have_links(&exchange.query) && exchange.answers.iter().any(is_links)
    };
    let exchange = exchanges.iter().find(names)?;
    let is_empty = |link: &Ipv6Addr| sources.iter().all(|source| source.link != Some(*link));
    // A server names a link only for bindings on it (RFC 5007 §4.3.3), so an empty one is a contradiction.
    let links: Vec<Ipv6Addr> = links_named(exchange).into_iter().filter(is_empty).collect();
    (sources.is_empty() || !links.is_empty()).then_some(LookupError::NothingOnLinks { links })
}

/// Splits clients into the most recently heard one, on all its links, and those it supersedes. An address has
/// one client only.
fn split_by_recency(query: &Query, clients: Vec<ClientOnLink>) -> (Vec<ClientOnLink>, Vec<ClientOnLink>) {
    let newest = clients
        .iter()
        .reduce(|one, other| if one.last_transaction < other.last_transaction { other } else { one });
    match (&query.target, newest.map(|one| one.client.clone())) {
        (Target::Address(_), Some(newest)) => clients.into_iter().partition(|one| one.client == newest),
        _ => (clients, Vec::new()),
    }
}

/// Returns an error for links that were named but have no exchange of their own.
fn links_not_asked(exchanges: &[Exchange]) -> Option<LookupError> {
    let asked = |link: &Ipv6Addr| exchanges.iter().any(|exchange| exchange.query.link == Some(*link));
    let links: Vec<Ipv6Addr> = exchanges.iter().flat_map(links_named).filter(|link| !asked(link)).collect();
    (!links.is_empty()).then_some(LookupError::LinksNotAsked { links })
}

fn links_named(exchange: &Exchange) -> Vec<Ipv6Addr> {
    if !deviation::may_have_links(&exchange.query) {
        return Vec::new();
    }
    let named = exchange.answers.iter().filter_map(|answer| match &answer.reply.content {
        Content::Links(links) => Some(links),
        _ => None,
    });
    let mut seen = HashSet::new();
    named.flatten().copied().filter(|link| seen.insert(*link)).collect()
}

fn sources(exchange: &Exchange) -> impl Iterator<Item = Source> {
    exchange.answers.iter().filter_map(|answer| match &answer.reply.content {
        Content::Data(data) => Some(Source {
            server: answer.reply.server.clone(),
            from: answer.from,
            link: exchange.query.link,
            received: answer.received,
            data: data.clone(),
        }),
        _ => None,
    })
}

/// Returns the reason why an exchange does not prove the absence of bindings; `Ok` if it does, or has some.
fn exchange_error(exchange: &Exchange) -> Result<(), LookupError> {
    // Earlier stages failed, or this one would not have started.
    let last_stage = exchange.answers.get(exchange.first_of_last_stage..).unwrap_or_default();
    let speaks = |answer: &Answer| match &answer.reply.content {
        Content::Data(_) => true,
        Content::Links(_) => deviation::may_have_links(&exchange.query),
        _ => false,
    };
    if exchange.answers.iter().any(speaks) {
        return Ok(());
    }
    let no_binding_at =
        last_stage.iter().find(|answer| answer.reply.content == Content::NoBinding).map(|answer| answer.from);
    for answer in last_stage {
        match &answer.reply.content {
            // NotConfigured refuses responsibility, which another server's "no binding" has settled.
            Content::Refused if no_binding_at.is_some() && is_not_configured(&answer.reply) => {}
            Content::Refused => return Err(refused(answer)),
            Content::Unusable | Content::Links(_) => return Err(unusable(answer)),
            Content::NoBinding | Content::Data(_) => {}
        }
    }
    let silent: Vec<_> = exchange
        .silent
        .iter()
        // A group that answered is no silent server: its members are not known one by one.
        .filter(|one| last_stage.is_empty() || !one.server.ip().is_multicast())
        .cloned()
        .collect();
    if silent.is_empty() && no_binding_at.is_some() {
        return Ok(());
    }
    // An earlier stage's refusal says more than the silence of the servers that were asked instead.
    match exchange.answers.last() {
        Some(answer) if no_binding_at.is_none() && answer.reply.content == Content::Refused => {
            Err(refused(answer))
        }
        _ => Err(LookupError::NoReply { silent, no_binding_at }),
    }
}

/// Whether the refusal only says that the target is not this server's.
fn is_not_configured(reply: &Reply) -> bool {
    reply.status.as_ref().is_some_and(|status| status.code == StatusCode::NOT_CONFIGURED)
}

fn refused(answer: &Answer) -> LookupError {
    match &answer.reply.status {
        Some(status) => LookupError::Refused { server: answer.from, status: status.clone() },
        None => unusable(answer), // unreachable: `Content::Refused` comes with a status
    }
}

fn unusable(answer: &Answer) -> LookupError {
    let why: Vec<String> = answer.reply.deviations.iter().map(ToString::to_string).collect();
    LookupError::Unusable { server: answer.from, why: why.join("; ") }
}

#[cfg(test)]
mod tests;

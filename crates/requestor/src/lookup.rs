//! What the exchanges of one question come to.

use std::collections::HashSet;
use std::net::{Ipv6Addr, SocketAddrV6};

use lqd_wire::StatusCode;

use crate::merge::{Source, merge};
use crate::{Answer, ClientOnLink, Content, Exchange, Failure, Query, Reply, Target, deviation};

/// At most so many links of one client are asked for.
const LINKS_MAX: usize = 256;

/// The answer to a question.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// What was asked.
    pub query: Query,
    /// The client's bindings, by link; empty if there are none, for sure.
    ///
    /// "None" is said only if every server that was asked, and is responsible, said so: an access concentrator cuts a
    /// subscriber off on it. A server that refuses with NotConfigured is not responsible if another one is.
    pub outcome: Result<Vec<ClientOnLink>, Failure>,
    /// Clients that a server names for the address that was asked for, where another server, which heard its client more
    /// recently, names another one (RFC 5007 §4.3.4).
    pub superseded: Vec<ClientOnLink>,
    /// What is missing from bindings that were found: links that could not be asked for.
    pub incomplete: Vec<Failure>,
    /// What was sent and received: the query's own exchange first, then one for each link.
    pub exchanges: Vec<Exchange>,
    /// Known from the negative cache; nothing was sent.
    pub cached: bool,
}

impl Lookup {
    /// What it comes to: the query's own exchange first, then those of the links it led to.
    ///
    /// For those who run [`crate::Transaction`]s by themselves; [`crate::Requestor::ask`] ends with this.
    pub fn conclude(query: Query, exchanges: Vec<Exchange>) -> Self {
        let sources: Vec<Source> = exchanges.iter().flat_map(sources).collect();
        let mut failures: Vec<Failure> = exchanges.iter().filter_map(|one| failure(one).err()).collect();
        failures.extend(links_not_asked(&exchanges));
        if failures.is_empty() {
            failures.extend(nothing_on_links(&exchanges, &sources));
        }
        let (clients, superseded) = by_recency(&query, merge(&sources));
        let outcome = if !sources.is_empty() {
            Ok(clients)
        } else if failures.is_empty() {
            Ok(Vec::new())
        } else {
            Err(failures.remove(0))
        };
        Self { query, outcome, superseded, incomplete: failures, exchanges, cached: false }
    }

    /// The negative cache knew what it comes to.
    pub(crate) fn cached(query: Query, outcome: Result<(), Failure>) -> Self {
        let outcome = outcome.map(|()| Vec::new());
        let (superseded, incomplete, exchanges) = (Vec::new(), Vec::new(), Vec::new());
        Self { query, outcome, superseded, incomplete, exchanges, cached: true }
    }

    /// There are no bindings, for sure.
    pub fn is_no_binding(&self) -> bool {
        self.outcome.as_ref().is_ok_and(Vec::is_empty)
    }

    /// Every answer of every exchange.
    pub fn answers(&self) -> impl Iterator<Item = &Answer> {
        self.exchanges.iter().flat_map(|exchange| &exchange.answers)
    }
}

/// The links that an exchange asks to be followed (RFC 5007 §4.3.3), each once, but not more than make sense; with each
/// the servers that named it, which are the ones to ask.
pub(crate) fn links_to_follow(exchange: &Exchange) -> Vec<(Ipv6Addr, Vec<SocketAddrV6>)> {
    let named_by = |link: Ipv6Addr| {
        let names = |answer: &&Answer| matches!(&answer.reply.content, Content::Links(links) if links.contains(&link));
        exchange.answers.iter().filter(names).map(|answer| answer.from).collect()
    };
    links_named(exchange).into_iter().take(LINKS_MAX).map(|link| (link, named_by(link))).collect()
}

/// A server named links, perhaps none by address, and on some nothing was found.
fn nothing_on_links(exchanges: &[Exchange], sources: &[Source]) -> Option<Failure> {
    let names = |exchange: &&Exchange| {
        let is_links = |answer: &Answer| matches!(answer.reply.content, Content::Links(_));
        deviation::may_have_links(&exchange.query) && exchange.answers.iter().any(is_links)
    };
    let exchange = exchanges.iter().find(names)?;
    let is_empty = |link: &Ipv6Addr| sources.iter().all(|source| source.link != Some(*link));
    let links: Vec<Ipv6Addr> = links_named(exchange).into_iter().filter(is_empty).collect();
    (sources.is_empty() || !links.is_empty()).then_some(Failure::NothingOnLinks { links })
}

/// An address has one client: the one heard last, on all its links, and those whom it supersedes.
fn by_recency(query: &Query, clients: Vec<ClientOnLink>) -> (Vec<ClientOnLink>, Vec<ClientOnLink>) {
    let newest = clients
        .iter()
        .reduce(|one, other| if one.last_transaction < other.last_transaction { other } else { one });
    match (&query.target, newest.map(|one| one.client.clone())) {
        (Target::Address(_), Some(newest)) => clients.into_iter().partition(|one| one.client == newest),
        _ => (clients, Vec::new()),
    }
}

/// Links that were named but have no exchange of their own.
fn links_not_asked(exchanges: &[Exchange]) -> Option<Failure> {
    let asked = |link: &Ipv6Addr| exchanges.iter().any(|exchange| exchange.query.link == Some(*link));
    let links: Vec<Ipv6Addr> = exchanges.iter().flat_map(links_named).filter(|link| !asked(link)).collect();
    (!links.is_empty()).then_some(Failure::LinksNotAsked { links })
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

/// Why an exchange is no proof that there are no bindings; `Ok` if it is one, or has some.
fn failure(exchange: &Exchange) -> Result<(), Failure> {
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
            Content::Refused if no_binding_at.is_some() && is_elsewhere(&answer.reply) => {}
            Content::Refused => return Err(refused(answer)),
            Content::Unusable | Content::Links(_) => return Err(unusable(answer)),
            Content::NoBinding | Content::Data(_) => {}
        }
    }
    let silent: Vec<_> = exchange
        .silent
        .iter()
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
        _ => Err(Failure::NoReply { silent, no_binding_at }),
    }
}

/// The target is not this server's, so its refusal says nothing.
fn is_elsewhere(reply: &Reply) -> bool {
    reply.status.as_ref().is_some_and(|status| status.code == StatusCode::NOT_CONFIGURED)
}

fn refused(answer: &Answer) -> Failure {
    match &answer.reply.status {
        Some(status) => Failure::Refused { server: answer.from, status: status.clone() },
        None => unusable(answer), // `Reply` has `Refused` only with a status
    }
}

fn unusable(answer: &Answer) -> Failure {
    let why: Vec<String> = answer.reply.deviations.iter().map(ToString::to_string).collect();
    Failure::Unusable { server: answer.from, why: why.join("; ") }
}

#[cfg(test)]
mod tests;

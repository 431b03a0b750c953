//! Judging an answer.
//!
//! Always: the message, the requestor's DUID, the server's DUID, the status. With `--verify` also what is
//! said of the client. Which subnets are one link is not in a lease file, so a client with leases in several
//! subnets is judged leniently: the bindings of the asked lease's subnet are due, others of its own may come
//! along.

use lqd_wire::{IaAddress, IaPrefix, OptionCode, Options, Relay, StatusCode};

use super::reply::Reply;
use super::wrong::Wrong;
use crate::leases::{Client, Clients, Kind, Lease, NEVER};
use crate::query::{Query, RELAY_INTERFACE_ID, RELAY_LINK, RELAY_PEER, Subject};

/// Seconds by which clocks and whole seconds may differ, and an answer be under way.
const SLACK: u32 = 5;
/// An infinite lifetime (RFC 8415 §7.7).
const INFINITY: u32 = u32::MAX;

/// What an answer that is not wrong says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// OPTION_CLIENT_DATA.
    Bindings,
    /// OPTION_LQ_CLIENT_LINK: the client is on several links.
    Links,
    /// Neither: there is no binding.
    Nothing,
}

/// Judges the answers to one requestor.
pub(super) struct Checker<'a> {
    clients: &'a Clients,
    requestor: &'a [u8],
    server: Option<&'a [u8]>,
    verify: bool,
    /// Which leases of the client were named; kept from answer to answer.
    named: Vec<bool>,
}

impl<'a> Checker<'a> {
    pub(super) fn new(
        clients: &'a Clients,
        requestor: &'a [u8],
        server: Option<&'a [u8]>,
        verify: bool,
    ) -> Self {
        Self { clients, requestor, server, verify, named: Vec::new() }
    }

    /// Judges the answer to this query; `now` in seconds since 1970.
    pub(super) fn check(&mut self, reply: &Reply<'_>, query: Query, now: u32) -> Result<Said, Wrong> {
        if !came_as_asked(reply.relay, query) {
            return Err(Wrong::Relay);
        }
        if reply.requestor != Some(self.requestor) {
            return Err(Wrong::Requestor);
        }
        match (reply.server, self.server) {
            (Some(server), Some(expected)) if server != expected => return Err(Wrong::ServerId),
            (Some(_), _) => {}
            (None, _) => return Err(Wrong::ServerId),
        }
        let said = match (reply.client_data, reply.links) {
            (Some(_), true) => return Err(Wrong::Malformed), // RFC 5007 §4.4.1: never both
            (Some(_), false) => Said::Bindings,
            (None, true) => Said::Links,
            (None, false) => Said::Nothing,
        };
        // A server may know that nobody can have an address, so that a miss is not configured to it.
        let as_due = match query.subject {
            Subject::UnknownLink => reply.status == StatusCode::NOT_CONFIGURED,
            Subject::Miss => [StatusCode::SUCCESS, StatusCode::NOT_CONFIGURED].contains(&reply.status),
            _ => reply.status == StatusCode::SUCCESS,
        };
        if !as_due {
            return Err(Wrong::Status);
        }
        if self.verify {
            self.verify(reply, said, query, now)?;
        }
        Ok(said)
    }

    /// Judges what is said of the client.
    fn verify(&mut self, reply: &Reply<'_>, said: Said, query: Query, now: u32) -> Result<(), Wrong> {
        let client = self.clients.get(query.client);
        if matches!(query.subject, Subject::Miss | Subject::UnknownLink) {
            return if said == Said::Nothing { Ok(()) } else { Err(Wrong::Unleased) };
        }
        let asked = client.leases().nth(usize::from(query.lease)).ok_or(Wrong::Missing)?;
        match (said, reply.client_data) {
            (Said::Bindings, Some(data)) => self.verify_data(data, client, asked, now),
            (Said::Links, _) if query.subject == Subject::ClientId && on_several_subnets(client) => Ok(()),
            (Said::Nothing, _) if !is_due(&asked, now) => Ok(()),
            _ => Err(Wrong::Missing),
        }
    }

    /// Judges OPTION_CLIENT_DATA (RFC 5007 §4.1.2.2).
    fn verify_data(&mut self, data: &[u8], client: Client<'_>, asked: Lease, now: u32) -> Result<(), Wrong> {
        self.named.clear();
        self.named.resize(client.leases().count(), false);
        let (mut duid, mut clt_time) = (None, None);
        for option in Options::new(data) {
            let (code, value) = option.map_err(|_| Wrong::Malformed)?;
            match code {
                OptionCode::CLIENTID => duid = Some(value),
                OptionCode::CLT_TIME => clt_time = value.first_chunk().filter(|_| value.len() == 4),
                OptionCode::IAADDR => {
                    let IaAddress { address, preferred_lifetime, valid_lifetime } =
                        IaAddress::parse(value).map_err(|_| Wrong::Malformed)?;
                    let lease =
                        self.name(client, |lease| lease.kind == Kind::Address && lease.address == address)?;
                    check_lifetimes(&lease, preferred_lifetime, valid_lifetime, now)?;
                }
                OptionCode::IAPREFIX => {
                    let IaPrefix { address, prefix_len, preferred_lifetime, valid_lifetime } =
                        IaPrefix::parse(value).map_err(|_| Wrong::Malformed)?;
                    let kind = Kind::Prefix(prefix_len);
                    let lease = self.name(client, |lease| lease.kind == kind && lease.address == address)?;
                    check_lifetimes(&lease, preferred_lifetime, valid_lifetime, now)?;
                }
                _ => {}
            }
        }
        if duid != Some(client.duid) {
            return Err(Wrong::Client);
        }
        let due = |lease: &Lease| lease.subnet_id == asked.subnet_id && is_due(lease, now);
        let complete = client.leases().zip(&self.named).all(|(lease, &named)| named || !due(&lease));
        match clt_time {
            Some(&clt_time) if complete => check_clt_time(client, &asked, u32::from_be_bytes(clt_time), now),
            _ => Err(Wrong::Incomplete),
        }
    }

    /// Marks the lease that fits as named.
    fn name(&mut self, client: Client<'_>, fits: impl Fn(&Lease) -> bool) -> Result<Lease, Wrong> {
        let mut leases = client.leases().zip(&mut self.named);
        let (lease, named) = leases.find(|(lease, _)| fits(lease)).ok_or(Wrong::Foreign)?;
        if std::mem::replace(named, true) { Err(Wrong::Foreign) } else { Ok(lease) }
    }
}

/// Relayed answers to relayed queries, with the fields that the relay agent sent (RFC 8415 §19.3, RFC 8357
/// §5.2).
fn came_as_asked(relay: Option<Relay<'_>>, query: Query) -> bool {
    match relay {
        None => !query.relayed,
        Some(relay) => {
            query.relayed
                && (relay.link_address, relay.peer_address) == (RELAY_LINK, RELAY_PEER)
                && relay.interface_id == Some(RELAY_INTERFACE_ID)
                && relay.source_port.is_some()
        }
    }
}

/// The lease is certainly valid for the server as well.
fn is_due(lease: &Lease, now: u32) -> bool {
    lease.expire() > now.saturating_add(SLACK)
}

fn on_several_subnets(client: Client<'_>) -> bool {
    let mut ids = client.leases().map(|lease| lease.subnet_id);
    let first = ids.next();
    ids.any(|id| Some(id) != first)
}

/// Both lifetimes are what remains of the lease's, or infinity where it has that (RFC 5007 §4.1.2.2, RFC 8415
/// §7.7); the preferred one is over at 0.
fn check_lifetimes(lease: &Lease, preferred: u32, valid: u32, now: u32) -> Result<(), Wrong> {
    let remains = |told: u32, end: u32| match end {
        NEVER => told == INFINITY,
        end => told.abs_diff(end.saturating_sub(now)) <= SLACK,
    };
    if !remains(valid, lease.expire()) {
        return Err(Wrong::Lifetime);
    }
    let fits = preferred <= valid && remains(preferred, lease.deprecated());
    if fits { Ok(()) } else { Err(Wrong::Preferred) }
}

/// The client's last transaction on the link is the newest of those that the file knows there (RFC 5007
/// §4.1.2.3).
///
/// Of a client with leases in several subnets, or with leases that are over, it is not known which of them belong
/// to the link: any transaction will do that is not older than those of the asked subnet.
fn check_clt_time(client: Client<'_>, asked: &Lease, clt_time: u32, now: u32) -> Result<(), Wrong> {
    let in_subnet = client.leases().filter(|lease| lease.subnet_id == asked.subnet_id);
    let newest = in_subnet.map(|lease| lease.cltt).max().unwrap_or(asked.cltt);
    let mut times = client.leases().map(|lease| lease.cltt).chain([client.heard]);
    let fits = times.any(|time| time >= newest && clt_time.abs_diff(now.saturating_sub(time)) <= SLACK);
    if fits { Ok(()) } else { Err(Wrong::CltTime) }
}

#[cfg(test)]
mod tests;

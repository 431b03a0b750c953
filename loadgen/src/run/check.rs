//! Checks of an answer.
//!
//! The message, the requestor's DUID, the server's DUID and the status are always checked, client data with
//! `--verify`. A lease file does not tell which subnets share a link, so clients with leases in several
//! subnets are checked leniently: bindings of the queried lease's subnet are required, others of the client
//! are allowed.

use lqd_wire::{IaAddress, IaPrefix, OptionCode, Options, Relay, StatusCode};

use super::defect::Defect;
use super::reply::Reply;
use crate::leases::{Client, Clients, Lease, LeaseKind};
use crate::lifetimes::{self, SLACK, is_due};
use crate::query::{Query, RELAY_INTERFACE_ID, RELAY_LINK, RELAY_PEER, Subject};

/// Content of an answer without defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AnswerContent {
    /// OPTION_CLIENT_DATA.
    Bindings,
    /// OPTION_LQ_CLIENT_LINK: the client is on several links.
    Links,
    /// Neither option: no binding.
    NoBinding,
}

/// Checker of the answers to one requestor.
pub(super) struct Checker<'a> {
    clients: &'a Clients,
    requestor: &'a [u8],
    server: Option<&'a [u8]>,
    verify: bool,
    /// Marks of the client's leases that were named, reused for each answer.
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

    /// Checks the answer to this query; `now` in seconds since 1970.
    pub(super) fn check(
        &mut self,
        reply: &Reply<'_>,
        query: Query,
        now: u32,
    ) -> Result<AnswerContent, Defect> {
        // The relay agent first: other fields are of no use if the answer took another way.
        if !came_as_asked(reply.relay, query) {
            return Err(Defect::Relay);
        }
        if reply.requestor != Some(self.requestor) {
            return Err(Defect::Requestor);
        }
        match (reply.server, self.server) {
            // OPTION_SERVERID is required, its value only with --server-duid.
            (Some(server), Some(expected)) if server != expected => return Err(Defect::ServerId),
            (Some(_), _) => {}
            (None, _) => return Err(Defect::ServerId),
        }
        let said = match (reply.client_data, reply.links) {
            (Some(_), true) => return Err(Defect::Malformed), // RFC 5007 §4.4.1: never both
            (Some(_), false) => AnswerContent::Bindings,
            (None, true) => AnswerContent::Links,
            (None, false) => AnswerContent::NoBinding,
        };
        // A server may know that an address cannot be leased, and answer a miss with NotConfigured.
        let as_due = match query.subject {
            Subject::UnknownLink => reply.status == StatusCode::NOT_CONFIGURED,
            Subject::Miss => [StatusCode::SUCCESS, StatusCode::NOT_CONFIGURED].contains(&reply.status),
            _ => reply.status == StatusCode::SUCCESS,
        };
        if !as_due {
            return Err(Defect::Status);
        }
        // Without --verify, leases of the server may differ from the file.
        if self.verify {
            self.verify(reply, said, query, now)?;
        }
        Ok(said)
    }

    /// Checks the client data.
    fn verify(
        &mut self,
        reply: &Reply<'_>,
        said: AnswerContent,
        query: Query,
        now: u32,
    ) -> Result<(), Defect> {
        let client = self.clients.get(query.client);
        // A miss has no bindings, whatever client it was drawn near.
        if matches!(query.subject, Subject::Miss | Subject::UnknownLink) {
            return if said == AnswerContent::NoBinding { Ok(()) } else { Err(Defect::Unleased) };
        }
        let asked = client.leases().nth(usize::from(query.lease)).ok_or(Defect::Missing)?;
        match (said, reply.client_data) {
            (AnswerContent::Bindings, Some(data)) => self.verify_data(data, client, asked, now),
            // A client on several links gets their addresses instead (RFC 5007 §4.4.1).
            (AnswerContent::Links, _) if query.subject == Subject::ClientId && on_several_subnets(client) => {
                Ok(())
            }
            // A lease that ends about now may have ended at the server.
            (AnswerContent::NoBinding, _) if !is_due(&asked, now) => Ok(()),
            _ => Err(Defect::Missing),
        }
    }

    /// Checks OPTION_CLIENT_DATA (RFC 5007 §4.1.2.2).
    fn verify_data(&mut self, data: &[u8], client: Client<'_>, asked: Lease, now: u32) -> Result<(), Defect> {
        self.named.clear();
        // Marks of the last answer must not count for this one.
        self.named.resize(client.leases().count(), false);
        let (mut duid, mut clt_time) = (None, None);
        for option in Options::new(data) {
            let (code, value) = option.map_err(|_| Defect::Malformed)?;
            match code {
                OptionCode::CLIENTID => duid = Some(value),
                // An option of another length is as good as absent.
                OptionCode::CLT_TIME => clt_time = value.first_chunk().filter(|_| value.len() == 4),
                OptionCode::IAADDR => {
                    let IaAddress { address, preferred_lifetime, valid_lifetime } =
                        IaAddress::parse(value).map_err(|_| Defect::Malformed)?;
                    let lease = self
                        .name(client, |lease| lease.kind == LeaseKind::Address && lease.address == address)?;
                    lifetimes::check(&lease, preferred_lifetime, valid_lifetime, now)?;
                }
                OptionCode::IAPREFIX => {
                    let IaPrefix { address, prefix_len, preferred_lifetime, valid_lifetime } =
                        IaPrefix::parse(value).map_err(|_| Defect::Malformed)?;
                    let kind = LeaseKind::Prefix(prefix_len);
                    let lease = self.name(client, |lease| lease.kind == kind && lease.address == address)?;
                    lifetimes::check(&lease, preferred_lifetime, valid_lifetime, now)?;
                }
                // Other options of the client are not in the file.
                _ => {}
            }
        }
        if duid != Some(client.duid) {
            return Err(Defect::Client);
        }
        // Required are all leases of the queried subnet that have certainly not expired at the server.
        let due = |lease: &Lease| lease.subnet_id == asked.subnet_id && is_due(lease, now);
        // A lease may be missing only if it is near its end.
        let complete = client.leases().zip(&self.named).all(|(lease, &named)| named || !due(&lease));
        match clt_time {
            Some(&clt_time) if complete => check_clt_time(client, &asked, u32::from_be_bytes(clt_time), now),
            _ => Err(Defect::Incomplete),
        }
    }

    /// Marks the matching lease as named; a lease may be named once only.
    fn name(&mut self, client: Client<'_>, fits: impl Fn(&Lease) -> bool) -> Result<Lease, Defect> {
        let mut leases = client.leases().zip(&mut self.named);
        let (lease, named) = leases.find(|(lease, _)| fits(lease)).ok_or(Defect::Foreign)?;
        // A lease that is named twice is as wrong as a foreign one.
        if std::mem::replace(named, true) { Err(Defect::Foreign) } else { Ok(lease) }
    }
}

/// Whether a relayed query was answered through the same relay agent (RFC 8415 §19.3, RFC 8357 §5.2).
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

fn on_several_subnets(client: Client<'_>) -> bool {
    let mut ids = client.leases().map(|lease| lease.subnet_id);
    let first = ids.next();
    // A client without leases is on no subnet.
    ids.any(|id| Some(id) != first)
}

/// Checks that CLT_TIME is the client's newest transaction on the link in the file (RFC 5007 §4.1.2.3).
///
/// For clients with leases in several subnets, or with expired leases, the file does not tell which belong to
/// the link: any transaction fits that is not older than those of the queried subnet.
fn check_clt_time(client: Client<'_>, asked: &Lease, clt_time: u32, now: u32) -> Result<(), Defect> {
    let in_subnet = client.leases().filter(|lease| lease.subnet_id == asked.subnet_id);
    let newest = in_subnet.map(|lease| lease.cltt).max().unwrap_or(asked.cltt);
    let mut times = client.leases().map(|lease| lease.cltt).chain([client.heard]);
    // Any of the client's transactions may be the newest one that the server knows.
    let fits = times.any(|time| time >= newest && clt_time.abs_diff(now.saturating_sub(time)) <= SLACK);
    if fits { Ok(()) } else { Err(Defect::CltTime) }
}

#[cfg(test)]
mod tests;

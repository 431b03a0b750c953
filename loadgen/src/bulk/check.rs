//! Checks of a bulk reply (RFC 5460 §5.2, §6.3).

use lqd_wire::{IaAddress, IaPrefix, Message, MessageType, OptionCode, Options, StatusCode, TransactionId};

use super::plan::{Plan, Subject};
use crate::clock::unix_seconds;
use crate::leases::{Client, LeaseKind};
use crate::lifetimes::{self, SLACK, is_due};
use crate::run::{Defect, DefectCounts};

/// Checker of the replies on one connection.
pub(super) struct BulkChecker<'a> {
    plan: &'a Plan<'a>,
    requestor: &'a [u8],
    /// For each lease, the last query whose reply named it.
    named_by: Vec<u32>,
    query: u32,
    transaction_id: TransactionId,
    has_reply: bool,
    /// Bindings of the query at hand.
    bindings: u64,
    pub(super) wrong: DefectCounts,
}

impl<'a> BulkChecker<'a> {
    pub(super) fn new(plan: &'a Plan<'a>, requestor: &'a [u8]) -> Self {
        let named_by = vec![0; plan.leases()];
        let (transaction_id, wrong) = (TransactionId([0; 3]), DefectCounts::default());
        Self { plan, requestor, named_by, query: 0, transaction_id, has_reply: false, bindings: 0, wrong }
    }

    /// Begins the next query; returns its transaction-id.
    pub(super) fn begin(&mut self) -> TransactionId {
        self.query += 1;
        let [_, a, b, c] = self.query.to_be_bytes();
        (self.transaction_id, self.has_reply, self.bindings) = (TransactionId([a, b, c]), false, 0);
        self.transaction_id
    }

    /// Checks a message; returns whether the reply is complete (RFC 5460 §6.3.1).
    pub(super) fn message(&mut self, octets: &[u8]) -> bool {
        match self.judge(octets) {
            Ok(is_complete) => is_complete,
            Err(defect) => {
                self.wrong.count(defect);
                // A reply that begins or ends wrongly has no end to wait for.
                matches!(defect, Defect::Order | Defect::Status | Defect::TransactionId)
            }
        }
    }

    fn judge(&mut self, octets: &[u8]) -> Result<bool, Defect> {
        let message = Message::parse(octets).ok_or(Defect::Malformed)?;
        if message.transaction_id != self.transaction_id {
            return Err(Defect::TransactionId);
        }
        let mut fields = Fields::EMPTY;
        for option in message.options {
            let (code, value) = option.map_err(|_| Defect::Malformed)?;
            fields.take(code, value)?;
        }
        match (message.kind, self.has_reply) {
            (MessageType::LEASEQUERY_REPLY, false) => {
                self.has_reply = true;
                if fields.client_id != Some(self.requestor) {
                    return Err(Defect::Requestor);
                }
                if fields.server_id.is_none() {
                    return Err(Defect::ServerId);
                }
                if fields.status != StatusCode::SUCCESS {
                    return Err(Defect::Status);
                }
                let Some(data) = fields.client_data else { return Ok(true) };
                self.client_data(data)?;
                Ok(false)
            }
            (MessageType::LEASEQUERY_DATA, true) => {
                self.client_data(fields.client_data.ok_or(Defect::Missing)?)?;
                Ok(false)
            }
            (MessageType::LEASEQUERY_DONE, true) if fields.status != StatusCode::SUCCESS => {
                Err(Defect::Status)
            }
            // A reply without bindings ends without LEASEQUERY-DONE (RFC 5460 §5.2.2).
            (MessageType::LEASEQUERY_DONE, true) if self.bindings > 0 => Ok(true),
            _ => Err(Defect::Order),
        }
    }

    /// Checks OPTION_CLIENT_DATA: some or all bindings of one client (RFC 5007 §4.1.2.2).
    fn client_data(&mut self, data: &[u8]) -> Result<(), Defect> {
        let now = unix_seconds();
        let mut client = None;
        let mut clt_time = None;
        for option in Options::new(data) {
            let (code, value) = option.map_err(|_| Defect::Malformed)?;
            match code {
                OptionCode::CLIENTID => client = Some(self.plan.client(value).ok_or(Defect::Client)?),
                OptionCode::CLT_TIME => {
                    let octets = value.try_into().map_err(|_| Defect::Malformed)?;
                    clt_time = Some(u32::from_be_bytes(octets));
                }
                OptionCode::IAADDR => {
                    let told = IaAddress::parse(value).map_err(|_| Defect::Malformed)?;
                    let lifetimes = (told.preferred_lifetime, told.valid_lifetime);
                    self.binding(client, LeaseKind::Address, told.address, lifetimes, now)?;
                }
                OptionCode::IAPREFIX => {
                    let told = IaPrefix::parse(value).map_err(|_| Defect::Malformed)?;
                    let lifetimes = (told.preferred_lifetime, told.valid_lifetime);
                    self.binding(client, LeaseKind::Prefix(told.prefix_len), told.address, lifetimes, now)?;
                }
                _ => {}
            }
        }
        let (_, client) = client.ok_or(Defect::Client)?;
        // The file does not tell which leases are on one link, so the time of any of them may be meant.
        let clt_time = clt_time.ok_or(Defect::CltTime)?;
        let mut times = client.leases().map(|lease| lease.cltt).chain([client.heard]);
        let fits = times.any(|time| clt_time.abs_diff(now.saturating_sub(time)) <= SLACK);
        if fits { Ok(()) } else { Err(Defect::CltTime) }
    }

    /// Checks one binding: a lease of the client, named once by this query, with its lifetimes.
    fn binding(
        &mut self,
        client: Option<(u32, Client<'_>)>,
        kind: LeaseKind,
        address: std::net::Ipv6Addr,
        (preferred, valid): (u32, u32),
        now: u32,
    ) -> Result<(), Defect> {
        self.bindings += 1;
        let (number, client) = client.ok_or(Defect::Client)?;
        let mut leases = (0..=u16::MAX).zip(client.leases());
        let found = leases.find(|(_, lease)| (lease.kind, lease.address) == (kind, address));
        let (position, lease) = found.ok_or(Defect::Foreign)?;
        let named_by = &mut self.named_by[self.plan.lease_number(number, position)];
        if std::mem::replace(named_by, self.query) == self.query {
            return Err(Defect::Foreign);
        }
        lifetimes::check(&lease, preferred, valid, now)
    }

    /// Ends the query: returns its bindings, and counts the leases of its subject that are missing.
    pub(super) fn end(&mut self, subject: &Subject) -> u64 {
        let Subject::Link { subnet_id, .. } = subject else { return self.bindings };
        let now = unix_seconds();
        for (number, position) in self.plan.leases_of(*subnet_id) {
            if self.named_by[self.plan.lease_number(number, position)] == self.query {
                continue;
            }
            let lease = self.plan.client_at(number).leases().nth(position.into());
            if lease.is_some_and(|lease| is_due(&lease, now)) {
                self.wrong.count(Defect::Missing);
            }
        }
        self.bindings
    }
}

/// Options of a message, each at most once.
struct Fields<'m> {
    client_id: Option<&'m [u8]>,
    server_id: Option<&'m [u8]>,
    client_data: Option<&'m [u8]>,
    /// Success without OPTION_STATUS_CODE.
    status: StatusCode,
}

impl<'m> Fields<'m> {
    const EMPTY: Self =
        Self { client_id: None, server_id: None, client_data: None, status: StatusCode::SUCCESS };

    fn take(&mut self, code: OptionCode, value: &'m [u8]) -> Result<(), Defect> {
        let place = match code {
            OptionCode::CLIENTID => &mut self.client_id,
            OptionCode::SERVERID => &mut self.server_id,
            OptionCode::CLIENT_DATA => &mut self.client_data,
            // Never in bulk replies (RFC 5460 §6.3).
            OptionCode::LQ_CLIENT_LINK => return Err(Defect::Order),
            OptionCode::STATUS_CODE => {
                let (code, _text) = value.split_first_chunk().ok_or(Defect::Malformed)?;
                self.status = StatusCode(u16::from_be_bytes(*code));
                return Ok(());
            }
            _ => return Ok(()),
        };
        if place.replace(value).is_some() { Err(Defect::Malformed) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;

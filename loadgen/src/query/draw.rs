//! Drawing the next query.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::mix::{Mix, Subject};
use super::order::{Order, Place, Zipf};
use crate::leases::{Clients, Kind, Lease};
use crate::random::{Random, mix};

/// Host bits of the subnets that misses are drawn from.
const MISS_HOST_BITS: u32 = 64;

/// What was asked: enough to write it once more and to judge the answer, in 12 octets, as there is one for
/// each query under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) subject: Subject,
    /// It goes through a relay agent.
    pub(crate) relayed: bool,
    /// Which of the client's leases.
    pub(crate) lease: u16,
    /// Number of the client whose lease it is, or next to whose lease a miss lies.
    pub(crate) client: u32,
    /// From which random host bits follow.
    pub(crate) salt: u32,
}

impl Query {
    /// The address it asks for; a query by client-id asks for none (`::`).
    pub(crate) fn address(&self, clients: &Clients) -> Ipv6Addr {
        if self.subject.is_by_client_id() {
            return Ipv6Addr::UNSPECIFIED;
        }
        let lease = clients.get(self.client).leases().nth(usize::from(self.lease));
        let Some(lease) = lease else { return Ipv6Addr::UNSPECIFIED };
        let host_bits = match (self.subject, lease.kind) {
            (Subject::Miss, _) => MISS_HOST_BITS,
            (Subject::Prefix, Kind::Prefix(len)) => 128 - u32::from(len),
            _ => return lease.address,
        };
        let host = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
        let [high, low] = [0, 1].map(|half| mix(u64::from(self.salt) << 1 | half));
        let random = u128::from(high) << 64 | u128::from(low);
        Ipv6Addr::from_bits(lease.address.to_bits() & !host | random & host)
    }
}

/// What all threads draw from.
#[derive(Clone, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) clients: &'a Clients,
    /// Asks only for what the clients have ([`Mix::check`]).
    pub(crate) mix: &'a Mix,
    pub(crate) order: Order,
    /// The leases of the link that restarts, for that order.
    pub(crate) link: &'a [Place],
    /// Share of queries that go through a relay agent.
    pub(crate) relayed: f64,
    /// Queries of one form come together, of which then more are of one size and can leave as one send.
    pub(crate) by_form: bool,
}

/// Draws one thread's queries: clients in the order that was asked for, and uniformly among those leases of a
/// client that fit the subject.
pub(crate) struct Draw<'a> {
    source: Source<'a>,
    random: Random,
    /// For each subject, if that is the order.
    zipf: Vec<Zipf>,
    /// Which lease of the link is next, and how far it is from there to the one after.
    next: usize,
    step: usize,
    /// Clients to ask for next, the last first.
    ahead: Vec<Picked>,
}

/// Whom to ask for, and how.
#[derive(Clone, Copy)]
struct Picked {
    subject: Subject,
    relayed: bool,
    client: u32,
    /// Known if the order names leases, not clients.
    lease: Option<u16>,
}

impl<'a> Draw<'a> {
    /// Clients that are picked at once, so that their records are read together.
    const AHEAD: usize = 64;

    /// `part` of `parts`: threads share the leases of a link between them, one each in turn.
    pub(crate) fn new(source: Source<'a>, random: Random, part: usize, parts: usize) -> Self {
        let zipf = match source.order {
            Order::Zipf { exponent } => {
                let len = |&subject: &Subject| pool(source.clients, subject).len().max(1) as u32;
                Subject::ALL.iter().map(|subject| Zipf::new(len(subject), exponent)).collect()
            }
            _ => Vec::new(),
        };
        Self { source, random, zipf, next: part, step: parts, ahead: Vec::with_capacity(Self::AHEAD) }
    }

    /// The next query; there is none after the last lease of the link, if that is the order.
    pub(crate) fn next(&mut self) -> Option<Query> {
        if self.ahead.is_empty() {
            self.pick_some();
        }
        let Picked { subject, relayed, client, lease } = self.ahead.pop()?;
        let lease = lease.unwrap_or_else(|| self.lease(client, subject));
        let salt = self.random.next() as u32;
        Some(Query { subject, relayed, lease, client, salt })
    }

    fn pick_some(&mut self) {
        for _ in 0..Self::AHEAD {
            let picked = match self.source.order {
                Order::Reboot => self.next_of_link(),
                _ => Some(self.any()),
            };
            self.ahead.extend(picked);
        }
        self.ahead.reverse();
        if self.source.by_form {
            self.ahead.sort_by_key(|picked| (picked.relayed, picked.subject.is_by_client_id()));
        }
        self.source.clients.warm(self.ahead.iter().map(|picked| picked.client));
    }

    fn next_of_link(&mut self) -> Option<Picked> {
        let &Place { client, lease } = self.source.link.get(self.next)?;
        self.next += self.step;
        let kind = self.source.clients.get(client).leases().nth(usize::from(lease))?.kind;
        let subject = if kind == Kind::Address { Subject::Address } else { Subject::Prefix };
        Some(Picked { subject, relayed: self.is_relayed(), client, lease: Some(lease) })
    }

    fn any(&mut self) -> Picked {
        let subject = self.source.mix.draw(&mut self.random);
        let pool = pool(self.source.clients, subject);
        let number = match self.zipf.get(subject as usize) {
            Some(zipf) => zipf.draw(&mut self.random),
            None => self.random.below(pool.len() as u64) as u32,
        };
        Picked { subject, relayed: self.is_relayed(), client: pool.start + number, lease: None }
    }

    fn is_relayed(&mut self) -> bool {
        self.source.relayed > 0.0 && self.random.happens(self.source.relayed)
    }

    /// One of the client's leases that fits; the first if there is none, for clients of whom only the DUID is
    /// known.
    fn lease(&mut self, client: u32, subject: Subject) -> u16 {
        let fits = |lease: &Lease| match subject {
            Subject::Address | Subject::Miss => lease.kind == Kind::Address,
            Subject::Prefix => lease.kind != Kind::Address,
            Subject::ClientId | Subject::UnknownLink => true,
        };
        let leases =
            || (0..=u16::MAX).zip(self.source.clients.get(client).leases()).filter(|(_, lease)| fits(lease));
        let count = leases().count() as u64;
        let drawn = if count > 1 { self.random.below(count) as usize } else { 0 };
        leases().nth(drawn).map_or(0, |(number, _)| number)
    }
}

/// Numbers of the clients that can be asked for so.
fn pool(clients: &Clients, subject: Subject) -> Range<u32> {
    match subject {
        Subject::Address | Subject::Miss => clients.with_address(),
        Subject::Prefix => clients.with_prefix(),
        Subject::ClientId | Subject::UnknownLink => clients.with_duid(),
    }
}

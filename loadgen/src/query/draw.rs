//! Random choice of the next query.

use std::net::Ipv6Addr;
use std::ops::Range;

use super::mix::{Mix, Subject};
use super::order::{LeaseRef, Order, Zipf};
use crate::leases::{Clients, Lease, LeaseKind};
use crate::random::{Random, mix};

/// Number of random host bits in addresses for misses.
const MISS_HOST_BITS: u32 = 64;

/// A query: enough to encode it again and to judge the answer, in 12 bytes, since one is kept for each
/// pending query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) subject: Subject,
    /// Whether it goes through a relay agent.
    pub(crate) relayed: bool,
    /// Position among the client's leases.
    pub(crate) lease: u16,
    /// Number of the client that has the lease, or that is the neighbor of a miss.
    pub(crate) client: u32,
    /// Seed of the random host bits.
    pub(crate) salt: u32,
}

impl Query {
    /// Returns the queried address; a query by client-id has none (`::`).
    pub(crate) fn address(&self, clients: &Clients) -> Ipv6Addr {
        // A query by client-id has no address to draw.
        if self.subject.is_by_client_id() {
            return Ipv6Addr::UNSPECIFIED;
        }
        let lease = clients.get(self.client).leases().nth(usize::from(self.lease));
        let Some(lease) = lease else { return Ipv6Addr::UNSPECIFIED };
        let host_bits = match (self.subject, lease.kind) {
            // Free with near certainty: 64 random bits against some thousand leases.
            (Subject::Miss, _) => MISS_HOST_BITS,
            // An address anywhere inside the prefix, as of a host behind the client.
            (Subject::Prefix, LeaseKind::Prefix(len)) => 128 - u32::from(len),
            _ => return lease.address,
        };
        let host = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
        // Drawn from the salt, so that the judge can build the same address again.
        let [high, low] = [0, 1].map(|half| mix(u64::from(self.salt) << 1 | half));
        let random = u128::from(high) << 64 | u128::from(low);
        Ipv6Addr::from_bits(lease.address.to_bits() & !host | random & host)
    }
}

/// The queries' source, shared by all threads.
#[derive(Clone, Debug)]
pub(crate) struct QuerySource<'a> {
    pub(crate) clients: &'a Clients,
    /// The mix, restricted to the subjects that the clients have ([`Mix::check`]).
    pub(crate) mix: &'a Mix,
    pub(crate) order: Order,
    /// Leases of the link that restarts, for [`Order::Reboot`].
    pub(crate) link: &'a [LeaseRef],
    /// Share of queries that go through a relay agent.
    pub(crate) relayed: f64,
    /// Whether to group queries by form, so that more of one size follow each other and leave as one send.
    pub(crate) by_form: bool,
}

/// Generator of one thread's queries: clients in the given order, and a uniform choice among those leases of
/// a client that fit the subject.
pub(crate) struct QueryGenerator<'a> {
    source: QuerySource<'a>,
    random: Random,
    /// Zipf distributions by subject, if that is the order.
    zipf: Vec<Zipf>,
    /// The link's next lease, and the distance to the one after it.
    next: usize,
    step: usize,
    /// Clients picked in advance, the last one first.
    ahead: Vec<PickedClient>,
}

/// A picked client, with the form of its query.
#[derive(Clone, Copy)]
struct PickedClient {
    subject: Subject,
    relayed: bool,
    client: u32,
    /// The lease, if the order is one of leases rather than clients.
    lease: Option<u16>,
}

impl<'a> QueryGenerator<'a> {
    /// Number of clients picked at once, so that their records are read together.
    const AHEAD: usize = 64;

    /// Makes the generator of thread `part` of `parts`: threads take the leases of a link in turn.
    pub(crate) fn new(source: QuerySource<'a>, random: Random, part: usize, parts: usize) -> Self {
        // Tables of a distribution differ by pool, so each subject has its own.
        let zipf = match source.order {
            Order::Zipf { exponent } => {
                let len = |&subject: &Subject| pool(source.clients, subject).len().max(1) as u32;
                Subject::ALL.iter().map(|subject| Zipf::new(len(subject), exponent)).collect()
            }
            _ => Vec::new(),
        };
        // Threads start one behind the other, so that the leases are dealt out in turn.
        Self { source, random, zipf, next: part, step: parts, ahead: Vec::with_capacity(Self::AHEAD) }
    }

    /// Returns the next query; `None` after the last lease of the link, if that is the order.
    pub(crate) fn next(&mut self) -> Option<Query> {
        // Clients are picked in batches, since reading their records one by one would stall.
        if self.ahead.is_empty() {
            self.pick_some();
        }
        let PickedClient { subject, relayed, client, lease } = self.ahead.pop()?;
        // A restart asks for each lease by itself; other orders draw one.
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
        // `pop` takes from the end.
        self.ahead.reverse();
        if self.source.by_form {
            // Equal sizes follow each other, as one send needs them.
            self.ahead.sort_by_key(|picked| (picked.relayed, picked.subject.is_by_client_id()));
        }
        // Their cache misses overlap, instead of stalling each query.
        self.source.clients.warm(self.ahead.iter().map(|picked| picked.client));
    }

    fn next_of_link(&mut self) -> Option<PickedClient> {
        // The link's leases are through, and so is the load.
        let &LeaseRef { client, lease } = self.source.link.get(self.next)?;
        self.next += self.step;
        let kind = self.source.clients.get(client).leases().nth(usize::from(lease))?.kind;
        let subject = if kind == LeaseKind::Address { Subject::Address } else { Subject::Prefix };
        Some(PickedClient { subject, relayed: self.is_relayed(), client, lease: Some(lease) })
    }

    fn any(&mut self) -> PickedClient {
        let subject = self.source.mix.draw(&mut self.random);
        let pool = pool(self.source.clients, subject);
        let number = match self.zipf.get(subject as usize) {
            Some(zipf) => zipf.draw(&mut self.random),
            None => self.random.below(pool.len() as u64) as u32,
        };
        PickedClient { subject, relayed: self.is_relayed(), client: pool.start + number, lease: None }
    }

    fn is_relayed(&mut self) -> bool {
        // Without relayed queries no random number is consumed, so the stream stays the same.
        self.source.relayed > 0.0 && self.random.happens(self.source.relayed)
    }

    /// Draws one of the client's leases that fit; the first if none does, for clients of which only the DUID
    /// is known.
    fn lease(&mut self, client: u32, subject: Subject) -> u16 {
        let fits = |lease: &Lease| match subject {
            Subject::Address | Subject::Miss => lease.kind == LeaseKind::Address,
            Subject::Prefix => lease.kind != LeaseKind::Address,
            Subject::ClientId | Subject::UnknownLink => true,
        };
        let leases =
            || (0..=u16::MAX).zip(self.source.clients.get(client).leases()).filter(|(_, lease)| fits(lease));
        let count = leases().count() as u64;
        // No random number is consumed for the common single lease.
        let drawn = if count > 1 { self.random.below(count) as usize } else { 0 };
        // A list has no leases, so the first position stands for the client.
        leases().nth(drawn).map_or(0, |(number, _)| number)
    }
}

/// Numbers of the clients that have such a subject.
fn pool(clients: &Clients, subject: Subject) -> Range<u32> {
    match subject {
        Subject::Address | Subject::Miss => clients.with_address(),
        Subject::Prefix => clients.with_prefix(),
        Subject::ClientId | Subject::UnknownLink => clients.with_duid(),
    }
}

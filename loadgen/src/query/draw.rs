//! Drawing the next query.

use std::net::Ipv6Addr;

use super::mix::{Mix, Subject};
use crate::leases::{Clients, Kind, Lease};
use crate::random::Random;

/// Host bits of the subnets that misses are drawn from.
const MISS_HOST_BITS: u32 = 64;

/// What was asked: enough to judge the answer, in 8 octets, as there is one for each query under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) subject: Subject,
    /// Which of the client's leases.
    pub(crate) lease: u16,
    /// Number of the client whose lease it is, or next to whose lease a miss lies.
    pub(crate) client: u32,
}

/// Draws clients uniformly, and uniformly among those leases of a client that fit the subject.
pub(crate) struct Draw<'a> {
    clients: &'a Clients,
    mix: &'a Mix,
    random: Random,
}

impl<'a> Draw<'a> {
    /// `mix` asks only for what `clients` have ([`Mix::check`]).
    pub(crate) fn new(clients: &'a Clients, mix: &'a Mix, random: Random) -> Self {
        Self { clients, mix, random }
    }

    /// The next query, and the address it asks for; a query by client-id asks for none (`::`).
    pub(crate) fn next(&mut self) -> (Query, Ipv6Addr) {
        let subject = self.mix.draw(&mut self.random);
        let pool = match subject {
            Subject::Address | Subject::Miss => self.clients.with_address(),
            Subject::Prefix => self.clients.with_prefix(),
            Subject::ClientId => 0..self.clients.len(),
        };
        let client = pool.start + self.random.below(u64::from(pool.end - pool.start)) as u32;
        let (number, lease) = self.lease(client, subject);
        let host_bits = match (subject, lease.kind) {
            (Subject::Miss, _) => MISS_HOST_BITS,
            (Subject::Prefix, Kind::Prefix(len)) => 128 - u32::from(len),
            _ => 0,
        };
        let address = match subject {
            Subject::ClientId => Ipv6Addr::UNSPECIFIED,
            _ => self.with_random_host(lease.address, host_bits),
        };
        (Query { subject, lease: number, client }, address)
    }

    /// One of the client's leases that fits.
    fn lease(&mut self, client: u32, subject: Subject) -> (u16, Lease) {
        let fits = |lease: &Lease| match subject {
            Subject::Address | Subject::Miss => lease.kind == Kind::Address,
            Subject::Prefix => lease.kind != Kind::Address,
            Subject::ClientId => true,
        };
        let leases =
            || (0..=u16::MAX).zip(self.clients.get(client).leases()).filter(|(_, lease)| fits(lease));
        let count = leases().count() as u64;
        let drawn = if count > 1 { self.random.below(count) as usize } else { 0 };
        leases().nth(drawn).expect("clients are drawn from those that have such a lease")
    }

    fn with_random_host(&mut self, address: Ipv6Addr, host_bits: u32) -> Ipv6Addr {
        let host = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
        let random = u128::from(self.random.next()) << 64 | u128::from(self.random.next());
        Ipv6Addr::from_bits(address.to_bits() & !host | random & host)
    }
}

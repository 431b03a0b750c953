//! Options that the DHCP server's configuration gives to a client, derived from its newest leases.
//!
//! The client's last message renewed all leases of the newest time. The server takes an option from the pool
//! of one of them, else from the subnet. Where two pools, or two subnets of a shared network, give different
//! values, or a reservation may, the leases do not show which value was sent, and the option is left out.

use lqd_index::{Binding, Client, Links, PoolOptions, SubnetOptions};
use lqd_wire::{OptionCode, Options};

/// Most pools, and most subnets, that are compared; a client with more gets no configured option.
const SOURCES_MAX: usize = 4;

/// The configured options of one client.
pub(crate) struct Configured<'a> {
    subnets: [Option<&'a SubnetOptions>; SOURCES_MAX],
    pools: [Option<&'a PoolOptions>; SOURCES_MAX],
    /// Codes in the client's reservations, by subnet: those in the subnet, and the global ones.
    reserved: [[&'a [u16]; 2]; SOURCES_MAX],
    /// Whether there are too many pools or subnets, or a lease is outside its subnet.
    is_ambiguous: bool,
}

impl<'a> Configured<'a> {
    pub(crate) fn new() -> Self {
        Self {
            subnets: [None; SOURCES_MAX],
            pools: [None; SOURCES_MAX],
            reserved: [[&[]; 2]; SOURCES_MAX],
            is_ambiguous: false,
        }
    }

    /// Adds one of the newest leases of `client`.
    pub(crate) fn add(&mut self, links: &'a Links, client: Client<'a>, binding: &Binding) {
        let Some(subnet) = links.options_of(binding.subnet_id, binding.address, binding.kind) else {
            // Outside its subnet, the options that the server chose are unknown.
            self.is_ambiguous = true;
            return;
        };
        match insert(&mut self.subnets, subnet) {
            Inserted::Already => {}
            Inserted::At(position) => self.reserved[position] = subnet.reserved(client),
            Inserted::Full => self.is_ambiguous = true,
        }
        if let Some(pool) = subnet.pool(binding.kind, binding.address) {
            self.is_ambiguous |= matches!(insert(&mut self.pools, pool), Inserted::Full);
        }
    }

    /// Returns the values of an option; several if it may be repeated.
    pub(crate) fn values(&self, code: OptionCode) -> impl Iterator<Item = &'a [u8]> {
        values(self.source(code).unwrap_or_default(), code)
    }

    /// Returns the options of the pool or subnet that gave this one, if all candidates agree.
    fn source(&self, code: OptionCode) -> Option<&'a [u8]> {
        let subnets = || self.subnets.iter().flatten();
        // A reservation may override the option, with a value that is not known here.
        if self.is_ambiguous || self.reserved.as_flattened().iter().any(|codes| codes.contains(&code.0)) {
            return None;
        }
        let mut pools = self.pools.iter().flatten().filter(|pool| has(pool, code));
        // A pool overrides the subnet; pools with different values leave the option open.
        if let Some(first) = pools.next() {
            let is_clear =
                !first.hidden.contains(&code.0) && pools.all(|pool| same(&first.given, &pool.given, code));
            return is_clear.then_some(&first.given);
        }
        let first = subnets().next()?;
        subnets().all(|subnet| same(&first.given, &subnet.given, code)).then_some(&first.given)
    }
}

/// The result of [`insert`].
enum Inserted {
    Already,
    At(usize),
    Full,
}

/// Inserts `source` unless it is in the set.
fn insert<'a, T>(sources: &mut [Option<&'a T>], source: &'a T) -> Inserted {
    for (position, slot) in sources.iter_mut().enumerate() {
        match slot {
            // Each pool and subnet exists once, so its address identifies it.
            Some(other) if std::ptr::eq(*other, source) => return Inserted::Already,
            Some(_) => {}
            None => {
                *slot = Some(source);
                return Inserted::At(position);
            }
        }
    }
    Inserted::Full
}

fn has(pool: &PoolOptions, code: OptionCode) -> bool {
    pool.hidden.contains(&code.0) || values(&pool.given, code).next().is_some()
}

fn same(a: &[u8], b: &[u8], code: OptionCode) -> bool {
    values(a, code).eq(values(b, code))
}

fn values(options: &[u8], code: OptionCode) -> impl Iterator<Item = &[u8]> {
    let all = Options::new(options).map_while(Result::ok);
    all.filter(move |&(other, _)| other == code).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An option with a value of one octet.
    fn option(code: u8, value: u8) -> Vec<u8> {
        vec![0, code, 0, 1, value]
    }

    fn pool(given: Vec<u8>, hidden: &[u16]) -> PoolOptions {
        PoolOptions {
            first: "::".parse().unwrap(),
            last: "::".parse().unwrap(),
            given,
            hidden: hidden.to_vec(),
        }
    }

    fn subnet(given: Vec<u8>) -> SubnetOptions {
        SubnetOptions { given, ..SubnetOptions::default() }
    }

    fn value(subnets: &[&SubnetOptions], pools: &[&PoolOptions], reserved: &[u16]) -> Option<u8> {
        let mut configured = Configured::new();
        for subnet in subnets {
            configured.is_ambiguous |= matches!(insert(&mut configured.subnets, subnet), Inserted::Full);
        }
        for pool in pools {
            configured.is_ambiguous |= matches!(insert(&mut configured.pools, pool), Inserted::Full);
        }
        configured.reserved[0][1] = reserved;
        configured.values(OptionCode(7)).next().map(|value| value[0])
    }

    #[test]
    fn a_pool_overrides_the_subnet_and_a_reservation_hides_both() {
        let seven = subnet(option(7, 1));
        let (own, other, hidden) = (pool(option(7, 2), &[]), pool(option(8, 2), &[]), pool(vec![], &[7]));
        assert_eq!(value(&[&seven], &[], &[]), Some(1));
        assert_eq!(value(&[&seven], &[&own], &[]), Some(2));
        assert_eq!(value(&[&seven], &[&other], &[]), Some(1));
        assert_eq!(value(&[&seven], &[&other, &own], &[]), Some(2));
        assert_eq!(value(&[&seven], &[&hidden], &[]), None);
        assert_eq!(value(&[&seven], &[&own], &[8]), Some(2));
        assert_eq!(value(&[&seven], &[&own], &[8, 7]), None);
        assert_eq!(value(&[], &[], &[]), None);
    }

    #[test]
    fn contradictory_leases_give_no_option() {
        let (one, same, two) = (subnet(option(7, 1)), subnet(option(7, 1)), subnet(option(7, 2)));
        assert_eq!(value(&[&one, &same, &one], &[], &[]), Some(1));
        assert_eq!(value(&[&one, &two], &[], &[]), None);
        assert_eq!(value(&[&one, &subnet(vec![])], &[], &[]), None);
        let (a, b, hidden) = (pool(option(7, 3), &[]), pool(option(7, 4), &[]), pool(vec![], &[7]));
        assert_eq!(value(&[&one], &[&a, &b], &[]), None);
        assert_eq!(value(&[&one], &[&a, &hidden], &[]), None);
        assert_eq!(value(&[&one, &two], &[&a], &[]), Some(3), "the pool's, whichever subnet it was");
        let many: Vec<_> = (0..=SOURCES_MAX).map(|_| subnet(option(7, 1))).collect();
        assert_eq!(value(&many.iter().collect::<Vec<_>>(), &[], &[]), None, "more than are compared");
    }
}

//! Options that the server's configuration gives to a client, judged by its newest leases.
//!
//! The last message of the client brought all leases of the newest time. For these the server takes an option from
//! the pool of one of them, else from the subnet. Where two pools, or two subnets of a shared network, give it
//! different values, or a reservation may, the leases do not tell which one was sent: then there is no answer.

use lqd_index::{Binding, Client, Links, PoolOptions, SubnetOptions};
use lqd_wire::{OptionCode, Options};

/// Pools and subnets of one client's newest leases that are compared; a client with more gets no configured option.
const SOURCES_MAX: usize = 4;

/// The configured options of one client.
pub(crate) struct Configured<'a> {
    subnets: [Option<&'a SubnetOptions>; SOURCES_MAX],
    pools: [Option<&'a PoolOptions>; SOURCES_MAX],
    /// Codes of the client's reservations by subnet, in the subnet and for all.
    reserved: [[&'a [u16]; 2]; SOURCES_MAX],
    /// There are more pools or subnets than places, or a lease outside its subnet.
    unclear: bool,
}

impl<'a> Configured<'a> {
    pub(crate) fn new() -> Self {
        Self {
            subnets: [None; SOURCES_MAX],
            pools: [None; SOURCES_MAX],
            reserved: [[&[]; 2]; SOURCES_MAX],
            unclear: false,
        }
    }

    /// Adds one of the newest leases of `client`.
    pub(crate) fn add(&mut self, links: &'a Links, client: Client<'a>, binding: &Binding) {
        let Some(subnet) = links.options_of(binding.subnet_id, binding.address, binding.kind) else {
            self.unclear = true;
            return;
        };
        match place(&mut self.subnets, subnet) {
            Place::Known => {}
            Place::New(at) => self.reserved[at] = subnet.reserved(client),
            Place::None => self.unclear = true,
        }
        if let Some(pool) = subnet.pool(binding.kind, binding.address) {
            self.unclear |= matches!(place(&mut self.pools, pool), Place::None);
        }
    }

    /// The values of an option, several only for those that may come several times.
    pub(crate) fn values(&self, code: OptionCode) -> impl Iterator<Item = &'a [u8]> {
        values(self.source(code).unwrap_or_default(), code)
    }

    /// The options among which the one that was sent is.
    fn source(&self, code: OptionCode) -> Option<&'a [u8]> {
        let subnets = || self.subnets.iter().flatten();
        if self.unclear || self.reserved.as_flattened().iter().any(|codes| codes.contains(&code.0)) {
            return None;
        }
        let mut pools = self.pools.iter().flatten().filter(|pool| has(pool, code));
        if let Some(first) = pools.next() {
            let clear =
                !first.hidden.contains(&code.0) && pools.all(|pool| same(&first.given, &pool.given, code));
            return clear.then_some(&first.given);
        }
        let first = subnets().next()?;
        subnets().all(|subnet| same(&first.given, &subnet.given, code)).then_some(&first.given)
    }
}

/// Where a source of options was put.
enum Place {
    Known,
    New(usize),
    None,
}

/// Puts `source` in, once.
fn place<'a, T>(places: &mut [Option<&'a T>], source: &'a T) -> Place {
    for (at, place) in places.iter_mut().enumerate() {
        match place {
            Some(other) if std::ptr::eq(*other, source) => return Place::Known,
            Some(_) => {}
            None => {
                *place = Some(source);
                return Place::New(at);
            }
        }
    }
    Place::None
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

    /// A wire option of one octet.
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
            configured.unclear |= matches!(place(&mut configured.subnets, subnet), Place::None);
        }
        for pool in pools {
            configured.unclear |= matches!(place(&mut configured.pools, pool), Place::None);
        }
        configured.reserved[0][1] = reserved;
        configured.values(OptionCode(7)).next().map(|value| value[0])
    }

    #[test]
    fn the_pool_goes_before_the_subnet_and_a_reservation_hides_both() {
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
    fn leases_that_contradict_one_another_give_no_option() {
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

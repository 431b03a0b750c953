//! The order of queries: clients by a distribution, or the leases of one link as after a restart.

use crate::error::Error;
use crate::leases::{Clients, LeaseKind};
use crate::random::{Random, shuffle};
use crate::value::ValueError;

/// Value of `--order`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Order {
    /// Each client as often as any other.
    Uniform,
    /// The n-th most popular client in proportion to n^-exponent, with a random ranking of clients.
    Zipf { exponent: f64 },
    /// Each lease of one link once, by address, as from an access concentrator that has restarted.
    Reboot,
}

impl std::str::FromStr for Order {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        const USUAL_EXPONENT: f64 = 1.0;
        match text {
            "uniform" => Ok(Self::Uniform),
            "zipf" => Ok(Self::Zipf { exponent: USUAL_EXPONENT }),
            // Extreme exponents leave the precision of a double.
            "reboot" => Ok(Self::Reboot),
            _ => text
                .strip_prefix("zipf=")
                .and_then(|exponent| exponent.parse().ok())
                .filter(|exponent| (0.1..=10.0).contains(exponent))
                .map(|exponent| Self::Zipf { exponent })
                .ok_or(ValueError::Order),
        }
    }
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Zipf { exponent } => write!(f, "zipf={exponent}"),
            Self::Reboot => f.write_str("reboot"),
        }
    }
}

/// A lease: number of the client, and position among its leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeaseRef {
    pub(crate) client: u32,
    pub(crate) lease: u16,
}

/// Returns the leases of one subnet sorted by address, addresses before prefixes.
///
/// Without `subnet_id`, that of the subnet with the most leases. A lease file does not tell which subnets
/// share a link, so a link is a subnet here.
pub(crate) fn of_link(clients: &Clients, subnet_id: Option<u32>) -> Result<Vec<LeaseRef>, Error> {
    let subnet_id = match subnet_id {
        Some(subnet_id) => subnet_id,
        None => largest_subnet(clients),
    };
    let mut found = Vec::new();
    // Positions beyond u16 cannot be named by a query.
    for client in 0..clients.len() {
        for (lease, known) in (0..=u16::MAX).zip(clients.get(client).leases()) {
            if known.subnet_id == subnet_id {
                // `false` sorts first: addresses before prefixes.
                found.push(((known.kind != LeaseKind::Address, known.address), LeaseRef { client, lease }));
            }
        }
    }
    // A wrong id is named, as an empty order would end at once.
    if found.is_empty() {
        return Err(Error::Link(subnet_id));
    }
    found.sort_unstable_by_key(|&(key, _)| key);
    Ok(found.into_iter().map(|(_, place)| place).collect())
}

fn largest_subnet(clients: &Clients) -> u32 {
    let mut sizes = std::collections::HashMap::<u32, u64>::new();
    for client in 0..clients.len() {
        for lease in clients.get(client).leases() {
            *sizes.entry(lease.subnet_id).or_default() += 1;
        }
    }
    // The lowest id among equals, so that the same file gives the same order.
    let largest = sizes.into_iter().max_by_key(|&(id, size)| (size, std::cmp::Reverse(id)));
    largest.map_or(0, |(id, _)| id)
}

/// Zipf distribution over 0 to `len` - 1, by rejection-inversion (Hörmann, Derflinger 1996): no table, and at
/// most 1.1 tries per number.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    len: u32,
    exponent: f64,
    /// Integrals of the hat function up to the ends of the first and the last rank.
    first: f64,
    last: f64,
    /// Distance from the rank below which a number is accepted at once.
    sure: f64,
}

impl Zipf {
    /// Makes a distribution with `len` ≥ 1 and `exponent` > 0.
    pub(super) fn new(len: u32, exponent: f64) -> Self {
        let mut zipf = Self { len, exponent, first: 0.0, last: 0.0, sure: 0.0 };
        zipf.first = zipf.integral(1.5) - 1.0;
        zipf.last = zipf.integral(f64::from(len) + 0.5);
        // Accepted without the second test below this distance, which is most often.
        zipf.sure = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.hat(2.0));
        zipf
    }

    /// Draws a client by rank; clients of neighboring ranks are far apart.
    pub(super) fn draw(&self, random: &mut Random) -> u32 {
        // The shuffle permutes 2^bits numbers, fewer than twice `len`.
        let bits = u32::BITS - (self.len - 1).leading_zeros();
        let mut place = u64::from(self.rank(random) - 1);
        // A position beyond the end follows its cycle, which leads back below the end and stays one to one.
        loop {
            place = shuffle(place, bits, u64::from(self.len));
            if place < u64::from(self.len) {
                return place as u32;
            }
        }
    }

    /// Draws a rank from 1.
    fn rank(&self, random: &mut Random) -> u32 {
        loop {
            let x = self.last + random.unit() * (self.first - self.last);
            let near = self.inverse(x);
            // Rounding may leave the range at either end.
            let rank = near.round().clamp(1.0, f64::from(self.len));
            if rank - near <= self.sure || x >= self.integral(rank + 0.5) - self.hat(rank) {
                return rank as u32;
            }
        }
    }

    fn hat(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// Integral of the hat function: (x^(1-s) - 1) / (1-s), which is ln x at s = 1.
    fn integral(&self, x: f64) -> f64 {
        let ln = x.ln();
        // Close to s = 1 the quotient cancels; its Taylor series does not.
        let t = (1.0 - self.exponent) * ln;
        if t.abs() < 1e-8 { ln * (1.0 + t / 2.0) } else { ln * t.exp_m1() / t }
    }

    fn inverse(&self, x: f64) -> f64 {
        let t = (x * (1.0 - self.exponent)).max(-1.0);
        if t.abs() < 1e-8 { (x * (1.0 - t / 2.0)).exp() } else { (x * t.ln_1p() / t).exp() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    #[test]
    fn zipf_ranks_have_their_probabilities() {
        for exponent in [0.7, 1.0, 1.5] {
            let zipf = Zipf::new(10, exponent);
            let sum: f64 = (1..=10).map(|rank| f64::from(rank).powf(-exponent)).sum();
            let mut random = Random::new(5);
            let mut counts = HashMap::new();
            // The seed is fixed, so a failure repeats.
            for _ in 0..100_000 {
                *counts.entry(zipf.rank(&mut random)).or_insert(0.0) += 1e-5;
            }
            for rank in 1..=10 {
                let expected = f64::from(rank).powf(-exponent) / sum;
                assert!((counts[&rank] - expected).abs() < 0.01, "s {exponent}, rank {rank}: {counts:?}");
            }
        }
    }

    #[test]
    fn ranks_belong_to_different_clients() {
        for len in [1, 2, 3, 100] {
            let zipf = Zipf::new(len, 0.2);
            let mut random = Random::new(6);
            let drawn: HashSet<u32> = (0..20_000).map(|_| zipf.draw(&mut random)).collect();
            assert_eq!(drawn, (0..len).collect());
        }
    }

    #[test]
    fn orders_are_read_and_written() {
        for text in ["uniform", "zipf=1.2", "reboot"] {
            assert_eq!(text.parse::<Order>().unwrap().to_string(), text);
        }
        assert_eq!("zipf".parse(), Ok(Order::Zipf { exponent: 1.0 }));
        for text in ["", "zipf=", "zipf=0", "zipf=NaN", "reboots"] {
            assert!(text.parse::<Order>().is_err(), "{text}");
        }
    }
}

//! Of whom is asked next: the clients in some order, or the leases of one link as a restart asks for them.

use crate::fault::Fault;
use crate::leases::{Clients, Kind};
use crate::random::{Random, shuffle};

/// The `--order` flag.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Order {
    /// Every client as often as any other.
    Uniform,
    /// The n-th most popular client in proportion to n^-exponent; who is popular follows from nothing else.
    Zipf { exponent: f64 },
    /// Every lease of one link once, by address: an access concentrator that has restarted asks so.
    Reboot,
}

impl std::str::FromStr for Order {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const USUAL_EXPONENT: f64 = 1.0;
        match text {
            "uniform" => Ok(Self::Uniform),
            "zipf" => Ok(Self::Zipf { exponent: USUAL_EXPONENT }),
            "reboot" => Ok(Self::Reboot),
            _ => text
                .strip_prefix("zipf=")
                .and_then(|exponent| exponent.parse().ok())
                .filter(|exponent| (0.1..=10.0).contains(exponent))
                .map(|exponent| Self::Zipf { exponent })
                .ok_or("must be uniform, zipf, zipf=EXPONENT (0.1 to 10) or reboot"),
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

/// A lease: number of the client, and which of its leases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) client: u32,
    pub(crate) lease: u16,
}

/// The leases of one subnet by their addresses, addresses before prefixes.
///
/// `subnet_id`, or without it the subnet with the most leases. Which subnets share a link is not in a lease
/// file, so a link is a subnet here.
pub(crate) fn of_link(clients: &Clients, subnet_id: Option<u32>) -> Result<Vec<Place>, Fault> {
    let subnet_id = match subnet_id {
        Some(subnet_id) => subnet_id,
        None => largest_subnet(clients),
    };
    let mut found = Vec::new();
    for client in 0..clients.len() {
        for (lease, known) in (0..=u16::MAX).zip(clients.get(client).leases()) {
            if known.subnet_id == subnet_id {
                found.push(((known.kind != Kind::Address, known.address), Place { client, lease }));
            }
        }
    }
    if found.is_empty() {
        return Err(Fault::Link(subnet_id));
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

/// Draws from 0 to `len` - 1 by Zipf's law.
///
/// Rejection-inversion (Hörmann, Derflinger 1996): no table, and 1.1 tries a number at most.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    len: u32,
    exponent: f64,
    /// Integrals of the hat up to the first rank's and the last rank's end.
    first: f64,
    last: f64,
    /// Below this distance from the rank no second look is needed.
    sure: f64,
}

impl Zipf {
    /// `len` ≥ 1, `exponent` > 0.
    pub(super) fn new(len: u32, exponent: f64) -> Self {
        let mut zipf = Self { len, exponent, first: 0.0, last: 0.0, sure: 0.0 };
        zipf.first = zipf.integral(1.5) - 1.0;
        zipf.last = zipf.integral(f64::from(len) + 0.5);
        zipf.sure = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.hat(2.0));
        zipf
    }

    /// A rank by its probability, and whose rank that is: neighbours in rank lie nowhere near each other.
    pub(super) fn draw(&self, random: &mut Random) -> u32 {
        let bits = u32::BITS - (self.len - 1).leading_zeros();
        let mut place = u64::from(self.rank(random) - 1);
        // What falls beyond the end goes on along its cycle, which leads back below it: still one to one.
        loop {
            place = shuffle(place, bits, u64::from(self.len));
            if place < u64::from(self.len) {
                return place as u32;
            }
        }
    }

    /// A rank from 1.
    fn rank(&self, random: &mut Random) -> u32 {
        loop {
            let x = self.last + random.unit() * (self.first - self.last);
            let near = self.inverse(x);
            let rank = near.round().clamp(1.0, f64::from(self.len));
            if rank - near <= self.sure || x >= self.integral(rank + 0.5) - self.hat(rank) {
                return rank as u32;
            }
        }
    }

    fn hat(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// Integral of the hat: (x^(1-s) - 1) / (1-s), which is ln x at s = 1.
    fn integral(&self, x: f64) -> f64 {
        let ln = x.ln();
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
    fn zipf_has_its_probabilities() {
        for exponent in [0.7, 1.0, 1.5] {
            let zipf = Zipf::new(10, exponent);
            let sum: f64 = (1..=10).map(|rank| f64::from(rank).powf(-exponent)).sum();
            let mut random = Random::new(5);
            let mut counts = HashMap::new();
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

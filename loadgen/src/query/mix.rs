//! Of what kinds the queries are, and how many of each.

use crate::fault::Fault;
use crate::leases::Clients;
use crate::random::Random;

/// Declares the subjects: variant, name in `--mix` and reports.
macro_rules! subjects {
    ($($(#[$doc:meta])* $subject:ident = $name:literal;)+) => {
        /// What a query is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Subject { $($(#[$doc])* $subject,)+ }

        impl Subject {
            pub(crate) const ALL: &[Self] = &[$(Self::$subject,)+];

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$subject => $name,)+ }
            }
        }
    };
}

subjects! {
    /// By address, a leased one.
    Address = "address";
    /// By address, one with random host bits inside a delegated prefix.
    Prefix = "prefix";
    /// By client-id, on all links.
    ClientId = "client-id";
    /// By address, a free one: random host bits in the /64 of a leased one.
    Miss = "miss";
    /// By client-id, on a link that the server does not have.
    UnknownLink = "unknown-link";
}

impl Subject {
    /// Whether a query names a DUID, and not an address.
    pub(crate) fn is_by_client_id(self) -> bool {
        matches!(self, Self::ClientId | Self::UnknownLink)
    }
}

/// Shares of the subjects; their sum is 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mix {
    shares: Vec<(Subject, f64)>,
}

impl std::str::FromStr for Mix {
    type Err = String;

    /// Reads `address=3,miss=1`: weights of any sum.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut weights: Vec<(Subject, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) =
                part.split_once('=').ok_or_else(|| format!("{part:?} is not SUBJECT=WEIGHT"))?;
            let Some(&subject) = Subject::ALL.iter().find(|subject| subject.name() == name) else {
                let names: Vec<_> = Subject::ALL.iter().map(|subject| subject.name()).collect();
                return Err(format!("{name:?} is none of {}", names.join(", ")));
            };
            if weights.iter().any(|&(other, _)| other == subject) {
                return Err(format!("{name} is given twice"));
            }
            match weight.parse::<f64>() {
                Ok(weight) if (0.0..=1e9).contains(&weight) => weights.push((subject, weight)),
                _ => return Err(format!("{weight:?} is not a weight from 0 to 1000000000")),
            }
        }
        Self::of(weights).ok_or_else(|| "all weights are 0".to_owned())
    }
}

impl Mix {
    fn of(mut weights: Vec<(Subject, f64)>) -> Option<Self> {
        weights.retain(|&(_, weight)| weight > 0.0);
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let shares = weights.into_iter().map(|(subject, weight)| (subject, weight / sum)).collect();
        (sum > 0.0).then_some(Self { shares })
    }

    /// Addresses, prefixes and client-ids in equal parts, as far as the leases have them.
    pub(crate) fn usual(clients: &Clients) -> Self {
        let pools = [
            (Subject::Address, clients.with_address()),
            (Subject::Prefix, clients.with_prefix()),
            (Subject::ClientId, clients.with_duid()),
        ];
        let shares: Vec<_> = pools
            .into_iter()
            .filter(|(_, pool)| !pool.is_empty())
            .map(|(subject, _)| (subject, 1.0))
            .collect();
        let sum = shares.len() as f64;
        Self { shares: shares.into_iter().map(|(subject, weight)| (subject, weight / sum)).collect() }
    }

    /// Checks that the leases have what is to be asked for.
    pub(crate) fn check(&self, clients: &Clients) -> Result<(), Fault> {
        for &(subject, _) in &self.shares {
            let (pool, needed) = match subject {
                Subject::Address | Subject::Miss => (clients.with_address(), "an address (IA_NA)"),
                Subject::Prefix => (clients.with_prefix(), "a prefix (IA_PD)"),
                Subject::ClientId | Subject::UnknownLink => (clients.with_duid(), "of a known DUID"),
            };
            if pool.is_empty() {
                return Err(Fault::Mix { asked: subject.name(), needed });
            }
        }
        Ok(())
    }

    /// Subjects and their shares, 0 to 1.
    pub(crate) fn shares(&self) -> &[(Subject, f64)] {
        &self.shares
    }

    /// Draws a subject.
    pub(super) fn draw(&self, random: &mut Random) -> Subject {
        let mut rest = random.unit();
        for &(subject, share) in &self.shares {
            if rest < share {
                return subject;
            }
            rest -= share;
        }
        // Shares that add up to a rounding error less than 1.
        self.shares[self.shares.len() - 1].0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_become_shares() {
        let mix: Mix = "address=3,miss=1,prefix=0".parse().unwrap();
        assert_eq!(mix.shares(), [(Subject::Address, 0.75), (Subject::Miss, 0.25)]);
        let mut random = Random::new(1);
        let misses = (0..10_000).filter(|_| mix.draw(&mut random) == Subject::Miss).count();
        assert!((2_300..2_700).contains(&misses), "{misses} of 10,000");
    }

    #[test]
    fn refusals_say_why() {
        for (text, why) in [
            ("", "is not SUBJECT=WEIGHT"),
            ("address", "is not SUBJECT=WEIGHT"),
            ("adress=1", "is none of address, prefix, client-id, miss, unknown-link"),
            ("address=1,address=2", "given twice"),
            ("address=-1", "not a weight"),
            ("address=NaN", "not a weight"),
            ("address=0,miss=0", "all weights are 0"),
        ] {
            let fault = text.parse::<Mix>().unwrap_err();
            assert!(fault.contains(why), "{text}: {fault}");
        }
    }
}

//! The subjects of queries, and their shares.

use crate::error::Error;
use crate::leases::Clients;
use crate::random::Random;

/// Declares the subjects: variant, and name in `--mix` and reports.
macro_rules! subjects {
    ($($(#[$doc:meta])* $subject:ident = $name:literal;)+) => {
        /// The subject of a query.
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
    /// A leased address.
    Address = "address";
    /// A random address inside a delegated prefix.
    Prefix = "prefix";
    /// A client-id, on every link.
    ClientId = "client-id";
    /// A free address, random in the /64 of a leased one.
    Miss = "miss";
    /// A client-id, on a link that the server does not have.
    UnknownLink = "unknown-link";
}

impl Subject {
    /// Whether the query names a DUID rather than an address.
    pub(crate) fn is_by_client_id(self) -> bool {
        matches!(self, Self::ClientId | Self::UnknownLink)
    }
}

/// Shares of the subjects, with sum 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mix {
    shares: Vec<(Subject, f64)>,
}

/// An error in a mix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MixError {
    #[error("{0:?} is not SUBJECT=WEIGHT")]
    Form(String),
    #[error("{name:?} is none of {}", Subject::ALL.iter().map(|subject| subject.name()).collect::<Vec<_>>().join(", "))]
    Subject { name: String },
    #[error("{} is given twice", .0.name())]
    Twice(Subject),
    #[error("{0:?} is not a weight from 0 to 1000000000")]
    Weight(String),
    #[error("all weights are 0")]
    Zero,
}

impl std::str::FromStr for Mix {
    type Err = MixError;

    /// Parses `address=3,miss=1`: weights of any sum.
    fn from_str(text: &str) -> Result<Self, MixError> {
        let mut weights: Vec<(Subject, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').ok_or_else(|| MixError::Form(part.to_owned()))?;
            let Some(&subject) = Subject::ALL.iter().find(|subject| subject.name() == name) else {
                return Err(MixError::Subject { name: name.to_owned() });
            };
            // The sum of two weights would be a guess.
            if weights.iter().any(|&(other, _)| other == subject) {
                return Err(MixError::Twice(subject));
            }
            match weight.parse::<f64>() {
                // NaN is in no range, so it is refused here.
                Ok(weight) if (0.0..=1e9).contains(&weight) => weights.push((subject, weight)),
                _ => return Err(MixError::Weight(weight.to_owned())),
            }
        }
        Self::of(weights).ok_or(MixError::Zero)
    }
}

impl Mix {
    fn of(mut weights: Vec<(Subject, f64)>) -> Option<Self> {
        // Kept out before the check, so that it asks for nothing.
        // A subject of weight 0 needs no leases.
        weights.retain(|&(_, weight)| weight > 0.0);
        let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
        let shares = weights.into_iter().map(|(subject, weight)| (subject, weight / sum)).collect();
        (sum > 0.0).then_some(Self { shares })
    }

    /// Returns equal shares of addresses, prefixes and client-ids, as far as the leases have them.
    pub(crate) fn usual(clients: &Clients) -> Self {
        let pools = [
            (Subject::Address, clients.with_address()),
            (Subject::Prefix, clients.with_prefix()),
            (Subject::ClientId, clients.with_duid()),
        ];
        let shares: Vec<_> = pools
            .into_iter()
            // A subject without leases would have nothing to draw.
            .filter(|(_, pool)| !pool.is_empty())
            .map(|(subject, _)| (subject, 1.0))
            .collect();
        let sum = shares.len() as f64;
        Self { shares: shares.into_iter().map(|(subject, weight)| (subject, weight / sum)).collect() }
    }

    /// Checks that the leases have every subject of the mix.
    pub(crate) fn check(&self, clients: &Clients) -> Result<(), Error> {
        for &(subject, _) in &self.shares {
            let (pool, needed) = match subject {
                Subject::Address | Subject::Miss => (clients.with_address(), "an address (IA_NA)"),
                Subject::Prefix => (clients.with_prefix(), "a prefix (IA_PD)"),
                Subject::ClientId | Subject::UnknownLink => (clients.with_duid(), "of a known DUID"),
            };
            // Named before the load, as it would run without this subject.
            if pool.is_empty() {
                return Err(Error::Mix { asked: subject.name(), needed });
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
        // Shares are few, so a walk is faster than a search.
        for &(subject, share) in &self.shares {
            if rest < share {
                return subject;
            }
            rest -= share;
        }
        // The shares may add up to a rounding error less than 1.
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
    fn errors_name_the_cause() {
        for (text, why) in [
            ("", "is not SUBJECT=WEIGHT"),
            ("address", "is not SUBJECT=WEIGHT"),
            ("adress=1", "is none of address, prefix, client-id, miss, unknown-link"),
            ("address=1,address=2", "given twice"),
            ("address=-1", "not a weight"),
            ("address=NaN", "not a weight"),
            ("address=0,miss=0", "all weights are 0"),
        ] {
            let error = text.parse::<Mix>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}

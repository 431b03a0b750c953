//! The bindings that a follower knows, with their number and digest.

use std::collections::HashMap;
use std::fmt;

use ring::digest::{SHA256, digest};

use crate::{AddressOrPrefix, Duid};

/// Digest of a set of bindings: the sum, modulo 2^128, of one number for each of them.
///
/// The number of a binding is the first 16 octets, in network byte order, of SHA-256 over the length of the
/// client's DUID (one octet), the DUID, the prefix length (one octet, 128 for an address) and the address (16
/// octets). Order does not matter, and lifetimes do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Digest(pub u128);

impl Digest {
    /// Adds a binding.
    pub fn insert(&mut self, client: &Duid, resource: AddressOrPrefix) {
        self.0 = self.0.wrapping_add(number(client, resource));
    }

    /// Removes a binding that was added.
    pub fn remove(&mut self, client: &Duid, resource: AddressOrPrefix) {
        self.0 = self.0.wrapping_sub(number(client, resource));
    }
}

impl fmt::Display for Digest {
    /// Writes 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

fn number(client: &Duid, resource: AddressOrPrefix) -> u128 {
    let (address, len) = match resource {
        AddressOrPrefix::Address(address) => (address, 128),
        AddressOrPrefix::Prefix(prefix) => (prefix.addr(), prefix.prefix_len()),
    };
    let duid = client.octets();
    // A DUID has 130 octets at most.
    let octets = [&[duid.len() as u8], duid, &[len], &address.octets()].concat();
    let hash = digest(&SHA256, &octets);
    hash.as_ref().first_chunk().map_or(0, |octets| u128::from_be_bytes(*octets))
}

/// The holder of an address or prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) client: Duid,
    /// Server's time, in seconds since 2000, when it last heard from the client; `None` without base-time.
    pub(super) heard: Option<u32>,
    /// Number of the newest bulk query that confirms the binding.
    pub(super) generation: u32,
}

/// Addresses and prefixes with their holders.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    holders: HashMap<AddressOrPrefix, Holder>,
    digest: Digest,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.holders.len()
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    pub(super) fn get(&self, resource: AddressOrPrefix) -> Option<&Holder> {
        self.holders.get(&resource)
    }

    /// Sets the holder; returns the one before.
    pub(super) fn insert(&mut self, resource: AddressOrPrefix, holder: Holder) -> Option<Holder> {
        self.digest.insert(&holder.client, resource);
        let before = self.holders.insert(resource, holder);
        if let Some(before) = &before {
            self.digest.remove(&before.client, resource);
        }
        before
    }

    pub(super) fn remove(&mut self, resource: AddressOrPrefix) -> Option<Holder> {
        let before = self.holders.remove(&resource);
        if let Some(before) = &before {
            self.digest.remove(&before.client, resource);
        }
        before
    }

    /// Returns what no message has confirmed since the bulk query of this number began.
    pub(super) fn unconfirmed(&self, generation: u32) -> Vec<AddressOrPrefix> {
        let stale = self.holders.iter().filter(|(_, holder)| holder.generation != generation);
        stale.map(|(resource, _)| *resource).collect()
    }

    /// Returns every binding, in no order.
    pub(super) fn bindings(&self) -> impl Iterator<Item = (AddressOrPrefix, &Duid)> {
        self.holders.iter().map(|(resource, holder)| (*resource, &holder.client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by Python: `hashlib.sha256(octets).digest()[:16]`, by hand from the definition.
    #[test]
    fn the_digest_is_the_one_documented() {
        let client: Duid = "00:03:00:01:02:00:5e:10:00:01".parse().expect("a DUID");
        let address = AddressOrPrefix::Address("2001:db8::1".parse().expect("an address"));
        let prefix = AddressOrPrefix::Prefix("2001:db8:1::/56".parse().expect("a prefix"));
        let mut digest = Digest::default();
        digest.insert(&client, address);
        assert_eq!(digest.to_string(), "60d2b3ffceea93317b43a308d50fcaae");
        digest.insert(&client, prefix);
        assert_eq!(digest.to_string(), "769298be2997892e3a30dfd6a05670ed");
        digest.remove(&client, address);
        digest.remove(&client, prefix);
        assert_eq!(digest, Digest::default());
    }
}

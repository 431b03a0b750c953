//! DHCP unique identifiers.

use core::fmt;

use crate::hex::Hex;

/// A DUID in place in a message: 1..=130 octets, never interpreted (RFC 8415 §11).
///
/// RFC 8415 requires at least 3 octets; shorter DUIDs exist in the field and do no harm.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Duid<'a>(&'a [u8]);

impl<'a> Duid<'a> {
    /// Longest DUID in octets: two of type and 128 of identifier (RFC 8415 §11.1).
    pub const LEN_MAX: usize = 130;

    /// A placeholder of one octet, which is no client's DUID.
    pub const PLACEHOLDER: Self = Self(&[0]);

    /// Returns the DUID, or `None` unless there are 1..=130 octets.
    pub fn new(octets: &'a [u8]) -> Option<Self> {
        (1..=Self::LEN_MAX).contains(&octets.len()).then_some(Self(octets))
    }

    /// Returns the octets, type first.
    pub fn octets(self) -> &'a [u8] {
        self.0
    }
}

impl fmt::Display for Duid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex::divided(self.0, ':').fmt(f)
    }
}

impl fmt::Debug for Duid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Duid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn length_is_1_to_130() {
        let octets = [7; 131];
        for (len, fits) in [(0, false), (1, true), (130, true), (131, false)] {
            assert_eq!(Duid::new(&octets[..len]).is_some(), fits, "{len} octets");
        }
    }

    #[test]
    fn displays_as_in_keas_lease_file() {
        assert_eq!(format!("{}", Duid::new(&[0, 3, 0, 0xff]).unwrap()), "00:03:00:ff");
    }
}

//! DHCP unique identifiers.

use core::fmt;

use crate::hex::Hex;

/// A DUID as it lies in a message: 1..=130 octets, compared octet by octet and never interpreted (RFC 8415 §11).
///
/// RFC 8415 asks for 3 octets at least; shorter ones are seen in the field and do no harm.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Duid<'a>(&'a [u8]);

impl<'a> Duid<'a> {
    /// Longest DUID in octets: two of type and 128 of identifier (RFC 8415 §11.1).
    pub const LEN_MAX: usize = 130;

    /// One octet, which nobody's DUID is, for places that are filled in later.
    pub const UNKNOWN: Self = Self(&[0]);

    /// Takes 1..=130 octets; anything else is no DUID.
    pub fn new(octets: &'a [u8]) -> Option<Self> {
        (1..=Self::LEN_MAX).contains(&octets.len()).then_some(Self(octets))
    }

    /// The octets, type first.
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
    fn shown_as_keas_file_does() {
        assert_eq!(format!("{}", Duid::new(&[0, 3, 0, 0xff]).unwrap()), "00:03:00:ff");
    }
}

//! DUIDs: owned, read from text, and decoded for display.
//!
//! DUIDs are compared octet by octet, and no decision depends on their content (RFC 8415 §11); [`Duid::kind`]
//! serves display only.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lqd_wire::hex::{self, Hex};

/// Offset of the DUID-LLT epoch, 2000-01-01 (RFC 8415 §11.2), from the Unix epoch.
const YEAR_2000: Duration = Duration::from_secs(946_684_800);

/// A DUID of 1..=130 octets (RFC 8415 §11).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duid(Box<[u8]>);

/// An error about octets or text that are no DUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DuidError {
    /// A length outside 1..=130 octets.
    #[error("has {0} octets; a DUID has 1 to {max}", max = lqd_wire::Duid::LEN_MAX)]
    Length(usize),
    /// An odd number of digits in hexadecimal without separators.
    #[error("has an odd number of hexadecimal digits; write two for each octet")]
    OddDigits,
    /// Text other than hexadecimal octets.
    #[error("must be octets in hexadecimal, such as 00:03:00:01:02:00:5e:10:00:01, not `{0}`")]
    NotHexadecimal(String),
}

/// The decoded content of a DUID (RFC 8415 §11.2 to §11.5). For display, never for decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DuidKind<'a> {
    /// DUID-LLT: a link-layer address, and the time of the DUID's generation.
    LinkLayerTime {
        /// Hardware type (IANA ARP parameters).
        hardware: u16,
        /// Time of generation.
        made: SystemTime,
        /// The link-layer address.
        address: &'a [u8],
    },
    /// DUID-EN: assigned by a vendor.
    Enterprise {
        /// The vendor's private enterprise number (IANA).
        number: u32,
        /// The vendor's identifier.
        identifier: &'a [u8],
    },
    /// DUID-LL: a link-layer address.
    LinkLayer {
        /// Hardware type (IANA ARP parameters).
        hardware: u16,
        /// The link-layer address.
        address: &'a [u8],
    },
    /// DUID-UUID (RFC 6355).
    Uuid(&'a [u8; 16]),
    /// An unknown type, or a known type that is too short.
    Other,
}

impl Duid {
    /// Copies the octets, the type first.
    pub fn new(octets: impl Into<Vec<u8>>) -> Result<Self, DuidError> {
        let octets = octets.into();
        if lqd_wire::Duid::new(&octets).is_none() {
            return Err(DuidError::Length(octets.len()));
        }
        Ok(Self(octets.into_boxed_slice()))
    }

    /// A DUID-UUID (RFC 6355 §4).
    pub fn from_uuid(uuid: [u8; 16]) -> Self {
        Self([&[0, 4][..], &uuid].concat().into_boxed_slice())
    }

    /// A DUID-LL of an Ethernet address (RFC 8415 §11.4).
    pub fn from_ethernet(address: [u8; 6]) -> Self {
        Self([&[0, 3, 0, 1][..], &address].concat().into_boxed_slice())
    }

    /// Generates a DUID-UUID of 122 random bits (RFC 9562 §5.4).
    pub fn random() -> Self {
        let mut uuid: [u8; 16] = rand::random();
        uuid[6] = uuid[6] & 0x0f | 0x40; // version 4
        uuid[8] = uuid[8] & 0x3f | 0x80; // variant of RFC 9562
        Self::from_uuid(uuid)
    }

    /// The octets, the type first.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// Decodes the DUID for display.
    pub fn kind(&self) -> DuidKind<'_> {
        match *self.octets() {
            [0, 1, h0, h1, t0, t1, t2, t3, ref address @ ..] if !address.is_empty() => {
                let seconds = u32::from_be_bytes([t0, t1, t2, t3]);
                let made = UNIX_EPOCH + YEAR_2000 + Duration::from_secs(seconds.into());
                DuidKind::LinkLayerTime { hardware: u16::from_be_bytes([h0, h1]), made, address }
            }
            [0, 2, n0, n1, n2, n3, ref identifier @ ..] => {
                DuidKind::Enterprise { number: u32::from_be_bytes([n0, n1, n2, n3]), identifier }
            }
            [0, 3, h0, h1, ref address @ ..] if !address.is_empty() => {
                DuidKind::LinkLayer { hardware: u16::from_be_bytes([h0, h1]), address }
            }
            [0, 4, ref uuid @ ..] => uuid.try_into().map_or(DuidKind::Other, DuidKind::Uuid),
            _ => DuidKind::Other,
        }
    }
}

impl From<lqd_wire::Duid<'_>> for Duid {
    fn from(duid: lqd_wire::Duid<'_>) -> Self {
        Self(duid.octets().into())
    }
}

impl FromStr for Duid {
    type Err = DuidError;

    /// Parses every usual spelling: `00:03:00:01`, `0:3:0:1`, `00-03-00-01`, `00 03 00 01`, `0003.0001`,
    /// `00030001`, `0x00030001`.
    fn from_str(text: &str) -> Result<Self, DuidError> {
        // Files end with a line feed, and copies from a terminal with blanks.
        let text = text.trim();
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
        let mut octets = Vec::new();
        let parsed = match digits.bytes().find(|octet| matches!(octet, b':' | b'-' | b' ' | b'.')) {
            // Dots separate groups of several octets, as Cisco writes them; the others separate single
            // octets.
            Some(b'.') => {
                digits.split('.').try_for_each(|group| hex::parse_undivided(group.as_bytes(), &mut octets))
            }
            Some(separator) => hex::parse_short(digits.as_bytes(), separator, &mut octets),
            None if !digits.len().is_multiple_of(2)
                && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) =>
            {
                return Err(DuidError::OddDigits);
            }
            None => hex::parse_undivided(digits.as_bytes(), &mut octets),
        };
        parsed.map_err(|_| DuidError::NotHexadecimal(text.escape_default().to_string()))?;
        Self::new(octets)
    }
}

impl fmt::Display for Duid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex::divided(&self.0, ':').fmt(f)
    }
}

impl fmt::Debug for Duid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Duid({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_usual_spelling_parses_within_its_limits() {
        let rows: [(&str, Option<&[u8]>); 22] = [
            ("00:03:00:FF", Some(&[0, 3, 0, 255])),
            ("0:3:0:ff", Some(&[0, 3, 0, 255])),
            ("00-03-00-ff", Some(&[0, 3, 0, 255])),
            ("00 03 00 ff", Some(&[0, 3, 0, 255])),
            ("0003.00ff", Some(&[0, 3, 0, 255])),
            ("00.03.00.ff", Some(&[0, 3, 0, 255])),
            ("000300ff", Some(&[0, 3, 0, 255])),
            ("0x000300FF", Some(&[0, 3, 0, 255])),
            ("  000300ff\n", Some(&[0, 3, 0, 255])),
            ("7f", Some(&[127])),
            ("", None),
            ("0x", None),
            ("abc", None),
            ("00:03-00", None),
            ("00::03", None),
            (":00:03", None),
            ("000:3", None),
            ("0003.0", None),
            ("+1:03", None),
            ("0ä0", None),
            ("0x0003-00", None),
            ("host.example", None),
        ];
        for (text, want) in rows {
            assert_eq!(text.parse::<Duid>().ok().as_ref().map(Duid::octets), want, "{text:?}");
        }
        assert!("ab".repeat(130).parse::<Duid>().is_ok());
        assert_eq!("ab".repeat(131).parse::<Duid>(), Err(DuidError::Length(131)));
        assert_eq!("abc".parse::<Duid>(), Err(DuidError::OddDigits));
    }

    #[test]
    fn each_duid_type_of_rfc_8415_is_decoded() {
        let kinds = |text: &str| text.parse::<Duid>().expect("a DUID");
        // RFC 8415 §11.3, figure 6: enterprise 9, eight octets.
        let enterprise = kinds("0002 0000 0009 0cc0 84d3 0300 0912".replace(' ', "").as_str());
        let identifier = &[0x0c, 0xc0, 0x84, 0xd3, 0x03, 0x00, 0x09, 0x12][..];
        assert_eq!(enterprise.kind(), DuidKind::Enterprise { number: 9, identifier });
        let llt = kinds("00:01:00:01:00:00:00:01:02:00:5e:10:00:01");
        let address = &[2, 0, 0x5e, 0x10, 0, 1][..];
        let made = UNIX_EPOCH + Duration::from_secs(946_684_801);
        assert_eq!(llt.kind(), DuidKind::LinkLayerTime { hardware: 1, made, address });
        let ll = Duid::from_ethernet([2, 0, 0x5e, 0x10, 0, 1]);
        assert_eq!(ll.kind(), DuidKind::LinkLayer { hardware: 1, address });
        assert_eq!(Duid::from_uuid([7; 16]).kind(), DuidKind::Uuid(&[7; 16]));
        for text in ["00", "0001", "00010001000000ff", "00030001", "000407", "00ff01"] {
            assert_eq!(kinds(text).kind(), DuidKind::Other, "{text}");
        }
    }

    #[test]
    fn a_random_duid_is_a_uuid_of_version_4() {
        let (one, other) = (Duid::random(), Duid::random());
        assert_ne!(one, other);
        let DuidKind::Uuid(uuid) = one.kind() else { panic!("{one}") };
        assert_eq!((uuid[6] >> 4, uuid[8] >> 6), (4, 2));
    }

    proptest! {
        #[test]
        fn the_displayed_text_parses_to_the_same_duid(octets in prop::collection::vec(any::<u8>(), 1..=130)) {
            let duid = Duid::new(octets).expect("its length is right");
            prop_assert_eq!(duid.to_string().parse::<Duid>(), Ok(duid.clone()));
            let _ = duid.kind();
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            let _ = text.parse::<Duid>();
        }
    }
}

//! The server's DUID as text.

use std::str::FromStr;

use lqd_wire::Duid;
use lqd_wire::hex::{self, HexError};

use super::spelled::{Literal, Spelled};

/// A DUID of 1..=130 octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerDuid(pub(super) Vec<u8>);

impl FromStr for ServerDuid {
    type Err = String;

    /// Reads `00:03:…`, `00-03-…` (a leading nought may be missing) or `0003…`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut octets = Vec::new();
        match text.bytes().find(|octet| matches!(octet, b':' | b'-')) {
            Some(separator) => hex::parse_short(text.as_bytes(), separator, &mut octets),
            None if text.len().is_multiple_of(2) => hex::parse_undivided(text.as_bytes(), &mut octets),
            None => {
                return Err("has an odd number of hexadecimal digits; write two for each octet".to_owned());
            }
        }
        .map_err(|HexError| format!("must be {}", Self::form()))?;
        if Duid::new(&octets).is_none() {
            return Err(format!("has {} octets; a DUID has 1 to {}", octets.len(), Duid::LEN_MAX));
        }
        Ok(Self(octets))
    }
}

impl Spelled for ServerDuid {
    const LITERAL: Literal = Literal::Text;

    fn form() -> String {
        "octets in hexadecimal, such as \"00:03:00:01:0a:00:27:00:00:01\"".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_and_their_limits() {
        let rows: [(&str, Option<&[u8]>); 14] = [
            ("00:03:00:FF", Some(&[0, 3, 0, 255])),
            ("0:3:0:ff", Some(&[0, 3, 0, 255])),
            ("00-03-00-ff", Some(&[0, 3, 0, 255])),
            ("000300ff", Some(&[0, 3, 0, 255])),
            ("7f", Some(&[127])),
            ("", None),
            ("abc", None),
            ("00:03-00", None),
            ("00::03", None),
            (":00:03", None),
            ("000:3", None),
            ("0x0003", None),
            ("+1:03", None),
            ("0ä0", None),
        ];
        for (text, want) in rows {
            assert_eq!(text.parse::<ServerDuid>().ok().map(|duid| duid.0).as_deref(), want, "{text:?}");
        }
        assert!("ab".repeat(130).parse::<ServerDuid>().is_ok());
        assert_eq!(
            "ab".repeat(131).parse::<ServerDuid>(),
            Err("has 131 octets; a DUID has 1 to 130".to_owned())
        );
    }
}

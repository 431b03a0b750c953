//! The server's DUID as text.

use std::str::FromStr;

use super::spelled::{Literal, Spelled};

/// Longest DUID in octets: two of type and 128 of identifier (RFC 8415 §11.1).
const LEN_MAX: usize = 130;

/// A DUID of 1..=130 octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerDuid(pub(super) Vec<u8>);

impl FromStr for ServerDuid {
    type Err = String;

    /// Reads `00:03:…`, `00-03-…` (a leading nought may be missing) or `0003…`.
    fn from_str(text: &str) -> Result<Self, String> {
        let octets = match text.chars().find(|c| matches!(c, ':' | '-')) {
            Some(separator) => text.split(separator).map(octet).collect::<Option<Vec<u8>>>(),
            None if text.len().is_multiple_of(2) => text.as_bytes().chunks_exact(2).map(pair).collect(),
            None => {
                return Err("has an odd number of hexadecimal digits; write two for each octet".to_owned());
            }
        };
        let octets = octets.ok_or_else(|| format!("must be {}", Self::form()))?;
        if !(1..=LEN_MAX).contains(&octets.len()) {
            return Err(format!("has {} octets; a DUID has 1 to {LEN_MAX}", octets.len()));
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

fn octet(text: &str) -> Option<u8> {
    match text.as_bytes() {
        [low] => pair(&[b'0', *low]),
        both => pair(both),
    }
}

fn pair(digits: &[u8]) -> Option<u8> {
    let [high, low] = digits else { return None };
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(value(*high)? << 4 | value(*low)?)
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

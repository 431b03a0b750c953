//! Options that are never returned.

use std::str::FromStr;

use super::number::Within;
use super::spelled::{Literal, Spelled};

/// Options that every reply needs (RFC 5007 §4.1.2, §4.4.2).
const ESSENTIAL: [(u16, &str); 8] = [
    (1, "client-id"),
    (2, "server-id"),
    (5, "ia-addr"),
    (13, "status-code"),
    (26, "ia-prefix"),
    (45, "client-data"),
    (46, "clt-time"),
    (48, "lq-client-link"),
];
/// OPTION_RELAY_MSG.
const RELAY_MSG: u16 = 9;

/// Range of codes; 1 and 2 are essential.
type Code = Within<u16, 3, 65_535>;

/// Code of an option that a reply may omit, 3..=65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SensitiveOption(pub(super) u16);

impl FromStr for SensitiveOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((code, name)) = ESSENTIAL.iter().find(|(essential, _)| text.parse() == Ok(*essential)) {
            return Err(format!(
                "{name} ({code}) belongs to every such reply (RFC 5007) and cannot be left out; remove it, and \
                 see --allow and --restricted-requestor for whose queries are answered"
            ));
        }
        let Within(code) = text.parse::<Code>()?;
        if code == RELAY_MSG {
            return Err(format!(
                "relay-msg ({code}) contains relay data and cannot be left out alone; list 47 (relay data) \
                 instead"
            ));
        }
        Ok(Self(code))
    }
}

impl Spelled for SensitiveOption {
    const LITERAL: Literal = Literal::Number;

    fn form() -> String {
        Code::form()
    }
}

/// Sorts codes and removes duplicates.
pub(super) fn ascending(codes: Vec<SensitiveOption>) -> Vec<u16> {
    let mut codes: Vec<_> = codes.into_iter().map(|code| code.0).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_every_reply_needs_are_rejected() {
        for code in [1, 2, 5, 13, 26, 45, 46, 48] {
            let advice = code.to_string().parse::<SensitiveOption>().unwrap_err();
            assert!(advice.contains(&format!("({code}) belongs to every such reply")), "{advice}");
        }
        assert!("9".parse::<SensitiveOption>().unwrap_err().contains("list 47"));
        for code in [3, 6, 18, 23, 37, 39, 47, 79, 65_535] {
            assert_eq!(code.to_string().parse(), Ok(SensitiveOption(code)));
        }
        for text in ["0", "65536", "-1", "fqdn", ""] {
            assert_eq!(
                text.parse::<SensitiveOption>(),
                Err("must be a whole number in 3..=65535".to_owned())
            );
        }
    }
}

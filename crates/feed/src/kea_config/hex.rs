//! Octets as Kea writes them in text.

use lqd_wire::hex::{digit, parse_short, parse_undivided};

/// Parses octets from `0x0a1b`, `0a1b`, `a1b` (a zero before it), `0a:1b`, `a:1b` or `0a 1b`.
///
/// As `decodeFormattedHexString` of Kea; `None` for any other text.
pub(super) fn octets(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let mut octets = Vec::new();
    if text.contains(':') {
        return parse_short(text.as_bytes(), b':', &mut octets).ok().map(|()| octets);
    }
    if text.contains(' ') {
        let parts = text.split_ascii_whitespace();
        return parts.map(|part| lqd_wire::hex::octet(part.as_bytes())).collect();
    }
    let digits = text.strip_prefix("0x").filter(|digits| !digits.is_empty()).unwrap_or(text).as_bytes();
    let (odd, pairs) = digits.split_at(digits.len() % 2);
    for &text in odd {
        octets.push(digit(text)?);
    }
    parse_undivided(pairs, &mut octets).ok().map(|()| octets)
}

/// Parses octets from pairs of digits with white space anywhere, which is all that Kea takes in a
/// comma-separated value and in the server's identifier (`decodeHex`).
pub(super) fn pairs(text: &[u8]) -> Option<Vec<u8>> {
    let is_space = |octet: u8| octet.is_ascii_whitespace() || octet == VERTICAL_TAB;
    let digits: Vec<u8> = text.iter().copied().filter(|&octet| !is_space(octet)).collect();
    let mut octets = Vec::new();
    parse_undivided(&digits, &mut octets).ok().map(|()| octets)
}

/// White space to C, and not to Rust.
const VERTICAL_TAB: u8 = 0x0b;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_kea_is_read() {
        let rows: [(&str, Option<&[u8]>); 16] = [
            ("0a1B", Some(&[0x0a, 0x1b])),
            ("0x0a1b", Some(&[0x0a, 0x1b])),
            ("a1b", Some(&[0x0a, 0x1b])),
            ("0xa1b", Some(&[0x0a, 0x1b])),
            ("0a:1b", Some(&[0x0a, 0x1b])),
            ("a:1b", Some(&[0x0a, 0x1b])),
            (" 0a  1b ", Some(&[0x0a, 0x1b])),
            ("a 1b", Some(&[0x0a, 0x1b])),
            ("7", Some(&[7])),
            ("", Some(&[])),
            ("0x", None),
            ("0a::1b", None),
            ("0a1:b", None),
            ("0x0a:1b", None),
            ("+1", None),
            ("0ä", None),
        ];
        for (text, want) in rows {
            assert_eq!(octets(text).as_deref(), want, "{text:?}");
        }
    }
}

//! Octets as Kea writes them in text.

/// Octets from `0x0a1b`, `0a1b`, `a1b` (a nought before it), `0a:1b`, `a:1b` or `0a 1b`.
///
/// As `decodeFormattedHexString` of Kea; `None` if it is nothing of that.
pub(super) fn octets(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    if text.contains(':') {
        return text.split(':').map(short_octet).collect();
    }
    if text.contains(' ') {
        return text.split_ascii_whitespace().map(short_octet).collect();
    }
    let digits = text.strip_prefix("0x").filter(|digits| !digits.is_empty()).unwrap_or(text).as_bytes();
    let (odd, pairs) = digits.split_at(digits.len() % 2);
    let odd = odd.iter().map(|&digit| value(digit));
    odd.chain(pairs.chunks_exact(2).map(|pair| Some(value(pair[0])? << 4 | value(pair[1])?))).collect()
}

/// Octets from pairs of digits with white space anywhere, which is all that Kea takes in a comma-separated value and in the
/// server's identifier (`decodeHex`).
pub(super) fn pairs(text: &[u8]) -> Option<Vec<u8>> {
    let is_space = |octet: u8| octet.is_ascii_whitespace() || octet == VERTICAL_TAB;
    let digits: Vec<u8> = text.iter().copied().filter(|&octet| !is_space(octet)).collect();
    let (pairs, odd) = digits.as_chunks();
    let octets = || pairs.iter().map(|&[high, low]| Some(value(high)? << 4 | value(low)?)).collect();
    odd.is_empty().then(octets).flatten()
}

/// White space to C, and not to Rust.
const VERTICAL_TAB: u8 = 0x0b;

fn short_octet(text: &str) -> Option<u8> {
    match *text.as_bytes() {
        [low] => value(low),
        [high, low] => Some(value(high)? << 4 | value(low)?),
        _ => None,
    }
}

fn value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8) // < 16
}

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

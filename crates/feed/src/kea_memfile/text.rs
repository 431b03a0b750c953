//! The small texts of which a lease file consists: decimal numbers, octets in hexadecimal, escaped text.
//!
//! Written by hand, since `str::parse` would first want UTF-8 and costs several times as much in a file of
//! millions of rows.

use memchr::memchr;

/// Value of each octet as a hexadecimal digit, [`NO_DIGIT`] for all others.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};

/// Has high bits, which no digit has, so that one test after a loop over many digits finds it.
const NO_DIGIT: u8 = 0xff;

/// The value of one hexadecimal digit.
pub(super) fn digit(octet: u8) -> Option<u8> {
    let value = DIGITS[usize::from(octet)];
    (value != NO_DIGIT).then_some(value)
}

/// A decimal number of digits only, or `None` if it is anything else or too large.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    let mut number = 0u64;
    for &octet in text {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(number)
}

/// Replaces `octets` by what the text says: `0a:1b:c`, `0A1B0C` or `0x0a1b0c`, the forms that Kea reads.
///
/// False if the text is none of these; `octets` then holds nothing of use. An empty text gives no octets.
pub(super) fn hexadecimal(text: &[u8], octets: &mut Vec<u8>) -> bool {
    octets.clear();
    if text.len() % 3 == 2 && text.get(2).is_none_or(|&separator| separator == b':') {
        return colon_pairs(text, octets) || separated(text, octets);
    }
    let plain = text.strip_prefix(b"0x").unwrap_or(text);
    if plain.contains(&b':') || plain.len() == 1 {
        return separated(text, octets);
    }
    undivided(plain, octets)
}

/// `0a:1b:0c`: two digits each, the only form that Kea itself writes in a column.
fn colon_pairs(text: &[u8], octets: &mut Vec<u8>) -> bool {
    let mut invalid = 0;
    octets.extend(text.chunks(3).map(|pair| {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        let separator = pair.get(2).is_some_and(|&separator| separator != b':');
        invalid |= (high | low) & 0xf0 | u8::from(separator);
        high << 4 | low & 0x0f
    }));
    invalid == 0
}

/// `a:1b:c`: one or two digits each.
fn separated(text: &[u8], octets: &mut Vec<u8>) -> bool {
    octets.clear();
    for token in text.split(|&octet| octet == b':') {
        let value = match token {
            [low] => digit(*low),
            [high, low] => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        let Some(value) = value else { return false };
        octets.push(value);
    }
    true
}

/// `0a1b0c`: two digits each.
fn undivided(text: &[u8], octets: &mut Vec<u8>) -> bool {
    let mut invalid = text.len() as u8 & 1;
    octets.extend(text.chunks_exact(2).map(|pair| {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        invalid |= (high | low) & 0xf0;
        high << 4 | low & 0x0f
    }));
    invalid == 0
}

/// The text without Kea's escapes: `&#x` and two digits stand for one octet, any other `&#x` for itself.
///
/// Copied to `space` only if there is an escape in it.
pub(super) fn unescape<'a>(text: &'a [u8], space: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr(b'&', text).is_none() {
        return text;
    }
    space.clear();
    let mut rest = text;
    while let Some(at) = memchr(b'&', rest) {
        let (before, from_here) = rest.split_at(at);
        space.extend_from_slice(before);
        rest = match *from_here {
            [b'&', b'#', b'x', high, low, ..] if let Some((high, low)) = digit(high).zip(digit(low)) => {
                space.push(high << 4 | low);
                &from_here[5..]
            }
            _ => {
                space.push(b'&');
                &from_here[1..]
            }
        };
    }
    space.extend_from_slice(rest);
    space
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"0042"), Some(42));
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for text in [
            "",
            "18446744073709551616",
            "99999999999999999999",
            "000000000000000000001",
            "-1",
            "+1",
            "1 ",
            "a",
        ] {
            assert_eq!(decimal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn hexadecimals() {
        let rows: &[(&str, &[u8])] = &[
            ("", &[]),
            ("0a", &[10]),
            ("a", &[10]),
            ("00:0A:fF", &[0, 10, 255]),
            ("0:a:ff", &[0, 10, 255]),
            ("a:b:c", &[10, 11, 12]),
            ("1:02", &[1, 2]),
            ("01:2", &[1, 2]),
            ("0x000aFf", &[0, 10, 255]),
            ("000aff", &[0, 10, 255]),
            ("0123456789", &[1, 0x23, 0x45, 0x67, 0x89]),
            ("01:23:45:67:89:ab:cd:ef", &[1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]),
        ];
        for (text, expected) in rows {
            let mut octets = vec![9; 3];
            assert!(hexadecimal(text.as_bytes(), &mut octets), "{text}");
            assert_eq!(octets, *expected, "{text}");
        }
        for text in [
            "g", "0g", "0x", "0a:", ":0a", "0a::0b", "0a:0b:", "0a-0b", "0a:0b-0c", "123", "0x1", "0x0:1",
            "0a0b:0c", "é1",
        ] {
            assert!(!hexadecimal(text.as_bytes(), &mut Vec::new()), "{text}");
        }
    }

    #[test]
    fn escapes() {
        let rows: &[(&str, &[u8])] = &[
            ("", b""),
            ("plain", b"plain"),
            ("a&b", b"a&b"),
            ("a&#x2cb", b"a,b"),
            ("&#x26#x2c", b"&#x2c"),
            ("&#xC3&#xa9", "é".as_bytes()),
            ("&#x", b"&#x"),
            ("&#x2", b"&#x2"),
            ("&#x2g&#x2c", b"&#x2g,"),
            ("&#x&#x2c", b"&#x,"),
        ];
        for (text, expected) in rows {
            assert_eq!(unescape(text.as_bytes(), &mut vec![1]), *expected, "{text}");
        }
    }
}

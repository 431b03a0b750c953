//! The small texts of which a lease file consists: decimal numbers, octets in hexadecimal, escaped text.
//!
//! Written by hand, since `str::parse` would first want UTF-8 and costs several times as much in a file of
//! millions of rows.

use lqd_wire::hex::{octet, parse_divided, parse_short, parse_undivided};
use memchr::memchr;

/// A decimal number of digits only, or `None` if it is anything else or too large.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    // Twenty digits hold any 64-bit number; more are left to the slower form.
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    let mut number = 0u64;
    for &octet in text {
        // Octets below '0' wrap to values above 9, so one comparison rejects both sides.
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(number)
}

/// Parses a number that is not plain digits as Kea, which reads numbers by `boost::lexical_cast`: with a
/// sign, or with any number of zeros in front. A minus takes it from 2^`bits`, so that -1 in PostgreSQL
/// becomes the unsigned number it was. A text ends at a NUL, as Kea hands it over as a C string.
#[cold]
pub(super) fn signed_decimal(text: &[u8], bits: u32) -> Option<u64> {
    let (is_negative, number) = magnitude(text)?;
    let mask = u64::MAX >> (64 - bits);
    // A complement in the column's own size, as the C++ cast gives.
    (number <= mask).then(|| if is_negative { number.wrapping_neg() & mask } else { number })
}

/// The number in a column that Kea reads as `int`.
pub(super) fn integer(text: &[u8]) -> Option<i32> {
    let (is_negative, number) = magnitude(text)?;
    let number = i64::try_from(number).ok()?;
    i32::try_from(if is_negative { -number } else { number }).ok()
}

/// Whether there is a minus, and the number behind the sign.
fn magnitude(text: &[u8]) -> Option<(bool, u64)> {
    let text = before_nul(text);
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    // Kea takes any number of leading zeros, which `decimal` limits.
    let zeros = digits.iter().take_while(|&&octet| octet == b'0').count();
    // The last zero may be all there is.
    let digits = &digits[zeros.min(digits.len().saturating_sub(1))..];
    Some((is_negative, decimal(digits)?))
}

/// A boolean as `boost::lexical_cast` reads it: 0 or 1, perhaps with a sign (but no -1) and zeros in front.
pub(super) fn boolean(text: &[u8]) -> Option<bool> {
    match text {
        b"0" => Some(false),
        b"1" => Some(true),
        _ => match magnitude(text)? {
            (_, 0) => Some(false),
            // Kea's cast to bool refuses -1.
            (false, 1) => Some(true),
            _ => None,
        },
    }
}

/// The text before the first NUL.
pub(super) fn before_nul(text: &[u8]) -> &[u8] {
    &text[..memchr(0, text).unwrap_or(text.len())]
}

/// Replaces `octets` by those of a text: `0a:1b:c`, `0A1B0C` or `0x0a1b0c`, and the rarer forms of
/// [`odd_hexadecimal`].
///
/// False if the text is none of these; `octets` is then unspecified. An empty text gives no octets.
pub(super) fn hexadecimal(text: &[u8], octets: &mut Vec<u8>) -> bool {
    octets.clear();
    // Kea writes colons, so the third octet tells the usual form.
    let is_read = if text.len() % 3 == 2 && text.get(2).is_none_or(|&separator| separator == b':') {
        parse_divided(text, b':', octets)
    } else {
        parse_undivided(digits_of(text), octets)
    };
    // An attempt may have left octets behind, which the other form clears.
    is_read.is_ok() || odd_hexadecimal(text, octets)
}

/// Reads as [`hexadecimal`], by the narrower rules for hardware addresses: octets divided by colons only.
pub(super) fn hardware_address(text: &[u8], octets: &mut Vec<u8>) -> bool {
    octets.clear();
    if text.len() % 3 == 2 && parse_divided(text, b':', octets).is_ok() {
        return true;
    }
    // The first attempt may have left octets behind.
    octets.clear();
    parse_short(text, b':', octets).is_ok()
}

/// Reads the other forms of Kea's `decodeFormattedHexString`: one digit between colons; blanks in place of
/// colons; an odd number of digits, as with a 0 in front; control characters that are space to C between
/// digits.
#[cold]
fn odd_hexadecimal(text: &[u8], octets: &mut Vec<u8>) -> bool {
    octets.clear();
    for separator in [b':', b' '] {
        // A separator decides the form: a text with both is none of them.
        if text.contains(&separator) {
            return parse_short(text, separator, octets).is_ok();
        }
    }
    let pad = if text.len() % 2 == 1 { &b"0"[..] } else { b"" };
    let digits = pad.iter().chain(digits_of(text)).filter(|octet| !matches!(octet, b'\t'..=b'\r'));
    parse_undivided(&digits.copied().collect::<Vec<_>>(), octets).is_ok()
}

/// The digits of a number that may begin with `0x`.
fn digits_of(text: &[u8]) -> &[u8] {
    // `0x` alone is no number to Kea.
    text.strip_prefix(b"0x").filter(|digits| !digits.is_empty()).unwrap_or(text)
}

/// The text without Kea's escapes: `&#x` and two digits stand for one octet, any other `&#x` for itself; but
/// with less than two octets behind it, it is a NUL to Kea.
///
/// Copied to `space` only if there is an escape in it.
pub(super) fn unescape<'a>(text: &'a [u8], space: &'a mut Vec<u8>) -> &'a [u8] {
    // Most texts have no escape, and are not copied.
    if memchr(b'&', text).is_none() {
        return text;
    }
    space.clear();
    let mut rest = text;
    while let Some(at) = memchr(b'&', rest) {
        let (before, from_here) = rest.split_at(at);
        space.extend_from_slice(before);
        rest = match *from_here {
            [b'&', b'#', b'x', high, low, ..] if let Some(octet) = octet(&[high, low]) => {
                space.push(octet);
                &from_here[5..]
            }
            // Kea makes a NUL of an escape that is cut off.
            [b'&', b'#', b'x', ref end @ ..] if end.len() < 2 => {
                space.push(0);
                &from_here[3..]
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
            ("123", &[1, 0x23]),
            ("0x1", &[1]),
            ("0x123", &[1, 0x23]),
            ("0a 1b c", &[10, 27, 12]),
            ("0a\t1b\r", &[10, 27]),
            ("01:23:45:67:89:ab:cd:ef", &[1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]),
        ];
        for (text, expected) in rows {
            let mut octets = vec![9; 3];
            assert!(hexadecimal(text.as_bytes(), &mut octets), "{text}");
            assert_eq!(octets, *expected, "{text}");
        }
        for text in [
            "g", "0g", "0x", "0a:", ":0a", "0a::0b", "0a:0b:", "0a-0b", "0a:0b-0c", "0x0:1", "0a0b:0c", "é1",
            " 0a", "0a ", "0a  0b", "0a:0b 0c", "0x0a 0b", "0X0a", "0a\t1", "00\0",
        ] {
            assert!(!hexadecimal(text.as_bytes(), &mut Vec::new()), "{text}");
        }
    }

    #[test]
    fn hardware_addresses() {
        let mut octets = vec![];
        for (text, expected) in
            [("02:00:00:00:07:01", &[2, 0, 0, 0, 7, 1][..]), ("2:0:7", &[2, 0, 7]), ("02", &[2]), ("2", &[2])]
        {
            assert!(hardware_address(text.as_bytes(), &mut octets), "{text}");
            assert_eq!(octets, expected, "{text}");
        }
        for text in ["020000000701", "0x02", "02 00", "02:", "g"] {
            assert!(!hardware_address(text.as_bytes(), &mut octets), "{text}");
        }
    }

    #[test]
    fn signs_and_complements_as_kea_reads_them() {
        for (text, bits, expected) in [
            ("-1", 32, Some(4_294_967_295)),
            ("-2147483648", 32, Some(2_147_483_648)),
            ("-4294967295", 32, Some(1)),
            ("-4294967296", 32, None),
            ("+7", 32, Some(7)),
            ("-0", 32, Some(0)),
            ("-00000000000000000000000000001", 32, Some(u64::from(u32::MAX))),
            ("000000000000000000000000000042", 32, Some(42)),
            ("0000000000000000000000000", 16, Some(0)),
            ("-1", 64, Some(u64::MAX)),
            ("-18446744073709551615", 64, Some(1)),
            ("18446744073709551616", 64, None),
            ("-65535", 16, Some(1)),
            ("65536", 16, None),
            ("12\0x", 32, Some(12)),
            ("\x0012", 32, None),
            ("", 32, None),
            ("-", 32, None),
            ("+", 32, None),
            ("+-1", 32, None),
            ("- 1", 32, None),
            (" 1", 32, None),
            ("1 ", 32, None),
            ("0x10", 32, None),
            ("1e3", 32, None),
            ("1.0", 32, None),
        ] {
            assert_eq!(signed_decimal(text.as_bytes(), bits), expected, "{text} in {bits} bits");
        }
        for (text, expected) in [
            ("-2147483648", Some(i32::MIN)),
            ("2147483647", Some(i32::MAX)),
            ("2147483648", None),
            ("-2147483649", None),
            ("18446744073709551615", None),
            ("+002", Some(2)),
            ("", None),
        ] {
            assert_eq!(integer(text.as_bytes()), expected, "{text}");
        }
        for (text, expected) in [
            ("+1", Some(true)),
            ("0001", Some(true)),
            ("-0", Some(false)),
            ("+0", Some(false)),
            ("1\0", Some(true)),
            ("-1", None),
            ("2", None),
            ("", None),
            ("+", None),
            ("true", None),
            ("10", None),
        ] {
            assert_eq!(boolean(text.as_bytes()), expected, "{text}");
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
            ("&#x", b"\0"),
            ("a&#x2", b"a\x002"),
            ("&#&#xg&#x41", b"&#&#xgA"),
            ("&#x2g&#x2c", b"&#x2g,"),
            ("&#x&#x2c", b"&#x,"),
        ];
        for (text, expected) in rows {
            assert_eq!(unescape(text.as_bytes(), &mut vec![1]), *expected, "{text}");
        }
    }
}

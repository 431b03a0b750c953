//! Octets in hexadecimal text: DUIDs, link-layer addresses, option values.
//!
//! Parsers append to anything that takes octets, such as a `Vec`; [`Hex`] formats. Each caller decides which
//! forms it accepts.

use core::fmt::{self, Write as _};
use core::iter;

/// The text is not octets in hexadecimal of the expected form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not octets in hexadecimal")]
pub struct HexError;

/// Value of each octet as a digit, [`NO_DIGIT`] for all others.
#[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// Sets high bits, which no digit sets: one test after a loop over many digits finds it.
const NO_DIGIT: u8 = 0xff;

/// The value of one digit, `0`–`9`, `a`–`f` or `A`–`F`.
#[inline]
pub fn digit(text: u8) -> Option<u8> {
    let value = value(text);
    (value != NO_DIGIT).then_some(value)
}

/// Parses one octet of one or two digits.
#[inline]
pub fn octet(text: &[u8]) -> Option<u8> {
    match *text {
        [low] => digit(low),
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    }
}

/// The two lower-case digits of one octet.
#[inline]
pub const fn digits(octet: u8) -> [u8; 2] {
    [lower_case(octet >> 4), lower_case(octet & 15)]
}

/// Parses `000300ff`: two digits for each octet, nothing between them. An empty text is no octets.
///
/// After an error `out` may hold some octets of no meaning; so do the other parsers.
#[inline]
pub fn parse_undivided(text: &[u8], out: &mut impl Extend<u8>) -> Result<(), HexError> {
    let (pairs, odd) = text.as_chunks::<2>();
    let mut invalid = odd.len() as u8;
    out.extend(pairs.iter().map(|&pair| {
        let (octet, invalid_digit) = octet_of(pair);
        invalid |= invalid_digit;
        octet
    }));
    if invalid == 0 { Ok(()) } else { Err(HexError) }
}

/// Parses `00:03:00:ff`: two digits for each octet, `separator` between octets. At least one octet.
#[inline]
pub fn parse_divided(text: &[u8], separator: u8, out: &mut impl Extend<u8>) -> Result<(), HexError> {
    let (groups, last) = text.as_chunks::<3>();
    let &[high, low] = last else { return Err(HexError) };
    let mut invalid = 0;
    // The last octet gets a separator, so that one loop parses all.
    let last = iter::once([high, low, separator]);
    out.extend(groups.iter().copied().chain(last).map(|[high, low, divider]| {
        let (octet, invalid_digit) = octet_of([high, low]);
        invalid |= invalid_digit | (divider ^ separator);
        octet
    }));
    if invalid == 0 { Ok(()) } else { Err(HexError) }
}

/// Parses `0:3:0:ff`: one or two digits for each octet, `separator` between octets. At least one octet.
pub fn parse_short(text: &[u8], separator: u8, out: &mut impl Extend<u8>) -> Result<(), HexError> {
    for part in text.split(|&octet| octet == separator) {
        out.extend([octet(part).ok_or(HexError)?]);
    }
    Ok(())
}

/// Formats octets as lower-case hexadecimal, two digits each.
#[derive(Clone, Copy)]
pub struct Hex<'a> {
    octets: &'a [u8],
    separator: Option<char>,
}

impl<'a> Hex<'a> {
    /// `000300ff`
    pub const fn undivided(octets: &'a [u8]) -> Self {
        Self { octets, separator: None }
    }

    /// `00:03:00:ff`, or with another separator.
    pub const fn divided(octets: &'a [u8], separator: char) -> Self {
        Self { octets, separator: Some(separator) }
    }
}

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, &octet) in self.octets.iter().enumerate() {
            if let Some(separator) = self.separator.filter(|_| position > 0) {
                f.write_char(separator)?;
            }
            for digit in digits(octet) {
                f.write_char(char::from(digit))?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The octet of two digits, and bits that are all 0 only if both are digits.
#[inline]
fn octet_of([high, low]: [u8; 2]) -> (u8, u8) {
    let (high, low) = (value(high), value(low));
    (high << 4 | low & 0x0f, (high | low) & 0xf0)
}

#[inline]
fn value(text: u8) -> u8 {
    VALUES.get(usize::from(text)).copied().unwrap_or(NO_DIGIT)
}

const fn lower_case(value: u8) -> u8 {
    value + if value < 10 { b'0' } else { b'a' - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::ToString;
    use std::vec;
    use std::vec::Vec;

    type Parser = fn(&[u8], &mut Vec<u8>) -> Result<(), HexError>;

    fn parsed(parse: Parser, text: &str) -> Option<Vec<u8>> {
        let mut out = vec![];
        parse(text.as_bytes(), &mut out).is_ok().then_some(out)
    }

    fn check(parse: Parser, rows: &[(&str, Option<&[u8]>)]) {
        for (text, expected) in rows {
            assert_eq!(parsed(parse, text).as_deref(), *expected, "{text:?}");
        }
    }

    #[test]
    fn undivided_octets_have_two_digits_each() {
        check(
            parse_undivided,
            &[
                ("", Some(&[])),
                ("0003fF", Some(&[0, 3, 255])),
                ("0", None),
                ("003", None),
                ("00:3", None),
                ("0x03", None),
                ("+103", None),
                ("0ä0", None),
                ("g0", None),
                ("0g", None),
            ],
        );
    }

    #[test]
    fn divided_octets_have_two_digits_and_one_separator() {
        check(
            |text, out| parse_divided(text, b':', out),
            &[
                ("", None),
                ("7f", Some(&[127])),
                ("00:03:aB", Some(&[0, 3, 0xab])),
                ("0:3", None),
                ("00:3:ab", None),
                ("00::3", None),
                ("00:03:", None),
                (":00:03", None),
                ("00-03", None),
                ("00:0g", None),
            ],
        );
        assert_eq!(parsed(|text, out| parse_divided(text, b'-', out), "00-03"), Some(vec![0, 3]));
    }

    #[test]
    fn short_octets_have_one_or_two_digits() {
        check(
            |text, out| parse_short(text, b':', out),
            &[
                ("", None),
                ("7", Some(&[7])),
                ("0:3:00:fF", Some(&[0, 3, 0, 255])),
                ("00::03", None),
                (":00", None),
                ("00:", None),
                ("000:3", None),
                ("+1:03", None),
            ],
        );
    }

    #[test]
    fn octets_of_every_value_survive_each_form() {
        let octets: Vec<u8> = (0..=255).collect();
        let plain = Hex::undivided(&octets).to_string();
        let divided = Hex::divided(&octets, ':').to_string();
        assert_eq!((plain.len(), divided.len()), (512, 767));
        assert_eq!(parsed(parse_undivided, &plain).as_ref(), Some(&octets));
        assert_eq!(parsed(|text, out| parse_divided(text, b':', out), &divided).as_ref(), Some(&octets));
        assert_eq!(parsed(|text, out| parse_short(text, b':', out), &divided), Some(octets));
        assert_eq!(format!("{:?}", Hex::divided(&[0, 255], '-')), "00-ff");
    }

    #[test]
    fn only_digits_have_a_value() {
        for text in 0..=255_u8 {
            let expected = char::from(text).to_digit(16).and_then(|value| u8::try_from(value).ok());
            assert_eq!(digit(text), expected, "{text}");
        }
    }
}

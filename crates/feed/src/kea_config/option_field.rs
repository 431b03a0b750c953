//! Values of options from Kea's text to octets, one field at a time.

use std::net::Ipv4Addr;

use lqd_index::Prefix;

use super::address::{address, masked};
use super::hex;

/// Type of one field of an option; the names are those of Kea's `option-def`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Binary,
    Boolean,
    Int8,
    Int16,
    Int32,
    Uint8,
    Uint16,
    Uint32,
    Ipv4Address,
    Ipv6Address,
    Ipv6Prefix,
    Psid,
    String,
    Tuple,
    Fqdn,
}

impl Field {
    /// Returns the type of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "binary" => Self::Binary,
            "boolean" => Self::Boolean,
            "int8" => Self::Int8,
            "int16" => Self::Int16,
            "int32" => Self::Int32,
            "uint8" => Self::Uint8,
            "uint16" => Self::Uint16,
            "uint32" => Self::Uint32,
            "ipv4-address" => Self::Ipv4Address,
            "ipv6-address" => Self::Ipv6Address,
            "ipv6-prefix" => Self::Ipv6Prefix,
            "psid" => Self::Psid,
            "string" => Self::String,
            "tuple" => Self::Tuple,
            "fqdn" => Self::Fqdn,
            _ => return None,
        })
    }

    /// Returns the form of a value, for errors.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Self::Binary => "hexadecimal digits",
            Self::Boolean => "true or false",
            Self::Int8 => "a whole number from -128 to 127",
            Self::Int16 => "a whole number from -32768 to 32767",
            Self::Int32 => "a whole number from -2147483648 to 2147483647",
            Self::Uint8 => "a whole number from 0 to 255",
            Self::Uint16 => "a whole number from 0 to 65535",
            Self::Uint32 => "a whole number from 0 to 4294967295",
            Self::Ipv4Address => "an IPv4 address",
            Self::Ipv6Address => "an IPv6 address",
            Self::Ipv6Prefix => "an IPv6 prefix, such as 2001:db8::/64",
            Self::Psid => "a port set, such as 3/4",
            Self::String => "a text of one octet or more",
            Self::Tuple => "a text of at most 65535 octets",
            Self::Fqdn => "a domain name",
        }
    }

    /// Appends the value that `text` gives; `None` if it gives none.
    pub(super) fn encode(self, octets: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let text = || std::str::from_utf8(octets).ok();
        match self {
            Self::Binary => out.extend(hex::pairs(octets)?),
            Self::Boolean => out.push(boolean(text()?)?.into()),
            Self::Int8 => out.extend(i8::try_from(integer(text()?)?).ok()?.to_be_bytes()),
            Self::Int16 => out.extend(i16::try_from(integer(text()?)?).ok()?.to_be_bytes()),
            Self::Int32 => out.extend(i32::try_from(integer(text()?)?).ok()?.to_be_bytes()),
            Self::Uint8 => out.push(u8::try_from(integer(text()?)?).ok()?),
            Self::Uint16 => out.extend(u16::try_from(integer(text()?)?).ok()?.to_be_bytes()),
            Self::Uint32 => out.extend(u32::try_from(integer(text()?)?).ok()?.to_be_bytes()),
            Self::Ipv4Address => out.extend(text()?.parse::<Ipv4Addr>().ok()?.octets()),
            Self::Ipv6Address => out.extend(address(text()?)?.octets()),
            Self::Ipv6Prefix => prefix(text()?, out)?,
            Self::Psid => psid(text()?, out)?,
            Self::String => out.extend(string(octets)?),
            Self::Tuple => {
                out.extend(u16::try_from(octets.len()).ok()?.to_be_bytes());
                out.extend(octets);
            }
            Self::Fqdn => fqdn(octets, out)?,
        }
        Some(())
    }

    /// Returns the length of the value at the start of `octets`; `None` if there is no value that Kea sends
    /// as it is.
    pub(super) fn len(self, octets: &[u8]) -> Option<usize> {
        let len = match self {
            Self::Binary => octets.len(),
            Self::Boolean | Self::Int8 | Self::Uint8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 | Self::Ipv4Address => 4,
            Self::Ipv6Address => 16,
            Self::Ipv6Prefix => 1 + usize::from(*octets.first()?).div_ceil(8),
            Self::Psid => 3,
            Self::String => string(octets)?.len(),
            // A tuple carries its own length in two octets.
            Self::Tuple => 2 + usize::from(u16::from_be_bytes(*octets.first_chunk()?)),
            Self::Fqdn => {
                // A domain name ends at its root label; compression is not allowed here (RFC 8415 §10).
                let mut at = 0;
                while *octets.get(at)? != 0 {
                    at += 1 + usize::from(octets[at]);
                }
                at + 1
            }
        };
        // Kea cuts a value that is too long and refuses one that is too short: both are not sent as given.
        (len <= octets.len()).then_some(len)
    }
}

/// Kea refuses an empty string and cuts zeros from the end of others.
fn string(octets: &[u8]) -> Option<&[u8]> {
    octets.last().filter(|&&last| last != 0).map(|_| octets)
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        // The two words differ in length, which saves a second comparison.
        return Some(text.len() == "true".len());
    }
    match text.parse::<i32>() {
        Ok(0) => Some(false),
        Ok(1) => Some(true),
        _ => None,
    }
}

/// Decimal, or else hexadecimal with or without `0x`.
fn integer(text: &str) -> Option<i64> {
    let hexadecimal = || {
        let (sign, digits) = match text.as_bytes().first()? {
            b'-' => (-1, &text[1..]),
            b'+' => (1, &text[1..]),
            _ => (1, text),
        };
        let digits = digits.strip_prefix("0x").or(digits.strip_prefix("0X")).unwrap_or(digits);
        // `from_str_radix` takes a second sign, which Kea refuses.
        let unsigned = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        i64::from_str_radix(digits, 16).ok().filter(|_| unsigned).map(|value| sign * value)
    };
    // Decimal is tried first: `10` is ten in Kea.
    text.parse().ok().or_else(hexadecimal)
}

/// The two sides of a slash, without spaces and tabs.
fn sides(text: &str) -> Option<(String, String)> {
    let text: String = text.chars().filter(|char| !matches!(char, ' ' | '\t')).collect();
    text.split_once('/').map(|(left, right)| (left.to_owned(), right.to_owned()))
}

/// Length in bits, then as many octets as hold them, the bits beyond zero.
fn prefix(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (network, len) = sides(text)?;
    let Prefix { address, len } = masked(address(&network)?, u8::try_from(integer(&len)?).ok()?)?;
    out.push(len);
    out.extend(&address.octets()[..usize::from(len).div_ceil(8)]);
    Some(())
}

/// PSID length, then the PSID in the upper bits of 16 (RFC 7598 §4.5).
fn psid(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (psid, len) = sides(text)?;
    let (psid, len) = (u16::try_from(integer(&psid)?).ok()?, u8::try_from(integer(&len)?).ok()?);
    let shifted = match len {
        0 => 0,
        // Bits beyond the length have no place in a PSID.
        1..=16 if u32::from(psid) >> len == 0 => psid << (16 - len),
        _ => return None,
    };
    out.push(len);
    out.extend(shifted.to_be_bytes());
    Some(())
}

/// Labels, ended by the root (RFC 8415 §10); a name without a dot at its end means the same name.
fn fqdn(name: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let mut label = Vec::new();
    let mut rest = name;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'.' => push_label(&mut label, out)?,
            b'\\' => {
                let (escaped, after) = unescape(rest)?;
                label.push(escaped);
                rest = after;
            }
            octet => label.push(octet),
        }
    }
    // A name without final dot has its last label still pending.
    if name.last()? != &b'.' || !label.is_empty() {
        push_label(&mut label, out)?;
    }
    out.push(0);
    // A domain name has at most 255 octets on the wire (RFC 1035 §2.3.4).
    (out.len() - start <= 255).then_some(())
}

fn push_label(label: &mut Vec<u8>, out: &mut Vec<u8>) -> Option<()> {
    // A label has 1 to 63 octets (RFC 1035 §2.3.4); an empty one would end the name early.
    out.push(u8::try_from(label.len()).ok().filter(|len| (1..=63).contains(len))?);
    out.append(label);
    Some(())
}

/// The octet of an escape in a name after its backslash, three decimal digits or itself (RFC 1035 §5.1), and
/// the rest; of three digits Kea takes letters, digits, hyphens and underscores only.
fn unescape(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        digits @ [b'0'..=b'9', ..] => {
            let (digits, rest) = digits.split_at_checked(3)?;
            let octet: u8 = std::str::from_utf8(digits).ok()?.parse().ok()?;
            // Kea refuses other octets here, even where DNS allows them.
            (octet.is_ascii_alphanumeric() || b"-_".contains(&octet)).then_some((octet, rest))
        }
        [octet, rest @ ..] => Some((*octet, rest)),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(field: Field, text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        field.encode(text.as_bytes(), &mut out).map(|()| out)
    }

    #[test]
    fn each_type_has_its_octets() {
        let rows: [(Field, &str, &[u8]); 29] = [
            (Field::Binary, "0a1b", &[0x0a, 0x1b]),
            (Field::Boolean, "True", &[1]),
            (Field::Boolean, "0", &[0]),
            (Field::Int8, "-1", &[0xff]),
            (Field::Int16, "-2", &[0xff, 0xfe]),
            (Field::Int32, "-2147483648", &[0x80, 0, 0, 0]),
            (Field::Uint8, "255", &[0xff]),
            (Field::Uint16, "258", &[1, 2]),
            (Field::Uint32, "86400", &[0x00, 0x01, 0x51, 0x80]),
            (Field::Uint32, "0x118b", &[0, 0, 0x11, 0x8b]),
            (Field::Uint32, "118b", &[0, 0, 0x11, 0x8b]),
            (Field::Ipv4Address, "192.0.2.1", &[192, 0, 2, 1]),
            (Field::Ipv6Address, "2001:db8::53", b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x53"),
            (Field::Ipv6Prefix, "2001:db8:ffff::/33", b"\x21\x20\x01\x0d\xb8\x80"),
            (Field::Ipv6Prefix, "::/0", &[0]),
            (Field::Psid, "3/4", &[4, 0x30, 0]),
            (Field::Psid, "65535/16", &[16, 0xff, 0xff]),
            (Field::Psid, "0/0", &[0, 0, 0]),
            (Field::String, "EST5EDT4", b"EST5EDT4"),
            (Field::Tuple, "abc", b"\0\x03abc"),
            (Field::Fqdn, "eng.example.com", b"\x03eng\x07example\x03com\0"),
            (Field::Fqdn, "eng.example.com.", b"\x03eng\x07example\x03com\0"),
            (Field::Fqdn, r"\097\-b.c", b"\x03a-b\x01c\0"),
            (Field::Binary, "0a 1 b\t", &[0x0a, 0x1b]),
            (Field::Boolean, "+01", &[1]),
            (Field::Uint8, "+0X1f", &[0x1f]),
            (Field::Int8, "-1f", &[0xe1]),
            (Field::Ipv6Address, "fe80::1%eth0", b"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"),
            (Field::Ipv6Prefix, "2001:db8:: / 0x20", b"\x20\x20\x01\x0d\xb8"),
        ];
        for (field, text, want) in rows {
            assert_eq!(encoded(field, text).as_deref(), Some(want), "{field:?} {text:?}");
        }
    }

    #[test]
    fn values_that_do_not_fit_the_type_are_refused() {
        let long_label = "a".repeat(64);
        let long_name = "abcdefg.".repeat(32);
        let rows = [
            (Field::Boolean, "2"),
            (Field::Int8, "128"),
            (Field::Uint8, "256"),
            (Field::Uint16, "-1"),
            (Field::Uint32, "4294967296"),
            (Field::Uint32, "ten"),
            (Field::Uint32, ""),
            (Field::Ipv4Address, "::1"),
            (Field::Ipv6Address, "192.0.2.1"),
            (Field::Binary, "0a1"),
            (Field::Binary, "0a:1b"),
            (Field::Uint8, "0x"),
            (Field::Uint8, "--1"),
            (Field::Uint8, "0x-1"),
            (Field::String, "a\0"),
            (Field::Fqdn, "."),
            (Field::Fqdn, r"\046"),
            (Field::Fqdn, "a\\"),
            (Field::Ipv6Prefix, "2001:db8::/129"),
            (Field::Ipv6Prefix, "2001:db8::"),
            (Field::Psid, "16/4"),
            (Field::Psid, "1/17"),
            (Field::String, ""),
            (Field::Fqdn, ""),
            (Field::Fqdn, "a..b"),
            (Field::Fqdn, ".a"),
            (Field::Fqdn, &long_label),
            (Field::Fqdn, &long_name),
        ];
        for (field, text) in rows {
            assert_eq!(encoded(field, text), None, "{field:?} {text:?}");
        }
    }

    #[test]
    fn the_length_of_a_value_is_as_kea_sends_it() {
        let rows: [(Field, &[u8], Option<usize>); 14] = [
            (Field::Binary, b"abc", Some(3)),
            (Field::Uint8, b"abc", Some(1)),
            (Field::Uint16, b"a", None),
            (Field::Ipv6Address, &[0; 17], Some(16)),
            (Field::Ipv6Prefix, &[33, 1, 2, 3, 4, 5, 6], Some(6)),
            (Field::Ipv6Prefix, &[33, 1, 2, 3, 4], None),
            (Field::String, b"abc", Some(3)),
            (Field::String, b"abc\0", None),
            (Field::Tuple, b"\0\x01ab", Some(3)),
            (Field::Tuple, b"\0\x02a", None),
            (Field::Fqdn, b"\x01a\0b", Some(3)),
            (Field::Fqdn, b"\x01a", None),
            (Field::Fqdn, b"\x05a\0", None),
            (Field::Psid, b"", None),
        ];
        for (field, octets, want) in rows {
            assert_eq!(field.len(octets), want, "{field:?} {}", octets.escape_ascii());
        }
    }
}

//! Values of options from Kea's text to octets, one field at a time.

use std::net::{Ipv4Addr, Ipv6Addr};

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
    /// The type of this name.
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

    /// What a value must look like.
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
    pub(super) fn encode(self, text: &str, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Binary => out.extend(hex::octets(text)?),
            Self::Boolean => out.push(boolean(text)?.into()),
            Self::Int8 => out.extend(i8::try_from(integer(text)?).ok()?.to_be_bytes()),
            Self::Int16 => out.extend(i16::try_from(integer(text)?).ok()?.to_be_bytes()),
            Self::Int32 => out.extend(i32::try_from(integer(text)?).ok()?.to_be_bytes()),
            Self::Uint8 => out.push(u8::try_from(integer(text)?).ok()?),
            Self::Uint16 => out.extend(u16::try_from(integer(text)?).ok()?.to_be_bytes()),
            Self::Uint32 => out.extend(u32::try_from(integer(text)?).ok()?.to_be_bytes()),
            Self::Ipv4Address => out.extend(text.parse::<Ipv4Addr>().ok()?.octets()),
            Self::Ipv6Address => out.extend(text.parse::<Ipv6Addr>().ok()?.octets()),
            Self::Ipv6Prefix => prefix(text, out)?,
            Self::Psid => psid(text, out)?,
            Self::String => out.extend((!text.is_empty()).then_some(text.as_bytes())?),
            Self::Tuple => {
                out.extend(u16::try_from(text.len()).ok()?.to_be_bytes());
                out.extend(text.as_bytes());
            }
            Self::Fqdn => fqdn(text, out)?,
        }
        Some(())
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => text.to_ascii_lowercase().parse().ok(),
    }
}

/// Decimal, or else hexadecimal with or without `0x`.
fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    text.parse().ok().or_else(|| i64::from_str_radix(digits, 16).ok())
}

/// Length in bits, then as many octets as hold them, the bits beyond zero.
fn prefix(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (address, len) = text.split_once('/')?;
    let net = ipnet::Ipv6Net::new(address.trim().parse().ok()?, len.trim().parse().ok()?).ok()?;
    out.push(net.prefix_len());
    out.extend(&net.trunc().addr().octets()[..usize::from(net.prefix_len()).div_ceil(8)]);
    Some(())
}

/// PSID length, then the PSID in the upper bits of 16 (RFC 7598 §4.5).
fn psid(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (psid, len) = text.split_once('/')?;
    let (psid, len): (u16, u8) = (psid.trim().parse().ok()?, len.trim().parse().ok()?);
    let shifted = match len {
        0 => 0,
        1..=16 if u32::from(psid) >> len == 0 => psid << (16 - len),
        _ => return None,
    };
    out.push(len);
    out.extend(shifted.to_be_bytes());
    Some(())
}

/// Labels, ended by the root (RFC 8415 §10); a name without a dot at its end means the same name.
fn fqdn(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let name = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() || text.contains('\\') {
        return None;
    }
    for label in name.split('.').filter(|_| !name.is_empty()) {
        let len = u8::try_from(label.len()).ok().filter(|len| (1..=63).contains(len))?;
        out.push(len);
        out.extend(label.as_bytes());
    }
    out.push(0);
    (out.len() - start <= 255).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(field: Field, text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        field.encode(text, &mut out).map(|()| out)
    }

    #[test]
    fn each_type_has_its_octets() {
        let rows: [(Field, &str, &[u8]); 23] = [
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
            (Field::Fqdn, ".", &[0]),
        ];
        for (field, text, want) in rows {
            assert_eq!(encoded(field, text).as_deref(), Some(want), "{field:?} {text:?}");
        }
    }

    #[test]
    fn what_does_not_fit_the_type_is_refused() {
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
            (Field::Ipv6Address, "fe80::1%eth0"),
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
}

//! Domain names in DHCPv6 options (RFC 8415 §10, RFC 4704 §4).

use std::fmt::Write;

/// OPTION_CLIENT_FQDN (RFC 4704 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fqdn {
    /// The name; octets other than letters, digits, `-` and `_` are escaped as `\ddd` (RFC 1035 §5.1).
    ///
    /// A final dot marks a complete name.
    pub name: String,
    /// The S flag: the server updates the name's AAAA record.
    pub server_updates_aaaa: bool,
    /// The N flag: the server updates nothing.
    pub server_updates_nothing: bool,
}

impl Fqdn {
    /// Parses the option's value.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let (&flags, name) = value.split_first()?;
        let (name, rest) = read_name(name)?;
        rest.is_empty().then_some(Self {
            name,
            server_updates_aaaa: flags & 1 != 0,
            server_updates_nothing: flags & 4 != 0,
        })
    }
}

/// Parses a list of names.
pub(crate) fn domain_names(mut octets: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    while !octets.is_empty() {
        let (name, rest) = read_name(octets)?;
        octets = rest;
        names.push(name);
    }
    Some(names)
}

/// Splits off one name. A partial name has no label of length 0 and ends with the octets.
fn read_name(mut octets: &[u8]) -> Option<(String, &[u8])> {
    let mut name = String::new();
    while let Some((&len, rest)) = octets.split_first() {
        if len == 0 {
            name.push('.');
            return Some((name, rest));
        }
        if len > 63 {
            return None; // RFC 8415 §10 forbids compression
        }
        let (label, rest) = rest.split_at_checked(len.into())?;
        // The root name has no label, so no dot before one.
        if !name.is_empty() {
            name.push('.');
        }
        // Escaped here, so that no caller can print a server's control characters.
        for &octet in label {
            match octet {
                b'-' | b'_' => name.push(octet.into()),
                _ if octet.is_ascii_alphanumeric() => name.push(octet.into()),
                _ => write!(name, "\\{octet:03}").ok()?,
            }
        }
        octets = rest;
    }
    Some((name, octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_malformed_ones_rejected() {
        let name = |octets: &[u8]| Fqdn::parse(octets).map(|fqdn| fqdn.name);
        assert_eq!(name(b"\x01\x04host\x07example\x00").as_deref(), Some("host.example."));
        assert_eq!(name(b"\x00\x04host").as_deref(), Some("host"));
        assert_eq!(name(b"\x00\x00").as_deref(), Some("."));
        assert_eq!(name(b"\x00").as_deref(), Some(""));
        assert_eq!(name(b"\x00\x03a.\x1b\x00").as_deref(), Some("a\\046\\027."));
        for broken in [&b""[..], b"\x00\x05host", b"\x00\xc0\x00", b"\x00\x01a\x00b"] {
            assert_eq!(name(broken), None, "{broken:?}");
        }
        let flags = Fqdn::parse(b"\x05\x00").expect("a name");
        assert!(flags.server_updates_aaaa && flags.server_updates_nothing);
        let list = domain_names(b"\x01a\x00\x01b\x01c\x00");
        assert_eq!(list, Some(vec!["a.".to_owned(), "b.c.".to_owned()]));
    }
}

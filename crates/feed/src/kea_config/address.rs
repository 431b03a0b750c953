//! Addresses and prefixes as Kea reads them.

use std::net::Ipv6Addr;

use lqd_index::Prefix;

/// Parses an IPv6 address, with or without a zone such as `%eth0`, which is dropped: no message carries it.
pub(super) fn address(text: &str) -> Option<Ipv6Addr> {
    let (address, zone) = text.split_once('%').unwrap_or((text, "any"));
    // Kea accepts a zone only if it has a name.
    if zone.is_empty() {
        return None;
    }
    address.parse().ok()
}

/// Parses a prefix such as `2001:db8::/32`, its host bits cut; Kea takes spaces, tabs, a sign and leading
/// zeros in it.
pub(super) fn prefix(text: &str) -> Option<Prefix> {
    let text: String = text.chars().filter(|char| !matches!(char, ' ' | '\t')).collect();
    let (network, len) = text.split_once('/')?;
    masked(address(network)?, u8::try_from(unsigned(len)?).ok()?)
}

/// Parses a number as `boost::lexical_cast<unsigned int>` reads it: with a minus sign, 2^32 less it.
fn unsigned(text: &str) -> Option<u32> {
    // `boost::lexical_cast` wraps negative numbers, and Kea's files may hold such lengths.
    let Some(negative) = text.strip_prefix('-') else { return text.parse().ok() };
    let number: u32 = negative.parse().ok().filter(|_| !negative.starts_with('+'))?;
    Some(number.wrapping_neg())
}

/// Returns the prefix of this length that `address` lies in; `None` if the length is more than 128.
pub(super) fn masked(address: Ipv6Addr, len: u8) -> Option<Prefix> {
    let net = ipnet::Ipv6Net::new(address, len).ok()?;
    Some(Prefix { address: net.network(), len })
}

/// Parses the first and last address of a pool, `first - last` or a prefix.
pub(super) fn pool(text: &str) -> Option<(Ipv6Addr, Ipv6Addr)> {
    let text: String = text.chars().filter(|char| !matches!(char, ' ' | '\t')).collect();
    if text.contains('/') {
        // A prefix may contain no hyphen, so the slash alone tells the two forms apart.
        return prefix(&text).map(ends);
    }
    let (first, last) = text.split_once('-')?;
    Some((address(first)?, address(last)?))
}

/// Returns the first and last address of a prefix.
pub(super) fn ends(prefix: Prefix) -> (Ipv6Addr, Ipv6Addr) {
    // A shift by 128 bits overflows: that prefix is a single address.
    let host = u128::MAX.checked_shr(prefix.len.into()).unwrap_or(0);
    (prefix.address, Ipv6Addr::from(u128::from(prefix.address) | host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_prefixes_are_read_as_kea_reads_them() {
        let prefix = |text| super::prefix(text).map(|Prefix { address, len }| format!("{address}/{len}"));
        let rows = [
            ("2001:db8::/32", Some("2001:db8::/32")),
            (" 2001:db8 ::/3\t2", Some("2001:db8::/32")),
            ("2001:DB8::1/+032", Some("2001:db8::/32")),
            ("fe80::%eth0/64", Some("fe80::/64")),
            ("::ffff:192.0.2.1/128", Some("::ffff:192.0.2.1/128")),
            ("fe80::%/64", None),
            ("2001:db8::", None),
            ("2001:db8::/129", None),
            ("2001:db8::/-1", None),
            ("2001:db8::/-0", Some("::/0")),
            ("2001:db8::/+0", Some("::/0")),
            ("2001:db8::/-00", Some("::/0")),
            ("2001:db8::/-4294967264", Some("2001:db8::/32")),
            ("2001:db8::/+-0", None),
            ("2001:db8::/-+0", None),
            ("2001:db8::/--0", None),
            ("2001:db8::/-", None),
            ("2001:db8::/256", None),
            ("2001:db8::/4294967328", None),
            ("2001:db8::/0x20", None),
            ("192.0.2.0/24", None),
        ];
        for (text, want) in rows {
            assert_eq!(prefix(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn pools_are_ranges_or_prefixes() {
        let pool = |text| super::pool(text).map(|(first, last)| format!("{first} {last}"));
        let rows = [
            ("2001:db8::1 - 2001:db8::2", Some("2001:db8::1 2001:db8::2")),
            ("2001:db8::1-2001:db8::1", Some("2001:db8::1 2001:db8::1")),
            ("2001:db8::/ 126", Some("2001:db8:: 2001:db8::3")),
            ("2001:db8::5/128", Some("2001:db8::5 2001:db8::5")),
            ("2001:db8::/-4294967170", Some("2001:db8:: 2001:db8::3")),
            ("2001:db8::5", None),
            ("2001:db8::1 - ", None),
        ];
        for (text, want) in rows {
            assert_eq!(pool(text).as_deref(), want, "{text}");
        }
    }
}

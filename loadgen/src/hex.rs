//! Octets in hex, as Kea's files and the flags write DUIDs.

use lqd_wire::Duid;

/// A DUID of 1 to 130 octets, each two digits, with colons between them.
pub(crate) fn duid(text: &str) -> Option<Vec<u8>> {
    let octet = |pair: &str| {
        let digits = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
        digits.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
    };
    let octets: Option<Vec<u8>> = text.split(':').map(octet).collect();
    octets.filter(|octets| Duid::new(octets).is_some())
}

/// Octets with a separator between them.
pub(crate) fn text(octets: &[u8], separator: &str) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(separator)
}

//! Hexadecimal text of octets: the only parser and writer of these tests.

/// Parses pairs of hexadecimal digits, with or without `:` between octets: `0e0a`, `0e:0a`.
///
/// # Errors
/// The text has other characters, or an odd number of digits.
pub fn parse_hex(text: &str) -> Result<Vec<u8>, String> {
    let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| match pair {
        &[high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    let octets = text.split(':').flat_map(|part| part.as_bytes().chunks(2)).map(pair);
    octets.collect::<Option<_>>().ok_or_else(|| format!("`{text}`: not pairs of hexadecimal digits"))
}

/// Writes `aa:bb:…`, as Kea and tshark do.
pub fn colon_hex(octets: &[u8]) -> String {
    grouped_hex(octets, 1, ":")
}

/// Writes hexadecimal digits with `separator` after every `group` octets.
pub fn grouped_hex(octets: &[u8], group: usize, separator: &str) -> String {
    let digits = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
    octets.chunks(group).map(digits).collect::<Vec<_>>().join(separator)
}

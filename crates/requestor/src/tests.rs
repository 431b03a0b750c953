//! Helpers of the unit tests. Octets are written by hand, never by the encoder under test.

/// Parses hexadecimal digits; whitespace, and `#` to the end of a line, is skipped.
pub(crate) fn octets(text: &str) -> Vec<u8> {
    let code = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let digits: String = code.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect();
    let mut octets = Vec::new();
    lqd_wire::hex::parse_undivided(digits.as_bytes(), &mut octets).expect("hexadecimal digits in pairs");
    octets
}

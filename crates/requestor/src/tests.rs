//! What the unit tests share: octets by hand, never from an encoder.

/// The octets of hexadecimal digits; blanks and what follows `#` on a line are left out.
pub(crate) fn octets(text: &str) -> Vec<u8> {
    let code = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let digits: String = code.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "an odd number of digits in {text}");
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits"))
        .collect()
}

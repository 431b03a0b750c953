//! Numbers with their limits in the type, so that a row of the table shows them.

use std::str::FromStr;

use super::spelled::{Literal, Spelled};

/// A whole number in `MIN..=MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Within<T, const MIN: u32, const MAX: u32>(pub(super) T);

impl<T: TryFrom<u32>, const MIN: u32, const MAX: u32> FromStr for Within<T, MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| (MIN..=MAX).contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        number.map(Self).ok_or_else(|| format!("must be {}", Self::form()))
    }
}

impl<T: TryFrom<u32>, const MIN: u32, const MAX: u32> Spelled for Within<T, MIN, MAX> {
    const LITERAL: Literal = Literal::Number;

    fn form() -> String {
        format!("a whole number in {MIN}..={MAX}")
    }
}

/// A power of two in `MIN..=MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PowerOfTwo<const MIN: u32, const MAX: u32>(pub(super) u32);

impl<const MIN: u32, const MAX: u32> FromStr for PowerOfTwo<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| (MIN..=MAX).contains(number));
        let number = number.filter(|number| number.is_power_of_two());
        number.map(Self).ok_or_else(|| format!("must be {}", Self::form()))
    }
}

impl<const MIN: u32, const MAX: u32> Spelled for PowerOfTwo<MIN, MAX> {
    const LITERAL: Literal = Literal::Number;

    fn form() -> String {
        format!("a power of two in {MIN}..={MAX}")
    }
}

/// A number of bytes in `MIN..=MAX`, with or without a unit: `4194304`, `4096KiB`, `4MiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes<const MIN: usize, const MAX: usize>(pub(super) usize);

/// Units and their powers of two.
const UNITS: [(&str, u32); 2] = [("KiB", 10), ("MiB", 20)];

impl<const MIN: usize, const MAX: usize> FromStr for Bytes<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unit = UNITS.iter().find_map(|&(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), shift)));
        let (digits, shift) = unit.unwrap_or((text, 0));
        let bytes = digits.parse().ok().and_then(|count: usize| count.checked_mul(1 << shift));
        let bytes = bytes.filter(|bytes| (MIN..=MAX).contains(bytes));
        bytes.map(Self).ok_or_else(|| format!("must be {}", Self::form()))
    }
}

impl<const MIN: usize, const MAX: usize> Spelled for Bytes<MIN, MAX> {
    const LITERAL: Literal = Literal::Either;

    fn form() -> String {
        format!("a number of bytes in {MIN}..={MAX}, or with a unit, such as \"4MiB\" or \"512KiB\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_inclusive() {
        for (text, want) in
            [("0", Some(0)), ("32", Some(32)), ("33", None), ("-1", None), ("", None), ("1.0", None)]
        {
            assert_eq!(text.parse::<Within<u8, 0, 32>>().ok().map(|hops| hops.0), want, "{text:?}");
        }
        assert_eq!("300".parse::<Within<u8, 0, 500>>().ok(), None, "does not fit its type");
    }

    #[test]
    fn only_powers_of_two_are_accepted() {
        for (text, want) in
            [("64", Some(64)), ("32768", Some(32_768)), ("32", None), ("65536", None), ("100", None)]
        {
            assert_eq!(text.parse::<PowerOfTwo<64, 32_768>>().ok().map(|count| count.0), want, "{text:?}");
        }
    }

    #[test]
    fn bytes_with_and_without_unit() {
        let rows = [
            ("65536", Some(65_536)),
            ("64KiB", Some(65_536)),
            ("4 MiB", Some(4_194_304)),
            ("1024MiB", Some(1_073_741_824)),
            ("1073741825", None),
            ("63KiB", None),
            ("18446744073709551615MiB", None),
            ("4MB", None),
            ("4mib", None),
            ("MiB", None),
            ("", None),
            ("-4MiB", None),
        ];
        for (text, want) in rows {
            let read = text.parse::<Bytes<65_536, 1_073_741_824>>();
            assert_eq!(read.ok().map(|bytes| bytes.0), want, "{text:?}");
        }
    }
}

//! Walking a list of options in place.

use core::fmt;

use crate::OptionCode;

/// Octets of an option's code and length fields.
const HEADER_LEN: usize = 4;

/// What is wrong with some octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseFault {
    /// The octets end inside a header or a value.
    Truncated,
    /// An option has a length that its definition does not allow.
    Length,
    /// An option that may appear once appears again.
    Repeated,
    /// A required option is missing.
    Missing,
    /// A value that its definition does not allow.
    Value,
}

/// A fault and the offset of the octet where it starts, counted from the start of the list or message parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Offset in octets.
    pub at: usize,
    /// What is wrong there.
    pub fault: ParseFault,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            ParseFault::Truncated => "the octets end inside an option or header",
            ParseFault::Length => "an option has a length that its definition does not allow",
            ParseFault::Repeated => "an option that may appear once appears again",
            ParseFault::Missing => "a required option is missing",
            ParseFault::Value => "a value is outside its definition",
        };
        write!(f, "{what} (octet {})", self.at)
    }
}

impl core::error::Error for ParseError {}

/// The options in some octets, in order: code, length, value each (RFC 8415 §21.1).
///
/// After the first fault the iterator is at its end.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Options<'a> {
    /// Walks these octets from their start.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, offset: 0 }
    }

    /// Walks these octets, which lie `offset` octets into what is being parsed; only errors show the difference.
    pub fn at(octets: &'a [u8], offset: usize) -> Self {
        Self { rest: octets, offset }
    }

    /// The offset of the next option.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Checks that the whole list parses.
    pub fn validate(self) -> Result<(), ParseError> {
        for option in self {
            option?;
        }
        Ok(())
    }

    fn truncated(&mut self) -> ParseError {
        self.rest = &[];
        ParseError { at: self.offset, fault: ParseFault::Truncated }
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Result<(OptionCode, &'a [u8]), ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some((&[c0, c1, l0, l1], body)) = self.rest.split_first_chunk::<HEADER_LEN>() else {
            return Some(Err(self.truncated()));
        };
        let len = usize::from(u16::from_be_bytes([l0, l1]));
        let Some((value, rest)) = body.split_at_checked(len) else {
            return Some(Err(self.truncated()));
        };
        self.offset += HEADER_LEN + len;
        self.rest = rest;
        Some(Ok((OptionCode(u16::from_be_bytes([c0, c1])), value)))
    }
}

impl core::iter::FusedIterator for Options<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn values_in_order_unknown_codes_too() {
        let octets = [0, 1, 0, 2, 0xaa, 0xbb, 0x12, 0x34, 0, 0];
        let options: Vec<_> = Options::new(&octets).map(Result::unwrap).collect();
        assert_eq!(options, [(OptionCode::CLIENTID, &[0xaa, 0xbb][..]), (OptionCode(0x1234), &[][..])]);
    }

    #[test]
    fn every_cut_of_an_option_is_one_fault_at_its_start() {
        let octets = [0, 1, 0, 0, 0, 2, 0, 3, 1, 2, 3];
        for end in 5..octets.len() {
            let mut options = Options::new(&octets[..end]);
            assert_eq!(options.next(), Some(Ok((OptionCode::CLIENTID, &[][..]))));
            let fault = ParseError { at: 4, fault: ParseFault::Truncated };
            assert_eq!(options.next(), Some(Err(fault)), "cut after {end}");
            assert_eq!(options.next(), None, "fused");
        }
    }
}

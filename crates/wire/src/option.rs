//! Lists of options, walked in place (RFC 8415 §21.1).

use crate::OptionCode;

/// Length in octets of an option's code and length fields.
const HEADER_LEN: usize = 4;

/// The kind of a [`ParseError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// The octets end inside a header or a value.
    #[error("the octets end inside an option or header")]
    Truncated,
    /// The length of an option is not one that its definition allows.
    #[error("an option has a length that its definition does not allow")]
    Length,
    /// An option that may appear once appears again.
    #[error("an option that may appear once appears again")]
    Repeated,
    /// A required option is missing.
    #[error("a required option is missing")]
    Missing,
    /// A value is not one that its definition allows.
    #[error("a value is outside its definition")]
    Value,
}

/// An error and its offset from the start of the parsed list or message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (octet {at})")]
pub struct ParseError {
    /// Offset in octets.
    pub at: usize,
    /// The kind of error.
    pub kind: ParseErrorKind,
}

/// An iterator over the options in a list: code and value of each (RFC 8415 §21.1).
///
/// It ends after the first error.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Options<'a> {
    /// Walks a list from its start.
    pub fn new(octets: &'a [u8]) -> Self {
        Self { rest: octets, offset: 0 }
    }

    /// Walks a list that starts `offset` octets into the parsed message; offsets in errors count from there.
    pub fn at(octets: &'a [u8], offset: usize) -> Self {
        Self { rest: octets, offset }
    }

    /// Returns the offset of the next option.
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
        // After an error no later option can be located.
        self.rest = &[];
        ParseError { at: self.offset, kind: ParseErrorKind::Truncated }
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
    fn options_come_in_order_with_unknown_codes() {
        let octets = [0, 1, 0, 2, 0xaa, 0xbb, 0x12, 0x34, 0, 0];
        let options: Vec<_> = Options::new(&octets).map(Result::unwrap).collect();
        assert_eq!(options, [(OptionCode::CLIENTID, &[0xaa, 0xbb][..]), (OptionCode(0x1234), &[][..])]);
    }

    #[test]
    fn a_truncated_option_is_one_error_at_its_start() {
        let octets = [0, 1, 0, 0, 0, 2, 0, 3, 1, 2, 3];
        for end in 5..octets.len() {
            let mut options = Options::new(&octets[..end]);
            assert_eq!(options.next(), Some(Ok((OptionCode::CLIENTID, &[][..]))));
            let error = ParseError { at: 4, kind: ParseErrorKind::Truncated };
            assert_eq!(options.next(), Some(Err(error)), "cut after {end}");
            assert_eq!(options.next(), None, "fused");
        }
    }
}

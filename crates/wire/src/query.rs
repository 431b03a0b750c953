//! OPTION_LQ_QUERY (RFC 5007 §4.1.2.1) and the option request inside it.

use crate::{OptionCode, Options, ParseError, ParseErrorKind, QueryType};

/// OPTION_LQ_QUERY: query-type, link-address, query-options (RFC 5007 §4.1.2.1).
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// The query-type; any value.
    pub kind: QueryType,
    /// An address of the queried link, or `::` for any link, in place.
    pub link_address: &'a [u8; 16],
    /// The query-options, offsets counted from the start of the option's value.
    pub options: Options<'a>,
}

impl<'a> Query<'a> {
    /// Length in octets of the part before the query-options.
    pub const HEADER_LEN: usize = 17;

    /// Parses the fixed part of the option's value; the query-options are not checked yet.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let short = ParseError { at: value.len(), kind: ParseErrorKind::Length };
        let (&[kind], rest) = value.split_first_chunk::<1>().ok_or(short)?;
        let (link_address, rest) = rest.split_first_chunk::<16>().ok_or(short)?;
        Ok(Self { kind: QueryType(kind), link_address, options: Options::at(rest, Self::HEADER_LEN) })
    }
}

/// OPTION_ORO: the codes of the requested options (RFC 8415 §21.7); none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionRequest<'a>(&'a [u8]);

impl<'a> OptionRequest<'a> {
    /// An empty request.
    pub const NONE: Self = Self(&[]);

    /// Returns whether no option is requested.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Parses the option's value: an even number of octets.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        if value.len() % 2 == 1 {
            return Err(ParseError { at: value.len(), kind: ParseErrorKind::Length });
        }
        Ok(Self(value))
    }

    /// Returns the codes in the requested order, repeated ones included.
    pub fn codes(self) -> impl Iterator<Item = OptionCode> + 'a {
        self.0.as_chunks::<2>().0.iter().map(|&code| OptionCode(u16::from_be_bytes(code)))
    }

    /// Returns whether `code` is requested.
    pub fn contains(self, code: OptionCode) -> bool {
        self.codes().any(|requested| requested == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_query_has_at_least_17_octets() {
        let value = [1; 17];
        for len in 0..17 {
            let error = ParseError { at: len, kind: ParseErrorKind::Length };
            assert_eq!(Query::parse(&value[..len]).unwrap_err(), error);
        }
        let query = Query::parse(&value).unwrap();
        assert_eq!((query.kind, query.options.offset()), (QueryType::BY_ADDRESS, 17));
    }

    #[test]
    fn an_option_request_has_an_even_length() {
        assert!(OptionRequest::parse(&[0, 47, 0]).is_err());
        let asked = OptionRequest::parse(&[0, 47, 0, 39, 0, 47]).unwrap();
        let codes: Vec<_> = asked.codes().map(|code| code.0).collect();
        assert_eq!(codes, [47, 39, 47]);
        assert!(asked.contains(OptionCode::CLIENT_FQDN) && !asked.contains(OptionCode::ORO));
    }
}

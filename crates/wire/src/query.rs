//! What a LEASEQUERY asks: OPTION_LQ_QUERY and the option request inside it.

use crate::{OptionCode, Options, ParseError, ParseFault, QueryType};

/// OPTION_LQ_QUERY: query-type, link-address, query-options (RFC 5007 §4.1.2.1).
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// What is asked; any value.
    pub kind: QueryType,
    /// An address of the link that the query is about, or `::`, in place.
    pub link_address: &'a [u8; 16],
    /// The query-options, offsets counted from the start of the option's value.
    pub options: Options<'a>,
}

impl<'a> Query<'a> {
    /// Octets before the query-options.
    pub const HEADER_LEN: usize = 17;

    /// Reads the fixed part of the option's value; the query-options are not looked at yet.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        let short = ParseError { at: value.len(), fault: ParseFault::Length };
        let (&[kind], rest) = value.split_first_chunk::<1>().ok_or(short)?;
        let (link_address, rest) = rest.split_first_chunk::<16>().ok_or(short)?;
        Ok(Self { kind: QueryType(kind), link_address, options: Options::at(rest, Self::HEADER_LEN) })
    }
}

/// OPTION_ORO: the codes of the options that are asked for (RFC 8415 §21.7). The default asks for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OptionRequest<'a>(&'a [u8]);

impl<'a> OptionRequest<'a> {
    /// Asks for nothing.
    pub const NONE: Self = Self(&[]);

    /// Whether nothing is asked for.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Reads the option's value: an even number of octets.
    pub fn parse(value: &'a [u8]) -> Result<Self, ParseError> {
        if value.len() % 2 == 1 {
            return Err(ParseError { at: value.len(), fault: ParseFault::Length });
        }
        Ok(Self(value))
    }

    /// The codes in the order in which they are asked for, repeated ones too.
    pub fn codes(self) -> impl Iterator<Item = OptionCode> + 'a {
        self.0.as_chunks::<2>().0.iter().map(|&code| OptionCode(u16::from_be_bytes(code)))
    }

    /// Whether this code is asked for.
    pub fn contains(self, code: OptionCode) -> bool {
        self.codes().any(|asked| asked == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn shorter_than_17_octets_is_a_fault() {
        let value = [1; 17];
        for len in 0..17 {
            let fault = ParseError { at: len, fault: ParseFault::Length };
            assert_eq!(Query::parse(&value[..len]).unwrap_err(), fault);
        }
        let query = Query::parse(&value).unwrap();
        assert_eq!((query.kind, query.options.offset()), (QueryType::BY_ADDRESS, 17));
    }

    #[test]
    fn option_request_of_odd_length_is_a_fault() {
        assert!(OptionRequest::parse(&[0, 47, 0]).is_err());
        let asked = OptionRequest::parse(&[0, 47, 0, 39, 0, 47]).unwrap();
        let codes: Vec<_> = asked.codes().map(|code| code.0).collect();
        assert_eq!(codes, [47, 39, 47]);
        assert!(asked.contains(OptionCode::CLIENT_FQDN) && !asked.contains(OptionCode::ORO));
    }
}

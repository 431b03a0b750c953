//! OPTION_IAADDR and OPTION_IAPREFIX: addresses and prefixes with lifetimes (RFC 8415 §21.6, §21.22).

use core::net::Ipv6Addr;

use crate::{Free, OptionCode, Options, ParseError, ParseErrorKind, Writer, write::NoRoomError};

/// OPTION_IAADDR: an address and its lifetimes (RFC 8415 §21.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IaAddress {
    /// The address.
    pub address: Ipv6Addr,
    /// Preferred lifetime in seconds; 0xffffffff is infinity.
    pub preferred_lifetime: u32,
    /// Valid lifetime in seconds; 0xffffffff is infinity.
    pub valid_lifetime: u32,
}

impl IaAddress {
    /// Parses the option's value; its inner options must parse but are not kept.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let Some((address, rest)) = value.split_first_chunk::<16>() else { return Err(short(value)) };
        let Some((lifetimes, inner)) = rest.split_first_chunk::<8>() else { return Err(short(value)) };
        Options::at(inner, 24).validate()?;
        let [preferred_lifetime, valid_lifetime] = two_words(*lifetimes);
        Ok(Self { address: Ipv6Addr::from(*address), preferred_lifetime, valid_lifetime })
    }

    /// Parses the option's value as [`Self::parse`], but returns the address alone, in place.
    #[inline]
    pub fn parse_address(value: &[u8]) -> Result<&[u8; 16], ParseError> {
        let Some((address, rest)) = value.split_first_chunk::<16>() else { return Err(short(value)) };
        let Some((_, inner)) = rest.split_first_chunk::<8>() else { return Err(short(value)) };
        // Nearly every address comes without inner options.
        if !inner.is_empty() {
            Options::at(inner, 24).validate()?;
        }
        Ok(address)
    }

    /// Writes the option.
    #[inline]
    pub fn write(&self, w: &mut Writer<'_>) -> Result<(), NoRoomError> {
        w.extend(|free| self.fill(free))
    }

    /// Writes the option to the unwritten end of a buffer.
    #[inline]
    pub fn fill(&self, free: &mut Free<'_>) -> Result<(), NoRoomError> {
        let option = free.take::<28>()?;
        option[..2].copy_from_slice(&OptionCode::IAADDR.0.to_be_bytes());
        option[2..4].copy_from_slice(&24_u16.to_be_bytes());
        option[4..20].copy_from_slice(&self.address.octets());
        option[20..24].copy_from_slice(&self.preferred_lifetime.to_be_bytes());
        option[24..].copy_from_slice(&self.valid_lifetime.to_be_bytes());
        Ok(())
    }
}

/// OPTION_IAPREFIX: a delegated prefix and its lifetimes (RFC 8415 §21.22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IaPrefix {
    /// The first address of the prefix.
    pub address: Ipv6Addr,
    /// Prefix length, 0..=128.
    pub prefix_len: u8,
    /// Preferred lifetime in seconds; 0xffffffff is infinity.
    pub preferred_lifetime: u32,
    /// Valid lifetime in seconds; 0xffffffff is infinity.
    pub valid_lifetime: u32,
}

impl IaPrefix {
    /// Parses the option's value; its inner options must parse but are not kept.
    pub fn parse(value: &[u8]) -> Result<Self, ParseError> {
        let Some((lifetimes, rest)) = value.split_first_chunk::<8>() else { return Err(short(value)) };
        let Some((&[prefix_len], rest)) = rest.split_first_chunk::<1>() else { return Err(short(value)) };
        let Some((address, inner)) = rest.split_first_chunk::<16>() else { return Err(short(value)) };
        if prefix_len > 128 {
            return Err(ParseError { at: 8, kind: ParseErrorKind::Value });
        }
        Options::at(inner, 25).validate()?;
        let [preferred_lifetime, valid_lifetime] = two_words(*lifetimes);
        Ok(Self { address: Ipv6Addr::from(*address), prefix_len, preferred_lifetime, valid_lifetime })
    }

    /// Writes the option.
    #[inline]
    pub fn write(&self, w: &mut Writer<'_>) -> Result<(), NoRoomError> {
        w.extend(|free| self.fill(free))
    }

    /// Writes the option to the unwritten end of a buffer.
    #[inline]
    pub fn fill(&self, free: &mut Free<'_>) -> Result<(), NoRoomError> {
        let option = free.take::<29>()?;
        option[..2].copy_from_slice(&OptionCode::IAPREFIX.0.to_be_bytes());
        option[2..4].copy_from_slice(&25_u16.to_be_bytes());
        option[4..8].copy_from_slice(&self.preferred_lifetime.to_be_bytes());
        option[8..12].copy_from_slice(&self.valid_lifetime.to_be_bytes());
        option[12] = self.prefix_len;
        option[13..].copy_from_slice(&self.address.octets());
        Ok(())
    }
}

fn short(value: &[u8]) -> ParseError {
    ParseError { at: value.len(), kind: ParseErrorKind::Length }
}

fn two_words([a, b, c, d, e, f, g, h]: [u8; 8]) -> [u32; 2] {
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    // From answers of Kea 3.3.1.
    const IAADDR: &str = "20010db805000000411643091d48cbd90012b37e002679fe";
    const IAPREFIX: &str = "0012b37e002679fe3820010db805a342000000000000000000";

    fn octets<const N: usize>(hex: &str) -> [u8; N] {
        let mut octets = Vec::new();
        crate::hex::parse_undivided(hex.as_bytes(), &mut octets).unwrap();
        octets.try_into().unwrap()
    }

    #[test]
    fn an_address_from_kea_survives_parsing_and_writing() {
        let value: [u8; 24] = octets(IAADDR);
        let parsed = IaAddress::parse(&value).unwrap();
        assert_eq!(parsed.address, "2001:db8:500:0:4116:4309:1d48:cbd9".parse::<Ipv6Addr>().unwrap());
        assert_eq!((parsed.preferred_lifetime, parsed.valid_lifetime), (1_225_598, 2_521_598));
        let mut buffer = [0; 28];
        let mut w = Writer::new(&mut buffer);
        parsed.write(&mut w).unwrap();
        assert_eq!(w.written()[..4], [0, 5, 0, 24]);
        assert_eq!(w.written()[4..], value);
    }

    #[test]
    fn a_prefix_from_kea_survives_parsing_and_writing() {
        let value: [u8; 25] = octets(IAPREFIX);
        let parsed = IaPrefix::parse(&value).unwrap();
        assert_eq!(parsed.address, "2001:db8:5a3:4200::".parse::<Ipv6Addr>().unwrap());
        assert_eq!(parsed.prefix_len, 56);
        let mut buffer = [0; 29];
        let mut w = Writer::new(&mut buffer);
        parsed.write(&mut w).unwrap();
        assert_eq!(w.written()[..4], [0, 26, 0, 25]);
        assert_eq!(w.written()[4..], value);
    }

    #[test]
    fn short_values_and_broken_inner_options_are_errors() {
        let address: [u8; 24] = octets(IAADDR);
        let prefix: [u8; 25] = octets(IAPREFIX);
        for len in 0..24 {
            assert_eq!(IaAddress::parse(&address[..len]).unwrap_err().kind, ParseErrorKind::Length);
            assert_eq!(IaAddress::parse_address(&address[..len]).unwrap_err().kind, ParseErrorKind::Length);
            assert_eq!(IaPrefix::parse(&prefix[..len]).unwrap_err().kind, ParseErrorKind::Length);
        }
        let mut broken = [0; 27];
        broken[..24].copy_from_slice(&address);
        let error = ParseError { at: 24, kind: ParseErrorKind::Truncated };
        assert_eq!(IaAddress::parse(&broken).unwrap_err(), error);
        assert_eq!(IaAddress::parse_address(&broken).unwrap_err(), error);
        assert_eq!(IaAddress::parse_address(&address).unwrap(), &address[..16]);
        let mut too_long = prefix;
        too_long[8] = 129;
        assert_eq!(IaPrefix::parse(&too_long).unwrap_err().kind, ParseErrorKind::Value);
    }
}

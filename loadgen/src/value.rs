//! Parsers of flag values that several commands take.

use std::net::{SocketAddr, SocketAddrV6};
use std::num::NonZeroU16;
use std::time::Duration;

use lqd_wire::{Duid, hex};

/// An error in the value of a flag.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum ValueError {
    #[error("must be a number from 0 to 1")]
    Share,
    #[error("must be more than 0")]
    ZeroTime,
    #[error("{0}; give a time such as 500ms, 10s or 5min")]
    Time(humantime::DurationError),
    #[error("DHCPv6 leasequery runs over IPv6; give an address such as [::1]:547")]
    Ipv4Target,
    #[error("must be an IPv6 address and a port, such as [::1]:547 or [fe80::1%2]:547 (2: interface index)")]
    Target,
    #[error("must be 1 to 130 octets in hexadecimal with colons, such as 00:03:00:01:02:00:5e:00:53:01")]
    Duid,
    #[error("must be octets in hexadecimal with colons, such as 00:00:11:8b:61:62")]
    Hex,
    #[error("must be numbers of CPUs, separated by commas, such as 1,3")]
    Cpus,
    #[error("must be a number from 1 to 64")]
    Gso,
    #[error("must be queries per second, such as 5000, 20k or 1.5M, or a ramp such as 1k..50k")]
    Rate,
    #[error("must be uniform, zipf, zipf=EXPONENT (0.1 to 10) or reboot")]
    Order,
}

/// Parses a share from 0 to 1.
pub(crate) fn share(text: &str) -> Result<f64, ValueError> {
    // NaN is in no range.
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or(ValueError::Share)
}

/// Parses a time above 0.
pub(crate) fn duration(text: &str) -> Result<Duration, ValueError> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err(ValueError::ZeroTime),
        Ok(duration) => Ok(duration),
        Err(error) => Err(ValueError::Time(error)),
    }
}

/// Parses address and port of a server.
pub(crate) fn target(text: &str) -> Result<SocketAddrV6, ValueError> {
    match text.parse() {
        Ok(SocketAddr::V6(target)) if target.port() != 0 => Ok(target),
        Ok(SocketAddr::V4(_)) => Err(ValueError::Ipv4Target),
        _ => Err(ValueError::Target),
    }
}

/// Parses 1 to 64, the limit of UDP_SEGMENT.
pub(crate) fn gso(text: &str) -> Result<NonZeroU16, ValueError> {
    // The kernel takes no more in one send.
    text.parse().ok().filter(|count: &NonZeroU16| count.get() <= 64).ok_or(ValueError::Gso)
}

/// A DUID of 1 to 130 octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DuidArgument(pub(crate) Vec<u8>);

impl std::str::FromStr for DuidArgument {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // Colons only: another notation could be an address.
        let mut octets = Vec::new();
        hex::parse_divided(text.as_bytes(), b':', &mut octets).map_err(|_| ValueError::Duid)?;
        Duid::new(&octets).ok_or(ValueError::Duid)?;
        Ok(Self(octets))
    }
}

/// Octets in hexadecimal, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HexArgument(pub(crate) Vec<u8>);

impl std::str::FromStr for HexArgument {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut octets = Vec::new();
        hex::parse_divided(text.as_bytes(), b':', &mut octets).map_err(|_| ValueError::Hex)?;
        Ok(Self(octets))
    }
}

/// Numbers of CPUs, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cpus(pub(crate) Vec<usize>);

impl std::str::FromStr for Cpus {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // An empty list has one empty part, which is no number.
        let cpus: Result<_, _> = text.split(',').map(str::parse).collect();
        cpus.map(Self).map_err(|_| ValueError::Cpus)
    }
}

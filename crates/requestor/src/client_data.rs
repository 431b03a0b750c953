//! The bindings of one client on one link, as told by a server (RFC 5007 §4.1.2.2).

use std::fmt;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use lqd_wire::{IaAddress, IaPrefix, OptionCode, Options, ParseError, ParseErrorKind};

use crate::domain_name::{Fqdn, domain_names};
use crate::relay_data::RelayChain;
use crate::{Deviation, Duid};

/// A leased address or delegated prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressOrPrefix {
    /// An address (OPTION_IAADDR).
    Address(Ipv6Addr),
    /// A delegated prefix (OPTION_IAPREFIX), its host bits as the server sent them.
    Prefix(Ipv6Net),
}

impl AddressOrPrefix {
    /// Whether this is `address`, or a prefix that contains it.
    pub fn covers(&self, address: Ipv6Addr) -> bool {
        match self {
            Self::Address(own) => *own == address,
            Self::Prefix(prefix) => prefix.contains(&address),
        }
    }
}

impl fmt::Display for AddressOrPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

/// An address or prefix with its remaining lifetimes; 0xffffffff is infinity (RFC 8415 §7.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The leased address or prefix.
    pub resource: AddressOrPrefix,
    /// Preferred lifetime in seconds, counted from the sending of the answer.
    pub preferred_lifetime_s: u32,
    /// Valid lifetime in seconds, counted from the sending of the answer.
    pub valid_lifetime_s: u32,
}

impl Lease {
    /// Whether the client may still use it.
    pub(crate) fn is_valid(&self) -> bool {
        self.valid_lifetime_s > 0
    }
}

/// A hardware type and an address (RFC 6939 §4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkLayerAddress {
    /// Hardware type (IANA ARP parameters).
    pub hardware: u16,
    /// The address.
    pub address: Vec<u8>,
}

/// An option kept undecoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawOption {
    /// The option code.
    pub code: OptionCode,
    /// The value, without code and length.
    pub value: Vec<u8>,
}

/// The decoded content of OPTION_CLIENT_DATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientData {
    /// DUID of the client.
    pub client: Duid,
    /// Every lease of the client on the link.
    pub leases: Vec<Lease>,
    /// OPTION_CLT_TIME: seconds since the server last heard from the client on the link (RFC 5007 §4.1.2.3).
    pub clt_time_s: u32,
    /// OPTION_CLIENT_FQDN, if requested and known to the server.
    pub fqdn: Option<Fqdn>,
    /// OPTION_CLIENT_LINKLAYER_ADDR, if requested and known to the server.
    pub link_layer: Option<LinkLayerAddress>,
    /// OPTION_LQ_RELAY_DATA, if requested and known to the server.
    pub relay: Option<RelayChain>,
    /// Options that have no field above.
    pub other: Vec<RawOption>,
}

/// Parser state of one OPTION_CLIENT_DATA.
#[derive(Default)]
pub(crate) struct ClientDataParser {
    client: Option<Duid>,
    leases: Vec<Lease>,
    clt_time_s: Option<u32>,
    fqdn: Option<Fqdn>,
    link_layer: Option<LinkLayerAddress>,
    pub(crate) relay: Option<RelayChain>,
    other: Vec<RawOption>,
    seen: Vec<OptionCode>,
}

impl ClientDataParser {
    /// Parses the option's value, which starts `offset` octets into the message.
    ///
    /// A fault in an option that decides the result is an error, one in an informational option a deviation.
    pub(crate) fn read(
        value: &[u8],
        offset: usize,
        deviations: &mut Vec<Deviation>,
    ) -> Result<Self, ParseError> {
        let mut reading = Self::default();
        let mut options = Options::at(value, offset);
        loop {
            let at = options.offset();
            let Some(option) = options.next() else { return Ok(reading) };
            let (code, value) = option?;
            reading.take(code, value, at, deviations)?;
        }
    }

    fn take(
        &mut self,
        code: OptionCode,
        value: &[u8],
        at: usize,
        deviations: &mut Vec<Deviation>,
    ) -> Result<(), ParseError> {
        let inside = |error: ParseError| ParseError { at: at + 4 + error.at, ..error };
        let singleton =
            matches!(code, OptionCode::CLIENTID | OptionCode::CLT_TIME | OptionCode::LQ_RELAY_DATA);
        // Repeated IA options are several leases; a repeated singleton would leave open which one counts.
        if singleton && self.seen.contains(&code) {
            return Err(ParseError { at, kind: ParseErrorKind::Repeated });
        }
        self.seen.push(code);
        match code {
            // A DUID of invalid length counts as missing; `finish` reports it.
            OptionCode::CLIENTID => self.client = Duid::new(value).ok(),
            OptionCode::IAADDR => self.leases.push(IaAddress::parse(value).map_err(inside)?.into()),
            OptionCode::IAPREFIX => self.leases.push(IaPrefix::parse(value).map_err(inside)?.into()),
            OptionCode::CLT_TIME => {
                let octets = value.try_into().map_err(|_| ParseError { at, kind: ParseErrorKind::Length })?;
                self.clt_time_s = Some(u32::from_be_bytes(octets));
            }
            OptionCode::LQ_RELAY_DATA => {
                self.relay = Some(RelayChain::read(value, deviations).map_err(inside)?);
            }
            // A second FQDN or link-layer address is kept as an unknown option: neither decides anything.
            OptionCode::CLIENT_FQDN if self.fqdn.is_none() => match Fqdn::parse(value) {
                Some(fqdn) => self.fqdn = Some(fqdn),
                None => self.keep_broken(code, value, deviations),
            },
            OptionCode::CLIENT_LINKLAYER_ADDR if self.link_layer.is_none() => match value.split_first_chunk()
            {
                Some((&hardware, address)) => {
                    let hardware = u16::from_be_bytes(hardware);
                    self.link_layer = Some(LinkLayerAddress { hardware, address: address.to_vec() });
                }
                None => self.keep_broken(code, value, deviations),
            },
            _ => self.other.push(RawOption { code, value: value.to_vec() }),
        }
        Ok(())
    }

    fn keep_broken(&mut self, code: OptionCode, value: &[u8], deviations: &mut Vec<Deviation>) {
        deviations.push(Deviation::OptionBroken(code));
        self.other.push(RawOption { code, value: value.to_vec() });
    }

    /// Returns the client data if all mandatory options were present.
    pub(crate) fn finish(self) -> Result<ClientData, Deviation> {
        Ok(ClientData {
            client: self.client.ok_or(Deviation::NoClientId)?,
            // RFC 5007 §4.3.3: a requestor discards client data without CLT_TIME.
            clt_time_s: self.clt_time_s.ok_or(Deviation::NoCltTime)?,
            leases: self.leases,
            fqdn: self.fqdn,
            link_layer: self.link_layer,
            relay: self.relay,
            other: self.other,
        })
    }
}

impl From<IaAddress> for Lease {
    fn from(address: IaAddress) -> Self {
        Self {
            resource: AddressOrPrefix::Address(address.address),
            preferred_lifetime_s: address.preferred_lifetime,
            valid_lifetime_s: address.valid_lifetime,
        }
    }
}

impl From<IaPrefix> for Lease {
    fn from(prefix: IaPrefix) -> Self {
        // `IaPrefix::parse` has checked the length; the /128 fallback only avoids a panic.
        let net = Ipv6Net::new(prefix.address, prefix.prefix_len).unwrap_or_else(|_| prefix.address.into());
        Self {
            resource: AddressOrPrefix::Prefix(net),
            preferred_lifetime_s: prefix.preferred_lifetime,
            valid_lifetime_s: prefix.valid_lifetime,
        }
    }
}

/// Renders the value of a well-known option as text; `None` where hexadecimal says as much.
pub fn option_text(option: &RawOption) -> Option<String> {
    const DNS_SERVERS: u16 = 23; // RFC 3646 §3
    const DOMAIN_LIST: u16 = 24; // RFC 3646 §4
    match option.code.0 {
        DNS_SERVERS => {
            let (addresses, rest) = option.value.as_chunks::<16>();
            let texts = addresses.iter().map(|&octets| Ipv6Addr::from(octets).to_string());
            (rest.is_empty() && !addresses.is_empty()).then(|| texts.collect::<Vec<_>>().join(", "))
        }
        DOMAIN_LIST => domain_names(&option.value).map(|names| names.join(", ")),
        _ => None,
    }
}

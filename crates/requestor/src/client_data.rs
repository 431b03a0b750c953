//! The bindings of one client on one link, as a server tells them (RFC 5007 §4.1.2.2).

use std::fmt;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use lqd_wire::{IaAddress, IaPrefix, OptionCode, Options, ParseError, ParseFault};

use crate::domain_name::{Fqdn, domain_names};
use crate::relay_data::RelayChain;
use crate::{Deviation, Duid};

/// What is leased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Binding {
    /// An address (OPTION_IAADDR).
    Address(Ipv6Addr),
    /// A delegated prefix (OPTION_IAPREFIX), its host bits as the server sent them.
    Prefix(Ipv6Net),
}

impl Binding {
    /// It is this address, or contains it.
    pub fn covers(&self, address: Ipv6Addr) -> bool {
        match self {
            Self::Address(own) => *own == address,
            Self::Prefix(prefix) => prefix.contains(&address),
        }
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

/// An address or prefix with what remains of its lifetimes; 0xffffffff is infinity (RFC 8415 §7.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What is leased.
    pub binding: Binding,
    /// Seconds when the answer was sent.
    pub preferred_lifetime_s: u32,
    /// Seconds when the answer was sent.
    pub valid_lifetime_s: u32,
}

impl Lease {
    /// The client may still use it.
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

/// An option that is kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawOption {
    /// Its code.
    pub code: OptionCode,
    /// Its value.
    pub value: Vec<u8>,
}

/// OPTION_CLIENT_DATA, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientData {
    /// Whose bindings.
    pub client: Duid,
    /// All of them on the link.
    pub leases: Vec<Lease>,
    /// OPTION_CLT_TIME: seconds since the server last spoke with the client on the link (RFC 5007 §4.1.2.3).
    pub clt_time_s: u32,
    /// OPTION_CLIENT_FQDN, if asked for and known.
    pub fqdn: Option<Fqdn>,
    /// OPTION_CLIENT_LINKLAYER_ADDR, if asked for and known.
    pub link_layer: Option<LinkLayerAddress>,
    /// OPTION_LQ_RELAY_DATA, if asked for and known.
    pub relay: Option<RelayChain>,
    /// All other options.
    pub other: Vec<RawOption>,
}

/// Client data being read.
#[derive(Default)]
pub(crate) struct Reading {
    client: Option<Duid>,
    leases: Vec<Lease>,
    clt_time_s: Option<u32>,
    fqdn: Option<Fqdn>,
    link_layer: Option<LinkLayerAddress>,
    pub(crate) relay: Option<RelayChain>,
    other: Vec<RawOption>,
    seen: Vec<OptionCode>,
}

impl Reading {
    /// Reads the option's value, which lies `offset` octets into the message; faults in what decides are errors, in
    /// what only informs deviations.
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
        if singleton && self.seen.contains(&code) {
            return Err(ParseError { at, fault: ParseFault::Repeated });
        }
        self.seen.push(code);
        match code {
            OptionCode::CLIENTID => self.client = Duid::new(value).ok(),
            OptionCode::IAADDR => self.leases.push(IaAddress::parse(value).map_err(inside)?.into()),
            OptionCode::IAPREFIX => self.leases.push(IaPrefix::parse(value).map_err(inside)?.into()),
            OptionCode::CLT_TIME => {
                let octets = value.try_into().map_err(|_| ParseError { at, fault: ParseFault::Length })?;
                self.clt_time_s = Some(u32::from_be_bytes(octets));
            }
            OptionCode::LQ_RELAY_DATA => {
                self.relay = Some(RelayChain::read(value, deviations).map_err(inside)?);
            }
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

    /// What was read, if all is there that client data must hold.
    pub(crate) fn finish(self) -> Result<ClientData, Deviation> {
        Ok(ClientData {
            client: self.client.ok_or(Deviation::NoClientId)?,
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
            binding: Binding::Address(address.address),
            preferred_lifetime_s: address.preferred_lifetime,
            valid_lifetime_s: address.valid_lifetime,
        }
    }
}

impl From<IaPrefix> for Lease {
    fn from(prefix: IaPrefix) -> Self {
        // `IaPrefix` has checked the length, so a prefix of 128 stands for what cannot be.
        let net = Ipv6Net::new(prefix.address, prefix.prefix_len).unwrap_or_else(|_| prefix.address.into());
        Self {
            binding: Binding::Prefix(net),
            preferred_lifetime_s: prefix.preferred_lifetime,
            valid_lifetime_s: prefix.valid_lifetime,
        }
    }
}

/// A well-known option's value in words, for a reader; `None` where the octets say as much.
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

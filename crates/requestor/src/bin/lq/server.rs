//! Server names on the command line.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use lqd_requestor::SERVER_PORT;

use crate::error::Error;

/// An address, perhaps with a zone, or a host name; and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerName {
    host: Host,
    zone: Option<String>,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(Ipv6Addr),
    Name(String),
}

/// An error in a server name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ServerNameError {
    #[error("has an invalid port `{0}`; write 1 to 65535")]
    Port(String),
    #[error("has no ] after its [")]
    NoBracket,
    #[error("has text other than :PORT after its ]")]
    AfterBracket,
    #[error("is empty")]
    Empty,
    #[error("is an IPv4 address; DHCPv6 servers have IPv6 addresses")]
    Ipv4,
    #[error("is not an IPv6 address; with a port, write [ADDRESS]:PORT")]
    NotIpv6,
    #[error("needs an interface: write ADDRESS%INTERFACE")]
    NoZone,
}

impl FromStr for ServerName {
    type Err = ServerNameError;

    /// Parses `2001:db8::1`, `[2001:db8::1]:547`, `fe80::1%eth0`, `[fe80::1%eth0]:547`, `name`, `name:547`.
    fn from_str(text: &str) -> Result<Self, ServerNameError> {
        let port_of = |text: &str| {
            text.parse().ok().filter(|port| *port > 0).ok_or_else(|| ServerNameError::Port(text.to_owned()))
        };
        if let Some(inside) = text.strip_prefix('[') {
            let (address, port) = inside.split_once(']').ok_or(ServerNameError::NoBracket)?;
            let port = match port.strip_prefix(':') {
                Some(port) => port_of(port)?,
                None if port.is_empty() => SERVER_PORT,
                None => return Err(ServerNameError::AfterBracket),
            };
            return Self::address(address, port);
        }
        // Without brackets, several colons can only be an address, whose last group is no port.
        if text.matches(':').count() > 1 {
            return Self::address(text, SERVER_PORT);
        }
        let (name, port) = match text.split_once(':') {
            Some((name, port)) => (name, port_of(port)?),
            None => (text, SERVER_PORT),
        };
        if name.is_empty() {
            return Err(ServerNameError::Empty);
        }
        // The resolver's error would be less clear.
        if name.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err(ServerNameError::Ipv4);
        }
        Ok(Self { host: Host::Name(name.to_owned()), zone: None, port })
    }
}

impl ServerName {
    fn address(text: &str, port: u16) -> Result<Self, ServerNameError> {
        let (address, zone) = match text.split_once('%') {
            Some((address, zone)) => (address, Some(zone.to_owned())),
            None => (text, None),
        };
        let address: Ipv6Addr = address.parse().map_err(|_| ServerNameError::NotIpv6)?;
        // The same address exists on every interface.
        if (address.is_unicast_link_local() || address.is_multicast()) && zone.is_none() {
            return Err(ServerNameError::NoZone);
        }
        Ok(Self { host: Host::Address(address), zone, port })
    }

    /// Returns the name without zone and port, as certificates have it.
    pub(crate) fn host(&self) -> String {
        match &self.host {
            Host::Address(address) => address.to_string(),
            Host::Name(name) => name.clone(),
        }
    }

    /// Resolves the name to its first IPv6 address.
    pub(crate) async fn resolve(&self) -> Result<SocketAddrV6, Error> {
        match &self.host {
            Host::Address(address) => {
                let zone = self.zone.as_deref().map(lqd_requestor::interface_index).transpose()?;
                Ok(SocketAddrV6::new(*address, self.port, 0, zone.unwrap_or(0)))
            }
            Host::Name(name) => {
                let found = tokio::net::lookup_host((name.as_str(), self.port)).await;
                let mut found = found.map_err(|source| Error::Resolve { name: name.clone(), source })?;
                // DHCPv6 has no IPv4 transport.
                let v6 = found.find_map(|address| match address {
                    SocketAddr::V6(address) => Some(address),
                    SocketAddr::V4(_) => None,
                });
                v6.ok_or_else(|| Error::NoIpv6Address(name.clone()))
            }
        }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.zone.as_ref().map(|zone| format!("%{zone}")).unwrap_or_default();
        match &self.host {
            Host::Address(address) => write!(f, "[{address}{zone}]:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_server_name_is_parsed() {
        let rows = [
            ("2001:db8::1", "[2001:db8::1]:547"),
            ("[2001:db8::1]", "[2001:db8::1]:547"),
            ("[2001:db8::1]:5547", "[2001:db8::1]:5547"),
            ("::1", "[::1]:547"),
            ("fe80::1%eth0", "[fe80::1%eth0]:547"),
            ("[fe80::1%eth0]:5547", "[fe80::1%eth0]:5547"),
            ("dhcp.example.net", "dhcp.example.net:547"),
            ("dhcp.example.net:5547", "dhcp.example.net:5547"),
        ];
        for (text, want) in rows {
            assert_eq!(
                text.parse::<ServerName>().map(|name| name.to_string()).as_deref(),
                Ok(want),
                "{text}"
            );
        }
        for text in [
            "",
            ":547",
            "[::1",
            "[::1]547",
            "[::1]:0",
            "[::1]:65536",
            "name:x",
            "fe80::1",
            "ff05::1:3",
            "1:2:3",
            "192.0.2.1",
        ] {
            assert!(text.parse::<ServerName>().is_err(), "{text}");
        }
    }
}

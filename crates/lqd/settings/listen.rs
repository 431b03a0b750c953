//! Addresses to listen on.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;

use super::SettingsError;
use super::interface::InterfaceName;
use super::spelled::{Literal, Spelled};

/// Every address of the host, on DHCPv6's own port: the default.
const EVERYWHERE: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, lqd_wire::SERVER_PORT, 0, 0);

const IPV4: &str = "DHCPv6 runs over IPv6 only; write [ADDR]:PORT";

/// `[ADDR]:PORT` or `[ADDR%INTERFACE]:PORT`, without `:PORT` for 547; it has an interface if, and only if, it
/// is link-local.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListenAddress {
    address: Ipv6Addr,
    interface: Option<InterfaceName>,
    port: u16,
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.parse::<SocketAddrV4>().is_ok() || text.parse::<Ipv4Addr>().is_ok() {
            return Err(IPV4.to_owned());
        }
        let wrong = || format!("must be {}", Self::form());
        let (host, port) = text.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')).ok_or_else(wrong)?;
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().map_err(|_| wrong())?,
            // Both RFC 5007 and RFC 5460 (§5.6) make it the default.
            None if port.is_empty() => lqd_wire::SERVER_PORT,
            None => return Err(wrong()),
        };
        let (address, interface) = match host.split_once('%') {
            Some((address, interface)) => (address, Some(interface.parse()?)),
            None => (host, None),
        };
        let address = address.parse().map_err(|_| match address.parse::<Ipv4Addr>() {
            Ok(_) => IPV4.to_owned(),
            Err(_) => wrong(),
        })?;
        check(address, interface.as_ref(), port)?;
        Ok(Self { address, interface, port })
    }
}

fn check(address: Ipv6Addr, interface: Option<&InterfaceName>, port: u16) -> Result<(), String> {
    if address.to_ipv4_mapped().is_some() {
        return Err(IPV4.to_owned());
    }
    if address.is_multicast() {
        return Err("is a multicast group; name its interface with --multicast".to_owned());
    }
    match (address.is_unicast_link_local(), interface) {
        (true, None) => {
            Err(format!("is link-local; write its interface too, such as [{address}%eth0]:{port}"))
        }
        (false, Some(_)) => {
            Err(format!("is not link-local, so it has no interface; write [{address}]:{port}"))
        }
        _ => Ok(()),
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "[{}%{interface}]:{}", self.address, self.port),
            None => write!(f, "[{}]:{}", self.address, self.port),
        }
    }
}

impl Spelled for ListenAddress {
    const LITERAL: Literal = Literal::Text;

    fn form() -> String {
        "[ADDR] or [ADDR]:PORT, such as \"[2001:db8::1]:547\"".to_owned()
    }
}

/// Looks up the interfaces of `--listen`; the default is [`EVERYWHERE`].
pub(super) fn resolve(typed: Option<&[ListenAddress]>) -> Result<Vec<SocketAddrV6>, SettingsError> {
    typed.map_or_else(|| Ok(vec![EVERYWHERE]), |typed| resolve_all("listen", typed))
}

/// Looks up the interfaces of `--bulk`; the default is no address.
pub(super) fn resolve_bulk(typed: Option<&[ListenAddress]>) -> Result<Vec<SocketAddrV6>, SettingsError> {
    typed.map_or_else(|| Ok(Vec::new()), |typed| resolve_all("bulk", typed))
}

fn resolve_all(setting: &'static str, typed: &[ListenAddress]) -> Result<Vec<SocketAddrV6>, SettingsError> {
    if typed.is_empty() {
        return Err(SettingsError::Empty { setting });
    }
    let mut addresses = Vec::with_capacity(typed.len());
    for listen in typed {
        let error = |fault| SettingsError::Value { setting, value: listen.to_string(), fault };
        let interface = listen.interface.as_ref().map(InterfaceName::look_up).transpose().map_err(error)?;
        let scope_id = interface.map_or(0, |interface| interface.index);
        let address = SocketAddrV6::new(listen.address, listen.port, 0, scope_id);
        // Port 0 given twice is two ports.
        if listen.port != 0 && addresses.contains(&address) {
            return Err(error("the address is given twice; leave one out".to_owned()));
        }
        addresses.push(address);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_formatting() {
        for text in ["[::]:547", "[2001:db8::1]:0", "[fe80::1%eth0]:547", "[fe80::1%2]:65535"] {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn the_port_of_dhcpv6_is_the_default() {
        for (text, want) in [("[2001:db8::1]", "[2001:db8::1]:547"), ("[fe80::1%eth0]", "[fe80::1%eth0]:547")]
        {
            assert_eq!(text.parse::<ListenAddress>().unwrap().to_string(), want);
        }
    }

    #[test]
    fn errors_say_how_to_write_an_address() {
        const FORM: &str = "must be [ADDR] or [ADDR]:PORT, such as \"[2001:db8::1]:547\"";
        for (text, want) in [
            ("0.0.0.0:547", IPV4),
            ("192.0.2.1", IPV4),
            ("[::ffff:192.0.2.1]:547", IPV4),
            ("[192.0.2.1]:547", IPV4),
            ("::1", FORM),
            ("::1:547", FORM),
            ("[::1]547", FORM),
            ("[::1", FORM),
            ("[::1]:", FORM),
            ("[::1]:65536", FORM),
            ("[::g]:547", FORM),
            ("localhost:547", FORM),
            ("", FORM),
            ("[ff02::1:2]:547", "is a multicast group; name its interface with --multicast"),
            ("[fe80::1]:547", "is link-local; write its interface too, such as [fe80::1%eth0]:547"),
            ("[2001:db8::1%eth0]:547", "is not link-local, so it has no interface; write [2001:db8::1]:547"),
            ("[fe80::1%]:547", "must be the name of an interface, such as \"eth0\""),
        ] {
            assert_eq!(text.parse::<ListenAddress>().unwrap_err(), want, "{text:?}");
        }
    }
}

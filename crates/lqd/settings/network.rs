//! IPv6 prefixes.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv6Net};

use super::spelled::{Literal, Spelled};

/// An IPv6 prefix without bits beyond its length; an address alone is a prefix of 128 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network(pub(super) Ipv6Net);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = match (text.parse(), text.parse::<Ipv6Addr>()) {
            (Ok(network), _) => network,
            (_, Ok(address)) => Ipv6Net::from(address),
            _ if is_ipv4(text) => {
                return Err(
                    "DHCPv6 runs over IPv6 only; write an IPv6 prefix, such as 2001:db8::/32".to_owned()
                );
            }
            _ => return Err(format!("must be {}", Self::form())),
        };
        // Not truncated silently: the intended one decides which requestors are allowed.
        let cut = network.trunc();
        if cut != network {
            return Err(format!("has bits set beyond its length; write {cut}, or {}/128", network.addr()));
        }
        Ok(Self(network))
    }
}

impl Spelled for Network {
    const LITERAL: Literal = Literal::Text;

    fn form() -> String {
        "an IPv6 prefix, such as \"2001:db8::/32\"".to_owned()
    }
}

fn is_ipv4(text: &str) -> bool {
    matches!(text.parse(), Ok(IpNet::V4(_))) || matches!(text.parse(), Ok(IpAddr::V4(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_addresses_parse() {
        for (text, want) in [
            ("2001:db8::/32", "2001:db8::/32"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("2001:db8::1/128", "2001:db8::1/128"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().0.to_string(), want);
        }
    }

    #[test]
    fn errors_say_how_to_write_a_prefix() {
        for (text, want) in [
            ("2001:db8::1/32", "has bits set beyond its length; write 2001:db8::/32, or 2001:db8::1/128"),
            ("192.0.2.0/24", "DHCPv6 runs over IPv6 only; write an IPv6 prefix, such as 2001:db8::/32"),
            ("192.0.2.1", "DHCPv6 runs over IPv6 only; write an IPv6 prefix, such as 2001:db8::/32"),
            ("2001:db8::/129", "must be an IPv6 prefix, such as \"2001:db8::/32\""),
            ("", "must be an IPv6 prefix, such as \"2001:db8::/32\""),
        ] {
            assert_eq!(text.parse::<Network>().unwrap_err(), want, "{text:?}");
        }
    }
}

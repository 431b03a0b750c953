//! Network interfaces.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use super::SettingsError;
use super::spelled::{Literal, Spelled};

/// Longest name of an interface in octets (Linux: IFNAMSIZ less its final zero).
const NAME_LEN_MAX: usize = 15;

/// An interface that exists, or did when it was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    /// As "ip link" shows it.
    pub(crate) name: String,
    /// The kernel's number, never 0.
    pub(crate) index: u32,
}

/// What could be the name or the number of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceName(String);

impl InterfaceName {
    /// The interface, if there is one of that name; a number is taken as it is.
    ///
    /// Asked of the system's resolver, by the scope of an address literal: it is the way to the kernel's
    /// answer that needs no unsafe code, and that sees the network namespace of this process, as /sys need
    /// not.
    pub(super) fn look_up(&self) -> Result<Interface, String> {
        let literal = format!("fe80::%{}", self.0);
        let found = (literal.as_str(), 0).to_socket_addrs().ok().and_then(|mut found| found.next());
        match found {
            Some(SocketAddr::V6(address)) if address.scope_id() != 0 => {
                Ok(Interface { name: self.0.clone(), index: address.scope_id() })
            }
            _ => Err(format!("there is no interface {}; name one that \"ip link\" lists", self.0)),
        }
    }
}

impl FromStr for InterfaceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let barred = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '%');
        if text.is_empty() || text.len() > NAME_LEN_MAX || text.contains(barred) {
            return Err(format!("must be {}", Self::form()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Spelled for InterfaceName {
    const LITERAL: Literal = Literal::Text;

    fn form() -> String {
        "the name of an interface, such as \"eth0\"".to_owned()
    }
}

/// Looks up the interfaces of `--multicast`.
pub(super) fn resolve(names: Vec<InterfaceName>) -> Result<Vec<Interface>, SettingsError> {
    let mut interfaces: Vec<Interface> = Vec::with_capacity(names.len());
    for name in names {
        let error = |fault| SettingsError::Value { setting: "multicast", value: name.to_string(), fault };
        let interface = name.look_up().map_err(error)?;
        // The resolver takes numbers unseen; a group is joined on an interface that is known to exist.
        if name.0.parse() == Ok(interface.index) {
            return Err(error("is a number; write the name that \"ip link\" shows".to_owned()));
        }
        if interfaces.iter().any(|other| other.index == interface.index) {
            return Err(error("the interface is given twice; leave one out".to_owned()));
        }
        interfaces.push(interface);
    }
    Ok(interfaces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_interface_1() {
        for name in ["lo", "1"] {
            let interface = name.parse::<InterfaceName>().unwrap().look_up().unwrap();
            assert_eq!(interface, Interface { name: name.to_owned(), index: 1 });
        }
    }

    #[test]
    fn what_is_no_interface() {
        for name in ["nosuchif0", "0", "4294967296", "-1"] {
            let fault = name.parse::<InterfaceName>().unwrap().look_up().unwrap_err();
            assert_eq!(fault, format!("there is no interface {name}; name one that \"ip link\" lists"));
        }
        for text in ["", "sixteen-letters0", "a/b", "a b", "a%b", "a:b", "a\0b"] {
            let fault = text.parse::<InterfaceName>().unwrap_err();
            assert_eq!(fault, "must be the name of an interface, such as \"eth0\"", "{text:?}");
        }
    }
}

//! Network interfaces by name.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};
use std::str::FromStr;

use super::SettingsError;
use super::spelled::{Literal, Spelled};

/// Longest name of an interface in bytes (Linux: IFNAMSIZ without the final zero).
const NAME_LEN_MAX: usize = 15;

/// An interface that existed when it was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Name as in "ip link".
    pub(crate) name: String,
    /// Index in the kernel, never 0.
    pub(crate) index: u32,
}

/// A well-formed name or number of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InterfaceName(String);

impl InterfaceName {
    /// Looks up the interface; a number is accepted as it is.
    ///
    /// Uses the scope of an address literal in the system's resolver: it needs no unsafe code and sees the
    /// network namespace of this process, unlike /sys.
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
pub(super) fn resolve(names: Option<&[InterfaceName]>) -> Result<Vec<Interface>, SettingsError> {
    let mut interfaces: Vec<Interface> = Vec::new();
    for name in names.into_iter().flatten() {
        let error = |fault| SettingsError::Value { setting: "multicast", value: name.to_string(), fault };
        let interface = name.look_up().map_err(error)?;
        // The resolver accepts any number; a group must be joined on an interface that exists.
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
    fn unknown_and_malformed_names_are_rejected() {
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

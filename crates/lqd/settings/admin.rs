//! Addresses of the admin port.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use super::SettingsError;
use super::spelled::{Literal, Spelled};

/// Prefix of a Unix socket's path.
const UNIX: &str = "unix:";

/// Longest path of a Unix socket in bytes: `sun_path` has 108 with the final zero (unix(7)).
const PATH_LEN_MAX: usize = 107;

/// `ADDR:PORT`, `PORT` for that port of ::1, or `unix:/PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AdminAddress {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix stream socket.
    Unix(PathBuf),
}

impl AdminAddress {
    /// Returns the path of a Unix socket.
    pub(crate) fn path(&self) -> Option<&PathBuf> {
        if let Self::Unix(path) = self { Some(path) } else { None }
    }

    /// Returns whether other hosts may reach it.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Tcp(address) => !address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => false,
        }
    }
}

impl FromStr for AdminAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix(UNIX) {
            return unix(path);
        }
        if let Ok(port) = text.parse() {
            return Ok(Self::Tcp((Ipv6Addr::LOCALHOST, port).into()));
        }
        text.parse().map(Self::Tcp).map_err(|_| format!("must be {}", Self::form()))
    }
}

fn unix(path: &str) -> Result<AdminAddress, String> {
    if !path.starts_with('/') {
        return Err(format!("is not an absolute path; write {UNIX}/run/lqd/admin.sock"));
    }
    if path.len() > PATH_LEN_MAX {
        return Err(format!("has a path of {} bytes; a socket's has at most {PATH_LEN_MAX}", path.len()));
    }
    Ok(AdminAddress::Unix(path.into()))
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl Spelled for AdminAddress {
    const LITERAL: Literal = Literal::Either;

    fn form() -> String {
        "ADDR:PORT, PORT or unix:/PATH, such as \"[::1]:9547\" or \"unix:/run/lqd/admin.sock\"".to_owned()
    }
}

/// Rejects an address that is given twice.
pub(super) fn resolve(typed: Option<&[AdminAddress]>) -> Result<Vec<AdminAddress>, SettingsError> {
    let typed = typed.unwrap_or_default();
    for (number, address) in typed.iter().enumerate() {
        // Port 0 given twice is two ports.
        let any_port = matches!(address, AdminAddress::Tcp(address) if address.port() == 0);
        if !any_port && typed[..number].contains(address) {
            let fault = "the address is given twice; leave one out".to_owned();
            return Err(SettingsError::Value { setting: "admin", value: address.to_string(), fault });
        }
    }
    Ok(typed.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_parse() {
        for (text, shown, open) in [
            ("9547", "[::1]:9547", false),
            ("[::1]:9547", "[::1]:9547", false),
            ("127.0.0.1:9547", "127.0.0.1:9547", false),
            ("[::ffff:127.0.0.1]:9547", "[::ffff:127.0.0.1]:9547", false),
            ("0.0.0.0:0", "0.0.0.0:0", true),
            ("[2001:db8::1]:9547", "[2001:db8::1]:9547", true),
            ("[::]:9547", "[::]:9547", true),
            ("unix:/run/lqd/admin.sock", "unix:/run/lqd/admin.sock", false),
        ] {
            let address = text.parse::<AdminAddress>().unwrap();
            assert_eq!((address.to_string().as_str(), address.is_open()), (shown, open), "{text}");
        }
    }

    #[test]
    fn errors_say_how_to_write_an_address() {
        const FORM: &str = "must be ADDR:PORT, PORT or unix:/PATH, such as \"[::1]:9547\" or \
                            \"unix:/run/lqd/admin.sock\"";
        for (text, want) in [
            ("", FORM),
            ("::1:9547", FORM),
            ("localhost:9547", FORM),
            ("65536", FORM),
            ("-1", FORM),
            ("/run/lqd.sock", FORM),
            ("unix:", "is not an absolute path; write unix:/run/lqd/admin.sock"),
            ("unix:run/lqd.sock", "is not an absolute path; write unix:/run/lqd/admin.sock"),
        ] {
            assert_eq!(text.parse::<AdminAddress>().unwrap_err(), want, "{text:?}");
        }
        let long = format!("unix:/{}", "x".repeat(PATH_LEN_MAX));
        assert_eq!(
            long.parse::<AdminAddress>().unwrap_err(),
            "has a path of 108 bytes; a socket's has at most 107"
        );
    }
}

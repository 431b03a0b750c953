//! Names of an authenticated peer.

use std::net::{Ipv4Addr, Ipv6Addr};

use ring::digest::{SHA256, digest};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// The certificate of a peer, verified by the handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerCertificate {
    /// Names of subjectAltName, as `dns:NAME` (lower case), `uri:URI` or `ip:ADDRESS`; other kinds are left
    /// out.
    pub names: Vec<String>,
    /// SHA-256 of the subjectPublicKeyInfo (RFC 7469 §2.4).
    pub key_sha256: [u8; 32],
}

impl PeerCertificate {
    /// Reads the names of a certificate (RFC 5280 §4.2.1.6); `None` if it is no X.509 certificate, or names
    /// kinds twice.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = parse_x509_certificate(der).ok()?;
        let names = certificate.subject_alternative_name().ok()?;
        let names = names.iter().flat_map(|names| &names.value.general_names).filter_map(name).collect();
        let key = digest(&SHA256, certificate.public_key().raw);
        Some(Self { names, key_sha256: key.as_ref().try_into().ok()? })
    }
}

/// Returns a name as access rules write it.
fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(format!("dns:{}", name.to_ascii_lowercase())),
        GeneralName::URI(uri) => Some(format!("uri:{uri}")),
        GeneralName::IPAddress(octets) => {
            let v6 = <[u8; 16]>::try_from(*octets).map(|octets| Ipv6Addr::from(octets).to_string());
            let v4 = || <[u8; 4]>::try_from(*octets).map(|octets| Ipv4Addr::from(octets).to_string());
            v6.or_else(|_| v4()).ok().map(|address| format!("ip:{address}"))
        }
        _ => None,
    }
}

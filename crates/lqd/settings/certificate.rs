//! Names of certificates in access rules.

use std::net::IpAddr;
use std::str::FromStr;

use super::spelled::{Literal, Spelled};

/// Hexadecimal digits of a SHA-256.
const SHA256_DIGITS: usize = 64;

/// A name of a certificate, in the one form to compare: `dns:` and `sha256:` in lower case, addresses in
/// canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateName(pub(super) String);

impl FromStr for CertificateName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').ok_or_else(|| format!("must be {}", Self::form()))?;
        let name = match kind {
            // A pattern would admit more hosts than it seems to; see crates/lqd/DESIGN.md.
            "dns" if name.contains('*') => {
                return Err("is a pattern; write the whole name of each host".to_owned());
            }
            "dns" if is_host(name) => name.to_ascii_lowercase(),
            "uri" if name.contains(':') && name.chars().all(|c| c.is_ascii_graphic()) => name.to_owned(),
            "ip" => name
                .parse::<IpAddr>()
                .map_err(|_| "must be an address after ip:, such as \"ip:2001:db8::1\"".to_owned())?
                .to_string(),
            "sha256" => sha256(name)?,
            _ => return Err(format!("must be {}", Self::form())),
        };
        Ok(Self(format!("{kind}:{name}")))
    }
}

impl Spelled for CertificateName {
    const LITERAL: Literal = Literal::Text;

    fn form() -> String {
        "a name of a certificate, such as \"dns:bng1.example.net\", \"uri:urn:bng:1\", \"ip:2001:db8::1\", or \
         \"sha256:\" and the SHA-256 of its public key"
            .to_owned()
    }
}

/// Returns whether the text is a host name without a dot at its end, as certificates have it.
fn is_host(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    name.split('.').all(is_label)
}

/// Returns the digits of a SHA-256, with or without colons.
fn sha256(text: &str) -> Result<String, String> {
    let digits = text.replace(':', "").to_ascii_lowercase();
    let is_whole = digits.len() == SHA256_DIGITS && digits.chars().all(|c| c.is_ascii_hexdigit());
    is_whole.then_some(digits).ok_or_else(|| {
        format!("must have {SHA256_DIGITS} hexadecimal digits after sha256:, of the public key in DER")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        let digits = "0123456789ABCDEFabcdef0123456789".repeat(2);
        for (text, want) in [
            ("dns:BNG1.Example.net", "dns:bng1.example.net"),
            ("uri:urn:bng:1", "uri:urn:bng:1"),
            ("uri:https://Example.net/A", "uri:https://Example.net/A"),
            ("ip:2001:DB8:0::1", "ip:2001:db8::1"),
            ("ip:192.0.2.1", "ip:192.0.2.1"),
            (&format!("sha256:{digits}"), &format!("sha256:{}", digits.to_lowercase())),
        ] {
            assert_eq!(text.parse::<CertificateName>().unwrap().0, want);
        }
        let divided: Vec<_> = (0..32).map(|_| "AB").collect();
        let divided = format!("sha256:{}", divided.join(":")).parse::<CertificateName>().unwrap();
        assert_eq!(divided.0, format!("sha256:{}", "ab".repeat(32)));
    }

    #[test]
    fn other_texts_are_rejected_with_advice() {
        for (text, want) in [
            ("bng1.example.net", "such as \"dns:bng1.example.net\""),
            ("dns:", "such as \"dns:bng1.example.net\""),
            ("dns:bng1.example.net.", "such as \"dns:bng1.example.net\""),
            ("dns:*.example.net", "write the whole name of each host"),
            ("cn:bng1", "such as \"dns:bng1.example.net\""),
            ("uri:bng1", "such as \"dns:bng1.example.net\""),
            ("ip:2001:db8::/32", "must be an address after ip:"),
            ("sha256:00", "must have 64 hexadecimal digits"),
            ("", "such as \"dns:bng1.example.net\""),
        ] {
            let advice = text.parse::<CertificateName>().unwrap_err();
            assert!(advice.contains(want), "{text}: {advice}");
        }
    }
}

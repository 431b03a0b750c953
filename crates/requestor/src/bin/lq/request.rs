//! Option names for `--request`.

use lqd_requestor::OptionCode;

/// Short names, and client options that leasequery itself does not define (RFC 3646, RFC 8415).
const NAMES: &[(&str, u16)] = &[
    ("fqdn", OptionCode::CLIENT_FQDN.0),
    ("lladdr", OptionCode::CLIENT_LINKLAYER_ADDR.0),
    ("user-class", 15),
    ("vendor-class", 16),
    ("vendor-opts", 17),
    ("dns-servers", 23),
    ("domain-search", 24),
];

/// An unknown option name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a known option name; write its number (0 to 65535), or one of: {}", names().join(", "))]
pub(crate) struct OptionNameError;

/// Returns the option with this name or number.
pub(crate) fn option(text: &str) -> Result<OptionCode, OptionNameError> {
    if let Ok(number) = text.parse() {
        return Ok(OptionCode(number));
    }
    let named = NAMES.iter().find(|(name, _)| *name == text).map(|&(_, code)| OptionCode(code));
    // The registry's names come second: the short names are the common ones.
    let known = || OptionCode::KNOWN.iter().copied().find(|code| code.name() == Some(text));
    named.or_else(known).ok_or(OptionNameError)
}

/// Returns an option's name, if it has one.
pub(crate) fn name(code: OptionCode) -> Option<&'static str> {
    code.name().or_else(|| NAMES.iter().find(|&&(_, number)| number == code.0).map(|&(name, _)| name))
}

/// Names that are useful to request.
fn names() -> Vec<&'static str> {
    let asked = [OptionCode::LQ_RELAY_DATA, OptionCode::CLIENT_FQDN, OptionCode::CLIENT_LINKLAYER_ADDR];
    asked.into_iter().filter_map(OptionCode::name).chain(NAMES.iter().map(|&(name, _)| name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_named_or_numbered() {
        let rows = [
            ("relay-data", 47),
            ("fqdn", 39),
            ("client-fqdn", 39),
            ("lladdr", 79),
            ("dns-servers", 23),
            ("47", 47),
            ("65535", 65_535),
        ];
        for (text, code) in rows {
            assert_eq!(option(text), Ok(OptionCode(code)), "{text}");
        }
        for text in ["", "65536", "-1", "relay_data", "0x2f"] {
            assert!(option(text).is_err(), "{text}");
        }
        assert_eq!(name(OptionCode(23)), Some("dns-servers"));
        assert_eq!(name(OptionCode(9999)), None);
    }
}

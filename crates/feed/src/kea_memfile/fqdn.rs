//! OPTION_CLIENT_FQDN (RFC 4704) from the name and the two flags that Kea keeps of it.

const OPTION_CLIENT_FQDN: u16 = 39;

/// S: the server has taken on the update of the AAAA record (RFC 4704 §4.1).
const FLAG_S: u8 = 0x01;
/// N: the server makes no DNS update at all; S is then 0 (RFC 4704 §4.1).
const FLAG_N: u8 = 0x04;

/// Longest label of a domain name, in octets (RFC 1035 §2.3.4).
const LABEL_LEN_MAX: usize = 63;
/// Longest domain name in wire form, its root label included (RFC 1035 §2.3.4).
const NAME_LEN_MAX: usize = 255;

/// Appends the option as a server would send it (RFC 4704 §6), or nothing and false if the name is no domain
/// name.
///
/// `forward` and `reverse` are Kea's `fqdn_fwd` and `fqdn_rev`: that it updates the AAAA, the PTR record. The
/// O flag (the client wished otherwise) is not in the lease file and stays 0. A name with a dot at its end is
/// fully qualified and gets a root label; any other is partial and gets none (RFC 4704 §4.2). Control
/// characters, spaces, backslashes and octets over 0x7e are refused: in a lease file they are no host name,
/// or one in presentation form whose meaning is not certain.
pub(super) fn append_option(name: &[u8], forward: bool, reverse: bool, options: &mut Vec<u8>) -> bool {
    // Only a name with a final dot is fully qualified (RFC 4704 §4.2).
    let (labels, root) = match name.strip_suffix(b".") {
        Some(labels) => (labels, 1),
        None => (name, 0),
    };
    // One length octet instead of each dot, and one more for the first label. A partial name must leave room
    // for root.
    let wire_len = labels.len() + 1 + root;
    let fits = |label: &[u8]| {
        (1..=LABEL_LEN_MAX).contains(&label.len()) && label.iter().all(|&octet| is_usual(octet))
    };
    // The check comes before anything is written, so that a bad name leaves no half option.
    if labels.len() + 2 > NAME_LEN_MAX || !labels.split(|&octet| octet == b'.').all(fits) {
        return false;
    }
    // S alone is set when the server updates AAAA; N excludes S (RFC 4704 §4.1).
    let flags = match (forward, reverse) {
        (true, _) => FLAG_S,
        (false, true) => 0,
        (false, false) => FLAG_N,
    };
    options.extend_from_slice(&OPTION_CLIENT_FQDN.to_be_bytes());
    options.extend_from_slice(&(1 + wire_len as u16).to_be_bytes()); // ≤ 256, checked above
    options.push(flags);
    for label in labels.split(|&octet| octet == b'.') {
        options.push(label.len() as u8); // ≤ 63, checked above
        options.extend_from_slice(label);
    }
    options.extend_from_slice(&[0][..root]);
    true
}

fn is_usual(octet: u8) -> bool {
    // Backslashes may begin an escape whose meaning differs between programs.
    octet.is_ascii_graphic() && octet != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(name: &str, forward: bool, reverse: bool) -> Option<Vec<u8>> {
        let mut options = vec![];
        append_option(name.as_bytes(), forward, reverse, &mut options).then_some(options)
    }

    #[test]
    fn names_and_flags() {
        assert_eq!(option("host", true, true).unwrap(), b"\0\x27\0\x06\x01\x04host");
        assert_eq!(option("host.", true, false).unwrap(), b"\0\x27\0\x07\x01\x04host\0");
        assert_eq!(option("a.example", false, true).unwrap(), b"\0\x27\0\x0b\x00\x01a\x07example");
        assert_eq!(option("a.example.", false, false).unwrap(), b"\0\x27\0\x0c\x04\x01a\x07example\0");
    }

    #[test]
    fn limits_of_dns() {
        let label = "x".repeat(63);
        assert_eq!(option(&label, false, false).unwrap()[..6], [0, 39, 0, 65, 4, 63]);
        assert_eq!(option(&format!("{label}x"), false, false), None);
        let longest = format!("{label}.{label}.{label}.{}", &label[..61]);
        assert_eq!(option(&format!("{longest}."), false, false).unwrap()[..5], [0, 39, 1, 0, 4]);
        assert_eq!(option(&longest, false, false).unwrap()[..5], [0, 39, 0, 255, 4]);
        assert_eq!(option(&format!("{longest}x."), false, false), None);
        assert_eq!(option(&format!("{longest}x"), false, false), None);
    }

    #[test]
    fn no_domain_names() {
        for name in [".", "..", ".a", "a..b", "a..", "a b", "a\tb", "é", "a\\046b", "\u{7f}"] {
            let mut options = vec![7];
            assert!(!append_option(name.as_bytes(), true, true, &mut options), "{name:?}");
            assert_eq!(options, [7], "{name:?}");
        }
    }
}

//! IPv6 addresses in text, without the cost of `str` and a general parser for each of millions of rows.

use std::net::Ipv6Addr;

use lqd_wire::hex::digit;

use super::text::before_nul;

/// Parses an address as `str::parse::<Ipv6Addr>`, up to a NUL as in Kea.
///
/// The common form is read here; all others, valid (`::ffff:192.0.2.1`) or not, are left to `std`.
pub(super) fn parse(text: &[u8]) -> Option<Ipv6Addr> {
    groups(text).or_else(|| odd(text))
}

#[cold]
fn odd(text: &[u8]) -> Option<Ipv6Addr> {
    // Kea parses a C string, which ends at a NUL.
    std::str::from_utf8(before_nul(text)).ok()?.parse().ok()
}

/// Groups of one to four digits with at most one `::` between, before or after them.
fn groups(text: &[u8]) -> Option<Ipv6Addr> {
    let mut address = Groups::default();
    let mut rest = text;
    // A leading gap has no group before its first colon, unlike all others.
    if let Some(after) = text.strip_prefix(b"::") {
        address.gap = Some(0);
        rest = after;
    }
    let (mut group, mut digits) = (0u16, 0);
    for &octet in rest {
        if let Some(digit) = digit(octet) {
            digits += 1;
            // A fifth digit would shift others out of the group unseen.
            if digits > 4 {
                return None;
            }
            group = group << 4 | u16::from(digit);
        } else if octet != b':' {
            return None;
        } else if digits > 0 {
            address.push(group)?;
            (group, digits) = (0, 0);
        } else {
            // The second of two colons: groups of zeros are left out here.
            address.skip()?;
        }
    }
    if digits > 0 {
        address.push(group)?;
    // A single colon at the end follows a group, and ends nothing.
    } else if address.gap != Some(address.count) {
        return None;
    }
    address.finish()
}

/// The groups read so far.
#[derive(Default)]
struct Groups {
    bits: u128,
    count: u32,
    /// Number of groups before the `::`.
    gap: Option<u32>,
}

impl Groups {
    fn push(&mut self, group: u16) -> Option<()> {
        self.bits = self.bits << 16 | u128::from(group);
        self.count += 1;
        (self.count <= 8).then_some(())
    }

    /// A colon after a colon.
    fn skip(&mut self) -> Option<()> {
        // A colon at the very beginning, or a second gap, is no address.
        if self.count == 0 || self.gap.is_some() {
            return None;
        }
        self.gap = Some(self.count);
        Some(())
    }

    fn finish(self) -> Option<Ipv6Addr> {
        let bits = match self.gap {
            None if self.count == 8 => self.bits,
            // With the gap in front, the groups are the low bits already.
            Some(0) if self.count < 8 => self.bits,
            Some(before) if self.count < 8 => {
                let after = 16 * (self.count - before);
                // The groups behind the gap belong at the low end, those before it at the high end.
                let low = self.bits & ((1 << after) - 1);
                self.bits >> after << (128 - 16 * before) | low
            }
            _ => return None,
        };
        Some(bits.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn agrees(text: &str) {
        assert_eq!(parse(text.as_bytes()), text.parse().ok(), "{text:?}");
        assert!(groups(text.as_bytes()).is_none_or(|address| Some(address) == text.parse().ok()), "{text:?}");
    }

    #[test]
    fn agrees_with_std_on_corner_cases() {
        for text in [
            "",
            ":",
            "::",
            ":::",
            "1::",
            "::1",
            "1:",
            ":1",
            "1::2",
            "1::2:",
            "1::2::3",
            "::1::",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::",
            "::1:2:3:4:5:6:7",
            "::1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7:8::",
            "1:2:3:4:5:6:7::8",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "12345::",
            "0000::",
            "00000::",
            "2001:DB8::a",
            "::ffff:192.0.2.1",
            "::192.0.2.1:1",
            "fe80::1%eth0",
            "2001:db8::/32",
            " ::",
            "1:::2",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        ] {
            agrees(text);
        }
        assert_eq!(parse(b"\xff::"), None);
        assert_eq!(parse(b"::7\0:x"), Some(7_u128.into()));
        assert_eq!(parse(b"\0::7"), None);
    }

    #[test]
    fn the_common_form_needs_no_help() {
        for text in ["2001:db8:1::2", "2001:db8:0:9::", "::", "2001:db8:1:2:3:4:5:6"] {
            assert_eq!(groups(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_std_on_addresses(bits: u128, zeros: u128) {
            agrees(&Ipv6Addr::from(bits).to_string());
            agrees(&Ipv6Addr::from(bits & zeros & zeros.rotate_left(7)).to_string());
        }

        #[test]
        fn agrees_with_std_on_near_misses(
            text in "[0-9a-fA-F:.]{0,24}|([0-9a-f]{0,4}:{1,2}){0,9}[0-9a-f]{0,4}",
        ) {
            agrees(&text);
        }
    }
}

//! Formatting of octets, times and foreign text, safe on a terminal.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use lqd_requestor::{Duid, DuidKind, RawOption, RemoteId, enterprise_name, hardware_name, option_text};
use lqd_wire::hex::Hex;

use crate::request;

/// Returns the octets as text if they are printable ASCII.
pub(crate) fn as_text(octets: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(octets).ok()?;
    (!text.is_empty() && text.bytes().all(|octet| matches!(octet, b' '..=b'~'))).then_some(text)
}

/// Renders octets as quoted text if they are text, else in hexadecimal.
pub(crate) fn identifier(octets: &[u8]) -> String {
    match as_text(octets) {
        Some(text) => quoted(text),
        None if octets.is_empty() => "(empty)".to_owned(),
        None => Hex::divided(octets, ':').to_string(),
    }
}

/// Quotes text and escapes everything that a terminal would act upon.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

/// Renders a remote-id with its vendor.
pub(crate) fn remote_id(remote_id: &RemoteId) -> String {
    let number = remote_id.enterprise;
    let vendor = enterprise_name(number)
        .map_or_else(|| format!("enterprise {number}"), |name| format!("{name} ({number})"));
    format!("{} of {vendor}", identifier(&remote_id.identifier))
}

/// Renders a link-layer address with its hardware type.
pub(crate) fn link_layer(hardware: u16, address: &[u8]) -> String {
    let name = hardware_name(hardware).map_or_else(|| format!("hardware type {hardware}"), str::to_owned);
    format!("{name} {}", Hex::divided(address, ':'))
}

/// Renders the decoded content of a DUID.
pub(crate) fn duid_kind(duid: &Duid) -> String {
    match duid.kind() {
        DuidKind::LinkLayerTime { hardware, made, address } => {
            format!("DUID-LLT: {}, made {}", link_layer(hardware, address), time(made))
        }
        DuidKind::Enterprise { number, identifier: chosen } => {
            let vendor = enterprise_name(number).unwrap_or("unknown vendor");
            format!("DUID-EN: enterprise {number} ({vendor}), {}", identifier(chosen))
        }
        DuidKind::LinkLayer { hardware, address } => format!("DUID-LL: {}", link_layer(hardware, address)),
        DuidKind::Uuid(uuid) => format!("DUID-UUID: {}", hyphenated(uuid)),
        DuidKind::Other => "DUID of unknown type".to_owned(),
    }
}

/// Renders a UUID as in RFC 9562 §4.
fn hyphenated(uuid: &[u8; 16]) -> String {
    let mut text = String::new();
    for (n, octet) in uuid.iter().enumerate() {
        let _ = write!(text, "{}{octet:02x}", if matches!(n, 4 | 6 | 8 | 10) { "-" } else { "" });
    }
    text
}

/// Renders an option's name and value.
pub(crate) fn option(option: &RawOption) -> String {
    let name = request::name(option.code).unwrap_or("unknown");
    let value = option_text(option).unwrap_or_else(|| identifier(&option.value));
    format!("{name} ({}): {value}", option.code.0)
}

/// Renders a time as `2026-11-23 17:34:23 UTC`.
pub(crate) fn time(at: SystemTime) -> String {
    rfc_3339(at).replace('T', " ").replace('Z', " UTC")
}

/// Renders a time as `2026-11-23T17:34:23Z`.
pub(crate) fn rfc_3339(at: SystemTime) -> String {
    /// The last second of the year 9999.
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    // humantime panics outside of 1970 to 9999, which a hostile CLT_TIME reaches.
    let at = at.clamp(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + LAST);
    humantime::format_rfc3339_seconds(at).to_string()
}

/// Renders a duration in its two largest units: `29d 4h`, `5m 3s`, `12s`.
pub(crate) fn seconds(seconds: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("y", 365 * 86_400), ("d", 86_400), ("h", 3600), ("m", 60)];
    // Two units are precise enough for people; --json has the seconds.
    let Some(at) = UNITS.iter().position(|&(_, unit)| seconds >= unit) else { return format!("{seconds}s") };
    let (name, unit) = UNITS[at];
    let (next_name, next_unit) = UNITS.get(at + 1).copied().unwrap_or(("s", 1));
    let (whole, rest) = (seconds / unit, seconds % unit / next_unit);
    if rest == 0 { format!("{whole}{name}") } else { format!("{whole}{name} {rest}{next_name}") }
}

/// Renders milliseconds, with one decimal below 100.
pub(crate) fn milliseconds(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1000.0;
    if ms < 100.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// Renders sixteen octets a line: offset, hexadecimal, text.
pub(crate) fn hexdump(octets: &[u8], indent: &str) -> String {
    let mut dump = String::new();
    for (line, octets) in octets.chunks(16).enumerate() {
        let mut columns = String::new();
        for (n, octet) in octets.iter().enumerate() {
            let _ = write!(
                columns,
                "{}{octet:02x}",
                if n == 8 {
                    "  "
                } else if n == 0 {
                    ""
                } else {
                    " "
                }
            );
        }
        let text: String = octets
            .iter()
            .map(|&octet| if matches!(octet, b' '..=b'~') { char::from(octet) } else { '.' })
            .collect();
        let _ = writeln!(dump, "{indent}{:04x}  {columns:<48}  {text}", line * 16);
    }
    dump
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_their_two_largest_units() {
        let rows = [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (303, "5m 3s"),
            (70_402, "19h 33m"),
            (86_400, "1d"),
            (86_459, "1d"),
            (2_521_598, "29d 4h"),
            (365 * 86_400, "1y"),
            (4_294_967_294, "136y 70d"),
        ];
        for (number, want) in rows {
            assert_eq!(seconds(number), want);
        }
    }

    #[test]
    fn hostile_text_is_escaped() {
        assert_eq!(quoted("\u{1b}[2Jx\u{9b}\u{202e}\r\n\"é"), r#""\u{1b}[2Jx\u{9b}\u{202e}\r\n\"é""#);
        assert_eq!(identifier(b"\x1b[2J"), "1b:5b:32:4a");
        assert_eq!(identifier(b"eth0 \"x\""), r#""eth0 \"x\"""#);
        assert_eq!(identifier(b""), "(empty)");
    }

    #[test]
    fn duids_are_decoded_for_display() {
        let rows = [
            (
                "00:01:00:01:2a:b0:63:6b:00:1d:aa:c2:43:27",
                "DUID-LLT: Ethernet 00:1d:aa:c2:43:27, made 2022-09-11 09:14:19 UTC",
            ),
            ("0002 0000 0009 0cc084d303000912", "DUID-EN: enterprise 9 (Cisco), 0c:c0:84:d3:03:00:09:12"),
            ("0003 001b 020000fffe000001", "DUID-LL: EUI-64 02:00:00:ff:fe:00:00:01"),
            ("0004 00112233445566778899aabbccddeeff", "DUID-UUID: 00112233-4455-6677-8899-aabbccddeeff"),
            ("00ff01", "DUID of unknown type"),
        ];
        for (text, want) in rows {
            let duid: Duid = text.replace(' ', "").parse().expect("a DUID");
            assert_eq!(duid_kind(&duid), want);
        }
    }

    #[test]
    fn a_hexdump_has_offset_octets_and_text() {
        let dump = hexdump(b"0123456789abcdef\x00\xff", "> ");
        let want = "> 0000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef\n\
                    > 0010  00 ff                                             ..\n";
        assert_eq!(dump, want);
    }
}

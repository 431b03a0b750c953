//! tshark's dissection of a datagram.

use std::process::Command;

use serde_json::Value;

use super::pcap;

/// `PI_WARN` of Wireshark's expert information; errors are above it, notes and chats below.
const SEVERITY_WARN: u64 = 0x0060_0000;

/// Length of a UDP header, which UDP's length includes.
const UDP_HEADER_LEN: u64 = 8;

/// Complaints caused by limits of tshark 4.0, not by the packet: (name of the item, text).
///
/// It treats the message in `LQ_RELAY_DATA` as text, and knows `OPTION_CLIENT_FQDN` from RFC 4704 alone, not
/// as an option that a requestor may request (RFC 5007 §4.1.2.1). `lift` has both dissected separately.
const KNOWN: [(&str, &str); 2] = [
    ("dhcpv6.lq_relay_data_msg_tree", "Trailing stray characters"),
    (
        "This message type is not permitted to use OPTION_CLIENT_FQDN",
        "This message type is not permitted to use OPTION_CLIENT_FQDN",
    ),
];

/// One packet in tshark's JSON, with repeated keys gathered in lists.
pub(super) struct Dissection(Value);

/// Runs tshark over these datagrams.
///
/// # Panics
/// If tshark fails, or sees another number of packets.
pub(super) fn dissect(datagrams: &[Vec<u8>]) -> Vec<Dissection> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let capture = directory.path().join("replies.pcap");
    pcap::write(&capture, datagrams).expect("the directory is writable");
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&capture).args([
        "-n",
        "-o",
        "udp.check_checksum:TRUE",
        "-T",
        "json",
        "--no-duplicate-keys",
    ]);
    let output = tshark.env("TZ", "UTC").output().expect("tshark starts");
    assert!(output.status.success(), "tshark: {}", String::from_utf8_lossy(&output.stderr));
    let packets: Vec<Value> = serde_json::from_slice(&output.stdout).expect("tshark writes JSON");
    assert_eq!(packets.len(), datagrams.len(), "tshark sees every packet");
    packets.into_iter().map(|mut packet| Dissection(packet["_source"]["layers"].take())).collect()
}

impl Dissection {
    /// Returns all values of a field, in the packet's order.
    pub(super) fn values(&self, field: &str) -> Vec<String> {
        let mut found = Vec::new();
        visit(&self.0, "", &mut |_, name, value| {
            if name == field {
                found.extend(listed(value).iter().filter_map(|value| value.as_str().map(str::to_owned)));
            }
        });
        found
    }

    /// Returns all defects: not DHCPv6, malformed items, expert information of severity warning or error,
    /// options that do not exactly fill their container (which tshark does not report).
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        visit(&self.0, "", &mut |parent, name, value| match name {
            "_ws.malformed" => complaints.push(format!("malformed below {parent}")),
            "_ws.expert" => {
                complaints.extend(listed(value).iter().filter_map(|expert| warning(parent, expert)));
            }
            _ => {}
        });
        match (&self.0["dhcpv6"], self.number("udp.length")) {
            (message @ Value::Object(_), Some(length)) => {
                complaints.extend(unfilled_message(message, length.saturating_sub(UDP_HEADER_LEN)));
            }
            _ => complaints.push("tshark takes it for something else than DHCPv6".into()),
        }
        complaints
    }

    fn number(&self, field: &str) -> Option<u64> {
        self.values(field).first()?.parse().ok()
    }
}

fn warning(parent: &str, expert: &Value) -> Option<String> {
    let text = expert["_ws.expert.message"].as_str().unwrap_or_default();
    let severity = expert["_ws.expert.severity"].as_str().and_then(|severity| severity.parse::<u64>().ok());
    let matters =
        severity.is_none_or(|severity| severity >= SEVERITY_WARN) && !KNOWN.contains(&(parent, text));
    matters.then(|| format!("{parent}: {text}"))
}

/// Checks that header and options of a message have the right total length.
fn unfilled_message(message: &Value, length: u64) -> Vec<String> {
    let header = match message["dhcpv6.msgtype"].as_str() {
        Some("12" | "13") => 34, // relay messages, RFC 8415 §9
        _ => 4,                  // all others, RFC 8415 §8
    };
    unfilled(message, length.saturating_sub(header))
}

/// Checks that the options in `container` fill it, recursively.
fn unfilled(container: &Value, length: u64) -> Vec<String> {
    let options = listed(&container["dhcpv6.option.type_str_tree"]);
    let mut complaints = Vec::new();
    let mut filled = 0;
    for option in options {
        let number = |field: &str| option[field].as_str().and_then(|text| text.parse::<u64>().ok());
        let (Some(code), Some(length)) = (number("dhcpv6.option.type"), number("dhcpv6.option.length"))
        else {
            complaints.push(format!("an option without type or length: {option}"));
            continue;
        };
        filled += 4 + length;
        match code {
            9 => complaints.extend(unfilled_message(&option["dhcpv6"], length)),
            45 => complaints.extend(unfilled(option, length)),
            _ => {}
        }
    }
    if filled != length {
        complaints.push(format!("{} options take {filled} of {length} octets", options.len()));
    }
    complaints
}

/// Calls `see` with every named value below `tree`, and its parent's name.
///
/// The JSON parser sorts the names; in DHCPv6 all plain fields of a header precede nested ones.
fn visit<'a>(tree: &'a Value, parent: &'a str, see: &mut impl FnMut(&str, &str, &'a Value)) {
    match tree {
        Value::Object(fields) => {
            let (nested, plain): (Vec<_>, Vec<_>) =
                fields.iter().partition(|(_, value)| listed(value).iter().any(Value::is_object));
            for (name, value) in plain.into_iter().chain(nested) {
                see(parent, name, value);
                visit(value, name, see);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| visit(value, parent, see)),
        _ => {}
    }
}

/// Returns the values of a key that may be absent, single or repeated.
fn listed(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(values) => values,
        one => std::slice::from_ref(one),
    }
}

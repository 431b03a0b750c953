//! tshark as a second reader of a whole bulk answer, reassembled from TCP segments.
//!
//! tshark 4.0 shows a transaction-id as a reserved octet and two octets, and calls a LEASEQUERY-DONE without
//! options malformed; so the query requests OPTION_LQ_BASE_TIME, which is in every message.

use std::net::Ipv6Addr;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};

use super::row::Setup;
use super::server::Bulk;
use crate::support::octets::Pattern;
use crate::support::{Connection, Need, Received, trial};

/// DHCPv6 server port, by which tshark knows the protocol.
const SERVER_PORT: u16 = 547;
const REQUESTOR_PORT: u16 = 49_152;
/// Octets in a segment: few, so that messages lie across segments.
const SEGMENT_LEN: usize = 100;
const TCP_PROTOCOL: u8 = 6;

/// Link-address of a query, the addresses and the prefixes (with lengths) in its answer, sorted.
const CASES: &[(&str, &[&str], &[&str])] = &[
    (
        "2001:db8:1::",
        &["2001:db8:1::101", "2001:db8:1::404", "2001:db8:1::501", "2001:db8:1::502", "2001:db8:1::b01"],
        &[],
    ),
    ("2001:db8:2::", &["2001:db8:2::202", "2001:db8:2::303", "2001:db8:2::404"], &["2001:db8:a002:200::/56"]),
    ("2001:db8:8::", &["2001:db8:8::1d01", "2001:db8:8::c01", "2001:db8:8::d01"], &[]),
];

pub fn trials() -> Vec<Trial> {
    vec![trial("conformance::bulk::tshark", &[Need::Tshark], whole_answers)]
}

fn whole_answers() -> Result<(), Failed> {
    let server = Bulk::start(Setup::Default)?;
    for (link, addresses, prefixes) in CASES {
        let mut connection = Connection::new(server.address);
        let query = format!("{{ 0e b12345  $me  002c {{ 04 {link}  0006 {{ 0064 004f }} }} }}");
        connection.send(&Pattern::parse(&query).example());
        connection.finish();
        let (messages, end) = connection.receive_to_end();
        assert_eq!(end, Received::Closed);
        let dissected = dissect(&messages)?;
        let mut kinds = vec!["17"; messages.len()];
        kinds[0] = "15";
        *kinds.last_mut().ok_or("no message")? = "16";
        assert_eq!(dissected.kinds, kinds, "{link}");
        assert_eq!(dissected.transactions, vec!["b1 2345"; messages.len()], "{link}");
        assert_eq!(dissected.addresses, *addresses, "{link}");
        assert_eq!(dissected.prefixes, *prefixes, "{link}");
        assert_eq!(dissected.complaints, [""; 0], "{link}");
    }
    Ok(())
}

/// tshark's reading of a stream of messages.
#[derive(Debug, Default)]
pub struct Dissected {
    pub kinds: Vec<String>,
    pub transactions: Vec<String>,
    pub addresses: Vec<String>,
    pub prefixes: Vec<String>,
    pub complaints: Vec<String>,
}

/// Has tshark dissect these messages as one TCP stream.
///
/// # Errors
/// tshark fails.
pub fn dissect(messages: &[Vec<u8>]) -> Result<Dissected, Failed> {
    let directory = tempfile::tempdir()?;
    let capture = directory.path().join("bulk.pcap");
    let framed = messages.iter().flat_map(|message| {
        let length = u16::try_from(message.len()).expect("a frame has at most 65,535 octets");
        [&length.to_be_bytes()[..], message].concat()
    });
    write_capture(&capture, &framed.collect::<Vec<u8>>())?;
    let output = Command::new("tshark").arg("-r").arg(&capture).args(["-n", "-V"]).output()?;
    if !output.status.success() {
        return Err(format!("tshark: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(read(&String::from_utf8(output.stdout)?))
}

/// Reads tshark's text, in which each message is a block of its own.
fn read(text: &str) -> Dissected {
    let mut dissected = Dissected::default();
    let (mut prefix_len, mut reserved) = (String::new(), 0_u8);
    for line in text.lines().map(str::trim) {
        let Some((name, value)) = line.split_once(": ") else { continue };
        match name {
            "Message type" => {
                let number = value.rsplit_once('(').map_or(value, |(_, number)| number.trim_end_matches(')'));
                dissected.kinds.push(number.to_owned());
            }
            "Reserved" => reserved = value.parse().unwrap_or_default(),
            "Transaction ID" => {
                dissected.transactions.push(format!("{reserved:02x} {:04x}", value.parse().unwrap_or(0_u32)));
            }
            "IPv6 address" => dissected.addresses.push(value.to_owned()),
            "Prefix length" => value.clone_into(&mut prefix_len),
            "Prefix address" => dissected.prefixes.push(format!("{value}/{prefix_len}")),
            _ if line.contains("Malformed") || line.contains("Expert Info (Error") => {
                dissected.complaints.push(line.to_owned());
            }
            _ => {}
        }
    }
    dissected.addresses.sort();
    dissected.prefixes.sort();
    dissected
}

/// Writes a capture (pcap-savefile(5)) of the stream in short TCP segments, from the server to the requestor.
fn write_capture(path: &Path, stream: &[u8]) -> std::io::Result<()> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]); // version 2.4
    file.extend([0; 8]);
    file.extend(65_535_u32.to_le_bytes());
    file.extend(1_u32.to_le_bytes()); // LINKTYPE_ETHERNET
    let mut sequence = 1;
    for payload in stream.chunks(SEGMENT_LEN) {
        let frame = frame(sequence, payload);
        let length = u32::try_from(frame.len()).expect("a short frame");
        for field in [sequence, 0, length, length] {
            file.extend(field.to_le_bytes());
        }
        file.extend(frame);
        sequence += u32::try_from(payload.len()).expect("a short segment");
    }
    std::fs::write(path, file)
}

/// Ethernet, IPv6 (RFC 8200 §3), TCP (RFC 9293 §3.1) without a valid checksum.
fn frame(sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut tcp = [SERVER_PORT, REQUESTOR_PORT].map(u16::to_be_bytes).concat();
    tcp.extend(sequence.to_be_bytes());
    tcp.extend(1_u32.to_be_bytes()); // acknowledgment number
    tcp.extend([5 << 4, 0x18, 0xff, 0xff, 0, 0, 0, 0]); // 20 octets of header; PSH, ACK; window
    tcp.extend(payload);
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(u16::try_from(tcp.len()).expect("a short segment").to_be_bytes());
    frame.extend([TCP_PROTOCOL, 64]);
    for host in [1, 2] {
        frame.extend(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host).octets());
    }
    frame.extend(tcp);
    frame
}

//! Capture files in the classic format (pcap-savefile(5)), with hand-written headers of the lower layers.

use std::net::Ipv6Addr;
use std::path::Path;

/// Port from which servers and relays send (RFC 8415 §7.2); tshark knows DHCPv6 by it.
const SERVER_PORT: u16 = 547;
/// Port of a requestor.
const REQUESTOR_PORT: u16 = 49_152;
const UDP_HEADER_LEN: u16 = 8;
const UDP_PROTOCOL: u8 = 17;
/// Longer than any frame here: the longest datagram with all headers has 65,589 octets.
const SNAPLEN: u32 = 262_144;

/// Writes each datagram as one Ethernet frame: one IPv6 packet, not fragmented, whatever the length.
pub(super) fn write(path: &Path, datagrams: &[Vec<u8>]) -> std::io::Result<()> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes()); // times in microseconds
    file.extend([2, 0, 4, 0]); // version 2.4
    file.extend([0; 8]); // UTC, accuracy unknown
    file.extend(SNAPLEN.to_le_bytes());
    file.extend(1_u32.to_le_bytes()); // LINKTYPE_ETHERNET
    for (number, datagram) in (0_u32..).zip(datagrams) {
        let frame = frame(datagram);
        let length = u32::try_from(frame.len()).expect("a frame is shorter than 4 GiB");
        for field in [number, 0, length, length] {
            file.extend(field.to_le_bytes()); // seconds, microseconds, octets here, octets on the wire
        }
        file.extend(frame);
    }
    std::fs::write(path, file)
}

/// Ethernet, IPv6 (RFC 8200 §3), UDP with its checksum.
fn frame(datagram: &[u8]) -> Vec<u8> {
    let [source, destination] = [1, 2].map(|host| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host).octets());
    let length = u16::try_from(datagram.len()).expect("a datagram is at most 65,527 octets") + UDP_HEADER_LEN;
    let ports = [SERVER_PORT, REQUESTOR_PORT].map(u16::to_be_bytes).concat();
    let pseudo_header =
        [&source[..], &destination, &u32::from(length).to_be_bytes(), &[0, 0, 0, UDP_PROTOCOL]].concat();
    // RFC 8200 §8.1: the UDP checksum covers this pseudo-header.
    let checksum = checksum(&[&pseudo_header, &ports, &length.to_be_bytes()[..], &[0, 0], datagram].concat());
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];
    frame.extend([0x60, 0, 0, 0]);
    frame.extend(length.to_be_bytes());
    frame.extend([UDP_PROTOCOL, 64]);
    frame.extend([source, destination].concat());
    frame.extend([&ports[..], &length.to_be_bytes(), &checksum.to_be_bytes(), datagram].concat());
    frame
}

/// Returns the one's complement of the one's complement sum of 16-bit words; 0 is sent as ffff (RFC 768).
fn checksum(octets: &[u8]) -> u16 {
    let words =
        octets.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    match !u16::try_from(sum).expect("folded above") {
        0 => 0xffff,
        checksum => checksum,
    }
}

//! Discarded datagrams as a capture file for Wireshark, tshark and tcpdump.
//!
//! The format is pcapng (draft-ietf-opsawg-pcapng), as the classic one has no comments, which tell the reason
//! of each discard. IPv6 and UDP headers are reconstructed; the true hop limit and flow label are not known.

use std::io::{self, Write};
use std::net::{Ipv6Addr, SocketAddrV6};

use super::Discard;
use super::discards::KEPT_LEN;

/// LINKTYPE_RAW: packets begin with the IP header.
const LINK_TYPE: u16 = 101;
const IPV6_HEADER_LEN: usize = 40;
const UDP_HEADER_LEN: usize = 8;
const PROTOCOL_UDP: u8 = 17;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const OPTION_END: u16 = 0;
const OPTION_COMMENT: u16 = 1;
const OPTION_TIME_RESOLUTION: u16 = 9;
const OPTION_APPLICATION: u16 = 4;
/// Resolution of times: 10⁻⁹ seconds.
const NANOSECONDS: u8 = 9;

/// Writes a whole file; the destination port of each datagram is looked up in the listen addresses.
pub(crate) fn write_pcap(
    out: &mut impl Write,
    discards: &[Discard],
    listen: &[SocketAddrV6],
) -> io::Result<()> {
    let mut body = Vec::new();
    body.extend(0x1a2b_3c4d_u32.to_ne_bytes()); // byte-order magic
    body.extend([1_u16, 0].map(u16::to_ne_bytes).concat()); // version 1.0
    body.extend(u64::MAX.to_ne_bytes()); // section length: unspecified
    option(&mut body, OPTION_APPLICATION, concat!("lqd ", env!("CARGO_PKG_VERSION")).as_bytes());
    option(&mut body, OPTION_END, b"");
    block(out, SECTION_HEADER, &body)?;

    body.clear();
    body.extend([LINK_TYPE, 0].map(u16::to_ne_bytes).concat());
    body.extend(((IPV6_HEADER_LEN + UDP_HEADER_LEN + KEPT_LEN) as u32).to_ne_bytes()); // longest packet, 304
    option(&mut body, OPTION_TIME_RESOLUTION, &[NANOSECONDS]);
    option(&mut body, OPTION_END, b"");
    block(out, INTERFACE_DESCRIPTION, &body)?;

    for discard in discards {
        body.clear();
        packet(&mut body, discard, port(discard.to, listen));
        block(out, ENHANCED_PACKET, &body)?;
    }
    Ok(())
}

/// Writes a block: type, length, body, length; `body` is a multiple of 4 octets.
fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let len = (body.len() as u32 + 12).to_ne_bytes(); // some hundreds
    out.write_all(&[&kind.to_ne_bytes(), &len, body, &len].concat())
}

/// Appends an option: code, length, value, padding.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend([code, value.len() as u16].map(u16::to_ne_bytes).concat()); // values are names and numbers
    body.extend(value);
    pad(body);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Appends the body of an Enhanced Packet Block.
fn packet(body: &mut Vec<u8>, discard: &Discard, port: u16) {
    let headers = headers(discard, port);
    let at = u64::try_from(discard.at.as_nanos()).unwrap_or(u64::MAX);
    let len = |octets: usize| (headers.len() + octets) as u32; // less than 64 KiB and headers
    let fields = [0, (at >> 32) as u32, at as u32, len(discard.octets().len()), len(discard.len)];
    body.extend(fields.map(u32::to_ne_bytes).concat());
    body.extend(&headers);
    body.extend(discard.octets());
    pad(body);
    option(body, OPTION_COMMENT, discard.outcome.name().as_bytes());
    option(body, OPTION_END, b"");
}

/// Returns the headers of IPv6 (RFC 8200 §3) and UDP (RFC 768).
fn headers(discard: &Discard, port: u16) -> Vec<u8> {
    let (source, to) = (discard.source.ip().octets(), discard.to.octets());
    let len = ((UDP_HEADER_LEN + discard.len) as u16).to_be_bytes(); // a datagram's octets, 65,527 at most
    let ports = [discard.source.port(), port].map(u16::to_be_bytes).concat();
    let checksum = checksum(
        discard,
        &[&source[..], &to, &[0, 0], &len, &[0, 0, 0, PROTOCOL_UDP], &ports, &len].concat(),
    );
    [&[0x60, 0, 0, 0], &len[..], &[PROTOCOL_UDP, 64], &source, &to, &ports, &len, &checksum.to_be_bytes()]
        .concat()
}

/// Computes the UDP checksum over `headers` (pseudo-header and UDP header) and the datagram (RFC 8200 §8.1).
///
/// A truncated datagram gets 0xffff: its checksum cannot be computed, and no reader can check it.
fn checksum(discard: &Discard, headers: &[u8]) -> u16 {
    if discard.octets().len() < discard.len {
        return 0xffff;
    }
    let words = [headers, discard.octets()].into_iter().flat_map(|part| part.chunks(2));
    let sum: u64 =
        words.map(|word| u64::from(u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]))).sum();
    let folded = (0..4).fold(sum, |sum, _| (sum & 0xffff) + (sum >> 16));
    match !(folded as u16) {
        0 => 0xffff,
        checksum => checksum,
    }
}

/// Returns the port of the listen address `to`, else of the wildcard or the first one.
fn port(to: Ipv6Addr, listen: &[SocketAddrV6]) -> u16 {
    let at = |address: Ipv6Addr| listen.iter().find(|socket| *socket.ip() == address);
    let socket = at(to).or_else(|| at(Ipv6Addr::UNSPECIFIED)).or(listen.first());
    socket.map_or(lqd_wire::SERVER_PORT, SocketAddrV6::port)
}

#[cfg(test)]
mod tests;

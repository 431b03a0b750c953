//! Expected octets are written by hand from the 64-bit Linux ABI: `cmsghdr` is len (8), level (4), type (4).
#![cfg(target_pointer_width = "64")]

use super::*;

const SOL_UDP: i32 = 17;
const UDP_SEGMENT: i32 = 103;
const UDP_GRO: i32 = 104;
const SO_TIMESTAMPNS: i32 = 35;

fn message(len: usize, level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let mut octets = len.to_ne_bytes().to_vec();
    octets.extend(level.to_ne_bytes());
    octets.extend(kind.to_ne_bytes());
    octets.extend(data);
    octets.resize(octets.len().next_multiple_of(8), 0);
    octets
}

/// IPV6_PKTINFO (level 41, type 50): asked at 2001:db8::5, in on interface 7.
fn pktinfo() -> Vec<u8> {
    let mut data = vec![0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
    data.extend(7_u32.to_ne_bytes());
    message(36, 41, 50, &data)
}

fn local(address: &str, interface: u32) -> Local {
    Local { address: address.parse().unwrap(), interface }
}

#[test]
fn finds_the_asked_address_among_others() {
    let want = Some(local("2001:db8::5", 7));
    let gro = message(20, SOL_UDP, UDP_GRO, &100_i32.to_ne_bytes());
    let stamp = message(32, libc::SOL_SOCKET, SO_TIMESTAMPNS, &[0; 16]);
    assert_eq!(decode_local(&pktinfo()), want);
    assert_eq!(decode_local(&[gro.clone(), pktinfo()].concat()), want);
    assert_eq!(decode_local(&[pktinfo(), gro.clone()].concat()), want);
    assert_eq!(decode_local(&[stamp, message(16, 41, 8, &[]), pktinfo()].concat()), want);
    assert_eq!(decode_local(&gro), None);
}

#[test]
fn survives_every_truncation() {
    for len in 0..36 {
        assert_eq!(decode_local(&pktinfo()[..len]), None, "{len} octets");
    }
    assert_eq!(decode_local(&pktinfo()[..36]), Some(local("2001:db8::5", 7)), "padding may be missing");
}

#[test]
fn ends_at_lengths_that_lie() {
    for len in [0, 1, 15, 41, 64, usize::MAX - 7, usize::MAX] {
        let hostile = message(len, 41, 50, &[0; 24]);
        assert_eq!(decode_local(&hostile), None, "len {len}");
        assert_eq!(Messages { rest: &hostile }.count(), 0, "len {len}");
    }
    let short = message(16 + 19, 41, 50, &[0; 19]);
    assert_eq!(decode_local(&short), None, "an in6_pktinfo one octet short");
}

#[test]
fn writes_the_kernels_layout() {
    let mut control = [0xaa; CONTROL_LEN_MAX];
    control[36..40].fill(0);
    assert_eq!(encode_source(&mut control, local("2001:db8::5", 7)), 40);
    assert_eq!(control[..40], pktinfo());
    assert_eq!(control[40..], [0xaa; 48], "room for others is left alone");
    assert_eq!(encode_source(&mut control, local("::", 0)), 0);
}

#[test]
fn replies_leave_from_the_asked_address() {
    let rows = [
        ("2001:db8::5", 7, "2001:db8::5", 0),
        ("fe80::5", 7, "fe80::5", 7),
        ("ff02::1:2", 7, "::", 7),
        ("ff05::1:3", 7, "::", 7),
        ("::1", 1, "::1", 0),
    ];
    for (asked, interface, source, leaves_by) in rows {
        assert_eq!(reply_source(local(asked, interface)), local(source, leaves_by), "asked at {asked}");
    }
}

#[test]
fn link_local_requestors_keep_or_get_their_scope() {
    let asked = local("2001:db8::5", 7);
    for (to, want) in [
        ("[fe80::9]:546", "[fe80::9%7]:546"),
        ("[fe80::9%3]:546", "[fe80::9%3]:546"),
        ("[2001:db8::9]:546", "[2001:db8::9]:546"),
    ] {
        assert_eq!(reply_destination(to.parse().unwrap(), asked), want.parse().unwrap(), "to {to}");
    }
}

#[test]
fn finds_the_size_of_segments() {
    let gro = message(20, SOL_UDP, UDP_GRO, &100_i32.to_ne_bytes());
    assert_eq!(decode_segment_len(&[gro.clone(), pktinfo()].concat()), NonZeroUsize::new(100));
    assert_eq!(decode_segment_len(&[pktinfo(), gro.clone()].concat()), NonZeroUsize::new(100));
    assert_eq!(decode_segment_len(&pktinfo()), None);
    for len in [0, -1, i32::MIN] {
        assert_eq!(decode_segment_len(&message(20, SOL_UDP, UDP_GRO, &len.to_ne_bytes())), None, "{len}");
    }
    for len in 0..20 {
        assert_eq!(decode_segment_len(&gro[..len]), None, "{len} octets");
    }
    assert_eq!(decode_segment_len(&message(19, SOL_UDP, UDP_GRO, &[1; 3])), None);
}

#[test]
fn writes_the_size_of_segments_behind_the_source() {
    let mut control = [0; CONTROL_LEN_MAX];
    let used = encode_source(&mut control, local("2001:db8::5", 7));
    assert_eq!(encode_segment_len(&mut control, used, 300), 64);
    let segment = message(18, SOL_UDP, UDP_SEGMENT, &300_u16.to_ne_bytes());
    assert_eq!(control[..64], [pktinfo(), segment.clone()].concat());
    let mut control = [0; CONTROL_LEN_MAX];
    assert_eq!(encode_segment_len(&mut control, 0, 300), 24);
    assert_eq!(control[..24], segment);
}

#[test]
fn reads_the_drop_count_of_a_socket() {
    let overflowed = message(20, libc::SOL_SOCKET, 40, &7_u32.to_ne_bytes());
    let all = [pktinfo(), message(20, SOL_UDP, UDP_GRO, &100_i32.to_ne_bytes()), overflowed].concat();
    assert_eq!(all.len(), CONTROL_LEN_MAX, "there is room for all that a datagram may come with");
    assert_eq!(decode_overflowed(&all), Some(7));
    assert_eq!(decode_overflowed(&pktinfo()), None);
    assert_eq!(decode_overflowed(&message(18, libc::SOL_SOCKET, 40, &[7; 2])), None);
}

//! A connected socket against plain sockets of the standard library, with and without coalescing.

use std::net::{SocketAddr, UdpSocket};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// Lengths of datagrams in one call: runs that end shorter, that grow, that are too long to coalesce.
const LENS: [&[usize]; 8] = [
    &[1],
    &[0],
    &[100, 100, 100, 7, 7, 100, 0, 0, 100],
    &[7, 100, 8, 101, 100],
    &[1_232, 1_232, 1_233, 1_233, 9_000, 9_000],
    &[100; 64],
    &[200; 150],
    &[REPLY_LEN_MAX],
];

fn target() -> (UdpSocket, SocketAddrV6) {
    let socket = UdpSocket::bind("[::1]:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let SocketAddr::V6(address) = socket.local_addr().unwrap() else { unreachable!("bound to IPv6") };
    (socket, address)
}

fn connect(target: SocketAddrV6, gso: Option<u16>, gro: bool) -> ConnectedSocket {
    let gso = gso.and_then(NonZeroU16::new);
    ConnectedSocket::connect(target, ConnectedSocketOptions { gso, gro, ..ConnectedSocketOptions::default() })
        .unwrap()
}

/// Datagrams of these lengths, each full of its own number.
fn datagrams(lens: &[usize]) -> Vec<Vec<u8>> {
    lens.iter().enumerate().map(|(number, &len)| vec![number as u8; len]).collect()
}

/// All datagrams in one buffer, and the end of each.
fn laid_out(datagrams: &[Vec<u8>]) -> (Vec<u8>, Vec<usize>) {
    let ends = datagrams.iter().scan(0, |end, datagram| {
        *end += datagram.len();
        Some(*end)
    });
    (datagrams.concat(), ends.collect())
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (len, source) = socket.recv_from(&mut buffer).expect("a datagram");
    buffer.truncate(len);
    (buffer, source)
}

fn receive_all(requestor: &mut ConnectedSocket, count: usize) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = Vec::new();
    while all.len() < count {
        let before = all.len();
        let taken = requestor.receive(PATIENCE, |datagram| all.push(datagram.to_vec())).unwrap();
        assert!(taken > 0, "waited in vain after {before} of {count}");
        assert_eq!(all.len(), before + taken);
    }
    all
}

#[test]
fn datagrams_are_sent_in_order_and_complete() {
    for gso in [None, Some(1), Some(2), Some(64), Some(u16::MAX)] {
        let (target, address) = target();
        let mut requestor = connect(address, gso, false);
        for lens in LENS {
            let sent = datagrams(lens);
            let (octets, ends) = laid_out(&sent);
            assert_eq!(requestor.send(&octets, &ends).unwrap(), sent.len());
            for (number, datagram) in sent.iter().enumerate() {
                let (received, source) = receive(&target);
                assert!(received == *datagram, "gso {gso:?}, datagram {number} of {lens:?}");
                assert_eq!(source.port(), requestor.local_port());
            }
        }
        assert_eq!(requestor.send(&[], &[]).unwrap(), 0);
    }
}

#[test]
fn equal_sized_datagrams_are_coalesced() {
    for (gso, lens) in [
        (None, vec![100; 130]),
        (Some(64), vec![6_400, 6_400, 200]),
        (Some(50), { vec![5_000, 5_000, 3_000] }),
    ] {
        let (target, address) = target();
        socket_option::set(&target, libc::SOL_UDP, libc::UDP_GRO, 1).unwrap();
        let mut requestor = connect(address, gso, false);
        let (octets, ends) = laid_out(&datagrams(&[100; 130]));
        assert_eq!(requestor.send(&octets, &ends).unwrap(), 130);
        for len in lens {
            assert_eq!(receive(&target).0.len(), len, "gso {gso:?}");
        }
    }
}

#[test]
fn plain_datagrams_are_received_in_order_and_complete() {
    for gro in [false, true] {
        let (target, address) = target();
        let mut requestor = connect(address, None, gro);
        for lens in LENS {
            let sent = datagrams(lens);
            for datagram in &sent {
                target.send_to(datagram, (Ipv6Addr::LOCALHOST, requestor.local_port())).unwrap();
            }
            assert!(receive_all(&mut requestor, sent.len()) == sent, "gro {gro}, {lens:?}");
        }
        assert_eq!(requestor.dropped(), 0);
    }
}

#[test]
fn aggregates_are_split_into_datagrams() {
    for gro in [false, true] {
        let (target, address) = target();
        let mut requestor = connect(address, None, gro);
        for (segment_len, len) in
            [(100, 6_400), (100, 301), (100, 100), (1, 64), (1_232, 50_000), (9_000, 65_000)]
        {
            socket_option::set(&target, libc::SOL_UDP, libc::UDP_SEGMENT, segment_len).unwrap();
            let payload: Vec<u8> = (0..len).map(|index| (index % 251) as u8).collect();
            target.send_to(&payload, (Ipv6Addr::LOCALHOST, requestor.local_port())).unwrap();
            let want: Vec<&[u8]> = payload.chunks(segment_len as usize).collect();
            assert!(receive_all(&mut requestor, want.len()) == want, "gro {gro}, {len} by {segment_len}");
        }
    }
}

#[test]
fn a_call_takes_64_datagrams_or_as_many_aggregates() {
    for (gro, takes) in [(false, [64, 64, 22]), (true, [150, 0, 0])] {
        let (target, address) = target();
        let mut requestor = connect(address, None, gro);
        socket_option::set(&target, libc::SOL_UDP, libc::UDP_SEGMENT, 100).unwrap();
        for len in [6_400, 6_400, 2_200] {
            target.send_to(&vec![7; len], (Ipv6Addr::LOCALHOST, requestor.local_port())).unwrap();
        }
        for take in takes {
            assert_eq!(requestor.receive(Duration::ZERO, |_| {}).unwrap(), take, "gro {gro}");
        }
    }
}

#[test]
fn a_timeout_is_no_error() {
    let (_target, address) = target();
    let mut requestor = connect(address, None, true);
    for wait in [Duration::ZERO, Duration::from_micros(1), Duration::from_millis(2)] {
        assert_eq!(requestor.receive(wait, |_| panic!("nothing was sent")).unwrap(), 0);
    }
}

#[test]
fn a_closed_port_is_an_error() {
    for gso in [None, Some(64)] {
        let (target, address) = target();
        drop(target);
        let (octets, ends) = laid_out(&datagrams(&[10, 20, 30, 40]));
        let mut requestor = connect(address, gso, false);
        assert_eq!(requestor.send(&octets[..10], &ends[..1]).unwrap(), 1, "the closed port is not known yet");
        let refused = requestor.receive(PATIENCE, |_| panic!("from a closed port")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        assert_eq!(requestor.send(&octets[..10], &ends[..1]).unwrap(), 1);
        let refused = requestor.send(&octets, &ends).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        let first = requestor.send(&octets, &ends).unwrap();
        assert!((1..=4).contains(&first));
        let refused = requestor.send(&octets, &ends).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused, "an error among many is not lost");
    }
}

#[test]
fn own_losses_are_counted() {
    for gro in [false, true] {
        let (target, address) = target();
        let options =
            ConnectedSocketOptions { receive_buffer: 20_000, gro, ..ConnectedSocketOptions::default() };
        let mut requestor = ConnectedSocket::connect(address, options).unwrap();
        for _ in 0..1_000 {
            target.send_to(&[0; 100], (Ipv6Addr::LOCALHOST, requestor.local_port())).unwrap();
        }
        let mut received = 0;
        while requestor.receive(Duration::ZERO, |_| received += 1).unwrap() > 0 {}
        assert!(received > 0 && requestor.dropped() > 0);
        assert_eq!(received + requestor.dropped(), 1_000, "gro {gro}");
    }
}

#[test]
fn errors_name_their_fix() {
    let refusal = |address: &str| {
        ConnectedSocket::connect(address.parse().unwrap(), ConnectedSocketOptions::default())
            .err()
            .unwrap()
            .to_string()
    };
    assert!(refusal("[fe80::1]:547").contains("[fe80::1%eth0]:547"));
    assert!(refusal("[fe80::1%4294967295]:547").contains("ip -6 route get"), "no such interface");
}

#[test]
#[should_panic(expected = "range")]
fn ends_must_lie_in_the_buffer() {
    let (_target, address) = target();
    let _ = connect(address, None, false).send(&[0; 10], &[5, 11]);
}

#[test]
fn several_sockets_can_be_polled_at_once() {
    let (target, address) = target();
    let mut requestors = [(); 3].map(|()| connect(address, None, false));
    requestors[1].send(b"to be echoed", &[12]).unwrap();
    let (len, source) = target.recv_from(&mut [0; 64]).unwrap();
    assert_eq!((len, source.port()), (12, requestors[1].local_port()));
    target.send_to(b"the echo", source).unwrap();
    let entry = |requestor: &ConnectedSocket| libc::pollfd {
        fd: requestor.as_fd().as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polled = [0, 1, 2].map(|number| entry(&requestors[number]));
    // SAFETY: three live entries.
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), 3, PATIENCE.as_millis() as i32) };
    assert_eq!((ready, polled.map(|entry| entry.revents)), (1, [0, libc::POLLIN, 0]));
    let taken = requestors[1].receive(Duration::ZERO, |reply| assert_eq!(reply, b"the echo")).unwrap();
    assert_eq!(taken, 1);
}

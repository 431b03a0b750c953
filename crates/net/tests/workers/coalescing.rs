//! Cases with coalescing at both ends.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::Ordering;

use lqd_net::{
    ConnectedSocket, ConnectedSocketOptions, Datagram, Replies, SendError, Service, SocketOptions,
    WorkerSettings, listen,
};

use crate::alloc::allocations;
use crate::loopback::Watched;
use crate::namespaces::{PORT, linked, warm_up};
use crate::rig::{Echo, PATIENCE, Server, loopback_socket, numbered, receive, wait_until};
use crate::{Case, Modes};

pub(crate) const CASES: &[Case] = &[
    case("splits aggregates and echoes them in order", aggregates),
    case("answers 64 in one send", sixty_four),
    case("keeps requestors apart", several_requestors),
    case("sends long replies alone", long_replies),
    case("answers requestors that do not coalesce", plain_requestor),
    case("sends one by one where the kernel refuses", refused),
    case("allocates nothing at either end", no_allocation),
    case("is not stopped by requestors that cannot be answered", unanswerable),
];

pub(crate) const LINK_CASES: &[Case] =
    &[Case { needs_root: true, ..case("echoes aggregates over a link", over_a_link) }];

const fn case(name: &'static str, run: fn(&WorkerSettings)) -> Case {
    Case { name, run, needs_root: false, modes: Modes::Coalescing }
}

/// Lengths of datagrams that a requestor sends at once: runs that end shorter, that grow, of all lengths.
const LENS: [&[usize]; 7] = [
    &[100],
    &[100, 100, 100, 7],
    &[100, 100, 7, 7, 100, 101, 102, 102],
    &[1; 64],
    &[150; 64],
    &[90; 200],
    &[1_232; 53],
];

fn requestor(server: SocketAddrV6, gro: bool) -> ConnectedSocket {
    let options =
        ConnectedSocketOptions { gso: NonZeroU16::new(64), gro, ..ConnectedSocketOptions::default() };
    ConnectedSocket::connect(server, options).unwrap()
}

/// Datagrams of these lengths, each full of a number of its own, not 0.
fn datagrams(lens: &[usize]) -> Vec<Vec<u8>> {
    lens.iter().enumerate().map(|(number, &len)| vec![number as u8 + 1; len]).collect()
}

fn send(requestor: &mut ConnectedSocket, datagrams: &[Vec<u8>]) {
    let ends: Vec<usize> = datagrams
        .iter()
        .scan(0, |end, datagram| {
            *end += datagram.len();
            Some(*end)
        })
        .collect();
    assert_eq!(requestor.send(&datagrams.concat(), &ends).unwrap(), datagrams.len());
}

/// Expects exactly these replies, in order.
fn expect(requestor: &mut ConnectedSocket, want: &[Vec<u8>]) {
    let mut got: Vec<Vec<u8>> = Vec::new();
    while got.len() < want.len() {
        let taken = requestor.receive(PATIENCE, |reply| got.push(reply.to_vec())).unwrap();
        assert!(taken > 0, "waited in vain after {} of {} replies", got.len(), want.len());
    }
    assert!(got == want, "replies are corrupt or out of order");
    assert_eq!(requestor.dropped(), 0);
}

fn aggregates(settings: &WorkerSettings) {
    let (mut server, address) = Server::on_loopback(settings, || Echo);
    for gro in [false, true] {
        let mut requestor = requestor(address, gro);
        for lens in LENS {
            let datagrams = datagrams(lens);
            send(&mut requestor, &datagrams);
            expect(&mut requestor, &datagrams);
        }
    }
    server.stop();
    let all: usize = LENS.iter().map(|lens| lens.len()).sum();
    assert_eq!(server.sum(|counters| &counters.received), 2 * all as u64);
    assert_eq!(server.sum(|counters| &counters.sent), 2 * all as u64);
    assert_eq!(server.sum(|counters| &counters.uncoalesced), 0);
}

fn sixty_four(settings: &WorkerSettings) {
    let (mut server, address) = Server::on_loopback(settings, || Echo);
    let mut requestor = requestor(address, true);
    for (round, lens) in [[100; 64], [101; 64]].iter().enumerate() {
        let mut lens = *lens;
        lens[63] -= round; // the last may be shorter
        send(&mut requestor, &datagrams(&lens));
        expect(&mut requestor, &datagrams(&lens));
    }
    server.stop();
    assert_eq!(server.sum(|counters| &counters.sent), 128);
    for sizes in [&server.counters[0].receive_sizes, &server.counters[0].send_sizes] {
        assert_eq!(sizes.get(), [0, 0, 0, 0, 0, 0, 2]);
    }
    assert_eq!(server.sum(|counters| &counters.coalesced), 2);
}

fn several_requestors(settings: &WorkerSettings) {
    let (mut server, address) = Server::on_loopback(settings, || Echo);
    let mut requestors: Vec<_> = (0..5).map(|number| requestor(address, number % 2 == 0)).collect();
    for round in 0..20 {
        let lens = |number: usize| vec![20 + number + round; 10 + 3 * number];
        for _ in 0..3 {
            for (number, requestor) in requestors.iter_mut().enumerate() {
                send(requestor, &datagrams(&lens(number)));
            }
        }
        for (number, requestor) in requestors.iter_mut().enumerate() {
            expect(requestor, &[(); 3].map(|()| datagrams(&lens(number))).concat());
        }
    }
    server.stop();
    assert!(server.sum(|counters| &counters.coalesced) > 0);
}

fn long_replies(settings: &WorkerSettings) {
    let (mut server, address) = Server::on_loopback(settings, || Echo);
    let mut requestor = requestor(address, true);
    for lens in [&[1_233; 20], &[1_452; 20], &[9_000; 20]] {
        send(&mut requestor, &datagrams(lens));
        expect(&mut requestor, &datagrams(lens));
    }
    server.stop();
    assert_eq!(server.sum(|counters| &counters.sent), 60);
    assert_eq!(server.sum(|counters| &counters.coalesced), 0);
}

fn plain_requestor(settings: &WorkerSettings) {
    let (mut server, address) = Server::on_loopback(settings, || Verbose);
    let asker = crate::rig::requestor();
    asker.send_to(b"a lone query", address).unwrap();
    for number in 0..100 {
        assert_eq!(receive(&asker), (numbered(number, 100), address));
    }
    server.stop();
    assert_eq!(server.sum(|counters| &counters.coalesced), 2);
}

/// Sends 100 replies to every datagram.
struct Verbose;

impl Service for Verbose {
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        for datagram in batch {
            for number in 0..100 {
                replies.send(datagram.source, datagram.local, |slot| {
                    slot[..100].copy_from_slice(&numbered(number, 100));
                    100
                });
            }
        }
    }
}

/// Sets an on/off option of UDP.
fn switch_on(socket: &impl AsRawFd, option: i32) {
    let (on, len) = (1_i32, size_of::<i32>() as libc::socklen_t);
    // SAFETY: reads `len` octets of a live integer.
    let set =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_UDP, option, (&raw const on).cast(), len) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}

/// The kernel refuses to coalesce sends without UDP checksums; each reply is sent separately.
fn refused(settings: &WorkerSettings) {
    let (socket, other) = (loopback_socket(), loopback_socket());
    let (address, other_address) = (socket.local_address(), other.local_address());
    switch_on(&socket.as_fd(), libc::UDP_NO_CHECK6_TX);
    let mut server = Server::start(settings, vec![vec![socket, other]], || Verbose);
    let asker: UdpSocket = crate::rig::requestor();
    switch_on(&asker, libc::UDP_NO_CHECK6_RX);
    for _ in 0..2 {
        asker.send_to(b"a lone query", address).unwrap();
        for number in 0..100 {
            assert_eq!(receive(&asker), (numbered(number, 100), address));
        }
    }
    let refused = server.sum(|counters| &counters.uncoalesced);
    assert!((1..=2).contains(&refused), "two sends at most before it is switched off, not {refused}");
    assert_eq!(server.sum(|counters| &counters.coalesced), 0);
    asker.send_to(b"elsewhere", other_address).unwrap();
    (0..100).for_each(|number| assert_eq!(receive(&asker), (numbered(number, 100), other_address)));
    server.stop();
    assert_eq!(server.sum(|counters| &counters.coalesced), 2, "the other socket still sends together");
    assert_eq!(server.sum(|counters| &counters.sent), 300);
    assert_eq!(server.replies_done(), 300);
}

fn no_allocation(settings: &WorkerSettings) {
    let (service, since) = Watched::new();
    let (mut server, address) = Server::on_loopback(settings, service);
    let mut requestor = requestor(address, true);
    let octets = [7; 640];
    let ends: [usize; 64] = std::array::from_fn(|number| 10 * (number + 1));
    let before = allocations();
    for _ in 0..100 {
        assert_eq!(requestor.send(&octets, &ends).unwrap(), 64);
        let mut replies = 0;
        while replies < 64 {
            let taken = requestor.receive(PATIENCE, |reply| assert_eq!(reply, [7; 10])).unwrap();
            assert!(taken > 0, "waited in vain after {replies} replies");
            replies += taken;
        }
    }
    assert_eq!(allocations(), before);
    server.stop();
    assert_eq!(since.load(Ordering::Relaxed), 0);
}

/// Echoes; sends ten replies to nowhere before.
struct HalfWrong;

impl Service for HalfWrong {
    fn serve(&mut self, batch: &[Datagram<'_>], replies: &mut Replies<'_>) {
        let mut nowhere = batch[0].source;
        nowhere.set_port(0);
        (0..10).for_each(|_| replies.send(nowhere, batch[0].local, |_| 50));
        Echo.serve(batch, replies);
    }
}

fn unanswerable(settings: &WorkerSettings) {
    let (mut server, address) = Server::on_loopback(settings, || HalfWrong);
    let mut requestor = requestor(address, true);
    for _ in 0..5 {
        send(&mut requestor, &datagrams(&[100; 64]));
        expect(&mut requestor, &datagrams(&[100; 64]));
    }
    server.stop();
    assert_eq!(server.sum(|counters| counters.send_errors(SendError::BadAddress)), 50);
    assert_eq!(server.sum(|counters| &counters.uncoalesced), 0);
    assert_eq!(server.sum(|counters| &counters.coalesced), 5);
}

fn over_a_link(settings: &WorkerSettings) {
    let (here, there) = linked();
    let any = SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, PORT, 0, 0);
    let socket = here.enter(|| listen(any, &SocketOptions::default()).unwrap());
    let mut server = Server::start(settings, vec![vec![socket]], || Echo);
    let link_local = there.server_at("fe80::5", "vc");
    warm_up(&server, &there, link_local);
    let global = SocketAddrV6::new("2001:db8:1::5".parse().unwrap(), PORT, 0, 0);
    for (address, gro) in [(link_local, false), (link_local, true), (global, false), (global, true)] {
        let mut requestor = there.enter(|| requestor(address, gro));
        for lens in LENS {
            let datagrams = datagrams(lens);
            send(&mut requestor, &datagrams);
            expect(&mut requestor, &datagrams);
        }
    }
    wait_until("all is counted", || server.replies_done() == server.sum(|counters| &counters.received));
    server.stop();
    assert!(server.sum(|counters| &counters.coalesced) > 0);
    assert_eq!(server.sum(|counters| &counters.uncoalesced), 0);
}

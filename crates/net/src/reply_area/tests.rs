//! Headers, read back as the kernel reads them.

use super::*;

fn to() -> SocketAddrV6 {
    "[2001:db8::9]:546".parse().unwrap()
}

fn from() -> Local {
    Local { address: "2001:db8::5".parse().unwrap(), interface: 7 }
}

fn put(area: &mut ReplyArea, payload: &[u8]) {
    area.put(3, to(), from(), |slot| {
        slot[..payload.len()].copy_from_slice(payload);
        payload.len()
    });
}

#[test]
fn replies_are_adjacent_with_their_headers() {
    let mut area = ReplyArea::new([false; 4].into_iter()).unwrap();
    put(&mut area, b"first");
    put(&mut area, b"");
    put(&mut area, b"second");
    let mut seen = Vec::new();
    area.send_waiting(|headers, _| {
        for header in headers {
            let message = header.msg_hdr;
            // SAFETY: the area keeps the memory its headers point to (I1, I3), which is not written
            // meanwhile.
            let (payload, name, control) = unsafe {
                let payload = *message.msg_iov;
                (
                    std::slice::from_raw_parts(payload.iov_base.cast::<u8>(), payload.iov_len),
                    std::slice::from_raw_parts(message.msg_name.cast::<u8>(), message.msg_namelen as usize),
                    std::slice::from_raw_parts(message.msg_control.cast::<u8>(), message.msg_controllen),
                )
            };
            assert_eq!(sockaddr::decode(name), Some(to()));
            assert_eq!(control::decode_local(control), Some(control::reply_source(from())));
            seen.push((payload.as_ptr() as usize, payload.to_vec()));
        }
    });
    assert_eq!(seen.len(), 2, "an empty reply is none");
    assert_eq!((seen[0].1.as_slice(), seen[1].1.as_slice()), (b"first".as_slice(), b"second".as_slice()));
    assert_eq!(seen[0].0 + 5, seen[1].0);
    area.send_waiting::<()>(|_, _| panic!("nothing waits any more"));
}

#[test]
fn fills_up_by_count_and_by_octets() {
    let mut area = ReplyArea::new([false; 4].into_iter()).unwrap();
    for _ in 0..SENDS_MAX {
        assert!(area.has_room());
        put(&mut area, b"x");
    }
    assert!(!area.has_room());
    area.send_waiting(|headers, _| assert_eq!(headers.len(), SENDS_MAX));
    assert!(area.has_room());
    let mut long = 0;
    while area.has_room() {
        area.put(0, to(), from(), |slot| slot.len());
        long += 1;
    }
    assert_eq!(long, OCTETS / REPLY_LEN_MAX);
}

#[test]
fn is_reused_only_when_the_kernel_is_done_with_all() {
    let mut area = ReplyArea::new([false; 4].into_iter()).unwrap();
    put(&mut area, b"one");
    put(&mut area, b"two");
    let first = area.hand_over().unwrap();
    assert_eq!((first.slot, first.socket), (0, 3));
    area.finish(first.slot);
    assert_eq!(area.queued, 2, "the second still waits");
    let second = area.hand_over().unwrap();
    assert!(area.hand_over().is_none());
    assert_eq!(area.in_flight(), 1);
    put(&mut area, b"three");
    area.finish(second.slot);
    let third = area.hand_over().unwrap();
    assert_eq!(third.slot, 2, "slots are not reused while a later reply waits");
    area.finish(third.slot);
    assert_eq!((area.queued, area.used, area.in_flight()), (0, 0, 0));
}

#[test]
#[should_panic(expected = "send 0 finished twice")]
fn a_completion_that_comes_twice_panics() {
    let mut area = ReplyArea::new([false; 4].into_iter()).unwrap();
    put(&mut area, b"one");
    put(&mut area, b"two");
    area.hand_over().unwrap();
    area.finish(0);
    area.finish(0);
}

#[test]
#[should_panic(expected = "a service claims")]
fn a_service_cannot_claim_more_than_its_slot() {
    ReplyArea::new([false; 4].into_iter()).unwrap().put(0, to(), from(), |slot| slot.len() + 1);
}

/// One send as the kernel reads it: payload, segment size, and its run.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    payload: Vec<u8>,
    segment_len: Option<u16>,
    count: usize,
}

/// Reads all waiting sends back; each must have the expected source address before its segment size.
fn waiting(area: &mut ReplyArea) -> Vec<Sent> {
    area.send_waiting(|headers, runs| {
        let read = |(header, run): (&libc::mmsghdr, &Run)| {
            let message = header.msg_hdr;
            // SAFETY: the area keeps the memory its headers point to (I1, I3), which is not written
            // meanwhile.
            let (payload, control) = unsafe {
                let payload = *message.msg_iov;
                (
                    std::slice::from_raw_parts(payload.iov_base.cast::<u8>(), payload.iov_len),
                    std::slice::from_raw_parts(message.msg_control.cast::<u8>(), message.msg_controllen),
                )
            };
            let segment = control.get(40..64).map(|message| {
                assert_eq!(message[..8], 18_usize.to_ne_bytes(), "cmsg_len");
                assert_eq!(message[8..12], 17_i32.to_ne_bytes(), "SOL_UDP");
                assert_eq!(message[12..16], 103_i32.to_ne_bytes(), "UDP_SEGMENT");
                u16::from_ne_bytes([message[16], message[17]])
            });
            assert_eq!(control::decode_local(control), Some(control::reply_source(from())));
            assert_eq!(payload.len(), run.len);
            Sent { payload: payload.to_vec(), segment_len: segment, count: run.count }
        };
        headers.iter().zip(runs).map(read).collect()
    })
}

fn coalescing_area() -> ReplyArea {
    ReplyArea::new([true; 4].into_iter()).unwrap()
}

#[test]
fn replies_of_one_size_leave_together() {
    let mut area = coalescing_area();
    for payload in [b"aaa".as_slice(), b"bbb", b"", b"cc", b"dd", b"eeee"] {
        put(&mut area, payload);
    }
    let sent = |payload: &[u8], segment_len, count| Sent { payload: payload.to_vec(), segment_len, count };
    let want = [sent(b"aaabbbcc", Some(3), 3), sent(b"dd", None, 1), sent(b"eeee", None, 1)];
    assert_eq!(waiting(&mut area), want);
    assert_eq!(waiting(&mut area), []);
}

#[test]
fn replies_that_differ_in_their_way_leave_apart() {
    let mut area = coalescing_area();
    let other_port = SocketAddrV6::new(*to().ip(), 547, 0, 0);
    let other_source = Local { address: "2001:db8::6".parse().unwrap(), interface: 7 };
    let other_interface = Local { interface: 8, ..from() };
    for (socket, to, from) in [
        (3, to(), from()),
        (3, to(), other_interface), // the routing table chooses the way out, whatever the way in
        (2, to(), from()),
        (2, other_port, from()),
        (3, to(), from()),
    ] {
        area.put(socket, to, from, |_| 10);
    }
    let counts: Vec<usize> = waiting(&mut area).iter().map(|sent| sent.count).collect();
    assert_eq!(counts, [2, 1, 1, 1]);
    area.put(3, to(), from(), |_| 10);
    area.put(3, to(), other_source, |_| 10);
    area.send_waiting(|headers, _| assert_eq!(headers.len(), 2));
}

#[test]
fn runs_are_full_at_64_and_grow_beyond_the_number_of_sends() {
    let mut area = coalescing_area();
    for _ in 0..4 * SENDS_MAX {
        assert!(area.has_room());
        put(&mut area, b"x");
    }
    let sent = waiting(&mut area);
    assert_eq!(sent.len(), 4 * SENDS_MAX / 64);
    assert!(sent.iter().all(|sent| sent.count == 64 && sent.payload.len() == 64));
}

#[test]
fn no_reply_joins_a_send_that_the_kernel_has() {
    let mut area = coalescing_area();
    put(&mut area, b"one");
    let first = area.hand_over().unwrap();
    put(&mut area, b"two");
    put(&mut area, b"six");
    assert_eq!((area.run(first.slot).count, area.header(first.slot).msg_controllen), (1, 40));
    let second = area.hand_over().unwrap();
    assert_eq!(area.run(second.slot).count, 2);
    assert!(area.hand_over().is_none());
}

#[test]
fn a_socket_that_was_refused_sends_one_by_one() {
    let mut area = coalescing_area();
    put(&mut area, b"one");
    area.stop_coalescing(3);
    put(&mut area, b"two");
    put(&mut area, b"six");
    area.put(2, to(), from(), |_| 10);
    area.put(2, to(), from(), |_| 10);
    let counts: Vec<usize> = waiting(&mut area).iter().map(|sent| sent.count).collect();
    assert_eq!(counts, [1, 1, 1, 2], "the other socket is not concerned");
}

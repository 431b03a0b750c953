//! What the kernel would read, read back through the headers.

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
fn replies_lie_end_to_end_with_their_headers() {
    let mut area = ReplyArea::new().unwrap();
    put(&mut area, b"first");
    put(&mut area, b"");
    put(&mut area, b"second");
    let mut seen = Vec::new();
    area.send_waiting(|headers| {
        for header in headers {
            let message = header.msg_hdr;
            // SAFETY: the area keeps what its headers point to (I1, I3) and nothing writes to it meanwhile.
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
    area.send_waiting(|_| panic!("nothing waits any more"));
}

#[test]
fn fills_up_by_count_and_by_octets() {
    let mut area = ReplyArea::new().unwrap();
    for _ in 0..REPLIES_MAX {
        assert!(area.has_room());
        put(&mut area, b"x");
    }
    assert!(!area.has_room());
    area.send_waiting(|headers| assert_eq!(headers.len(), REPLIES_MAX));
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
    let mut area = ReplyArea::new().unwrap();
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
#[should_panic(expected = "reply 0 finished twice")]
fn a_completion_that_comes_twice_panics() {
    let mut area = ReplyArea::new().unwrap();
    put(&mut area, b"one");
    put(&mut area, b"two");
    area.hand_over().unwrap();
    area.finish(0);
    area.finish(0);
}

#[test]
#[should_panic(expected = "a service claims")]
fn a_service_cannot_claim_more_than_its_slot() {
    ReplyArea::new().unwrap().put(0, to(), from(), |slot| slot.len() + 1);
}

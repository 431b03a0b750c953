//! The ring as the kernel sees it, and misuse that must not go unseen.

use super::*;

/// Ids between `from` and the published tail, read as the kernel reads them.
fn offered(ring: &BufferRing, from: u16) -> Vec<u16> {
    // SAFETY: entry 0 is mapped; no kernel knows this ring.
    let tail = unsafe { *BufRingEntry::tail(ring.entries.element(0)) };
    let entry = |index: u16| ring.entries.element::<BufRingEntry>(usize::from(index & ring.mask));
    let distance = tail.wrapping_sub(from);
    // SAFETY: elements of the mapping, not written meanwhile.
    (0..distance).map(|step| unsafe { (*entry(from.wrapping_add(step))).bid() }).collect()
}

#[test]
fn offers_every_buffer_once_at_its_own_place() {
    let ring = BufferRing::new(64, 100).unwrap();
    assert_eq!(offered(&ring, 0), (0..64).collect::<Vec<_>>());
    for id in 0..64 {
        // SAFETY: an element of the mapping, not written meanwhile.
        let entry = unsafe { &*ring.entries.element::<BufRingEntry>(id) };
        assert_eq!(entry.addr(), ring.octets.element::<u8>(id * 128) as u64);
        assert_eq!(entry.len(), 100);
    }
}

#[test]
fn gives_back_in_any_order_past_the_tails_wrap() {
    let mut ring = BufferRing::new(64, 64).unwrap();
    let mut tail = 64_u16;
    for round in 0..2_000_u16 {
        let ids = [round % 64, (round + 7) % 64, (round + 31) % 64];
        ids.iter().for_each(|&id| ring.take(id));
        ids.iter().rev().for_each(|&id| ring.give_back(id));
        assert_eq!(offered(&ring, tail), [], "not before it is published");
        ring.publish();
        assert_eq!(offered(&ring, tail), [ids[2], ids[1], ids[0]]);
        tail = tail.wrapping_add(3);
    }
}

#[test]
#[should_panic(expected = "buffer 5 lent twice")]
fn a_buffer_lent_twice_panics() {
    let mut ring = BufferRing::new(64, 64).unwrap();
    ring.take(5);
    ring.take(5);
}

#[test]
#[should_panic(expected = "buffer 5 given back twice")]
fn a_buffer_given_back_twice_panics() {
    let mut ring = BufferRing::new(64, 64).unwrap();
    ring.take(5);
    ring.give_back(5);
    ring.give_back(5);
}

#[test]
#[should_panic(expected = "the kernel names buffer 64 of 64")]
fn a_buffer_that_does_not_exist_panics() {
    BufferRing::new(64, 64).unwrap().take(64);
}

#[test]
#[should_panic(expected = "assertion failed")]
fn a_lent_buffer_cannot_be_read() {
    BufferRing::new(64, 64).unwrap().filled(5, 1);
}

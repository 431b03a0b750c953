//! The last discarded datagrams of a worker, for diagnosis.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lqd_answer::Outcome;

/// Octets kept of each datagram.
pub(crate) const KEPT_LEN: usize = 256;

/// One discarded datagram.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Discard {
    /// Start of its batch, since 1970-01-01 UTC.
    pub(crate) at: Duration,
    /// Sender.
    pub(crate) source: SocketAddrV6,
    /// Destination address.
    pub(crate) to: Ipv6Addr,
    /// Reason of the discard.
    pub(crate) outcome: Outcome,
    /// Length of the whole datagram in octets.
    pub(crate) len: usize,
    octets: [u8; KEPT_LEN],
}

impl Discard {
    /// Returns the octets that were kept.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets[..self.len.min(KEPT_LEN)]
    }

    /// Copies up to [`KEPT_LEN`] octets.
    pub(crate) fn new(
        at: Duration,
        source: SocketAddrV6,
        to: Ipv6Addr,
        outcome: Outcome,
        octets: &[u8],
    ) -> Self {
        let mut discard = Self { at, source, to, outcome, len: octets.len(), octets: [0; KEPT_LEN] };
        let kept = octets.len().min(KEPT_LEN);
        discard.octets[..kept].copy_from_slice(&octets[..kept]);
        discard
    }
}

/// Last discards of one worker; a new one replaces the oldest.
///
/// The worker never waits: while another thread reads, which takes microseconds, its discards are not kept.
/// `try_lock` costs one exchange of an uncontended word; a lock-free ring would need unsafe code.
pub(crate) struct Ring(Mutex<Slots>);

struct Slots {
    discards: Vec<Discard>,
    /// Position of the oldest, once all slots are in use.
    next: usize,
    len_max: usize,
}

impl Ring {
    /// Allocates room for `len_max` discards.
    pub(crate) fn new(len_max: usize) -> Self {
        Self(Mutex::new(Slots { discards: Vec::with_capacity(len_max), next: 0, len_max }))
    }

    /// Returns its capacity.
    pub(crate) fn len_max(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len_max
    }

    /// Keeps a discard; called by its worker only.
    pub(crate) fn keep(&self, discard: &Discard) {
        let Ok(mut slots) = self.0.try_lock() else { return };
        let Slots { discards, next, len_max } = &mut *slots;
        if discards.len() < *len_max {
            discards.push(*discard);
        } else if let Some(slot) = discards.get_mut(*next) {
            *slot = *discard;
            *next = (*next + 1) % *len_max;
        }
    }

    /// Returns all discards, oldest first.
    pub(crate) fn read(&self) -> Vec<Discard> {
        let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (newer, older) = slots.discards.split_at(slots.next);
        [older, newer].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn discard(number: u64) -> Discard {
        let source = "[fd00::1]:547".parse().unwrap();
        Discard::new(Duration::from_secs(number), source, Ipv6Addr::LOCALHOST, Outcome::DropMalformed, b"x")
    }

    #[test]
    fn a_full_ring_keeps_the_newest() {
        let ring = Ring::new(3);
        for (kept, want) in
            [(1, vec![1]), (2, vec![1, 2]), (3, vec![1, 2, 3]), (4, vec![2, 3, 4]), (5, vec![3, 4, 5])]
        {
            ring.keep(&discard(kept));
            let times: Vec<_> = ring.read().iter().map(|discard| discard.at.as_secs()).collect();
            assert_eq!(times, want);
        }
        (6..=100).for_each(|number| ring.keep(&discard(number)));
        assert_eq!(ring.read().iter().map(|discard| discard.at.as_secs()).collect::<Vec<_>>(), [98, 99, 100]);
    }

    #[test]
    fn keeping_allocates_nothing_and_never_waits() {
        let ring = Ring::new(4);
        let one = discard(1);
        let counted = allocation_counter::measure(|| (0..20).for_each(|_| ring.keep(&one)));
        assert_eq!(counted.count_total, 0);
        let reading = ring.0.lock().unwrap();
        ring.keep(&discard(2));
        drop(reading);
        assert!(
            ring.read().iter().all(|discard| discard.at.as_secs() == 1),
            "not kept while another thread reads"
        );
    }

    #[test]
    fn at_most_the_first_256_octets_are_kept() {
        let octets: Vec<u8> = (0..=255).cycle().take(300).collect();
        let to = Ipv6Addr::LOCALHOST;
        for len in [0, 1, 255, 256, 257, 300] {
            let source = "[fd00::1]:547".parse().unwrap();
            let discard = Discard::new(Duration::ZERO, source, to, Outcome::DropMalformed, &octets[..len]);
            assert_eq!((discard.len, discard.octets()), (len, &octets[..len.min(256)]));
        }
    }
}

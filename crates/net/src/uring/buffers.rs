//! Receive buffers, lent to the kernel through a ring of their ids.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use crate::pages::Pages;
use crate::uring_error::UringError;

/// Id of the only buffer group of a ring.
pub(super) const GROUP: u16 = 0;

/// Receive buffers lent to the kernel (IORING_REGISTER_PBUF_RING, Linux ≥ 5.19; multishot recvmsg ≥ 6.0).
///
/// I1. `entries` is a live page-aligned mapping of `mask + 1` entries, a power of two ≤ 2^15, and `octets`
///     one of as many buffers, until `Drop`; the owner that registered the group has by then ended all
///     receives and unregistered.
/// I2. The kernel lends a buffer id at most once before we give it back; `ours[id]` mirrors this: of a buffer
///     that is ours the kernel writes nothing, of one that is not we read nothing.
/// I3. Only this struct writes the shared tail, which the ABI overlays on entry 0's `resv`:
///     entries are written field by field, never whole.
pub(super) struct BufferRing {
    entries: Pages,
    octets: Pages,
    buffer_len: usize,
    stride: usize,
    mask: u16,
    tail: u16,
    ours: Box<[bool]>,
}

impl BufferRing {
    /// Maps `count` buffers, a power of two ≤ 2^15, of `buffer_len` octets, and offers them all.
    pub(super) fn new(count: u16, buffer_len: usize) -> io::Result<Self> {
        // The ABI has 16 bits for the tail, and a power of two for the mask.
        assert!(count.is_power_of_two() && count <= 1 << 15);
        let stride = buffer_len.next_multiple_of(64); // no cache line holds parts of two buffers
        let mut ring = Self {
            entries: Pages::map_array::<BufRingEntry>(usize::from(count))?,
            octets: Pages::map(usize::from(count) * stride)?,
            buffer_len,
            stride,
            mask: count - 1,
            tail: 0,
            ours: vec![true; usize::from(count)].into_boxed_slice(),
        };
        // All buffers are lent at the start, so that the first receive finds some.
        for id in 0..count {
            ring.give_back(id);
        }
        // One store shows all of them, so that the kernel sees no partial list.
        ring.publish();
        Ok(ring)
    }

    /// Bytes of address space that `count` buffers take, for error messages.
    pub(super) fn mapped_len(count: u16, buffer_len: usize) -> usize {
        usize::from(count) * (buffer_len.next_multiple_of(64) + size_of::<BufRingEntry>())
    }

    /// Registers the buffers with a ring as group [`GROUP`].
    pub(super) fn register(&self, submitter: &Submitter<'_>) -> Result<(), UringError> {
        let address = self.entries.element::<BufRingEntry>(0) as u64;
        // Registered from the first entry, since the kernel takes a ring of exactly this size.
        // SAFETY: the mapping holds that many entries, and outlives the group (I1).
        unsafe { submitter.register_buf_ring_with_flags(address, self.mask + 1, GROUP, 0) }
            .map_err(|error| UringError::judge("lending buffers", "IORING_REGISTER_PBUF_RING", "5.19", error))
    }

    /// Unregisters the group; receives must have ended.
    pub(super) fn unregister(&self, submitter: &Submitter<'_>) {
        // It fails only if the group was never registered, which is a defect.
        let unregistered = submitter.unregister_buf_ring(GROUP);
        debug_assert!(unregistered.is_ok(), "{unregistered:?}");
    }

    /// Takes buffer `id`, which a completion has reported as filled: ours until given back.
    ///
    /// # Panics
    /// No such buffer, or it is ours already (I2).
    pub(super) fn take(&mut self, id: u16) {
        assert!(id <= self.mask, "the kernel names buffer {id} of {}", u32::from(self.mask) + 1);
        let was_ours = std::mem::replace(&mut self.ours[usize::from(id)], true);
        assert!(!was_ours, "buffer {id} lent twice"); // I2
    }

    /// The first `len` octets of buffer `id`.
    ///
    /// # Panics
    /// The buffer is not ours, or `len` is longer than it is.
    pub(super) fn filled(&self, id: u16, len: usize) -> &[u8] {
        assert!(self.ours[usize::from(id)] && len <= self.buffer_len);
        let start = self.octets.element::<u8>(usize::from(id) * self.stride);
        // SAFETY: inside the mapping (I1, length just checked), initialised as mappings are, and ours (I2):
        // it can only be given back through `&mut self`, when this borrow has ended.
        unsafe { std::slice::from_raw_parts(start, len) }
    }

    /// Offers buffer `id` to the kernel again, from the next [`publish`](Self::publish) on.
    ///
    /// # Panics
    /// The buffer is not ours: given back twice, it would be lent twice (I2).
    pub(super) fn give_back(&mut self, id: u16) {
        // Marked before the entry is written: from then on the kernel may fill it.
        let was_ours = std::mem::replace(&mut self.ours[usize::from(id)], false);
        assert!(was_ours, "buffer {id} given back twice"); // I2
        let start = self.octets.element::<u8>(usize::from(id) * self.stride);
        let entry = self.entries.element::<BufRingEntry>(usize::from(self.tail & self.mask));
        // SAFETY: index ≤ mask (I1); at most mask + 1 buffers are ours (I2), so that the kernel is past this
        // entry, and it looks again only after the tail is published. Fields, not the entry (I3).
        let entry = unsafe { &mut *entry };
        entry.set_addr(start as u64);
        entry.set_len(self.buffer_len as u32);
        entry.set_bid(id);
        // The tail counts for ever, and its low bits are the index.
        self.tail = self.tail.wrapping_add(1);
    }

    /// Shows the kernel all buffers given back so far.
    pub(super) fn publish(&self) {
        // SAFETY: entry 0 is mapped and initialised (I1).
        let tail = unsafe { BufRingEntry::tail(self.entries.element(0)) };
        // SAFETY: aligned as entry 0's field is, live (I1), and written by no other code (I3).
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release); // pairs with the kernel's acquire load
    }
}

#[cfg(test)]
#[path = "buffers/tests.rs"]
mod tests;

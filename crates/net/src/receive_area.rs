//! Buffers of `recvmmsg` for one batch: for each message a payload buffer, an address and control messages.

use std::io;
use std::os::fd::RawFd;

use crate::BATCH_MAX;
use crate::control::CONTROL_LEN_MAX;
use crate::pages::Pages;
use crate::sockaddr::NAME_LEN;

/// Memory that the kernel fills for one message, apart from the payload.
#[repr(C, align(8))]
struct Slot {
    payload: libc::iovec,
    control: [u8; CONTROL_LEN_MAX],
    name: [u8; NAME_LEN],
}

/// A received message, as octets.
pub(crate) struct Message<'a> {
    /// Payload of a datagram, or of several adjacent ones (UDP_GRO).
    pub(crate) payload: &'a [u8],
    /// Address of the sender.
    pub(crate) name: &'a [u8],
    pub(crate) control: &'a [u8],
}

/// [`BATCH_MAX`] payload buffers with their headers.
///
/// I1. All three are mappings, whose addresses last until `Drop`.
/// I2. The kernel writes to them only inside [`fill`](Self::fill), which borrows all of it exclusively.
/// I3. Header and slot of one number point to each other and to the payload buffer of that number, nowhere
///     else.
pub(crate) struct ReceiveArea {
    payloads: Pages,
    slots: Pages,
    headers: Pages,
    buffer_len: usize,
    /// Headers `0..stale` hold the lengths of an earlier batch.
    stale: usize,
}

impl ReceiveArea {
    /// Maps [`BATCH_MAX`] buffers of `buffer_len` octets.
    pub(crate) fn new(buffer_len: usize) -> io::Result<Self> {
        Ok(Self {
            payloads: Pages::map(BATCH_MAX * buffer_len)?,
            slots: Pages::map_array::<Slot>(BATCH_MAX)?,
            headers: Pages::map_array::<libc::mmsghdr>(BATCH_MAX)?,
            buffer_len,
            // All headers are new, so all of them are reset before the first call.
            stale: BATCH_MAX,
        })
    }

    /// Bytes of address space that buffers of `buffer_len` octets take, for error messages.
    pub(crate) fn mapped_len(buffer_len: usize) -> usize {
        BATCH_MAX * (buffer_len + size_of::<Slot>() + size_of::<libc::mmsghdr>())
    }

    /// Receives up to [`BATCH_MAX`] queued messages without waiting; returns their number.
    pub(crate) fn fill(&mut self, fd: RawFd) -> io::Result<usize> {
        // Only headers that were used have lengths to reset.
        for number in 0..self.stale {
            self.reset(number);
        }
        let headers = self.headers.element::<libc::mmsghdr>(0);
        let flags = libc::MSG_DONTWAIT;
        // SAFETY: BATCH_MAX headers, each pointing to buffers of its own of the lengths it names (I1, I3),
        // all borrowed exclusively by this call (I2).
        let count = unsafe { libc::recvmmsg(fd, headers, BATCH_MAX as _, flags as _, std::ptr::null_mut()) };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error());
        // After an error the kernel may have written any of them.
        self.stale = *count.as_ref().unwrap_or(&BATCH_MAX);
        count
    }

    /// Resets the lengths in header `number`, which the kernel overwrites with the used ones.
    fn reset(&mut self, number: usize) {
        let payload = self.payloads.element::<u8>(number * self.buffer_len);
        let slot = self.slots.element::<Slot>(number);
        let header = self.headers.element::<libc::mmsghdr>(number);
        // SAFETY: mapped elements (I1) that nothing else refers to (I2, and `&mut self`); zeroes are valid.
        let (slot, header) = unsafe { (&mut *slot, &mut *header) };
        slot.payload = libc::iovec { iov_base: payload.cast(), iov_len: self.buffer_len };
        let message = &mut header.msg_hdr;
        message.msg_name = (&raw mut slot.name).cast();
        message.msg_namelen = NAME_LEN as libc::socklen_t;
        message.msg_iov = &raw mut slot.payload;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut slot.control).cast();
        message.msg_controllen = CONTROL_LEN_MAX as _;
        message.msg_flags = 0;
    }

    /// Message `number` of the last batch; `None` if payload, address or control messages are truncated.
    pub(crate) fn message(&self, number: usize) -> Option<Message<'_>> {
        // SAFETY: mapped elements (I1); the kernel writes to them only under `&mut self` (I2).
        let (slot, header) = unsafe {
            (&*self.slots.element::<Slot>(number), &*self.headers.element::<libc::mmsghdr>(number))
        };
        let message = &header.msg_hdr;
        // A datagram that was cut says nothing certain, so it is dropped.
        if message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
            return None;
        }
        // The kernel may report more than the buffer holds.
        let name = slot.name.get(..message.msg_namelen as usize)?;
        let control = slot.control.get(..message.msg_controllen)?;
        let len = (header.msg_len as usize).min(self.buffer_len);
        let payload = self.payloads.element::<u8>(number * self.buffer_len);
        // SAFETY: the buffer of that number is mapped over `buffer_len` octets (I1), initialised (a mapping
        // is), and written only under `&mut self` (I2).
        let payload = unsafe { std::slice::from_raw_parts(payload, len) };
        Some(Message { payload, name, control })
    }
}

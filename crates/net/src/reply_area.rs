//! Where replies wait until the kernel has them: the octets, and for each reply the headers a send needs.
//!
//! One bump allocator: replies lie one after the other, and all are forgotten together once the last is out.
//! A ring of fixed slots would need 64 KiB for each (a reply may be that long) and would spread replies of
//! 200 octets over as many pages; and a run of replies of one size to one requestor must lie end to end to
//! leave as one UDP_SEGMENT send.
//!
//! A reply is in one of three states, by its number: `0..handed` the kernel has it or is done with it,
//! `handed..queued` it waits, `queued..` unused.

use std::io;
use std::net::SocketAddrV6;

use crate::control::{self, CONTROL_LEN_MAX};
use crate::pages::Pages;
use crate::sockaddr::{self, NAME_LEN};
use crate::{Local, REPLY_LEN_MAX};

/// Most replies in the area; about four batches, so that one turn's replies rarely need a send in between.
pub(crate) const REPLIES_MAX: usize = 256;
/// Octets of the area: [`REPLIES_MAX`] replies of 1,792 octets (more than a link's 1,500), and the last
/// slot's slack.
const OCTETS: usize = 512 << 10;
const _: () = assert!(OCTETS >= REPLIES_MAX * 1_500 + REPLY_LEN_MAX);

/// What one send points to, beside the payload.
#[repr(C, align(8))]
struct Envelope {
    payload: libc::iovec,
    control: [u8; CONTROL_LEN_MAX],
    name: [u8; NAME_LEN],
}

/// A reply about to be handed to the kernel.
pub(crate) struct Outgoing {
    /// Number of the reply, to be given to [`ReplyArea::finish`].
    pub(crate) slot: u32,
    /// Socket it leaves by, as an index into the worker's.
    pub(crate) socket: u16,
    /// Complete message header; it and all it points to stay as they are until `finish`.
    pub(crate) header: *const libc::msghdr,
}

/// Replies and their headers.
///
/// I1. Octets, envelopes and headers are mappings: their addresses last until `Drop`, and the back end drops
///     the area only when the kernel has finished every send.
/// I2. Of a reply below `queued`, no octet, envelope or header is written until `finished` reaches `queued`;
///     that includes the time the kernel reads them.
/// I3. Headers `0..queued` point into octets and envelopes of the same number, and nowhere else.
pub(crate) struct ReplyArea {
    octets: Pages,
    envelopes: Pages,
    headers: Pages,
    sockets: Box<[u16]>,
    with_kernel: Box<[bool]>,
    used: usize,
    queued: usize,
    handed: usize,
    finished: usize,
}

impl ReplyArea {
    /// Octets of address space an area takes, for error messages.
    pub(crate) const LEN: usize = OCTETS + REPLIES_MAX * (size_of::<Envelope>() + size_of::<libc::mmsghdr>());

    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            octets: Pages::map(OCTETS)?,
            envelopes: Pages::map_array::<Envelope>(REPLIES_MAX)?,
            headers: Pages::map_array::<libc::mmsghdr>(REPLIES_MAX)?,
            sockets: vec![0; REPLIES_MAX].into_boxed_slice(),
            with_kernel: vec![false; REPLIES_MAX].into_boxed_slice(),
            used: 0,
            queued: 0,
            handed: 0,
            finished: 0,
        })
    }

    /// Whether a reply of any length fits.
    pub(crate) fn has_room(&self) -> bool {
        self.queued < REPLIES_MAX && self.octets.len() - self.used >= REPLY_LEN_MAX
    }

    /// Replies that the kernel has and has not finished.
    pub(crate) fn in_flight(&self) -> usize {
        self.handed - self.finished
    }

    /// Adds the reply that `write` encodes; panics without [`has_room`](Self::has_room).
    pub(crate) fn put(
        &mut self,
        socket: u16,
        to: SocketAddrV6,
        from: Local,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) {
        assert!(self.has_room());
        let start = self.octets.element::<u8>(self.used);
        // SAFETY: `used + REPLY_LEN_MAX` octets are mapped (has_room); those from `used` on belong to no
        // reply, so neither the kernel (I2) nor any other reference sees them. Mapped memory is initialised.
        let slot = unsafe { std::slice::from_raw_parts_mut(start, REPLY_LEN_MAX) };
        let len = write(slot);
        assert!(len <= REPLY_LEN_MAX, "a service claims {len} octets of a slot of {REPLY_LEN_MAX}");
        if len == 0 {
            return;
        }
        self.address(start, len, to, from);
        self.sockets[self.queued] = socket;
        self.used += len;
        self.queued += 1;
    }

    /// Writes envelope and header number `queued` for the payload at `start`.
    fn address(&mut self, start: *mut u8, len: usize, to: SocketAddrV6, from: Local) {
        let envelope = self.envelopes.element::<Envelope>(self.queued);
        let header = self.headers.element::<libc::mmsghdr>(self.queued);
        // SAFETY: both elements are mapped and number `queued` is unused: neither the kernel (I2) nor another
        // reference sees them. All fields are integers, arrays and raw pointers, valid as zeroes.
        let (envelope, header) = unsafe { (&mut *envelope, &mut *header) };
        let control_len = control::encode_source(&mut envelope.control, control::reply_source(from));
        envelope.name = sockaddr::encode(control::reply_destination(to, from));
        envelope.payload = libc::iovec { iov_base: start.cast(), iov_len: len };
        let message = &mut header.msg_hdr;
        message.msg_name = (&raw mut envelope.name).cast();
        message.msg_namelen = NAME_LEN as libc::socklen_t;
        message.msg_iov = &raw mut envelope.payload;
        message.msg_iovlen = 1;
        message.msg_control =
            if control_len == 0 { std::ptr::null_mut() } else { (&raw mut envelope.control).cast() };
        message.msg_controllen = control_len as _;
    }

    /// Marks the next waiting reply as handed to the kernel, for a back end that hands them over one by one.
    pub(crate) fn hand_over(&mut self) -> Option<Outgoing> {
        if self.handed == self.queued {
            return None;
        }
        let slot = self.handed;
        self.handed += 1;
        self.with_kernel[slot] = true;
        let header = self.headers.element::<libc::mmsghdr>(slot);
        // SAFETY: element `slot` is mapped; only its address is taken.
        let header = unsafe { &raw const (*header).msg_hdr };
        Some(Outgoing { slot: slot as u32, socket: self.sockets[slot], header })
    }

    /// The kernel is done with reply `slot`; once it is done with all, the area is empty again.
    ///
    /// # Panics
    /// The kernel does not have that reply: something else was freed under its feet.
    pub(crate) fn finish(&mut self, slot: u32) {
        let with_kernel = &mut self.with_kernel[slot as usize];
        assert!(std::mem::replace(with_kernel, false), "reply {slot} finished twice");
        self.finished += 1;
        if self.finished == self.queued {
            self.clear();
        }
    }

    /// Lends the headers of all waiting replies, and whether there are any, to a back end that sends them in
    /// one call that ends before it returns; then forgets them.
    pub(crate) fn send_waiting(&mut self, send: impl FnOnce(&mut [libc::mmsghdr])) {
        debug_assert_eq!(self.handed, 0, "a back end hands replies over one by one or all together");
        if self.queued > 0 {
            let first = self.headers.element::<libc::mmsghdr>(0);
            // SAFETY: headers 0..queued are mapped and initialised (I3); `&mut self` keeps every other access
            // away.
            send(unsafe { std::slice::from_raw_parts_mut(first, self.queued) });
        }
        self.clear();
    }

    fn clear(&mut self) {
        (self.used, self.queued, self.handed, self.finished) = (0, 0, 0, 0);
    }
}

#[cfg(test)]
#[path = "reply_area/tests.rs"]
mod tests;

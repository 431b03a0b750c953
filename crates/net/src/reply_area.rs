//! The reply area: octets and headers of replies until the kernel has sent them.
//!
//! A bump allocator: replies are adjacent, so that runs of equal-sized replies to one requestor leave as one
//! UDP_SEGMENT send, and all are freed together once the last is sent (DESIGN.md, "Reply area").
//!
//! A send is in one of three states, by number: `0..handed` passed to the kernel, `handed..queued` waiting,
//! `queued..` unused.

use std::io;
use std::net::SocketAddrV6;

use crate::coalesce::{Run, SEGMENTS_MAX};
use crate::control::{self, CONTROL_LEN_MAX};
use crate::pages::Pages;
use crate::sockaddr::{self, NAME_LEN};
use crate::{Local, REPLY_LEN_MAX};

/// Maximum of sends; about four batches, so that the replies of a turn rarely need a send in between.
pub(crate) const SENDS_MAX: usize = 256;
/// Octets of the area: [`SENDS_MAX`] replies of 1,792 octets (more than the 1,500 of a link), and the slack
/// of the last slot.
const OCTETS: usize = 512 << 10;
const _: () = assert!(OCTETS >= SENDS_MAX * 1_500 + REPLY_LEN_MAX);

/// Memory that one send points to, apart from the payload.
#[repr(C, align(8))]
struct Envelope {
    payload: libc::iovec,
    control: [u8; CONTROL_LEN_MAX],
    name: [u8; NAME_LEN],
}

/// Route of a reply: socket, destination, and the destination of the datagram that it answers.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Route {
    socket: u16,
    to: SocketAddrV6,
    from: Local,
}

impl Route {
    /// Whether both have the same source and destination, even if their queries came by other interfaces.
    fn leaves_as(&self, other: &Self) -> bool {
        let leaves = |route: &Self| {
            (
                // The interface of the query does not matter, only how the reply leaves.
                route.socket,
                control::reply_destination(route.to, route.from),
                control::reply_source(route.from),
            )
        };
        leaves(self) == leaves(other)
    }
}

/// A send to pass to the kernel.
pub(crate) struct Outgoing {
    /// Number of the send, to pass to [`ReplyArea::finish`].
    pub(crate) slot: u32,
    /// Sending socket, as an index into those of the worker.
    pub(crate) socket: u16,
    /// Complete message header; it and all memory it points to stay unchanged until `finish`.
    pub(crate) header: *const libc::msghdr,
}

/// Replies and their headers.
///
/// I1. Octets, envelopes and headers are mappings: their addresses last until `Drop`, and the back end drops
///     the area only when the kernel has finished every send.
/// I2. Of a send below `handed`, no octet, envelope or header is written until `finished` reaches `queued`;
///     that includes the time the kernel reads them. Of one that waits, envelope and header are written when
///     a reply joins it.
/// I3. Headers `0..queued` point into octets and envelopes of the same number, and nowhere else.
pub(crate) struct ReplyArea {
    octets: Pages,
    envelopes: Pages,
    headers: Pages,
    sockets: Box<[u16]>,
    runs: Box<[Run]>,
    with_kernel: Box<[bool]>,
    /// Whether replies may be coalesced, by socket.
    coalescing: Box<[bool]>,
    /// Route of the send that the next reply may join: the last one, while it waits.
    open: Option<Route>,
    used: usize,
    queued: usize,
    handed: usize,
    finished: usize,
}

impl ReplyArea {
    /// Bytes of address space that an area takes, for error messages.
    pub(crate) const LEN: usize = OCTETS + SENDS_MAX * (size_of::<Envelope>() + size_of::<libc::mmsghdr>());

    /// Makes an area for one socket per element of `coalescing`, which says whether its replies may be
    /// coalesced.
    pub(crate) fn new(coalescing: impl Iterator<Item = bool>) -> io::Result<Self> {
        Ok(Self {
            octets: Pages::map(OCTETS)?,
            envelopes: Pages::map_array::<Envelope>(SENDS_MAX)?,
            headers: Pages::map_array::<libc::mmsghdr>(SENDS_MAX)?,
            sockets: vec![0; SENDS_MAX].into_boxed_slice(),
            runs: vec![Run::of(0); SENDS_MAX].into_boxed_slice(),
            with_kernel: vec![false; SENDS_MAX].into_boxed_slice(),
            coalescing: coalescing.collect(),
            open: None,
            used: 0,
            queued: 0,
            handed: 0,
            finished: 0,
        })
    }

    /// Whether a reply of any length fits.
    pub(crate) fn has_room(&self) -> bool {
        // A reply may be as long as a datagram can be, so room is kept for one.
        self.queued < SENDS_MAX && self.octets.len() - self.used >= REPLY_LEN_MAX
    }

    /// Sends passed to the kernel and not finished.
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
        // `write` gets a slot of full length, which must be free.
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
        self.used += len;
        // The route is kept, as the next reply may join this one.
        let route = Route { socket, to, from };
        // Equal routes, the usual case, skip the comparison of what they lead to.
        let joins = |open: Route| open == route || open.leaves_as(&route);
        if !self.open.is_some_and(joins) || !self.join(len) {
            self.address(start, len, route);
        }
    }

    /// Adds the next `len` octets to the last send as one more reply, if possible.
    fn join(&mut self, len: usize) -> bool {
        // The open send is the last one queued.
        let last = self.queued - 1;
        let run = &mut self.runs[last];
        if !run.extend(len, SEGMENTS_MAX) {
            return false;
        }
        let envelope = self.envelopes.element::<Envelope>(last);
        let header = self.headers.element::<libc::mmsghdr>(last);
        // SAFETY: both elements are mapped and were written when the send was queued; it still waits
        // (`open`), so that neither the kernel (I2) nor another reference sees them.
        let (envelope, header) = unsafe { (&mut *envelope, &mut *header) };
        envelope.payload.iov_len = run.len;
        if run.count == 2 {
            // The second reply makes it a run, so the segment size is added now.
            let message = &mut header.msg_hdr;
            let used = message.msg_controllen;
            let segment_len = run.segment_len as u16; // of two that join, none is longer than SEGMENT_LEN_MAX
            message.msg_control = (&raw mut envelope.control).cast();
            message.msg_controllen =
                control::encode_segment_len(&mut envelope.control, used, segment_len) as _;
        }
        true
    }

    /// Queues a send of one reply, whose payload begins at `start`.
    fn address(&mut self, start: *mut u8, len: usize, route: Route) {
        let envelope = self.envelopes.element::<Envelope>(self.queued);
        let header = self.headers.element::<libc::mmsghdr>(self.queued);
        // SAFETY: both elements are mapped and number `queued` is unused: neither the kernel (I2) nor another
        // reference sees them. All fields are integers, arrays and raw pointers, valid as zeroes.
        let (envelope, header) = unsafe { (&mut *envelope, &mut *header) };
        let control_len = control::encode_source(&mut envelope.control, control::reply_source(route.from));
        envelope.name = sockaddr::encode(control::reply_destination(route.to, route.from));
        envelope.payload = libc::iovec { iov_base: start.cast(), iov_len: len };
        let message = &mut header.msg_hdr;
        message.msg_name = (&raw mut envelope.name).cast();
        message.msg_namelen = NAME_LEN as libc::socklen_t;
        message.msg_iov = &raw mut envelope.payload;
        message.msg_iovlen = 1;
        message.msg_control =
            if control_len == 0 { std::ptr::null_mut() } else { (&raw mut envelope.control).cast() };
        message.msg_controllen = control_len as _;
        self.sockets[self.queued] = route.socket;
        self.runs[self.queued] = Run::of(len);
        // Only a socket that may coalesce has a send to join.
        self.open = self.coalescing[usize::from(route.socket)].then_some(route);
        self.queued += 1;
    }

    /// Stops coalescing replies of `socket`.
    pub(crate) fn stop_coalescing(&mut self, socket: u16) {
        self.coalescing[usize::from(socket)] = false;
        self.open = None;
    }

    /// Sending socket of send `slot`, as an index into those of the worker.
    pub(crate) fn socket(&self, slot: u32) -> u16 {
        self.sockets[slot as usize]
    }

    /// The replies of send `slot`.
    pub(crate) fn run(&self, slot: u32) -> Run {
        self.runs[slot as usize]
    }

    /// Message header of send `slot`, which the kernel has read but which is not finished.
    pub(crate) fn header(&self, slot: u32) -> &libc::msghdr {
        assert!(self.with_kernel[slot as usize], "send {slot} is not under way");
        // SAFETY: mapped and initialised (I3), and not written before it is finished (I2).
        unsafe { &(*self.headers.element::<libc::mmsghdr>(slot as usize)).msg_hdr }
    }

    /// Passes the next waiting send to the kernel, for a back end that sends one at a time.
    pub(crate) fn hand_over(&mut self) -> Option<Outgoing> {
        if self.handed == self.queued {
            return None;
        }
        let slot = self.handed;
        self.handed += 1;
        if self.handed == self.queued {
            // A send that was handed over can no longer grow.
            self.open = None;
        }
        self.with_kernel[slot] = true;
        let header = self.headers.element::<libc::mmsghdr>(slot);
        // SAFETY: element `slot` is mapped; only its address is taken.
        let header = unsafe { &raw const (*header).msg_hdr };
        Some(Outgoing { slot: slot as u32, socket: self.sockets[slot], header })
    }

    /// Finishes send `slot`; the area is empty again once every send is finished.
    ///
    /// # Panics
    /// The kernel does not have that send: memory in use would be freed.
    pub(crate) fn finish(&mut self, slot: u32) {
        let with_kernel = &mut self.with_kernel[slot as usize];
        assert!(std::mem::replace(with_kernel, false), "send {slot} finished twice");
        self.finished += 1;
        if self.finished == self.queued {
            // All sends are done, so every octet may be used again.
            self.clear();
        }
    }

    /// Lends headers and runs of all waiting sends to a back end that sends them in one call and returns
    /// after it; then clears the area.
    pub(crate) fn send_waiting<T: Default>(
        &mut self,
        send: impl FnOnce(&mut [libc::mmsghdr], &[Run]) -> T,
    ) -> T {
        debug_assert_eq!(self.handed, 0, "a back end hands sends over one by one or all together");
        // Without sends there is nothing to lend, and no outcome to report.
        let mut outcome = T::default();
        if self.queued > 0 {
            let first = self.headers.element::<libc::mmsghdr>(0);
            // SAFETY: headers 0..queued are mapped and initialised (I3); `&mut self` keeps every other access
            // away.
            let headers = unsafe { std::slice::from_raw_parts_mut(first, self.queued) };
            outcome = send(headers, &self.runs[..self.queued]);
        }
        self.clear();
        outcome
    }

    fn clear(&mut self) {
        (self.used, self.queued, self.handed, self.finished) = (0, 0, 0, 0);
        self.open = None;
    }
}

#[cfg(test)]
#[path = "reply_area/tests.rs"]
mod tests;

//! Sends of many datagrams from a buffer of the caller.

use std::io;
use std::os::fd::RawFd;

use crate::BATCH_MAX;
use crate::coalesce::Run;
use crate::control::{self, CONTROL_LEN_MAX};
use crate::pages::Pages;

/// Memory that one send points to, apart from the payload.
#[repr(C, align(8))]
struct Envelope {
    payload: libc::iovec,
    control: [u8; CONTROL_LEN_MAX],
}

/// Headers for [`BATCH_MAX`] sends, which `sendmmsg` takes in one call.
///
/// I1. Both are mappings, whose addresses last until `Drop`.
/// I2. The kernel reads them only inside [`send`](Self::send), which borrows all of it exclusively, and only
///     those that the same call has filled before.
pub(super) struct SendArea {
    envelopes: Pages,
    headers: Pages,
    /// Maximum of datagrams per send.
    segments_max: usize,
}

impl SendArea {
    pub(super) fn new(segments_max: usize) -> io::Result<Self> {
        Ok(Self {
            envelopes: Pages::map_array::<Envelope>(BATCH_MAX)?,
            headers: Pages::map_array::<libc::mmsghdr>(BATCH_MAX)?,
            segments_max,
        })
    }

    /// See [`ConnectedSocket::send`](super::ConnectedSocket::send).
    pub(super) fn send(&mut self, fd: RawFd, octets: &[u8], ends: &[usize]) -> io::Result<usize> {
        let mut left = 0;
        while left < ends.len() {
            match self.send_some(fd, octets, ends, left) {
                Ok(count) => left += count,
                // A signal before the first datagram: nothing was sent, so the call is repeated.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // `sendmmsg` hides an error behind the first datagrams too; a lasting cause shows in the next
                // call.
                Err(error) if left > 0 || error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(left)
    }

    /// Makes one system call: sends datagrams from number `from` on; returns the number sent, at least one.
    fn send_some(&mut self, fd: RawFd, octets: &[u8], ends: &[usize], from: usize) -> io::Result<usize> {
        let mut counts = [0; BATCH_MAX];
        let mut sends = 0;
        let mut next = from;
        // Both limits bound the call: headers in the area, and datagrams given.
        while sends < BATCH_MAX && next < ends.len() {
            let start = next.checked_sub(1).map_or(0, |before| ends[before]);
            let run = run(start, &ends[next..], self.segments_max);
            self.address(sends, &octets[start..start + run.len], run);
            counts[sends] = run.count;
            sends += 1;
            next += run.count;
        }
        // NOSIGNAL costs nothing and spares a process the signal of a closed peer.
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let headers = self.headers.element::<libc::mmsghdr>(0);
        // SAFETY: headers 0..sends were filled just now and point into `octets`, which is borrowed until this
        // returns, and into the envelopes (I1, I2).
        let sent = unsafe { libc::sendmmsg(fd, headers, sends as _, flags as _) };
        let sent = usize::try_from(sent).map_err(|_| io::Error::last_os_error())?;
        // A send that the kernel refused in the middle ends the count there.
        Ok(counts[..sent].iter().sum())
    }

    /// Fills header and envelope `number` for the datagrams of `run`, which are `payload`.
    fn address(&mut self, number: usize, payload: &[u8], run: Run) {
        let envelope = self.envelopes.element::<Envelope>(number);
        let header = self.headers.element::<libc::mmsghdr>(number);
        // SAFETY: mapped elements (I1) that nothing else refers to (I2, and `&mut self`); zeroes are valid.
        let (envelope, header) = unsafe { (&mut *envelope, &mut *header) };
        envelope.payload =
            libc::iovec { iov_base: payload.as_ptr().cast_mut().cast(), iov_len: payload.len() };
        let message = &mut header.msg_hdr;
        message.msg_iov = &raw mut envelope.payload;
        message.msg_iovlen = 1;
        // Reset, as the envelope may have carried a segment size before.
        (message.msg_control, message.msg_controllen) = (std::ptr::null_mut(), 0);
        if run.count > 1 {
            let len = control::encode_segment_len(&mut envelope.control, 0, run.segment_len as u16);
            message.msg_control = (&raw mut envelope.control).cast();
            message.msg_controllen = len as _;
        }
    }
}

/// The longest run of datagrams that begin at `start` and end at `ends`.
fn run(start: usize, ends: &[usize], segments_max: usize) -> Run {
    let mut run = Run::of(ends[0] - start);
    // Only equal datagrams in a row can leave together.
    for pair in ends.windows(2) {
        if !run.extend(pair[1] - pair[0], segments_max) {
            break;
        }
    }
    run
}

//! Fallback for refused coalesced sends: the replies are sent one by one.
//!
//! UDP_SEGMENT needs checksums by the network card (before Linux 6.11) and a route without IPsec, which shows
//! only when a reply is sent.

use std::os::fd::RawFd;

use crate::NetCounters;
use crate::coalesce::Run;
use crate::control::SOURCE_LEN;
use crate::counters::last_error_result;

/// Whether a send of `run` that ended in `result` may have been refused because of coalescing.
pub(crate) fn is_refusal(run: Run, result: i32) -> bool {
    // These errnos also come from routes, so the caller tries one by one.
    run.count > 1 && [-libc::EIO, -libc::EINVAL, -libc::EMSGSIZE].contains(&result)
}

/// Sends the replies of `run` one by one, and counts them; returns whether the kernel takes any.
///
/// If it takes none, their route is at fault, not coalescing: a requestor that cannot be answered must not
/// slow down the replies to all others.
///
/// # Safety
/// `header` and all it points to are valid, the payload being the octets of `run`.
pub(crate) unsafe fn one_by_one(fd: RawFd, header: &libc::msghdr, run: Run, counters: &NetCounters) -> bool {
    let mut header = *header;
    // SAFETY: points to the one element of the message's payload, by the caller's promise.
    let all = unsafe { *header.msg_iov };
    // The segment size is the last control message, behind that of the source, if there is one.
    header.msg_controllen = if header.msg_controllen > SOURCE_LEN { SOURCE_LEN } else { 0 };
    let mut taken = false;
    let mut start = 0;
    while start < run.len {
        // The last reply of a run may be shorter.
        let len = run.segment_len.min(run.len - start);
        // SAFETY: `start` is inside the `run.len` octets of the payload.
        let mut one = libc::iovec { iov_base: unsafe { all.iov_base.byte_add(start) }, iov_len: len };
        header.msg_iov = &raw mut one;
        // SAFETY: payload, address and control messages are valid, by the caller's promise and as just said.
        let sent = unsafe { libc::sendmsg(fd, &raw const header, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
        let result = if sent < 0 { last_error_result() } else { 0 };
        counters.count_send(result, Run::of(len));
        taken |= result == 0;
        start += len;
    }
    taken
}

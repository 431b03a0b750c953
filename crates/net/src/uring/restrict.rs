//! Restrictions of a ring to the operations of a worker; it starts disabled, and is enabled with them.
//!
//! seccomp does not see the operations of a ring: an attacker who can write to its submission queue could
//! open and read files past any filter. The kernel itself refuses them (IORING_REGISTER_RESTRICTIONS, Linux ≥
//! 5.10): such a request completes with EACCES, and the restrictions last as long as the ring.

use io_uring::register::Restriction;
use io_uring::{Submitter, opcode, squeue};

use crate::uring_error::UringError;

/// `io_uring_register` operations that a worker needs when it ends (`linux/io_uring.h`); all others are done
/// before the ring is enabled.
const UNREGISTER_FILES: u8 = 3;
const UNREGISTER_PBUF_RING: u8 = 23;
const REGISTER_SYNC_CANCEL: u8 = 24;

/// The operations of a worker, with names for error messages.
pub(super) const OPERATIONS: [(u8, &str); 4] = [
    (opcode::RecvMsgMulti::CODE, "IORING_OP_RECVMSG"),
    (opcode::SendMsg::CODE, "IORING_OP_SENDMSG"),
    (opcode::PollAdd::CODE, "IORING_OP_POLL_ADD"),
    (opcode::AsyncCancel::CODE, "IORING_OP_ASYNC_CANCEL"),
];

/// Restricts a disabled ring to the operations of a worker, and enables it for the calling thread.
pub(super) fn enable(submitter: &Submitter<'_>) -> Result<(), UringError> {
    // Flags beyond these would open other paths in the kernel.
    let flags = squeue::Flags::FIXED_FILE | squeue::Flags::BUFFER_SELECT;
    let mut allowed: Vec<Restriction> = OPERATIONS.map(|(code, _)| Restriction::sqe_op(code)).into();
    // Only these flags are used, so no request can name a descriptor of its own.
    allowed.push(Restriction::sqe_flags_allowed(flags.bits()));
    allowed
        .extend([UNREGISTER_FILES, UNREGISTER_PBUF_RING, REGISTER_SYNC_CANCEL].map(Restriction::register_op));
    // Restrictions are final: they hold for the ring as long as it lives.
    submitter.register_restrictions(&mut allowed).map_err(|error| {
        UringError::judge("restricting operations", "IORING_REGISTER_RESTRICTIONS", "5.10", error)
    })?;
    // The thread that enables the ring is the only one that may use it.
    submitter.register_enable_rings().map_err(|error| {
        UringError::judge("enabling the ring", "IORING_REGISTER_ENABLE_RINGS", "5.10", error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uring::ring::build;

    #[test]
    fn operations_that_no_worker_needs_are_refused() {
        // Without io_uring there is nothing to test; other tests report that.
        let Ok(mut ring) = build(64) else { return };
        enable(&ring.submitter()).unwrap();
        let path = c"/dev/null";
        let open = opcode::OpenAt::new(io_uring::types::Fd(libc::AT_FDCWD), path.as_ptr()).build();
        let outside = opcode::PollAdd::new(io_uring::types::Fd(0), libc::POLLIN as u32).build();
        let entries = [open, opcode::Nop::new().build(), outside.flags(squeue::Flags::IO_LINK)];
        for entry in entries {
            // SAFETY: the path lives as long as the test; the others point to nothing.
            unsafe { ring.submission().push(&entry).unwrap() };
            ring.submit_and_wait(1).unwrap();
            let result = ring.completion().next().unwrap().result();
            assert_eq!(result, -libc::EACCES, "{entry:?}");
        }
    }

    #[test]
    fn restrictions_cannot_be_lifted() {
        let Ok(ring) = build(64) else { return };
        enable(&ring.submitter()).unwrap();
        let refused = |outcome: std::io::Result<()>| {
            assert_eq!(outcome.unwrap_err().raw_os_error(), Some(libc::EACCES));
        };
        refused(ring.submitter().register_restrictions(&mut [Restriction::sqe_op(opcode::Nop::CODE)]));
        refused(ring.submitter().register_files(&[0]));
        refused(ring.submitter().register_personality().map(|_| ()));
    }
}

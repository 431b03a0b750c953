//! Construction of a ring.

use io_uring::{IoUring, Probe};

use super::buffers::BufferRing;
use super::restrict;
use crate::limits::SOCKETS_MAX;
use crate::reply_area::SENDS_MAX;
use crate::uring_error::UringError;

/// Length of the submission queue: the replies of a full area, and a new receive and a cancellation for every
/// socket.
const SUBMISSIONS_MAX: u32 = 512;
const _: () = assert!(SUBMISSIONS_MAX as usize > SENDS_MAX + 2 * SOCKETS_MAX);
/// The kernel's IORING_MAX_CQ_ENTRIES.
const COMPLETIONS_LIMIT: u32 = 65_536;

/// Maximum of completions at once: one per buffer, one per send, and for every socket the end of its receive
/// and of its cancellation. A queue of that size never overflows.
pub(super) fn completions_max(buffers: u32) -> u32 {
    let most = buffers + SENDS_MAX as u32 + 2 * SOCKETS_MAX as u32 + 1;
    most.next_power_of_two().min(COMPLETIONS_LIMIT)
}
const _: () = assert!(32_768 + SENDS_MAX + 2 * SOCKETS_MAX < COMPLETIONS_LIMIT as usize);

/// Builds the ring of the calling thread, disabled until [`restrict::enable`].
///
/// SINGLE_ISSUER and DEFER_TASKRUN (6.1) run completions only when this thread asks for them; SUBMIT_ALL
/// (5.18) keeps a bad request from delaying the rest. NO_SQARRAY (6.6) saves an indirection and is left out
/// where unknown.
pub(super) fn build(completions: u32) -> Result<IoUring, UringError> {
    let mut builder = IoUring::builder();
    builder
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        .setup_taskrun_flag()
        .setup_r_disabled()
        .setup_submit_all()
        .setup_cqsize(completions);
    // For kernels that do not know NO_SQARRAY.
    let with_array = builder.clone();
    match builder.setup_no_sqarray().build(SUBMISSIONS_MAX) {
        // Only this errno means an unknown flag; others would come again.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => with_array.build(SUBMISSIONS_MAX),
        built => built,
    }
    .map_err(|error| UringError::judge("making a ring", "IORING_SETUP_DEFER_TASKRUN", "6.1", error))
}

/// Tries every io_uring feature that a worker needs, on a small temporary ring, for `--io auto` and before
/// threads start.
///
/// # Errors
/// A feature is missing; the error names its fix.
pub fn probe() -> Result<(), UringError> {
    // The smallest ring shows the same features, and costs nothing.
    let ring = build(completions_max(64))?;
    let mut probe = Probe::new();
    ring.submitter()
        .register_probe(&mut probe)
        .map_err(|error| UringError::judge("asking for operations", "IORING_REGISTER_PROBE", "5.6", error))?;
    for (code, feature) in restrict::OPERATIONS {
        if !probe.is_supported(code) {
            return Err(UringError::TooOld { feature, needs: "6.1" });
        }
    }
    // The group is registered for real, as support shows only then.
    let buffers =
        BufferRing::new(64, 64).map_err(|_| UringError::Memory { step: "mapping receive buffers" })?;
    buffers.register(&ring.submitter())?;
    restrict::enable(&ring.submitter())?;
    buffers.unregister(&ring.submitter());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_queue_holds_every_completion_at_once() {
        assert_eq!(completions_max(64), 512);
        assert_eq!(completions_max(4_096), 8_192);
        assert_eq!(completions_max(32_768), 65_536);
    }
}

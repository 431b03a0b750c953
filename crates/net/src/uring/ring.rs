//! Building a ring, and saying why there cannot be one.

use std::io;

use io_uring::{IoUring, Probe};

use super::buffers::BufferRing;
use super::restrict;
use crate::reply_area::SENDS_MAX;
use crate::worker::SOCKETS_MAX;

/// Submission queue: the replies of a full area, and a new receive or cancellation for every socket.
const SUBMISSIONS_MAX: u32 = 512;
const _: () = assert!(SUBMISSIONS_MAX as usize > SENDS_MAX + 2 * SOCKETS_MAX);
/// The kernel's IORING_MAX_CQ_ENTRIES.
const COMPLETIONS_LIMIT: u32 = 65_536;

/// Why io_uring cannot be used here, and what to mend. `--io mmsg` serves without it.
#[derive(Debug, thiserror::Error)]
pub enum UringUnavailable {
    /// Switched off by the administrator.
    #[error(
        "io_uring is switched off here (sysctl kernel.io_uring_disabled is {level}); set it to 0, or with \
         1 run in the group of kernel.io_uring_group"
    )]
    Disabled {
        /// Value of the sysctl: 1 allows one group, 2 nobody.
        level: u8,
    },
    /// Refused with the sysctl open: a sandbox.
    #[error(
        "io_uring is refused here, most likely by a seccomp profile; allow io_uring_setup, io_uring_enter \
         and io_uring_register in the container's profile or the unit's SystemCallFilter="
    )]
    Denied,
    /// Not in this kernel, or hidden by a sandbox.
    #[error(
        "this kernel has no io_uring, or a seccomp profile hides it; run Linux 6.1 or newer, and allow \
         io_uring_setup, io_uring_enter and io_uring_register"
    )]
    Missing,
    /// Kernel too old.
    #[error("this kernel's io_uring lacks {feature}; run Linux {needs} or newer")]
    TooOld {
        /// What is missing.
        feature: &'static str,
        /// First version that has it.
        needs: &'static str,
    },
    /// Not enough memory, by whatever limit.
    #[error(
        "no memory for io_uring: {what}; raise LimitMEMLOCK= and MemoryMax= of the unit, or lower the \
         number of buffers"
    )]
    Memory {
        /// What it was for.
        what: &'static str,
    },
    /// Anything else.
    #[error("io_uring does not work here: {what}: {source}")]
    Other {
        /// What was being done.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

impl UringUnavailable {
    /// Judges the error of `what`, for a `feature` that came with Linux `needs`.
    pub(super) fn judge(
        what: &'static str,
        feature: &'static str,
        needs: &'static str,
        source: io::Error,
    ) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => match disabled_level() {
                level @ 1.. => Self::Disabled { level },
                0 => Self::Denied,
            },
            Some(libc::ENOSYS) => Self::Missing,
            Some(libc::EINVAL) => Self::TooOld { feature, needs },
            Some(libc::ENOMEM) => Self::Memory { what },
            _ => Self::Other { what, source },
        }
    }
}

/// The sysctl `kernel.io_uring_disabled` (Linux ≥ 6.6); 0, which hinders nothing, where it is absent.
fn disabled_level() -> u8 {
    let text = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// Completions there can be at once: one per buffer, one per send, and for every socket the end of its
/// receive and of its cancellation. A queue of that size never overflows.
pub(super) fn completions_max(buffers: u32) -> u32 {
    let most = buffers + SENDS_MAX as u32 + 2 * SOCKETS_MAX as u32 + 1;
    most.next_power_of_two().min(COMPLETIONS_LIMIT)
}
const _: () = assert!(32_768 + SENDS_MAX + 2 * SOCKETS_MAX < COMPLETIONS_LIMIT as usize);

/// Builds the calling thread's ring, which does nothing before [`restrict::enable`].
///
/// SINGLE_ISSUER and DEFER_TASKRUN (6.1) make completions run when this thread asks for them, and at no other
/// time; SUBMIT_ALL (5.18) keeps one bad request from holding up the rest. NO_SQARRAY (6.6) saves an
/// indirection and is left out where it is unknown.
pub(super) fn build(completions: u32) -> Result<IoUring, UringUnavailable> {
    let mut builder = IoUring::builder();
    builder
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_coop_taskrun()
        .setup_taskrun_flag()
        .setup_r_disabled()
        .setup_submit_all()
        .setup_cqsize(completions);
    let with_array = builder.clone();
    match builder.setup_no_sqarray().build(SUBMISSIONS_MAX) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => with_array.build(SUBMISSIONS_MAX),
        built => built,
    }
    .map_err(|error| UringUnavailable::judge("making a ring", "IORING_SETUP_DEFER_TASKRUN", "6.1", error))
}

/// Tries all of io_uring that a worker needs, on a small ring of its own, for `--io auto` and before threads
/// start.
///
/// # Errors
/// Says what is missing, and what to mend.
pub fn probe() -> Result<(), UringUnavailable> {
    let ring = build(completions_max(64))?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(|error| {
        UringUnavailable::judge("asking for operations", "IORING_REGISTER_PROBE", "5.6", error)
    })?;
    for (code, feature) in restrict::OPERATIONS {
        if !probe.is_supported(code) {
            return Err(UringUnavailable::TooOld { feature, needs: "6.1" });
        }
    }
    let buffers =
        BufferRing::new(64, 64).map_err(|_| UringUnavailable::Memory { what: "mapping receive buffers" })?;
    buffers.register(&ring.submitter())?;
    restrict::enable(&ring.submitter())?;
    buffers.unregister(&ring.submitter());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_errno_names_its_mend() {
        let rows = [
            (libc::ENOSYS, "6.1 or newer"),
            (libc::EINVAL, "lacks FEATURE; run Linux 9.9"),
            (libc::ENOMEM, "LimitMEMLOCK="),
            (libc::EMFILE, "testing: "),
        ];
        for (errno, mend) in rows {
            let error = io::Error::from_raw_os_error(errno);
            let text = UringUnavailable::judge("testing", "FEATURE", "9.9", error).to_string();
            assert!(text.contains(mend), "errno {errno}: {text}");
        }
        let denied =
            UringUnavailable::judge("testing", "FEATURE", "9.9", io::Error::from_raw_os_error(libc::EPERM));
        assert!(matches!(denied, UringUnavailable::Denied | UringUnavailable::Disabled { .. }));
    }

    #[test]
    fn a_completion_queue_holds_every_completion_at_once() {
        assert_eq!(completions_max(64), 512);
        assert_eq!(completions_max(4_096), 8_192);
        assert_eq!(completions_max(32_768), 65_536);
    }
}

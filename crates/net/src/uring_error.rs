//! Errors of io_uring, each with its fix.

use std::io;

/// A reason why io_uring is unusable, and its fix. `--io mmsg` works without it.
#[derive(Debug, thiserror::Error)]
pub enum UringError {
    /// Switched off by the administrator.
    #[error(
        "io_uring is switched off here (sysctl kernel.io_uring_disabled is {level}); set it to 0, or with \
         1 run in the group of kernel.io_uring_group"
    )]
    Disabled {
        /// Value of the sysctl: 1 allows one group, 2 no process.
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
        /// The missing part.
        feature: &'static str,
        /// First version that has it.
        needs: &'static str,
    },
    /// Out of memory, by any limit.
    #[error(
        "no memory for io_uring: {step}; raise LimitMEMLOCK= and MemoryMax= of the unit, or lower the \
         number of buffers"
    )]
    Memory {
        /// The step that needed it.
        step: &'static str,
    },
    /// Any other failure.
    #[error("io_uring does not work here: {step}: {source}")]
    Other {
        /// The step that failed.
        step: &'static str,
        /// The kernel's error.
        source: io::Error,
    },
}

impl UringError {
    /// Classifies the error of step `step`, for a `feature` added in Linux `needs`.
    pub(crate) fn judge(
        step: &'static str,
        feature: &'static str,
        needs: &'static str,
        source: io::Error,
    ) -> Self {
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => match disabled_level() {
                // A sysctl of 1 or 2 explains the refusal; with 0 it comes from a sandbox.
                level @ 1.. => Self::Disabled { level },
                0 => Self::Denied,
            },
            Some(libc::ENOSYS) => Self::Missing,
            // An unknown flag or operation is the usual cause of this errno.
            Some(libc::EINVAL) => Self::TooOld { feature, needs },
            Some(libc::ENOMEM) => Self::Memory { step },
            _ => Self::Other { step, source },
        }
    }
}

/// The sysctl `kernel.io_uring_disabled` (Linux ≥ 6.6); 0, which disables nothing, if absent.
fn disabled_level() -> u8 {
    // Kernels without the file do not restrict io_uring.
    let text = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_their_fix() {
        let rows = [
            (libc::ENOSYS, "6.1 or newer"),
            (libc::EINVAL, "lacks FEATURE; run Linux 9.9"),
            (libc::ENOMEM, "LimitMEMLOCK="),
            (libc::EMFILE, "testing: "),
        ];
        for (errno, fix) in rows {
            let error = io::Error::from_raw_os_error(errno);
            let text = UringError::judge("testing", "FEATURE", "9.9", error).to_string();
            assert!(text.contains(fix), "errno {errno}: {text}");
        }
        let denied =
            UringError::judge("testing", "FEATURE", "9.9", io::Error::from_raw_os_error(libc::EPERM));
        assert!(matches!(denied, UringError::Denied | UringError::Disabled { .. }));
    }
}

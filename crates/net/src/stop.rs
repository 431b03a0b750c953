//! Stopping workers: one eventfd that, once written, stays readable for all of them.
//!
//! An atomic flag would need every wait to time out regularly; a descriptor ends the wait.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

/// Stops all workers that hold the matching [`StopSignal`].
#[derive(Clone, Debug)]
pub struct StopHandle(Arc<OwnedFd>);

/// Descriptor that a worker polls with its sockets.
#[derive(Clone, Debug)]
pub struct StopSignal(Arc<OwnedFd>);

/// Makes a handle and its signal; both may be cloned, one signal per worker.
///
/// # Errors
/// The process is out of descriptors (raise `LimitNOFILE=`) or the kernel is out of memory.
pub fn stop_pair() -> io::Result<(StopHandle, StopSignal)> {
    // SAFETY: takes no pointers; the descriptor it returns is checked below.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor just made, with no other owner.
    let fd = Arc::new(unsafe { OwnedFd::from_raw_fd(fd) });
    // Both ends share the descriptor, which closes with the last of them.
    Ok((StopHandle(fd.clone()), StopSignal(fd)))
}

impl StopHandle {
    /// Stops the workers; further calls change nothing. Async-signal-safe.
    pub fn stop(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: reads 8 octets of a live array. The only failure is EAGAIN, at 2^64 − 2 calls: already
        // stopped.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

impl StopSignal {
    /// The descriptor, readable once the handle was used. Never read, so that it stays readable for every
    /// worker.
    pub(crate) fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

//! Bounds of one worker.

/// Most sockets of one worker; a guard against a runaway configuration, not a limit of the kernel.
pub(crate) const SOCKETS_MAX: usize = 64;

/// Receive errors in a row, on one socket, after which the worker gives up on it rather than spin.
pub(crate) const RECEIVE_FAILURES_MAX: u32 = 64;

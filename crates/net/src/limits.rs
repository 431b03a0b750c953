//! Limits of a worker.

/// Maximum of sockets; a guard against a runaway configuration, not a limit of the kernel.
pub(crate) const SOCKETS_MAX: usize = 64;

/// Consecutive receive errors on a socket after which the worker ends rather than spins.
pub(crate) const RECEIVE_FAILURES_MAX: u32 = 64;

//! Errors that keep a worker from starting or end it, each with its fix.

use std::io;

use crate::limits::SOCKETS_MAX;
use crate::uring_error::UringError;

/// Settings or sockets are unusable.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Buffer count outside its range.
    #[error("buffers: must be a power of two between 64 and 32768, got {got}")]
    Buffers {
        /// Requested number.
        got: u32,
    },
    /// Buffer length outside its range.
    #[error("buffer length: must be between 1232 and 65527 octets, got {got}")]
    BufferLen {
        /// Requested length, octets.
        got: usize,
    },
    /// Buffers too short for coalesced datagrams.
    #[error("buffer length: must be 65527 octets to receive coalesced datagrams, got {got}")]
    CoalescingBufferLen {
        /// Requested length, octets.
        got: usize,
    },
    /// Number of sockets outside its range.
    #[error("a worker serves 1 to {SOCKETS_MAX} sockets, got {got}; name fewer listen addresses")]
    Sockets {
        /// Sockets given.
        got: usize,
    },
}

/// A worker could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The thread cannot be pinned.
    #[error(
        "cannot pin a worker to CPU {cpu}; name CPUs that exist and that this process may use (`taskset \
         -p`, CPUAffinity= and AllowedCPUs= of the unit)"
    )]
    Pin {
        /// Requested CPU.
        cpu: usize,
    },
    /// io_uring is unusable.
    #[error(transparent)]
    Uring(#[from] UringError),
    /// Busy polling is requested and unusable.
    #[error(transparent)]
    BusyPoll(#[from] BusyPollError),
    /// Buffers cannot be mapped.
    #[error(
        "cannot map {len} bytes of buffers ({source}); lower the number or length of buffers, or raise \
         MemoryMax= and LimitAS= of the unit"
    )]
    Memory {
        /// Requested bytes.
        len: usize,
        /// Error of the kernel.
        source: io::Error,
    },
    /// Waiting for datagrams failed.
    #[error("waiting for datagrams failed ({0}); restart, and report this with the kernel's version")]
    Wait(#[source] io::Error),
    /// Receiving on a socket keeps failing.
    #[error(
        "receiving on {address} keeps failing ({source}); check that its interface and address still \
         exist"
    )]
    Receive {
        /// Local address of the socket.
        address: std::net::SocketAddrV6,
        /// Last error of the kernel.
        source: io::Error,
    },
}

/// A reason why busy polling is unusable, and its fix.
#[derive(Debug, thiserror::Error)]
pub enum BusyPollError {
    /// io_uring lacks it.
    #[error("this kernel's io_uring lacks busy polling ({0}); run Linux 6.9 or newer")]
    Uring(#[source] io::Error),
    /// The sockets refuse it.
    #[error("busy polling is refused ({0}); grant CAP_NET_ADMIN, and run Linux 5.11 or newer")]
    Sockets(#[source] io::Error),
}

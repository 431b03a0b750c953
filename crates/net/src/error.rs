//! Reasons why a worker does not start or stops by itself, each with its fix.

use std::io;

use crate::limits::SOCKETS_MAX;
use crate::uring_error::UringError;

/// A worker cannot be made from these settings and sockets.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Buffer count outside its range.
    #[error("buffers: must be a power of two between 64 and 32768, got {got}")]
    Buffers {
        /// What was asked for.
        got: u32,
    },
    /// Buffer length outside its range.
    #[error("buffer length: must be between 1232 and 65527 octets, got {got}")]
    BufferLen {
        /// What was asked for, octets.
        got: usize,
    },
    /// Buffers too short for several datagrams together.
    #[error("buffer length: must be 65527 octets to receive datagrams together, got {got}")]
    CoalescingBufferLen {
        /// What was asked for, octets.
        got: usize,
    },
    /// Not a number of sockets a worker can serve.
    #[error("a worker serves 1 to {SOCKETS_MAX} sockets, got {got}; name fewer listen addresses")]
    Sockets {
        /// Sockets given.
        got: usize,
    },
}

/// A worker's thread could not begin, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The thread cannot be pinned.
    #[error(
        "cannot pin a worker to CPU {cpu}; name CPUs that exist and that this process may use (`taskset \
         -p`, CPUAffinity= and AllowedCPUs= of the unit)"
    )]
    Pin {
        /// CPU asked for.
        cpu: usize,
    },
    /// io_uring does not work here.
    #[error(transparent)]
    Uring(#[from] UringError),
    /// Busy polling was asked for and does not work here.
    #[error(transparent)]
    BusyPoll(#[from] BusyPollError),
    /// No memory for buffers.
    #[error(
        "cannot map {len} octets of buffers ({source}); lower the number or length of buffers, or raise \
         MemoryMax= and LimitAS= of the unit"
    )]
    Memory {
        /// Octets asked for.
        len: usize,
        /// What the kernel said.
        source: io::Error,
    },
    /// Waiting for datagrams failed.
    #[error("waiting for datagrams failed ({0}); restart, and report this with the kernel's version")]
    Wait(#[source] io::Error),
    /// A socket refuses to receive, again and again.
    #[error(
        "receiving on {address} fails again and again ({source}); see that its interface and address \
         still exist"
    )]
    Receive {
        /// The socket's own address.
        address: std::net::SocketAddrV6,
        /// What the kernel said last.
        source: io::Error,
    },
}

/// A reason why a worker cannot poll busily, and how to fix it.
#[derive(Debug, thiserror::Error)]
pub enum BusyPollError {
    /// io_uring cannot.
    #[error("this kernel's io_uring does not poll busily ({0}); run Linux 6.9 or newer")]
    Uring(#[source] io::Error),
    /// Sockets may not.
    #[error(
        "polling busily is refused ({0}); grant CAP_NET_ADMIN, and see that the kernel is Linux 5.11 or newer"
    )]
    Sockets(#[source] io::Error),
}

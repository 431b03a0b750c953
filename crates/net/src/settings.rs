//! Settings of a worker, checked before its thread starts.

use crate::{Socket, StartError};

/// System calls of a worker; `auto`, the default of the command line, is resolved by the caller, see
/// [`probe`](crate::probe).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// io_uring, Linux 6.1 or newer.
    Uring,
    /// `recvmmsg` and `sendmmsg`.
    Mmsg,
}

/// Settings of a worker.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// Back end.
    pub backend: Backend,
    /// Use [`Backend::Mmsg`] if io_uring cannot be set up for this worker ([`Backend::Uring`]), and tell the
    /// service. [`probe`](crate::probe) tries a small ring: memory locked by other workers' rings, or a limit
    /// (RLIMIT_MEMLOCK), may leave no room for this one.
    pub fall_back: bool,
    /// CPU to pin the thread to, numbered as in `/proc/cpuinfo`; `None` leaves it to the scheduler.
    pub cpu: Option<usize>,
    /// Receive buffers lent to the kernel, a power of two in 64..=32,768 (back end uring).
    ///
    /// While all are in use, datagrams wait in the socket queue ([`starved`](crate::NetCounters::starved)).
    pub buffers: u32,
    /// Longest payload a receive buffer takes, octets, in 1,232..=65,527; longer datagrams are dropped and
    /// counted ([`truncated`](crate::NetCounters::truncated)). A buffer takes 132 octets more.
    pub buffer_len: usize,
    /// Coalesce datagrams of a requestor and equal-sized replies to it (UDP_GRO, UDP_SEGMENT), on sockets
    /// that [support it](Socket::can_coalesce); needs the longest `buffer_len`. Datagrams are never delayed
    /// to form a batch.
    pub coalesce: bool,
    /// Microseconds to poll the network card before sleeping; 0 sleeps at once. Call
    /// [`prepare_busy_poll`](crate::prepare_busy_poll) for the sockets before.
    pub busy_poll: u32,
}

impl WorkerSettings {
    /// Smallest and largest `buffers`; the upper bound is the kernel's (a buffer id has 15 bits here).
    pub const BUFFERS: std::ops::RangeInclusive<u32> = 64..=32_768;
    /// Smallest and largest `buffer_len`: the payload that every IPv6 link carries unfragmented (RFC 8200 §5:
    /// 1,280 octets less IPv6 and UDP headers), and the longest UDP payload.
    pub const BUFFER_LEN: std::ops::RangeInclusive<usize> = 1_232..=crate::REPLY_LEN_MAX;

    pub(crate) fn check(&self) -> Result<(), StartError> {
        if !self.buffers.is_power_of_two() || !Self::BUFFERS.contains(&self.buffers) {
            // The kernel wants a power of two, so that its indices wrap without a division.
            return Err(StartError::Buffers { got: self.buffers });
        }
        if !Self::BUFFER_LEN.contains(&self.buffer_len) {
            return Err(StartError::BufferLen { got: self.buffer_len });
        }
        if self.coalesce && self.buffer_len < crate::REPLY_LEN_MAX {
            // A shorter buffer would truncate aggregates, and lose all their datagrams.
            return Err(StartError::CoalescingBufferLen { got: self.buffer_len });
        }
        Ok(())
    }

    /// Whether to coalesce replies, by socket.
    pub(crate) fn coalescing(&self, sockets: &[Socket]) -> impl Iterator<Item = bool> {
        // A network card or kernel may support it for one socket only.
        sockets.iter().map(|socket| self.coalesce && socket.can_coalesce())
    }
}

impl Default for WorkerSettings {
    /// io_uring without fallback, unpinned, 256 buffers of 2 KiB with headers, no coalescing, no busy
    /// polling.
    ///
    /// More buffers only touch more cache lines; bursts wait in the socket queue (DESIGN.md).
    fn default() -> Self {
        Self {
            backend: Backend::Uring,
            fall_back: false,
            cpu: None,
            buffers: 256,
            buffer_len: 1_916,
            coalesce: false,
            busy_poll: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aggregates_need_the_longest_buffers() {
        let refused = WorkerSettings { coalesce: true, ..WorkerSettings::default() }.check().unwrap_err();
        assert_eq!(
            refused.to_string(),
            "buffer length: must be 65527 octets to receive coalesced datagrams, got 1916"
        );
        let longest = WorkerSettings { coalesce: true, buffer_len: 65_527, ..WorkerSettings::default() };
        assert!(longest.check().is_ok());
    }
}

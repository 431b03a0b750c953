//! Counters of a worker. The packet path counts and logs nothing; the metrics endpoint reads them.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::coalesce::Run;

/// A number that one thread writes and any thread may read.
///
/// Load and store in place of `fetch_add`: with a single writer they never lose a count, and cost no locked
/// instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Adds `n`; only the worker that owns the counters may call this.
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }
}

/// Sizes of batches: a count for each power of two.
#[derive(Debug, Default)]
pub struct Sizes([Counter; Self::UP_TO.len()]);

impl Sizes {
    /// Largest size in each count; the first is for 1 only, the last for all larger ones too.
    pub const UP_TO: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];

    /// The counts, in the order of [`UP_TO`](Self::UP_TO).
    pub fn get(&self) -> [u64; Self::UP_TO.len()] {
        std::array::from_fn(|place| self.0[place].get())
    }

    /// Counts a batch of `number` ≥ 1.
    pub(crate) fn add(&self, number: usize) {
        // Rounded up, so that each count has all sizes up to its power.
        let place = number.next_power_of_two().trailing_zeros() as usize;
        self.0[place.min(Self::UP_TO.len() - 1)].add(1);
    }
}

/// Counters of one worker, on cache lines of their own (in pairs: the hardware prefetches them so).
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct NetCounters {
    /// Datagrams handed to the service.
    pub received: Counter,
    /// Datagrams that the kernel dropped at a socket because its receive buffer was full, or for a wrong
    /// checksum; an aggregate counts once, whatever it holds. Known as of the last datagram received
    /// (SO_RXQ_OVFL).
    pub overflowed: Counter,
    /// Receives by number of datagrams (UDP_GRO).
    pub receive_sizes: Sizes,
    /// Sends by number of replies (UDP_SEGMENT).
    pub send_sizes: Sizes,
    /// Datagrams dropped because payload, source address or control messages were truncated.
    pub truncated: Counter,
    /// Replies sent.
    pub sent: Counter,
    /// Sends of several replies (UDP_SEGMENT).
    pub coalesced: Counter,
    /// Sends of several replies that the kernel refused although it takes the same replies one by one; the
    /// socket has sent one by one since.
    pub uncoalesced: Counter,
    /// Replies not sent, by [`SendError`]; see [`NetCounters::send_errors`].
    send_errors: [Counter; SendError::ALL.len()],
    /// Times all receive buffers were in use; meanwhile datagrams waited in the socket queue.
    pub starved: Counter,
    /// Receives that failed otherwise than by running out of buffers.
    pub receive_errors: Counter,
    /// Multishot receives started again after one ended for any reason (back end uring).
    pub rearmed: Counter,
}

impl NetCounters {
    /// Replies that failed with this error.
    pub fn send_errors(&self, kind: SendError) -> &Counter {
        &self.send_errors[kind as usize]
    }

    /// Counts the replies of a send: sent (`result` ≥ 0) or refused (`result` = −errno).
    pub(crate) fn count_send(&self, result: i32, run: Run) {
        // The kernel refused the send as a whole, so every reply in it is lost.
        if result < 0 {
            self.send_errors(SendError::from_errno(-result)).add(run.count as u64);
            return;
        }
        self.sent.add(run.count as u64);
        self.send_sizes.add(run.count);
        // A send of one is no coalescing, whatever the socket can do.
        if run.count > 1 {
            self.coalesced.add(1);
        }
    }
}

// Two workers never write to one cache line, or to one pair of lines.
const _: () = assert!(align_of::<NetCounters>() == 128 && size_of::<NetCounters>().is_multiple_of(128));

/// A reason why the kernel did not take a reply. The reply is lost; the requestor retransmits its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The send buffer is full: replies are written faster than the network card sends.
    #[error("the send buffer is full")]
    BufferFull,
    /// The requestor has no route or no neighbour entry.
    #[error("no route or neighbour leads to the requestor")]
    Unreachable,
    /// A firewall rule or security module.
    #[error("a firewall rule or security module forbids it")]
    Forbidden,
    /// The reply exceeds the path MTU, and fragmenting is off.
    #[error("the reply is longer than the path MTU")]
    TooLong,
    /// The requestor's address and port, or our source address, cannot be used (port 0, address removed).
    #[error("source or destination address cannot be used")]
    BadAddress,
    /// The kernel is out of memory.
    #[error("the kernel is out of memory")]
    OutOfMemory,
    /// Another error of the kernel.
    #[error("another error of the kernel")]
    Other,
}

impl SendError {
    /// Every error, in the order of discriminants.
    pub const ALL: [Self; 7] = [
        Self::BufferFull,
        Self::Unreachable,
        Self::Forbidden,
        Self::TooLong,
        Self::BadAddress,
        Self::OutOfMemory,
        Self::Other,
    ];

    /// Label for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::BufferFull => "buffer_full",
            Self::Unreachable => "unreachable",
            Self::Forbidden => "forbidden",
            Self::TooLong => "too_long",
            Self::BadAddress => "bad_address",
            Self::OutOfMemory => "out_of_memory",
            Self::Other => "other",
        }
    }

    fn from_errno(errno: i32) -> Self {
        match errno {
            libc::EAGAIN => Self::BufferFull,
            libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::ENODEV => Self::Unreachable,
            libc::EPERM | libc::EACCES => Self::Forbidden,
            libc::EMSGSIZE => Self::TooLong,
            libc::EINVAL | libc::EADDRNOTAVAIL | libc::ENXIO => Self::BadAddress,
            libc::ENOBUFS | libc::ENOMEM => Self::OutOfMemory,
            _ => Self::Other,
        }
    }
}

/// The errno of the last failed call as the −errno that io_uring would have returned.
pub(crate) fn last_error_result() -> i32 {
    -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_send_is_counted_once() {
        let counters = NetCounters::default();
        for result in [0, 99, -libc::EAGAIN, -libc::EPERM, -libc::EINVAL, -libc::ETIMEDOUT, -libc::EINVAL] {
            counters.count_send(result, Run::of(10));
        }
        let mut three = Run::of(10);
        assert!(three.extend(10, 3) && three.extend(10, 3));
        counters.count_send(30, three);
        counters.count_send(-libc::EPERM, three);
        assert_eq!((counters.sent.get(), counters.coalesced.get()), (5, 1));
        assert_eq!(counters.send_sizes.get(), [2, 0, 1, 0, 0, 0, 0]);
        assert_eq!(SendError::ALL.map(|kind| counters.send_errors(kind).get()), [1, 0, 4, 0, 2, 0, 1]);
    }

    #[test]
    fn sizes_are_counted_up_to_the_next_power_of_two() {
        let sizes = Sizes::default();
        [1, 1, 2, 3, 4, 5, 8, 33, 63, 64, 65, 128].into_iter().for_each(|number| sizes.add(number));
        assert_eq!(sizes.get(), [2, 1, 2, 2, 0, 0, 5]);
    }

    #[test]
    fn errors_are_listed_in_order_with_distinct_labels() {
        for (index, kind) in SendError::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            assert_eq!(SendError::ALL.iter().filter(|other| other.label() == kind.label()).count(), 1);
        }
    }
}

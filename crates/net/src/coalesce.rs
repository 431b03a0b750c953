//! Coalescing: several datagrams per kernel call, by UDP_SEGMENT when sending and UDP_GRO when receiving
//! (udp(7)).
//!
//! A call costs some microseconds whatever it carries; 64 datagrams share it. They must be equal in size
//! except for a shorter last one, adjacent in memory, and have the same addresses and ports.

use std::num::NonZeroUsize;

use crate::REPLY_LEN_MAX;

/// Maximum of datagrams in one send: the limit of every kernel since 4.18 (newer ones take 128).
pub(crate) const SEGMENTS_MAX: usize = 64;

/// Longest datagram that is coalesced, octets: the payload that every IPv6 path carries (RFC 8200 §5: 1,280
/// less 48 of headers).
///
/// Segments are never fragmented: the kernel refuses a send whose segments exceed the path MTU. With the
/// 1,452 octets of Ethernet, sending would depend on the MTU that routers, or forgers, report.
pub(crate) const SEGMENT_LEN_MAX: usize = 1_232;

/// Longest send, octets: the kernel handles it as one UDP datagram before it cuts it into segments.
const RUN_LEN_MAX: usize = REPLY_LEN_MAX;

/// Adjacent datagrams that can leave as one send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Datagrams, ≥ 1.
    pub(crate) count: usize,
    /// Octets of each datagram except the last, which may be shorter.
    pub(crate) segment_len: usize,
    /// Octets of all datagrams.
    pub(crate) len: usize,
}

impl Run {
    /// A run of one datagram.
    pub(crate) const fn of(len: usize) -> Self {
        Self { count: 1, segment_len: len, len }
    }

    /// Adds a datagram of `len` octets if it can leave with the others and the run then holds at most `most`.
    pub(crate) fn extend(&mut self, len: usize, most: usize) -> bool {
        let all_of_one_size = self.len == self.count * self.segment_len;
        // The kernel cuts a send into equal pieces, so only the last one may be shorter.
        let fits = all_of_one_size
            && (1..=self.segment_len).contains(&len)
            && self.segment_len <= SEGMENT_LEN_MAX
            && self.count < most.min(SEGMENTS_MAX)
            && self.len + len <= RUN_LEN_MAX;
        if fits {
            self.count += 1;
            self.len += len;
        }
        fits
    }
}

/// The datagrams in `payload`: `segment_len` octets each, except for a shorter last one. Without a length,
/// the payload is one datagram, possibly empty.
pub(crate) fn datagrams(payload: &[u8], segment_len: Option<NonZeroUsize>) -> impl Iterator<Item = &[u8]> {
    // At least 1, since `chunks` of zero length panics.
    let segment_len = segment_len.map_or(payload.len().max(1), NonZeroUsize::get);
    // `chunks` of nothing yields nothing, but an empty datagram is a datagram.
    let empty = payload.is_empty().then_some(payload);
    empty.into_iter().chain(payload.chunks(segment_len))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths of the runs made of datagrams of these lengths.
    fn runs(lens: &[usize]) -> Vec<usize> {
        let mut runs: Vec<Run> = Vec::new();
        for &len in lens {
            if !runs.last_mut().is_some_and(|run| run.extend(len, SEGMENTS_MAX)) {
                runs.push(Run::of(len));
            }
        }
        runs.iter().map(|run| run.count).collect()
    }

    #[test]
    fn only_the_last_datagram_of_a_run_may_be_shorter() {
        assert_eq!(runs(&[100, 100, 100]), [3]);
        assert_eq!(runs(&[100, 100, 7, 100]), [3, 1]);
        assert_eq!(runs(&[100, 7, 7, 7]), [2, 2]);
        assert_eq!(runs(&[7, 100, 100]), [1, 2]);
        assert_eq!(runs(&[0, 0, 100, 0, 1]), [1, 1, 1, 1, 1], "an empty datagram leaves alone");
    }

    #[test]
    fn runs_end_at_the_kernels_limits() {
        assert_eq!(runs(&[1; 130]), [64, 64, 2]);
        assert_eq!(runs(&[1_232; 60]), [53, 7], "53 of 1,232 octets make 65,296");
        assert_eq!(runs(&[1_233, 1_233, 9]), [1, 1, 1]);
        let mut run = Run::of(10);
        assert!(run.extend(10, 2));
        assert!(!run.extend(10, 2));
        assert_eq!(run, Run { count: 2, segment_len: 10, len: 20 });
    }

    #[test]
    fn aggregates_are_split_into_datagrams() {
        let lens = |payload: &[u8], segment_len| -> Vec<usize> {
            datagrams(payload, NonZeroUsize::new(segment_len)).map(<[u8]>::len).collect()
        };
        assert_eq!(lens(&[1; 25], 10), [10, 10, 5]);
        assert_eq!(lens(&[1; 20], 10), [10, 10]);
        assert_eq!(lens(&[1; 20], 0), [20]);
        assert_eq!(lens(&[1; 20], 65_535), [20], "a length beyond the payload");
        assert_eq!(lens(&[], 0), [0]);
        assert_eq!(lens(&[], 10), [0]);
        assert_eq!(datagrams(b"abcde", NonZeroUsize::new(2)).last(), Some(b"e".as_slice()));
    }
}

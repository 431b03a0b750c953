//! Parsed receives: a datagram, or an aggregate of several datagrams of one requestor.

use std::net::SocketAddrV6;
use std::num::NonZeroUsize;

use crate::{BATCH_MAX, Datagram, Local, NetCounters, coalesce, control, sockaddr};

/// Payload of one receive, with source and destination.
pub(crate) struct Received<'a> {
    payload: &'a [u8],
    source: SocketAddrV6,
    local: Local,
    segment_len: Option<NonZeroUsize>,
    overflowed: Option<u32>,
}

impl<'a> Received<'a> {
    /// Parses address and control messages as the kernel wrote them; `None` if truncated.
    pub(crate) fn parse(payload: &'a [u8], name: &[u8], control: &[u8]) -> Option<Self> {
        // A datagram without source or destination cannot be answered.
        let (source, local) = (sockaddr::decode(name)?, control::decode_local(control)?);
        let segment_len = control::decode_segment_len(control);
        let overflowed = control::decode_overflowed(control);
        Some(Self { payload, source, local, segment_len, overflowed })
    }

    fn datagrams(&self) -> impl Iterator<Item = Datagram<'a>> {
        let &Self { payload, source, local, segment_len, .. } = self;
        coalesce::datagrams(payload, segment_len).map(move |payload| Datagram { payload, source, local })
    }
}

/// Passes the datagrams in `receives` to `serve`, in order and in batches as large as possible, and counts
/// them; `None` is a truncated receive. All belong to one socket, whose drop count was `overflowed` before.
pub(crate) fn serve_in_batches<'a>(
    receives: impl Iterator<Item = Option<Received<'a>>>,
    counters: &NetCounters,
    overflowed: &mut u32,
    mut serve: impl FnMut(&[Datagram<'a>]),
) {
    let mut serve = |batch: &[Datagram<'a>]| {
        counters.received.add(batch.len() as u64);
        serve(batch);
    };
    let mut batch = [Datagram::EMPTY; BATCH_MAX];
    let mut len = 0;
    for received in receives {
        let Some(received) = received else {
            counters.truncated.add(1);
            continue;
        };
        if let Some(now) = received.overflowed {
            // Modulo 2^32, as the kernel counts.
            counters.overflowed.add(now.wrapping_sub(std::mem::replace(overflowed, now)).into());
        }
        let mut count = 0;
        for datagram in received.datagrams() {
            count += 1;
            batch[len] = datagram;
            len += 1;
            // An aggregate may hold more datagrams than a batch.
            if len == BATCH_MAX {
                serve(&batch);
                len = 0;
            }
        }
        counters.receive_sizes.add(count);
    }
    if len > 0 {
        serve(&batch[..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(payload: &[u8], segment_len: usize) -> Option<Received<'_>> {
        let Datagram { source, local, .. } = Datagram::EMPTY;
        Some(Received {
            payload,
            source,
            local,
            segment_len: NonZeroUsize::new(segment_len),
            overflowed: None,
        })
    }

    #[test]
    fn aggregates_are_served_in_full_batches() {
        let payload: Vec<u8> = (0..=255).collect();
        let receives = [received(b"a single one", 0), None, received(&payload, 2), received(b"", 0), None];
        let counters = NetCounters::default();
        let (mut batches, mut served) = (Vec::new(), Vec::new());
        serve_in_batches(receives.into_iter(), &counters, &mut 0, |batch| {
            batches.push(batch.len());
            served.extend(batch.iter().map(|datagram| datagram.payload.to_vec()));
        });
        assert_eq!(batches, [64, 64, 2], "1 + 128 (more than old kernels aggregate) + 1");
        assert_eq!(served.concat(), [b"a single one".as_slice(), &payload].concat());
        assert_eq!((served[1].as_slice(), served[129].as_slice()), ([0, 1].as_slice(), b"".as_slice()));
        assert_eq!((counters.received.get(), counters.truncated.get()), (130, 2));
        assert_eq!(counters.receive_sizes.get(), [2, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn dropped_datagrams_are_counted_once() {
        let (counters, mut seen) = (NetCounters::default(), u32::MAX - 1);
        for told in [None, Some(u32::MAX), Some(u32::MAX), Some(4), None] {
            let receive = received(b"", 0).map(|received| Received { overflowed: told, ..received });
            serve_in_batches([receive].into_iter(), &counters, &mut seen, |_| {});
        }
        assert_eq!((counters.overflowed.get(), seen), (6, 4), "the kernel counts from 2^32 - 1 on to 0");
    }

    #[test]
    fn truncated_receives_make_no_batch() {
        let counters = NetCounters::default();
        serve_in_batches([None, None].into_iter(), &counters, &mut 0, |_| panic!("nothing to serve"));
    }
}

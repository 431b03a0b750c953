//! What one receive brought, checked: a datagram, or several of one requestor in an aggregate.

use std::net::SocketAddrV6;
use std::num::NonZeroUsize;

use crate::{BATCH_MAX, Datagram, Local, NetCounters, coalesce, control, sockaddr};

/// Payload of one receive, and between whom it went.
pub(crate) struct Received<'a> {
    payload: &'a [u8],
    source: SocketAddrV6,
    local: Local,
    segment_len: Option<NonZeroUsize>,
}

impl<'a> Received<'a> {
    /// Reads address and control messages as the kernel wrote them; `None` when they are not whole.
    pub(crate) fn parse(payload: &'a [u8], name: &[u8], control: &[u8]) -> Option<Self> {
        let (source, local) = (sockaddr::decode(name)?, control::decode_local(control)?);
        Some(Self { payload, source, local, segment_len: control::decode_segment_len(control) })
    }

    fn datagrams(&self) -> impl Iterator<Item = Datagram<'a>> {
        let &Self { payload, source, local, segment_len } = self;
        coalesce::datagrams(payload, segment_len).map(move |payload| Datagram { payload, source, local })
    }
}

/// Hands the datagrams in `receives` to `serve`, in order and in batches as large as they may be, and counts
/// them; `None` stands for a receive that was not whole.
pub(crate) fn serve_in_batches<'a>(
    receives: impl Iterator<Item = Option<Received<'a>>>,
    counters: &NetCounters,
    mut serve: impl FnMut(&[Datagram<'a>]),
) {
    let mut batch = [Datagram::EMPTY; BATCH_MAX];
    let mut len = 0;
    for received in receives {
        let Some(received) = received else {
            counters.truncated.add(1);
            continue;
        };
        for datagram in received.datagrams() {
            batch[len] = datagram;
            len += 1;
            if len == BATCH_MAX {
                counters.received.add(len as u64);
                serve(&batch);
                len = 0;
            }
        }
    }
    if len > 0 {
        counters.received.add(len as u64);
        serve(&batch[..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(payload: &[u8], segment_len: usize) -> Option<Received<'_>> {
        let Datagram { source, local, .. } = Datagram::EMPTY;
        Some(Received { payload, source, local, segment_len: NonZeroUsize::new(segment_len) })
    }

    #[test]
    fn aggregates_are_served_in_full_batches() {
        let payload: Vec<u8> = (0..=255).collect();
        let receives = [received(b"a lone one", 0), None, received(&payload, 2), received(b"", 0), None];
        let counters = NetCounters::default();
        let (mut batches, mut served) = (Vec::new(), Vec::new());
        serve_in_batches(receives.into_iter(), &counters, |batch| {
            batches.push(batch.len());
            served.extend(batch.iter().map(|datagram| datagram.payload.to_vec()));
        });
        assert_eq!(batches, [64, 64, 2], "1 + 128 (more than old kernels make) + 1");
        assert_eq!(served.concat(), [b"a lone one".as_slice(), &payload].concat());
        assert_eq!((served[1].as_slice(), served[129].as_slice()), ([0, 1].as_slice(), b"".as_slice()));
        assert_eq!((counters.received.get(), counters.truncated.get()), (130, 2));
    }

    #[test]
    fn nothing_whole_is_no_batch() {
        serve_in_batches([None, None].into_iter(), &NetCounters::default(), |_| panic!("nothing to serve"));
    }
}

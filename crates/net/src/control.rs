//! Control messages (RFC 3542 §20, cmsg(3)): destination address of a datagram, source address of a reply.
//!
//! Read and written as octets by safe code: lengths from the kernel are checked like any others, and io_uring
//! puts the messages at unaligned addresses, where the `CMSG_*` macros would be undefined behaviour.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::num::NonZeroUsize;

use crate::Local;

/// Room for control messages of one datagram: IPV6_PKTINFO (40), a UDP_GRO or UDP_SEGMENT size (24) and
/// SO_RXQ_OVFL (24).
pub(crate) const CONTROL_LEN_MAX: usize = 88;

const HEADER_LEN: usize = size_of::<libc::cmsghdr>();
const ALIGN: usize = size_of::<usize>();
/// `in6_pktinfo`: address (16), interface index (4).
const PKTINFO_LEN: usize = size_of::<libc::in6_pktinfo>();
const _: () = assert!(PKTINFO_LEN == 20 && HEADER_LEN == ALIGN + 8);
/// Octets that [`encode_source`] uses, if any.
pub(crate) const SOURCE_LEN: usize = (HEADER_LEN + PKTINFO_LEN).next_multiple_of(ALIGN);
/// Octets that [`encode_segment_len`] uses.
const SEGMENT_LEN: usize = (HEADER_LEN + size_of::<u16>()).next_multiple_of(ALIGN);
/// Octets of the SO_RXQ_OVFL message, present once the socket has dropped datagrams.
const OVERFLOWED_LEN: usize = (HEADER_LEN + size_of::<u32>()).next_multiple_of(ALIGN);
const _: () = assert!(SOURCE_LEN + SEGMENT_LEN + OVERFLOWED_LEN <= CONTROL_LEN_MAX);

/// A control message of a datagram.
#[derive(Debug, PartialEq, Eq)]
struct Message<'a> {
    level: i32,
    kind: i32,
    data: &'a [u8],
}

/// Iterator over the messages in `rest`; ends at the first that does not fit.
struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let (len, header) = self.rest.split_first_chunk::<ALIGN>()?;
        let (level, header) = header.split_first_chunk::<4>()?;
        let (kind, _) = header.split_first_chunk::<4>()?;
        let len = usize::from_ne_bytes(*len);
        // A length beyond the rest ends the iteration: octets behind it cannot be trusted.
        let data = self.rest.get(HEADER_LEN..len)?;
        let message = Message { level: i32::from_ne_bytes(*level), kind: i32::from_ne_bytes(*kind), data };
        // The last message need not be padded.
        self.rest = self.rest.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some(message)
    }
}

/// Destination address and interface of a datagram with these control messages; `None` without a complete
/// IPV6_PKTINFO.
pub(crate) fn decode_local(control: &[u8]) -> Option<Local> {
    // The order of messages is up to the kernel.
    let info = Messages { rest: control }
        .find(|message| message.level == libc::IPPROTO_IPV6 && message.kind == libc::IPV6_PKTINFO)?;
    let (address, rest) = info.data.split_first_chunk::<16>()?;
    let interface = u32::from_ne_bytes(*rest.first_chunk()?);
    Some(Local { address: Ipv6Addr::from(*address), interface })
}

/// Writes the control message that sets the source of a reply; returns the octets used, 0 if none is needed.
pub(crate) fn encode_source(control: &mut [u8; CONTROL_LEN_MAX], source: Local) -> usize {
    // The kernel chooses both, so the message would only cost time.
    if source.address.is_unspecified() && source.interface == 0 {
        return 0;
    }
    let mut info = [0; PKTINFO_LEN];
    info[..16].copy_from_slice(&source.address.octets());
    info[16..].copy_from_slice(&source.interface.to_ne_bytes());
    encode(control, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info)
}

/// Octets of each datagram in an aggregate (UDP_GRO), except for a shorter last one; `None` for a single
/// datagram.
pub(crate) fn decode_segment_len(control: &[u8]) -> Option<NonZeroUsize> {
    let gro = Messages { rest: control }
        .find(|message| message.level == libc::SOL_UDP && message.kind == libc::UDP_GRO)?;
    // The kernel writes an int here, and takes a u16 for sends.
    let len = i32::from_ne_bytes(*gro.data.first_chunk()?);
    NonZeroUsize::new(usize::try_from(len).ok()?)
}

/// Datagrams that the socket had dropped for lack of buffer space before this one (SO_RXQ_OVFL), modulo 2^32;
/// `None` if it has dropped none.
pub(crate) fn decode_overflowed(control: &[u8]) -> Option<u32> {
    let overflowed = Messages { rest: control }
        .find(|message| message.level == libc::SOL_SOCKET && message.kind == libc::SO_RXQ_OVFL)?;
    Some(u32::from_ne_bytes(*overflowed.data.first_chunk()?))
}

/// Writes the message that splits a send into datagrams of `len` octets (UDP_SEGMENT) behind `used` octets of
/// other messages; returns the octets used by all.
pub(crate) fn encode_segment_len(control: &mut [u8; CONTROL_LEN_MAX], used: usize, len: u16) -> usize {
    used + encode(&mut control[used..], libc::SOL_UDP, libc::UDP_SEGMENT, &len.to_ne_bytes())
}

/// Writes a message at the front of `control`, which has room for it; returns the octets used.
fn encode(control: &mut [u8], level: i32, kind: i32, data: &[u8]) -> usize {
    let len = HEADER_LEN + data.len();
    control[..ALIGN].copy_from_slice(&len.to_ne_bytes());
    control[ALIGN..ALIGN + 4].copy_from_slice(&level.to_ne_bytes());
    control[ALIGN + 4..HEADER_LEN].copy_from_slice(&kind.to_ne_bytes());
    control[HEADER_LEN..len].copy_from_slice(data);
    // Messages are padded, so that the next header is aligned.
    len.next_multiple_of(ALIGN)
}

/// Source address and interface of a reply to a datagram received at `local`, by its destination:
///
/// - a group: it cannot be a source, so the kernel chooses one (::), on the receiving interface
/// - a link-local address: that address, on its link
/// - any other: that address, by the interface of the routing table; the route back may differ
pub(crate) fn reply_source(local: Local) -> Local {
    if local.address.is_multicast() {
        // A group cannot be a source (RFC 4291 §2.7).
        Local { address: Ipv6Addr::UNSPECIFIED, interface: local.interface }
    } else if local.address.is_unicast_link_local() {
        local
    // Both the address and its link are needed, as the address alone is ambiguous.
    } else {
        Local { address: local.address, interface: 0 }
    }
}

/// Destination of a reply: a link-local address without a scope is on the receiving interface.
pub(crate) fn reply_destination(to: SocketAddrV6, local: Local) -> SocketAddrV6 {
    let mut to = to;
    // A scope given by the requestor's own address stays.
    if to.ip().is_unicast_link_local() && to.scope_id() == 0 {
        to.set_scope_id(local.interface);
    }
    to
}

#[cfg(test)]
#[path = "control/tests.rs"]
mod tests;

//! The replies of a service: encoded in place, with their destination.

use std::net::SocketAddrV6;

use crate::Local;
use crate::reply_area::ReplyArea;

/// Accepts the replies to one batch.
pub struct Replies<'a> {
    pub(crate) area: &'a mut ReplyArea,
    pub(crate) transport: &'a mut dyn Transport,
    pub(crate) socket: u16,
}

/// The part of a back end that empties a full reply area.
///
/// One indirect call per few hundred replies costs nothing, and spares `Replies`, and thus every service, a
/// type parameter.
pub(crate) trait Transport {
    /// Sends the replies in the area and waits until it has room; after a fatal error it may have none.
    fn make_room(&mut self, area: &mut ReplyArea);
}

impl Replies<'_> {
    /// Sends a reply to `to`; `from` is the destination of the datagram that it answers.
    ///
    /// `write` gets a slot of [`REPLY_LEN_MAX`](crate::REPLY_LEN_MAX) octets with unspecified content, and
    /// returns the number of octets written, from the front; 0 sends nothing. A reply that the kernel refuses
    /// is counted ([`SendError`](crate::SendError)) and lost.
    ///
    /// # Panics
    /// `write` returns more than the slot holds.
    pub fn send(&mut self, to: SocketAddrV6, from: Local, write: impl FnOnce(&mut [u8]) -> usize) {
        // One reply may need the whole area, so room is checked before it is written.
        if !self.area.has_room() {
            // Sending makes room, unless the worker has ended.
            self.transport.make_room(self.area);
            if !self.area.has_room() {
                return; // the worker ends with the error that left no room
            }
        }
        self.area.put(self.socket, to, from, write);
    }
}

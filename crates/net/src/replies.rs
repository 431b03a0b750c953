//! How a service sends: encode into a slot, say where it goes.

use std::net::SocketAddrV6;

use crate::Local;
use crate::reply_area::ReplyArea;

/// Takes the replies to one batch.
pub struct Replies<'a> {
    pub(crate) area: &'a mut ReplyArea,
    pub(crate) transport: &'a mut dyn Transport,
    pub(crate) socket: u16,
}

/// The part of a back end that empties a full reply area.
///
/// Called once per few hundred replies, so that the indirect call costs nothing, and `Replies` needs no type
/// parameter that every service would have to carry.
pub(crate) trait Transport {
    /// Sends what the area holds and waits until it has room again; after a fatal error it may still have
    /// none.
    fn make_room(&mut self, area: &mut ReplyArea);
}

impl Replies<'_> {
    /// Sends one reply to `to`, from where the datagram it answers arrived (`from`).
    ///
    /// `write` gets a slot of [`REPLY_LEN_MAX`](crate::REPLY_LEN_MAX) octets, whose content is anything, and
    /// returns how many it used, from the front; 0 sends nothing. What the kernel does not take is counted
    /// ([`SendError`](crate::SendError)) and lost; nobody waits for it.
    ///
    /// # Panics
    /// `write` returns more than the slot holds.
    pub fn send(&mut self, to: SocketAddrV6, from: Local, write: impl FnOnce(&mut [u8]) -> usize) {
        if !self.area.has_room() {
            self.transport.make_room(self.area);
            if !self.area.has_room() {
                return; // the worker is about to end with the error that left no room
            }
        }
        self.area.put(self.socket, to, from, write);
    }
}

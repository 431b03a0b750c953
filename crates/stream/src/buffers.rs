//! Buffers of one thread: one to receive into, and send buffers for connections that have something to send.

use std::cell::{RefCell, RefMut};

/// Octets of one read at most.
const READ_LEN: usize = 16 << 10;

/// Send buffers kept while no connection uses them.
const KEPT_MAX: usize = 8;

/// The buffers of one thread.
pub(crate) struct Buffers {
    /// Octets are passed on before another connection reads, so one buffer serves all.
    read: RefCell<Box<[u8]>>,
    free: RefCell<Vec<Box<[u8]>>>,
    send_len: usize,
}

impl Buffers {
    /// Makes the receive buffer; send buffers of `send_len` octets are made when they are needed.
    pub(crate) fn new(send_len: usize) -> Self {
        Self {
            read: RefCell::new(vec![0; READ_LEN].into()),
            free: RefCell::default(),
            send_len: send_len.max(1),
        }
    }

    /// Returns the receive buffer, to be let go before the next await.
    pub(crate) fn read(&self) -> RefMut<'_, Box<[u8]>> {
        self.read.borrow_mut()
    }

    /// Lends a send buffer.
    pub(crate) fn take(&self) -> Box<[u8]> {
        // Pages of a new buffer become resident only once they are written.
        self.free.borrow_mut().pop().unwrap_or_else(|| vec![0; self.send_len].into())
    }

    /// Takes a send buffer back, and frees it if enough are kept.
    pub(crate) fn give_back(&self, buffer: Box<[u8]>) {
        let mut free = self.free.borrow_mut();
        if free.len() < KEPT_MAX {
            free.push(buffer);
        }
    }
}

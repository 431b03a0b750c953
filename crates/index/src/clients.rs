//! Client numbers and their records: one word each, by which a client's bindings change as one.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::arena::Address;
use crate::pages::{HUGE_PAGE, Pages};
use crate::prefetch::prefetch;

/// Number of a client; names its record for as long as it has one.
pub(crate) type ClientId = u32;

/// The address of each client's record; 0 for a number that no client has.
///
/// The number stays while the record is replaced, so that the maps need no change when a lease is renewed.
pub(crate) struct Clients {
    records: Pages<AtomicU32>,
    /// Numbers below this have been used.
    end: AtomicU32,
}

impl Clients {
    /// Room for so many clients.
    pub(crate) fn new(clients: u32) -> Self {
        Self { records: Pages::reserve(clients as usize), end: AtomicU32::new(0) }
    }

    /// Numbers stay below this.
    pub(crate) fn room(&self) -> ClientId {
        self.records.len() as ClientId
    }

    /// Asks for the memory that [`Self::get`] will read.
    pub(crate) fn prefetch(&self, client: ClientId) {
        prefetch(&self.records[client as usize]);
    }

    /// The record of a client, if it has one.
    pub(crate) fn get(&self, client: ClientId) -> Option<Address> {
        // Acquire: the record's words must be visible with its address.
        let at = self.records[client as usize].load(Ordering::Acquire);
        (at != 0).then_some(at)
    }

    /// Publishes a client's record, or with 0 takes it away.
    pub(crate) fn set(&self, client: ClientId, record: Address) {
        // Committed first, as the word has no memory before.
        self.reach(client + 1);
        self.records[client as usize].store(record, Ordering::Release);
    }

    /// Numbers below this may be used from now on, and asked for: before that, [`Self::get`] must not be
    /// called. A caller that takes many at a time calls it once for all: `set` costs less then.
    pub(crate) fn reach(&self, end: ClientId) {
        if end > self.end.load(Ordering::Acquire) {
            self.records.commit(end as usize);
            // After the commit, so that a number below the end always has memory.
            self.end.fetch_max(end, Ordering::Release);
        }
    }

    /// No client has this number or a higher one.
    pub(crate) fn end(&self) -> ClientId {
        self.end.load(Ordering::Relaxed)
    }

    /// Bytes taken from the system.
    pub(crate) fn bytes(&self) -> usize {
        (self.end.load(Ordering::Relaxed) as usize * size_of::<AtomicU32>()).next_multiple_of(HUGE_PAGE)
    }
}

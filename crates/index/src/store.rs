//! What readers share: the current generation of leases, the current links.
//!
//! Concurrency contract. One [`Writer`](crate::Writer); any number of readers, up to [`READERS_MAX`]. A reader pins
//! the store once a batch; until it lets go, no memory that it can reach is reused or freed, and it takes no lock,
//! waits for nobody and writes no line that another reader writes. The bindings of a client are published by one word, so they
//! are seen whole. An address that passes from one client to another is covered by one of them at any moment. A new
//! snapshot or a new set of links replaces the old one as a whole.

use std::net::Ipv6Addr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use crate::epoch::Epochs;
use crate::links::Links;
use crate::look_up::{alone, lockstep};
use crate::record::{Binding, Client};
use crate::tables::Tables;

/// Look-ups that run in lockstep.
const LANES_MAX: usize = 64;

/// How many readers a store has room for.
pub const READERS_MAX: usize = 256;

/// The leases and links that all workers read.
pub struct Store {
    pub(crate) current: ArcSwap<Generation>,
    pub(crate) epochs: Epochs,
}

/// Leases and the links that belong to them: replaced together, so that no reader joins old ones to new ones.
pub(crate) struct Generation {
    pub(crate) tables: Arc<Tables>,
    pub(crate) links: Arc<Links>,
}

/// Numbers about a store, for logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Leases held, ended ones included.
    pub leases: usize,
    /// Clients that hold them.
    pub clients: usize,
    /// Octets of memory that the index takes from the system.
    pub octets: usize,
    /// Links configured.
    pub links: usize,
}

impl Store {
    /// A place for one more reader; `None` if [`READERS_MAX`] exist.
    pub fn reader(self: &Arc<Self>) -> Option<Reader> {
        let place = self.epochs.register()?;
        Some(Reader { store: Arc::clone(self), place })
    }

    /// Counts as they are now.
    pub fn summary(&self) -> Summary {
        let Generation { tables, links } = &**self.current.load();
        Summary {
            leases: tables.lease_count(),
            clients: tables.client_count(),
            octets: tables.octets(),
            links: links.len(),
        }
    }
}

/// One thread's access to the store.
pub struct Reader {
    store: Arc<Store>,
    place: usize,
}

impl Reader {
    /// Holds the store still for one batch of queries.
    pub fn pin(&mut self) -> Pinned<'_> {
        self.store.epochs.enter(self.place);
        // Loaded after `enter`: the writer keeps what it replaces until we have left.
        Pinned { current: self.store.current.load(), reader: self }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.store.epochs.unregister(self.place);
    }
}

/// The store during one batch.
pub struct Pinned<'r> {
    current: Guard<Arc<Generation>>,
    reader: &'r mut Reader,
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        self.reader.store.epochs.leave(self.reader.place);
    }
}

/// What one query of a batch looks for.
#[derive(Clone, Copy, Debug, Default)]
pub enum LookUp<'q> {
    /// Nothing: the query needs no client, and gets none.
    #[default]
    Nothing,
    /// The client with the longest lease that covers this address.
    Covering(Ipv6Addr),
    /// The client with this DUID.
    Duid(&'q [u8]),
}

/// What was found for one query.
#[derive(Clone, Copy)]
pub struct Found<'p> {
    /// The client, with all its bindings.
    pub client: Client<'p>,
    /// For [`LookUp::Covering`], the binding that covers the address.
    pub covering: Option<Binding>,
}

impl Pinned<'_> {
    /// The links.
    pub fn links(&self) -> &Links {
        &self.current.links
    }

    /// Looks a whole batch up; bindings whose valid lifetime is over at `now` (UNIX seconds) cover nothing.
    ///
    /// `found` is as long as `look_ups`. A client found by DUID may have ended bindings only.
    pub fn look_up<'p>(&'p self, now: u32, look_ups: &[LookUp<'_>], found: &mut [Option<Found<'p>>]) {
        for (look_ups, found) in look_ups.chunks(LANES_MAX).zip(found.chunks_mut(LANES_MAX)) {
            let tables = &self.current.tables;
            // A lone look-up should not pay for the preparation of many.
            match look_ups {
                [look_up] => found[0] = alone(tables, now, look_up),
                [..] if look_ups.len() <= 8 => lockstep::<8>(tables, now, look_ups, found),
                [..] => lockstep::<LANES_MAX>(tables, now, look_ups, found),
            }
        }
    }
}

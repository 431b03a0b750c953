//! Slots: limits of open connections, in total and for each requestor address, over all threads.

use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::counters::Refused;

/// Address that connections are counted by; the scope tells link-local addresses of two links apart.
type Requestor = (Ipv6Addr, u32);

/// The slots of a server.
pub(crate) struct Slots {
    total_max: usize,
    per_requestor_max: usize,
    open: Mutex<Open>,
}

/// Open connections.
#[derive(Default)]
struct Open {
    total: usize,
    by_requestor: HashMap<Requestor, usize>,
}

/// One slot; dropping it makes it free.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    requestor: Requestor,
}

impl Slots {
    pub(crate) fn new(total_max: usize, per_requestor_max: usize) -> Self {
        Self { total_max, per_requestor_max, open: Mutex::default() }
    }

    /// Takes a slot for a connection from `peer`.
    ///
    /// The last free slot goes only to an address that has none: one requestor cannot lock out all others.
    ///
    /// # Errors
    /// The limit that is reached.
    pub(crate) fn take(self: &Arc<Self>, peer: SocketAddrV6) -> Result<Slot, Refused> {
        let requestor = (*peer.ip(), peer.scope_id());
        let mut open = self.lock();
        let held = open.by_requestor.get(&requestor).copied().unwrap_or_default();
        match self.total_max - open.total {
            0 => return Err(Refused::Full),
            _ if held >= self.per_requestor_max => return Err(Refused::PerRequestor),
            1 if held > 0 => return Err(Refused::LastSlot),
            _ => {}
        }
        open.total += 1;
        *open.by_requestor.entry(requestor).or_default() += 1;
        Ok(Slot { slots: Arc::clone(self), requestor })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.slots.lock();
        open.total -= 1;
        if let Some(held) = open.by_requestor.get_mut(&self.requestor) {
            *held -= 1;
            if *held == 0 {
                open.by_requestor.remove(&self.requestor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddrV6 {
        text.parse().unwrap()
    }

    #[test]
    fn the_last_slot_is_kept_for_an_address_without_one() {
        let slots = Arc::new(Slots::new(3, usize::MAX));
        let (_a, b) = (slots.take(peer("[fd00::1]:1")).ok(), slots.take(peer("[fd00::1]:2")).ok());
        assert_eq!(slots.take(peer("[fd00::1]:3")).err(), Some(Refused::LastSlot));
        let _other = slots.take(peer("[fd00::2]:1")).ok().unwrap();
        assert_eq!(slots.take(peer("[fd00::3]:1")).err(), Some(Refused::Full));
        drop(b);
        assert_eq!(slots.take(peer("[fd00::1]:4")).err(), Some(Refused::LastSlot));
        assert!(slots.take(peer("[fd00::3]:1")).is_ok(), "freed at once");
        assert!(slots.take(peer("[fd00::3]:2")).is_ok());
    }

    #[test]
    fn a_single_slot_is_for_anyone() {
        let slots = Arc::new(Slots::new(1, usize::MAX));
        let only = slots.take(peer("[fd00::1]:1")).ok();
        assert_eq!(slots.take(peer("[fd00::1]:2")).err(), Some(Refused::Full));
        drop(only);
        assert!(slots.take(peer("[fd00::1]:3")).is_ok());
    }

    #[test]
    fn an_address_has_a_limit_of_its_own() {
        let slots = Arc::new(Slots::new(10, 2));
        let _held: Vec<_> =
            (1..=2).map(|port| slots.take(SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0))).collect();
        assert_eq!(slots.take(peer("[::1]:3")).err(), Some(Refused::PerRequestor));
        assert!(slots.take(peer("[::2]:1")).is_ok());
    }

    #[test]
    fn link_local_addresses_of_two_links_are_two_requestors() {
        let slots = Arc::new(Slots::new(10, 1));
        let of_link = |scope| slots.take(SocketAddrV6::new("fe80::1".parse().unwrap(), 1, 0, scope));
        let _first = of_link(1).ok().unwrap();
        assert_eq!(of_link(1).err(), Some(Refused::PerRequestor));
        assert!(of_link(2).is_ok());
    }

    #[test]
    fn freed_slots_leave_nothing_behind() {
        let slots = Arc::new(Slots::new(2, 2));
        for host in 0..1000 {
            let address = Ipv6Addr::from(0xfd00 << 112 | host);
            assert!(slots.take(SocketAddrV6::new(address, 1, 0, 0)).is_ok());
        }
        assert!(slots.lock().by_requestor.is_empty());
    }
}

//! A lease read from a record.

use std::net::Ipv6Addr;

use super::{Client, Packed, order};
use crate::lease::{INFINITY, LeaseKind};

/// A lease as it is stored: [`Lease`](crate::Lease) without the client's DUID and the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The leased address, or the first address of the delegated prefix.
    pub address: Ipv6Addr,
    /// 128 for an address.
    pub prefix_len: u8,
    /// Address or delegated prefix.
    pub kind: LeaseKind,
    /// Seconds from `cltt`; [`INFINITY`] never ends.
    pub valid_lifetime: u32,
    /// Seconds from `cltt`; [`INFINITY`] never ends.
    pub preferred_lifetime: u32,
    /// Time when the server last communicated with the client: UNIX seconds on the source's clock.
    pub cltt: u32,
    /// The source's number for the subnet.
    pub subnet_id: u32,
    /// Position of its options in the record.
    pub(crate) block: u32,
}

impl Binding {
    /// Returns the position among the bindings of a client: ascending in [`Client::bindings`](crate::Client),
    /// and the same as long as the lease exists.
    pub fn order(&self) -> impl Ord + Copy + use<> {
        order(self.prefix_len, self.kind, self.address.into())
    }

    /// Second in which the valid lifetime is over; `None`: never, as far as UNIX seconds of 32 bits reach.
    pub fn ends(&self) -> Option<u32> {
        // Infinity is left out by its own, as a cltt of 0 would make it a second.
        (self.valid_lifetime != INFINITY).then(|| self.cltt.checked_add(self.valid_lifetime))?
    }

    /// Returns the remaining lifetimes at `now`, as [`Self::valid_left`] and [`Self::preferred_left`] do.
    #[inline]
    pub fn left(&self, now: u32) -> Left {
        // A source's clock ahead of ours must not add to a lifetime.
        let elapsed = now.saturating_sub(self.cltt);
        let of =
            |lifetime| if lifetime == INFINITY { INFINITY } else { u32::saturating_sub(lifetime, elapsed) };
        let valid_lifetime = of(self.valid_lifetime);
        // RFC 8415 §21.6: preferred is never more than valid.
        Left { valid_lifetime, preferred_lifetime: of(self.preferred_lifetime).min(valid_lifetime) }
    }

    /// Seconds of valid lifetime left at `now`: 0 from the second in which it is over, infinity for ever.
    ///
    /// A source's clock ahead of ours adds nothing: at most the granted lifetime is left.
    pub fn valid_left(&self, now: u32) -> u32 {
        self.left(now).valid_lifetime
    }

    /// Seconds of preferred lifetime left at `now`, never more than of valid lifetime (RFC 8415 §21.6).
    pub fn preferred_left(&self, now: u32) -> u32 {
        self.left(now).preferred_lifetime
    }
}

impl Client<'_> {
    /// Finds all bindings that begin at `first` and have this length, expired or not.
    pub(crate) fn all_of(self, first: u128, prefix_len: u8) -> impl Iterator<Item = Binding> {
        let all = self.from(first).map(|(_, packed)| Packed::unpack(packed));
        all.filter(move |binding| binding.prefix_len == prefix_len)
    }
}

/// Remaining lifetimes of a binding, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Seconds left; 0: the binding has expired; [`INFINITY`] never does.
    pub valid_lifetime: u32,
    /// Seconds left, at most those of the valid lifetime.
    pub preferred_lifetime: u32,
}

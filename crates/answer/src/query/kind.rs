//! Each kind of query by itself: its contract with the table.

use std::net::Ipv6Addr;

use lqd_index::{Found, LinkSet, LookUps, Pinned};
use lqd_wire::{Duid, OptionCode};

use crate::refusal::Refusal;
use crate::select::{Content, View};

/// One kind of query: how its subject is read, looked up and answered.
///
/// A value is the subject of one query, in place in the datagram.
pub(super) trait Kind<'a>: Copy {
    /// The query-option that names the subject; the first one counts.
    const OPTION: OptionCode;

    /// Whether a lookup tells the binding that decides, and not its client alone.
    const FINDS_BINDING: bool;

    /// Reads the value of [`Self::OPTION`].
    fn read(value: &'a [u8]) -> Result<Self, Refusal>;

    /// Returns the subject in a form common to all kinds.
    fn subject(self) -> Subject<'a>;

    /// Begins the lookup.
    fn begin<const N: usize>(self, look_ups: &mut LookUps<'_, 'a, N>);

    /// Decides the reply to a query that names no link.
    fn on_any_link<'p>(
        self,
        leases: &'p Pinned<'_>,
        view: &View<'p>,
        now: u32,
        found: Option<Found<'p>>,
    ) -> Content<'p>;

    /// Decides the reply to a query that names these links.
    fn on_named_links<'p>(
        self,
        leases: &'p Pinned<'_>,
        view: &View<'p>,
        now: u32,
        found: Option<Found<'p>>,
        named: LinkSet<'p>,
    ) -> Content<'p>;
}

/// The subject of a query, in the forms that subjects have.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// An address.
    Address(Ipv6Addr),
    /// A DUID.
    Duid(Duid<'a>),
}

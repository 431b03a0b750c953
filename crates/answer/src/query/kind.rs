//! The contract of a query kind with the table.

use std::net::Ipv6Addr;

use lqd_index::{Found, LinkSet, Lookups, Pinned};
use lqd_wire::{Duid, OptionCode};

use crate::refusal::Refusal;
use crate::select::{Content, View};

/// A query kind. A value is the subject of one query, in place in the datagram.
pub(super) trait Kind<'a>: Copy {
    /// The query-option that names the subject; the first one counts.
    const OPTION: OptionCode;

    /// Whether the lookup yields the covering binding, and not only a client.
    const FINDS_BINDING: bool;

    /// Parses the value of [`Self::OPTION`].
    fn parse(value: &'a [u8]) -> Result<Self, Refusal>;

    /// Returns the subject in the form common to all kinds.
    fn subject(self) -> Subject<'a>;

    /// Begins the lookup.
    fn begin<const N: usize>(self, lookups: &mut Lookups<'_, 'a, N>);

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

/// The subject of a query.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// An address.
    Address(Ipv6Addr),
    /// A DUID.
    Duid(Duid<'a>),
}

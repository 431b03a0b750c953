//! The table of query kinds: the supported query-types (RFC 5007 §4.1.2.1), one row and one file each.
//!
//! A row gives a kind its number on the wire and its names in settings, metrics and query log; access rules,
//! counters, help and log follow from it. Its file parses the subject, looks it up and decides the reply.

mod by_address;
mod by_client_id;
mod kind;
mod parsed;
mod partial;

use lqd_index::{Found, LinkSet, Lookups, Pinned};
use lqd_wire::{Duid, OptionCode, Options, Query, QueryType};

use crate::QueryTypes;
use crate::refusal::Refusal;
use crate::select::{Content, View};
use by_address::ByAddress;
use by_client_id::ByClientId;
use kind::Kind;
pub use kind::Subject;
pub(crate) use parsed::ParsedQuery;

/// Declares the items that have a row or an arm for each kind.
macro_rules! query_kinds {
    (
        answered {
            $($kind:ident => $wire:ident, $setting:literal, $label:literal, $field:literal, $help:literal;)+
        }
        bulk_only {
            $($bulk:ident => $bulk_wire:ident, $bulk_setting:literal, $bulk_label:literal, $bulk_field:literal, $bulk_help:literal;)+
        }
    ) => {
        /// A supported query-type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum QueryKind {
            $(#[doc = $help] $kind,)+
            $(#[doc = $bulk_help] $bulk,)+
        }

        impl QueryKind {
            /// All kinds, in order.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+ $(Self::$bulk,)+];

            /// The kinds that are answered over UDP, too.
            pub const UDP: &'static [Self] = &[$(Self::$kind),+];

            /// Returns the number on the wire, which is also the right in [`QueryTypes`].
            pub fn wire(self) -> QueryType {
                match self {
                    $(Self::$kind => QueryType::$wire,)+
                    $(Self::$bulk => QueryType::$bulk_wire,)+
                }
            }

            /// Returns the name in settings.
            pub fn setting(self) -> &'static str {
                match self {
                    $(Self::$kind => $setting,)+
                    $(Self::$bulk => $bulk_setting,)+
                }
            }

            /// Returns the class in which a bulk query of this kind is counted.
            pub(crate) fn class(self) -> QueryClass {
                match self {
                    $(Self::$kind => QueryClass::$kind,)+
                    $(Self::$bulk => QueryClass::$bulk,)+
                }
            }
        }

        /// The class in which a datagram or a bulk query is counted: its query kind, if parsed so far.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum QueryClass {
            $(#[doc = $help] $kind,)+
            /// A query-type of bulk leasequery, for TCP only (RFC 5460 §4).
            BulkOnly,
            /// Another query-type.
            Unknown,
            /// A datagram that was discarded, malformed or not allowed before its query-type was parsed.
            Unparsed,
            $(#[doc = $bulk_help] $bulk,)+
        }

        impl QueryClass {
            /// The classes of datagrams with their names in metrics and query log; the position is
            /// `class as usize`.
            pub const TABLE: &'static [(Self, &'static str)] = &[
                $((Self::$kind, $label),)+
                (Self::BulkOnly, "bulk_only"),
                (Self::Unknown, "unknown"),
                (Self::Unparsed, "unparsed"),
            ];

            /// The classes of bulk queries with their names; each class number is below [`Self::COUNT`].
            pub const BULK: &'static [(Self, &'static str)] = &[
                $((Self::$kind, $label),)+
                $((Self::$bulk, $bulk_label),)+
                (Self::Unknown, "unknown"),
                (Self::Unparsed, "unparsed"),
            ];

            /// Number of classes, of datagrams and bulk queries together.
            pub const COUNT: usize = Self::TABLE.len() + [$($bulk_label),+].len();

            /// Returns the name in metrics and query log.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $label,)+
                    $(Self::$bulk => $bulk_label,)+
                    Self::BulkOnly => "bulk_only",
                    Self::Unknown => "unknown",
                    Self::Unparsed => "unparsed",
                }
            }

            /// Returns the query-log field of the subject; `None` for classes without a subject.
            pub fn subject_field(self) -> Option<&'static str> {
                match self {
                    $(Self::$kind => Some($field),)+
                    $(Self::$bulk => Some($bulk_field),)+
                    Self::BulkOnly | Self::Unknown | Self::Unparsed => None,
                }
            }

            /// Returns the class of a query about this target.
            #[inline]
            pub(crate) fn of(target: Target<'_>, refusal: Option<Refusal>) -> Self {
                match (refusal, target) {
                    $((None, Target::$kind(_)) => Self::$kind,)+
                    (Some(Refusal::BulkOnly | Refusal::NoBulk), _) => Self::BulkOnly,
                    (Some(Refusal::UnknownQueryType), _) => Self::Unknown,
                    (_, _) => Self::Unparsed,
                }
            }
        }

        /// The kind and subject of a query, in place in the datagram.
        #[derive(Clone, Copy, Debug)]
        pub(crate) enum Target<'a> {
            None,
            $($kind($kind<'a>),)+
        }

        impl<'a> Target<'a> {
            /// Parses the query-options into `self`; returns the value of OPTION_ORO, if any.
            ///
            /// `allowed`: the requestor's query-types; `bulk_offered`: whether TCP offers bulk leasequery.
            #[inline(always)]
            pub(crate) fn parse(
                &mut self,
                query: Query<'a>,
                allowed: &QueryTypes,
                bulk_offered: bool,
            ) -> Result<Option<&'a [u8]>, Refusal> {
                // The query-type decides before the query-options are parsed (§4.4.1).
                match query.kind {
                    $(QueryType::$wire => {
                        if !allowed.contains(QueryType::$wire) {
                            return Err(Refusal::QueryType);
                        }
                        let (subject, request) = parse_options(query.options)?;
                        *self = Self::$kind(subject);
                        Ok(request)
                    })+
                    $(QueryType::$bulk_wire)|+ => {
                        Err(if bulk_offered { Refusal::BulkOnly } else { Refusal::NoBulk })
                    }
                    _ => Err(Refusal::UnknownQueryType),
                }
            }

            /// Returns the subject in a form common to all kinds.
            pub(crate) fn subject(self) -> Option<Subject<'a>> {
                match self {
                    Self::None => None,
                    $(Self::$kind(subject) => Some(subject.subject()),)+
                }
            }

            /// Returns whether the lookup yields the covering binding, and not only a client.
            pub(crate) fn finds_binding(self) -> bool {
                match self {
                    Self::None => true,
                    $(Self::$kind(_) => $kind::FINDS_BINDING,)+
                }
            }

            /// Begins the lookup.
            #[inline(always)]
            pub(crate) fn begin<const N: usize>(self, lookups: &mut Lookups<'_, 'a, N>) {
                match self {
                    Self::None => lookups.begin_none(),
                    $(Self::$kind(subject) => subject.begin(lookups),)+
                }
            }

            /// Decides the reply to a query that names no link.
            #[inline(always)]
            pub(crate) fn on_any_link<'p>(
                self,
                leases: &'p Pinned<'_>,
                view: &View<'p>,
                now: u32,
                found: Option<Found<'p>>,
            ) -> Content<'p> {
                match self {
                    Self::None => Content::Refused(Refusal::MalformedQuery),
                    $(Self::$kind(subject) => subject.on_any_link(leases, view, now, found),)+
                }
            }

            /// Decides the reply to a query that names these links.
            #[inline(always)]
            pub(crate) fn on_named_links<'p>(
                self,
                leases: &'p Pinned<'_>,
                view: &View<'p>,
                now: u32,
                found: Option<Found<'p>>,
                named: LinkSet<'p>,
            ) -> Content<'p> {
                match self {
                    Self::None => Content::Refused(Refusal::MalformedQuery),
                    $(Self::$kind(subject) => subject.on_named_links(leases, view, now, found, named),)+
                }
            }
        }
    };
}

query_kinds! {
    // kind, number on the wire, names in settings and in metrics, subject's field in the query log, help
    answered {
        ByAddress => BY_ADDRESS, "address", "by_address", "address", "The lease, or the delegated prefix, that covers an address (QUERY_BY_ADDRESS, RFC 5007 §4.1.2.1).";
        ByClientId => BY_CLIENT_ID, "client-id", "by_client_id", "client_id", "The bindings of a client, by its DUID (QUERY_BY_CLIENTID, RFC 5007 §4.1.2.1).";
    }
    bulk_only {
        ByRelayId => BY_RELAY_ID, "relay-id", "by_relay_id", "relay_id", "The bindings that came through a relay agent (QUERY_BY_RELAY_ID, RFC 5460 §5.3.1).";
        ByLinkAddress => BY_LINK_ADDRESS, "link-address", "by_link_address", "link", "The bindings on a link (QUERY_BY_LINK_ADDRESS, RFC 5460 §5.3.2).";
        ByRemoteId => BY_REMOTE_ID, "remote-id", "by_remote_id", "remote_id", "The bindings with a Remote-ID (QUERY_BY_REMOTE_ID, RFC 5460 §5.3.3).";
    }
}

impl<'a> Target<'a> {
    /// QUERY_BY_ADDRESS about this address.
    pub(crate) fn address(address: &'a [u8; 16]) -> Self {
        Self::ByAddress(ByAddress::new(address))
    }

    /// QUERY_BY_CLIENTID about this client.
    pub(crate) fn client_id(duid: Duid<'a>) -> Self {
        Self::ByClientId(ByClientId::new(duid))
    }
}

/// Parses subject and OPTION_ORO in the query-options; the first of each counts, other options are ignored.
#[inline(always)]
fn parse_options<'a, K: Kind<'a>>(options: Options<'a>) -> Result<(K, Option<&'a [u8]>), Refusal> {
    let (mut subject, mut request) = (None, None);
    for option in options {
        let (code, value) = option?;
        if code == K::OPTION && subject.is_none() {
            subject = Some(value);
        } else if code == OptionCode::ORO && request.is_none() {
            request = Some(value);
        }
    }
    Ok((K::parse(subject.ok_or(Refusal::MalformedQuery)?)?, request))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether no two names are equal.
    fn are_distinct<T: Eq>(names: impl Iterator<Item = T>) -> bool {
        let names: Vec<_> = names.collect();
        names.iter().enumerate().all(|(position, name)| !names[..position].contains(name))
    }

    #[test]
    fn the_table_is_in_order_and_names_are_distinct() {
        for (position, (class, name)) in QueryClass::TABLE.iter().enumerate() {
            assert_eq!(*class as usize, position);
            assert_eq!(class.name(), *name);
        }
        for (class, name) in QueryClass::BULK {
            assert!((*class as usize) < QueryClass::COUNT);
            assert_eq!(class.name(), *name);
        }
        assert!(are_distinct(QueryClass::TABLE.iter().map(|(_, name)| name)));
        assert!(are_distinct(QueryClass::BULK.iter().map(|(_, name)| name)));
        assert!(are_distinct(QueryKind::ALL.iter().map(|kind| kind.wire())));
        assert!(are_distinct(QueryKind::ALL.iter().map(|kind| kind.setting())));
    }

    /// Checks each row by itself, with octets written by hand (§4.1.2.1).
    #[test]
    fn each_allowed_kind_is_parsed_by_its_number() {
        for &kind in QueryKind::UDP {
            let none = QueryTypes::default();
            let only: QueryTypes = [kind.wire()].into_iter().collect();
            let parse = |allowed: &QueryTypes, options: &'static [u8]| {
                let octets: &'static [u8] = [&[kind.wire().0], &[0; 16][..], options].concat().leak();
                let mut target = Target::None;
                let request = target.parse(Query::parse(octets).unwrap(), allowed, false);
                (request.err(), target)
            };
            assert_eq!(parse(&none, &[]).0, Some(Refusal::QueryType), "{kind:?}");
            assert_eq!(parse(&only, &[]).0, Some(Refusal::MalformedQuery), "{kind:?}: no subject");
            // OPTION_IAADDR and OPTION_CLIENTID.
            let options: &[u8] = &[
                0, 5, 0, 24, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 1, 0, 3, 7, 7, 7,
            ];
            let (refusal, target) = parse(&only, options);
            let class = QueryClass::of(target, refusal);
            assert_eq!(format!("{class:?}"), format!("{kind:?}"));
            assert!(class.subject_field().is_some() && target.subject().is_some(), "{kind:?}");
        }
    }
}

//! The table of query kinds: the query-types that are answered (RFC 5007 §4.1.2.1), one row and one file each.
//!
//! A row gives a kind its number on the wire and its names in settings, metrics and query log; access rules, counters,
//! help and log follow from it. Its file says how the subject is read and looked up, and which bindings answer.

mod by_address;
mod by_client_id;
mod incomplete;
mod kind;
mod question;

use lqd_index::{Found, LinkSet, LookUps, Pinned};
use lqd_wire::{OptionCode, Options, Query, QueryType};

use crate::QueryTypes;
use crate::refusal::Refusal;
use crate::select::{Content, View};
use by_address::ByAddress;
use by_client_id::ByClientId;
use kind::Kind;
pub use kind::Subject;
pub(crate) use question::Question;

/// Declares everything that has a row or an arm for each kind.
macro_rules! query_kinds {
    (
        answered {
            $($kind:ident => $wire:ident, $setting:literal, $label:literal, $field:literal, $help:literal;)+
        }
        bulk_only { $($bulk:ident)|+ }
    ) => {
        /// A query-type that is answered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum QueryKind {
            $(#[doc = $help] $kind,)+
        }

        impl QueryKind {
            /// All kinds, in order.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The number on the wire; it is also the right to ask, in [`QueryTypes`].
            pub fn wire(self) -> QueryType {
                match self {
                    $(Self::$kind => QueryType::$wire,)+
                }
            }

            /// The name in settings.
            pub fn setting(self) -> &'static str {
                match self {
                    $(Self::$kind => $setting,)+
                }
            }
        }

        /// The class in which a datagram is counted: its kind of query, as far as it was read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum QueryClass {
            $(#[doc = $help] $kind,)+
            /// A query-type of bulk leasequery, which is for TCP only (RFC 5460 §4).
            BulkOnly,
            /// Another query-type.
            Unknown,
            /// Discarded, malformed or not allowed before its query-type counted.
            Unparsed,
        }

        impl QueryClass {
            /// All classes with their names in metrics and query log: the position is `class as usize`.
            pub const TABLE: &'static [(Self, &'static str)] = &[
                $((Self::$kind, $label),)+
                (Self::BulkOnly, "bulk_only"),
                (Self::Unknown, "unknown"),
                (Self::Unparsed, "unread"),
            ];

            /// The field of the query log that holds the subject; `None` if a query of this class has none.
            pub fn subject_field(self) -> Option<&'static str> {
                match self {
                    $(Self::$kind => Some($field),)+
                    Self::BulkOnly | Self::Unknown | Self::Unparsed => None,
                }
            }

            /// The class of a query about this target, unless it is refused.
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
            Nobody,
            $($kind($kind<'a>),)+
        }

        impl<'a> Target<'a> {
            /// Reads the query-options into `self`; the value of OPTION_ORO, if there is one.
            ///
            /// The query-type decides before the query-options are read (§4.4.1). `allowed`: what the requestor may ask;
            /// `bulk_offered`: whether the server offers bulk leasequery over TCP.
            #[inline(always)]
            pub(crate) fn read(
                &mut self,
                query: Query<'a>,
                allowed: &QueryTypes,
                bulk_offered: bool,
            ) -> Result<Option<&'a [u8]>, Refusal> {
                match query.kind {
                    $(QueryType::$wire => {
                        if !allowed.contains(QueryType::$wire) {
                            return Err(Refusal::QueryType);
                        }
                        let (subject, request) = read_options(query.options)?;
                        *self = Self::$kind(subject);
                        Ok(request)
                    })+
                    $(QueryType::$bulk)|+ => {
                        Err(if bulk_offered { Refusal::BulkOnly } else { Refusal::NoBulk })
                    }
                    _ => Err(Refusal::UnknownQueryType),
                }
            }

            /// Returns the subject in a form common to all kinds.
            pub(crate) fn subject(self) -> Option<Subject<'a>> {
                match self {
                    Self::Nobody => None,
                    $(Self::$kind(subject) => Some(subject.subject()),)+
                }
            }

            /// Whether a lookup tells the binding that decides, and not its client alone.
            pub(crate) fn finds_binding(self) -> bool {
                match self {
                    Self::Nobody => true,
                    $(Self::$kind(_) => $kind::FINDS_BINDING,)+
                }
            }

            /// Begins the lookup.
            #[inline(always)]
            pub(crate) fn begin<const N: usize>(self, look_ups: &mut LookUps<'_, 'a, N>) {
                match self {
                    Self::Nobody => look_ups.begin_none(),
                    $(Self::$kind(subject) => subject.begin(look_ups),)+
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
                    Self::Nobody => Content::Refused(Refusal::MalformedQuery),
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
                    Self::Nobody => Content::Refused(Refusal::MalformedQuery),
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
    bulk_only { BY_RELAY_ID | BY_LINK_ADDRESS | BY_REMOTE_ID }
}

impl QueryClass {
    /// The name in metrics and query log.
    pub fn name(self) -> &'static str {
        Self::TABLE[self as usize].1
    }
}

/// Reads subject and OPTION_ORO out of the query-options; of several the first counts, other options are ignored.
#[inline(always)]
fn read_options<'a, K: Kind<'a>>(options: Options<'a>) -> Result<(K, Option<&'a [u8]>), Refusal> {
    let (mut subject, mut request) = (None, None);
    for option in options {
        let (code, value) = option?;
        if code == K::OPTION && subject.is_none() {
            subject = Some(value);
        } else if code == OptionCode::ORO && request.is_none() {
            request = Some(value);
        }
    }
    Ok((K::read(subject.ok_or(Refusal::MalformedQuery)?)?, request))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether no two of the names are equal.
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
        assert!(are_distinct(QueryClass::TABLE.iter().map(|(_, name)| name)));
        assert!(are_distinct(QueryKind::ALL.iter().map(|kind| kind.wire())));
        assert!(are_distinct(QueryKind::ALL.iter().map(|kind| kind.setting())));
    }

    /// Each row by itself: wire number, right to ask, subject, class. Octets by hand (§4.1.2.1).
    #[test]
    fn each_kind_is_read_by_its_number_where_it_is_allowed() {
        for &kind in QueryKind::ALL {
            let none = QueryTypes::default();
            let only: QueryTypes = [kind.wire()].into_iter().collect();
            let read = |allowed: &QueryTypes, options: &'static [u8]| {
                let octets: &'static [u8] = [&[kind.wire().0], &[0; 16][..], options].concat().leak();
                let mut target = Target::Nobody;
                let request = target.read(Query::parse(octets).unwrap(), allowed, false);
                (request.err(), target)
            };
            assert_eq!(read(&none, &[]).0, Some(Refusal::QueryType), "{kind:?}");
            assert_eq!(read(&only, &[]).0, Some(Refusal::MalformedQuery), "{kind:?}: no subject");
            // OPTION_IAADDR and OPTION_CLIENTID.
            let options: &[u8] = &[
                0, 5, 0, 24, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 1, 0, 3, 7, 7, 7,
            ];
            let (refusal, target) = read(&only, options);
            let class = QueryClass::of(target, refusal);
            assert_eq!(format!("{class:?}"), format!("{kind:?}"));
            assert!(class.subject_field().is_some() && target.subject().is_some(), "{kind:?}");
        }
    }
}

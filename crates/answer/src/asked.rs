//! What datagrams ask for, by the names of the metrics.

use crate::receive::{Refusal, Target};

/// Declares [`Asked`] and the table that names each.
macro_rules! asked {
    ($($variant:ident => $name:literal, $doc:literal;)+) => {
        /// Which kind of query a datagram held, as far as it was read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Asked {
            $(#[doc = $doc] $variant,)+
        }

        impl Asked {
            /// All kinds in order: its position is `asked as usize`.
            pub const TABLE: &'static [(Self, &'static str, &'static str)] =
                &[$((Self::$variant, $name, $doc),)+];
        }
    };
}

asked! {
    ByAddress => "by_address", "QUERY_BY_ADDRESS (RFC 5007 §4.1.2.1).";
    ByClientId => "by_client_id", "QUERY_BY_CLIENTID (RFC 5007 §4.1.2.1).";
    BulkOnly => "bulk_only", "A query-type of bulk leasequery, which is for TCP only (RFC 5460 §4).";
    Unknown => "unknown", "Another query-type.";
    Unread => "unread", "Discarded, malformed or not allowed before its query-type counted.";
}

impl Asked {
    /// What is asked of this target, unless it is refused.
    #[inline]
    pub(crate) fn of(target: Target<'_>, refusal: Option<Refusal>) -> Self {
        match (refusal, target) {
            (None, Target::Address(_)) => Self::ByAddress,
            (None, Target::Client(_)) => Self::ByClientId,
            (Some(Refusal::BulkOnly | Refusal::NoBulk), _) => Self::BulkOnly,
            (Some(Refusal::UnknownQueryType), _) => Self::Unknown,
            (_, _) => Self::Unread,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_names_are_distinct() {
        for (position, (asked, name, _)) in Asked::TABLE.iter().enumerate() {
            assert_eq!(*asked as usize, position);
            assert!(Asked::TABLE[..position].iter().all(|(_, other, _)| other != name));
        }
    }
}

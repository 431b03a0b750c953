//! Access and limits for the datagrams of one batch.

use std::net::Ipv6Addr;

use super::{Access, Limits, Rights, RowId};
use crate::Outcome;

/// Checks the source of each datagram in a batch against access and limits, before anything in it is read.
pub(crate) struct Gate<'a> {
    access: &'a Access,
    /// `None`: there are no rates.
    limits: Option<&'a mut Limits>,
    now_ns: u64,
    /// A batch mostly comes from one source.
    last: Ipv6Addr,
    row: RowId,
    rights: &'a Rights,
}

impl<'a> Gate<'a> {
    /// For a batch whose first datagram comes from `first`.
    pub(crate) fn new(access: &'a Access, limits: &'a mut Limits, now_ns: u64, first: Ipv6Addr) -> Self {
        let row = access.row_of(first);
        let rights = access.row(row).1;
        let limits = access.is_limited().then(|| {
            limits.prepare(access);
            limits
        });
        Self { access, limits, now_ns, last: first, row, rights }
    }

    /// What this source may do; the outcome if it is nothing and not to be told so.
    #[inline]
    pub(crate) fn enter(&mut self, source: &Ipv6Addr) -> Result<&'a Rights, Outcome> {
        if self.last != *source {
            self.turn_to(source);
        }
        if let Some(silence) = self.rights.silence() {
            return Err(silence);
        }
        if let Some(limits) = &mut self.limits {
            limits.admit(self.access, self.row, *source, self.now_ns)?;
        }
        Ok(self.rights)
    }

    #[inline(never)]
    fn turn_to(&mut self, source: &Ipv6Addr) {
        self.last = *source;
        self.row = self.access.row_of(*source);
        self.rights = self.access.row(self.row).1;
    }
}

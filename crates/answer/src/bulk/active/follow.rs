//! Reading of the change log, and the phases of an active query.

use lqd_index::{LoggedChange, LoggedEvent, LoggedLease, OverrunError, RemovalReason};

use super::super::step::Context;
use super::super::{BulkOutcome, Room};
use super::dirty::DirtyLease;
use super::tell::{Sending, Told};
use super::{ActiveQuery, CATCH_UP_COMPLETE, Phase, RETRY_NS};
use crate::NoBindingPolicy;

/// Most entries that one call reads, as the index is pinned meanwhile.
const ENTRIES_MAX: usize = 1 << 14;

/// The reason why the log is read no further.
enum Stop {
    /// The query has ended.
    End(BulkOutcome),
    /// No room for further changes.
    Full,
}

impl ActiveQuery {
    /// Reads changes, and sends them while there is room.
    pub(super) fn follow(&mut self, context: &Context<'_>, room: &mut Room<'_>, monotonic_ns: u64) {
        if self.retry_at.is_some_and(|retry_at| retry_at <= monotonic_ns) {
            self.retry_at = None;
            self.dirty.retry();
        }
        match self.read(context) {
            Ok(()) => {}
            Err(OverrunError) if self.phase == Phase::Live => self.end(BulkOutcome::Overrun),
            Err(OverrunError) if room.has_room() => {
                (self.next, self.read_until) = (self.offer.log.end(), context.now);
                self.is_at_end = false;
                self.data_missing(context, room);
            }
            // The next call finds it again.
            Err(OverrunError) => {}
        }
        if self.ending.is_none() {
            self.send(context, room, monotonic_ns);
            self.complete_catch_up(context, room);
        }
    }

    fn read(&mut self, context: &Context<'_>) -> Result<(), OverrunError> {
        let named = self.filter.named(&context.view);
        let mut left = ENTRIES_MAX;
        self.is_at_end = false;
        while left > 0 {
            let Some(chunk) = self.offer.log.read(self.next)? else {
                self.is_at_end = true;
                break;
            };
            for change in chunk.iter().take(left) {
                match self.take(context, named.as_ref(), &change) {
                    Ok(()) => {}
                    Err(Stop::Full) => return Ok(()),
                    Err(Stop::End(outcome)) => {
                        self.end(outcome);
                        return Ok(());
                    }
                }
                (self.next, self.read_until) = (change.sequence + 1, change.published);
                left -= 1;
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        context: &Context<'_>,
        named: Option<&lqd_index::LinkSet<'_>>,
        change: &LoggedChange<'_>,
    ) -> Result<(), Stop> {
        let lease = match &change.event {
            LoggedEvent::Lost => return Err(Stop::End(BulkOutcome::ChangesLost)),
            LoggedEvent::LinksReplaced if self.filter.depends_on_links() => {
                return Err(Stop::End(BulkOutcome::Replaced));
            }
            LoggedEvent::LinksReplaced => return Ok(()),
            LoggedEvent::Lease(lease) => lease,
        };
        if !self.filter.may_select(lease) {
            return Ok(());
        }
        let was_selected = self.filter.selected(&context.view, named, lease);
        let is_added =
            self.dirty.add(lease.duid, dirty_lease(lease, was_selected), change.sequence, change.published);
        if is_added { Ok(()) } else { Err(Stop::Full) }
    }

    fn send(&mut self, context: &Context<'_>, room: &mut Room<'_>, monotonic_ns: u64) {
        let is_complete = context.engine.no_binding_in(context.leases) == NoBindingPolicy::Answer;
        let mut turns = self.dirty.len() + 1;
        while turns > 0 && room.has_room() {
            let mut sending = match self.sending.take() {
                Some(sending) => sending,
                None if self.dirty.is_idle() => return,
                None => match self.dirty.pop() {
                    Some(client) => Sending::new(client),
                    None => return,
                },
            };
            match self.tell(context, room, &mut sending, is_complete) {
                Told::All => self.dirty.recycle(sending.client),
                Told::Part => self.sending = Some(sending),
                Told::Held => {
                    self.dirty.hold(sending.client);
                    self.retry_at.get_or_insert(monotonic_ns.saturating_add(RETRY_NS));
                }
            }
            turns -= 1;
        }
    }

    /// Tells the end of the catch-up once all changes before it are sent (RFC 7653 §9.3).
    fn complete_catch_up(&mut self, context: &Context<'_>, room: &mut Room<'_>) {
        let Phase::CatchUp(end) = self.phase else { return };
        let is_sent = |first: Option<u64>| first.is_none_or(|first| first >= end);
        let is_over = self.next >= end
            && is_sent(self.dirty.first())
            && is_sent(self.sending.as_ref().map(|sending| sending.client.sequence));
        if is_over && room.has_room() {
            self.note(context, room, Some(CATCH_UP_COMPLETE));
            self.phase = Phase::Live;
        }
    }
}

fn dirty_lease(lease: &LoggedLease<'_>, was_selected: bool) -> DirtyLease {
    let &LoggedLease { address, prefix_len, kind, subnet_id, cltt, reason, former, .. } = lease;
    let subnet_id = former.map_or(subnet_id, |former| former.subnet_id);
    // A lease that is merely gone from a snapshot may be missing from an incomplete one.
    let is_removed = reason.is_some_and(|reason| reason != RemovalReason::Gone);
    DirtyLease { address, prefix_len, kind, subnet_id, cltt, was_selected, is_removed }
}

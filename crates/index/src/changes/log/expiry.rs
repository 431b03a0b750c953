//! Leases whose valid lifetime passes: no source reports that when it happens, so a sweep of all clients
//! finds them; `DESIGN.md` compares the designs.

use super::ChangeLog;
use super::chunk::Piece;
use super::entry::LoggedLease;
use crate::changes::FormerLease;
use crate::cursor::{Cursor, Scanned};
use crate::options::copy_relay_data;
use crate::record::{Binding, Client};
use crate::removal::RemovalReason;
use crate::store::Pinned;

/// Client numbers of a step: the writer waits as long as one takes.
const CLIENTS_PER_STEP: u32 = 1024;

/// A watch on valid lifetimes, which appends each one that passes to a [`ChangeLog`] as
/// [`RemovalReason::Expired`].
///
/// Each sweep of all clients appends the leases whose last second lies between the begin of the sweep before
/// and its own begin. While no [step](Self::step) is taken, nothing is skipped: the next sweep has all of the
/// time since.
///
/// ```
/// # use lqd_index::{ChangeLog, ChangeLogLimits, ExpiryWatch, SweepProgress, Writer};
/// # let log = ChangeLog::new(ChangeLogLimits { seconds: 600, bytes: 1 << 20 }, || 1_700_000_000);
/// # let (_writer, store) = Writer::new();
/// # let mut reader = store.reader().unwrap();
/// let mut watch = ExpiryWatch::new(log, 1_700_000_000);
/// while watch.step(&reader.pin(), 1_700_000_060) == SweepProgress::UnderWay {}
/// ```
pub struct ExpiryWatch {
    log: ChangeLog,
    /// Client numbers of a step.
    step: u32,
    sweep: Option<Sweep>,
    /// Second up to which ends are told.
    told: u32,
    piece: Piece,
    /// DUID of the client at hand.
    duid: Vec<u8>,
    relay_data: Vec<u8>,
}

/// State of the sweep after a [step](ExpiryWatch::step).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepProgress {
    /// Clients are left.
    UnderWay,
    /// All clients are seen, and the next step begins another sweep.
    Over,
}

/// A sweep under way, which may have come to clients in part.
struct Sweep {
    cursor: Cursor,
    span: Span,
}

/// Seconds that a sweep is about.
#[derive(Clone, Copy)]
struct Span {
    /// Ends up to here are told.
    told: u32,
    /// Begin of the sweep.
    now: u32,
    /// Latest second since the sweep before: later than `now` if the clock was set back.
    latest: u32,
}

impl ExpiryWatch {
    /// A watch on the lifetimes that end after this second.
    pub fn new(log: ChangeLog, after: u32) -> Self {
        let (piece, duid, relay_data) = Default::default();
        Self { log, step: CLIENTS_PER_STEP, sweep: None, told: after, piece, duid, relay_data }
    }

    /// Sees some clients; `now` is in UNIX seconds.
    ///
    /// A lease that is renewed or removed at this very moment may be appended behind that event: readers find
    /// its present state in the index, as ever.
    pub fn step(&mut self, leases: &Pinned<'_>, now: u32) -> SweepProgress {
        let mut sweep = self.sweep.take().unwrap_or_else(|| self.begin(now));
        self.log.saw_clock(now);
        // After a snapshot, the next step begins the sweep again, with the same span.
        if let Ok(slice) = sweep.cursor.advance(leases, self.step) {
            slice.for_each(|scanned| self.tell_client(scanned, sweep.span));
        }
        self.log.append(&self.piece);
        self.piece.clear();
        if !sweep.cursor.is_done() {
            self.sweep = Some(sweep);
            return SweepProgress::UnderWay;
        }
        if sweep.cursor.is_torn(leases) {
            // The scan may have passed by leases that moved, so the next sweep has this span, too.
            self.log.saw_clock(sweep.span.latest);
        } else {
            self.told = sweep.span.now;
            self.log.set_ends_told(self.told);
        }
        SweepProgress::Over
    }

    fn begin(&mut self, now: u32) -> Sweep {
        let (earliest, latest) = self.log.take_clocks(now);
        // Readers saw leases alive while the clock was set back, or over while it was ahead.
        self.told = self.told.min(earliest);
        self.log.set_ends_told(self.told);
        let span = Span { told: self.told, now, latest };
        Sweep { cursor: Cursor::all(), span }
    }

    fn tell_client(&mut self, scanned: Scanned<'_>, span: Span) {
        let (Scanned::Client(client) | Scanned::Segment(client)) = scanned;
        // Readers know no holder of a lease that cannot be read.
        if client.is_unreadable() {
            return;
        }
        // Few clients have an end in the span, so the DUID is copied only for those.
        let mut has_duid = false;
        for binding in client.bindings() {
            let Some(event) = binding.ends().and_then(|end| span.event_of(end)) else { continue };
            if !has_duid {
                self.duid.resize(client.duid_len(), 0);
                client.copy_duid(&mut self.duid);
                has_duid = true;
            }
            self.tell(client, &binding, event);
        }
    }

    fn tell(&mut self, client: Client<'_>, binding: &Binding, event: Event) {
        let &Binding { address, prefix_len, kind, subnet_id, cltt, .. } = binding;
        self.relay_data.clear();
        copy_relay_data(client, binding, &mut self.relay_data);
        let former = FormerLease { subnet_id, relay_data: &self.relay_data };
        let (reason, former) = match event {
            Event::Ended => (Some(RemovalReason::Expired), Some(former)),
            Event::Returned => (None, None),
        };
        let duid = &self.duid[..];
        let lease = LoggedLease { duid, address, prefix_len, kind, subnet_id, cltt, reason, former };
        self.piece.lease(&lease, binding.ends());
    }
}

/// Event of a lease between two sweeps.
#[derive(Clone, Copy)]
enum Event {
    /// The valid lifetime is over.
    Ended,
    /// The valid lifetime was over, and is not, since the clock was set back.
    Returned,
}

impl Span {
    fn event_of(self, end: u32) -> Option<Event> {
        if end > self.now {
            return (end <= self.latest).then_some(Event::Returned);
        }
        (end > self.told).then_some(Event::Ended)
    }
}

#[cfg(test)]
mod tests;

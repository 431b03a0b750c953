//! Chunks of the change log: runs of entries that leave together, and that readers share.

use std::sync::Arc;

use super::entry::{
    EVENTS, Entries, LoggedChange, LoggedEvent, LoggedLease, write_links_replaced, write_lost,
};

/// Entries from one mark to the next: a reader that goes on in the middle of a chunk passes as many.
const MARK_EVERY: u32 = 32;

/// Bytes of a chunk beside its octets and marks: itself, its counts and its place in the log.
const OVERHEAD: usize = size_of::<ChunkData>() + 64;

/// A place in a chunk from which entries can be read.
#[derive(Clone, Copy)]
struct Mark {
    /// Entries before it.
    entry: u32,
    /// Octets before it.
    offset: u32,
    published: u32,
}

/// Entries in one run of octets.
#[derive(Clone)]
pub(super) struct ChunkData {
    /// Sequence of the first entry.
    first: u64,
    entries: u32,
    octets: Vec<u8>,
    /// Ascending: the first entry, the first of each second, and some between.
    marks: Vec<Mark>,
}

impl ChunkData {
    pub(super) fn new(first: u64) -> Self {
        Self { first, entries: 0, octets: Vec::new(), marks: Vec::new() }
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Sequence behind the last entry.
    pub(super) fn end(&self) -> u64 {
        self.first + u64::from(self.entries)
    }

    pub(super) fn len(&self) -> usize {
        self.octets.len()
    }

    /// Second of the first entry.
    pub(super) fn first_published(&self) -> u32 {
        self.marks.first().map_or(0, |mark| mark.published)
    }

    /// Second of the last entry.
    pub(super) fn last_published(&self) -> u32 {
        self.marks.last().map_or(0, |mark| mark.published)
    }

    /// Bytes of memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        OVERHEAD + self.octets.capacity() + self.marks.capacity() * size_of::<Mark>()
    }

    /// Sequence of the first entry that was published at or after this second, if there is one.
    pub(super) fn since(&self, unix: u32) -> Option<u64> {
        let position = self.marks.partition_point(|mark| mark.published < unix);
        self.marks.get(position).map(|mark| self.first + u64::from(mark.entry))
    }

    pub(super) fn extend(&mut self, piece: &Piece, published: u32) {
        let (entry, offset) = (self.entries, self.octets.len() as u32); // far below 4 GiB
        self.octets.extend_from_slice(&piece.octets);
        let mark = |&(at, from): &(u32, u32)| Mark { entry: entry + at, offset: offset + from, published };
        self.marks.extend(piece.marks.iter().map(mark));
        self.entries += piece.entries;
    }

    /// Gives back memory beyond its contents.
    pub(super) fn shrink(&mut self) {
        self.octets.shrink_to_fit();
        self.marks.shrink_to_fit();
    }
}

/// Entries on their way to the log.
#[derive(Default)]
pub(super) struct Piece {
    octets: Vec<u8>,
    entries: u32,
    /// Entries and octets before each mark.
    marks: Vec<(u32, u32)>,
    /// DUID of the last entry, if that was one of a lease.
    duid: Vec<u8>,
    /// Entries by event.
    pub(super) counts: [u64; EVENTS.len()],
    /// Whether readers must begin again behind it.
    pub(super) has_lost: bool,
}

impl Piece {
    pub(super) fn len(&self) -> usize {
        self.octets.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries == 0
    }

    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.marks.clear();
        self.duid.clear();
        (self.entries, self.counts, self.has_lost) = (0, Default::default(), false);
    }

    /// Adds a lease.
    pub(super) fn lease(&mut self, lease: &LoggedLease<'_>, source_time: Option<u32>) {
        // A reader may begin at a mark, so the entry there has its DUID.
        let is_same_client = !self.mark() && self.duid == lease.duid;
        lease.write(&mut self.octets, source_time, is_same_client);
        if !is_same_client {
            self.duid.clear();
            self.duid.extend_from_slice(lease.duid);
        }
        self.count(lease.number());
    }

    pub(super) fn links_replaced(&mut self) {
        self.mark();
        let number = write_links_replaced(&mut self.octets);
        self.count(number);
    }

    pub(super) fn lost(&mut self) {
        self.mark();
        let number = write_lost(&mut self.octets);
        self.count(number);
        self.has_lost = true;
    }

    /// Whether the next entry has a mark; it gets one if one is due.
    fn mark(&mut self) -> bool {
        let is_due = self.entries.is_multiple_of(MARK_EVERY);
        if is_due {
            self.marks.push((self.entries, self.octets.len() as u32)); // far below 4 GiB
        }
        is_due
    }

    fn count(&mut self, number: usize) {
        self.entries += 1;
        self.counts[number] += 1;
    }
}

/// Consecutive entries of a [`ChangeLog`](super::ChangeLog). They stay readable while it is held, whatever
/// leaves the log meanwhile.
#[derive(Clone)]
pub struct LogChunk {
    data: Arc<ChunkData>,
    from: u64,
}

impl LogChunk {
    /// The entries of this chunk from `from` on.
    pub(super) fn new(data: Arc<ChunkData>, from: u64) -> Self {
        Self { data, from }
    }

    /// Sequence of its first entry.
    pub fn first(&self) -> u64 {
        self.from
    }

    /// Sequence of the entry behind its last one.
    pub fn end(&self) -> u64 {
        self.data.end()
    }

    /// Iterates over the entries, at least one, in order.
    pub fn iter(&self) -> impl Iterator<Item = LoggedChange<'_>> {
        let ChunkData { first, octets, marks, .. } = &*self.data;
        let skipped = (self.from - first) as u32; // within one chunk
        // The first entry has a mark, so there is one before any other.
        let near = marks.partition_point(|mark| mark.entry <= skipped).saturating_sub(1);
        let mut marks = marks[near..].iter().peekable();
        let (mut at, offset) = marks.peek().map_or((0, 0), |mark| (mark.entry, mark.offset as usize));
        let (mut entries, mut published) = (Entries::new(&octets[offset..]), 0);
        let all = std::iter::from_fn(move || {
            if let Some(mark) = marks.next_if(|mark| mark.entry == at) {
                published = mark.published;
            }
            let (source_time, event) = entries.next()?;
            let sequence = first + u64::from(at);
            at += 1;
            Some(LoggedChange { sequence, published, source_time, event })
        });
        all.skip_while(|change| change.sequence < self.from)
    }
}

impl LoggedEvent<'_> {
    /// The lease, if it is an event of one.
    pub fn lease(&self) -> Option<&LoggedLease<'_>> {
        match self {
            LoggedEvent::Lease(lease) => Some(lease),
            LoggedEvent::LinksReplaced | LoggedEvent::Lost => None,
        }
    }
}

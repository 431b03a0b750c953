//! The first load: all rows of a snapshot, parsed on several threads, handed over window by window.
//!
//! The files are cut into chunks of equal length, an idle thread takes the next one, and a line belongs to
//! the chunk in which it starts. Chunks are read, not mapped: a file that is truncated under a mapping ends
//! the process with SIGBUS. At any time one chunk of text and one of rows for each thread is in memory; rows
//! go to the index at once ([`SnapshotRows`]), numbered by their chunk's place in the files, so that their
//! order needs no waiting for each other.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use lqd_index::{Batch, Change, LeaseKind, Links, NoRoomError};
use memchr::{memchr, memrchr};

use super::columns::{Columns, HeaderError};
use super::files::{LeaseFile, LeaseFiles, OpenError, Snapshot};
use super::lines::{LINE_LEN_MAX, Lines, Tally};
use super::row::mark_unreadable;
use crate::source::{LoadRequest, Seen, SnapshotRows};

/// Bytes of text in a chunk: some seven thousand rows, which stay in a processor's cache until the index has
/// taken them.
const CHUNK_LEN: u64 = 1 << 20;
/// Bytes that are read at once beyond a chunk to find the end of its last line.
const EXTENSION_LEN: u64 = 64 << 10;
/// Loads of a set whose files become shorter under the reader, before that is an error.
const ATTEMPTS_MAX: u32 = 3;
/// Bytes before a position that are kept to tell later whether they are still there: as a rule all of the
/// last row, which with its time of expiry does not stand at the same place in a rewritten file.
pub(super) const GUARD_LEN: usize = 1024;
/// Bytes at the end of each chunk that are read again after the load; rewritten rows have other times there.
const SAMPLE_LEN: usize = 256;
/// Longest header line, in bytes; Kea's has 200.
pub(super) const HEADER_LEN_MAX: usize = 16 << 10;

/// Contents of a snapshot.
pub(super) struct Loaded<R = SnapshotRows> {
    /// The rows.
    pub(super) rows: R,
    /// Counts of rows by file, in reading order.
    pub(super) files: Vec<FileTally>,
    /// Start of the follower.
    pub(super) position: Position,
    /// Subnets and an example among its leases.
    pub(super) seen: Seen,
}

/// Destination of rows.
pub(super) trait Rows: Default + Sync {
    /// Takes rows, numbered from `first` on; called on any thread, in any order. A later row has a higher
    /// number. The batch is for the taker to keep or leave.
    fn take(&self, first: u64, batch: &mut Batch);

    /// Makes one for a load of so many bytes of text.
    fn for_request(_request: &LoadRequest<'_>, _text_bytes: u64) -> Self {
        Self::default()
    }
}

impl Rows for SnapshotRows {
    fn take(&self, first: u64, batch: &mut Batch) {
        SnapshotRows::take(self, first, batch);
    }

    fn for_request(request: &LoadRequest<'_>, text_bytes: u64) -> Self {
        request.rows(text_bytes)
    }
}

/// Subnet ids that a thread remembers: as a rule all.
const KNOWN: usize = 1 << 14;

/// Subnet ids that a thread has noted before, each at its place, so that most rows cost it one comparison.
struct Known(Vec<Option<u32>>);

impl Known {
    fn new() -> Self {
        Self(vec![None; KNOWN])
    }

    /// Whether this id is new, as far as the thread remembers.
    fn is_news(&mut self, id: u32) -> bool {
        // Slots are shared by ids that collide: an id is then noted again, which costs little.
        self.0[id as usize % KNOWN].replace(id) != Some(id)
    }
}

/// Filled by each thread, chunk by chunk.
impl Seen {
    fn note(&mut self, batch: &Batch, known: &mut Known) {
        // Most rows are of few subnets, and a set insertion for each would cost more than its parse.
        self.subnet_ids.extend(batch.subnet_ids().filter(|&id| known.is_news(id)));
        if self.example.is_none() {
            self.example = batch.changes().find_map(|change| match change {
                Change::Put(lease) if lease.kind == LeaseKind::Address => Some(lease.address),
                _ => None,
            });
        }
    }

    /// Adds the leases seen later.
    fn add(&mut self, later: Self) {
        self.subnet_ids.extend(later.subnet_ids);
        // The earliest example wins, so that a load with more threads gives the same one.
        self.example = self.example.or(later.example);
    }
}

/// Counts of the rows of one file.
#[derive(Clone, Debug)]
pub(super) struct FileTally {
    /// The file's name when it was opened.
    pub(super) path: PathBuf,
    /// Counts of its rows.
    pub(super) tally: Tally,
}

/// End of the text that was read of the current file.
#[derive(Debug)]
pub(super) struct Position {
    /// The current file, or the last one of the others if that is missing.
    pub(super) current: LeaseFile,
    /// There is no current file.
    pub(super) current_missing: bool,
    /// Bytes read; the next line starts here.
    pub(super) offset: u64,
    /// Lines read, the header included.
    pub(super) lines: u64,
    /// The columns by the header; none as long as it is not complete.
    pub(super) columns: Option<Columns>,
    /// The header or a last line has no end yet: the rest is not known.
    pub(super) half_line: bool,
    /// The line so far, if it is not too long for a row.
    pub(super) text: Vec<u8>,
    /// The last [`GUARD_LEN`] bytes of all this.
    pub(super) guard: Vec<u8>,
}

impl Position {
    /// The beginning of a file.
    pub(super) fn start(current: LeaseFile) -> Self {
        Self {
            current,
            current_missing: false,
            offset: 0,
            lines: 0,
            columns: None,
            half_line: false,
            text: Vec::new(),
            guard: Vec::new(),
        }
    }
}

/// The reason why a snapshot cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum SnapshotError {
    /// The files cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The leases do not fit.
    #[error(transparent)]
    NoRoomError(#[from] NoRoomError),
    /// A file is not a DHCPv6 lease file.
    #[error(
        "{path}: not a DHCPv6 lease file of Kea: {source}; name Kea's kea-leases6.csv, \
         or move this file away if Kea did not write it",
        path = path.display()
    )]
    Header {
        /// The file.
        path: PathBuf,
        /// Error of its first line.
        source: HeaderError,
    },
    /// A snapshot without files.
    #[error("the lease file set has no files; start Kea once")]
    Empty,
    /// The current file is empty, or its header is not complete, where leases are known already.
    #[error(
        "{0}: has no complete header: a program emptied it, or Kea is about to write it; restart Kea if it stays so"
    )]
    Headless(PathBuf),
    /// A file cannot be read, or became shorter meanwhile.
    #[error(
        "{path}: {source}; check the disk, and that nothing but Kea writes to the file",
        path = path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
}

/// Opens the set and loads it on `threads` threads; begins again if a file becomes shorter or is rewritten
/// meanwhile.
///
/// Rows that Kea discards with these links are left out.
pub(super) fn load<R: Rows>(
    files: &LeaseFiles,
    request: &LoadRequest<'_>,
) -> Result<Loaded<R>, SnapshotError> {
    load_opened(|| files.open(), request)
}

/// Loads as [`load`] where nothing is known yet: other files of the set will do if the current one is
/// missing.
pub(super) fn load_first<R: Rows>(
    files: &LeaseFiles,
    request: &LoadRequest<'_>,
) -> Result<Loaded<R>, SnapshotError> {
    load_opened(|| files.open_what_is_there(), request)
}

fn load_opened<R: Rows>(
    open: impl Fn() -> Result<Snapshot, OpenError>,
    request: &LoadRequest<'_>,
) -> Result<Loaded<R>, SnapshotError> {
    let load_snapshot = |snapshot| within_room(|| load_snapshot(snapshot, request)).flatten();
    let mut result = load_snapshot(open()?);
    // A full index shows deep in other crates' threads, where an error has no way back but a panic.
    for _ in 1..ATTEMPTS_MAX {
        match result {
            Err(SnapshotError::Read { source, .. })
                // Both kinds mean that the file changed under the reader; others would come again.
                if matches!(source.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) =>
            {
                result = load_snapshot(open()?);
            }
            _ => break,
        }
    }
    result
}

/// Runs work that panics with [`NoRoomError`] where the index is full, and returns that as an error.
fn within_room<T>(work: impl FnOnce() -> T) -> Result<T, SnapshotError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| match panic.downcast::<NoRoomError>() {
        Ok(no_room) => SnapshotError::NoRoomError(*no_room),
        // Any other panic is a defect, and is passed on.
        Err(panic) => resume_unwind(panic),
    })
}

/// Loads a snapshot on `threads` threads. A last line of the current file that has no end is left for the
/// follower, as Kea may be writing it; until then its address is unreadable.
pub(super) fn load_snapshot<R: Rows>(
    snapshot: Snapshot,
    request: &LoadRequest<'_>,
) -> Result<Loaded<R>, SnapshotError> {
    load_in_chunks(snapshot, request, CHUNK_LEN)
}

fn load_in_chunks<R: Rows>(
    snapshot: Snapshot,
    request: &LoadRequest<'_>,
    chunk_len: u64,
) -> Result<Loaded<R>, SnapshotError> {
    let Snapshot { earlier: mut opened, current } = snapshot;
    let current_missing = current.is_none();
    // The current file is read last, since the newest row of an address counts.
    opened.extend(current);
    let Some((last, earlier)) = opened.split_last() else { return Err(SnapshotError::Empty) };
    let mut texts = earlier.iter().map(|file| Text::new(file, false)).collect::<Result<Vec<_>, _>>()?;
    texts.push(Text::new(last, !current_missing)?);
    let chunks = chunks(&texts, chunk_len);
    let rows = R::for_request(request, texts.iter().map(|text| text.len).sum());
    let parts = parse(&texts, &chunks, request, &rows)?;

    // Checked before the parts are joined: rows of a file that was rewritten meanwhile are worthless.
    see_unchanged(&texts, &chunks, &parts)?;

    let mut seen = Seen::default();
    for (chunk, mut part) in chunks.iter().zip(parts) {
        // Chunks count their lines from 1; only here it is known how many were before them.
        let text = &mut texts[chunk.text];
        for bad_row in &mut part.tally.first_bad_rows {
            bad_row.line += text.lines;
        }
        text.tally.add(&part.tally);
        text.lines += part.lines;
        // A chunk in the middle of a long line starts no line, and leaves the end where it was.
        text.reached = part.reached.unwrap_or(text.reached);
        seen.add(part.seen);
    }
    let &Text { columns, lines, reached: offset, growing, len, .. } = &texts[texts.len() - 1];
    let files =
        texts.into_iter().map(|text| FileTally { path: text.file.path.clone(), tally: text.tally }).collect();
    // Only a file that grows has a line to wait for; elsewhere the last line is a row.
    let half_line = growing && (columns.is_none() || offset < len);
    // A line too long for a row is not kept, but its beginning was marked.
    let text_len = if half_line && len - offset <= LINE_LEN_MAX as u64 { len - offset } else { 0 };
    let guard_len = (offset + text_len).min(GUARD_LEN as u64);
    let (mut text, mut guard) = (Vec::new(), Vec::new());
    read_at(&last.file, offset, text_len, &mut text)
        .and_then(|()| read_at(&last.file, offset + text_len - guard_len, guard_len, &mut guard))
        .map_err(|source| read_fault(last, source))?;
    let Some(current) = opened.pop() else { return Err(SnapshotError::Empty) };
    let position = Position { current, current_missing, offset, lines, columns, half_line, text, guard };
    Ok(Loaded { rows, files, position, seen })
}

/// Checks that the text read is still there: a file can be rewritten in place and be as long as before. One
/// short read a chunk, some 2,500 for 20 million leases.
fn see_unchanged(texts: &[Text<'_>], chunks: &[Chunk], parts: &[Part]) -> Result<(), SnapshotError> {
    let mut now = Vec::new();
    for (chunk, Part { sample, .. }) in chunks.iter().zip(parts) {
        let (file, len) = (texts[chunk.text].file, sample.len() as u64);
        // The same offsets are read again through the same open file.
        read_at(&file.file, chunk.end - len, len, &mut now).map_err(|source| read_fault(file, source))?;
        if now != *sample {
            let source = io::Error::new(io::ErrorKind::InvalidData, "it was rewritten while it was read");
            return Err(read_fault(file, source));
        }
    }
    Ok(())
}

/// Cuts the texts into chunks, in reading order. Rows are numbered by the bytes before them, of which each
/// row takes one at least.
fn chunks(texts: &[Text<'_>], chunk_len: u64) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut octets = 0;
    for (number, text) in texts.iter().enumerate() {
        chunks.extend(text.chunks(number, chunk_len).map(|mut chunk| {
            chunk.first_row += octets;
            chunk
        }));
        octets += text.len;
    }
    chunks
}

/// A file of the snapshot.
struct Text<'a> {
    file: &'a LeaseFile,
    /// Kea may still append to it.
    growing: bool,
    /// Empty if the header is not complete, or the file has none.
    columns: Option<Columns>,
    /// Offset of the first row.
    body: u64,
    /// Bytes in the file when loading began; later ones are the follower's.
    len: u64,
    lines: u64,
    reached: u64,
    tally: Tally,
}

/// The lines of a text that start from `start` on and before `end`.
#[derive(Clone, Copy)]
struct Chunk {
    text: usize,
    start: u64,
    end: u64,
    /// Number of its first row.
    first_row: u64,
}

/// Results of one chunk, besides its rows.
struct Part {
    seen: Seen,
    tally: Tally,
    lines: u64,
    /// The end of its last line; none if no line starts in this chunk.
    reached: Option<u64>,
    /// The last [`SAMPLE_LEN`] bytes before the chunk's end.
    sample: Vec<u8>,
}

impl<'a> Text<'a> {
    fn new(file: &'a LeaseFile, growing: bool) -> Result<Self, SnapshotError> {
        let metadata = file.file.metadata().map_err(|source| read_fault(file, source))?;
        let len = metadata.len();
        let mut head = vec![0; HEADER_LEN_MAX.min(usize::try_from(len).unwrap_or(usize::MAX))];
        file.file.read_exact_at(&mut head, 0).map_err(|source| read_fault(file, source))?;
        let header = |source| SnapshotError::Header { path: file.path.clone(), source };
        let blank_lines = Columns::blank_lines(&head);
        let first = &head[blank_lines..];
        let line_end = match memchr(b'\n', first) {
            Some(end) => Some(end),
            // A first line that does not end within this bound is no header.
            None if head.len() == HEADER_LEN_MAX => return Err(header(HeaderError::Endless)),
            // Kea may be writing the header at this moment.
            None if first.is_empty() || growing && Columns::may_begin(first) => None,
            // All there is, is this line: a header, or no lease file.
            None => Some(first.len()),
        };
        let columns = line_end.map(|end| Columns::from_header(&first[..end])).transpose().map_err(header)?;
        let body = line_end.map_or(0, |end| len.min((blank_lines + end) as u64 + 1));
        let lines = columns.map_or(0, |_| blank_lines as u64 + 1);
        Ok(Self { file, growing, columns, body, len, lines, reached: body, tally: Tally::default() })
    }

    fn chunks(&self, text: usize, chunk_len: u64) -> impl Iterator<Item = Chunk> + use<> {
        // Without header there is nothing to cut.
        let (body, len) = if self.columns.is_some() { (self.body, self.len) } else { (0, 0) };
        let starts = (0..).map(move |chunk| body + chunk * chunk_len).take_while(move |&start| start < len);
        starts.map(move |start| Chunk { text, start, end: len.min(start + chunk_len), first_row: start })
    }

    /// Appends the rows of a chunk to `batch`.
    fn parse(
        &self,
        (columns, links): (Columns, &Links),
        chunk: Chunk,
        buffer: &mut Vec<u8>,
        batch: &mut Batch,
        known: &mut Known,
    ) -> io::Result<Part> {
        // One byte more in front tells whether a line starts right at the chunk's start.
        let from = if chunk.start == self.body { chunk.start } else { chunk.start - 1 };
        read_at(&self.file.file, from, chunk.end - from, buffer)?;
        let skipped = match memchr(b'\n', buffer) {
            // A line that starts in the chunk before is read there, whole.
            _ if from == chunk.start => 0,
            Some(line_end) => line_end + 1,
            // The whole chunk lies within one line.
            None => buffer.len(),
        };
        let sample = buffer[buffer.len().saturating_sub(SAMPLE_LEN)..].to_vec();
        let mut part =
            Part { seen: Seen::default(), tally: Tally::default(), lines: 0, reached: None, sample };
        if skipped == buffer.len() {
            return Ok(part);
        }
        // The last line of a chunk is read to its end, which lies in the next one.
        let last_line_end = self.read_to_line_end(chunk.end, buffer)?;
        let mut lines = Lines::checked(columns, links);
        let taken = skipped + lines.take(&buffer[skipped..], usize::MAX, batch);
        let mut reached = from + taken as u64;
        if taken < buffer.len() && (last_line_end.is_some() || !self.growing) {
            // Too long for the buffer, or without end in a file that is not written any more: Kea takes it as
            // a row.
            lines.take_line(&buffer[taken..], batch);
            reached = last_line_end.unwrap_or(self.len);
        } else if taken < buffer.len() {
            // The row may change its address once it is whole: until then no reply says who holds it.
            mark_unreadable(&buffer[taken..], batch);
        }
        part.reached = Some(reached);
        part.lines = lines.count;
        part.tally = lines.take_tally();
        part.seen.note(batch, known);
        Ok(part)
    }

    /// Reads on from `end` to the end of the line that the buffer ends in, and returns that, if it has one.
    ///
    /// Keeps just so much of a line longer than [`LINE_LEN_MAX`] that it is seen to be longer.
    fn read_to_line_end(&self, mut end: u64, buffer: &mut Vec<u8>) -> io::Result<Option<u64>> {
        let line_start = memrchr(b'\n', buffer).map_or(0, |line_end| line_end + 1);
        if line_start == buffer.len() {
            return Ok(Some(end));
        }
        let mut extension = Vec::new();
        while end < self.len {
            read_at(&self.file.file, end, EXTENSION_LEN.min(self.len - end), &mut extension)?;
            let line_end = memchr(b'\n', &extension).map(|line_end| line_end + 1);
            let piece = &extension[..line_end.unwrap_or(extension.len())];
            end += piece.len() as u64;
            // Beyond the limit the text is only counted: a file without line ends must not fill memory.
            if buffer.len() - line_start <= LINE_LEN_MAX {
                buffer.extend_from_slice(piece);
            }
            if line_end.is_some() {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }
}

/// Parses all chunks, in any order, hands their rows over, and returns their parts in theirs.
fn parse(
    texts: &[Text<'_>],
    chunks: &[Chunk],
    &LoadRequest { links, threads, .. }: &LoadRequest<'_>,
    rows: &impl Rows,
) -> Result<Vec<Part>, SnapshotError> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut parts = Vec::new();
        let (mut buffer, mut batch, mut known) = (Vec::new(), Batch::new(), Known::new());
        // Threads take chunks as they come free: their costs differ by a factor of two or more.
        while let position = next.fetch_add(1, Ordering::Relaxed)
            && let Some(&chunk) = chunks.get(position)
        {
            let text = &texts[chunk.text];
            // A file without header has no rows.
            let Some(columns) = text.columns else { continue };
            // The batch keeps its memory from chunk to chunk.
            batch.clear();
            let part = text
                .parse((columns, links), chunk, &mut buffer, &mut batch, &mut known)
                .map_err(|source| read_fault(text.file, source))?;
            rows.take(chunk.first_row, &mut batch);
            parts.push((position, part));
        }
        Ok::<_, SnapshotError>(parts)
    };
    let mut parts = std::thread::scope(|scope| {
        // Little address space may have room for fewer threads than wanted; this one is always there.
        let spawn = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
        let workers: Vec<_> = (1..threads.get().min(chunks.len())).map_while(spawn).collect();
        // This thread works too, so that a load without room for threads still ends.
        let mut parts = work()?;
        for worker in workers {
            parts.extend(worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok::<_, SnapshotError>(parts)
    })?;
    // Chunks end in any order, and line numbers are summed in theirs.
    parts.sort_unstable_by_key(|&(position, _)| position);
    Ok(parts.into_iter().map(|(_, part)| part).collect())
}

fn read_at(file: &File, offset: u64, len: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.resize(usize::try_from(len).map_err(io::Error::other)?, 0);
    // A short read is an error: the file has become shorter.
    file.read_exact_at(buffer, offset)
}

fn read_fault(file: &LeaseFile, source: io::Error) -> SnapshotError {
    SnapshotError::Read { path: file.path.clone(), source }
}

#[cfg(test)]
pub(super) mod tests;

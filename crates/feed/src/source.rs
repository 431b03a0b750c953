//! The interface of lease sources: one trait, and the types that pass through it.
//!
//! Nothing here names files. `DESIGN.md` compares this shape with others; `kea_memfile` is the first
//! implementor.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::net::Ipv6Addr;
use std::num::NonZeroUsize;
use std::ops::AddAssign;
use std::task::Waker;
use std::time::{Duration, Instant};

use lqd_index::{Batch, Links, Loader};

use crate::subnet_numbers::SourceSubnets;

/// A source of leases: a snapshot first, then each change, in the source's order.
///
/// One thread calls it. After a load, [`Self::poll`] goes on where that ended; before the first one, and
/// whenever changes alone cannot be right, it asks for a load.
pub trait LeaseSource: Send {
    /// Loads a snapshot of all leases, without those that the server discards with the links of the request.
    ///
    /// # Errors
    /// The source stays as it was: polls go on where they were.
    fn load(&mut self, request: &LoadRequest<'_>) -> Result<Loaded, LoadError>;

    /// Waits for changes, up to `timeout`. Returns at once when there are some, when [`Status::trouble`] or
    /// [`Status::is_incomplete`] changes, or when the waker is used.
    fn poll(&mut self, timeout: Duration) -> Step<'_>;

    /// Returns the state of the source; called once the changes of the last poll are applied.
    fn status(&mut self) -> Status;

    /// Returns the handle by which another thread ends a wait in [`Self::poll`]: the present one, or else the
    /// next.
    fn waker(&self) -> Waker;

    /// Returns the prerequisite of a first load that does not exist yet; a source that never has to be waited
    /// for keeps this default.
    fn missing(&self) -> Option<Missing> {
        None
    }
}

/// Name of a source, or of one of the parts that it keeps its leases in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceName {
    /// Kind in an operator's words, as in "the lease file is gone".
    pub kind: &'static str,
    /// Path, URL or the like; no two sources have the same.
    pub place: String,
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// Terms of a load.
#[derive(Clone, Copy, Debug)]
pub struct LoadRequest<'a> {
    /// The links of this source, with its own subnet ids.
    pub links: &'a Links,
    /// Threads to load on.
    pub threads: NonZeroUsize,
    /// Leases are known already: a snapshot that may be a part of all leases is an error.
    pub replaces: bool,
    subnets: Option<&'a SourceSubnets>,
}

impl<'a> LoadRequest<'a> {
    /// A load outside of a feed: leases keep the subnet ids of the source.
    pub fn new(links: &'a Links, threads: NonZeroUsize, replaces: bool) -> Self {
        Self { links, threads, replaces, subnets: None }
    }

    pub(crate) fn numbered(self, subnets: &'a SourceSubnets) -> Self {
        Self { subnets: Some(subnets), ..self }
    }

    /// Makes the rows of the snapshot, to be filled by the source; `text_bytes`: size of their text, which
    /// counts where address space is limited, or 0.
    pub fn rows(&self, text_bytes: u64) -> SnapshotRows {
        SnapshotRows { loader: Loader::for_text(text_bytes), subnets: self.subnets.cloned() }
    }
}

/// Rows of a snapshot, on their way into the index.
#[derive(Default)]
pub struct SnapshotRows {
    loader: Loader,
    subnets: Option<SourceSubnets>,
}

impl SnapshotRows {
    /// Takes the rows of a batch from any thread, as [`Loader::take`] does; their subnet ids are replaced by
    /// numbers that no other source has.
    pub fn take(&self, first: u64, batch: &mut Batch) {
        if let Some(subnets) = &self.subnets {
            // Renumbered by the loading threads in parallel, as the index takes rows of one numbering only.
            subnets.renumber(batch);
        }
        self.loader.take(first, batch);
    }

    /// Returns the rows as the index takes them.
    pub fn into_loader(self) -> Loader {
        self.loader
    }
}

/// Leases of a snapshot.
pub struct Loaded {
    /// The leases; made by [`LoadRequest::rows`].
    pub rows: SnapshotRows,
    /// Rows read from each part of the source, in reading order.
    pub parts: Vec<Part>,
    /// Subnets and an example among the leases.
    pub seen: Seen,
    /// Faults of this snapshot that an operator should know of, in whole sentences.
    pub warnings: Vec<String>,
}

/// A part of a source, such as one file of a set, and its rows.
#[derive(Clone, Debug)]
pub struct Part {
    /// The part.
    pub name: SourceName,
    /// Counts of its rows.
    pub tally: RowTally,
}

/// Subnets and an example among the leases of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Subnet ids that leases name.
    pub subnet_ids: BTreeSet<u32>,
    /// The address of a lease, to try a query with: the first of the snapshot.
    pub example: Option<Ipv6Addr>,
}

/// Counts of rows by result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowTally {
    /// Rows that became changes.
    pub rows: u64,
    /// Rows that were skipped.
    pub bad_rows: u64,
    /// The first few of these.
    pub first_bad_rows: Vec<SkippedRow>,
    /// Options that were left out of leases.
    pub left_out: LeftOut,
}

/// A row that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRow {
    /// Position in the part, such as `line 3`.
    pub at: String,
    /// The reason.
    pub error: String,
}

/// Counts of options left out of leases, because their data in the source cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// The client's name is no domain name (OPTION_CLIENT_FQDN).
    pub client_fqdn: u64,
    /// The link-layer address, its type or its origin cannot be read, or it is too long
    /// (OPTION_CLIENT_LINKLAYER_ADDR).
    pub link_layer_address: u64,
    /// The relay information is incomplete (OPTION_LQ_RELAY_DATA).
    pub relay_data: u64,
}

impl AddAssign for LeftOut {
    fn add_assign(&mut self, other: Self) {
        self.client_fqdn += other.client_fqdn;
        self.link_layer_address += other.link_layer_address;
        self.relay_data += other.relay_data;
    }
}

/// Result of one poll.
#[derive(Debug)]
pub enum Step<'a> {
    /// Rows were read.
    Rows {
        /// The changes; none if all rows were faulty. A batch is applied in some milliseconds.
        batch: &'a mut Batch,
        /// Counts of these rows.
        tally: RowTally,
    },
    /// Nothing to do: time is over, the state changed, or the waker was used.
    Idle,
    /// The leases can only be known from a new load, for this reason. As long as that holds, polls say so
    /// again.
    Reload(String),
}

/// State of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The source.
    pub source: SourceName,
    /// The source had handed over all its changes at this moment; `None` before the first load.
    pub caught_up: Option<Instant>,
    /// The source holds other leases than those handed over, or will when a write in progress is complete.
    pub is_incomplete: bool,
    /// Backlog: changes that the source holds and has not handed over yet, in a unit of its own.
    pub backlog: Figure,
    /// The reason why there may be changes that are not seen.
    pub trouble: Option<Trouble>,
    /// Figures that this kind of source alone has.
    pub detail: Vec<Figure>,
}

/// A reason why there may be changes that are not seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Text of the state.
    pub text: String,
    /// Consequence or remedy, which the log adds to the text.
    pub advice: Option<&'static str>,
    /// Whether the operator has to fix it.
    pub is_error: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.advice.map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

/// A figure for metrics and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Key in the status.
    pub key: &'static str,
    /// Name of the metric: a counter if that ends with `_total`, else a gauge.
    pub metric: &'static str,
    /// Help text of the metric.
    pub help: &'static str,
    /// The value.
    pub value: FigureValue,
}

/// Value of a [`Figure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureValue {
    /// A number.
    Count(u64),
    /// A flag: 1 or 0 as a metric.
    Flag(bool),
}

/// Missing prerequisite of a first load, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The place of the leases, which the sandbox does not reach if it is made later.
    Place(String),
    /// The leases.
    Leases(String),
}

/// The reason why a source cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The next attempt may succeed without the operator's help.
    #[error(transparent)]
    Passing(Box<dyn Error + Send + Sync>),
    /// The operator has to fix something first.
    #[error(transparent)]
    Lasting(Box<dyn Error + Send + Sync>),
}

//! Kea's lease file (memfile, `kea-leases6.csv`): first load, then following it live.
//!
//! Kea appends one row for each event to a text file and now and then compacts it. `load` reads the whole
//! set of files as one consistent snapshot; `Follower` then turns each appended row into a change, across
//! the renaming that compaction brings, or says that only a new load can be right. Neither locks, writes or
//! asks Kea anything.
//!
//! ```text
//! columns  the header: which schema a file has       row      one row → one change
//! text, ipv6, fqdn, json, relay_info  parts of a row  lines    text → rows, counted
//! files    the set and its reading order             load     the first load, in parallel
//! follow   appended rows, rotation, replacement      currency how old the leases are
//! source   all of these as one lease source
//! ```
//!
//! Kea's control channel (`lease6-get-all`) would be the other way to the same leases; it needs a hook
//! library, blocks Kea while it answers, and reports no changes.

mod columns;
mod currency;
mod files;
mod follow;
mod fqdn;
mod ipv6;
mod json;
mod lines;
mod load;
mod relay_info;
mod row;
mod source;
mod text;

pub use columns::{Column, Columns, HeaderError};
pub(crate) use files::FileId;
use lines::LINE_LEN_MAX;
pub use row::{RowError, RowErrorKind, RowParser};
pub use source::KeaMemfile;

//! What workers count, and how it is shown.
//!
//! ```text
//! Counters   numbers by position           Top         who asks most, in bounded memory
//! Histogram  times, log-linear             Exposition  Prometheus text
//! ```
//! Each of the first three has one writing thread and any number of readers. The writer takes no lock, executes no
//! locked instruction and shares no cache line with another writer; a reader gets each number as it was at some
//! moment of the call.
#![forbid(unsafe_code)]

mod counters;
mod exposition;
mod histogram;
mod top;

pub use counters::Counters;
pub use exposition::{Exposition, Family, Kind};
pub use histogram::{Distribution, Histogram};
pub use top::{Entry, Top};

//! Observation of the running server: metrics, status, page, query log and discarded datagrams.
//!
//! ```text
//! state    counters and state of the program     admin    the admin port: HTTP
//! scrape   all numbers at one moment             metrics  a scrape as Prometheus text
//! census   leases by link                        status   a scrape as JSON
//! process  CPU and memory of the process         taps     query log, discarded datagrams
//! bulk     counters of bulk leasequery            tls      certificates in use, and their renewal
//! active   the change log and its readers
//! ```

pub(crate) mod active;
pub(crate) mod admin;
pub(crate) mod bulk;
mod census;
mod metrics;
mod process;
mod scrape;
pub(crate) mod state;
mod status;
pub(crate) mod taps;
pub(crate) mod tls;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns the time since 1970-01-01 UTC; 0 before.
pub(crate) fn unix_time(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

//! CPU time and memory of the server, on this host.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::error::Error;
use crate::run::cpu;

/// CPU time and memory of the server, at a moment or over the run.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Server {
    #[serde(rename = "cpu_s", serialize_with = "seconds")]
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: u64,
    /// Growth of the resident memory over the run.
    pub(crate) grown_bytes: i64,
}

fn seconds<S: serde::Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(time.as_secs_f64())
}

impl Server {
    /// Reads the figures of this moment.
    pub(crate) fn look(pid: u32) -> Result<Self, Error> {
        let path = format!("/proc/{pid}/statm");
        let text = std::fs::read_to_string(&path).map_err(Error::file(Path::new(&path)))?;
        let pages: Option<u64> = text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok());
        let resident_bytes = pages.unwrap_or_default() * rustix::param::page_size() as u64;
        Ok(Self { cpu: cpu::of_process(pid)?, resident_bytes, grown_bytes: 0 })
    }

    /// Returns the figures from `self` to a later moment.
    pub(crate) fn until(self, later: Self) -> Self {
        let grown_bytes = later.resident_bytes.cast_signed() - self.resident_bytes.cast_signed();
        Self { cpu: later.cpu.saturating_sub(self.cpu), grown_bytes, ..later }
    }
}

//! CPU, memory and open files of this process, as Prometheus client libraries report them.

use std::fs;

/// Clock ticks per second in /proc, 100 on every Linux (proc(5), USER_HZ).
const TICKS: f64 = 100.0;

/// Resources of this process; 0 without /proc.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// CPU time of all threads, in seconds.
    pub(super) cpu_seconds: f64,
    /// Resident memory in bytes.
    pub(super) resident_bytes: u64,
    /// Open files.
    pub(super) open_files: usize,
}

impl Process {
    /// Reads the present values.
    pub(super) fn read() -> Self {
        Self {
            cpu_seconds: cpu_seconds().unwrap_or_default(),
            resident_bytes: resident_bytes().unwrap_or_default(),
            open_files: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        }
    }
}

/// Reads `utime` and `stime`, fields 14 and 15 of /proc/self/stat; the second field is in brackets and may
/// hold anything.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11..13)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(ticks as f64 / TICKS)
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

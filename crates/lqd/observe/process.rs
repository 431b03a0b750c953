//! CPU, memory and files of this process, under the names that every Prometheus client library gives them.

use std::fs;

/// Clock ticks of a second in /proc: 100 on every Linux, whatever its timer does (proc(5), USER_HZ).
const TICKS: f64 = 100.0;

/// What the kernel says of this process; 0 where /proc is not there.
#[derive(Debug, Default)]
pub(super) struct Process {
    /// Seconds on a CPU, of all threads.
    pub(super) cpu_seconds: f64,
    /// Resident octets.
    pub(super) resident_octets: u64,
    /// Open files.
    pub(super) open_files: usize,
}

impl Process {
    /// As it is now.
    pub(super) fn look() -> Self {
        Self {
            cpu_seconds: cpu_seconds().unwrap_or_default(),
            resident_octets: resident_octets().unwrap_or_default(),
            open_files: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
        }
    }
}

/// `utime` and `stime`, fields 14 and 15 of /proc/self/stat; the second is in brackets and may hold anything.
fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(11..13)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(ticks as f64 / TICKS)
}

fn resident_octets() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

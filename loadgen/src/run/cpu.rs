//! CPU time of the server's process, from `/proc/PID/stat` (proc_pid_stat(5)).
//!
//! Its unit is a clock tick, 10 ms: over a run of seconds that is less than the variation between runs. On
//! one host, part of the kernel's work for a server is done and counted in the sender of the queries, so this
//! is the cost of the *server* only.

use std::time::Duration;

use crate::error::Error;

/// Positions of utime and stime after the command's closing parenthesis, where the state is the first field.
const UTIME: usize = 11;
const STIME: usize = 12;

/// An error in reading the CPU time of a process.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    #[error("there is no such process")]
    Missing,
    #[error(transparent)]
    Read(std::io::Error),
    #[error("/proc/PID/stat has another format than proc_pid_stat(5)")]
    Format,
}

/// Returns the user and system CPU time of all threads so far.
pub(crate) fn of_process(pid: u32) -> Result<Duration, Error> {
    let error = |source| Error::ServerPid { pid, source };
    let stat =
        // A server that has ended is the usual error, and gets its own text.
        std::fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => error(ProcessError::Missing),
            _ => error(ProcessError::Read(source)),
        })?;
    let ticks = ticks(&stat).ok_or_else(|| error(ProcessError::Format))?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn ticks(stat: &str) -> Option<u64> {
    // The command may contain spaces and parentheses; only numbers follow its last one.
    let (_, fields) = stat.rsplit_once(')')?;
    let field = |place| fields.split_ascii_whitespace().nth(place)?.parse::<u64>().ok();
    // System time counts: receiving and sending are most of a server's work.
    field(UTIME)?.checked_add(field(STIME)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_after_any_command() {
        let stat = "4242 (a) b (c)) S 1 4242 4242 0 -1 4194560 100 0 0 0 700 42 0 0 20 0 3 0 99 1000 200";
        assert_eq!(ticks(stat), Some(742));
        assert_eq!(ticks("4242 (cut) S 1 4242"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn cpu_time_grows_and_an_unknown_process_is_an_error() {
        let before = of_process(std::process::id()).unwrap();
        // The clock ticks at 100 Hz, so the loop waits for a tick.
        while of_process(std::process::id()).unwrap() == before {
            std::hint::black_box(vec![1_u8; 1 << 16]);
        }
        let error = of_process(u32::MAX).unwrap_err().to_string();
        assert_eq!(error, "--server-pid 4294967295: there is no such process");
    }
}

//! CPU time of the server's process, from `/proc/PID/stat` (proc_pid_stat(5)).
//!
//! In steps of a clock tick, 10 ms: over a run of seconds that is less than the runs scatter. On one host,
//! part of the kernel's work for a server is done, and counted, in the sender of the queries; so this is what
//! the *server* costs.

use std::time::Duration;

use crate::fault::Fault;

/// Place of utime and stime after the command's closing parenthesis; the state is the first there.
const UTIME: usize = 11;
const STIME: usize = 12;

/// User and system CPU time of all threads so far.
pub(crate) fn of_process(pid: u32) -> Result<Duration, Fault> {
    let fault = |what: String| Fault::ServerPid { pid, what };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => fault("there is no such process".to_owned()),
        _ => fault(error.to_string()),
    })?;
    let ticks =
        ticks(&stat).ok_or_else(|| fault("/proc/PID/stat is not as proc_pid_stat(5) says".to_owned()))?;
    Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
}

fn ticks(stat: &str) -> Option<u64> {
    // The command may hold spaces and parentheses itself; after its last one there are only numbers.
    let (_, fields) = stat.rsplit_once(')')?;
    let field = |place| fields.split_ascii_whitespace().nth(place)?.parse::<u64>().ok();
    field(UTIME)?.checked_add(field(STIME)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_command() {
        let stat = "4242 (a) b (c)) S 1 4242 4242 0 -1 4194560 100 0 0 0 700 42 0 0 20 0 3 0 99 1000 200";
        assert_eq!(ticks(stat), Some(742));
        assert_eq!(ticks("4242 (cut) S 1 4242"), None);
        assert_eq!(ticks(""), None);
    }

    #[test]
    fn this_process_has_used_some_and_there_is_no_last_one() {
        let before = of_process(std::process::id()).unwrap();
        while of_process(std::process::id()).unwrap() == before {
            std::hint::black_box(vec![1_u8; 1 << 16]);
        }
        let fault = of_process(u32::MAX).unwrap_err().to_string();
        assert_eq!(fault, "--server-pid 4294967295: there is no such process");
    }
}

//! Standard output and error that block or fail: a full disk, a closed pipe, a pipe whose reader stopped
//! reading.

use std::fs::{self, File};
use std::net::SocketAddrV6;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use crate::cli::{await_reply, by_address, fixture, held_by, lease};
use crate::support::http::{await_readyz, get_unix};
use crate::support::lqd::{PROGRAM, Until, free_port, signal};
use crate::support::{Fixture, Lqd, Requestor};

const ADDRESS: &str = "2001:db8:1::1";

pub fn trials() -> Vec<Trial> {
    tests! {
        standard_output_full_or_closed,
        standard_error_full,
        standard_error_closed,
        log_reader_stops_reading,
        query_log_lines_are_whole,
        lost_lines_are_counted_and_logged,
    }
}

fn standard_error_full() -> Result<(), Failed> {
    serves_with(File::create("/dev/full")?.into())
}

fn standard_error_closed() -> Result<(), Failed> {
    serves_with(closed_pipe()?)
}

/// Returns a pipe without reader.
fn closed_pipe() -> Result<Stdio, Failed> {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    Ok(writer.into())
}

/// A server whose log is not read; drop kills it.
struct Server(Child);

impl Server {
    fn start(fixture: &Fixture, flags: &[&str], stderr: Stdio) -> Result<(Self, Requestor), Failed> {
        // Asked for beforehand, as there is no log to name it.
        let address: SocketAddrV6 = format!("[::1]:{}", free_port()).parse()?;
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", &address.to_string()]).args(fixture.flags()).args(flags);
        // Its log goes where no test can read it.
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn()?;
        let mut server = Self(child);
        let requestor = Requestor::new(address);
        let until = Until::patience();
        let mut answered = false;
        while !answered {
            requestor.send(&by_address(ADDRESS));
            answered = requestor.receive(Duration::from_millis(100)).is_some();
            // A server that ended would never answer.
            let ended = server.0.try_wait()?;
            assert!(ended.is_none() && (answered || until.pending()), "it does not answer: {ended:?}");
        }
        Ok((server, requestor))
    }

    /// Sends SIGTERM, and returns the exit code.
    fn stop(mut self) -> Result<Option<i32>, Failed> {
        signal(self.0.id(), "TERM");
        let until = Until::patience();
        loop {
            // Waiting without end would hang the test.
            if let Some(status) = self.0.try_wait()? {
                return Ok(status.code());
            }
            assert!(until.pending(), "SIGTERM does not end it");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `lqd check` and `lqd --help` end with status 1 and log the cause.
fn standard_output_full_or_closed() -> Result<(), Failed> {
    let fixture = fixture();
    let check = [vec!["check".to_owned()], fixture.flags()].concat();
    for arguments in [check, vec!["--help".to_owned()], vec!["--version".to_owned()]] {
        for stdout in [Stdio::from(File::create("/dev/full")?), closed_pipe()?] {
            let mut command = Command::new(PROGRAM);
            let output = command.args(&arguments).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
            // Both at once: the output fails, and the message must come.
            let output = output.spawn()?.wait_with_output()?;
            let message = String::from_utf8(output.stderr)?;
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
            assert!(
                message.starts_with("lqd: standard output: ") && message.lines().count() == 1,
                "{message}"
            );
        }
    }
    let unloggable = Command::new(PROGRAM)
        .arg("serve")
        .arg("--no-such-flag")
        .stderr(File::create("/dev/full")?)
        .status()?;
    assert_eq!(unloggable.code(), Some(2), "the exit status alone tells");
    Ok(())
}

/// Queries, SIGHUP and SIGTERM work although the log fails.
fn serves_with(stderr: Stdio) -> Result<(), Failed> {
    let fixture = fixture();
    let socket = fixture.admin_socket();
    let admin = fixture.admin_flag();
    let flags = ["--query-log", "stderr", &admin];
    let (server, requestor) = Server::start(&fixture, &flags, stderr)?;
    // A broken file, so that the reload has something to log.
    fixture.write_kea_config("{ broken");
    signal(server.0.id(), "HUP");
    await_above_zero(&socket, "lqd_config_reloads_total{result=\"rejected\"}");
    for _ in 0..100 {
        assert!(requestor.ask(&by_address(ADDRESS)).is_some());
    }
    await_above_zero(&socket, "lqd_log_lines_lost_total");
    assert_eq!(server.stop()?, Some(0));
    Ok(())
}

/// More log than pipe and queue hold, and no reader: leases are followed, become stale, and fresh again.
fn log_reader_stops_reading() -> Result<(), Failed> {
    let fixture = fixture();
    let socket = fixture.admin_socket();
    let admin = fixture.admin_flag();
    // The reader stays open but never reads: writes block once the pipe is full.
    let (_reader, writer) = std::io::pipe()?;
    let flags = ["--query-log", "stderr", &admin, "--max-feed-age", "1"];
    let (server, requestor) = Server::start(&fixture, &flags, writer.into())?;
    let until = Until::patience();
    // Until even the queue of the query log is full.
    while count(&socket, "lqd_query_log_records_total{result=\"failed\"}") == 0 {
        for _ in 0..1_000 {
            assert!(requestor.ask(&by_address(ADDRESS)).is_some());
        }
        assert!(until.pending(), "the log is not full");
    }
    let leases = fs::read_to_string(fixture.leases())?;
    fs::remove_file(fixture.leases())?;
    let readiness = |wanted: u16| await_readyz(&socket, |ready| ready.status == wanted);
    readiness(503);
    fs::write(fixture.leases(), leases + &fixture.rows(&lease("50", "50")))?;
    readiness(200);
    await_reply(&requestor, &by_address("2001:db8:1::50"), &held_by("50", "2001:db8:1::50"));
    signal(server.0.id(), "HUP");
    await_above_zero(&socket, "lqd_config_reloads_total{result=\"applied\"}");
    assert_eq!(server.stop()?, Some(0));
    Ok(())
}

/// Returns the value of a metric; 0 until the admin port shows it, slightly later than queries are answered.
fn count(socket: &Path, name: &str) -> u64 {
    let metrics = get_unix(socket, "/metrics").body;
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0)
}

fn await_above_zero(socket: &Path, name: &str) {
    let until = Until::patience();
    // Metrics show the state a little later.
    while count(socket, name) == 0 {
        assert!(until.pending(), "{name} stays 0");
    }
}

/// Limits the size of files that the process may write; `unlimited` simulates a disk with space.
fn limit_file_size(pid: u32, limit: &str) -> Result<(), Failed> {
    // A limit on file size fails writes as a full disk does.
    let limit = format!("--fsize={limit}:unlimited");
    let status = Command::new("prlimit").args(["--pid", &pid.to_string(), &limit]).status()?;
    assert!(status.success());
    Ok(())
}

/// A disk that fills up within a line, and has space later: no line is torn.
fn query_log_lines_are_whole() -> Result<(), Failed> {
    let fixture = fixture();
    let log = fixture.directory().join("queries.log");
    let log_flag = format!("--query-log={}", log.display());
    let lqd = Lqd::start(&[fixture.flags(), vec![log_flag]].concat());
    let requestor = Requestor::new(lqd.address);
    let size = || fs::metadata(&log).map_or(0, |metadata| metadata.len());
    let grows_from = |before: u64| -> Result<(), Failed> {
        let until = Until::patience();
        while size() <= before {
            requestor.ask(&by_address(ADDRESS)).ok_or("it answers")?;
            assert!(until.pending(), "nothing is logged");
        }
        Ok(())
    };
    grows_from(0)?;
    // A little more than now, so that a line is cut.
    limit_file_size(lqd.pid(), &(size() + 2_000).to_string())?;
    let until = Until::patience();
    while lqd.line_with("query log cannot be written").is_none() {
        requestor.ask(&by_address(ADDRESS)).ok_or("it answers")?;
        assert!(until.pending(), "the disk is not full");
    }
    assert!(fs::read_to_string(&log)?.ends_with("}\n"), "the torn line is cut off");
    limit_file_size(lqd.pid(), "unlimited")?;
    grows_from(size())?;
    // Stopped first, so that every line is written.
    assert_eq!(lqd.stop(), 0);
    for line in fs::read_to_string(&log)?.lines() {
        serde_json::from_str::<serde_json::Value>(line).map_err(|fault| format!("{fault}: {line}"))?;
    }
    Ok(())
}

/// A log on a full disk: lines are whole, lost ones are counted and, once there is space, logged.
fn lost_lines_are_counted_and_logged() -> Result<(), Failed> {
    let fixture = fixture();
    let (log, socket) = (fixture.directory().join("lqd.log"), fixture.admin_socket());
    let admin = fixture.admin_flag();
    let flags = ["--log-format", "json", "--query-log", "stderr", &admin];
    let (server, requestor) = Server::start(&fixture, &flags, File::create(&log)?.into())?;
    let ask_until = |wanted: &str, done: &dyn Fn() -> bool| {
        let until = Until::patience();
        while !done() {
            assert!(
                requestor.ask(&by_address(ADDRESS)).is_some() && until.pending(),
                "{wanted} does not come"
            );
        }
    };
    let limit = fs::metadata(&log)?.len() + 2_030;
    limit_file_size(server.0.id(), &limit.to_string())?;
    ask_until("a lost line", &|| count(&socket, "lqd_log_lines_lost_total") > 0);
    // The kernel wrote as much as fitted.
    assert_eq!(fs::metadata(&log)?.len(), limit, "full in the middle of a line, or at its end");
    limit_file_size(server.0.id(), "unlimited")?;
    ask_until("the line about it", &|| {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("log lines lost"))
    });
    assert_eq!(server.stop()?, Some(0));
    for line in fs::read_to_string(&log)?.lines() {
        serde_json::from_str::<serde_json::Value>(line).map_err(|fault| format!("{fault}: {line}"))?;
    }
    Ok(())
}

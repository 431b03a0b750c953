//! Files that hang: a pipe without a writer in place of the configuration; reads of the lease file that
//! strace delays for longer than any test waits.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use libtest_mimic::{Failed, Trial};

use crate::cli::{
    KEA_CONFIG, assert_reply, await_reply, by_address, fixture, held_by, lease, with_second_subnet,
};
use crate::support::http::await_readyz;
use crate::support::lqd::{PATIENCE, PROGRAM, add_serve, signal};
use crate::support::{Fixture, Lqd, Requestor, Until};

const ADDRESS: &str = "2001:db8:1::1";

/// Longer than [`PATIENCE`], so that no delayed read returns during a test.
const HOLD_READS: &str = "inject=pread64:delay_enter=600000000";

pub fn trials() -> Vec<Trial> {
    tests! {
        sigterm_while_configuration_is_read,
        hanging_configuration_blocks_only_the_reload,
        reload_completes_once_the_file_answers;
        in namespace: sigterm_during_first_load needs Strace, hanging_lease_file_blocks_only_feed_and_reload needs Strace,
    }
}

/// Replaces the configuration by a pipe without a writer.
fn hang_configuration(fixture: &Fixture) -> Result<(), Failed> {
    // Opening a FIFO without writer blocks for ever.
    fs::remove_file(fixture.kea_config())?;
    assert!(Command::new("mkfifo").arg(fixture.kea_config()).status()?.success());
    Ok(())
}

fn start(command: &mut Command) -> Result<Child, Failed> {
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?)
}

/// Waits until the process catches SIGTERM.
fn await_signals(pid: u32) {
    let catches = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        // The kernel's own list of caught signals.
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
        u64::from_str_radix(caught.trim(), 16).is_ok_and(|caught| caught & 1 << (15 - 1) != 0)
    };
    let until = Until::patience();
    while !catches() {
        assert!(until.pending(), "lqd does not catch SIGTERM");
    }
}

/// SIGTERM ends the process in order although it waits, and the log names the cause.
fn ends_at_sigterm(mut child: Child, strace: Option<Strace>, waiting_for: &str) -> Result<(), Failed> {
    signal(child.id(), "TERM");
    // The process is left to no later test.
    if !is_over(child.id()) {
        child.kill()?;
        return Err("SIGTERM does not end it".into());
    }
    drop(strace); // a traced thread ends only after its tracer has noticed
    let output = child.wait_with_output()?;
    let log = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.contains("stopping before the start is complete") && log.contains(waiting_for), "{log}");
    Ok(())
}

/// Waits until the child has ended, even if it is still traced.
fn is_over(pid: u32) -> bool {
    // A traced process stays a zombie until its tracer has read its status.
    let until = Until::patience();
    let status = || fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    while !status().contains("State:\tZ") && until.pending() {}
    status().contains("State:\tZ")
}

fn sigterm_while_configuration_is_read() -> Result<(), Failed> {
    let fixture = fixture();
    hang_configuration(&fixture)?;
    let socket = fixture.admin_socket();
    let mut command = Command::new(PROGRAM);
    add_serve(&mut command, &[fixture.flags(), vec![fixture.admin_flag()]].concat());
    let child = start(&mut command)?;
    // SIGTERM before the handlers are set would just kill it.
    await_signals(child.id());
    ends_at_sigterm(child, None, "waiting_for=\"Kea's configuration\"")?;
    assert!(!socket.exists(), "the admin port's socket is removed");
    Ok(())
}

/// The load cannot complete: each of its reads takes longer than the test waits.
fn sigterm_during_first_load() -> Result<(), Failed> {
    let fixture = fixture();
    let text = fs::read(fixture.kea_config())?;
    hang_configuration(&fixture)?;
    let mut command = Command::new(PROGRAM);
    add_serve(&mut command, &fixture.flags());
    let child = start(&mut command)?;
    await_signals(child.id());
    let strace = hold_reads(child.id(), Path::new(&format!("/proc/{}", child.id())))?;
    fs::write(fixture.kea_config(), text)?; // starts the load
    let until = Until::patience();
    // The load must have begun, or nothing would hang.
    while !has_open(child.id(), &fixture.leases()) {
        assert!(until.pending(), "the load does not start");
    }
    ends_at_sigterm(child, Some(strace), "waiting_for=\"the lease file")
}

fn has_open(pid: u32, file: &Path) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    entries.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))
}

/// A server under a service manager with a watchdog.
struct Supervised {
    lqd: Lqd,
    requestor: Requestor,
    admin: PathBuf,
    manager: UnixDatagram,
}

impl Supervised {
    fn start(fixture: &Fixture) -> Result<Self, Failed> {
        let (admin, notify) = (fixture.admin_socket(), fixture.directory().join("notify.sock"));
        let manager = UnixDatagram::bind(&notify)?;
        let mut command = Command::new(PROGRAM);
        // Short, so that a missing keep-alive shows soon.
        command.env("NOTIFY_SOCKET", &notify).env("WATCHDOG_USEC", "400000").env_remove("WATCHDOG_PID");
        let flags = ["--max-feed-age".into(), "1".into(), fixture.admin_flag()];
        let lqd = Lqd::start_by(command, &[&flags[..], &fixture.flags()].concat());
        Ok(Self { requestor: Requestor::new(lqd.address), lqd, admin, manager })
    }

    /// Checks that watchdog keep-alives continue, and known leases are answered.
    fn assert_alive(&self) -> Result<(), Failed> {
        let mut message = [0; 128];
        self.manager.set_nonblocking(true)?;
        // Discard keep-alives sent before: only later ones count.
        while self.manager.recv(&mut message).is_ok() {}
        self.manager.set_nonblocking(false)?;
        self.manager.set_read_timeout(Some(PATIENCE))?;
        for _ in 0..5 {
            let len = self.manager.recv(&mut message)?;
            assert_eq!(&message[..len], b"WATCHDOG=1\n");
        }
        assert_reply(&self.requestor, &by_address(ADDRESS), &held_by("01", ADDRESS));
        Ok(())
    }

    fn await_readiness(&self, status: u16) {
        await_readyz(&self.admin, |ready| ready.status == status);
    }
}

/// Sends SIGHUP until one arrives during a reload, which is logged.
fn reload_twice(lqd: &Lqd) {
    let until = Until::patience();
    // A reload that is over before the second signal proves nothing.
    while lqd.line_with("a reload is still under way").is_none() {
        lqd.signal("HUP");
        assert!(until.pending(), "{}", lqd.log());
    }
}

/// A hanging reload blocks neither keep-alives, following, staleness nor SIGTERM; another SIGHUP is logged.
fn hanging_configuration_blocks_only_the_reload() -> Result<(), Failed> {
    let fixture = fixture();
    let supervised = Supervised::start(&fixture)?;
    hang_configuration(&fixture)?;
    reload_twice(&supervised.lqd);
    supervised.assert_alive()?;
    let leases = fs::read_to_string(fixture.leases())?;
    fs::remove_file(fixture.leases())?;
    supervised.await_readiness(503);
    // Following goes on while the reload hangs.
    fs::write(fixture.leases(), leases + &fixture.rows(&lease("50", "50")))?;
    supervised.await_readiness(200);
    await_reply(&supervised.requestor, &by_address("2001:db8:1::50"), &held_by("50", "2001:db8:1::50"));
    supervised.assert_alive()?;
    assert_eq!(supervised.lqd.stop(), 0);
    Ok(())
}

/// Once the file answers, the reload completes, and the one requested meanwhile follows.
fn reload_completes_once_the_file_answers() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let text = fs::read_to_string(fixture.kea_config())?;
    hang_configuration(&fixture)?;
    reload_twice(&lqd);
    // Opening blocks until lqd reads the pipe.
    let pipe = fs::OpenOptions::new().write(true).open(fixture.kea_config())?;
    let new = fixture.directory().join("new");
    fs::write(&new, with_second_subnet(&text))?;
    fs::rename(new, fixture.kea_config())?;
    std::io::Write::write_all(&mut &pipe, text.as_bytes())?;
    drop(pipe);
    let until = Until::patience();
    // Two: the one that hung, and the one asked for meanwhile.
    while lqd.log().matches("configuration applied").count() < 2 {
        assert!(until.pending(), "two reloads: {}", lqd.log());
    }
    let requestor = Requestor::new(lqd.address);
    let in_new_subnet = requestor.ask(&by_address("2001:db8:2::1")).ok_or("an answer")?;
    assert!(crate::cli::no_binding().matches(&in_new_subnet.0, &(0..=0)));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// The feed hangs in the lease file, and a reload waits for it: leases become stale, the rest works.
fn hanging_lease_file_blocks_only_feed_and_reload() -> Result<(), Failed> {
    let fixture = fixture();
    let supervised = Supervised::start(&fixture)?;
    supervised.await_readiness(200);
    let held = hold_feed(supervised.lqd.pid())?;
    supervised.await_readiness(503);
    fixture.write_kea_config(&with_second_subnet(KEA_CONFIG));
    reload_twice(&supervised.lqd);
    supervised.assert_alive()?;
    // Sent while both feed and reload hang.
    supervised.lqd.signal("TERM");
    assert!(is_over(supervised.lqd.pid()), "SIGTERM does not end it");
    drop(held);
    assert_eq!(supervised.lqd.exit_code(), 0);
    Ok(())
}

/// Delays all further reads of the thread that follows the lease file.
fn hold_feed(pid: u32) -> Result<Strace, Failed> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?.flatten().map(|task| task.path());
    let is_feed =
        |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "lqd-feed\n");
    // Only the feed must hang, not the threads that reload and serve.
    let feed = tasks.into_iter().find(is_feed).ok_or("a thread that follows")?;
    let tid = feed.file_name().and_then(|name| name.to_str()).ok_or("a number")?;
    hold_reads(tid.parse()?, &feed)
}

/// Delays all further reads of a thread, and of threads that it starts.
fn hold_reads(tid: u32, in_proc: &Path) -> Result<Strace, Failed> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qqq", "-o", "/dev/null", "-p", &tid.to_string(), "-e", "trace=pread64"]);
    let strace = Strace(command.args(["-e", HOLD_READS]).stdin(Stdio::null()).spawn()?);
    let until = Until::patience();
    // strace attaches a moment after it starts.
    while fs::read_to_string(in_proc.join("status"))?.contains("TracerPid:\t0\n") {
        assert!(until.pending(), "strace does not trace it");
    }
    Ok(strace)
}

/// A running strace; drop kills it.
struct Strace(Child);

impl Drop for Strace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

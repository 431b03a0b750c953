//! Files that never answer: a pipe without a writer in place of the configuration, and reads of the lease file that
//! strace holds up for longer than any test waits.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use libtest_mimic::{Failed, Trial};

use crate::cli::{KEA_CONFIG, assert_reply, await_reply, by_address, fixture, held_by, lease};
use crate::support::http::get_unix;
use crate::support::lqd::{PATIENCE, PROGRAM, free_port};
use crate::support::namespace::namespace_trial;
use crate::support::{Fixture, Lqd, Need, Requestor, Until};

const ADDRESS: &str = "2001:db8:1::1";

/// Longer than [`PATIENCE`]: whatever waits for such a read has not got it when a test ends.
const HOLD_READS: &str = "inject=pread64:delay_enter=600000000";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test(
            "faults::hanging::sigterm_while_configuration_is_read",
            sigterm_while_configuration_is_read,
        ),
        // In a namespace, which ends with all that strace would leave behind.
        namespace_trial(
            "faults::hanging::sigterm_during_first_load",
            &[Need::Strace],
            sigterm_during_first_load,
        ),
        Trial::test("faults::hanging::configuration_at_reload", configuration_at_reload),
        Trial::test("faults::hanging::reload_is_completed_later", reload_is_completed_later),
        namespace_trial("faults::hanging::lease_file_at_reload", &[Need::Strace], lease_file_at_reload),
    ]
}

/// A pipe that nobody writes to takes the configuration's place.
fn hang_configuration(fixture: &Fixture) -> Result<(), Failed> {
    fs::remove_file(fixture.kea_config())?;
    assert!(Command::new("mkfifo").arg(fixture.kea_config()).status()?.success());
    Ok(())
}

fn start(command: &mut Command) -> Result<Child, Failed> {
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?)
}

/// Waits until the process has SIGTERM delivered to itself.
fn await_signals(pid: u32) {
    let catches = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
        u64::from_str_radix(caught.trim(), 16).is_ok_and(|caught| caught & 1 << (15 - 1) != 0)
    };
    let until = Until::patience();
    while !catches() {
        assert!(until.pending(), "lqd does not catch SIGTERM");
    }
}

/// SIGTERM ends it in order although what it waits for does not come; it says what that is.
fn ends_at_sigterm(mut child: Child, strace: Option<Strace>, waiting_for: &str) -> Result<(), Failed> {
    terminate(child.id())?;
    if !is_over(child.id()) {
        child.kill()?;
        return Err("SIGTERM does not end it".into());
    }
    drop(strace); // a thread that is traced is not over before its tracer takes notice
    let output = child.wait_with_output()?;
    let log = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert!(log.contains("stopping before the start is complete") && log.contains(waiting_for), "{log}");
    Ok(())
}

fn terminate(pid: u32) -> Result<(), Failed> {
    assert!(Command::new("sh").args(["-c", &format!("kill -s TERM {pid}")]).status()?.success());
    Ok(())
}

/// Waits until our child has ended, whoever still traces it.
fn is_over(pid: u32) -> bool {
    let until = Until::patience();
    let status = || fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    while !status().contains("State:\tZ") && until.pending() {}
    status().contains("State:\tZ")
}

fn sigterm_while_configuration_is_read() -> Result<(), Failed> {
    let fixture = fixture();
    hang_configuration(&fixture)?;
    let socket = fixture.directory().join("admin.sock");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", &format!("[::1]:{}", free_port())]).args(fixture.flags());
    command.arg(format!("--admin=unix:{}", socket.display()));
    let child = start(&mut command)?;
    await_signals(child.id());
    ends_at_sigterm(child, None, "waiting_for=\"Kea's configuration\"")?;
    assert!(!socket.exists(), "the admin port's socket is removed");
    Ok(())
}

/// The load could not have ended before: each of its reads takes longer than the test waits.
fn sigterm_during_first_load() -> Result<(), Failed> {
    let fixture = fixture();
    let text = fs::read(fixture.kea_config())?;
    hang_configuration(&fixture)?;
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", &format!("[::1]:{}", free_port())]).args(fixture.flags());
    let child = start(&mut command)?;
    await_signals(child.id());
    let strace = hold_reads(child.id(), Path::new(&format!("/proc/{}", child.id())))?;
    fs::write(fixture.kea_config(), text)?; // the load begins
    let until = Until::patience();
    while !has_open(child.id(), &fixture.leases()) {
        assert!(until.pending(), "the load does not begin");
    }
    ends_at_sigterm(child, Some(strace), "waiting_for=\"the lease file")
}

fn has_open(pid: u32, file: &Path) -> bool {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    entries.flatten().any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))
}

/// A server under a service manager that wants signs of life.
struct Watched {
    lqd: Lqd,
    requestor: Requestor,
    admin: PathBuf,
    manager: UnixDatagram,
}

impl Watched {
    fn start(fixture: &Fixture) -> Result<Self, Failed> {
        let (admin, notify) =
            (fixture.directory().join("admin.sock"), fixture.directory().join("notify.sock"));
        let manager = UnixDatagram::bind(&notify)?;
        let address = format!("[::1]:{}", free_port());
        let mut command = Command::new(PROGRAM);
        command.env("NOTIFY_SOCKET", &notify).env("WATCHDOG_USEC", "400000").env_remove("WATCHDOG_PID");
        command.args(["serve", "--listen", &address, "--max-feed-age", "1"]).args(fixture.flags());
        command.arg(format!("--admin=unix:{}", admin.display()));
        let lqd = Lqd::start_command(command, address.parse()?);
        Ok(Self { requestor: Requestor::new(lqd.address), lqd, admin, manager })
    }

    /// Signs of life keep coming, and known leases are answered.
    fn assert_alive(&self) -> Result<(), Failed> {
        let mut message = [0; 128];
        self.manager.set_nonblocking(true)?;
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
        let until = Until::patience();
        while get_unix(&self.admin, "/readyz").status != status {
            assert!(until.pending(), "/readyz is not {status}; {}", self.lqd.log());
        }
    }
}

/// SIGHUP until one comes while the reload of another is under way, which is said.
fn reload_twice(lqd: &Lqd) {
    let until = Until::patience();
    while lqd.line_with("a reload is still under way").is_none() {
        lqd.signal("HUP");
        assert!(until.pending(), "{}", lqd.log());
    }
}

/// A reload that hangs holds up nothing: signs of life, following, staleness, SIGTERM. Another SIGHUP says so.
fn configuration_at_reload() -> Result<(), Failed> {
    let fixture = fixture();
    let watched = Watched::start(&fixture)?;
    hang_configuration(&fixture)?;
    reload_twice(&watched.lqd);
    watched.assert_alive()?;
    let leases = fs::read_to_string(fixture.leases())?;
    fs::remove_file(fixture.leases())?;
    watched.await_readiness(503);
    fs::write(fixture.leases(), leases + &fixture.rows(&lease("50", "50")))?;
    watched.await_readiness(200);
    await_reply(&watched.requestor, &by_address("2001:db8:1::50"), &held_by("50", "2001:db8:1::50"));
    watched.assert_alive()?;
    assert_eq!(watched.lqd.stop(), 0);
    Ok(())
}

/// Once the file answers, the reload is completed, and the one that was asked for meanwhile follows.
fn reload_is_completed_later() -> Result<(), Failed> {
    let fixture = fixture();
    let lqd = Lqd::start(&fixture.flags());
    let text = fs::read_to_string(fixture.kea_config())?;
    hang_configuration(&fixture)?;
    reload_twice(&lqd);
    let pipe = fs::OpenOptions::new().write(true).open(fixture.kea_config())?; // lqd reads it
    let new = fixture.directory().join("new");
    fs::write(&new, text.replace("// @SUBNETS@", "{ \"id\": 2, \"subnet\": \"2001:db8:2::/64\" },"))?;
    fs::rename(new, fixture.kea_config())?;
    std::io::Write::write_all(&mut &pipe, text.as_bytes())?;
    drop(pipe);
    let until = Until::patience();
    while lqd.log().matches("configuration read again").count() < 2 {
        assert!(until.pending(), "two reloads: {}", lqd.log());
    }
    let requestor = Requestor::new(lqd.address);
    let in_new_subnet = requestor.ask(&by_address("2001:db8:2::1")).ok_or("an answer")?;
    assert!(crate::cli::held_by_nobody().matches(&in_new_subnet.0, &(0..=0)));
    assert_eq!(lqd.stop(), 0);
    Ok(())
}

/// The feed hangs in the lease file, and a reload waits for it: leases become stale, and all else goes on.
fn lease_file_at_reload() -> Result<(), Failed> {
    let fixture = fixture();
    let watched = Watched::start(&fixture)?;
    watched.await_readiness(200);
    let held = hold_feed(watched.lqd.pid())?;
    watched.await_readiness(503);
    fixture.write_kea_config(
        &KEA_CONFIG.replace("// @SUBNETS@", "{ \"id\": 2, \"subnet\": \"2001:db8:2::/64\" },"),
    );
    reload_twice(&watched.lqd);
    watched.assert_alive()?;
    terminate(watched.lqd.pid())?;
    assert!(is_over(watched.lqd.pid()), "SIGTERM does not end it");
    drop(held);
    assert_eq!(watched.lqd.exit_code(), 0);
    Ok(())
}

/// Has reads of the thread that follows the lease file held up from now on.
fn hold_feed(pid: u32) -> Result<Strace, Failed> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?.flatten().map(|task| task.path());
    let is_feed =
        |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|name| name == "lqd-feed\n");
    let feed = tasks.into_iter().find(is_feed).ok_or("a thread that follows")?;
    let tid = feed.file_name().and_then(|name| name.to_str()).ok_or("a number")?;
    hold_reads(tid.parse()?, &feed)
}

/// Has reads of a thread, and those of the threads that it starts, held up from now on.
fn hold_reads(tid: u32, in_proc: &Path) -> Result<Strace, Failed> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qqq", "-o", "/dev/null", "-p", &tid.to_string(), "-e", "trace=pread64"]);
    let strace = Strace(command.args(["-e", HOLD_READS]).stdin(Stdio::null()).spawn()?);
    let until = Until::patience();
    while fs::read_to_string(in_proc.join("status"))?.contains("TracerPid:\t0\n") {
        assert!(until.pending(), "strace does not trace it");
    }
    Ok(strace)
}

/// Ended when dropped.
struct Strace(Child);

impl Drop for Strace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

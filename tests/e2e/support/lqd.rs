//! The server under test as a process, on a port of its own; its standard error is captured, and drop kills
//! it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv6Addr, SocketAddrV6, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longest wait for any event, on the slowest machine; no test asserts a duration.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The binary under test.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_lqd");

/// Deadline of a bounded wait.
#[derive(Clone, Copy, Debug)]
pub struct Until(Instant);

impl Until {
    /// Sets the deadline [`PATIENCE`] from now.
    pub fn patience() -> Self {
        Self::after(PATIENCE)
    }

    /// Sets the deadline `wait` from now.
    pub fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait)
    }

    /// Returns whether the deadline has passed.
    pub fn is_over(self) -> bool {
        Instant::now() >= self.0
    }

    /// Sleeps briefly, and returns false once the deadline has passed: `while !done() && until.pending() {}`.
    pub fn pending(self) -> bool {
        thread::sleep(Duration::from_millis(5));
        !self.is_over()
    }
}

/// A running server; drop kills the process.
pub struct Lqd {
    child: Child,
    /// Address at which it listens.
    pub address: SocketAddrV6,
    stderr: Stderr,
}

/// Result of a run that ended by itself.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Lqd {
    /// Starts `lqd serve --listen [::1]:PORT flags…` on a new port, and waits until it is ready.
    ///
    /// # Panics
    /// With its standard error, if it ends or is not ready in time.
    pub fn start<S: AsRef<OsStr>>(flags: &[S]) -> Self {
        let mut command = Command::new(PROGRAM);
        let address = add_serve(&mut command, flags);
        Self::start_command(command, address)
    }

    /// Starts the same without waiting for readiness.
    ///
    /// # Panics
    /// If the process cannot be started.
    pub fn begin<S: AsRef<OsStr>>(flags: &[S]) -> Self {
        let mut command = Command::new(PROGRAM);
        let address = add_serve(&mut command, flags);
        Self::begin_command(command, address)
    }

    /// Starts the same by this command, which sets environment, rights or limits and runs [`PROGRAM`].
    ///
    /// # Panics
    /// As [`Lqd::start`].
    pub fn start_by<S: AsRef<OsStr>>(mut command: Command, flags: &[S]) -> Self {
        let address = add_serve(&mut command, flags);
        Self::start_command(command, address)
    }

    /// Starts a command that becomes a server listening at `address`, and waits until it is ready.
    ///
    /// # Panics
    /// As [`Lqd::start`].
    pub fn start_command(command: Command, address: SocketAddrV6) -> Self {
        let mut lqd = Self::begin_command(command, address);
        lqd.await_ready();
        lqd
    }

    fn begin_command(mut command: Command, address: SocketAddrV6) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the server starts as a process");
        let stderr = Stderr::follow(child.stderr.take().expect("standard error is piped"));
        Self { child, address, stderr }
    }

    /// Waits for `lqd ready`.
    ///
    /// # Panics
    /// As [`Lqd::start`].
    pub fn await_ready(&mut self) {
        let until = Until::patience();
        while self.line_with("lqd ready").is_none() {
            let running = self.is_running();
            assert!(running && until.pending(), "no `lqd ready`; standard error:\n{}", self.log());
        }
    }

    /// Runs the program with these arguments until it exits.
    ///
    /// # Panics
    /// If it does not exit in time.
    pub fn run<S: AsRef<OsStr>>(arguments: &[S]) -> Ended {
        let mut command = Command::new(PROGRAM);
        command.args(arguments);
        Self::run_command(command)
    }

    /// Runs a command until it exits.
    ///
    /// # Panics
    /// As [`Lqd::run`].
    pub fn run_command(mut command: Command) -> Ended {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts as a process");
        let mut output = child.stdout.take().expect("standard output is piped");
        let reader = thread::spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).map(|_| text)
        });
        let stderr = Stderr::follow(child.stderr.take().expect("standard error is piped"));
        let status = await_end(&mut child);
        if status.is_none() {
            kill(&mut child);
        }
        let stdout = reader.join().expect("reader of standard output").expect("standard output is UTF-8");
        let stderr = stderr.finish();
        let Some(status) = status else {
            panic!("{command:?} did not exit; output:\n{stdout}{stderr}");
        };
        Ended { code: status.code(), stdout, stderr }
    }

    /// Returns the process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the server is our child").is_none()
    }

    /// Returns the first line of standard error so far that contains `part`.
    pub fn line_with(&self, part: &str) -> Option<String> {
        self.stderr.lines().into_iter().find(|line| line.contains(part))
    }

    /// Waits for a line of standard error that `wanted` accepts, from line `from` (0 = first) on.
    ///
    /// # Panics
    /// With all lines, if there is none in time.
    pub fn await_line(&self, from: usize, wanted: impl Fn(&str) -> bool) -> String {
        self.stderr.await_line(from, wanted)
    }

    /// Returns the number of lines of standard error so far.
    pub fn line_count(&self) -> usize {
        self.stderr.lines().len()
    }

    /// Returns standard error so far.
    pub fn log(&self) -> String {
        self.stderr.lines().join("\n")
    }

    /// Waits until the server exits, and returns its standard error.
    ///
    /// # Panics
    /// If it does not exit in time.
    pub fn log_at_end(mut self) -> String {
        await_end(&mut self.child)
            .unwrap_or_else(|| panic!("the server did not exit; standard error:\n{}", self.log()));
        let until = Until::patience();
        while !self.stderr.reader.is_finished() && until.pending() {}
        self.log()
    }

    /// Sends the server a signal by name, such as `TERM` or `HUP`.
    pub fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }

    /// Sends SIGTERM, and returns the exit code.
    ///
    /// # Panics
    /// If it does not exit in time, or dies by a signal.
    pub fn stop(self) -> i32 {
        self.signal("TERM");
        self.exit_code()
    }

    /// Waits until the process exits, and returns the exit code.
    ///
    /// # Panics
    /// As [`Lqd::stop`].
    pub fn exit_code(mut self) -> i32 {
        let status = await_end(&mut self.child);
        status.and_then(|status| status.code()).unwrap_or_else(|| {
            panic!(
                "the server ended with {status:?} instead of an exit code; standard error:\n{}",
                self.log()
            )
        })
    }
}

/// Appends `serve --listen [::1]:PORT flags…` to a command that runs [`PROGRAM`]; returns the address.
pub fn add_serve<S: AsRef<OsStr>>(command: &mut Command, flags: &[S]) -> SocketAddrV6 {
    let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, free_port(), 0, 0);
    command.args(["serve", "--listen", &address.to_string()]).args(flags);
    address
}

impl Drop for Lqd {
    fn drop(&mut self) {
        kill(&mut self.child);
        if thread::panicking() {
            eprintln!("the server's standard error was:\n{}", self.log());
        }
    }
}

/// Sends a signal by name, such as `TERM` or `HUP`, to a child process.
///
/// The child must not have been waited for, so that its pid cannot be another process's.
///
/// # Panics
/// If the signal cannot be sent.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("sh").args(["-c", &format!("kill -s {name} {pid}")]).status();
    assert!(status.is_ok_and(|status| status.success()), "cannot send SIG{name} to {pid}");
}

/// Reserves a UDP port on `::1` that no other caller gets, in this process or another test process.
///
/// Ports come from below Linux's ephemeral range (32768 up), so that no requestor's socket gets one, and are
/// never reused: an ended server's socket may stay bound for some milliseconds, and servers share ports
/// silently. An abstract Unix socket of the port's name tells other test processes of this network namespace;
/// it ends with this process.
pub fn free_port() -> u16 {
    const FIRST: u16 = 16_000;
    const COUNT: u16 = 16_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static CLAIMS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let process_offset = (std::process::id() % 160) as u16 * 100;
    for _ in 0..COUNT {
        let port = FIRST + (process_offset + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let name = SocketAddr::from_abstract_name(format!("lqd-tests-port-{port}")).expect("a short name");
        let Ok(claim) = UnixListener::bind_addr(&name) else { continue };
        if UdpSocket::bind((Ipv6Addr::LOCALHOST, port)).is_ok() {
            CLAIMS.lock().expect("no panic while held").push(claim);
            return port;
        }
    }
    panic!("no free UDP port from {FIRST} up");
}

fn await_end(child: &mut Child) -> Option<ExitStatus> {
    let until = Until::patience();
    loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        if !until.pending() {
            return None;
        }
    }
}

/// Sends SIGKILL and waits; does nothing if the process ended before.
fn kill(child: &mut Child) {
    if matches!(child.try_wait(), Ok(None)) && child.kill().is_ok() {
        let _ = child.wait();
    }
}

/// Standard error of a process, collected line by line by a thread.
struct Stderr {
    lines: Arc<(Mutex<Vec<String>>, Condvar)>,
    reader: JoinHandle<()>,
}

impl Stderr {
    fn follow(stderr: ChildStderr) -> Self {
        let lines = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let shared = Arc::clone(&lines);
        let reader = thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                shared
                    .0
                    .lock()
                    .expect("no panic while held")
                    .push(String::from_utf8_lossy(&line).into_owned());
                shared.1.notify_all();
            }
        });
        Self { lines, reader }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.0.lock().expect("no panic while held").clone()
    }

    fn await_line(&self, from: usize, wanted: impl Fn(&str) -> bool) -> String {
        let find = |lines: &[String]| lines.iter().skip(from).find(|line| wanted(line)).cloned();
        let guard = self.lines.0.lock().expect("no panic while held");
        let (guard, _) = self
            .lines
            .1
            .wait_timeout_while(guard, PATIENCE, |lines| find(lines).is_none())
            .expect("no panic while held");
        let (found, all) = (find(&guard), guard.join("\n"));
        drop(guard);
        found.unwrap_or_else(|| panic!("the awaited line did not come; standard error:\n{all}"))
    }

    /// Returns all text, once the process has ended.
    fn finish(self) -> String {
        self.reader.join().expect("reader of standard error");
        let lines = self.lines.0.lock().expect("no panic while held");
        lines.join("\n")
    }
}

//! The programs that are run, each ended by its process id, whatever happens.

use std::io;
use std::net::SocketAddrV6;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lqd_benches::server_lines::{lines_of, listening};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::link::Link;

/// Where the servers run; the load runs on [`LOAD_CPU`].
const SERVER_CPU: &str = "0";
pub(crate) const LOAD_CPU: &str = "1";

/// How long a server may take until it is ready: loading fifty million leases is the longest.
const READY_WITHIN: Duration = Duration::from_secs(300);
const POLL_EVERY: Duration = Duration::from_millis(10);

/// Why there is no result, and what to mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(
        "there is no {0}; run `cargo build --release --workspace` first, or name its place by --programs, --lqload or --baseline"
    )]
    NoProgram(PathBuf),
    #[error("{program}: {source}")]
    Run { program: PathBuf, source: io::Error },
    #[error("{program} is not ready within {} s; it said:\n{said}", READY_WITHIN.as_secs())]
    NotReady { program: PathBuf, said: String },
    #[error("{program} has not ended in time, within {} s", .within.as_secs())]
    Endless { program: PathBuf, within: Duration },
    #[error("cannot watch for signals: {0}")]
    Signals(io::Error),
    #[error("stopped by a signal")]
    Stopped,
    #[error("{program} ended with {status}; it said:\n{said}")]
    Failed { program: PathBuf, status: String, said: String },
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is not the report of a run: {what}")]
    Report { path: PathBuf, what: String },
    #[error("the link needs root, ip (iproute2) and ethtool; {command}: {what}")]
    Link { command: String, what: String },
    #[error("{server} answered {answered} of {sent} queries only; lower --window")]
    Lost { server: &'static str, answered: u64, sent: u64 },
}

/// Where the programs are.
pub(crate) struct Programs {
    pub(crate) lqd: PathBuf,
    pub(crate) floor: PathBuf,
    pub(crate) lqload: PathBuf,
    /// Set by SIGTERM and SIGINT: the servers would outlive a process that just dies.
    stopped: Arc<AtomicBool>,
}

impl Programs {
    /// Finds them in `directory`, or beside this program.
    pub(crate) fn find(
        directory: Option<PathBuf>,
        lqload: Option<PathBuf>,
        baseline: Option<&Path>,
    ) -> Result<Self, Fault> {
        let beside = || std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
        let directory = directory.or_else(beside).unwrap_or_default();
        let programs = Self {
            lqd: directory.join("lqd"),
            floor: directory.join("floor"),
            lqload: lqload.unwrap_or_else(|| directory.join("lqload")),
            stopped: Arc::default(),
        };
        for signal in [SIGTERM, SIGINT] {
            flag::register(signal, Arc::clone(&programs.stopped)).map_err(Fault::Signals)?;
        }
        let own = [&programs.lqd, &programs.floor, &programs.lqload].map(PathBuf::as_path);
        for path in own.into_iter().chain(baseline) {
            if !path.is_file() {
                return Err(Fault::NoProgram(path.to_owned()));
            }
        }
        Ok(programs)
    }

    /// Runs lqload to its end, which it must reach within this time; at the link's end, if there is one.
    pub(crate) fn lqload<'a>(
        &self,
        link: Option<&Link>,
        arguments: impl IntoIterator<Item = &'a str>,
        within: Duration,
    ) -> Result<(), Fault> {
        let mut command = command_in(link.map(Link::load), &self.lqload);
        command.args(arguments);
        run(command, within, &self.stopped)
    }
}

/// A program to be run, in this network namespace if one is named; it gets the process id of the child.
fn command_in(namespace: Option<&str>, program: &Path) -> Command {
    let Some(namespace) = namespace else { return Command::new(program) };
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

/// A child process, killed and waited for when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Either fails only if the child has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that is ready.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddrV6,
    running: Running,
}

impl Server {
    /// Starts `lqd serve` with one worker, at the link's end if there is one.
    pub(crate) fn lqd(
        program: &Path,
        link: Option<&Link>,
        [io, gro]: [&str; 2],
        kea_config: &Path,
    ) -> Result<Self, Fault> {
        let listen = format!("[{}]:0", if link.is_some() { Link::SERVER } else { "::1" });
        let mut command = command_in(link.map(Link::server), program);
        command.args([
            "serve",
            "--workers",
            "1",
            "--cpus",
            SERVER_CPU,
            "--io",
            io,
            "--gro",
            gro,
            "--listen",
            &listen,
            "--allow",
            "::/0",
        ]);
        command.arg("--kea-config").arg(kea_config);
        Self::start("lqd", command)
    }

    /// Starts the echo server.
    pub(crate) fn floor(programs: &Programs, io: &str, gro: &str) -> Result<Self, Fault> {
        let mut command = Command::new(&programs.floor);
        command.args(["--cpu", SERVER_CPU, "--io", io, "--gro", gro, "--listen", "[::1]:0"]);
        Self::start("floor", command)
    }

    /// Waits for the line that says `ready` and `listen=[address]:port`.
    fn start(name: &'static str, mut command: Command) -> Result<Self, Fault> {
        let program = PathBuf::from(command.get_program());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn().map_err(|source| Fault::Run { program: program.clone(), source })?;
        let mut running = Running(child);
        let lines = lines_of(running.0.stderr.take().expect("it is piped"));
        let until = Instant::now() + READY_WITHIN;
        let mut said = String::new();
        while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if let Some(address) = listening(&line) {
                return Ok(Self { name, address, running });
            }
            said.push_str(&line);
            said.push('\n');
        }
        Err(Fault::NotReady { program, said })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.0.id()
    }
}

/// Runs a program to its end, which it must reach within this time and before `stopped`.
fn run(mut command: Command, within: Duration, stopped: &AtomicBool) -> Result<(), Fault> {
    let program = PathBuf::from(command.get_program());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |source| Fault::Run { program: program.clone(), source };
    let mut running = Running(command.spawn().map_err(failed)?);
    let lines = lines_of(running.0.stderr.take().expect("it is piped"));
    let until = Instant::now() + within;
    while Instant::now() < until {
        if stopped.load(Ordering::Relaxed) {
            return Err(Fault::Stopped);
        }
        if let Some(status) = running.0.try_wait().map_err(failed)? {
            if status.success() {
                return Ok(());
            }
            let said = lines.iter().collect::<Vec<_>>().join("\n");
            return Err(Fault::Failed { program, status: status.to_string(), said });
        }
        thread::sleep(POLL_EVERY);
    }
    Err(Fault::Endless { program, within })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_badly_or_not_at_all_is_a_fault() {
        let within = Duration::from_secs(60);
        let sh = |script, within, stopped: bool| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            run(command, within, &AtomicBool::new(stopped))
        };
        sh("exit 0", within, false).unwrap();
        let fault = sh("echo why >&2; exit 3", within, false).unwrap_err().to_string();
        assert!(fault.contains("exit status: 3") && fault.contains("why"), "{fault}");
        let fault = sh("exec sleep 600", Duration::from_millis(50), false).unwrap_err();
        assert!(matches!(fault, Fault::Endless { .. }), "{fault}");
        let fault = sh("exec sleep 600", within, true).unwrap_err();
        assert!(matches!(fault, Fault::Stopped), "{fault}");
    }
}

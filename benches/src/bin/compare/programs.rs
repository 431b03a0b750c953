//! Programs under test, each ended by its process id in every case.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lqd_benches::server_lines::{lines_of, listening};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::kea::{self, Kea};
use crate::link::Link;
use crate::load::Leases;

/// CPU of the servers; the load runs on [`LOAD_CPU`].
pub(crate) const SERVER_CPU: &str = "0";
pub(crate) const LOAD_CPU: &str = "1";

/// Time limit for a server to become ready: loading fifty million leases takes the longest.
const READY_WITHIN: Duration = Duration::from_secs(300);
pub(crate) const POLL_EVERY: Duration = Duration::from_millis(10);

/// A reason why there is no result, and its fix.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    #[error(
        "there is no {0}; run `cargo build --release --workspace` first, or name its path by --programs, --lqload or --previous"
    )]
    NoProgram(PathBuf),
    #[error(
        "there is no {program}, or no kea/hooks/libdhcp_lease_query.so in {lib}; install Kea 2.7 or newer with its hooks"
    )]
    NoKea { program: PathBuf, lib: PathBuf },
    #[error("{program}: {source}")]
    Run { program: PathBuf, source: io::Error },
    #[error("{program} is not ready within {} s; its output:\n{output}", READY_WITHIN.as_secs())]
    NotReady { program: PathBuf, output: String },
    #[error("{program} did not end within {} s", .within.as_secs())]
    Endless { program: PathBuf, within: Duration },
    #[error("cannot watch for signals: {0}")]
    Signals(io::Error),
    #[error("stopped by a signal")]
    Stopped,
    #[error("{program} ended with {status}; its output:\n{output}")]
    Failed { program: PathBuf, status: String, output: String },
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("{path} is not the report of a run: {reason}")]
    Report { path: PathBuf, reason: String },
    #[error("the link needs root, ip (iproute2) and ethtool; {command}: {reason}")]
    Link { command: String, reason: String },
    #[error("{server} answered {answered} of {sent} queries; lower --window")]
    Lost { server: &'static str, answered: u64, sent: u64 },
}

/// Paths of the programs.
pub(crate) struct Programs {
    pub(crate) lqd: PathBuf,
    pub(crate) baseline: PathBuf,
    pub(crate) lqload: PathBuf,
    /// Set by SIGTERM and SIGINT: the servers would outlive a process that just dies.
    stopped: Arc<AtomicBool>,
}

impl Programs {
    /// Finds the programs in `directory`, or beside this program.
    pub(crate) fn find(
        directory: Option<PathBuf>,
        lqload: Option<PathBuf>,
        previous: Option<&Path>,
    ) -> Result<Self, CompareError> {
        let beside = || std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
        let directory = directory.or_else(beside).unwrap_or_default();
        let programs = Self {
            lqd: directory.join("lqd"),
            baseline: directory.join("baseline"),
            lqload: lqload.unwrap_or_else(|| directory.join("lqload")),
            stopped: Arc::default(),
        };
        // Registered before any server is started.
        for signal in [SIGTERM, SIGINT] {
            flag::register(signal, Arc::clone(&programs.stopped)).map_err(CompareError::Signals)?;
        }
        // All are checked before leases are made, which takes minutes.
        let own = [&programs.lqd, &programs.baseline, &programs.lqload].map(PathBuf::as_path);
        for path in own.into_iter().chain(previous) {
            if !path.is_file() {
                return Err(CompareError::NoProgram(path.to_owned()));
            }
        }
        Ok(programs)
    }

    /// Runs lqload to completion, within a time limit; at its end of the link, if any.
    pub(crate) fn lqload<'a>(
        &self,
        link: Option<&Link>,
        arguments: impl IntoIterator<Item = &'a str>,
        within: Duration,
    ) -> Result<(), CompareError> {
        let mut command = command_in(link.map(Link::load), &self.lqload);
        command.args(arguments);
        run(command, within, &self.stopped)
    }
}

/// Makes a command, in a network namespace if one is named; the child keeps its process id.
fn command_in(namespace: Option<&str>, program: &Path) -> Command {
    // Without a namespace no root is needed.
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
    /// Starts `lqd serve` with one worker, at its end of the link, if any.
    pub(crate) fn lqd(
        program: &Path,
        link: Option<&Link>,
        [io, gro]: [&str; 2],
        kea_config: &Path,
    ) -> Result<Self, CompareError> {
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
    pub(crate) fn baseline(programs: &Programs, io: &str, gro: &str) -> Result<Self, CompareError> {
        let mut command = Command::new(&programs.baseline);
        command.args(["--cpu", SERVER_CPU, "--io", io, "--gro", gro, "--listen", "[::1]:0"]);
        Self::start("baseline", command)
    }

    /// Starts Kea and waits until it replies.
    pub(crate) fn kea(kea: &Kea, leases: &Leases) -> Result<Self, CompareError> {
        let program = kea.program.clone();
        let failed = |source| CompareError::Run { program: program.clone(), source };
        // Kea cannot choose a port, so a free one is asked for.
        let port = kea::free_port().map_err(failed)?;
        let mut command = kea.command(leases, port)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = Running(command.spawn().map_err(failed)?);
        let lines = lines_of(running.0.stderr.take().expect("it is piped"));
        let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 0, 0);
        let until = Instant::now() + READY_WITHIN;
        while Instant::now() < until {
            // A server that has ended would never answer.
            if let Some(status) = running.0.try_wait().map_err(failed)? {
                let output = lines.iter().collect::<Vec<_>>().join("\n");
                return Err(CompareError::Failed { program, status: status.to_string(), output });
            }
            if kea::replies(address).map_err(failed)? {
                return Ok(Self { name: "kea", address, running });
            }
            thread::sleep(POLL_EVERY);
        }
        // Killed before its output is read to the end.
        drop(running);
        Err(CompareError::NotReady { program, output: lines.iter().collect::<Vec<_>>().join("\n") })
    }

    /// Waits for the line with `ready` and `listen=[address]:port`.
    fn start(name: &'static str, mut command: Command) -> Result<Self, CompareError> {
        let program = PathBuf::from(command.get_program());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child =
            command.spawn().map_err(|source| CompareError::Run { program: program.clone(), source })?;
        let mut running = Running(child);
        let lines = lines_of(running.0.stderr.take().expect("it is piped"));
        let until = Instant::now() + READY_WITHIN;
        let mut output = String::new();
        // The time limit is for the whole start, not for a line.
        while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if let Some(address) = listening(&line) {
                return Ok(Self { name, address, running });
            }
            output.push_str(&line);
            output.push('\n');
        }
        Err(CompareError::NotReady { program, output })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.0.id()
    }
}

/// Runs a program to completion, within a time limit and unless `stopped`.
fn run(mut command: Command, within: Duration, stopped: &AtomicBool) -> Result<(), CompareError> {
    let program = PathBuf::from(command.get_program());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let failed = |source| CompareError::Run { program: program.clone(), source };
    let mut running = Running(command.spawn().map_err(failed)?);
    let lines = lines_of(running.0.stderr.take().expect("it is piped"));
    let until = Instant::now() + within;
    while Instant::now() < until {
        // Returning drops the servers, which ends them.
        if stopped.load(Ordering::Relaxed) {
            return Err(CompareError::Stopped);
        }
        if let Some(status) = running.0.try_wait().map_err(failed)? {
            // The output of a program that succeeded is of no interest.
            if status.success() {
                return Ok(());
            }
            let output = lines.iter().collect::<Vec<_>>().join("\n");
            return Err(CompareError::Failed { program, status: status.to_string(), output });
        }
        thread::sleep(POLL_EVERY);
    }
    Err(CompareError::Endless { program, within })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_and_endless_programs_are_errors() {
        let within = Duration::from_secs(60);
        let sh = |script, within, stopped: bool| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            run(command, within, &AtomicBool::new(stopped))
        };
        sh("exit 0", within, false).unwrap();
        let error = sh("echo reason >&2; exit 3", within, false).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("reason"), "{error}");
        let error = sh("exec sleep 600", Duration::from_millis(50), false).unwrap_err();
        assert!(matches!(error, CompareError::Endless { .. }), "{error}");
        let error = sh("exec sleep 600", within, true).unwrap_err();
        assert!(matches!(error, CompareError::Stopped), "{error}");
    }
}

//! What the process gives up as soon as it needs it no more, so that who takes it over gains little.
//!
//! ```text
//! step           when                            what                                       for
//! confine        settings are read, one thread   no new privileges, no core dumps, landlock  all threads to come
//! without_…      the leases are loaded           capabilities                                threads of the load
//! drop_…         sockets are bound               capabilities                                workers, feed, signals
//! seal           all threads run                 seccomp                                     all threads
//! ```
//!
//! Capabilities and landlock belong to a thread and pass to those that it starts, hence the order: the thread
//! that binds port 547 is the only one that ever has the right to. seccomp is put on all threads at once.
//!
//! lqd does not change its user by itself. systemd (`User=`, `AmbientCapabilities=`) and containers do that before
//! any of its code runs; a program that begins as root can read files at its start that it cannot read any more
//! at SIGHUP, and keeps root's rights in whatever it forgets.
//!
//! seccomp does not see what goes through io_uring; what a ring may do is limited where it is made (`lqd-net`).

mod capabilities;
mod landlock;
mod seccomp;

use std::path::PathBuf;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tracing::{info, warn};

use crate::Failure;
use crate::settings::SandboxMode;

/// Files that are used after the start, by folder: Kea replaces files, so that rights to one of them would end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// Folders whose files are read, and those in them.
    pub(crate) read: Vec<PathBuf>,
}

impl Reach {
    /// The folders of these files, and those to which symbolic links lead from there.
    pub(crate) fn around<'a>(files: impl Iterator<Item = &'a PathBuf>) -> Self {
        let named = files.flat_map(|file| [Some(file.clone()), file.canonicalize().ok()]).flatten();
        let folder = |file: PathBuf| match file.parent() {
            Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
            folder => folder.unwrap_or(&file).to_owned(),
        };
        Self { read: named.map(folder).collect() }
    }
}

/// The sandbox as far as it stands.
#[derive(Debug)]
pub(crate) struct Sandbox {
    mode: SandboxMode,
    /// Which parts stand.
    parts: Vec<&'static str>,
}

impl Sandbox {
    /// First step, while this is the only thread.
    ///
    /// # Errors
    /// In mode `on`: what this kernel lacks.
    pub(crate) fn confine(mode: SandboxMode, reach: &Reach) -> Result<Self, Failure> {
        let mut sandbox = Self { mode, parts: Vec::new() };
        if mode != SandboxMode::Off {
            let undumpable = set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| e.to_string());
            sandbox.note("no core dumps", undumpable)?;
            sandbox.note("files", landlock::restrict(reach))?;
        }
        Ok(sandbox)
    }

    /// Runs `work` on a thread without capabilities, so that threads that it leaves behind have none.
    ///
    /// Files are thus read with the rights that will remain, and one that is out of reach is found at the start
    /// rather than at the first SIGHUP.
    pub(crate) fn without_capabilities<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.mode {
            SandboxMode::Off => work(),
            _ => capabilities::bare(work),
        }
    }

    /// Sockets are bound: nothing needs a capability any more.
    ///
    /// # Errors
    /// As of [`Sandbox::confine`].
    pub(crate) fn drop_capabilities(&mut self) -> Result<(), Failure> {
        match self.mode {
            SandboxMode::Off => Ok(()),
            _ => self.note("capabilities", capabilities::drop_all()),
        }
    }

    /// Last step, when all threads run; says in one line what stands.
    ///
    /// # Errors
    /// As of [`Sandbox::confine`].
    pub(crate) fn seal(mut self) -> Result<(), Failure> {
        if self.mode == SandboxMode::Off {
            info!("sandbox off");
            return Ok(());
        }
        self.note("system calls", seccomp::restrict())?;
        info!(restricted = self.parts.join(", "), "sandbox on");
        Ok(())
    }

    /// Notes that a part stands, or says why not: in mode `on` that is an error.
    fn note(&mut self, part: &'static str, outcome: Result<(), String>) -> Result<(), Failure> {
        match outcome {
            Ok(()) => self.parts.push(part),
            Err(reason) if self.mode == SandboxMode::On => {
                return Err(Failure::unusable(format!(
                    "sandbox: cannot restrict {part}: {reason}; with --sandbox auto lqd does without"
                )));
            }
            Err(reason) => warn!(part, %reason, "sandbox: cannot restrict this part; going on without"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_is_folders_wherever_links_lead() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("shared")).unwrap();
        std::fs::write(real.join("shared/lqd.toml"), "").unwrap();
        std::os::unix::fs::symlink("shared/lqd.toml", real.join("lqd.toml")).unwrap();
        let files = [real.join("lqd.toml"), PathBuf::from("here.toml"), PathBuf::from("/at-the-top")];
        let wanted = [real.clone(), real.join("shared"), PathBuf::from("."), PathBuf::from("/")];
        assert_eq!(Reach::around(files.iter()).read, wanted);
    }
}

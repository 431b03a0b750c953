//! Sandbox: rights are dropped as soon as they are not needed, so that an attacker gains little.
//!
//! ```text
//! step           time                            action                                     threads
//! confine        one thread, settings are read   no new privileges, no core dumps, landlock  all later ones
//! without_…      admin, query log, load start    capabilities                                those of these
//! drop_…         sockets are bound               capabilities                                workers, feed …
//! seal           all threads run                 seccomp                                     all
//! ```
//!
//! Capabilities and landlock belong to a thread and pass to the threads that it starts, hence the order: only
//! the thread that binds port 547 ever has the right to. seccomp applies to all threads at once.
//!
//! lqd does not change its user: systemd (`User=`, `AmbientCapabilities=`) and containers do that before any
//! of its code runs. A program that starts as root reads files at the start that it cannot read at SIGHUP.
//!
//! The admin port binds first, and answers from a thread that is started after `confine`: it has no more
//! rights than others, and reports that lqd is starting while leases are loaded. Removing Unix sockets at the
//! end, and binding an address that another lqd still uses, are allowed only if needed ([`AdminNeeds`]).
//!
//! seccomp does not see operations of io_uring; `lqd-net` restricts its rings to those that it needs.

use std::path::{Path, PathBuf};

use lqd_feed::{Confinement, Resolved};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tracing::{info, warn};

use super::{capabilities, landlock, seccomp};
use crate::error::ExitError;
use crate::settings::SandboxMode;

/// Folders that are used after the start. Kea and logrotate replace files, so rights to a single file would
/// end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// Folders whose files and subfolders are read.
    pub(crate) read: Vec<PathBuf>,
    /// Folders in which files are created and written, or devices: for the query log.
    pub(crate) append: Vec<PathBuf>,
    /// Folders in which Unix sockets are created and removed: for the admin port.
    pub(crate) sockets: Vec<PathBuf>,
}

/// Returns the reach as errors need it, to tell denials of this sandbox from others.
fn confinement(reach: &Reach) -> Confinement {
    let read: Vec<_> = landlock::TABLES.iter().map(PathBuf::from).chain(reach.read.iter().cloned()).collect();
    Confinement::new(&read, &reach.append, &reach.sockets)
}

/// Returns the folders of these files, and of the targets of symbolic links on the way.
pub(crate) fn folders<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let folder = |file: PathBuf| match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        folder => folder.unwrap_or(&file).to_owned(),
    };
    with_targets(files).map(folder).collect()
}

/// Returns the parents of folders that symbolic links lead to on the way to these files: when Kubernetes or a
/// release replaces the link, it leads to a sibling. Top-level folders such as /srv are left out, as they
/// contain too much.
pub(crate) fn beside_link_targets<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let links = files.into_iter().flat_map(|file| Resolved::of(file).folder_links().to_vec());
    let beside = |link: PathBuf| Resolved::of(&link).target().parent().map(Path::to_owned);
    links.filter_map(beside).filter(|folder| folder.components().count() > 2).collect()
}

/// As [`folders`], but devices and pipes, which are never replaced, stand for themselves instead of all of
/// /dev.
pub(crate) fn folders_or_devices<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let is_device = |file: &&PathBuf| file.metadata().is_ok_and(|metadata| !metadata.is_file());
    let (devices, files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_device);
    let with_target = |device: &PathBuf| [Some(device.clone()), device.canonicalize().ok()];
    devices.into_iter().flat_map(with_target).flatten().chain(folders(files)).collect()
}

/// Returns these files and the targets of their symbolic links, whether they exist or not.
fn with_targets<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> impl Iterator<Item = PathBuf> {
    files.into_iter().flat_map(|file| [vec![file.clone()], Resolved::of(file).names().to_vec()]).flatten()
}

/// Operations of the admin port after system calls are restricted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AdminNeeds {
    /// Removes its Unix sockets at the end.
    pub(crate) removes: bool,
    /// Binds addresses that are in use now.
    pub(crate) binds: bool,
}

/// The sandbox, as far as it is in force.
#[derive(Debug)]
pub(crate) struct Sandbox {
    mode: SandboxMode,
    /// Parts in force.
    parts: Vec<&'static str>,
}

impl Sandbox {
    /// First step, while this is the only thread: privileges, core dumps, files.
    ///
    /// # Errors
    /// In mode `on`: this kernel cannot restrict one of them.
    pub(crate) fn confine(mode: SandboxMode, reach: &Reach) -> Result<Self, ExitError> {
        let mut sandbox = Self { mode, parts: Vec::new() };
        if mode != SandboxMode::Off {
            let undumpable = set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|e| e.to_string());
            sandbox.note("no core dumps", undumpable)?;
            let confinement = confinement(reach);
            let restricted = landlock::restrict(reach);
            if restricted.is_ok() {
                confinement.enforced();
            }
            sandbox.note("files", restricted)?;
        }
        Ok(sandbox)
    }

    /// Runs `work` on a thread without capabilities, so that threads that it starts have none.
    ///
    /// Files are read with the rights that remain: one out of reach is found at the start, not at the first
    /// SIGHUP.
    pub(crate) fn without_capabilities<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match self.mode {
            SandboxMode::Off => work(),
            _ => capabilities::bare(work),
        }
    }

    /// Third step, once the sockets are bound: drops capabilities.
    ///
    /// # Errors
    /// Like [`Sandbox::confine`].
    pub(crate) fn drop_capabilities(&mut self) -> Result<(), ExitError> {
        match self.mode {
            SandboxMode::Off => Ok(()),
            _ => self.note("capabilities", capabilities::drop_all()),
        }
    }

    /// Last step, once all threads run: restricts system calls, and logs the parts in force.
    ///
    /// # Errors
    /// Like [`Sandbox::confine`].
    pub(crate) fn seal(mut self, admin: AdminNeeds) -> Result<(), ExitError> {
        if self.mode == SandboxMode::Off {
            info!("sandbox off");
            return Ok(());
        }
        self.note("system calls", seccomp::restrict(admin))?;
        info!(restricted = self.parts.join(", "), "sandbox on");
        Ok(())
    }

    /// Notes a part that is in force, or logs why it is not: in mode `on` that is an error.
    fn note(&mut self, part: &'static str, outcome: Result<(), String>) -> Result<(), ExitError> {
        match outcome {
            Ok(()) => self.parts.push(part),
            Err(reason) if self.mode == SandboxMode::On => {
                return Err(ExitError::unusable(format!(
                    "sandbox: cannot restrict {part}: {reason}; --sandbox auto starts without it"
                )));
            }
            Err(reason) => warn!(part, %reason, "sandbox: cannot restrict this part; continuing without it"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_contains_the_folders_of_link_targets() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir(real.join("shared")).unwrap();
        std::fs::write(real.join("shared/lqd.toml"), "").unwrap();
        std::os::unix::fs::symlink("shared/lqd.toml", real.join("lqd.toml")).unwrap();
        let files = [real.join("lqd.toml"), PathBuf::from("here.toml"), PathBuf::from("/at-the-top")];
        let wanted =
            [&real, &real.join("shared"), Path::new("."), &std::env::current_dir().unwrap(), Path::new("/")];
        let found = folders(&files);
        assert!(wanted.iter().all(|wanted| found.iter().any(|found| found == wanted)), "{found:?}");
        assert!(found.iter().all(|found| wanted.contains(&found.as_path())), "{found:?}");
    }

    #[test]
    fn a_reach_contains_the_next_release_but_no_top_level_folder() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(real.join("releases/5")).unwrap();
        std::os::unix::fs::symlink("releases/5", real.join("current")).unwrap();
        std::os::unix::fs::symlink("/usr", real.join("top")).unwrap();
        let files = [real.join("current/kea-dhcp6.conf"), real.join("top/file")];
        assert_eq!(beside_link_targets(&files), [real.join("releases")]);
    }

    #[test]
    fn a_reach_contains_a_device_without_its_folder() {
        let null = PathBuf::from("/dev/null");
        let files = [null.clone(), PathBuf::from("/var/log/nowhere.log")];
        let found = folders_or_devices(&files);
        assert!(found.iter().all(|found| *found == null || found.ends_with("log")), "{found:?}");
        assert!(found.contains(&null) && found.contains(&PathBuf::from("/var/log")), "{found:?}");
    }
}

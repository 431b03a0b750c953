//! What the process gives up as soon as it needs it no more, so that who takes it over gains little.
//!
//! ```text
//! step           when                            what                                       for
//! confine        settings are read, one thread   no new privileges, no core dumps, landlock  all threads to come
//! without_…      admin, query log, load begin    capabilities                                threads of these
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
//! The admin port binds first, and answers from a thread that is started after `confine`: so it has no more rights
//! than others, and tells that lqd is starting while leases are loaded. Its Unix sockets have to be removed at the
//! end, and an address that another lqd holds is bound later: then, and only then, are these calls allowed
//! ([`AdminNeeds`]).
//!
//! seccomp does not see what goes through io_uring; what a ring may do is limited where it is made (`lqd-net`).

use std::path::{Path, PathBuf};

use lqd_feed::{Confinement, Resolved};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tracing::{info, warn};

use super::{capabilities, landlock, seccomp};
use crate::error::ExitError;
use crate::settings::SandboxMode;

/// Where files are used after the start, by folder: Kea and logrotate replace files, so that rights to one of them
/// would end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// Folders whose files are read, and those in them.
    pub(crate) read: Vec<PathBuf>,
    /// Folders in which files are made and written, or devices: the query log's.
    pub(crate) append: Vec<PathBuf>,
    /// Folders in which Unix sockets are made and removed: the admin port's.
    pub(crate) sockets: Vec<PathBuf>,
}

/// For errors, which tell this sandbox's denials from others.
fn confinement(reach: &Reach) -> Confinement {
    let read: Vec<_> = landlock::TABLES.iter().map(PathBuf::from).chain(reach.read.iter().cloned()).collect();
    Confinement::new(&read, &reach.append, &reach.sockets)
}

/// The folders of these files, and those to which symbolic links lead from there.
pub(crate) fn folders<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let folder = |file: PathBuf| match file.parent() {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        folder => folder.unwrap_or(&file).to_owned(),
    };
    with_targets(files).map(folder).collect()
}

/// The folders beside those to which symbolic links lead on the way to these files: a link that is replaced, as
/// Kubernetes and releases do, leads to one of them. None that lies at the top, such as /srv, with all that is in it.
pub(crate) fn beside_link_targets<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let links = files.into_iter().flat_map(|file| Resolved::of(file).folder_links().to_vec());
    let beside = |link: PathBuf| Resolved::of(&link).target().parent().map(Path::to_owned);
    links.filter_map(beside).filter(|folder| folder.components().count() > 2).collect()
}

/// As [`folders`], but for devices and pipes, which nobody replaces: these alone, rather than all of /dev.
pub(crate) fn folders_or_devices<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let is_device = |file: &&PathBuf| file.metadata().is_ok_and(|metadata| !metadata.is_file());
    let (devices, files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_device);
    let with_target = |device: &PathBuf| [Some(device.clone()), device.canonicalize().ok()];
    devices.into_iter().flat_map(with_target).flatten().chain(folders(files)).collect()
}

/// These files, and what their symbolic links lead to, be it there already or not.
fn with_targets<'a>(files: impl IntoIterator<Item = &'a PathBuf>) -> impl Iterator<Item = PathBuf> {
    files.into_iter().flat_map(|file| [vec![file.clone()], Resolved::of(file).names().to_vec()]).flatten()
}

/// What the admin port still has to do when system calls are restricted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AdminNeeds {
    /// Remove its Unix sockets at the end.
    pub(crate) removes: bool,
    /// Bind addresses that are in use now.
    pub(crate) binds: bool,
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
    pub(crate) fn drop_capabilities(&mut self) -> Result<(), ExitError> {
        match self.mode {
            SandboxMode::Off => Ok(()),
            _ => self.note("capabilities", capabilities::drop_all()),
        }
    }

    /// Last step, when all threads run; says in one line what stands.
    ///
    /// # Errors
    /// As of [`Sandbox::confine`].
    pub(crate) fn seal(mut self, admin: AdminNeeds) -> Result<(), ExitError> {
        if self.mode == SandboxMode::Off {
            info!("sandbox off");
            return Ok(());
        }
        self.note("system calls", seccomp::restrict(admin))?;
        info!(restricted = self.parts.join(", "), "sandbox on");
        Ok(())
    }

    /// Notes that a part stands, or says why not: in mode `on` that is an error.
    fn note(&mut self, part: &'static str, outcome: Result<(), String>) -> Result<(), ExitError> {
        match outcome {
            Ok(()) => self.parts.push(part),
            Err(reason) if self.mode == SandboxMode::On => {
                return Err(ExitError::unusable(format!(
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
        let wanted =
            [&real, &real.join("shared"), Path::new("."), &std::env::current_dir().unwrap(), Path::new("/")];
        let found = folders(&files);
        assert!(wanted.iter().all(|wanted| found.iter().any(|found| found == wanted)), "{found:?}");
        assert!(found.iter().all(|found| wanted.contains(&found.as_path())), "{found:?}");
    }

    #[test]
    fn a_reach_has_room_for_the_next_release_and_not_for_all_of_srv() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(real.join("releases/5")).unwrap();
        std::os::unix::fs::symlink("releases/5", real.join("current")).unwrap();
        std::os::unix::fs::symlink("/usr", real.join("top")).unwrap();
        let files = [real.join("current/kea-dhcp6.conf"), real.join("top/file")];
        assert_eq!(beside_link_targets(&files), [real.join("releases")]);
    }

    #[test]
    fn a_device_is_in_reach_without_its_folder() {
        let null = PathBuf::from("/dev/null");
        let files = [null.clone(), PathBuf::from("/var/log/nowhere.log")];
        let found = folders_or_devices(&files);
        assert!(found.iter().all(|found| *found == null || found.ends_with("log")), "{found:?}");
        assert!(found.contains(&null) && found.contains(&PathBuf::from("/var/log")), "{found:?}");
    }
}

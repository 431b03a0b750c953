//! Restriction of file access (landlock, Linux ≥ 5.13): reading in the folders of Kea and the operator,
//! writing in those of the query log and the admin port's socket, nothing else.

use std::collections::BTreeSet;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, path_beneath_rules,
};

use super::sandbox::Reach;

/// Tables of the kernel about this process, CPUs, interfaces.
pub(super) const TABLES: [&str; 2] = ["/proc", "/sys"];

/// Restricts this thread and the threads that it starts.
pub(super) fn restrict(reach: &Reach) -> Result<(), String> {
    match enforce(reach).map_err(|error| error.to_string())? {
        RulesetStatus::NotEnforced => {
            const MISSING: &str = "this kernel has no landlock, a seccomp filter hides it, or it is not among the \
                                   security modules of the kernel's command line (lsm=landlock,…)";
            Err(MISSING.to_owned())
        }
        // Newer kinds of access than this kernel knows are missing, such as truncation before 6.2.
        RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Ok(()),
    }
}

/// Denies all access up to ABI 5 (Linux 6.10) except below the folders of `reach`. TCP ports are not
/// restricted, as they are bound later.
fn enforce(reach: &Reach) -> Result<RulesetStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let tables = TABLES.map(PathBuf::from);
    let rules = |folders: &[PathBuf], access: BitFlags<AccessFs>| {
        let folders: BTreeSet<PathBuf> = folders.iter().cloned().collect();
        path_beneath_rules(folders, access)
    };
    Ruleset::default()
        // Older kernels restrict as much as they can.
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))?
        .create()?
        .add_rules(rules(&tables, read))?
        .add_rules(rules(&reach.read, read))?
        // No right to read: the query log is written only.
        .add_rules(rules(&reach.append, AccessFs::WriteFile | AccessFs::MakeReg | AccessFs::Truncate))?
        .add_rules(rules(&reach.sockets, AccessFs::MakeSock | AccessFs::RemoveFile))?
        .restrict_self()
        .map(|status| status.ruleset)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use super::*;

    #[test]
    fn logs_and_sockets_have_folders_of_their_own() {
        let (logs, sockets) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (log, socket) = (logs.path().join("queries.log"), sockets.path().join("admin.sock"));
        let reach = Reach {
            append: vec![logs.path().to_owned(), "/dev/full".into()],
            sockets: vec![sockets.path().to_owned()],
            ..Reach::default()
        };
        let append = |file: &Path| fs::OpenOptions::new().append(true).create(true).open(file).map(drop);
        let work = || {
            restrict(&reach)?;
            append(&log).unwrap();
            append(Path::new("/dev/full")).unwrap();
            drop(UnixListener::bind(&socket).unwrap());
            fs::remove_file(&socket).unwrap();
            let attempts = [
                append(&sockets.path().join("file")),
                append(Path::new("/dev/null")),
                fs::read(&log).map(drop),
                fs::remove_file(&log),
                UnixListener::bind(logs.path().join("admin.sock")).map(drop),
            ];
            let kinds = attempts.map(|attempt| attempt.unwrap_err().kind());
            assert_eq!(kinds, [ErrorKind::PermissionDenied; 5]);
            Ok::<_, String>(())
        };
        if let Err(reason) = std::thread::scope(|scope| scope.spawn(work).join().unwrap()) {
            assert!(reason.contains("no landlock"), "{reason}");
        }
    }

    /// On a thread of its own, which takes the restriction along when it ends.
    #[test]
    fn reads_below_its_folders_and_writes_nowhere() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&inside, &outside] {
            fs::write(folder.path().join("leases"), "rows").unwrap();
        }
        let reach = Reach { read: vec![inside.path().to_owned(), "/nonexistent".into()], ..Reach::default() };
        let restricted = std::thread::scope(|scope| {
            let work = || {
                restrict(&reach)?;
                let leases = inside.path().join("leases");
                assert_eq!(fs::read_to_string(&leases).unwrap(), "rows");
                let denied = |kind: std::io::Result<()>| kind.unwrap_err().kind();
                assert_eq!(denied(fs::write(&leases, "mine")), ErrorKind::PermissionDenied);
                assert_eq!(denied(fs::remove_file(&leases)), ErrorKind::PermissionDenied);
                let elsewhere = fs::read(outside.path().join("leases")).map(drop);
                assert_eq!(denied(elsewhere), ErrorKind::PermissionDenied);
                // A file that takes the place of another can be read.
                std::thread::scope(|inner| inner.spawn(|| fs::read(&leases).unwrap()).join().unwrap());
                Ok::<_, String>(())
            };
            scope.spawn(work).join().unwrap()
        });
        if let Err(reason) = restricted {
            assert!(reason.contains("no landlock"), "{reason}");
        }
        fs::write(outside.path().join("leases"), "more").unwrap(); // this thread is free
    }
}

//! Files: reading where Kea and the operator keep theirs, and nothing else anywhere (landlock, Linux ≥ 5.13).

use std::collections::BTreeSet;
use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, path_beneath_rules,
};

use super::Reach;

/// The kernel's own tables: figures on this process, CPUs, interfaces.
const TABLES: [&str; 2] = ["/proc", "/sys"];

/// Restricts this thread and those that it starts.
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

/// All kinds of access up to ABI 5 (Linux 6.10) are denied but reading below the folders. Sockets are not handled:
/// the ports are bound later.
fn enforce(reach: &Reach) -> Result<RulesetStatus, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let folders: BTreeSet<PathBuf> = reach.read.iter().cloned().chain(TABLES.map(PathBuf::from)).collect();
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V5))?
        .create()?
        .add_rules(path_beneath_rules(folders, read))?
        .restrict_self()
        .map(|status| status.ruleset)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;

    use super::*;

    /// On a thread of its own, which takes the restriction along when it ends.
    #[test]
    fn reads_below_its_folders_and_writes_nowhere() {
        let (inside, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&inside, &outside] {
            fs::write(folder.path().join("leases"), "rows").unwrap();
        }
        let reach = Reach { read: vec![inside.path().to_owned(), "/nonexistent".into()] };
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

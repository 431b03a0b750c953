//! Reach of the program's sandbox, so that an error can tell the sandbox's denial from one by file rights:
//! both are
//! [`ErrorKind::PermissionDenied`].
//!
//! A sandbox (landlock) allows folders as they were when it was put up, not their names: a folder that is
//! replaced under the same name is out of reach, and so is the new target of a link that is moved later.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::kea_memfile::FileId;
use crate::resolved::Resolved;

/// Error of a file that the sandbox does not reach, with the fix.
pub const OUT_OF_REACH: &str = "is out of the sandbox's reach, whatever the file's rights: lqd reaches the folders that \
                                were named, and there, when it started; restart lqd";

/// Folders that this process may use, for each way of using them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement {
    read: Vec<FileId>,
    append: Vec<FileId>,
    sockets: Vec<FileId>,
}

/// Way of using a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading files.
    Read,
    /// Making files and writing to them.
    Append,
    /// Making Unix sockets.
    Socket,
}

static CONFINEMENT: OnceLock<Confinement> = OnceLock::new();

/// Whether an attempt at this file failed by the sandbox.
pub fn is_out_of_reach(file: &Path, kind: ErrorKind, access: Access) -> bool {
    kind == ErrorKind::PermissionDenied
        && CONFINEMENT.get().is_some_and(|confinement| !confinement.reaches(file, access))
}

impl Confinement {
    /// Describes a sandbox that is put up now; folders that do not exist are not in it.
    pub fn new(read: &[PathBuf], append: &[PathBuf], sockets: &[PathBuf]) -> Self {
        let ids = |folders: &[PathBuf]| {
            folders
                .iter()
                .filter_map(|folder| fs::metadata(folder).ok())
                .map(|found| FileId::of(&found))
                .collect()
        };
        Self { read: ids(read), append: ids(append), sockets: ids(sockets) }
    }

    /// Notes that the sandbox is in force, for good.
    pub fn enforced(self) {
        let _ = CONFINEMENT.set(self); // a second sandbox cannot widen the first
    }

    /// Whether the file is in one of the folders, or below; true also if that cannot be seen for lack of
    /// other rights.
    fn reaches(&self, file: &Path, access: Access) -> bool {
        let folders = match access {
            Access::Read => &self.read,
            Access::Append => &self.append,
            Access::Socket => &self.sockets,
        };
        let resolved = Resolved::of(file);
        resolved.target().ancestors().any(|folder| match fs::metadata(folder) {
            Ok(found) => folders.contains(&FileId::of(&found)),
            // A folder that may not be examined may be a reachable one: the error then names the file's
            // rights.
            Err(error) => error.kind() != ErrorKind::NotFound,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_is_identified_by_its_inode_not_by_its_name() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for folder in ["in/below", "out", "log"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        symlink(at("in"), at("way-in")).unwrap();
        symlink(at("out/file"), at("in/way-out")).unwrap();
        let confinement = Confinement::new(&[at("in"), at("nowhere")], &[at("log")], &[]);
        let reads = |name: &str| confinement.reaches(&at(name), Access::Read);
        for name in ["in/file", "in/below/file", "way-in/file", "out/../in/file"] {
            assert!(reads(name), "{name}");
        }
        for name in ["out/file", "in/way-out", "log/file", "nowhere/file", "in/../out/file"] {
            assert!(!reads(name), "{name}");
        }
        assert!(confinement.reaches(&at("log/file"), Access::Append));
        assert!(!confinement.reaches(&at("in/file"), Access::Append));
        assert!(!confinement.reaches(&at("log/file"), Access::Socket));
        // Renamed, so that the new folder cannot be given the same number.
        fs::rename(at("in"), at("old")).unwrap();
        fs::create_dir(at("in")).unwrap();
        assert!(!reads("in/file") && reads("old/file"));
    }
}

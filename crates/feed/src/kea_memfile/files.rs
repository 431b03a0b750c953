//! Kea's set of lease files, and how to open it as one consistent snapshot while Kea and kea-lfc work on it.
//!
//! Kea appends to the current file. Its lease file clean-up (LFC) renames that to `.1`, and Kea starts a new
//! one; kea-lfc then writes `.2` and `.1` together as `.output`, renames this to `.completed`, removes `.2`
//! and `.1`, and renames `.completed` to `.2`. So the leases are what `.completed`, or else `.2` and then
//! `.1`, and at last the current file say, later rows over earlier ones. `.output` is never read.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Openings of the set before it is given up: with [`RETRY_AFTER`], far longer than any of LFC's steps
/// between two names, and short enough for a start-up error.
const ATTEMPTS_MAX: u32 = 50;
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// The names of one lease file set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseFiles {
    current: PathBuf,
}

/// Which file a name stands for, as long as somebody holds it open: device and inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// State of a file at one moment, from which a change shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) id: FileId,
    /// Octets in it.
    pub(super) len: u64,
    /// Time of its last modification: seconds and nanoseconds since 1970.
    pub(super) modified: (i64, i64),
}

/// An open file and the name it had.
#[derive(Debug)]
pub struct LeaseFile {
    /// Its name when it was opened.
    pub path: PathBuf,
    /// Open for reading.
    pub file: File,
    /// Which file it is; no other can have this id while it is open.
    pub id: FileId,
}

/// The files of a set in reading order, the current one last, all open: whatever happens to their names,
/// their rows stay readable.
#[derive(Debug)]
pub struct Snapshot {
    /// `.completed`, or `.2` and `.1`, as far as they exist.
    pub earlier: Vec<LeaseFile>,
    /// The file that Kea appends to.
    pub current: LeaseFile,
}

/// Why a lease file set cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// The current file is missing.
    #[error(
        "{0}: no such lease file; name the file that Kea writes (`lease-database.name` in kea-dhcp6.conf, \
         with `type` memfile and `persist` true), and start Kea once if it has never run"
    )]
    Missing(PathBuf),
    /// A name of the set is not that of a file.
    #[error("{0}: not a regular file; name the lease file itself, and remove what took its place")]
    NotAFile(PathBuf),
    /// A file cannot be opened.
    #[error(
        "{path}: {source}; let the user that lqd runs as read the lease file and search its directory",
        path = path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The set never stood still.
    #[error(
        "{0}: renamed or replaced again and again while it was being opened; \
         is more than one Kea writing there?"
    )]
    Restless(PathBuf),
}

impl FileId {
    /// The id of the file that this metadata describes.
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl LeaseFiles {
    /// The set whose current file has this name.
    pub fn new(current: impl Into<PathBuf>) -> Self {
        Self { current: current.into() }
    }

    /// The file that Kea appends to.
    pub fn current(&self) -> &Path {
        &self.current
    }

    /// The directory that holds the set.
    pub fn directory(&self) -> &Path {
        match self.current.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// Another name of the set, such as `.1`.
    pub fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut name = OsString::from(&self.current);
        name.push(suffix);
        name.into()
    }

    /// Opens the set. Tries again, for about a second, while the current file is missing or names change.
    pub fn open(&self) -> Result<Snapshot, OpenFault> {
        let mut missing = false;
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                std::thread::sleep(RETRY_AFTER);
            }
            let earlier = self.open_earlier()?;
            let current = open(self.current.clone())?;
            missing = current.is_none();
            if let Some(current) = current {
                let snapshot = Snapshot { earlier, current };
                if self.still_names(&snapshot)? {
                    return Ok(snapshot);
                }
            }
        }
        let current = self.current.clone();
        Err(if missing { OpenFault::Missing(current) } else { OpenFault::Restless(current) })
    }

    fn open_earlier(&self) -> Result<Vec<LeaseFile>, OpenFault> {
        if let Some(completed) = open(self.with_suffix(".completed"))? {
            return Ok(vec![completed]);
        }
        let mut earlier = Vec::new();
        for suffix in [".2", ".1"] {
            earlier.extend(open(self.with_suffix(suffix))?);
        }
        Ok(earlier)
    }

    /// The names stand for the opened files and for no others. Open files cannot lose their ids to new ones,
    /// so nothing was renamed between two openings either.
    fn still_names(&self, snapshot: &Snapshot) -> Result<bool, OpenFault> {
        let completed = self.with_suffix(".completed");
        let names = if snapshot.earlier.iter().any(|file| file.path == completed) {
            vec![completed]
        } else {
            vec![completed, self.with_suffix(".2"), self.with_suffix(".1")]
        };
        for path in names {
            let opened = snapshot.earlier.iter().find(|file| file.path == path).map(|file| file.id);
            if id(&path)? != opened {
                return Ok(false);
            }
        }
        Ok(id(&self.current)? == Some(snapshot.current.id))
    }
}

impl Look {
    fn of(metadata: &Metadata) -> Self {
        Self {
            id: FileId::of(metadata),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// The id of the file of this name, if there is one.
pub(super) fn id(path: &Path) -> Result<Option<FileId>, OpenFault> {
    Ok(look(path)?.map(|look| look.id))
}

/// The state of the file of this name, if there is one.
pub(super) fn look(path: &Path) -> Result<Option<Look>, OpenFault> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(Look::of(&metadata))),
        Ok(_) => Err(OpenFault::NotAFile(path.to_owned())),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OpenFault::Unreadable { path: path.to_owned(), source }),
    }
}

/// Opens the file of this name, if there is one. Looks first: opening a FIFO would wait for a writer.
pub(super) fn open(path: PathBuf) -> Result<Option<LeaseFile>, OpenFault> {
    if id(&path)?.is_none() {
        return Ok(None);
    }
    let opened = File::open(&path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    match opened {
        Ok((file, metadata)) => Ok(Some(LeaseFile { path, file, id: FileId::of(&metadata) })),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OpenFault::Unreadable { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn set() -> (tempfile::TempDir, LeaseFiles) {
        let directory = tempfile::tempdir().unwrap();
        let files = LeaseFiles::new(directory.path().join("kea-leases6.csv"));
        (directory, files)
    }

    fn suffixes(files: &LeaseFiles) -> Vec<String> {
        let snapshot = files.open().unwrap();
        assert_eq!(snapshot.current.path, files.current());
        let stem = files.current().to_str().unwrap();
        let suffix = |file: &LeaseFile| file.path.to_str().unwrap().strip_prefix(stem).unwrap().to_owned();
        snapshot.earlier.iter().map(suffix).collect()
    }

    #[test]
    fn reading_order() {
        let (_directory, files) = set();
        let create = |suffix| fs::write(files.with_suffix(suffix), "").unwrap();
        create("");
        assert_eq!(suffixes(&files), [""; 0]);
        create(".1");
        assert_eq!(suffixes(&files), [".1"]);
        create(".2");
        create(".output");
        create(".pid");
        assert_eq!(suffixes(&files), [".2", ".1"]);
        create(".completed");
        assert_eq!(suffixes(&files), [".completed"]);
    }

    #[test]
    fn a_missing_current_file_is_named_with_the_mend() {
        let (_directory, files) = set();
        fs::write(files.with_suffix(".2"), "").unwrap();
        let fault = files.open().unwrap_err();
        assert!(matches!(&fault, OpenFault::Missing(path) if path == files.current()));
        assert!(
            fault.to_string().contains("kea-leases6.csv: no such lease file; name the file that Kea writes")
        );
    }

    #[test]
    fn a_directory_is_no_lease_file() {
        let (directory, _) = set();
        let fault = LeaseFiles::new(directory.path()).open().unwrap_err();
        assert!(matches!(fault, OpenFault::NotAFile(path) if path == directory.path()));
    }

    #[test]
    fn names_that_moved_are_noticed() {
        let (_directory, files) = set();
        let moves: &[(&str, &str)] = &[("", ".1"), (".2", ".bak"), (".1", ".bak"), (".output", ".completed")];
        for (from, to) in moves {
            for suffix in ["", ".1", ".2", ".output"] {
                fs::write(files.with_suffix(suffix), "").unwrap();
            }
            let snapshot = files.open().unwrap();
            assert!(files.still_names(&snapshot).unwrap());
            fs::rename(files.with_suffix(from), files.with_suffix(to)).unwrap();
            assert!(!files.still_names(&snapshot).unwrap(), "{from} → {to}");
            for suffix in [".completed", ".bak"] {
                let _ = fs::remove_file(files.with_suffix(suffix));
            }
        }
    }

    #[test]
    fn the_directory_of_a_bare_name_is_the_working_directory() {
        assert_eq!(LeaseFiles::new("kea-leases6.csv").directory(), Path::new("."));
        assert_eq!(LeaseFiles::new("/var/lib/kea/kea-leases6.csv").directory(), Path::new("/var/lib/kea"));
    }
}

//! Kea's set of lease files, opened as one consistent snapshot while Kea and kea-lfc work on it.
//!
//! Kea appends to the current file. Its lease file clean-up (LFC) renames that to `.1`, and Kea starts a new
//! one; kea-lfc then writes `.2` and `.1` together as `.output`, renames this to `.completed`, removes `.2`
//! and `.1`, and renames `.completed` to `.2`. So the leases are the rows of `.completed`, or else of `.2`
//! and `.1`, and then of the current file; later rows replace earlier ones. `.output` is never read.
//!
//! If the current file's name is a symbolic link, Kea may know the file by that name or by another one on the
//! way to it, and keeps the other files in that folder. As a rule that is the folder of the last name, the
//! file's own; if there are none, the folder of the next name before it that has some.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

use crate::confinement::{Access, OUT_OF_REACH, is_out_of_reach};
use crate::resolved::Resolved;

/// Attempts to open the set before it is given up: with [`RETRY_AFTER`], far longer than any of LFC's steps
/// between two names, and short enough for a start-up error.
const ATTEMPTS_MAX: u32 = 50;
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// Names of the files before the current one.
const EARLIER: [&str; 3] = [".completed", ".2", ".1"];

/// The names of one lease file set, as symbolic links lead to it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeaseFiles {
    current: PathBuf,
    resolved: Resolved,
}

/// Identity of a file as long as it is open: device and inode number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    /// Device number.
    pub(crate) device: u64,
    /// Inode number.
    pub(crate) inode: u64,
}

/// State of a file at one moment, from which a change shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) id: FileId,
    /// Length in bytes.
    pub(super) len: u64,
    /// Time of its last modification: seconds and nanoseconds since 1970.
    pub(super) modified: (i64, i64),
    /// Names that the file has; none if it was deleted.
    pub(super) names: u64,
}

/// An open file and the name it had.
#[derive(Debug)]
pub(super) struct LeaseFile {
    /// Name when it was opened.
    pub(super) path: PathBuf,
    /// Open for reading.
    pub(super) file: File,
    /// Identity, which no other file can have while this one is open.
    pub(super) id: FileId,
}

/// The files of a set in reading order, the current one last, all open: their
/// rows stay readable when names change.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// `.completed`, or `.2` and `.1`, as far as they exist.
    pub(super) earlier: Vec<LeaseFile>,
    /// The file that Kea appends to; none between a rotation and Kea's next file, if that is allowed.
    pub(super) current: Option<LeaseFile>,
}

/// The reason why a lease file set cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
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
        /// Error of the system.
        source: io::Error,
    },
    /// The sandbox does not let the process open a file.
    #[error("{0}: {OUT_OF_REACH}")]
    OutOfReach(PathBuf),
    /// Names of the set changed during each attempt.
    #[error(
        "{0}: renamed or replaced again and again while it was being opened; \
         is more than one Kea writing there?"
    )]
    Restless(PathBuf),
}

impl OpenError {
    fn unreadable(path: &Path, source: io::Error) -> Self {
        // The sandbox and file rights give the same errno, and need different fixes.
        match is_out_of_reach(path, source.kind(), Access::Read) {
            true => Self::OutOfReach(path.to_owned()),
            false => Self::Unreadable { path: path.to_owned(), source },
        }
    }
}

impl FileId {
    /// The id of the file that this metadata describes.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl LeaseFiles {
    /// Creates the set whose current file has this name.
    pub(super) fn new(current: impl Into<PathBuf>) -> Self {
        let current = current.into();
        let resolved = Resolved::of(&current);
        Self { current, resolved }
    }

    /// Returns the same set as symbolic links lead to it now.
    pub(super) fn resolved_again(&self) -> Self {
        Self::new(self.current.clone())
    }

    /// Returns the name of the file that Kea appends to, as it was given.
    pub(super) fn current(&self) -> &Path {
        &self.current
    }

    /// Returns the resolution of that name through symbolic links.
    pub(super) fn resolved(&self) -> &Resolved {
        &self.resolved
    }

    /// The folder of the file itself.
    pub(super) fn folder(&self) -> &Path {
        // A file in the root folder has no named parent.
        self.resolved.target().parent().unwrap_or(Path::new("/"))
    }

    /// Whether that folder exists; true also if that cannot be seen.
    pub(super) fn has_folder(&self) -> bool {
        self.resolved_again().folder().try_exists().unwrap_or(true)
    }

    /// The file is mounted by itself, rather than its folder: when Kea replaces it, the mount goes on showing
    /// the old one.
    pub(super) fn is_mounted_alone(&self) -> bool {
        // A kernel without the attribute reports none, and the check finds nothing.
        statx(CWD, &self.current, AtFlags::empty(), StatxFlags::empty())
            .is_ok_and(|file| file.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    }

    /// Another name of the set, such as `.1`.
    pub(super) fn with_suffix(&self, suffix: &str) -> PathBuf {
        with_suffix(self.known_to_kea(), suffix)
    }

    /// Returns the name by which Kea knows the current file, and in whose folder the others are.
    fn known_to_kea(&self) -> &Path {
        let has_earlier = |name: &&PathBuf| {
            EARLIER.iter().any(|suffix| with_suffix(name, suffix).symlink_metadata().is_ok())
        };
        match self.resolved.names() {
            // The usual case, without symbolic links, needs no look at the disk.
            [only] => only,
            // LFC works beside the name that Kea was given, so its files show which one that is.
            names => names.iter().rev().find(has_earlier).map_or(self.resolved.target(), PathBuf::as_path),
        }
    }

    /// Opens the set. Tries again, for about a second, while the current file is missing or names change.
    pub(super) fn open(&self) -> Result<Snapshot, OpenError> {
        self.open_set(false)
    }

    /// Opens the set, without a current file if there are others: at the start their leases are better than
    /// none.
    pub(super) fn open_what_is_there(&self) -> Result<Snapshot, OpenError> {
        self.open_set(true)
    }

    /// Whether there is at least one file of the set; true also if that cannot be seen.
    pub(super) fn are_there(&self) -> bool {
        let set = self.resolved_again();
        let names = EARLIER.iter().map(|suffix| set.with_suffix(suffix));
        names.chain([self.current.clone()]).any(|name| name.try_exists().unwrap_or(true))
    }

    fn open_set(&self, without_current: bool) -> Result<Snapshot, OpenError> {
        let mut missing = None;
        for attempt in 1..=ATTEMPTS_MAX {
            if attempt > 1 {
                std::thread::sleep(RETRY_AFTER);
            }
            // Links may be changed by the operator between attempts.
            let set = self.resolved_again();
            // Earlier files are opened first: a rotation in between then shows as a name that moved.
            let earlier = set.open_earlier()?;
            let current = set.open_current()?;
            missing = current.is_none().then(|| set.resolved.target().to_owned());
            let enough =
                // The current file is absent for moments during each rotation, so only the last attempt does
                // without it.
                current.is_some() || without_current && attempt == ATTEMPTS_MAX && !earlier.is_empty();
            let snapshot = Snapshot { earlier, current };
            // Names may have changed between two openings: a set that has all its names still is consistent.
            if enough && set.still_names(&snapshot)? && set.resolved_again() == set {
                return Ok(snapshot);
            }
        }
        // A missing file outlasts the attempts; names that move are another Kea's doing.
        Err(missing.map_or_else(|| OpenError::Restless(self.current.clone()), OpenError::Missing))
    }

    /// Opens the current file, if there is one.
    pub(super) fn open_current(&self) -> Result<Option<LeaseFile>, OpenError> {
        open(self.resolved.target().to_owned())
    }

    /// Whether the file has one of the names that a rotation gives the current file.
    pub(super) fn is_rotated(&self, file: FileId) -> bool {
        self.resolved
            .names()
            .iter()
            .any(|name| matches!(id(&with_suffix(name, ".1")), Ok(Some(id)) if id == file))
    }

    fn open_earlier(&self) -> Result<Vec<LeaseFile>, OpenError> {
        // LFC deletes `.1` and `.2` once `.completed` holds them, so they must not be read beside it.
        if let Some(completed) = open(self.with_suffix(".completed"))? {
            return Ok(vec![completed]);
        }
        let mut earlier = Vec::new();
        for suffix in [".2", ".1"] {
            earlier.extend(open(self.with_suffix(suffix))?);
        }
        Ok(earlier)
    }

    /// Whether the names stand for the opened files and for no others. Open files cannot lose their ids to
    /// new ones, so nothing was renamed between two openings either.
    fn still_names(&self, snapshot: &Snapshot) -> Result<bool, OpenError> {
        let completed = self.with_suffix(".completed");
        // With `.completed`, the others may be removed at any time.
        let names = if snapshot.earlier.iter().any(|file| file.path == completed) {
            vec![completed]
        } else {
            vec![completed, self.with_suffix(".2"), self.with_suffix(".1")]
        };
        for path in names {
            let opened = snapshot.earlier.iter().find(|file| file.path == path).map(|file| file.id);
            // An id, not a name, tells a renamed file from a new one of the same name.
            if id(&path)? != opened {
                return Ok(false);
            }
        }
        Ok(id(&self.current)? == snapshot.current.as_ref().map(|current| current.id))
    }
}

impl Look {
    fn of(metadata: &Metadata) -> Self {
        Self {
            id: FileId::of(metadata),
            len: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            names: metadata.nlink(),
        }
    }
}

/// Returns the name with a suffix.
pub(super) fn with_suffix(name: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(name);
    name.push(suffix);
    name.into()
}

/// Returns the identity of the file with this name, if there is one.
pub(super) fn id(path: &Path) -> Result<Option<FileId>, OpenError> {
    Ok(look(path)?.map(|look| look.id))
}

/// Returns the state of the file with this name, if there is one.
pub(super) fn look(path: &Path) -> Result<Option<Look>, OpenError> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(Look::of(&metadata))),
        // A FIFO or device would block a reader for ever.
        Ok(_) => Err(OpenError::NotAFile(path.to_owned())),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OpenError::unreadable(path, source)),
    }
}

/// Whether the file of this name is empty, or its last line has an end; also if that cannot be seen.
pub(super) fn ends_with_line(path: &Path) -> bool {
    let Ok(Some(opened)) = open(path.to_owned()) else { return true };
    let mut last = [b'\n'];
    match opened.file.metadata() {
        Ok(metadata) if metadata.len() > 0 => {
            // A file that shrank meanwhile is noticed by the next look.
            opened.file.read_exact_at(&mut last, metadata.len() - 1).is_err() || last == *b"\n"
        }
        _ => true,
    }
}

/// Opens the file of this name, if there is one. Looks first: opening a FIFO would wait for a writer.
pub(super) fn open(path: PathBuf) -> Result<Option<LeaseFile>, OpenError> {
    // A FIFO without writer blocks in open(2).
    if id(&path)?.is_none() {
        return Ok(None);
    }
    let opened = File::open(&path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    match opened {
        Ok((file, metadata)) => Ok(Some(LeaseFile { path, file, id: FileId::of(&metadata) })),
        // The name may go away between the look and the opening.
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(OpenError::unreadable(&path, source)),
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
        assert_eq!(snapshot.current.unwrap().path, files.current());
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
    fn a_missing_current_file_is_named_with_the_fix() {
        let (_directory, files) = set();
        fs::write(files.with_suffix(".2"), "").unwrap();
        let error = files.open().unwrap_err();
        assert!(matches!(&error, OpenError::Missing(path) if path == files.current()));
        assert!(
            error.to_string().contains("kea-leases6.csv: no such lease file; name the file that Kea writes")
        );
    }

    #[test]
    fn earlier_files_can_be_opened_without_a_current_one() {
        let (_directory, files) = set();
        assert!(!files.are_there());
        assert!(matches!(files.open_what_is_there(), Err(OpenError::Missing(_))));
        for suffix in [".2", ".1", ".completed"] {
            fs::write(files.with_suffix(suffix), "").unwrap();
            assert!(files.are_there());
            let snapshot = files.open_what_is_there().unwrap();
            assert!(!snapshot.earlier.is_empty() && snapshot.current.is_none());
        }
    }

    #[test]
    fn a_directory_is_no_lease_file() {
        let (directory, _) = set();
        let error = LeaseFiles::new(directory.path()).open().unwrap_err();
        assert!(matches!(error, OpenError::NotAFile(path) if path == directory.path()));
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

    /// Kea knows the target, the link, or a link on the way: the others are in its folder.
    #[test]
    fn earlier_files_are_in_the_folder_of_the_name_that_kea_knows() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for folder in ["a", "b", "c"] {
            fs::create_dir(at(folder)).unwrap();
        }
        fs::write(at("c/leases"), "").unwrap();
        std::os::unix::fs::symlink("../c/leases", at("b/leases")).unwrap();
        std::os::unix::fs::symlink(at("b/leases"), at("a/leases")).unwrap();
        let files = LeaseFiles::new(at("a/leases"));
        assert_eq!(files.with_suffix(".1"), at("c/leases.1"));
        let earlier = |folder: &str| {
            let opened = files.open().unwrap().earlier;
            assert!(opened.iter().all(|file| file.path.starts_with(at(folder))), "{folder}: {opened:?}");
            opened.len()
        };
        for (folder, suffix, count) in
            [("a", "2", 1), ("b", "1", 1), ("c", "2", 1), ("c", "1", 2), ("c", "completed", 1)]
        {
            fs::write(at(folder).join("leases").with_extension(suffix), "").unwrap();
            assert_eq!(earlier(folder), count);
        }
    }
}

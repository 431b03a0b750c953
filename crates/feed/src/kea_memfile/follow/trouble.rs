//! Reasons why there may be rows in the files that are not seen.

use std::io;

use crate::confinement::OUT_OF_REACH;
use crate::kea_memfile::files::OpenError;
use crate::source::Trouble;

/// Reason why there may be rows that are not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kea_memfile) enum FileTrouble {
    /// No file has the current file's name.
    Missing,
    /// The current file's name is that of a directory or the like.
    NotAFile,
    /// The file that has the name may not be looked at or opened.
    Unreadable(io::ErrorKind),
    /// The sandbox does not let the process open the file that has the name.
    OutOfReach,
    /// The file is being rewritten, and not yet complete.
    Rewriting,
    /// The file is empty, or its first line is not whole.
    Headless,
    /// The last line of the file is not whole.
    HalfLine,
    /// The file was deleted, but its name still shows it, as the mount of a single file does.
    Deleted,
}

impl FileTrouble {
    /// Returns the trouble that an error causes.
    pub(super) fn of(error: &OpenError) -> Self {
        match error {
            OpenError::NotAFile(_) => Self::NotAFile,
            OpenError::Unreadable { source, .. } => Self::Unreadable(source.kind()),
            OpenError::OutOfReach(_) => Self::OutOfReach,
            // To an operator both mean that no file has the name at this moment.
            OpenError::Missing(_) | OpenError::Restless(_) => Self::Missing,
        }
    }

    /// Whether Kea has a file that cannot be read here. A file that is gone may still be open, in Kea as in
    /// lqd.
    pub(super) fn hides_leases(self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::OutOfReach | Self::Deleted)
    }

    fn is_error(self) -> bool {
        // Trouble that passes by itself is a warning, so that alarms keep their meaning.
        self.hides_leases() || self == Self::NotAFile
    }

    /// Consequence or remedy, for the log.
    fn advice(self) -> Option<&'static str> {
        match self {
            Self::Missing | Self::Rewriting => Some("answering from what was known before"),
            Self::Unreadable(_) => Some("give lqd's user the right to read it"),
            Self::Deleted => Some(
                "the mount of this single file goes on showing it, and never Kea's new one; mount the folder instead \
                 of the file, and start lqd again",
            ),
            Self::NotAFile | Self::OutOfReach | Self::Headless | Self::HalfLine => None,
        }
    }
}

impl From<FileTrouble> for Trouble {
    fn from(trouble: FileTrouble) -> Self {
        Self { text: trouble.to_string(), advice: trouble.advice(), is_error: trouble.is_error() }
    }
}

impl std::fmt::Display for FileTrouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => f.write_str("the lease file is gone"),
            Self::NotAFile => f.write_str("the lease file path is not a regular file"),
            Self::Unreadable(reason) => write!(f, "the lease file may not be read: {reason}"),
            Self::OutOfReach => write!(f, "the lease file {OUT_OF_REACH}"),
            Self::Deleted => {
                f.write_str("the lease file was deleted, but is still shown, being mounted by itself")
            }
            Self::Rewriting => f.write_str("the lease file is being rewritten"),
            Self::Headless => f.write_str("the lease file has no complete header: Kea has not written it yet"),
            Self::HalfLine => f.write_str(
                "the lease file's last line has no end: Kea has not written all of it; see whether its disk is full",
            ),
        }
    }
}

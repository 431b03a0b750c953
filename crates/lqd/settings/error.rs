//! Errors of settings; each text includes the fix.

use std::io::ErrorKind;
use std::path::PathBuf;

/// Error of a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The configuration file cannot be read.
    #[error("{}: {cause}", file.display())]
    Unreadable {
        /// The file, as `--config` names it.
        file: PathBuf,
        /// Error of the system; `InvalidData` if the file is too long.
        kind: ErrorKind,
        /// Text of the error, and the fix.
        cause: String,
    },
    /// The configuration file has an error.
    #[error("{}:{line}:{column}: {fault}", file.display())]
    Text {
        /// The file, as `--config` names it.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// Error, and the fix.
        fault: String,
    },
    /// A well-formed value cannot be used, such as an interface that does not exist.
    #[error("{setting}: {value}: {fault}")]
    Value {
        /// The flag and key, without dashes.
        setting: &'static str,
        /// The value.
        value: String,
        /// Error, and the fix.
        fault: String,
    },
    /// A list that needs an entry has none.
    #[error("{setting}: the list is empty; give it an entry, or leave the key out")]
    Empty {
        /// The flag and key, without dashes.
        setting: &'static str,
    },
    /// No path of Kea's configuration.
    #[error(
        "Kea's configuration is not given; name it with --kea-config FILE, or with kea-config = \"FILE\" \
         in the file of --config"
    )]
    NoKeaConfig,
}

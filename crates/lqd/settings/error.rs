//! Why settings cannot be used. Each text says what to mend.

use std::io::ErrorKind;
use std::path::PathBuf;

/// Why settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SettingsError {
    /// The configuration file cannot be read.
    #[error("{}: {cause}", file.display())]
    Unreadable {
        /// The file, as `--config` names it.
        file: PathBuf,
        /// What the system says; `InvalidData` for what is no configuration.
        kind: ErrorKind,
        /// The same in words, and what to mend.
        cause: String,
    },
    /// The configuration file is not the text that it should be.
    #[error("{}:{line}:{column}: {fault}", file.display())]
    Text {
        /// The file, as `--config` names it.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What is wrong and what to write instead.
        fault: String,
    },
    /// A well-formed value that has no meaning here, such as an interface that does not exist.
    #[error("{setting}: {value}: {fault}")]
    Value {
        /// The flag and key, without dashes.
        setting: &'static str,
        /// The value at fault.
        value: String,
        /// What is wrong and what to write instead.
        fault: String,
    },
    /// A list that needs an entry has none.
    #[error("{setting}: the list is empty; give it an entry, or leave the key out")]
    Empty {
        /// The flag and key, without dashes.
        setting: &'static str,
    },
    /// Nothing says where Kea's configuration is.
    #[error(
        "Kea's configuration is not given; name it with --kea-config FILE, or with kea-config = \"FILE\" \
         in the file of --config"
    )]
    NoKeaConfig,
}

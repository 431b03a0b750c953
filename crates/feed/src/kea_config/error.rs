//! What is wrong with a configuration, where, and what to mend.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;

/// A place in a file as it was written, includes too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// Why a configuration cannot be used. Each text says what to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: {fault}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said; `InvalidData` for content that cannot be used.
        kind: ErrorKind,
        /// What is wrong and what to mend.
        fault: String,
    },
    /// The text is not what Kea reads.
    #[error("{place}: {fault}")]
    Text {
        /// Where.
        place: Place,
        /// What is wrong and what to mend.
        fault: String,
    },
    /// A setting has a value that it cannot have.
    #[error("{place}: {path}: {fault}")]
    Value {
        /// Where the value starts.
        place: Place,
        /// The setting, such as `Dhcp6.subnet6[3].subnet`.
        path: String,
        /// What is wrong and what to mend.
        fault: String,
    },
    /// Neither configuration nor files say what is needed.
    #[error("{0}")]
    Missing(String),
    /// Kea writes what is needed at its first start.
    #[error("{0}")]
    NotYet(String),
}

/// Something in the configuration that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The setting, such as `Dhcp6.subnet6[3].option-data[0]`, or the place of an include.
    pub path: String,
    /// What is left out, and what to do about it.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

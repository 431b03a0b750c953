//! Errors and warnings about a configuration, with place and fix.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;

/// A place in a file of the configuration, includes too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextPosition {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for TextPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}

/// The reason why a configuration cannot be used. Each text ends with the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("{}: {reason}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Error kind of the system; `InvalidData` for content that cannot be used.
        kind: ErrorKind,
        /// Reason and fix.
        reason: String,
    },
    /// The text does not follow Kea's syntax.
    #[error("{place}: {reason}")]
    Text {
        /// TextPosition of the error.
        place: TextPosition,
        /// Reason and fix.
        reason: String,
    },
    /// A setting has a value that it cannot have.
    #[error("{place}: {path}: {reason}")]
    Value {
        /// Start of the value.
        place: TextPosition,
        /// The setting, such as `Dhcp6.subnet6[3].subnet`.
        path: String,
        /// Reason and fix.
        reason: String,
    },
    /// Neither configuration nor files give a value that is needed.
    #[error("{0}")]
    Missing(String),
    /// Kea writes the missing file at its first start.
    #[error("{0}")]
    NotYet(String),
}

/// Something in the configuration that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The setting, such as `Dhcp6.subnet6[3].option-data[0]`, or the place of an include.
    pub path: String,
    /// The part that is left out, and the fix.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}

//! Which queries are logged, and where to.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnet::Ipv6Net;

use super::spelled::{Literal, Spelled};

/// Which queries are logged, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueryLog {
    /// Where to.
    pub(crate) to: LogTarget,
    /// One of so many.
    pub(crate) sample: NonZeroU32,
    /// Of requestors in here.
    pub(crate) requestor: Ipv6Net,
}

/// Where the query log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogTarget {
    /// Standard error.
    Stderr,
    /// The journal.
    Journald,
    /// The end of this file.
    File(PathBuf),
}

impl LogTarget {
    /// The file, if it is one.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        if let Self::File(path) = self { Some(path) } else { None }
    }

    /// A file's path starts from this folder.
    pub(super) fn below(&mut self, folder: &Path) {
        if let Self::File(path) = self {
            *path = folder.join(&*path);
        }
    }
}

impl FromStr for LogTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stderr" => Ok(Self::Stderr),
            "journald" => Ok(Self::Journald),
            "" => Err(format!("must be {}", Self::form())),
            path => path.parse().map(Self::File).map_err(|never: Infallible| match never {}),
        }
    }
}

impl Spelled for LogTarget {
    const LITERAL: Literal = Literal::Text;

    fn form() -> String {
        "a file, \"journald\" or \"stderr\"".to_owned()
    }
}

//! Settings of the query log.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ipnet::Ipv6Net;

use super::spelled::{Literal, Spelled};
use super::{Flags, SettingsError};

/// Selection of the queries to log, and the target of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueryLog {
    /// Target of the log.
    pub(crate) to: LogTarget,
    /// Logs one of this many queries.
    pub(crate) sample: NonZeroU32,
    /// Prefix of the requestors whose queries are logged.
    pub(crate) requestor: Ipv6Net,
}

/// Target of the query log.
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
    /// Returns the path of a file.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        if let Self::File(path) = self { Some(path) } else { None }
    }

    /// Makes a relative path start from `folder`.
    pub(super) fn below(&mut self, folder: &Path) {
        if let Self::File(path) = self {
            *path = folder.join(&*path);
        }
    }
}

/// Resolves the three settings of the query log together.
pub(super) fn resolve(typed: &Flags) -> Result<Option<QueryLog>, SettingsError> {
    let alone = |setting, value: String| SettingsError::Value {
        setting,
        value,
        fault: "there is no query log; give --query-log too, or leave this out".to_owned(),
    };
    let requestor = typed.query_log_requestor.as_ref().map(|network| network.0);
    let sample = typed.query_log_sample.map(|sample| sample.0);
    let Some(to) = typed.query_log.clone() else {
        return match (sample, requestor) {
            (Some(sample), _) => Err(alone("query-log-sample", sample.to_string())),
            (_, Some(requestor)) => Err(alone("query-log-requestor", requestor.to_string())),
            (None, None) => Ok(None),
        };
    };
    let sample = sample.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    Ok(Some(QueryLog { to, sample, requestor: requestor.unwrap_or_default() }))
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

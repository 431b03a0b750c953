//! Exit status.

use std::process::ExitCode;

use lqd_requestor::{Error, Lookup, LookupError};

/// The exit status. A batch ends with the worst of its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Bindings were found.
    Found = 0,
    /// There are certainly none.
    NoBinding = 1,
    /// The query or a flag is invalid.
    Usage = 2,
    /// A server refused, or its answer is unusable.
    Refused = 3,
    /// No server answered.
    NoReply = 4,
    /// Bindings were found, but others may be missing: a link could not be queried.
    Incomplete = 5,
}

impl Exit {
    /// Returns the exit status of a lookup.
    pub(crate) fn of(lookup: &Result<Lookup, Error>) -> Self {
        let is_complete = lookup.as_ref().is_ok_and(|lookup| lookup.incomplete.is_empty());
        match lookup.as_ref().map(|lookup| &lookup.outcome) {
            Ok(Ok(clients)) if clients.is_empty() => Self::NoBinding,
            // Bindings that may be missing must not look like a complete answer.
            Ok(Ok(_)) if !is_complete => Self::Incomplete,
            Ok(Ok(_)) => Self::Found,
            Ok(Err(LookupError::NoReply { .. })) => Self::NoReply,
            Ok(Err(_)) => Self::Refused,
            Err(_) => Self::Usage,
        }
    }

    /// The word for programs; part of the JSON schema.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NoBinding => "no-binding",
            Self::Usage => "not-asked",
            Self::Refused => "refused",
            Self::NoReply => "no-reply",
            Self::Incomplete => "incomplete",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

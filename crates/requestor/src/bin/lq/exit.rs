//! How the program ends.

use std::process::ExitCode;

use lqd_requestor::{Error, Failure, Lookup};

/// Exit status. A file of questions ends with the worst of its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Bindings were found.
    Found = 0,
    /// There are none, for sure.
    NoBinding = 1,
    /// The question or the flags cannot be used.
    Usage = 2,
    /// A server refused, or its answer cannot be used.
    Refused = 3,
    /// No reply.
    NoReply = 4,
    /// Bindings were found, and others may be missing: a link could not be asked for.
    Incomplete = 5,
}

impl Exit {
    /// What a lookup comes to.
    pub(crate) fn of(lookup: &Result<Lookup, Error>) -> Self {
        let is_complete = lookup.as_ref().is_ok_and(|lookup| lookup.incomplete.is_empty());
        match lookup.as_ref().map(|lookup| &lookup.outcome) {
            Ok(Ok(clients)) if clients.is_empty() => Self::NoBinding,
            Ok(Ok(_)) if !is_complete => Self::Incomplete,
            Ok(Ok(_)) => Self::Found,
            Ok(Err(Failure::NoReply { .. })) => Self::NoReply,
            Ok(Err(_)) => Self::Refused,
            Err(_) => Self::Usage,
        }
    }

    /// One word for programs.
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

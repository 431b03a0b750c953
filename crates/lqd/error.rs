//! Errors that end the program, by exit status.

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Reason for ending the program with an exit status other than 0.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExitError {
    /// Unusable arguments, settings or files: exit status 2.
    #[error("{0}")]
    Unusable(BoxError),
    /// Failure while running: exit status 1.
    #[error("{0}")]
    Running(BoxError),
}

impl ExitError {
    /// Wraps the error of an unusable argument, setting or file.
    pub(crate) fn unusable(error: impl Into<BoxError>) -> Self {
        Self::Unusable(error.into())
    }

    /// Wraps an error of the running program.
    pub(crate) fn running(error: impl Into<BoxError>) -> Self {
        Self::Running(error.into())
    }

    /// Exit status of the process.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Unusable(_) => 2,
            Self::Running(_) => 1,
        }
    }
}

impl From<std::io::Error> for ExitError {
    fn from(error: std::io::Error) -> Self {
        Self::running(error)
    }
}

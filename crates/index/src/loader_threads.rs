//! Threads that load snapshots and build indexes: one for each CPU, started once a process.

use std::error::Error as _;
use std::io;

use rayon::{ThreadPoolBuildError, ThreadPoolBuilder};

/// The threads that load leases cannot be started.
#[derive(Debug, thiserror::Error)]
#[error(
    "threads that load leases cannot be started: {0}; raise `ulimit -u` or `ulimit -v` (TasksMax= or LimitAS= of the \
     unit)"
)]
pub struct LoaderThreadsError(ThreadPoolBuildError);

/// Starts the threads that load leases, with the rights of the calling one; does nothing if they run.
///
/// Without this call the first load starts them, and panics if it cannot.
///
/// # Errors
/// If the system refuses a thread.
pub fn start_loader_threads() -> Result<(), LoaderThreadsError> {
    match ThreadPoolBuilder::new().build_global() {
        // Other errors than the system's say that they run already.
        Err(error) if error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>) => {
            Err(LoaderThreadsError(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_run_are_not_started_again() {
        start_loader_threads().unwrap();
        start_loader_threads().unwrap();
    }
}

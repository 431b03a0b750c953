//! Waits for files that Kea writes at its first start, or is replacing in its clean-up.
//!
//! lqd may start before Kea, and systemd would not start it again after exit status 2.

use std::thread;
use std::time::{Duration, Instant};

use lqd_feed::kea_config::ConfigError;
use lqd_feed::{LoadError, Missing, SourceConfig};
use tracing::{info, warn};

use crate::error::ExitError;
use crate::log;
use crate::observe::state::ServerState;
use crate::settings::Settings;
use crate::site::Site;

/// Interval between two attempts.
const RETRY_EVERY: Duration = Duration::from_millis(200);
/// Shortest interval between two log lines about the same wait.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Reads Kea's configuration, once Kea has written its DUID and the folder of the leases exists: the sandbox
/// reaches no folder that is made later.
pub(super) fn site(settings: &Settings) -> Result<Site, ExitError> {
    let mut waiting = Waiting::default();
    loop {
        let reason = match Site::read(settings) {
            Ok(site) => match site.missing() {
                Some(Missing::Place(reason)) => reason,
                // Leases may come later: the sandbox needs only the folder.
                Some(Missing::Leases(_)) | None => {
                    waiting.end();
                    return Ok(site);
                }
            },
            Err(ExitError::Unusable(error)) => match error.downcast_ref() {
                // The only error that Kea's start removes by itself.
                Some(ConfigError::NotYet(reason)) => reason.clone(),
                _ => return Err(ExitError::Unusable(error)),
            },
            Err(error) => return Err(error),
        };
        waiting.pause(&reason);
    }
}

/// Returns once all sources have leases to load.
pub(super) fn leases(sources: &[SourceConfig], state: &ServerState) {
    let mut waiting = Waiting::default();
    let missing = || sources.iter().find_map(|source| source.source().missing());
    while let Some(Missing::Leases(reason) | Missing::Place(reason)) = missing() {
        // For /readyz, which says that Kea is awaited.
        state.set_awaited(Some(reason.clone()));
        waiting.pause(&reason);
    }
    state.set_awaited(None);
    waiting.end();
}

/// Converts the error of the first load: exit status 1 if a restart may succeed by itself.
pub(super) fn exit_error(error: LoadError) -> ExitError {
    match error {
        LoadError::Passing(_) => ExitError::running(error),
        LoadError::Lasting(_) => ExitError::unusable(error),
    }
}

/// Pauses between attempts, logged now and then.
#[derive(Default)]
struct Waiting {
    logged: Option<Instant>,
}

impl Waiting {
    fn pause(&mut self, reason: &str) {
        if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY) {
            warn!(reason, "waiting for Kea");
            // No thread writes the log before the sandbox is in force.
            log::write_waiting();
            self.logged = Some(Instant::now());
        }
        thread::sleep(RETRY_EVERY);
    }

    fn end(&self) {
        if self.logged.is_some() {
            info!("Kea's files are there");
        }
    }
}

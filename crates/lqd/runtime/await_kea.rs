//! Files that Kea writes at its first start, or anew between two steps of its clean-up: lqd waits for them, since it may
//! start before Kea, and would not be started again by systemd after status 2.

use std::thread;
use std::time::{Duration, Instant};

use lqd_feed::kea_config::ConfigError;
use lqd_feed::{LoadError, Missing, SourceConfig};
use tracing::{info, warn};

use crate::observe::state::Board;
use crate::settings::Settings;
use crate::site::Site;
use crate::{Failure, log};

/// How often files are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often, at most, the waiting is spoken of.
const SPEAK_EVERY: Duration = Duration::from_secs(60);

/// Reads what is served, once Kea has written its DUID and there is a place for leases: the sandbox reaches no folder
/// that is made later.
pub(crate) fn site(settings: &Settings) -> Result<Site, Failure> {
    let mut waiting = Waiting::default();
    loop {
        let reason = match Site::read(settings) {
            Ok(site) => match site.missing() {
                Some(Missing::Place(reason)) => reason,
                Some(Missing::Leases(_)) | None => {
                    waiting.end();
                    return Ok(site);
                }
            },
            Err(Failure::Unusable(fault)) => match fault.downcast_ref() {
                Some(ConfigError::NotYet(reason)) => reason.clone(),
                _ => return Err(Failure::Unusable(fault)),
            },
            Err(failure) => return Err(failure),
        };
        waiting.pause(&reason);
    }
}

/// Returns when all sources have leases to load.
pub(crate) fn leases(sources: &[SourceConfig], board: &Board) {
    let mut waiting = Waiting::default();
    let missing = || sources.iter().find_map(|source| source.source().missing());
    while let Some(Missing::Leases(reason) | Missing::Place(reason)) = missing() {
        board.set_awaited(Some(reason.clone()));
        waiting.pause(&reason);
    }
    board.set_awaited(None);
    waiting.end();
}

/// Why a load at the start failed: status 1 if the next one may succeed by itself.
pub(crate) fn failure(fault: LoadError) -> Failure {
    match fault {
        LoadError::Passing(_) => Failure::running(fault),
        LoadError::Lasting(_) => Failure::unusable(fault),
    }
}

#[derive(Default)]
struct Waiting {
    spoke: Option<Instant>,
}

impl Waiting {
    fn pause(&mut self, reason: &str) {
        if self.spoke.is_none_or(|spoke| spoke.elapsed() >= SPEAK_EVERY) {
            warn!(reason, "waiting for Kea");
            log::write_waiting();
            self.spoke = Some(Instant::now());
        }
        thread::sleep(LOOK_EVERY);
    }

    fn end(&self) {
        if self.spoke.is_some() {
            info!("Kea's files are there");
        }
    }
}

//! Files that Kea writes at its first start, or anew between two steps of its clean-up: lqd waits for them, since it may
//! start before Kea, and would not be started again by systemd after status 2.

use std::thread;
use std::time::{Duration, Instant};

use lqd_feed::StartFault;
use lqd_feed::kea_config::ConfigError;
use lqd_feed::kea_memfile::{LeaseFiles, LoadFault, OpenFault};
use tracing::{info, warn};

use crate::board::Board;
use crate::settings::Settings;
use crate::site::Site;
use crate::{Failure, log};

/// How often files are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often, at most, the waiting is spoken of.
const SPEAK_EVERY: Duration = Duration::from_secs(60);

/// Reads what is served, once Kea has written its DUID and there is a folder for leases: the sandbox reaches no folder
/// that is made later.
pub(crate) fn site(settings: &Settings) -> Result<Site, Failure> {
    let mut waiting = Waiting::default();
    loop {
        let reason = match Site::read(settings) {
            Ok(site) if site.files.has_folder() => {
                waiting.end();
                return Ok(site);
            }
            Ok(site) => {
                format!("{}: no such folder; Kea makes it, or its package", site.files.folder().display())
            }
            Err(Failure::Unusable(fault)) => match fault.downcast_ref() {
                Some(ConfigError::NotYet(reason)) => reason.clone(),
                _ => return Err(Failure::Unusable(fault)),
            },
            Err(failure) => return Err(failure),
        };
        waiting.pause(&reason);
    }
}

/// Returns when there is at least one file of the set.
pub(crate) fn leases(files: &LeaseFiles, board: &Board) {
    let mut waiting = Waiting::default();
    while !files.are_there() {
        let reason = OpenFault::Missing(files.current().to_owned()).to_string();
        board.set_awaited(Some(reason.clone()));
        waiting.pause(&reason);
    }
    board.set_awaited(None);
    waiting.end();
}

/// Why a load at the start failed: status 1 if the next one may succeed by itself.
pub(crate) fn failure(fault: StartFault) -> Failure {
    match fault {
        StartFault::Load(
            LoadFault::Open(OpenFault::Missing(_) | OpenFault::Restless(_) | OpenFault::OutOfReach(_))
            | LoadFault::Read { .. },
        ) => Failure::running(fault),
        _ => Failure::unusable(fault),
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

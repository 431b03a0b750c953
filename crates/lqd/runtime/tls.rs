//! Renewal of certificates: a thread that reads the files of TLS again once they have changed.
//!
//! A poll, as neither a mount of another host nor a moved link would show in inotify. Files are read when
//! they have been the same for one interval: certificate and key are replaced one after the other, and either
//! alone is unusable.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tracing::{error, info, warn};

use crate::observe::tls::{TlsOffer, TlsState};
use crate::site::tls::{Stamps, Tls, date, stamps};

/// Interval between two looks at the files.
const POLL_EVERY: Duration = Duration::from_secs(2);

/// Interval between two warnings about the same certificate.
const WARN_EVERY: Duration = Duration::from_hours(24);

/// Starts the thread; it ends with the process.
pub(super) fn watch(state: Arc<TlsState>) -> io::Result<()> {
    let run = move || {
        let mut watch = Watch { state, seen: None, rejected: None, warned: Instant::now() };
        loop {
            thread::sleep(POLL_EVERY);
            watch.look();
        }
    };
    thread::Builder::new().name("lqd-tls".to_owned()).spawn(run).map(drop)
}

/// State of the thread.
struct Watch {
    state: Arc<TlsState>,
    /// Files of the look before.
    seen: Option<Stamps>,
    /// Files that were unusable, which is logged once.
    rejected: Option<Stamps>,
    warned: Instant,
}

impl Watch {
    fn look(&mut self) {
        let offer = Arc::clone(&self.state.offer());
        let Some(tls) = &offer.tls else { return };
        let now = stamps(&tls.files);
        let is_settled = self.seen.replace(now) == Some(now);
        if now != *tls.stamps() && is_settled && self.rejected != Some(now) {
            self.renew(&offer, tls, now);
        } else if self.warned.elapsed() >= WARN_EVERY {
            self.warned = Instant::now();
            warn_of(tls);
        }
    }

    fn renew(&mut self, offer: &Arc<TlsOffer>, tls: &Tls, now: Stamps) {
        match Tls::read(&tls.files) {
            Ok(tls) => {
                let ends = tls.ends().map(|(_, _, end)| date(end));
                warn_of(&tls);
                // Otherwise a reload was faster.
                if self.state.renew(offer, tls) {
                    let [certificate, ca] = &ends;
                    info!(certificate, ca, "TLS files have changed: new connections get the new certificate");
                }
            }
            Err(error) => {
                self.rejected = Some(now);
                self.state.count_rejected();
                error!(%error, "TLS files have changed and are unusable; those read before stay");
            }
        }
    }
}

fn warn_of(tls: &Tls) {
    tls.warnings(SystemTime::now()).iter().for_each(|warning| warn!("{warning}"));
}

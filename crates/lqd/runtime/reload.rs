//! Reloads (SIGHUP), on a thread of their own: a file system that hangs holds up nothing else.
//!
//! The thread reads everything and configures the feed; the main thread applies the result.

use std::net::SocketAddrV6;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Instant;

use crossbeam::channel::Sender;
use lqd_feed::FeedHandle;
use tracing::warn;

use super::event::{Event, Reloaded};
use crate::error::ExitError;
use crate::observe::taps::Recorder;
use crate::observe::tls::TlsOffer;
use crate::settings::{Flags, Settings};
use crate::site::Site;

/// Reload in progress, if any, and the inputs of the next one.
pub(super) struct Reloads {
    flags: Flags,
    /// Addresses where bulk leasequery listens; others take effect at the next start only.
    bulk: Vec<SocketAddrV6>,
    feed: FeedHandle,
    events: Sender<Event>,
    started: Option<Instant>,
    /// SIGHUP arrived again meanwhile.
    again: bool,
}

impl Reloads {
    pub(super) fn new(
        flags: Flags,
        bulk: Vec<SocketAddrV6>,
        feed: FeedHandle,
        events: Sender<Event>,
    ) -> Self {
        Self { flags, bulk, feed, events, started: None, again: false }
    }

    /// Starts a reload, or notes that one must follow; its result arrives as [`Event::Reloaded`].
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn start(&mut self) -> Result<(), ExitError> {
        // One at a time: the later one must win, and a hanging file system must not collect threads.
        if let Some(started) = self.started {
            self.again = true;
            let seconds = started.elapsed().as_secs();
            warn!(
                seconds,
                "a reload is still under way and another one follows it; if it does not end, see whether the file \
                 systems of the configuration and of the lease file answer"
            );
            return Ok(());
        }
        let (flags, bulk) = (self.flags.clone(), self.bulk.clone());
        let (feed, events) = (self.feed.clone(), self.events.clone());
        let run = move || {
            // A panic must become a result: otherwise no reload would ever start again.
            let result = catch_unwind(AssertUnwindSafe(|| read(&flags, bulk, &feed)))
                .unwrap_or_else(|_| Err(ExitError::running("reading it panicked; report the line about it")));
            // The receiver is gone once the program ends.
            let _ = events.send(Event::Reloaded(Box::new(result)));
        };
        thread::Builder::new().name("lqd-reload".to_owned()).spawn(run)?;
        self.started = Some(Instant::now());
        Ok(())
    }

    /// Notes the end of a reload and returns whether another one must follow.
    pub(super) fn ended(&mut self) -> bool {
        self.started = None;
        std::mem::take(&mut self.again)
    }
}

/// Reads settings and Kea's configuration, and configures the feed; an error changes nothing.
fn read(flags: &Flags, bulk: Vec<SocketAddrV6>, feed: &FeedHandle) -> Result<Reloaded, ExitError> {
    let settings = Settings::read(flags).map_err(ExitError::unusable)?;
    let site = Site::read(&Settings { bulk, ..settings.clone() })?;
    let taps = Recorder::prepare(&settings)?;
    site.warn();
    // Last of the steps that can fail, so that an error changes nothing.
    feed.configure(site.sources).map_err(ExitError::unusable)?;
    let tls = TlsOffer::new(&settings, site.tls);
    Ok(Reloaded { settings, engine: site.engine, taps, tls })
}

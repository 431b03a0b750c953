//! Reloads (SIGHUP): everything is read, and the feed configured, on a thread of its own, so that a file system that
//! hangs holds up nothing else: the main thread applies what is ready.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Instant;

use crossbeam::channel::Sender;
use lqd_answer::Engine;
use lqd_feed::FeedHandle;
use tracing::warn;

use super::serve::Event;
use crate::Failure;
use crate::observe::taps::{Prepared, Recorder};
use crate::settings::{Flags, Settings};
use crate::site::Site;

/// A configuration that was read and checked; the feed follows it already.
pub(crate) struct Reloaded {
    pub(crate) settings: Settings,
    pub(crate) engine: Engine,
    pub(crate) taps: Prepared,
}

/// The reload that is under way, if any, and what it is made with.
pub(crate) struct Reloads {
    flags: Flags,
    feed: FeedHandle,
    events: Sender<Event>,
    started: Option<Instant>,
    /// SIGHUP came again meanwhile.
    again: bool,
}

impl Reloads {
    pub(crate) fn new(flags: Flags, feed: FeedHandle, events: Sender<Event>) -> Self {
        Self { flags, feed, events, started: None, again: false }
    }

    /// Starts a reload, or notes that one is to follow; its result comes as [`Event::Reloaded`].
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn start(&mut self) -> Result<(), Failure> {
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
        let (flags, feed, events) = (self.flags.clone(), self.feed.clone(), self.events.clone());
        let run = move || {
            let result = catch_unwind(AssertUnwindSafe(|| read(&flags, &feed)))
                .unwrap_or_else(|_| Err(Failure::running("reading it panicked; report the line about it")));
            // Nobody listens any more when the program ends.
            let _ = events.send(Event::Reloaded(Box::new(result)));
        };
        thread::Builder::new().name("lqd-reload".to_owned()).spawn(run)?;
        self.started = Some(Instant::now());
        Ok(())
    }

    /// Notes the end of a reload; whether another one is wanted.
    pub(crate) fn ended(&mut self) -> bool {
        self.started = None;
        std::mem::take(&mut self.again)
    }
}

/// Reads settings and Kea's configuration again, and has the feed follow them; what cannot be used changes nothing.
fn read(flags: &Flags, feed: &FeedHandle) -> Result<Reloaded, Failure> {
    let settings = Settings::read(flags).map_err(Failure::unusable)?;
    let site = Site::read(&settings)?;
    let taps = Recorder::prepare(&settings)?;
    site.warn();
    feed.configure(site.sources).map_err(Failure::unusable)?;
    Ok(Reloaded { settings, engine: site.engine, taps })
}

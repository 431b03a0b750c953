//! A lease source that is loaded and followed, on a thread of its own.

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::task::Waker;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, TryRecvError};
use lqd_index::Links;
use tracing::{error, info, warn};

use crate::bad_rows::BadRows;
use crate::merged::SharedIndex;
use crate::source::{LeaseSource, LoadError, LoadRequest, Loaded, Part, SourceName, Status, Step, Trouble};
use crate::source_config::SourceConfig;
use crate::state::{FeedWatch, StateCell};
use crate::subnet_numbers::{SourceNumber, SourceSubnets};

/// Time before a load that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Longest wait for changes: after each, watchers learn that nothing was missed.
const WAIT: Duration = Duration::from_secs(1);

/// A lease source and its part of the index.
pub(crate) struct Followed {
    pub(crate) label: String,
    pub(crate) number: SourceNumber,
    pub(crate) name: SourceName,
    source: Box<dyn LeaseSource>,
    /// The links of this source, with its own subnet ids.
    pub(crate) links: Links,
    subnets: SourceSubnets,
    threads: NonZeroUsize,
    index: SharedIndex,
    watch: FeedWatch,
    state: StateCell,
    bad_rows: BadRows,
    /// The trouble last logged.
    trouble: Option<Trouble>,
    /// The error last logged.
    reload_error: Option<String>,
    /// The reason for a load that nothing but a rejected configuration calls for.
    load_due: Option<String>,
}

/// The parts of a feed that its sources share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) index: SharedIndex,
    pub(crate) watch: FeedWatch,
    pub(crate) threads: NonZeroUsize,
}

/// A source with a snapshot that is not in the index yet.
pub(crate) struct Unpublished {
    pub(crate) config: SourceConfig,
    pub(crate) loaded: Loaded,
    pub(crate) started: Instant,
}

impl Unpublished {
    /// Loads a source that has not been followed before.
    pub(crate) fn load(
        mut config: SourceConfig,
        subnets: &SourceSubnets,
        threads: NonZeroUsize,
        replaces: bool,
    ) -> Result<Self, LoadError> {
        let started = Instant::now();
        let request = LoadRequest::new(&config.own_links, threads, replaces).numbered(subnets);
        // A failed load returns before the index is touched.
        let loaded = config.source.load(&request)?;
        Ok(Self { config, loaded, started })
    }
}

impl Followed {
    /// Follows a source whose snapshot is in the index.
    pub(crate) fn new(
        shared: &Shared,
        (number, subnets): (SourceNumber, SourceSubnets),
        config: SourceConfig,
        (status, started, parts): (Status, Instant, &[Part]),
    ) -> Self {
        let (name, trouble) = (status.source.clone(), status.trouble.clone());
        Self {
            state: StateCell::new(&config.label, status, started, parts),
            label: config.label,
            number,
            name,
            source: config.source,
            links: config.own_links,
            subnets,
            threads: shared.threads,
            index: shared.index.clone(),
            watch: shared.watch.clone(),
            bad_rows: BadRows::default(),
            trouble,
            reload_error: None,
            load_due: None,
        }
    }

    pub(crate) fn state(&self) -> StateCell {
        self.state.clone()
    }

    pub(crate) fn waker(&self) -> Waker {
        self.source.waker()
    }

    /// Follows the source until the sender of `stop` is dropped.
    pub(crate) fn run(mut self, stop: &Receiver<Infallible>) -> Self {
        while stop.try_recv() == Err(TryRecvError::Empty) {
            let reload = match self.load_due.take() {
                // A load that is due comes first: rows from here on would be relative to leases that were
                // never published.
                Some(reason) => Some(reason),
                None => self.step(),
            };
            self.bad_rows.log(&self.name);
            let Some(reason) = reload else { continue };
            // The wait is on `stop`, so that a source that cannot be loaded ends at once.
            if !self.reload(&reason) && stop.recv_timeout(RETRY_AFTER) == Err(RecvTimeoutError::Disconnected)
            {
                return self;
            }
        }
        self
    }

    /// Applies the next changes; the reason for a load if one is due.
    fn step(&mut self) -> Option<String> {
        match self.source.poll(WAIT) {
            Step::Rows { batch, tally } => {
                // Subnet ids of two sources may be equal, so they get numbers of their own before they meet
                // in the index.
                self.subnets.renumber(batch);
                // Held for one batch only, so that other sources get their turn.
                let mut index = self.index.lock();
                index.apply(self.number, batch);
                index.report();
                let conflicts = index.conflicts();
                drop(index);
                self.watch.set_conflicts(conflicts);
                self.bad_rows.count(&tally);
                self.state.applied(tally.rows, tally.bad_rows);
            }
            Step::Reload(reason) => return Some(reason),
            Step::Idle => {}
        }
        self.note();
        None
    }

    /// Publishes the status of the source to readers, watchers and the log.
    fn note(&mut self) {
        let status = self.source.status();
        // Incompleteness is published before it is logged: requestors must not get "no binding" meanwhile.
        self.index.lock().set_incomplete(self.number, status.is_incomplete);
        self.log_trouble(status.trouble.as_ref());
        self.state.note(status);
    }

    /// Takes a new snapshot; whether that succeeded. As long as it fails, the leases stay as they are.
    fn reload(&mut self, reason: &str) -> bool {
        // Before the load: until it succeeds, leases that only the new snapshot has are answered as unknown.
        self.index.lock().set_incomplete(self.number, true);
        self.state.set_incomplete();
        let kind = self.name.kind;
        match self.load() {
            Ok(loaded) => {
                let leases = self.publish(loaded, None);
                info!(source = %self.name, %reason, leases, "reloaded the {kind}");
                self.reload_error = None;
                true
            }
            Err(error) => {
                let error = error.to_string();
                self.state.failed(&error);
                // Retries come every second: one line for each distinct cause.
                if self.reload_error.as_ref() != Some(&error) {
                    error!(
                        source = %self.name,
                        %reason,
                        error,
                        "cannot reload the {kind}; answering from what was known before"
                    );
                    self.reload_error = Some(error);
                }
                false
            }
        }
    }

    /// Loads a snapshot for the present links.
    fn load(&mut self) -> Result<Loaded, LoadError> {
        let request = LoadRequest::new(&self.links, self.threads, true).numbered(&self.subnets);
        self.source.load(&request)
    }

    /// Loads a snapshot for other links, which take effect with [`Self::publish`].
    pub(crate) fn load_for(&mut self, links: &Links) -> Result<Loaded, LoadError> {
        let request = LoadRequest::new(links, self.threads, true).numbered(&self.subnets);
        self.source.load(&request)
    }

    /// Follows another source in place of this one, once its snapshot is published.
    pub(crate) fn replace_source(&mut self, config: SourceConfig) {
        (self.source, self.links) = (config.source, config.own_links);
        self.name = self.source.status().source;
    }

    /// Has the source loaded again: its last snapshot was not used.
    pub(crate) fn require_load(&mut self) {
        self.load_due = Some("the configuration that it was loaded for was rejected".to_owned());
    }

    /// Makes a snapshot visible in place of the source's leases, with new links if there are any, and returns
    /// the number of its leases.
    pub(crate) fn publish(&mut self, loaded: Loaded, links: Option<Links>) -> usize {
        let is_incomplete = self.source.status().is_incomplete;
        let leases = self.index.replace(self.number, loaded.rows.into_loader(), is_incomplete, links);
        // Loads of other sources may have changed who wins, so conflicts are counted again.
        self.watch.set_conflicts(self.index.lock().conflicts());
        self.state.reloaded(&loaded.parts);
        self.note();
        loaded.parts.iter().for_each(|part| self.bad_rows.count(&part.tally));
        self.bad_rows.log(&self.name);
        leases
    }

    fn log_trouble(&mut self, trouble: Option<&Trouble>) {
        // Trouble is noted at every step: only a change is worth a line.
        if trouble == self.trouble.as_ref() {
            return;
        }
        let source = &self.name;
        match trouble {
            Some(trouble) if trouble.is_error => error!(%source, "{trouble}"),
            Some(trouble) => warn!(%source, "{trouble}"),
            None => info!(%source, "the {} can be followed again", source.kind),
        }
        self.trouble = trouble.cloned();
    }
}

//! From a lease source to the index: the first load, then every change as it comes, until told to stop.
//!
//! One thread owns the index's writer and so gives the order of all that readers see. It runs beside the packet
//! path and may log, but a flood of faulty rows becomes one line a minute.

use std::net::Ipv6Addr;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use lqd_index::{Applied, Links, Writer};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tracing::{error, info, warn};

use crate::oversized::OversizedReport;
use crate::source::{
    LeaseSource, LoadError, LoadRequest, Loaded, Part, RowTally, Seen, SkippedRow, SourceName, Step, Trouble,
};
use crate::standing::{Books, Watch};

/// How long to wait before a load that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often, at most, faulty rows are spoken of.
const BAD_ROWS_EVERY: Duration = Duration::from_secs(60);

/// How long one wait for rows lasts: after each, those who watch learn that nothing was missed.
const WAIT: Duration = Duration::from_secs(1);

/// What can be asked of a running feed.
enum Command {
    Configure(Box<Links>, Box<dyn LeaseSource>, Sender<Result<(), LoadError>>),
    Stop,
}

/// Steers a feed that runs on another thread.
#[derive(Clone)]
pub struct Steering {
    commands: Sender<Command>,
    waker: SharedWaker,
}

/// The waker of the source that is polled now; locked only to be used or replaced.
#[derive(Clone)]
struct SharedWaker(Arc<Mutex<Waker>>);

impl SharedWaker {
    fn of(source: &dyn LeaseSource) -> Self {
        Self(Arc::new(Mutex::new(source.waker())))
    }

    fn replace(&self, source: &dyn LeaseSource) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = source.waker();
    }

    fn wake(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

impl Steering {
    /// From now on these links count, and this source is followed. Returns when that is so.
    ///
    /// Another source is loaded first, and the same where the server discards leases by its configuration; if it cannot be,
    /// links and leases stay as they are.
    pub fn configure(&self, links: Links, source: Box<dyn LeaseSource>) -> Result<(), ConfigureFault> {
        let (done, result) = bounded(1);
        self.send(Command::Configure(links.into(), source, done));
        result.recv().map_err(|_| ConfigureFault::Ended)?.map_err(ConfigureFault::Load)
    }

    /// Ends [`Feed::run`].
    pub fn stop(&self) {
        self.send(Command::Stop);
    }

    fn send(&self, command: Command) {
        // A feed that has ended has nothing left to do; its own end is reported elsewhere.
        let _ = self.commands.send(command);
        self.waker.wake();
    }
}

/// What a load brought.
#[derive(Clone, Debug)]
pub struct Report {
    /// Row counts of each part of the source, in reading order.
    pub parts: Vec<Part>,
    /// What became of the leases they come to.
    pub applied: Applied,
    /// Time from the start of the load until readers see its leases.
    pub took: Duration,
    /// Subnet ids that rows name and the configuration does not have: their leases are located by address.
    pub unknown_subnets: Vec<u32>,
    /// The address of a lease that was read, to try a query with.
    pub example: Option<Ipv6Addr>,
}

/// A lease source that is loaded and can be followed.
pub struct Feed {
    writer: Writer,
    source: Box<dyn LeaseSource>,
    name: SourceName,
    threads: NonZeroUsize,
    commands: (Sender<Command>, Receiver<Command>),
    waker: SharedWaker,
    bad_rows: BadRows,
    oversized: OversizedReport,
    books: Books,
    /// What was last spoken of.
    trouble: Option<Trouble>,
    reload_fault: Option<String>,
}

/// Why a feed did not take a new configuration over.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureFault {
    /// The source cannot be loaded.
    #[error(transparent)]
    Load(LoadError),
    /// The feed has ended.
    #[error("the feed has ended")]
    Ended,
}

impl Feed {
    /// Loads the source on `threads` threads and makes links and leases visible.
    pub fn start(
        mut writer: Writer,
        links: Links,
        mut source: Box<dyn LeaseSource>,
        threads: NonZeroUsize,
    ) -> Result<(Self, Report), LoadError> {
        let started = Instant::now();
        let loaded = source.load(&LoadRequest { links: &links, threads, replaces: false })?;
        let unknown_subnets = unknown_subnets(&loaded.seen, &links);
        writer.set_next_incomplete(source.status().is_incomplete);
        let applied = writer.replace_by(loaded.rows, Some(links));
        let took = started.elapsed();
        let status = source.status();
        let (name, trouble) = (status.source.clone(), status.trouble.clone());
        let books = Books::open(status, started, &loaded.parts);
        if trouble.is_some() {
            loaded.warnings.iter().for_each(|warning| warn!(source = %name, "{warning}"));
        }
        let report =
            Report { parts: loaded.parts, applied, took, unknown_subnets, example: loaded.seen.example };
        let mut oversized = OversizedReport::default();
        oversized.note(&writer);
        let feed = Self {
            writer,
            oversized,
            waker: SharedWaker::of(&*source),
            source,
            name,
            threads,
            commands: unbounded(),
            bad_rows: BadRows::default(),
            books,
            trouble,
            reload_fault: None,
        };
        Ok((feed, report))
    }

    /// The handle for other threads.
    pub fn steering(&self) -> Steering {
        Steering { commands: self.commands.0.clone(), waker: self.waker.clone() }
    }

    /// A view of where it stands, for other threads.
    pub fn watch(&self) -> Watch {
        self.books.watch()
    }

    /// Follows the source until stopped, on other CPUs than these, as far as there are any: workers are pinned to them,
    /// and one that waits for the feed's share of its CPU answers milliseconds late.
    pub fn run_beside(self, workers: &[usize]) {
        if let Ok(mut cpus) = sched_getaffinity(None) {
            workers.iter().filter(|&&cpu| cpu < CpuSet::MAX_CPU).for_each(|&cpu| cpus.unset(cpu));
            if cpus.count() == 0 {
                info!(
                    "the feed shares the workers' CPUs: they have all there are; fewer --workers leave it one"
                );
            } else if let Err(reason) = sched_setaffinity(None, &cpus) {
                info!(%reason, "the feed shares the workers' CPUs");
            }
        }
        self.run();
    }

    /// Follows the source until stopped.
    pub fn run(mut self) {
        loop {
            while let Ok(command) = self.commands.1.try_recv() {
                if self.obey(command).is_break() {
                    return;
                }
            }
            let reload = match self.source.poll(WAIT) {
                Step::Rows { batch, tally } => {
                    self.writer.apply(batch);
                    self.bad_rows.admit(&tally);
                    self.books.applied(tally.rows, tally.bad_rows);
                    self.oversized.note(&self.writer);
                    None
                }
                Step::Reload(reason) => Some(reason),
                Step::Idle => None,
            };
            if reload.is_none() {
                self.note();
            }
            self.bad_rows.speak(&self.name);
            if let Some(reason) = reload
                && !self.reload(&reason)
                && let Ok(command) = self.commands.1.recv_timeout(RETRY_AFTER)
                && self.obey(command).is_break()
            {
                return;
            }
        }
    }

    /// Tells readers, those who watch, and the log where the source stands.
    fn note(&mut self) {
        let status = self.source.status();
        self.writer.set_incomplete(status.is_incomplete);
        self.speak_of_trouble(status.trouble.as_ref());
        self.books.note(status);
    }

    fn obey(&mut self, command: Command) -> ControlFlow<()> {
        match command {
            Command::Stop => return ControlFlow::Break(()),
            Command::Configure(links, source, done) => {
                // Nobody waits for it only when the program ends.
                let _ = done.send(self.configure(*links, source));
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes a new snapshot; whether that succeeded. As long as it fails, the leases stay as they are.
    fn reload(&mut self, reason: &str) -> bool {
        self.writer.set_incomplete(true);
        self.books.set_incomplete();
        let request = LoadRequest { links: self.writer.links(), threads: self.threads, replaces: true };
        let kind = self.name.kind;
        match self.source.load(&request) {
            Ok(loaded) => {
                let leases = self.publish(loaded, None);
                info!(source = %self.name, %reason, leases, "loaded the {kind} anew");
                self.reload_fault = None;
                true
            }
            Err(fault) => {
                let fault = fault.to_string();
                self.books.failed(&fault);
                if self.reload_fault.as_ref() != Some(&fault) {
                    error!(
                        source = %self.name,
                        %reason,
                        fault,
                        "cannot load the {kind} anew; answering from what was known before"
                    );
                    self.reload_fault = Some(fault);
                }
                false
            }
        }
    }

    fn configure(&mut self, links: Links, mut source: Box<dyn LeaseSource>) -> Result<(), LoadError> {
        let name = source.status().source;
        let is_same = name == self.name;
        // What the server discards when it loads its leases depends on its subnets.
        if is_same && !links.checks_leases() && !self.writer.links().checks_leases() {
            self.writer.set_links(links);
            return Ok(());
        }
        let request = LoadRequest { links: &links, threads: self.threads, replaces: true };
        let loaded = if is_same {
            self.source.load(&request)?
        } else {
            let loaded = source.load(&request)?;
            self.waker.replace(&*source);
            (self.source, self.name) = (source, name);
            loaded
        };
        speak_of_unknown_subnets(&unknown_subnets(&loaded.seen, &links));
        let leases = self.publish(loaded, Some(links));
        let (source, kind) = (&self.name, self.name.kind);
        if is_same {
            info!(%source, leases, "loaded the {kind} anew: lease-checks discard leases by the configuration");
        } else {
            info!(%source, leases, "follows another {kind}");
        }
        Ok(())
    }

    /// Makes a snapshot visible in place of all leases, and returns how many it has.
    fn publish(&mut self, loaded: Loaded, links: Option<Links>) -> usize {
        self.writer.set_next_incomplete(self.source.status().is_incomplete);
        let leases = self.writer.replace_by(loaded.rows, links).put;
        self.books.reloaded(&loaded.parts);
        self.note();
        loaded.parts.iter().for_each(|part| self.bad_rows.admit(&part.tally));
        self.bad_rows.speak(&self.name);
        self.oversized.note(&self.writer);
        leases
    }

    fn speak_of_trouble(&mut self, trouble: Option<&Trouble>) {
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

/// Warns of leases whose subnet is not configured.
pub fn speak_of_unknown_subnets(unknown: &[u32]) {
    if !unknown.is_empty() {
        warn!(
            subnet_ids = ?unknown,
            "leases name subnets that Kea's configuration does not have: they count for the link that contains \
             their address, and get NotConfigured where none does; give the subnets their former ids"
        );
    }
}

/// The first few subnet ids of leases that no configured subnet has.
fn unknown_subnets(seen: &Seen, links: &Links) -> Vec<u32> {
    const NAMED_MAX: usize = 16;
    seen.subnet_ids.iter().copied().filter(|&id| !links.has_subnet(id)).take(NAMED_MAX).collect()
}

/// Rows that were skipped and not spoken of yet.
#[derive(Default)]
struct BadRows {
    swallowed: u64,
    first: Option<SkippedRow>,
    spoke: Option<Instant>,
}

impl BadRows {
    fn admit(&mut self, tally: &RowTally) {
        self.swallowed += tally.bad_rows;
        if self.first.is_none() {
            self.first = tally.first_bad_rows.first().cloned();
        }
    }

    fn speak(&mut self, source: &SourceName) {
        let recently = self.spoke.is_some_and(|spoke| spoke.elapsed() < BAD_ROWS_EVERY);
        if recently || self.swallowed == 0 {
            return;
        }
        let Some(SkippedRow { at, fault }) = self.first.take() else { return };
        let (rows, kind) = (self.swallowed, source.kind);
        warn!(%source, %at, %fault, rows, "skipped rows of the {kind}; the first one is named");
        self.swallowed = 0;
        self.spoke = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests;

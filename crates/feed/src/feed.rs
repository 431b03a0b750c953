//! Lease sources to the index: first loads, then every change as it comes, until told to stop.
//!
//! Each source has a thread of its own, so that one that hangs or loads for long holds no other up. The index
//! has one writer at a time, which a lock that readers never take gives to the sources in turn. None of this
//! is on the packet path, and it may log; but a flood of faulty rows becomes one line a minute.

use std::convert::Infallible;
use std::io;
use std::net::Ipv6Addr;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use lqd_index::{Links, LinksError, OversizedClient, Writer};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tracing::{error, info, warn};

use crate::followed::{Followed, Shared, Unpublished};
use crate::merged::SharedIndex;
use crate::source::{LoadError, Loaded, Part};
use crate::source_config::{SourceConfig, UnknownSubnets, joint_links};
use crate::state::FeedWatch;
use crate::subnet_numbers::{SourceNumber, SourceSubnets, SubnetNumbers};

/// Messages to a running feed.
enum Command {
    Configure(Vec<SourceConfig>, Sender<Result<(), LoadError>>),
    Stop,
    /// The thread of a source ended, which it does not do by itself.
    SourceEnded,
}

/// Handle of a feed that runs on other threads.
#[derive(Clone)]
pub struct FeedHandle(Sender<Command>);

impl FeedHandle {
    /// Replaces the sources and their links, and returns when that is done.
    ///
    /// A source that is followed already, by label and name, is loaded again only where the server discards
    /// leases by its configuration. If one cannot be loaded, links and leases stay as they are.
    ///
    /// # Errors
    /// If a source cannot be loaded, or the feed has ended.
    pub fn configure(&self, sources: Vec<SourceConfig>) -> Result<(), ConfigureError> {
        // One answer is expected, so the feed never waits for this thread.
        let (done, result) = bounded(1);
        self.send(Command::Configure(sources, done));
        result.recv().map_err(|_| ConfigureError::Ended)?.map_err(ConfigureError::Load)
    }

    /// Ends [`Feed::run`].
    pub fn stop(&self) {
        self.send(Command::Stop);
    }

    fn send(&self, command: Command) {
        // A feed that has ended has nothing left to do; its own end is reported elsewhere.
        let _ = self.0.send(command);
    }
}

/// The reason why a feed rejects a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigureError {
    /// A source cannot be loaded.
    #[error(transparent)]
    Load(LoadError),
    /// The feed has ended.
    #[error("the feed has ended")]
    Ended,
}

/// Result of the first loads.
#[derive(Clone, Debug)]
pub struct Report {
    /// Rows read from each part of each source, in reading order.
    pub parts: Vec<Part>,
    /// Leases in the index.
    pub leases: usize,
    /// Time from the begin of the loads to the leases being visible.
    pub took: Duration,
    /// Subnet ids of leases that the configuration of their source does not have.
    pub unknown_subnets: Vec<UnknownSubnets>,
    /// The address of a lease that was read, to try a query with.
    pub example: Option<Ipv6Addr>,
    /// Faults of the snapshots that an operator should know of, each with its source.
    pub warnings: Vec<String>,
    /// The client with the most leases, if one reply cannot carry them.
    pub largest_client: Option<OversizedClient>,
}

/// Lease sources that are loaded and can be followed.
pub struct Feed {
    shared: Shared,
    numbers: Arc<SubnetNumbers>,
    /// Labels of all sources that there have been, by their numbers.
    labels: Vec<String>,
    sources: Vec<Followed>,
    commands: (Sender<Command>, Receiver<Command>),
}

impl Feed {
    /// Loads the sources, each on `threads` threads, and makes links and leases visible.
    ///
    /// # Errors
    /// If a source cannot be loaded.
    pub fn start(
        writer: Writer,
        sources: Vec<SourceConfig>,
        threads: NonZeroUsize,
    ) -> Result<(Self, Report), LoadError> {
        let began = Instant::now();
        let numbers = Arc::new(SubnetNumbers::default());
        let index = SharedIndex::new(writer, Arc::clone(&numbers));
        let shared = Shared { index, watch: FeedWatch::default(), threads };
        let (labels, followed) = (Vec::new(), Vec::new());
        let mut feed = Self { shared, numbers, labels, sources: followed, commands: unbounded() };
        // All links are published with the first source's leases: leases without links cannot be answered.
        let mut links = Some(feed.links(&sources).map_err(|error| LoadError::Lasting(error.into()))?);
        let mut report = Report {
            parts: Vec::new(),
            leases: 0,
            took: Duration::ZERO,
            unknown_subnets: Vec::new(),
            example: None,
            warnings: Vec::new(),
            largest_client: None,
        };
        for config in sources {
            let subnets = feed.subnets(&config.label);
            // Nothing is published yet, so an error of one source leaves no half-built index.
            let unpublished = Unpublished::load(config, &subnets.1, threads, false)?;
            report.unknown_subnets.push(unpublished.config.unknown_subnets(&unpublished.loaded.seen));
            report.example = report.example.or(unpublished.loaded.seen.example);
            report.parts.extend(unpublished.loaded.parts.iter().cloned());
            let (followed, warnings) = feed.publish_first(unpublished, subnets, links.take());
            let name = &followed.name;
            report.warnings.extend(warnings.into_iter().map(|warning| format!("{name}: {warning}")));
            feed.sources.push(followed);
        }
        feed.set_watched();
        {
            let index = feed.shared.index.lock();
            report.leases = index.writer().lease_count();
            report.largest_client = index.writer().oversized().max_by_key(|client| client.leases);
        }
        report.took = began.elapsed();
        Ok((feed, report))
    }

    /// The handle for other threads.
    pub fn handle(&self) -> FeedHandle {
        FeedHandle(self.commands.0.clone())
    }

    /// A view of the feed's state, for other threads.
    pub fn watch(&self) -> FeedWatch {
        self.shared.watch.clone()
    }

    /// Follows the sources until stopped, on other CPUs than these, as far as there are any: workers are
    /// pinned to them, and one that waits for the feed's share of its CPU answers milliseconds late.
    pub fn run_beside(self, workers: &[usize]) {
        if let Ok(mut cpus) = sched_getaffinity(None) {
            // An empty set would be refused, and a feed on the workers' CPUs still serves.
            workers.iter().filter(|&&cpu| cpu < CpuSet::MAX_CPU).for_each(|&cpu| cpus.unset(cpu));
            if cpus.count() == 0 {
                info!(
                    "the feed shares the workers' CPUs: they have all there are; fewer --workers leave it one"
                );
            // Affinity saves latency only, so a refusal is no reason to stop.
            } else if let Err(reason) = sched_setaffinity(None, &cpus) {
                info!(%reason, "the feed shares the workers' CPUs");
            }
        }
        self.run();
    }

    /// Follows the sources until stopped.
    pub fn run(mut self) {
        loop {
            // Threads inherit this one's CPUs and its sandbox.
            let running = self.sources.drain(..).map(|source| Running::start(source, &self.commands.0));
            let running = match running.collect::<io::Result<Vec<_>>>() {
                Ok(running) => running,
                Err(error) => {
                    error!(%error, "cannot start a thread for each lease source; raise LimitNPROC= in the unit");
                    return;
                }
            };
            let command = self.commands.1.recv();
            // All sources stop for a command, so that it sees and changes them on this thread alone.
            self.sources = running.into_iter().map(Running::stop).collect();
            match command {
                Ok(Command::Configure(sources, done)) => {
                    // The receiver is gone only when the program ends.
                    let _ = done.send(self.configure(sources));
                }
                Ok(Command::SourceEnded) => {}
                Ok(Command::Stop) | Err(_) => return,
            }
        }
    }

    /// The number of a source, the same whenever it comes back, and its subnets.
    fn subnets(&mut self, label: &str) -> (SourceNumber, SourceSubnets) {
        // A label keeps its number for ever, since leases in the index carry numbers derived from it.
        let position = self.labels.iter().position(|known| known == label).unwrap_or_else(|| {
            self.labels.push(label.to_owned());
            self.labels.len() - 1
        });
        let number = SourceNumber(position as u32);
        self.shared.index.lock().set_name(number, label);
        (number, SourceSubnets::new(number, &self.numbers))
    }

    /// The links of all sources, with numbers for their subnets.
    fn links(&mut self, sources: &[SourceConfig]) -> Result<Links, LinksError> {
        let mut links = Vec::new();
        // Links are numbered by the same table as leases, or they would not meet.
        for config in sources {
            let (number, _) = self.subnets(&config.label);
            links.extend(config.numbered_links(&self.numbers, number));
        }
        joint_links(links, sources)
    }

    /// Brings the first snapshot of a source into the index, and returns its warnings.
    fn publish_first(
        &self,
        unpublished: Unpublished,
        (number, subnets): (SourceNumber, SourceSubnets),
        links: Option<Links>,
    ) -> (Followed, Vec<String>) {
        let Unpublished { mut config, loaded, started } = unpublished;
        let Loaded { rows, parts, warnings, .. } = loaded;
        // Read before the rows are published, so that readers never see them as complete by mistake.
        let is_incomplete = config.source.status().is_incomplete;
        self.shared.index.replace(number, rows.into_loader(), is_incomplete, links);
        let status = config.source.status();
        // Without trouble the caller prints the warnings with its start-up report.
        if status.trouble.is_some() {
            warnings.iter().for_each(|warning| warn!(source = %status.source, "{warning}"));
        }
        let followed = Followed::new(&self.shared, (number, subnets), config, (status, started, &parts));
        (followed, warnings)
    }

    fn set_watched(&self) {
        let watch = &self.shared.watch;
        watch.set_sources(self.sources.iter().map(Followed::state).collect());
        watch.set_conflicts(self.shared.index.lock().conflicts());
    }

    /// Follows other sources from now on, or goes on as before if one of them cannot be loaded.
    fn configure(&mut self, sources: Vec<SourceConfig>) -> Result<(), LoadError> {
        // Links are checked before any load, which takes seconds.
        let links = self.links(&sources).map_err(|error| LoadError::Lasting(error.into()))?;
        let next = self.load_all(sources)?;
        self.apply(next, links);
        Ok(())
    }

    /// Loads the sources that are new or have to be reloaded; the index stays as it is.
    fn load_all(&mut self, sources: Vec<SourceConfig>) -> Result<Vec<Next>, LoadError> {
        let threads = self.shared.threads;
        let mut next = Vec::new();
        for mut config in sources {
            let name = config.source.status().source;
            // A label that names another file now is another source.
            let is_same = |followed: &&mut Followed| followed.label == config.label && followed.name == name;
            let result = match self.sources.iter_mut().find(is_same) {
                // Leases that a server discards when it loads them depend on its subnets.
                Some(same) if config.own_links.checks_leases() || same.links.checks_leases() => {
                    same.load_for(&config.own_links).map(|loaded| Next::Reloaded(config, loaded))
                }
                Some(_) => Ok(Next::Same(config)),
                None => {
                    let (_, subnets) = self.subnets(&config.label);
                    Unpublished::load(config, &subnets, threads, true).map(Next::New)
                }
            };
            match result {
                Ok(source) => next.push(source),
                Err(error) => {
                    // The reloaded sources have moved their positions past rows that no reader will see.
                    let unused = |followed: &&mut Followed| {
                        next.iter()
                            .any(|next| matches!(next, Next::Reloaded(..)) && next.label() == followed.label)
                    };
                    self.sources.iter_mut().filter(unused).for_each(Followed::require_load);
                    return Err(error);
                }
            }
        }
        Ok(next)
    }

    /// Makes the new configuration visible: leases first, as links without their leases would be answered "no
    /// binding".
    fn apply(&mut self, next: Vec<Next>, links: Links) {
        let mut former: Vec<Followed> = self.sources.drain(..).collect();
        let mut links = Some(links);
        // With a single source, leases and links can change together and no reader sees one without the
        // other.
        if let [source @ (Next::Reloaded(..) | Next::New(_))] = &next[..] {
            // The only source has just been loaded: it replaces leases and links in one step.
            let (number, _) = self.subnets(source.label());
            former.retain(|source| source.number == number);
            self.shared.index.lock().keep_only(number);
        }
        let is_one_step = next.len() == 1 && !matches!(next[..], [Next::Same(_)]);
        for source in next {
            let with_leases = if is_one_step { links.take() } else { None };
            let followed = self.apply_source(source, &mut former, with_leases);
            self.sources.push(followed);
        }
        // Links come after the leases of all sources, so that no link lacks its leases.
        if let Some(links) = links {
            self.shared.index.lock().set_links(links);
        }
        // Leases of dropped sources go last: until then their links still answer.
        former.iter().for_each(|dropped| self.shared.index.remove_others(dropped.number, None));
        self.set_watched();
    }

    fn apply_source(&mut self, next: Next, former: &mut Vec<Followed>, links: Option<Links>) -> Followed {
        // A source of the same label keeps its counters.
        let position = former.iter().position(|source| source.label == next.label());
        match (next, position.map(|position| former.swap_remove(position))) {
            (Next::Same(config), Some(mut followed)) => {
                followed.links = config.own_links;
                followed
            }
            (Next::Reloaded(config, loaded), Some(mut followed)) => {
                config.unknown_subnets(&loaded.seen).log();
                followed.links = config.own_links;
                let leases = followed.publish(loaded, links);
                // The message carries the reason, since the operator changed the configuration and not the
                // lease file.
                let (source, kind) = (&followed.name, followed.name.kind);
                info!(%source, leases, "reloaded the {kind}: lease-checks discard leases by the configuration");
                followed
            }
            (Next::New(Unpublished { config, loaded, .. }), Some(mut followed)) => {
                config.unknown_subnets(&loaded.seen).log();
                followed.replace_source(config);
                let leases = followed.publish(loaded, links);
                let (source, kind) = (&followed.name, followed.name.kind);
                info!(%source, leases, "follows another {kind}");
                followed
            }
            (Next::New(unpublished), None) => {
                unpublished.config.unknown_subnets(&unpublished.loaded.seen).log();
                let subnets = self.subnets(&unpublished.config.label);
                let (followed, _) = self.publish_first(unpublished, subnets, links);
                let (source, kind) = (&followed.name, followed.name.kind);
                info!(%source, "follows one more {kind}");
                followed
            }
            (Next::Same(_) | Next::Reloaded(..), None) => {
                unreachable!("a source that is followed already is among the former ones")
            }
        }
    }
}

/// A source of a new configuration.
enum Next {
    /// Followed already.
    Same(SourceConfig),
    /// Followed already, and loaded for the new links.
    Reloaded(SourceConfig, Loaded),
    New(Unpublished),
}

impl Next {
    fn label(&self) -> &str {
        match self {
            Self::Same(config) | Self::Reloaded(config, _) => &config.label,
            Self::New(unpublished) => &unpublished.config.label,
        }
    }
}

/// The thread of a source.
struct Running {
    /// Dropped to end it.
    stop: Sender<Infallible>,
    waker: Waker,
    thread: JoinHandle<Followed>,
}

impl Running {
    fn start(source: Followed, commands: &Sender<Command>) -> io::Result<Self> {
        // Nothing is ever sent: dropping the sender is the signal.
        let (stop, stopped) = bounded(0);
        let waker = source.waker();
        let notice = PanicNotice(commands.clone());
        let run = move || {
            let _notice = notice;
            source.run(&stopped)
        };
        let thread = thread::Builder::new().name("lqd-source".to_owned()).spawn(run)?;
        Ok(Self { stop, waker, thread })
    }

    fn stop(self) -> Followed {
        drop(self.stop);
        // The thread may wait in poll(2) for as long as a second.
        self.waker.wake();
        // A panic of a source is a defect, and must not end as a silent stop of updates.
        self.thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Tells the feed if the thread that holds it panics.
struct PanicNotice(Sender<Command>);

impl Drop for PanicNotice {
    fn drop(&mut self) {
        if thread::panicking() {
            // If the feed is gone too, the program is ending already.
            let _ = self.0.send(Command::SourceEnded);
        }
    }
}

#[cfg(test)]
mod tests;

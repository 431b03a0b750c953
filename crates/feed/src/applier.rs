//! From a lease file to the index: the first load, then every change as it comes, until told to stop.
//!
//! One thread owns the index's writer and so gives the order of all that readers see. It runs beside the packet
//! path and may log, but a flood of faulty rows becomes one line a minute.

use std::io;
use std::net::Ipv6Addr;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use lqd_index::{Applied, Links, Loader, Writer};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tracing::{error, info, warn};

use crate::confinement::OUT_OF_REACH;
use crate::kea_memfile::{
    FileTally, Follower, LeaseFiles, LoadFault, Loaded, Reload, Seen, Step, Tally, Trouble, Waker, load,
    load_first,
};
use crate::oversized::OversizedReport;
use crate::standing::{Books, Watch};

/// How long to wait before a load that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How often, at most, faulty rows are spoken of.
const BAD_ROWS_EVERY: Duration = Duration::from_secs(60);

/// How long one wait for rows lasts: after each, those who watch learn that nothing was missed.
const WAIT: Duration = Duration::from_secs(1);

/// What can be asked of a running feed.
enum Command {
    Configure(Box<Links>, LeaseFiles, Sender<Result<(), LoadFault>>),
    Stop,
}

/// Steers a feed that runs on another thread.
#[derive(Clone)]
pub struct Steering {
    commands: Sender<Command>,
    waker: Waker,
}

impl Steering {
    /// From now on these links count, and these files are followed. Returns when that is so.
    ///
    /// Other files are loaded first, and the same where Kea discards leases by its configuration; if they cannot be, links
    /// and leases stay as they are.
    pub fn configure(&self, links: Links, files: LeaseFiles) -> Result<(), ConfigureFault> {
        let (done, result) = bounded(1);
        self.send(Command::Configure(links.into(), files, done));
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
    /// What became of the rows of each file, in reading order.
    pub files: Vec<FileTally>,
    /// What became of the leases they come to.
    pub applied: Applied,
    /// How long it took from opening the files to the leases being visible.
    pub took: Duration,
    /// Subnet ids that rows name and the configuration does not have: their leases are located by address.
    pub unknown_subnets: Vec<u32>,
    /// The address of a lease that was read, to try a query with.
    pub example: Option<Ipv6Addr>,
}

/// A lease file that is loaded and can be followed.
pub struct Feed {
    writer: Writer,
    follower: Follower,
    threads: NonZeroUsize,
    commands: (Sender<Command>, Receiver<Command>),
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
    /// The new lease file cannot be loaded.
    #[error(transparent)]
    Load(LoadFault),
    /// The feed has ended.
    #[error("the feed has ended")]
    Ended,
}

/// Why a feed cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// The lease file cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadFault),
    /// The system gives no more files or watches.
    #[error("cannot watch the lease file's directory: {0}; raise LimitNOFILE= in the unit")]
    Watch(#[from] io::Error),
}

impl Feed {
    /// Loads the files on `threads` threads and makes links and leases visible.
    pub fn start(
        mut writer: Writer,
        links: Links,
        files: &LeaseFiles,
        threads: NonZeroUsize,
    ) -> Result<(Self, Report), StartFault> {
        let started = Instant::now();
        let loaded = load_first::<Loader>(files, threads, &links)?;
        let unknown_subnets = unknown_subnets(&loaded.seen, &links);
        let follower = Follower::new(files, loaded.position)?;
        writer.set_next_incomplete(follower.status().is_incomplete);
        let applied = writer.replace_by(loaded.rows, Some(links));
        let took = started.elapsed();
        let mut books = Books::open(follower.files().current().to_owned(), started, &loaded.files);
        let report =
            Report { files: loaded.files, applied, took, unknown_subnets, example: loaded.seen.example };
        books.note(&follower.status());
        let trouble = follower.status().trouble;
        if trouble == Some(Trouble::Missing) {
            let file = follower.files().current().display();
            warn!(%file, "the lease file is missing: answering from Kea's other files until Kea begins a new one");
        }
        let mut oversized = OversizedReport::default();
        oversized.note(&writer);
        let feed = Self {
            writer,
            oversized,
            follower,
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
        Steering { commands: self.commands.0.clone(), waker: self.follower.waker() }
    }

    /// A view of where it stands, for other threads.
    pub fn watch(&self) -> Watch {
        self.books.watch()
    }

    /// Follows the files until stopped, on other CPUs than these, as far as there are any: workers are pinned to them,
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

    /// Follows the files until stopped.
    pub fn run(mut self) {
        loop {
            while let Ok(command) = self.commands.1.try_recv() {
                if self.obey(command).is_break() {
                    return;
                }
            }
            let reload = match self.follower.poll(WAIT) {
                Step::Rows { batch, tally } => {
                    self.writer.apply(batch);
                    self.bad_rows.admit(tally);
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
            self.bad_rows.speak(self.follower.files());
            self.speak_of_trouble();
            if let Some(reason) = reload
                && !self.reload(reason)
                && let Ok(command) = self.commands.1.recv_timeout(RETRY_AFTER)
                && self.obey(command).is_break()
            {
                return;
            }
        }
    }

    /// Tells readers and those who watch where the follower stands.
    fn note(&mut self) {
        let status = self.follower.status();
        self.writer.set_incomplete(status.is_incomplete);
        self.books.note(&status);
    }

    fn obey(&mut self, command: Command) -> ControlFlow<()> {
        match command {
            Command::Stop => return ControlFlow::Break(()),
            Command::Configure(links, files, done) => {
                // Nobody waits for it only when the program ends.
                let _ = done.send(self.configure(*links, &files));
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes a new snapshot; whether that succeeded. As long as it fails, the leases stay as they are.
    fn reload(&mut self, reason: Reload) -> bool {
        let started = Instant::now();
        self.writer.set_incomplete(true);
        self.books.set_incomplete();
        match load_whole(self.follower.files(), self.threads, self.writer.links()) {
            Ok(loaded) => {
                self.follower.reloaded(loaded.position);
                self.writer.set_next_incomplete(self.follower.status().is_incomplete);
                let applied = self.writer.replace_by(loaded.rows, None);
                info!(%reason, leases = applied.put, "loaded the lease file anew");
                self.books.loaded(started, &loaded.files);
                self.note();
                self.speak_of_load(&loaded.files);
                self.reload_fault = None;
                true
            }
            Err(fault) => {
                let fault = fault.to_string();
                self.books.failed(&fault);
                if self.reload_fault.as_ref() != Some(&fault) {
                    error!(%reason, fault, "cannot load the lease file anew; answering from what was known before");
                    self.reload_fault = Some(fault);
                }
                false
            }
        }
    }

    fn configure(&mut self, links: Links, files: &LeaseFiles) -> Result<(), LoadFault> {
        // Links that lead elsewhere by now are followed without being told.
        let is_same = files.current() == self.follower.files().current();
        // What Kea discards when it loads its leases depends on its subnets.
        if is_same && !links.checks_leases() && !self.writer.links().checks_leases() {
            self.writer.set_links(links);
            return Ok(());
        }
        let started = Instant::now();
        let loaded = load_whole(files, self.threads, &links)?;
        speak_of_unknown_subnets(&unknown_subnets(&loaded.seen, &links));
        self.follower.follow(files, loaded.position);
        self.writer.set_next_incomplete(self.follower.status().is_incomplete);
        self.books.follows(self.follower.files().current().to_owned());
        let applied = self.writer.replace_by(loaded.rows, Some(links));
        let (file, leases) = (self.follower.files().current().display(), applied.put);
        if is_same {
            info!(%file, leases, "loaded the lease file anew: lease-checks discard leases by the configuration");
        } else {
            info!(%file, leases, "follows another lease file");
        }
        self.books.loaded(started, &loaded.files);
        self.note();
        self.speak_of_load(&loaded.files);
        Ok(())
    }

    fn speak_of_load(&mut self, files: &[FileTally]) {
        files.iter().for_each(|file| self.bad_rows.admit(&file.tally));
        self.bad_rows.speak(self.follower.files());
        self.oversized.note(&self.writer);
    }

    fn speak_of_trouble(&mut self) {
        let (trouble, file) = (self.follower.status().trouble, self.follower.files().current().display());
        if trouble == self.trouble {
            return;
        }
        match trouble {
            Some(Trouble::Missing) => {
                warn!(%file, "the lease file is gone; answering from what was known before");
            }
            Some(Trouble::NotAFile) => {
                error!(%file, "something that is no file is in the lease file's place");
            }
            Some(Trouble::Unreadable(reason)) => {
                error!(%file, %reason, "the lease file may not be read; give lqd's user the right to read it");
            }
            Some(Trouble::OutOfReach) => error!(%file, "the lease file {OUT_OF_REACH}"),
            Some(Trouble::Rewriting) => {
                warn!(%file, "the lease file is being written anew; answering from what was known before");
            }
            Some(trouble @ (Trouble::Headless | Trouble::HalfLine)) => warn!(%file, "{trouble}"),
            Some(Trouble::Deleted) => error!(
                %file,
                "the lease file was deleted, but the mount of this single file goes on showing it, and never Kea's \
                 new one; mount the folder instead of the file, and start lqd again"
            ),
            None => info!(%file, "the lease file can be followed again"),
        }
        self.trouble = trouble;
    }
}

/// Loads files that are to replace known leases: a current file without header says nothing of them.
fn load_whole(files: &LeaseFiles, threads: NonZeroUsize, links: &Links) -> Result<Loaded, LoadFault> {
    let loaded = load::<Loader>(files, threads, links)?;
    match loaded.position.columns {
        Some(_) => Ok(loaded),
        None => Err(LoadFault::Headless(files.current().to_owned())),
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
    first: Option<(u64, String)>,
    spoke: Option<Instant>,
}

impl BadRows {
    fn admit(&mut self, tally: &Tally) {
        self.swallowed += tally.bad_rows;
        if self.first.is_none()
            && let Some(row) = tally.first_bad_rows.first()
        {
            self.first = Some((row.line, row.fault.to_string()));
        }
    }

    fn speak(&mut self, files: &LeaseFiles) {
        let recently = self.spoke.is_some_and(|spoke| spoke.elapsed() < BAD_ROWS_EVERY);
        if recently || self.swallowed == 0 {
            return;
        }
        let Some((line, fault)) = self.first.take() else { return };
        let (file, rows) = (files.current().display(), self.swallowed);
        warn!(%file, line, %fault, rows, "skipped rows of the lease file; the first one is named");
        self.swallowed = 0;
        self.spoke = Some(Instant::now());
    }
}

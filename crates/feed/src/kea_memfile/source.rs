//! Kea's lease file as a lease source.

use std::path::{Path, PathBuf};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::currency::Currency;
use super::files::{LeaseFiles, OpenError};
use super::follow::{FileStatus, FileStep, Follower};
use super::load::{FileTally, Loaded, Position, SnapshotError, load, load_first};
use crate::source::{
    Figure, FigureValue, LeaseSource, LoadError, LoadRequest, Loaded as Snapshot, Missing, Part,
    SnapshotRows, SourceName, Status, Step,
};

/// Kind of this source and of its parts.
const KIND: &str = "lease file";

/// A set of lease files that Kea writes, and where following it stands.
#[derive(Debug)]
pub struct KeaMemfile {
    name: SourceName,
    files: LeaseFiles,
    /// None before the first load.
    following: Option<Following>,
}

#[derive(Debug)]
struct Following {
    follower: Follower,
    currency: Currency,
    /// The last poll asked for a load: the files hold something else than was read, however little is left to
    /// read.
    is_load_due: bool,
}

impl KeaMemfile {
    /// The set whose current file, the one that Kea appends to, has this name. No file is opened before the
    /// first load.
    pub fn new(current: impl Into<PathBuf>) -> Self {
        let files = LeaseFiles::new(current);
        Self { name: name(files.current()), files, following: None }
    }

    /// Name of the current file, as it was given.
    pub fn current(&self) -> &Path {
        self.files.current()
    }

    /// The current file is mounted by itself, rather than its folder: when Kea replaces it, the mount goes on
    /// showing the old one.
    pub fn is_mounted_alone(&self) -> bool {
        self.files.is_mounted_alone()
    }

    fn load_files(&self, request: &LoadRequest<'_>) -> Result<Loaded, SnapshotError> {
        if !request.replaces {
            // At the start, the leases of other files are better than none.
            return load_first::<SnapshotRows>(&self.files, request);
        }
        let loaded = load::<SnapshotRows>(&self.files, request)?;
        // A reload must not replace known leases by nothing.
        // A current file without header gives no leases to replace the known ones.
        match loaded.position.columns {
            Some(_) => Ok(loaded),
            None => Err(SnapshotError::Headless(self.files.current().to_owned())),
        }
    }

    /// Follows from `position` on, where a load ended that began at `started`.
    fn follow(&mut self, position: Position, started: Instant) -> Result<(), LoadError> {
        let currency = Currency::loaded(started);
        match &mut self.following {
            Some(following) => {
                // The follower stays, so that wakers handed out before go on working.
                following.follower.reloaded(position);
                (following.currency, following.is_load_due) = (currency, false);
            }
            None => {
                let follower = Follower::new(&self.files, position).map_err(|error| {
                    LoadError::Lasting(
                        format!(
                            "cannot watch the lease file's directory: {error}; raise LimitNOFILE= in the unit"
                        )
                        .into(),
                    )
                })?;
                self.following = Some(Following { follower, currency, is_load_due: false });
            }
        }
        Ok(())
    }
}

impl LeaseSource for KeaMemfile {
    fn load(&mut self, request: &LoadRequest<'_>) -> Result<Snapshot, LoadError> {
        // The clock starts before the load: rows that Kea writes meanwhile are not in it.
        let started = Instant::now();
        let Loaded { rows, files, position, seen } = self.load_files(request)?;
        let warnings = warnings(&position);
        // Following starts only when the load has succeeded, so that an error leaves the old position.
        self.follow(position, started)?;
        Ok(Snapshot { rows, parts: files.iter().map(part).collect(), seen, warnings })
    }

    fn poll(&mut self, timeout: Duration) -> Step<'_> {
        let Some(Following { follower, is_load_due, .. }) = &mut self.following else {
            return Step::Reload("nothing is loaded yet".to_owned());
        };
        let step = follower.poll(timeout);
        // Until the load the followed file says nothing about the leases, so they grow old.
        *is_load_due = matches!(step, FileStep::Reload(_));
        match step {
            FileStep::Rows { batch, tally } => Step::Rows { batch, tally: tally.into() },
            FileStep::Idle => Step::Idle,
            FileStep::Reload(reason) => Step::Reload(reason.to_string()),
        }
    }

    fn status(&mut self) -> Status {
        let status = self.following.as_mut().map(|following| {
            let status = following.follower.status();
            // While a load is due, the position says nothing about the age of leases.
            if !following.is_load_due {
                following.currency.note(&status);
            }
            status
        });
        Status {
            source: self.name.clone(),
            caught_up: self.following.as_ref().map(|following| following.currency.caught_up()),
            is_incomplete: status.is_some_and(|status| status.is_incomplete),
            backlog: backlog(status.map_or(0, |status| status.lag)),
            trouble: status.and_then(|status| status.trouble).map(Into::into),
            detail: status.iter().flat_map(detail).collect(),
        }
    }

    fn waker(&self) -> Waker {
        self.following.as_ref().map_or(Waker::noop().clone(), |following| following.follower.waker())
    }

    fn missing(&self) -> Option<Missing> {
        if !self.files.has_folder() {
            // Without folder the sandbox has nothing to allow, so this case is told apart.
            let folder = self.files.folder().display();
            return Some(Missing::Place(format!("{folder}: no such folder; Kea makes it, or its package")));
        }
        let missing = || OpenError::Missing(self.files.current().to_owned()).to_string();
        (!self.files.are_there()).then(|| Missing::Leases(missing()))
    }
}

fn name(path: &Path) -> SourceName {
    // Bytes that are no UTF-8 are escaped, so that two names never look alike.
    let place = path.to_str().map_or_else(|| format!("{path:?}"), str::to_owned);
    SourceName { kind: KIND, place }
}

fn part(FileTally { path, tally }: &FileTally) -> Part {
    Part { name: name(path), tally: tally.into() }
}

fn warnings(position: &Position) -> Vec<String> {
    let missing =
        "the lease file is missing: answering from Kea's other files until Kea creates a new one; start Kea";
    let half_line = "its last line has no end: a copy is in progress, or the disk was full";
    let found = [(position.current_missing, missing), (position.half_line, half_line)];
    found.into_iter().filter(|(is_so, _)| *is_so).map(|(_, text)| text.to_owned()).collect()
}

fn backlog(lag: u64) -> Figure {
    Figure {
        key: "lag_bytes",
        metric: "lqd_feed_lag_bytes",
        help: "Bytes of the lease file that were not read yet.",
        value: FigureValue::Count(lag),
    }
}

fn detail(status: &FileStatus) -> [Figure; 3] {
    [
        Figure {
            key: "watching",
            metric: "lqd_feed_watching",
            help: "1 if inotify works; else rows are seen up to a second late.",
            value: FigureValue::Flag(status.watching),
        },
        Figure {
            key: "offset_bytes",
            metric: "lqd_feed_offset_bytes",
            help: "Bytes of the lease file that were read.",
            value: FigureValue::Count(status.offset),
        },
        Figure {
            key: "rotations",
            metric: "lqd_feed_rotations_total",
            help: "Times Kea began a new lease file and it was followed.",
            value: FigureValue::Count(status.rotations),
        },
    ]
}

impl From<SnapshotError> for LoadError {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Open(
                // These pass by themselves once Kea, or the operator's copy, is done.
                OpenError::Missing(_) | OpenError::Restless(_) | OpenError::OutOfReach(_),
            )
            | SnapshotError::Read { .. } => Self::Passing(error.into()),
            _ => Self::Lasting(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::num::NonZeroUsize;

    use lqd_index::Links;

    use super::*;

    const HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,\
                          fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id\n";

    fn load(source: &mut KeaMemfile, replaces: bool) -> Result<Snapshot, LoadError> {
        source.load(&LoadRequest::new(&Links::default(), NonZeroUsize::MIN, replaces))
    }

    #[test]
    fn a_first_load_needs_folder_and_file() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("kea");
        let mut source = KeaMemfile::new(folder.join("leases"));
        assert!(
            matches!(source.missing(), Some(Missing::Place(reason)) if reason.contains("no such folder"))
        );
        fs::create_dir(&folder).unwrap();
        assert!(
            matches!(source.missing(), Some(Missing::Leases(reason)) if reason.contains("no such lease file"))
        );
        assert!(matches!(load(&mut source, false), Err(LoadError::Passing(_))));
        assert!(matches!(source.poll(Duration::ZERO), Step::Reload(_)));
        assert_eq!(source.status().caught_up, None);
        fs::write(folder.join("leases"), HEADER).unwrap();
        assert_eq!(source.missing(), None);
        load(&mut source, false).unwrap();
        assert!(matches!(source.poll(Duration::ZERO), Step::Idle));
        assert!(source.status().caught_up.is_some());
    }

    #[test]
    fn an_empty_file_replaces_no_leases() {
        let folder = tempfile::tempdir().unwrap();
        let mut source = KeaMemfile::new(folder.path().join("leases"));
        fs::write(source.current(), "").unwrap();
        assert!(matches!(load(&mut source, true), Err(LoadError::Lasting(_))));
        load(&mut source, false).unwrap();
    }

    /// Rows of the old file say nothing about the new one.
    #[test]
    fn leases_grow_old_while_a_load_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let mut source = KeaMemfile::new(folder.path().join("leases"));
        fs::write(source.current(), HEADER).unwrap();
        load(&mut source, false).unwrap();
        assert!(matches!(source.poll(Duration::ZERO), Step::Idle));
        let caught_up = source.status().caught_up;
        fs::write(folder.path().join("dump"), HEADER).unwrap();
        fs::rename(folder.path().join("dump"), source.current()).unwrap();
        assert!(matches!(source.poll(Duration::ZERO), Step::Reload(_)));
        assert_eq!(source.status().caught_up, caught_up);
        load(&mut source, true).unwrap();
        assert!(source.status().caught_up > caught_up);
    }

    #[test]
    fn figures_are_named_as_metrics_are() {
        let mut source = KeaMemfile::new("leases");
        let Status { backlog, .. } = source.status();
        let folder = tempfile::tempdir().unwrap();
        let mut source = KeaMemfile::new(folder.path().join("leases"));
        fs::write(source.current(), HEADER).unwrap();
        load(&mut source, false).unwrap();
        let status = source.status();
        assert_eq!(status.backlog, backlog);
        assert_eq!(status.detail.len(), 3);
        for figure in [status.backlog].iter().chain(&status.detail) {
            assert!(figure.metric.starts_with("lqd_feed_") && figure.help.ends_with('.'), "{figure:?}");
        }
    }
}

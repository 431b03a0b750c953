//! inotify events of the folders of the file and of links to it: hints that there may be something to read,
//! and the renames.

use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use crate::kea_memfile::files::{LeaseFiles, with_suffix};

/// Events read in one go; as many as the kernel queues by default (`fs.inotify.max_queued_events`).
const EVENTS_MAX: usize = 16_384;

/// Changes of the current file's name since its file was last known to have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Renames {
    None,
    /// The file was renamed; the event with the same cookie gives the new name.
    Away(u32),
    /// The file was renamed to `.1`, and nothing else happened.
    Rotated,
    /// Other changes, or events were lost.
    Unclear,
}

impl Renames {
    fn current_moved_away(self, cookie: u32) -> Self {
        // A second rename before the first is completed is more than one rotation.
        if self == Self::None { Self::Away(cookie) } else { Self::Unclear }
    }

    fn rotated_name_taken(self, cookie: u32) -> Self {
        // The cookie ties both halves of a rename together: other files may become `.1` too.
        if self == Self::Away(cookie) { Self::Rotated } else { self }
    }
}

/// The reason why a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    Asked,
    Events,
    Timeout,
}

/// Ends the waiting of a follower, from any thread: its present or next [`super::Follower::poll`] that would
/// wait returns [`super::FileStep::Idle`].
#[derive(Debug)]
struct WakeFd(OwnedFd);

impl Wake for WakeFd {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Fails only when the counter is full: then the follower has been asked already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }
}

/// A name in a watched folder.
#[derive(Debug, PartialEq, Eq)]
struct Watched {
    folder: PathBuf,
    /// The folder's number in inotify, once it is watched.
    number: Option<i32>,
    name: OsString,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A name of the current file.
    Current,
    /// The name that a rotation gives to a current file.
    Rotated,
    /// A symbolic link to a folder on the way to the file.
    FolderLink,
}

impl Watched {
    fn new(path: &Path, kind: Kind) -> Self {
        // A name without folder is in the root.
        let folder = path.parent().unwrap_or(path).to_owned();
        Self { folder, number: None, name: path.file_name().unwrap_or_default().to_owned(), kind }
    }
}

#[derive(Debug)]
pub(super) struct Watch {
    names: Vec<Watched>,
    /// None where inotify does not work, or a folder is gone.
    inotify: Option<OwnedFd>,
    renames: Renames,
    /// The current file's name was last given by a rename, so that its file came whole.
    put_whole: bool,
    /// A name or link may lead elsewhere since the last question.
    relinked: bool,
    waker: Arc<WakeFd>,
}

impl Watch {
    pub(super) fn new(files: &LeaseFiles) -> io::Result<Self> {
        let waker = WakeFd(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        Ok(Self::woken_by(Arc::new(waker), files))
    }

    /// Watches other files, with the same waker.
    pub(super) fn of(&self, files: &LeaseFiles) -> Self {
        Self::woken_by(Arc::clone(&self.waker), files)
    }

    fn woken_by(waker: Arc<WakeFd>, files: &LeaseFiles) -> Self {
        let mut names = Vec::new();
        for name in files.resolved().names() {
            names.push(Watched::new(name, Kind::Current));
            names.push(Watched::new(&with_suffix(name, ".1"), Kind::Rotated));
        }
        names.extend(files.resolved().folder_links().iter().map(|link| Watched::new(link, Kind::FolderLink)));
        // Until a look shows which file has the name, events cannot be interpreted.
        let (renames, inotify) = (Renames::Unclear, None);
        let mut watch = Self { names, inotify, renames, put_whole: false, relinked: true, waker };
        watch.arm();
        watch
    }

    /// Notes that the name may be that of another file than the one that is followed.
    pub(super) fn unsettle(&mut self) {
        self.renames = Renames::Unclear;
    }

    pub(super) fn waker(&self) -> Waker {
        Arc::clone(&self.waker).into()
    }

    pub(super) fn is_armed(&self) -> bool {
        self.inotify.is_some()
    }

    /// Starts watching, if it does not watch yet and can.
    pub(super) fn arm(&mut self) {
        if self.inotify.is_some() {
            return;
        }
        let flags = WatchFlags::MODIFY
            // ONLYDIR makes a folder that was replaced by a file an error, not a silent watch.
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let names = &mut self.names;
        let watched = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).and_then(|inotify| {
            // A folder that is watched already keeps its number.
            for watched in names {
                watched.number = Some(inotify::add_watch(&inotify, &watched.folder, flags)?);
            }
            Ok(inotify)
        });
        self.inotify = watched.ok();
        // Links may have changed before the watch began.
        self.relinked = true;
    }

    /// Takes in the events so far; true if they are about the current file or its successor in name.
    pub(super) fn drain(&mut self) -> bool {
        // Without inotify each wait ends with a look at the files.
        let Some(inotify) = self.inotify.take() else { return true };
        let mut space = [MaybeUninit::uninit(); 8192];
        let mut events = Reader::new(&inotify, &mut space);
        let mut relevant = false;
        let mut lost = false;
        // The loop is bounded, as a busy folder can add events as fast as they are read.
        for _ in 0..EVENTS_MAX {
            let event = match events.next() {
                Ok(event) => event,
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::AGAIN) => break,
                Err(_) => {
                    lost = true;
                    break;
                }
            };
            let kinds = event.events();
            let gone =
                ReadFlags::IGNORED | ReadFlags::UNMOUNT | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF;
            // The watch of a folder is lost, so inotify is set up again with the next step.
            if kinds.intersects(gone) {
                lost = true;
            } else if kinds.contains(ReadFlags::QUEUE_OVERFLOW) {
                // Events are missing: a look at the files has to find what they would have said.
                relevant = true;
                self.relinked = true;
                self.put_whole = false;
                self.renames = Renames::Unclear;
            }
            // Events about the folder itself carry no name.
            let Some(name) = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes())) else {
                continue;
            };
            let is_it = |watched: &&Watched| watched.number == Some(event.wd()) && watched.name == name;
            if let Some(kind) = self.names.iter().find(is_it).map(|watched| watched.kind) {
                self.note(kind, kinds, event.cookie());
                relevant = true;
            }
        }
        if lost {
            self.put_whole = false;
            self.renames = Renames::Unclear;
        } else {
            self.inotify = Some(inotify);
        }
        relevant || lost
    }

    /// Takes in an event of a name.
    fn note(&mut self, kind: Kind, kinds: ReadFlags, cookie: u32) {
        let renewed = kinds.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO);
        let removed = kinds.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
        // The rotated name is no way to the current file.
        if kind != Kind::Rotated {
            self.relinked |= renewed || removed;
            // A file that is created grows line by line; one that is moved here is complete.
            if renewed {
                self.put_whole = kinds.contains(ReadFlags::MOVED_TO);
            }
        }
        match kind {
            Kind::Current if kinds.contains(ReadFlags::MOVED_FROM) => {
                self.renames = self.renames.current_moved_away(cookie);
            }
            // A new file under the name without a rotation before it is a replacement.
            Kind::Current if kinds.intersects(ReadFlags::MOVED_TO | ReadFlags::DELETE) => {
                self.renames = Renames::Unclear;
            }
            Kind::Rotated if kinds.contains(ReadFlags::MOVED_TO) => {
                self.renames = self.renames.rotated_name_taken(cookie);
            }
            Kind::FolderLink if renewed || removed => self.renames = Renames::Unclear,
            _ => {}
        }
    }

    /// Whether names and links may lead elsewhere since the last call.
    pub(super) fn take_relinked(&mut self) -> bool {
        std::mem::take(&mut self.relinked)
    }

    /// Notes that the followed file has the current name, after the events drained last.
    pub(super) fn settle(&mut self) {
        // Without inotify a rename goes unseen, so no rotation can be proven.
        self.renames = if self.is_armed() { Renames::None } else { Renames::Unclear };
    }

    /// Whether it was renamed to `.1` since then, a new file was made, and nothing else.
    pub(super) fn saw_one_rotation(&self) -> bool {
        self.renames == Renames::Rotated
    }

    /// Whether the file with the current name was renamed to it, as a complete dump is.
    pub(super) fn was_put_whole(&self) -> bool {
        self.put_whole
    }

    /// Waits for events, or to be asked to return.
    pub(super) fn wait(&self, timeout: Duration) -> Woken {
        let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        let mut fds = vec![PollFd::new(&self.waker.0, PollFlags::IN)];
        fds.extend(self.inotify.iter().map(|inotify| PollFd::new(inotify, PollFlags::IN)));
        // An interrupted or failed wait is a short one: the caller looks at the files and waits again.
        if poll(&mut fds, Some(&timeout)).unwrap_or(0) == 0 {
            return Woken::Timeout;
        }
        // The waker is asked first: events stay in the queue for the next step.
        if fds[0].revents().is_empty() {
            return Woken::Events;
        }
        // The counter is reset by any read, so a failure means it is zero already.
        let _ = rustix::io::read(&self.waker.0, &mut [0; 8]);
        Woken::Asked
    }
}

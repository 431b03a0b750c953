//! The feed over a source that is no file: it plays what a test writes for it.

use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, Sender, bounded, select, unbounded};
use lqd_index::{Batch, Change, Covering, Lease, LeaseKind, Links, Loader, LookUp, Reader, Removal, Writer};

use super::*;
use crate::source::{Figure, FigureValue, Missing, Status};

/// Longest that anything which must happen is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// Last group of an address, and the client that has it now.
type Held = (u16, Option<u8>);

/// Snapshots, one for each load to come, or the reason why loads fail as long as it stands first.
type Snapshots = Vec<Result<Vec<Held>, &'static str>>;

/// One turn of the script.
enum Turn {
    Changes(Vec<Held>),
    Reload,
    Trouble(Option<&'static str>),
    Incomplete(bool),
}

/// A source without files.
struct Scripted {
    place: &'static str,
    script: Receiver<Turn>,
    snapshots: Arc<Mutex<Snapshots>>,
    bell: (Arc<Bell>, Receiver<()>),
    batch: Batch,
    changes: u64,
    caught_up: Option<Instant>,
    trouble: Option<&'static str>,
    is_incomplete: bool,
    is_load_due: bool,
    /// Waits for its script or its bell, whatever time it is given.
    needs_bell: bool,
}

struct Bell(Sender<()>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // Full: it rings already.
        let _ = self.0.try_send(());
    }
}

/// The test's side of a script.
struct Author {
    script: Sender<Turn>,
    snapshots: Arc<Mutex<Snapshots>>,
}

impl Author {
    fn play(&self, turn: Turn) {
        self.script.send(turn).expect("the source is there");
    }

    fn loads_left(&self) -> usize {
        self.snapshots.lock().unwrap().len()
    }
}

fn scripted(place: &'static str, snapshots: Snapshots) -> (Box<Scripted>, Author) {
    let (script, turns) = unbounded();
    let (ring, rung) = bounded(1);
    let snapshots = Arc::new(Mutex::new(snapshots));
    let source = Scripted {
        place,
        script: turns,
        snapshots: Arc::clone(&snapshots),
        bell: (Arc::new(Bell(ring)), rung),
        batch: Batch::new(),
        changes: 0,
        caught_up: None,
        trouble: None,
        is_incomplete: false,
        is_load_due: false,
        needs_bell: false,
    };
    (Box::new(source), Author { script, snapshots })
}

fn address(host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host)
}

fn fill(batch: &mut Batch, held: &[Held]) {
    batch.clear();
    for &(host, client) in held {
        let duid = client.map(|client| [0, 4, client]);
        let change = duid.as_ref().map_or(Change::Remove(Removal::gone(address(host))), |duid| {
            Change::Put(Lease {
                address: address(host),
                prefix_len: 128,
                kind: LeaseKind::Address,
                duid,
                valid_lifetime: 1000,
                preferred_lifetime: 500,
                cltt: 0,
                subnet_id: 7,
                options: &[],
            })
        });
        batch.push(change).unwrap();
    }
}

impl LeaseSource for Scripted {
    fn load(&mut self, _: &LoadRequest<'_>) -> Result<Loaded, LoadError> {
        let started = Instant::now();
        let snapshot = {
            let mut snapshots = self.snapshots.lock().unwrap();
            if let Err(fault) = snapshots[0] {
                return Err(LoadError::Passing(fault.into()));
            }
            snapshots.remove(0).unwrap()
        };
        let (rows, mut batch) = (Loader::new(), Batch::new());
        fill(&mut batch, &snapshot);
        rows.take(0, &batch);
        (self.caught_up, self.is_load_due) = (Some(started), false);
        let tally = RowTally { rows: snapshot.len() as u64, ..RowTally::default() };
        let name = SourceName { kind: "page", place: self.place.to_owned() };
        let seen = Seen { subnet_ids: [7].into(), example: snapshot.first().map(|&(host, _)| address(host)) };
        Ok(Loaded { rows, parts: vec![Part { name, tally }], seen, warnings: Vec::new() })
    }

    fn poll(&mut self, timeout: Duration) -> Step<'_> {
        if self.is_load_due {
            return Step::Reload("the script says so".to_owned());
        }
        let timeout = if self.needs_bell { LIMIT } else { timeout };
        let turn = select! {
            recv(self.script) -> turn => turn.ok(),
            recv(self.bell.1) -> _ => None,
            default(timeout) => {
                assert!(!self.needs_bell, "nobody rang");
                None
            }
        };
        match turn {
            Some(Turn::Changes(changes)) => {
                fill(&mut self.batch, &changes);
                self.changes += changes.len() as u64;
                let tally = RowTally { rows: changes.len() as u64, ..RowTally::default() };
                return Step::Rows { batch: &self.batch, tally };
            }
            Some(Turn::Reload) => {
                self.is_load_due = true;
                return self.poll(timeout);
            }
            Some(Turn::Trouble(trouble)) => self.trouble = trouble,
            Some(Turn::Incomplete(is_incomplete)) => self.is_incomplete = is_incomplete,
            None => {}
        }
        Step::Idle
    }

    fn status(&mut self) -> Status {
        let is_young = self.caught_up.is_some() && self.trouble.is_none();
        self.caught_up = if is_young { Some(Instant::now()) } else { self.caught_up };
        let count =
            |key, metric, value| Figure { key, metric, help: "Of a test.", value: FigureValue::Count(value) };
        Status {
            source: SourceName { kind: "script", place: self.place.to_owned() },
            caught_up: self.caught_up,
            is_incomplete: self.is_incomplete,
            backlog: count("turns_left", "lqd_feed_lag_turns", self.script.len() as u64),
            trouble: self.trouble.map(|text| Trouble { text: text.to_owned(), advice: None, is_error: true }),
            detail: vec![count("changes", "lqd_feed_changes_total", self.changes)],
        }
    }

    fn waker(&self) -> Waker {
        Arc::clone(&self.bell.0).into()
    }
}

/// A feed that runs on a thread of its own, until dropped.
struct Running {
    steering: Steering,
    watch: Watch,
    reader: Reader,
    report: Report,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(source: Box<dyn LeaseSource>) -> Self {
        let (writer, store) = Writer::new();
        let (feed, report) = Feed::start(writer, Links::default(), source, NonZeroUsize::MIN).unwrap();
        let (steering, watch) = (feed.steering(), feed.watch());
        let reader = store.reader().unwrap();
        let thread = Some(thread::spawn(move || feed.run()));
        Self { steering, watch, reader, report, thread }
    }

    /// The client that has an address.
    fn holder(&mut self, host: u16) -> Option<u8> {
        let leases = self.reader.pin();
        let mut found = [None];
        leases.look_up(1, &[LookUp::Covering(address(host))], &mut found);
        let found = found[0].as_ref()?;
        found.covering().map(Covering::binding)?;
        let mut duid = vec![0; found.client.duid_len()];
        found.client.copy_duid(&mut duid);
        duid.last().copied()
    }

    fn await_holders(&mut self, held: &[Held]) {
        for &(host, client) in held {
            self.await_that(|feed| feed.holder(host) == client);
        }
    }

    fn await_that(&mut self, is_so: impl Fn(&mut Self) -> bool) {
        let limit = Instant::now() + LIMIT;
        while !is_so(self) {
            assert!(Instant::now() < limit, "it never came to be: {:?}", self.watch.standing());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.steering.stop();
        let ended = self.thread.take().expect("it ends once").join();
        assert!(ended.is_ok() || thread::panicking(), "the feed panicked");
    }
}

#[test]
fn any_source_is_loaded_and_followed() {
    let (source, author) = scripted("a", vec![Ok(vec![(1, Some(1)), (2, Some(2))])]);
    assert_eq!(source.missing(), None::<Missing>);
    let mut feed = Running::start(source);
    assert_eq!((feed.report.applied.put, feed.report.example), (2, Some(address(1))));
    assert_eq!(feed.report.unknown_subnets, [7]);
    assert_eq!(feed.report.parts[0].name.to_string(), "a");
    feed.await_holders(&[(1, Some(1)), (2, Some(2)), (3, None)]);
    author.play(Turn::Changes(vec![(1, None), (2, Some(3)), (3, Some(1))]));
    feed.await_holders(&[(1, None), (2, Some(3)), (3, Some(1))]);
    feed.await_that(|feed| {
        let standing = feed.watch.standing();
        let figures: Vec<_> = standing.figures().map(|figure| (figure.key, figure.value)).collect();
        let wanted = [("turns_left", FigureValue::Count(0)), ("changes", FigureValue::Count(3))];
        standing.rows == 5 && standing.reloads == 0 && figures == wanted
    });
}

#[test]
fn any_source_can_ask_for_a_load_that_fails_at_first() {
    let snapshots = vec![Ok(vec![(1, Some(1))]), Err("nobody there"), Ok(vec![(2, Some(2))])];
    let (source, author) = scripted("a", snapshots);
    let mut feed = Running::start(source);
    author.play(Turn::Reload);
    feed.await_that(|feed| feed.watch.standing().failed_reloads > 0);
    assert_eq!(feed.holder(1), Some(1), "known leases stay");
    assert_eq!(feed.watch.standing().trouble.as_deref(), Some("nobody there"));
    assert!(feed.reader.pin().is_incomplete() && feed.watch.standing().is_incomplete);
    author.snapshots.lock().unwrap().remove(0).unwrap_err();
    feed.await_holders(&[(1, None), (2, Some(2))]);
    feed.await_that(|feed| {
        let standing = feed.watch.standing();
        standing.reloads == 1 && standing.trouble.is_none() && !standing.is_incomplete
    });
    assert!(!feed.reader.pin().is_incomplete());
}

#[test]
fn trouble_and_gaps_of_any_source_are_told() {
    let (source, author) = scripted("a", vec![Ok(vec![(1, Some(1))])]);
    let mut feed = Running::start(source);
    author.play(Turn::Trouble(Some("the line is dead")));
    feed.await_that(|feed| feed.watch.standing().trouble.as_deref() == Some("the line is dead"));
    let caught_up = feed.watch.standing().caught_up;
    author.play(Turn::Incomplete(true));
    feed.await_that(|feed| feed.watch.standing().is_incomplete && feed.reader.pin().is_incomplete());
    assert_eq!(feed.watch.standing().caught_up, caught_up, "leases grow old");
    author.play(Turn::Incomplete(false));
    author.play(Turn::Trouble(None));
    feed.await_that(|feed| {
        let standing = feed.watch.standing();
        standing.trouble.is_none() && !standing.is_incomplete && standing.caught_up > caught_up
    });
}

#[test]
fn another_source_takes_the_place_of_one_that_it_can_replace() {
    let (source, author) = scripted("a", vec![Ok(vec![(1, Some(1))])]);
    let mut feed = Running::start(source);
    let (dead, _) = scripted("dead", vec![Err("nobody there")]);
    let fault = feed.steering.configure(Links::default(), dead).unwrap_err();
    assert_eq!(fault.to_string(), "nobody there");
    author.play(Turn::Changes(vec![(1, Some(2))]));
    feed.await_holders(&[(1, Some(2))]);

    let (same, not_asked) = scripted("a", vec![Ok(Vec::new())]);
    feed.steering.configure(Links::default(), same).unwrap();
    assert_eq!((not_asked.loads_left(), feed.holder(1)), (1, Some(2)), "new links alone need no load");

    let (mut other, next) = scripted("b", vec![Ok(vec![(3, Some(3))])]);
    other.needs_bell = true;
    feed.steering.configure(Links::default(), other).unwrap();
    assert_eq!((feed.holder(1), feed.holder(3)), (None, Some(3)));
    assert_eq!(feed.watch.standing().source.place, "b");
    next.play(Turn::Changes(vec![(3, None), (4, Some(4))]));
    feed.await_holders(&[(3, None), (4, Some(4))]);
    assert!(author.script.send(Turn::Reload).is_err(), "the former source is let go");
    // Commands reach the feed by the waker of the source that it polls now.
    for _ in 0..3 {
        let (same, _) = scripted("b", Vec::new());
        feed.steering.configure(Links::default(), same).unwrap();
    }
}

//! The feed over sources that play a script, without files.

use std::sync::{Arc, Mutex};
use std::task::Wake;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, Sender, bounded, select, unbounded};
use lqd_index::{
    Batch, Change, Covering, Lease, LeaseChecks, LeaseKind, Link, Location, Lookup, Prefix, Reader, Removal,
    Subnet,
};

use super::*;
use crate::source::{
    Figure, FigureValue, LeaseSource, LoadRequest, Missing, RowTally, Seen, SourceName, Status, Step, Trouble,
};
use crate::state::SourceState;

/// Longest that anything which must happen is waited for.
const LIMIT: Duration = Duration::from_secs(30);

/// Last group of an address, and the client that has it now, whose number is the cltt of its lease.
type Held = (u16, Option<u8>);

/// Snapshots, one for each load to come, or the reason why loads fail as long as it stands first.
type Snapshots = Vec<Result<Vec<Held>, &'static str>>;

/// A turn of the script.
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
                cltt: duid[2].into(),
                subnet_id: 7,
                options: &[],
            })
        });
        batch.push(change).unwrap();
    }
}

impl LeaseSource for Scripted {
    fn load(&mut self, request: &LoadRequest<'_>) -> Result<Loaded, LoadError> {
        let started = Instant::now();
        let snapshot = {
            let mut snapshots = self.snapshots.lock().unwrap();
            if let Err(error) = snapshots[0] {
                return Err(LoadError::Passing(error.into()));
            }
            snapshots.remove(0).unwrap()
        };
        let (rows, mut batch) = (request.rows(0), Batch::new());
        fill(&mut batch, &snapshot);
        rows.take(0, &mut batch);
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
                assert!(!self.needs_bell, "the waker was not used");
                None
            }
        };
        match turn {
            Some(Turn::Changes(changes)) => {
                fill(&mut self.batch, &changes);
                self.changes += changes.len() as u64;
                let tally = RowTally { rows: changes.len() as u64, ..RowTally::default() };
                return Step::Rows { batch: &mut self.batch, tally };
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

fn config(label: &str, source: Box<dyn LeaseSource>) -> SourceConfig {
    SourceConfig::new(label, source, Vec::new(), LeaseChecks::Keep).unwrap()
}

/// A feed that runs on a thread of its own, until dropped.
struct RunningFeed {
    handle: FeedHandle,
    watch: FeedWatch,
    reader: Reader,
    report: Report,
    thread: Option<JoinHandle<()>>,
}

impl RunningFeed {
    fn start(source: Box<dyn LeaseSource>) -> Self {
        Self::of(vec![config("kea", source)])
    }

    fn of(sources: Vec<SourceConfig>) -> Self {
        let (writer, store) = Writer::new();
        let (feed, report) = Feed::start(writer, sources, NonZeroUsize::MIN).unwrap();
        let (handle, watch) = (feed.handle(), feed.watch());
        let reader = store.reader().unwrap();
        let thread = Some(thread::spawn(move || feed.run()));
        Self { handle, watch, reader, report, thread }
    }

    /// State of the first source.
    fn state(&self) -> SourceState {
        self.watch.state().sources.remove(0)
    }

    /// The client that has an address.
    fn holder(&mut self, host: u16) -> Option<u8> {
        let leases = self.reader.pin();
        let found = leases.find(Lookup::Covering(address(host)), 1);
        let found = found.as_ref()?;
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
            assert!(Instant::now() < limit, "it never came to be: {:?}", self.watch.state());
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for RunningFeed {
    fn drop(&mut self) {
        self.handle.stop();
        let ended = self.thread.take().expect("it ends once").join();
        assert!(ended.is_ok() || thread::panicking(), "the feed panicked");
    }
}

#[test]
fn any_source_is_loaded_and_followed() {
    let (source, author) = scripted("a", vec![Ok(vec![(1, Some(1)), (2, Some(2))])]);
    assert_eq!(source.missing(), None::<Missing>);
    let mut feed = RunningFeed::start(source);
    assert_eq!((feed.report.leases, feed.report.example), (2, Some(address(1))));
    assert_eq!(feed.report.unknown_subnets[0].ids, [7]);
    assert_eq!(feed.report.parts[0].name.to_string(), "a");
    feed.await_holders(&[(1, Some(1)), (2, Some(2)), (3, None)]);
    author.play(Turn::Changes(vec![(1, None), (2, Some(3)), (3, Some(1))]));
    feed.await_holders(&[(1, None), (2, Some(3)), (3, Some(1))]);
    feed.await_that(|feed| {
        let state = feed.state();
        let figures: Vec<_> = state.figures().map(|figure| (figure.key, figure.value)).collect();
        let wanted = [("turns_left", FigureValue::Count(0)), ("changes", FigureValue::Count(3))];
        state.rows == 5 && state.reloads == 0 && figures == wanted
    });
}

#[test]
fn any_source_can_ask_for_a_load_that_fails_at_first() {
    let snapshots = vec![Ok(vec![(1, Some(1))]), Err("no such server"), Ok(vec![(2, Some(2))])];
    let (source, author) = scripted("a", snapshots);
    let mut feed = RunningFeed::start(source);
    author.play(Turn::Reload);
    feed.await_that(|feed| feed.state().failed_reloads > 0);
    assert_eq!(feed.holder(1), Some(1), "known leases stay");
    assert_eq!(feed.state().trouble.as_deref(), Some("no such server"));
    assert!(feed.reader.pin().is_incomplete() && feed.state().is_incomplete);
    author.snapshots.lock().unwrap().remove(0).unwrap_err();
    feed.await_holders(&[(1, None), (2, Some(2))]);
    feed.await_that(|feed| {
        let state = feed.state();
        state.reloads == 1 && state.trouble.is_none() && !state.is_incomplete
    });
    assert!(!feed.reader.pin().is_incomplete());
}

#[test]
fn trouble_and_gaps_of_any_source_are_told() {
    let (source, author) = scripted("a", vec![Ok(vec![(1, Some(1))])]);
    let mut feed = RunningFeed::start(source);
    author.play(Turn::Trouble(Some("the line is dead")));
    feed.await_that(|feed| feed.state().trouble.as_deref() == Some("the line is dead"));
    let caught_up = feed.state().caught_up;
    author.play(Turn::Incomplete(true));
    feed.await_that(|feed| feed.state().is_incomplete && feed.reader.pin().is_incomplete());
    assert_eq!(feed.state().caught_up, caught_up, "leases grow old");
    author.play(Turn::Incomplete(false));
    author.play(Turn::Trouble(None));
    feed.await_that(|feed| {
        let state = feed.state();
        state.trouble.is_none() && !state.is_incomplete && state.caught_up > caught_up
    });
}

#[test]
fn another_source_takes_the_place_of_one_that_it_can_replace() {
    let (source, author) = scripted("a", vec![Ok(vec![(1, Some(1))])]);
    let mut feed = RunningFeed::start(source);
    let (dead, _) = scripted("dead", vec![Err("no such server")]);
    let error = feed.handle.configure(vec![config("kea", dead)]).unwrap_err();
    assert_eq!(error.to_string(), "no such server");
    author.play(Turn::Changes(vec![(1, Some(2))]));
    feed.await_holders(&[(1, Some(2))]);

    let (same, not_asked) = scripted("a", vec![Ok(Vec::new())]);
    feed.handle.configure(vec![config("kea", same)]).unwrap();
    assert_eq!((not_asked.loads_left(), feed.holder(1)), (1, Some(2)), "new links alone need no load");

    let (mut other, next) = scripted("b", vec![Ok(vec![(3, Some(3))])]);
    other.needs_bell = true;
    feed.handle.configure(vec![config("kea", other)]).unwrap();
    assert_eq!((feed.holder(1), feed.holder(3)), (None, Some(3)));
    assert_eq!(feed.state().source.place, "b");
    next.play(Turn::Changes(vec![(3, None), (4, Some(4))]));
    feed.await_holders(&[(3, None), (4, Some(4))]);
    assert!(author.script.send(Turn::Reload).is_err(), "the former source is let go");
    // Commands reach the feed by the waker of the source that it polls now.
    for _ in 0..3 {
        let (same, _) = scripted("b", Vec::new());
        feed.handle.configure(vec![config("kea", same)]).unwrap();
    }
}

/// Two sources whose leases are in the halves of 2001:db8::/112: host groups below 0x8000, and from there on.
const HALVES: [(&str, u16); 2] = [("a", 0), ("b", 0x8000)];

/// Configures a source with a subnet of id 7 that has the half beginning with `host`.
fn half(label: &str, source: Box<dyn LeaseSource>, host: u16) -> SourceConfig {
    let prefix = Prefix { address: address(host), len: 113 };
    let subnet = Subnet { id: 7, prefix, pd_pools: Vec::new(), options: Default::default() };
    let link = Link { address: None, subnets: vec![subnet], relay_addresses: Vec::new() };
    SourceConfig::new(label, source, vec![link], LeaseChecks::Keep).unwrap()
}

fn halves(snapshots: [Snapshots; 2]) -> (Vec<SourceConfig>, [Author; 2]) {
    let mut halves = HALVES.into_iter();
    let [(a, first), (b, second)] = snapshots.map(|snapshots| {
        let (label, host) = halves.next().expect("there are two");
        let (source, author) = scripted(label, snapshots);
        (half(label, source, host), author)
    });
    (vec![a, b], [first, second])
}

impl RunningFeed {
    /// The number of the link on which the lease of this address is.
    fn link(&mut self, host: u16) -> usize {
        let leases = self.reader.pin();
        let found = leases.find(Lookup::Covering(address(host)), 1);
        let binding = found.as_ref().unwrap().covering().unwrap().binding();
        match leases.links().locate(binding.subnet_id, binding.address, binding.kind) {
            Location::Link(link) => link.number(),
            other => panic!("the lease is in its own subnet: {other:?}"),
        }
    }
}

#[test]
fn equal_subnet_ids_of_two_sources_are_two_links() {
    let snapshots = [vec![Ok(vec![(1, Some(1))])], vec![Ok(vec![(0x8001, Some(2))])]];
    let (sources, [a, _b]) = halves(snapshots);
    let mut feed = RunningFeed::of(sources);
    assert_eq!(feed.report.leases, 2);
    assert!(feed.report.unknown_subnets.iter().all(|unknown| unknown.ids.is_empty()));
    assert_eq!((feed.link(1), feed.link(0x8001)), (0, 1));
    a.play(Turn::Changes(vec![(2, Some(3))]));
    feed.await_holders(&[(1, Some(1)), (2, Some(3)), (0x8001, Some(2))]);
    assert_eq!(feed.link(2), 0);
    let labels: Vec<_> = feed.watch.state().sources.into_iter().map(|source| source.label).collect();
    assert_eq!(labels, ["a", "b"]);
}

#[test]
fn leases_of_other_sources_stay_when_one_is_reloaded() {
    const RELOADS: u16 = 50;
    let mut reloads = vec![Ok(vec![(1, Some(1))])];
    reloads.extend((2..2 + RELOADS).map(|host| Ok(vec![(1, Some(1)), (host, Some(2))])));
    let (sources, [a, b]) = halves([reloads, vec![Ok(vec![(0x8001, Some(2))])]]);
    let mut feed = RunningFeed::of(sources);
    for reload in 0..RELOADS {
        a.play(Turn::Reload);
        b.play(Turn::Changes(vec![(0x9000 + reload, Some(4))]));
        // Every look on the way finds the leases that both sources have all the time.
        let limit = Instant::now() + LIMIT;
        while feed.holder(2 + reload) != Some(2) || a.loads_left() > usize::from(RELOADS - 1 - reload) {
            assert_eq!((feed.holder(1), feed.holder(0x8001)), (Some(1), Some(2)));
            assert!(Instant::now() < limit, "{:?}", feed.watch.state());
        }
        feed.await_holders(&[(1 + reload, (reload == 0).then_some(1)), (0x9000 + reload, Some(4))]);
    }
}

#[test]
fn of_two_sources_that_claim_an_address_the_newest_cltt_counts() {
    let snapshots =
        [vec![Ok(vec![(1, Some(5))]), Ok(vec![(1, Some(6))]), Ok(vec![])], vec![Ok(vec![(1, Some(9))])]];
    let (sources, [a, b]) = halves(snapshots);
    let mut feed = RunningFeed::of(sources);
    let conflicts = |feed: &RunningFeed| feed.watch.state().conflicts;
    assert_eq!((feed.holder(1), conflicts(&feed)), (Some(9), 1));
    a.play(Turn::Changes(vec![(1, Some(7)), (2, Some(1))]));
    feed.await_holders(&[(2, Some(1)), (1, Some(9))]);
    a.play(Turn::Changes(vec![(1, Some(10))]));
    feed.await_holders(&[(1, Some(10))]);
    b.play(Turn::Changes(vec![(1, Some(8)), (0x8002, Some(1))]));
    feed.await_holders(&[(0x8002, Some(1)), (1, Some(10))]);
    a.play(Turn::Changes(vec![(1, None)]));
    feed.await_holders(&[(1, Some(8))]);
    feed.await_that(|feed| conflicts(feed) == 0);
    // A snapshot claims addresses as changes do, and withdraws the claims that it no longer has.
    a.play(Turn::Reload);
    feed.await_that(|feed| conflicts(feed) == 1 && feed.holder(1) == Some(8));
    a.play(Turn::Reload);
    feed.await_that(|feed| conflicts(feed) == 0 && feed.holder(1) == Some(8));
    b.play(Turn::Changes(vec![(1, None)]));
    feed.await_holders(&[(1, None)]);
}

#[test]
fn leases_are_incomplete_while_any_source_is() {
    let (sources, [a, b]) =
        halves([vec![Ok(vec![(1, Some(1))])], vec![Ok(vec![]), Err("no such server"), Ok(vec![])]]);
    let mut feed = RunningFeed::of(sources);
    b.play(Turn::Reload);
    feed.await_that(|feed| feed.watch.state().sources[1].failed_reloads > 0);
    a.play(Turn::Changes(vec![(2, Some(1))]));
    feed.await_holders(&[(2, Some(1))]);
    a.play(Turn::Incomplete(true));
    feed.await_that(|feed| feed.state().is_incomplete);
    a.play(Turn::Incomplete(false));
    feed.await_that(|feed| !feed.state().is_incomplete);
    assert!(feed.reader.pin().is_incomplete());
    assert_eq!(feed.watch.state().incomplete().unwrap().label, "b");
    b.snapshots.lock().unwrap().remove(0).unwrap_err();
    feed.await_that(|feed| !feed.reader.pin().is_incomplete());
}

#[test]
fn sources_come_and_go_by_configuration() {
    let (sources, authors) = halves([vec![Ok(vec![(1, Some(1))])], vec![Ok(vec![(0x8001, Some(2))])]]);
    let [a, b]: [SourceConfig; 2] = sources.try_into().ok().unwrap();
    let mut feed = RunningFeed::of(vec![a]);
    assert_eq!((feed.holder(1), feed.holder(0x8001)), (Some(1), None));
    let (same, _) = scripted("a", Vec::new());
    feed.handle.configure(vec![half("a", same, 0), b]).unwrap();
    assert_eq!((feed.link(1), feed.link(0x8001)), (0, 1));

    let (same, _) = scripted("a", Vec::new());
    let (dead, _) = scripted("dead", vec![Err("no such server")]);
    feed.handle.configure(vec![half("a", same, 0), half("c", dead, 0x8000)]).unwrap_err();
    authors[1].play(Turn::Changes(vec![(0x8002, Some(3))]));
    feed.await_holders(&[(1, Some(1)), (0x8001, Some(2)), (0x8002, Some(3))]);

    let (same, _) = scripted("b", Vec::new());
    feed.handle.configure(vec![half("b", same, 0x8000)]).unwrap();
    assert_eq!((feed.holder(1), feed.holder(0x8001), feed.link(0x8001)), (None, Some(2), 0));
    let (other, _) = scripted("other", vec![Ok(vec![(3, Some(3))])]);
    feed.handle.configure(vec![half("other", other, 0)]).unwrap();
    assert_eq!((feed.holder(0x8001), feed.holder(3)), (None, Some(3)));
    assert_eq!(feed.watch.state().sources.len(), 1);
}

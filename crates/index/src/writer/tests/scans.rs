//! Scans whose slices lie between batches, between any two words that the writer publishes, and beside its
//! thread.

use std::sync::Mutex;

use super::*;
use crate::limits::Limits;
use crate::links::Location;
use crate::{Cursor, Link, Prefix, ReplacedError, Scanned, SecondaryIndexes, Subnet, SubnetOptions};

type Duids = BTreeSet<Vec<u8>>;

/// The bit of a first address that says on which of the two links a lease is.
const LINK_BIT: u32 = 73;

/// Two links, each with a /55 as subnet and as pd-pool.
fn links() -> Links {
    let link = |number: u32| {
        let address = (0x2001_0db8 << 96 | u128::from(number) << LINK_BIT).into();
        let prefix = Prefix { address, len: 55 };
        let (pd_pools, options) = (vec![prefix], SubnetOptions::default());
        let subnet = Subnet { id: 1 + number, prefix, pd_pools, options };
        Link { address: None, subnets: vec![subnet], relay_addresses: Vec::new() }
    };
    Links::new(vec![link(0), link(1)]).unwrap()
}

fn duid_of(client: record::Client<'_>) -> Vec<u8> {
    let mut duid = vec![0; client.duid_len()];
    client.copy_duid(&mut duid);
    duid
}

/// Clients that a scan is to come to.
#[derive(Clone, Copy, Debug)]
enum Scope {
    All,
    Link(u32),
    RelayId(&'static [u8]),
    RemoteId(&'static [u8]),
}

impl Scope {
    fn any() -> impl Strategy<Value = Self> {
        prop::sample::select(vec![
            Self::All,
            Self::Link(0),
            Self::Link(1),
            Self::RelayId(relays::NEAR_RELAY),
            Self::RelayId(relays::FAR_RELAY),
            Self::RemoteId(relays::REMOTE_ID),
        ])
    }

    fn cursor(self) -> Cursor {
        match self {
            Self::All => Cursor::all(),
            Self::Link(link) => {
                Cursor::of_links((0x2001_0db8 << 96 | u128::from(link) << LINK_BIT | 1).into())
            }
            Self::RelayId(id) => Cursor::of_relay_id(id),
            Self::RemoteId(id) => Cursor::of_remote_id(id),
        }
    }

    /// Whether a lease is in scope; one that cannot be read may be.
    fn has(self, lease: &Owned) -> bool {
        let has_option = |id: &[u8]| lease.options.windows(id.len()).any(|octets| octets == id);
        lease.duid.is_empty()
            || match self {
                Self::All => true,
                Self::Link(link) => lease.lease().first() >> LINK_BIT & 1 == u128::from(link),
                Self::RelayId(id) | Self::RemoteId(id) => has_option(id),
            }
    }
}

/// Clients of a published state.
struct State {
    /// Clients that a scan must come to. Leases that cannot be read have a client without DUID.
    in_scope: Duids,
    all: Duids,
}

impl State {
    fn of(model: &Model, scope: Scope) -> Self {
        let is_in_scope = |lease: &&Owned| scope.has(lease);
        let in_doubt = || model.doubts.values().flatten();
        let holders = |lease: &'_ Owned| lease.duid.clone();
        let leases = || model.leases.values();
        Self {
            in_scope: leases().filter(is_in_scope).map(holders).chain(in_doubt().cloned()).collect(),
            all: leases().map(holders).chain(in_doubt().cloned()).collect(),
        }
    }
}

/// A scan under way, and the clients that it must come to.
struct Scan {
    reader: Reader,
    scope: Scope,
    cursor: Cursor,
    /// The state that readers see; while a batch is published, the one before it and the one after it.
    states: Vec<State>,
    /// Clients in scope in each state since the first slice; `None` before that.
    stayed: Option<Duids>,
    /// Clients of any state since.
    known: Duids,
    /// Number of times that each client came.
    seen: BTreeMap<Vec<u8>, usize>,
    /// The next slice must say that the generation was replaced.
    is_replaced: bool,
    /// Scans that came to an end.
    ended: usize,
}

impl Scan {
    fn new(store: &Arc<Store>, scope: Scope) -> Self {
        Self {
            reader: store.reader().unwrap(),
            scope,
            cursor: scope.cursor(),
            states: vec![State::of(&Model::default(), scope)],
            stayed: None,
            known: Duids::new(),
            seen: BTreeMap::new(),
            is_replaced: false,
            ended: 0,
        }
    }

    /// The state that is published from now on.
    fn publishing(&mut self, model: &Model) {
        let next = State::of(model, self.scope);
        if let Some(stayed) = &mut self.stayed {
            stayed.retain(|duid| next.in_scope.contains(duid));
            self.known.extend(next.all.iter().cloned());
        }
        self.states.push(next);
    }

    /// Records that the state is published, as a new generation or not.
    fn published(&mut self, is_replaced: bool) {
        self.states.drain(..self.states.len() - 1);
        self.is_replaced |= is_replaced && self.stayed.is_some();
    }

    fn slice(&mut self, count: u32) {
        if self.stayed.is_none() {
            let in_all = |duid: &&Vec<u8>| self.states.iter().all(|state| state.in_scope.contains(*duid));
            self.stayed = Some(self.states[0].in_scope.iter().filter(in_all).cloned().collect());
            self.known = self.states.iter().flat_map(|state| &state.all).cloned().collect();
        }
        let leases = self.reader.pin();
        match self.cursor.advance(&leases, count) {
            Ok(slice) => {
                assert!(!self.is_replaced, "the cursor went on in a new generation");
                for scanned in slice {
                    if let Scanned::Client(client) = scanned {
                        *self.seen.entry(duid_of(client)).or_default() += 1;
                    }
                }
            }
            Err(ReplacedError) => {
                assert!(std::mem::take(&mut self.is_replaced), "the generation is the same");
                self.stayed = None;
                self.seen.clear();
            }
        }
        drop(leases);
        if self.cursor.is_done() {
            self.end();
        }
    }

    fn end(&mut self) {
        let stayed = self.stayed.take().unwrap();
        for duid in &stayed {
            assert_eq!(self.seen.get(duid), Some(&1), "{duid:?} of {stayed:?}, {:?}", self.scope);
        }
        let stranger = self.seen.keys().find(|duid| !self.known.contains(*duid));
        assert_eq!(stranger, None, "of {:?}", self.known);
        self.seen.clear();
        self.cursor = self.scope.cursor();
        self.ended += 1;
    }
}

/// Applies the operations; calls `between` before each state is published and, with the operation, after it.
fn run(writer: &mut Writer, ops: Vec<Op>, mut between: impl FnMut(&Model, Option<&Op>)) {
    let (mut model, mut batch, mut all) = (Model::default(), Batch::new(), Batch::new());
    for op in ops.into_iter().chain([Op::Publish]) {
        step(&op, &mut all, &mut Model::default());
        step(&op, &mut batch, &mut model);
        match op {
            Op::Put(_) | Op::Remove(_) => continue,
            Op::Publish => {
                between(&model, None);
                writer.apply(&batch);
            }
            Op::Replace => {
                between(&model, None);
                writer.replace(std::slice::from_ref(&all), None);
            }
        }
        batch.clear();
        between(&model, Some(&op));
    }
}

/// Either all indexes or none.
fn indexes() -> impl Strategy<Value = SecondaryIndexes> {
    prop::sample::select(vec![ALL_INDEXES, SecondaryIndexes::default()])
}

const ALL_INDEXES: SecondaryIndexes = SecondaryIndexes { relay_id: true, remote_id: true, link: true };

/// Number of pairs of client and key in each index.
fn expected_entries(model: &Model, links: &Links) -> BTreeMap<&'static str, usize> {
    let pairs = |scopes: &[Scope]| {
        let leases = |&scope: &Scope| {
            let leases =
                model.leases.values().filter(move |lease| !lease.duid.is_empty() && scope.has(lease));
            leases.map(|lease| &lease.duid).collect::<BTreeSet<_>>().len()
        };
        scopes.iter().map(leases).sum()
    };
    let link = |lease: &Owned| {
        let lease = lease.lease();
        match links.locate(1, lease.first().into(), lease.kind) {
            Location::Link(link) => Some(link),
            _ => None,
        }
    };
    // An unreadable lease has subnet id 0 in the index.
    let link_of = |lease: &Owned| if lease.duid.is_empty() { None } else { link(lease) };
    let by_link: BTreeSet<_> = model.leases.values().map(|lease| (&lease.duid, link_of(lease))).collect();
    let unreadable = model.leases.values().filter(|lease| lease.duid.is_empty()).map(|lease| &lease.duid);
    let partial: BTreeSet<_> = unreadable.chain(model.doubts.values().flatten()).collect();
    BTreeMap::from([
        ("relay_id_index", pairs(&[Scope::RelayId(relays::NEAR_RELAY), Scope::RelayId(relays::FAR_RELAY)])),
        ("remote_id_index", pairs(&[Scope::RemoteId(relays::REMOTE_ID)])),
        ("link_index", by_link.len()),
        ("partial_client_index", partial.len()),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn secondary_indexes_hold_the_keys_of_all_clients_and_no_others(ops in prop::collection::vec(op(), 1..200)) {
        let (mut writer, store) = Writer::new();
        writer.set_secondary_indexes(ALL_INDEXES);
        writer.set_links(links());
        let links = links();
        run(&mut writer, ops, |model, published| {
            if published.is_some() {
                let sizes = store.secondary_indexes().into_iter();
                let entries: BTreeMap<_, _> = sizes.map(|(name, size)| (name, size.entries)).collect();
                assert_eq!(entries, expected_entries(model, &links));
            }
        });
        // An index built of all leases equals the one kept up change by change.
        let entries = |store: &Store| {
            store.secondary_indexes().into_iter().map(|(name, size)| (name, size.entries)).collect::<Vec<_>>()
        };
        let grown = entries(&store);
        writer.set_secondary_indexes(ALL_INDEXES);
        prop_assert_eq!(entries(&store), grown);
        writer.set_secondary_indexes(SecondaryIndexes::default());
        prop_assert_eq!(entries(&store), []);
    }
}

fn limits() -> impl Strategy<Value = Limits> {
    prop::sample::select(vec![Limits::STANDARD, oversized::TINY])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Clients that come, leave, become oversized and whole again between slices; snapshots that replace all.
    #[test]
    fn a_client_that_stays_comes_exactly_once(
        ops in prop::collection::vec(op(), 1..300),
        (limits, indexes, scope) in (limits(), indexes(), Scope::any()),
        counts in prop::collection::vec(1_u32..5, 1..10),
    ) {
        let (mut writer, store) = Writer::with_limits(limits);
        writer.set_secondary_indexes(indexes);
        writer.set_links(links());
        let mut scan = Scan::new(&store, scope);
        let mut counts = counts.into_iter().cycle();
        run(&mut writer, ops, |model, published| match published {
            None => scan.publishing(model),
            Some(op) => {
                scan.published(matches!(op, Op::Replace));
                scan.slice(counts.next().unwrap());
            }
        });
        let ended = scan.ended;
        while scan.ended == ended {
            scan.slice(1);
        }
    }

    /// The same, with slices between any two words of a batch.
    #[test]
    fn a_client_that_stays_comes_exactly_once_while_batches_are_published(
        ops in prop::collection::vec(op(), 1..200),
        (limits, indexes, scope) in (limits(), indexes(), Scope::any()),
        counts in prop::collection::vec(0_u32..3, 1..20),
    ) {
        let (mut writer, store) = Writer::with_limits(limits);
        writer.set_secondary_indexes(indexes);
        writer.set_links(links());
        let scan = Arc::new(Mutex::new(Scan::new(&store, scope)));
        let (hooked, mut counts) = (Arc::clone(&scan), counts.into_iter().cycle());
        writer.hook.call = Some(Box::new(move |_| match counts.next().unwrap() {
            0 => {}
            count => hooked.lock().unwrap().slice(count),
        }));
        run(&mut writer, ops, |model, published| {
            let mut scan = scan.lock().unwrap();
            match published {
                None => scan.publishing(model),
                Some(op) => scan.published(matches!(op, Op::Replace)),
            }
        });
    }
}

/// Scans until no snapshot replaces the leases meanwhile, and returns how often each client was seen.
fn whole_scan(reader: &mut Reader, scanned: &Scope) -> BTreeMap<Vec<u8>, usize> {
    let (mut cursor, mut seen) = (scanned.cursor(), BTreeMap::new());
    while !cursor.is_done() {
        let leases = reader.pin();
        match cursor.advance(&leases, 7) {
            Ok(slice) => {
                for scanned in slice {
                    if let Scanned::Client(client) = scanned {
                        *seen.entry(duid_of(client)).or_default() += 1;
                    }
                }
            }
            Err(ReplacedError) => seen.clear(),
        }
    }
    seen
}

/// Clients that stay are renewed, one becomes oversized and whole again, guests come and go, and snapshots
/// replace all.
fn misses_no_client(indexes: SecondaryIndexes, scanned: Scope) {
    const STAYING: u32 = 200;
    const SCANS: usize = 50;
    const SNAPSHOTS: usize = 20;
    let lease = |n: u32, duid: &[u8]| Owned {
        address: (0x2001_0db8 << 96 | u128::from(n)).into(),
        prefix_len: 128,
        kind: LeaseKind::Address,
        duid: duid.to_vec(),
        valid_lifetime: 11,
        cltt: NOW,
        options: relays::options(3),
        named: vec![],
    };
    let put = |batch: &mut Batch, n: u32, duid: &[u8]| batch.put(&lease(n, duid).lease()).unwrap();
    let (mut writer, store) = Writer::with_limits(oversized::TINY);
    writer.set_secondary_indexes(indexes);
    writer.set_links(links());
    let mut snapshot = Batch::new();
    (0..STAYING).for_each(|n| put(&mut snapshot, n, &n.to_be_bytes()));
    put(&mut snapshot, STAYING, b"large and small");
    writer.apply(&snapshot);
    let (stop, snapshots) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let (mut reader, stop, snapshots) = (store.reader().unwrap(), &stop, &snapshots);
        scope.spawn(move || {
            // Ends the writer also when an assertion fails here.
            let _ended = StopOnDrop(stop);
            let mut scans = 0;
            while scans < SCANS || snapshots.load(Ordering::Relaxed) < SNAPSHOTS {
                let seen = whole_scan(&mut reader, &scanned);
                let staying = (0..STAYING).map(|n| n.to_be_bytes().to_vec());
                for duid in staying.chain([b"large and small".to_vec()]) {
                    assert_eq!(seen.get(&duid), Some(&1), "{duid:?} in scan {scans}");
                }
                scans += 1;
            }
        });
        let (mut batch, mut n) = (Batch::new(), 0_u32);
        while !stop.load(Ordering::Relaxed) {
            batch.clear();
            put(&mut batch, n % STAYING, &(n % STAYING).to_be_bytes());
            for part in STAYING + 1..STAYING + 7 {
                let address = lease(part, &[]).address;
                if n % 2 == 0 {
                    put(&mut batch, part, b"large and small");
                } else {
                    batch.remove(Removal::gone(address));
                }
            }
            let guest = 1_000 + n % 64;
            if n % 3 == 0 {
                batch.remove(Removal::gone(lease(guest, &[]).address));
            } else {
                put(&mut batch, guest, &n.to_le_bytes());
            }
            writer.apply(&batch);
            // So few that scans end between them, however busy the machine.
            if n % 100 == 0 && snapshots.load(Ordering::Relaxed) < SNAPSHOTS {
                writer.replace(std::slice::from_ref(&snapshot), None);
                snapshots.fetch_add(1, Ordering::Relaxed);
            }
            n = n.wrapping_add(1);
        }
    });
}

#[test]
fn a_scan_beside_the_writer_misses_no_client() {
    misses_no_client(SecondaryIndexes::default(), Scope::All);
}

#[test]
fn a_scan_by_secondary_index_beside_the_writer_misses_no_client() {
    misses_no_client(ALL_INDEXES, Scope::RelayId(relays::NEAR_RELAY));
    misses_no_client(ALL_INDEXES, Scope::Link(0));
}

//! Readers in the middle of a lookup while the writer publishes: between any two words, and on threads.

use std::sync::Mutex;

use super::super::publish::Moment;
use super::*;
use crate::lease::mask;
use crate::limits::Limits;
use crate::map::Probe;
use crate::trie::Lengths;

/// Published states; the last one is being published, or was.
type States = Vec<BTreeMap<Ipv6Addr, Owned>>;

/// A reader that does one step of its lookup at a time, as `Tables::covering` does them all.
struct Walker {
    place: usize,
    address: u128,
    search: Option<Search>,
}

struct Search {
    /// The state that was complete when it began.
    since: usize,
    lengths: Lengths,
    first: u128,
    probe: Probe,
    at: At,
}

enum At {
    Slot,
    Number(ClientId),
    Record(u32),
}

impl Walker {
    /// Takes one step and checks a lookup that ends. One that has not begun begins only if `begins`.
    fn step(&mut self, tables: &Tables, store: &Store, states: &States, begins: bool) {
        let Some(search) = &mut self.search else {
            if begins {
                store.epochs.enter(self.place);
                self.search = Some(Search {
                    since: states.len().saturating_sub(2),
                    lengths: tables.lengths.around(&tables.arena, &self.address.to_be_bytes()),
                    first: 0,
                    probe: Probe::ENDED,
                    at: At::Slot,
                });
            }
            return;
        };
        search.at = match search.at {
            At::Slot => match search.probe.next(&tables.arena) {
                Some(client) => At::Number(client),
                None => match search.lengths.pop_longest() {
                    Some(len) => {
                        search.first = self.address & mask(len);
                        search.probe =
                            tables.addresses.probe(&tables.arena, crate::lease::address_hash(search.first));
                        At::Slot
                    }
                    None => return self.end(store, states, None),
                },
            },
            At::Number(client) => tables.clients.get(client).map_or(At::Slot, At::Record),
            At::Record(at) => {
                let client = record::Client::at(&tables.arena, at);
                if let Some(place) = client.covering_from(search.first, self.address, NOW) {
                    let binding = client.covering_at(place).binding();
                    let mut duid = vec![0; client.duid_len()];
                    client.copy_duid(&mut duid);
                    return self.end(store, states, Some((binding, duid)));
                }
                At::Slot
            }
        };
    }

    /// Checks that the lease found was there at some time since the lookup began, and that one is found if at
    /// all times something was.
    fn end(&mut self, store: &Store, states: &States, found: Option<(record::Binding, Vec<u8>)>) {
        store.epochs.leave(self.place);
        let since = self.search.take().unwrap().since;
        let address = Ipv6Addr::from(self.address);
        let covers = |lease: &&Owned| lease.covers(address);
        let mut of_each = states[since..].iter().map(|state| state.values().filter(covers));
        match found {
            Some((binding, duid)) => assert!(
                of_each.flatten().any(|lease| {
                    (lease.lease().first().into(), lease.prefix_len, &lease.duid)
                        == (binding.address, binding.prefix_len, &duid)
                }),
                "{address}: {binding:?} of {duid:?} was in no state of {:#?}",
                &states[since..]
            ),
            None => assert!(
                of_each.any(|mut covering| covering.next().is_none()),
                "{address}: missed, though bound in each of {:#?}",
                &states[since..]
            ),
        }
    }
}

/// Walkers over all that the model test asks for, which the writer moves on between its steps.
fn walk_beside(writer: &mut Writer, states: &Arc<Mutex<States>>, schedule: Vec<u8>) {
    let (store, tables) = (Arc::clone(&writer.store), Arc::clone(&writer.tables));
    let sites = (0..4_u128).flat_map(|site| (0..4).map(move |host| site << 72 | host << 64));
    let mut walkers: Vec<_> = sites
        .flat_map(|bits| [bits, bits | 1 << 63])
        .map(|bits| Walker {
            place: store.epochs.register().unwrap(),
            address: 0x2001_0db8 << 96 | bits,
            search: None,
        })
        .collect();
    let (states, mut turn) = (Arc::clone(states), 0);
    writer.hook.call = Some(Box::new(move |moment| {
        let states = states.lock().unwrap();
        for walker in &mut walkers {
            turn += 1;
            let steps = match (moment, schedule[turn % schedule.len()]) {
                // So slow that a lookup mostly lasts for more than a batch.
                (Moment::Step, ..200) => 0,
                (Moment::Step, 250..) => 3,
                _ => 1,
            };
            for _ in 0..steps {
                walker.step(&tables, &store, &states, moment == Moment::Step);
            }
        }
    }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Leases that come, leave, grow, shrink, end and change hands, in one batch and in the next: a lookup
    /// that any of this overtakes finds a lease that was there.
    #[test]
    fn a_lookup_that_the_writer_overtakes_misses_nothing(
        ops in prop::collection::vec(op(), 1..120),
        schedule in prop::collection::vec(any::<u8>(), 97),
        limits in prop::sample::select(vec![Limits::STANDARD, oversized::TINY]),
    ) {
        let (mut writer, _store) = Writer::with_limits(limits);
        let states = Arc::new(Mutex::new(vec![BTreeMap::new()]));
        walk_beside(&mut writer, &states, schedule);
        let mut model = BTreeMap::new();
        let mut batch = Batch::new();
        for op in ops.into_iter().chain([Op::Publish]) {
            match op {
                Op::Put(lease) => {
                    lease.push_to(&mut batch);
                    model.insert(lease.address, lease);
                }
                Op::Remove(address) => {
                    batch.remove(Removal::gone(address));
                    model.remove(&address);
                }
                Op::Publish | Op::Replace => {
                    states.lock().unwrap().push(model.clone());
                    writer.apply(&batch);
                    batch.clear();
                }
            }
        }
    }
}

/// An address that is always covered, by a prefix that another one replaces in each batch, of the same client
/// or another, around it, within it, with it, as the address itself, or in the next batch.
#[test]
fn replaced_prefixes_leave_no_window() {
    const ROUNDS: usize = 2_000;
    let address: u128 = 0x2001_0db8_0001_1111 << 64 | 7;
    let shapes = [(56, "one"), (60, "two"), (64, "two"), (128, "one"), (48, "two"), (64, "one"), (52, "one")];
    let lease = |(prefix_len, duid): (u8, &str)| Owned {
        // Each length begins at an address of its own.
        address: (address & mask(prefix_len)).into(),
        prefix_len,
        kind: if prefix_len == 128 { LeaseKind::Address } else { LeaseKind::Prefix },
        duid: duid.into(),
        valid_lifetime: 11,
        cltt: NOW - 10,
        named: vec![],
        options: Vec::new(),
    };
    let (mut writer, store) = Writer::new();
    let mut batch = Batch::new();
    batch.put(&lease(shapes[0]).lease()).unwrap();
    writer.apply(&batch);
    let stop = AtomicBool::new(false);
    let looks = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for company in [1, 5] {
            let mut reader = store.reader().unwrap();
            let (stop, looks) = (&stop, &looks);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let mut found = [None; 5];
                    let pinned = reader.pin();
                    let lookups = [Lookup::Covering(address.into()); 5];
                    look_up(&pinned, NOW, &lookups[..company], &mut found[..company]);
                    assert!(
                        found[..company].iter().all(Option::is_some),
                        "the address was unbound for a moment"
                    );
                    looks.fetch_add(company, Ordering::Relaxed);
                }
            });
        }
        let _ended = StopOnDrop(&stop);
        let mut n = 0;
        // So long that readers were at it, however busy the machine.
        while n < ROUNDS || looks.load(Ordering::Relaxed) < ROUNDS {
            let (old, new) = (lease(shapes[n % shapes.len()]), lease(shapes[(n + 1) % shapes.len()]));
            batch.clear();
            batch.put(&new.lease()).unwrap();
            if n % 3 == 0 {
                writer.apply(&batch);
                batch.clear();
            }
            if old.address != new.address {
                batch.remove(Removal::gone(old.address));
            }
            writer.apply(&batch);
            n += 1;
        }
    });
}

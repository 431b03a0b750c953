//! Thousands of random changes, and readers with random filters that come and go: by the rules of RFC 7653
//! alone (a binding that is told is there, one with a valid lifetime of 0 is not), each reader's table
//! becomes what a model of the lease file says.

mod model;

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};

use super::reader::{CATCH_UP_COMPLETE, DATA, Reader};
use super::run::next_second;
use super::second_decoder::Update;
use crate::conformance::bulk::server::Bulk;
use crate::support::fixture::seconds_since_1970;
use crate::support::random::Random;
use crate::support::{Fixture, Received, Until};
use model::{Filter, Model};

const BATCHES: usize = 400;
const CHANGES_MAX: usize = 25;
const READERS: usize = 24;
/// Readers that read between two batches.
const READ_AT_A_TIME: usize = 4;
const SEED: u64 = 7653;

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("conformance::active::differential", tables_become_the_model)]
}

fn tables_become_the_model() -> Result<(), Failed> {
    let mut random = Random(SEED);
    let mut model = Model::default();
    let server = Bulk::with(
        Fixture::new(&model::kea_config(), ""),
        &["--active", "insecure", "--bulk-connections", "100"],
    );
    // Changes in the second in which the history began are not in it.
    next_second();
    let mut tables: Vec<Table> = Vec::new();
    for number in 0..READERS {
        tables.push(Table::open(server.address, Filter::random(&mut random, number))?);
    }
    for _ in 0..BATCHES {
        let count = 1 + random.below(CHANGES_MAX);
        let rows: String = (0..count).map(|_| model.change(&mut random)).collect();
        server.fixture.append_leases(&rows);
        // The others have more to read later, in a later state.
        for _ in 0..READ_AT_A_TIME {
            tables[random.below(READERS)].read_pending()?;
        }
        // Some readers lose their connection; one that is in the midst of a catch-up, too.
        let table = &mut tables[random.below(READERS)];
        if random.below(4) == 0 {
            table.reconnect(server.address)?;
        }
    }
    assert!(model.changes() > 3_000 && model.len() > 200, "{} changes", model.changes());
    // Leases that end by time have an end soon.
    let until = Until::patience();
    loop {
        for table in &mut tables {
            table.read_pending()?;
        }
        let now = seconds_since_1970();
        if model.last_end() < now && tables.iter().all(|table| table.difference(&model, now).is_none()) {
            break;
        }
        if !until.pending() {
            let differences = tables.iter().filter_map(|table| table.difference(&model, now));
            return Err(differences.collect::<Vec<_>>().join("\n").into());
        }
    }
    // No reader is right by chance in the midst of its messages: another change reaches each.
    server.fixture.append_leases(&model.touch_all());
    let until = Until::patience();
    while tables.iter().any(|table| table.touched < model.len_within(&table.filter)) {
        for table in &mut tables {
            table.read_pending()?;
        }
        assert!(until.pending(), "a reader is not told of a renewal");
    }
    let now = seconds_since_1970();
    let differences: Vec<_> = tables.iter().filter_map(|table| table.difference(&model, now)).collect();
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n").into()) }
}

/// A reader, and what it has been told.
struct Table {
    filter: Filter,
    reader: Reader,
    /// Holder of each address and prefix.
    leases: BTreeMap<(Ipv6Addr, u8), Vec<u8>>,
    /// Base-time from which to resume: of the last message outside a catch-up (RFC 7653 §8.4).
    resume: Option<u32>,
    is_catching_up: bool,
    /// Bindings told with the lifetime of [`Model::touch_all`].
    touched: usize,
}

impl Table {
    fn open(server: SocketAddrV6, filter: Filter) -> Result<Self, String> {
        let reader = Reader::open(server, &filter.options(None))?;
        let leases = BTreeMap::new();
        Ok(Self { filter, reader, leases, resume: None, is_catching_up: false, touched: 0 })
    }

    /// Drops the connection with all that is on the way, and resumes on another one.
    fn reconnect(&mut self, server: SocketAddrV6) -> Result<(), String> {
        let Some(resume) = self.resume else { return Ok(()) };
        self.reader = Reader::open(server, &self.filter.options(Some(resume)))?;
        self.is_catching_up = true;
        Ok(())
    }

    /// Reads messages until none comes for a moment.
    fn read_pending(&mut self) -> Result<(), String> {
        loop {
            match self.reader.connection.receive_within(Duration::from_millis(1)) {
                Received::Message(message) => {
                    let update = Reader::accept(&message)?;
                    self.apply(update).map_err(|error| format!("{:?}: {error}", self.filter))?;
                }
                Received::Nothing(_) => return Ok(()),
                end => return Err(format!("{:?}: {end:?}", self.filter)),
            }
        }
    }

    fn apply(&mut self, update: Update) -> Result<(), String> {
        let base_time = update.base_time.ok_or("no base-time")?;
        match (update.kind, update.status) {
            (DATA, None) => {}
            (DATA, Some(CATCH_UP_COMPLETE)) if self.is_catching_up => self.is_catching_up = false,
            _ => return Err(format!("an unwanted message: {update:?}")),
        }
        if !self.is_catching_up {
            self.resume = Some(base_time);
        }
        let Some(data) = update.data else { return Ok(()) };
        for (address, length, _, valid) in data.leases {
            let key = (address, length);
            if valid > 0 {
                self.leases.insert(key, data.duid.clone());
            } else if self.leases.get(&key).is_some_and(|holder| *holder == data.duid) {
                self.leases.remove(&key);
            }
            self.touched += usize::from(valid == model::TOUCHED);
        }
        Ok(())
    }

    /// Describes a difference to the model.
    fn difference(&self, model: &Model, now: u32) -> Option<String> {
        let wanted = model.within(&self.filter, now);
        // A message has all bindings of a client on a link, also those that the filter does not name.
        let own = self.leases.iter().filter(|(key, _)| self.filter.may_name(key.0));
        let got: BTreeMap<_, _> = own.map(|(key, holder)| (*key, holder.clone())).collect();
        if got == wanted {
            return None;
        }
        let first = wanted.iter().find(|(key, holder)| got.get(key) != Some(holder));
        let other = got.iter().find(|(key, _)| !wanted.contains_key(key));
        Some(format!(
            "{:?}: {} bindings, wanted {}; missing or another's: {first:02x?}; not to be there: {other:02x?}",
            self.filter,
            got.len(),
            wanted.len()
        ))
    }
}

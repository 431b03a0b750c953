//! Random changes on a model of a server, random ends of connections, random orders of both connections: the
//! table always becomes equal to the server's.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv6Addr;
use std::time::UNIX_EPOCH;

use lqd_wire::{MessageType, StatusCode, TransactionId};
use proptest::prelude::*;

use super::*;
use crate::bulk::{Completion, Tally};
use crate::{Lease, Status};

/// An address by its number, with its client.
type Bindings = BTreeMap<u8, u8>;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The address passes to this client; 0 is none.
    Change(u8, u8),
    /// A second passes.
    Tick,
    /// The server sends its oldest change.
    Send,
    /// A message of the active connection arrives.
    ReceiveActive,
    /// The server makes the next bulk message.
    List,
    /// A bulk message arrives.
    ReceiveBulk,
    /// The bulk query is sent, if one is needed.
    AskBulk,
    /// The bulk connection ends.
    LoseBulk,
    /// The active connection ends, with all messages on their way; a new one begins.
    Lose,
    /// The server forgets its history.
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4_u8, 0..4_u8).prop_map(|(address, client)| Step::Change(address, client)),
        3 => Just(Step::Tick),
        6 => Just(Step::Send),
        6 => Just(Step::ReceiveActive),
        6 => Just(Step::List),
        6 => Just(Step::ReceiveBulk),
        4 => Just(Step::AskBulk),
        1 => Just(Step::LoseBulk),
        1 => Just(Step::Lose),
        1 => Just(Step::Forget),
    ]
}

/// A change that was not sent: when it was made, of which address, and who held that before.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: u32,
    address: u8,
    former: u8,
}

struct Model {
    follower: Follower,
    now: u32,
    bindings: Bindings,
    /// Everything since `known_since`.
    history: Vec<Change>,
    known_since: u32,
    unsent: VecDeque<Change>,
    catching_up: bool,
    active: VecDeque<Message>,
    /// The bulk query that runs: the addresses that it has yet to look at.
    listing: Option<VecDeque<u8>>,
    bulk: VecDeque<Message>,
}

impl Model {
    fn new() -> Self {
        let query = Query::new(Target::Link("2001:db8::".parse().expect("an address")));
        let mut model = Self {
            follower: Follower::new(query, 100),
            now: 1000,
            bindings: Bindings::new(),
            history: Vec::new(),
            known_since: 1000,
            unsent: VecDeque::new(),
            catching_up: false,
            active: VecDeque::new(),
            listing: None,
            bulk: VecDeque::new(),
        };
        model.connect();
        model
    }

    fn connect(&mut self) {
        (self.active, self.bulk, self.listing) = (VecDeque::new(), VecDeque::new(), None);
        let start = self.follower.connected().start;
        (self.catching_up, self.unsent) = (false, VecDeque::new());
        let mut status = None;
        match start {
            None => {}
            Some(start) if start.0 < self.known_since => status = Some(StatusCode::DATA_MISSING),
            Some(start) => {
                self.unsent = self.history.iter().filter(|change| change.at >= start.0).copied().collect();
                self.catching_up = true;
            }
        }
        let message = self.message(MessageType::LEASEQUERY_REPLY, status, &[], self.now);
        self.active.push_back(message);
        self.caught_up();
    }

    fn caught_up(&mut self) {
        if self.catching_up && self.unsent.is_empty() {
            self.catching_up = false;
            let code = Some(StatusCode::CATCH_UP_COMPLETE);
            let message = self.message(MessageType::LEASEQUERY_DATA, code, &[], self.now);
            self.active.push_back(message);
        }
    }

    /// The state of the addresses now, as client data: (address, client, whether it holds it).
    fn message(
        &self,
        kind: MessageType,
        status: Option<StatusCode>,
        told: &[(u8, u8, bool)],
        base_time: u32,
    ) -> Message {
        let lease = |address: u8, is_held: bool| Lease {
            resource: resource(address),
            preferred_lifetime_s: u32::from(is_held) * 100,
            valid_lifetime_s: u32::from(is_held) * 100,
        };
        let data = told.first().map(|&(_, client, _)| ClientData {
            client: duid(client),
            leases: told.iter().map(|&(address, _, is_held)| lease(address, is_held)).collect(),
            clt_time_s: 0,
            fqdn: None,
            link_layer: None,
            relay: None,
            other: Vec::new(),
        });
        Message {
            transaction_id: TransactionId([0; 3]),
            kind,
            server: (kind == MessageType::LEASEQUERY_REPLY).then(|| duid(9)),
            status: status.map(|code| Status { code, text: String::new() }),
            base_time: Some(LqTime(base_time)),
            data,
            other: Vec::new(),
            deviations: Vec::new(),
            tally: Tally::default(),
            octets: Vec::new(),
            completion: None,
        }
    }

    fn done(&self) -> Message {
        let completion = Completion { outcome: Outcome::Done, tally: Tally::default() };
        let done = self.message(MessageType::LEASEQUERY_DONE, None, &[], self.now);
        Message { completion: Some(completion), ..done }
    }

    fn change(&mut self, address: u8, client: u8) {
        let former = if client == 0 {
            self.bindings.remove(&address).unwrap_or(0)
        } else {
            self.bindings.insert(address, client).unwrap_or(0)
        };
        let change = Change { at: self.now, address, former };
        self.history.push(change);
        self.unsent.push_back(change);
    }

    /// Sends a change with the state of now: the removal first, then the holder. The base-time is at most
    /// the time of the oldest change that is left.
    fn send(&mut self) {
        let Some(Change { at, address, former }) = self.unsent.pop_front() else { return };
        let base_time = self.unsent.front().map_or(self.now, |change| change.at.min(self.now));
        let holder = self.bindings.get(&address).copied().unwrap_or(0);
        let mut told = Vec::new();
        if former != 0 && former != holder {
            told.push((address, former, false));
        }
        if holder != 0 {
            told.push((address, holder, true));
        }
        for (index, one) in told.iter().enumerate() {
            // The change is sent once its last message is.
            let base_time = if index + 1 < told.len() { base_time.min(at) } else { base_time };
            let message = self.message(MessageType::LEASEQUERY_DATA, None, &[*one], base_time);
            self.active.push_back(message);
        }
        self.caught_up();
    }

    fn list(&mut self) {
        let Some(listing) = &mut self.listing else { return };
        let message = match listing.pop_front() {
            Some(address) => {
                let Some(&client) = self.bindings.get(&address) else { return };
                self.message(MessageType::LEASEQUERY_DATA, None, &[(address, client, true)], self.now)
            }
            None => {
                self.listing = None;
                self.done()
            }
        };
        self.bulk.push_back(message);
    }

    fn ask_bulk(&mut self) {
        let Some(query) = self.follower.next_bulk() else { return };
        self.bulk.clear();
        self.listing = Some(match query.target {
            Target::Address(address) => [address.octets()[15]].into(),
            _ => (0..4).collect(),
        });
    }

    fn receive_active(&mut self) {
        let Some(message) = self.active.pop_front() else { return };
        self.follower.take_active(&message, UNIX_EPOCH).expect("room");
        if !self.follower.awaits_bulk() {
            (self.listing, self.bulk) = (None, VecDeque::new());
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Change(address, client) => self.change(address, client),
            Step::Tick => self.now += 1,
            Step::Send => self.send(),
            Step::ReceiveActive => self.receive_active(),
            Step::List => self.list(),
            Step::ReceiveBulk => {
                if let Some(message) = self.bulk.pop_front() {
                    self.follower.take_bulk(&message, UNIX_EPOCH).expect("room");
                }
            }
            Step::AskBulk => self.ask_bulk(),
            Step::LoseBulk => {
                (self.listing, self.bulk) = (None, VecDeque::new());
                self.follower.bulk_failed();
            }
            Step::Lose => {
                self.follower.disconnected();
                self.connect();
            }
            Step::Forget => {
                self.history.clear();
                self.known_since = self.now + 1;
                self.now += 1;
            }
        }
    }

    /// Lets everything arrive, with nothing else happening.
    fn settle(&mut self) {
        for _ in 0..200 {
            for step in [Step::Send, Step::ReceiveActive, Step::AskBulk, Step::List, Step::ReceiveBulk] {
                self.take(step);
            }
        }
    }
}

fn duid(client: u8) -> Duid {
    Duid::new([0, 4, client]).expect("a DUID")
}

fn resource(address: u8) -> AddressOrPrefix {
    AddressOrPrefix::Address(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, address.into()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// AR13.
    #[test]
    fn the_table_always_becomes_the_servers(steps in prop::collection::vec(step(), 0..120)) {
        let mut model = Model::new();
        let mut events = BTreeMap::new();
        for step in steps {
            model.take(step);
        }
        model.settle();
        prop_assert_eq!(model.follower.state(), State::Live);
        let want: BTreeMap<_, _> =
            model.bindings.iter().map(|(address, client)| (resource(*address), duid(*client))).collect();
        let table: BTreeMap<_, _> =
            model.follower.bindings().map(|(resource, client)| (resource, client.clone())).collect();
        prop_assert_eq!(&table, &want);
        let mut digest = Digest::default();
        want.iter().for_each(|(resource, client)| digest.insert(client, *resource));
        prop_assert_eq!(model.follower.digest(), digest);
        // The events alone make the same table.
        while let Some(event) = model.follower.next_event() {
            match event {
                Event::Put { lease, client, .. } => {
                    let before = events.insert(lease.resource, client.client.clone());
                    prop_assert!(before.is_none_or(|before| before == client.client));
                }
                Event::Remove { client, resource, .. } => {
                    prop_assert_eq!(events.remove(&resource), Some(client));
                }
                Event::State(_) | Event::Deviations(_) => {}
            }
        }
        prop_assert_eq!(events, want);
    }
}

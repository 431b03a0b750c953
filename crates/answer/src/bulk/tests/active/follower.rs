//! A naive follower whose table must converge to the index, whatever changes, and however slow it reads.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Address and prefix length.
type Key = (Ipv6Addr, u8);

/// A lease and its client.
type Held = (Key, Vec<u8>);

/// Leases and their client: the one that was told last.
pub(super) type Table = BTreeMap<Key, Vec<u8>>;

fn parts(mut octets: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while !octets.is_empty() {
        let [code, len] = [0, 2].map(|at| u16::from_be_bytes([octets[at], octets[at + 1]]));
        let end = 4 + usize::from(len);
        found.push((code, &octets[4..end]));
        octets = &octets[end..];
    }
    found
}

/// Applies the messages to the table; returns the number of those with client data.
pub(super) fn take(table: &mut Table, messages: &[u8]) -> usize {
    let all = all_client_data(messages);
    for (key, duid, is_live) in all.iter().flat_map(|value| leases(value)) {
        if is_live {
            table.insert(key, duid);
        } else {
            table.remove(&key);
        }
    }
    all.len()
}

/// Applies the messages to the leases of each client.
fn take_each(holders: &mut BTreeSet<Held>, messages: &[u8]) {
    for (key, duid, is_live) in all_client_data(messages).iter().flat_map(|value| leases(value)) {
        if is_live {
            holders.insert((key, duid));
        } else {
            holders.remove(&(key, duid));
        }
    }
}

/// The values of OPTION_CLIENT_DATA.
fn all_client_data(messages: &[u8]) -> Vec<&[u8]> {
    let options = frames(messages).into_iter().flat_map(|(_, message)| parts(&message[4..]));
    options.filter(|&(code, _)| code == 45).map(|(_, value)| value).collect()
}

/// The messages with their kinds.
pub(super) fn frames(mut octets: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while !octets.is_empty() {
        let end = 2 + usize::from(u16::from_be_bytes([octets[0], octets[1]]));
        found.push((octets[2], &octets[2..end]));
        octets = &octets[end..];
    }
    found
}

/// The leases in an OPTION_CLIENT_DATA, their client, and whether they have a lifetime left.
fn leases(client_data: &[u8]) -> Vec<(Key, Vec<u8>, bool)> {
    let (mut duid, mut found) = (Vec::new(), Vec::new());
    for (code, value) in parts(client_data) {
        let (address, len, valid) = match code {
            1 => {
                duid = value.to_vec();
                continue;
            }
            5 => (&value[..16], 128, &value[20..24]),
            26 => (&value[9..25], value[8], &value[4..8]),
            _ => continue,
        };
        let address = Ipv6Addr::from(<[u8; 16]>::try_from(address).unwrap());
        found.push(((address, len), duid.clone(), valid != [0; 4]));
    }
    found
}

/// The last base-time in messages after the catch-up, and whether they are live at their end.
fn base_time(messages: &[u8], mut is_live: bool) -> (Option<u32>, bool) {
    let mut last = None;
    for (_, message) in frames(messages) {
        let options = parts(&message[4..]);
        let first = |wanted| options.iter().find(|&&(code, _)| code == wanted).map(|&(_, value)| value);
        is_live |= first(13).is_some_and(|status| status[..2] == [0, 13]);
        if let Some(value) = first(100).filter(|_| is_live) {
            last = Some(u32::from_be_bytes(value.try_into().unwrap()) + 946_684_800);
        }
    }
    (last, is_live)
}

#[derive(Clone, Debug)]
enum Step {
    /// A lease of this client at this place: link and host.
    Put(u8, u32, u8, bool),
    Remove(u32, u8, bool),
    /// The clock goes on by some seconds.
    Wait(u32),
    /// The requestor takes what one call sends.
    Read,
    Drain,
    /// The connection is lost with what was not read, and begun again from the last base-time.
    Reconnect,
    /// Some messages are lost with the connection.
    Lose,
    /// All leases come again as a snapshot.
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    let host = || 0_u8..6;
    prop_oneof![
        8 => (0_u8..4, 1_u32..=3, host(), any::<bool>())
            .prop_map(|(client, link, host, is_prefix)| Step::Put(client, link, host, is_prefix)),
        4 => (1_u32..=3, host(), any::<bool>())
            .prop_map(|(link, host, is_prefix)| Step::Remove(link, host, is_prefix)),
        1 => (1_u32..4).prop_map(Step::Wait),
        2 => Just(Step::Read),
        1 => Just(Step::Drain),
        1 => Just(Step::Reconnect),
        1 => Just(Step::Lose),
        1 => Just(Step::Reload),
    ]
}

fn place(link: u32, host: u8, is_prefix: bool) -> (String, u8) {
    if is_prefix {
        (format!("2001:db8:{link}00:{host:x}00::"), 56)
    } else {
        (format!("2001:db8:{link}::{host:x}"), 128)
    }
}

/// Whether a filter selects a row.
type Selects = fn(&Row) -> bool;

/// OPTION_LQ_QUERY of a filter by its number, and whether it selects a row.
fn filter(number: u8) -> (Vec<Vec<u8>>, Selects) {
    let query = |query_type, link: &str, options: &[Vec<u8>]| {
        vec![option(44, &[&[query_type], &octets(link)[..], &options.concat()].concat())]
    };
    let relay = |row: &Row| row.options.windows(RELAY_ID.len()).any(|octets| octets == RELAY_ID);
    match number {
        0 => (vec![], |_| true),
        1 => (query(1, "::", &[iaaddr("2001:db8:1::3")]), |row| {
            row.address.segments()[2..] == [1, 0, 0, 0, 0, 3]
        }),
        2 => (query(2, "::", &[option(1, &[0, 1, 2])]), |row| row.duid == [0, 1, 2]),
        3 => (query(3, "::", &[option(53, RELAY_ID)]), relay),
        _ => (query(4, "2001:db8:2::1", &[]), |row| row.subnet_id == 2),
    }
}

/// The follower and what it knows.
struct Follower {
    live: Live,
    table: Table,
    /// The same for a requestor that forgets a lease only if its client lost it.
    holders: BTreeSet<Held>,
    options: Vec<Vec<u8>>,
    resume_at: Option<u32>,
    is_live: bool,
    rows: BTreeMap<Key, Row>,
    tick: u8,
}

impl Follower {
    fn new(options: Vec<Vec<u8>>) -> Self {
        let live = Live::new(&[]);
        let mut follower = Self {
            live,
            table: Table::new(),
            holders: BTreeSet::new(),
            options,
            resume_at: Some(NOW),
            is_live: false,
            rows: BTreeMap::new(),
            tick: 0,
        };
        follower.connect();
        follower
    }

    fn connect(&mut self) {
        self.is_live = false;
        let start = time_option(101, self.resume_at.unwrap());
        let options = [&self.options[..], &[base_time_requested(), start]].concat();
        self.live.session = Live::session_of(&self.live.log);
        self.live.receive(&active(7, &options));
    }

    fn hear(&mut self, messages: &[u8]) {
        take(&mut self.table, messages);
        take_each(&mut self.holders, messages);
        let (last, is_live) = base_time(messages, self.is_live);
        self.is_live = is_live;
        self.resume_at = last.or(self.resume_at);
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Put(client, link, host, is_prefix) => {
                let (address, len) = place(link, host, is_prefix);
                let mut row = row(client, &address, len, link);
                self.tick = self.tick.wrapping_add(1);
                row.cltt = NOW - 100 + u32::from(self.tick) % 50;
                if self.tick.is_multiple_of(3) {
                    row.options = Vec::new();
                }
                self.live.put(std::slice::from_ref(&row));
                self.rows.insert((row.address, len), row);
            }
            Step::Remove(link, host, is_prefix) => {
                let (address, len) = place(link, host, is_prefix);
                self.live.remove(&address);
                self.rows.remove(&(address.parse().unwrap(), len));
            }
            Step::Wait(seconds) => {
                self.live.clock.fetch_add(seconds, Ordering::Relaxed);
            }
            Step::Read => {
                let mut out = Vec::new();
                self.live.send(&mut out);
                self.hear(&out);
            }
            Step::Drain => {
                let (out, is_closed) = self.live.drain();
                assert!(!is_closed);
                self.hear(&out);
            }
            Step::Reconnect => self.connect(),
            Step::Lose => {
                self.live.send(&mut Vec::new());
                self.connect();
            }
            Step::Reload => {
                let rows: Vec<_> = self.rows.values().cloned().collect();
                self.live.rig.writer.replace(&[batch(&rows)], None);
            }
        }
    }
}

proptest! {
    #[test]
    fn the_table_of_a_follower_converges(
        steps in prop::collection::vec(step(), 0..80),
        number in 0_u8..5,
    ) {
        let (options, selects) = filter(number);
        let mut follower = Follower::new(options);
        steps.iter().for_each(|step| follower.run(step));
        follower.run(&Step::Drain);
        let expected: Table = follower
            .rows
            .iter()
            .filter(|(_, row)| selects(row))
            .map(|(&key, row)| (key, row.duid.clone()))
            .collect();
        prop_assert_eq!(&follower.table, &expected);
        prop_assert_eq!(follower.holders, expected.into_iter().collect());
    }
}

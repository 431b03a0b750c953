//! A model of Kea's lease file: each row replaces the lease of its address. It shares no code with lqd.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv6Addr;

use crate::support::fixture::seconds_since_1970;
use crate::support::random::Random;

/// Subnets 1 to this; the last two are one link.
const SUBNETS: u16 = 6;
const CLIENTS: usize = 120;
const ADDRESSES: usize = 80;
const RELAYS: usize = 5;

/// Valid lifetime of the last renewal of each lease.
pub const TOUCHED: u32 = 0xffff_fff0;

/// Time of transactions in 2100, in seconds since 1970: lifetimes do not count down until then.
const LATE: u32 = 4_102_444_800;

#[derive(Clone, Debug)]
struct Lease {
    client: usize,
    subnet: u16,
    length: u8,
    /// Relay agent of the last message: its number is in relay-id and remote-id.
    relay: Option<usize>,
    /// Second from which it is no binding.
    end: u32,
}

/// The lease of each address, and the rows so far.
#[derive(Default)]
pub struct Model {
    leases: BTreeMap<Ipv6Addr, Lease>,
    changes: usize,
    last_end: u32,
}

impl Model {
    /// Number of changes so far.
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// Number of leases.
    pub fn len(&self) -> usize {
        self.leases.len()
    }

    /// The last second at which a lease ends by time soon.
    pub fn last_end(&self) -> u32 {
        self.last_end
    }

    /// Makes a random change; returns its row.
    pub fn change(&mut self, random: &mut Random) -> String {
        self.changes += 1;
        let subnet = 1 + u16::try_from(random.below(SUBNETS.into())).expect("a small number");
        let low = u16::try_from(random.below(ADDRESSES)).expect("a small number");
        let (address, length) = if random.below(3) == 0 {
            (Ipv6Addr::new(0x2001, 0xdb8, 0xa000 + (subnet << 8), low << 8, 0, 0, 0, 0), 56)
        } else {
            (Ipv6Addr::new(0x2001, 0xdb8, subnet, 0, 0, 0, 7, low), 128)
        };
        let before = self.leases.get(&address).cloned();
        // Often the client renews what it has.
        let client = match &before {
            Some(lease) if random.below(3) > 0 => lease.client,
            _ => random.below(CLIENTS),
        };
        let relay = (random.below(4) > 0).then(|| random.below(RELAYS));
        let (valid, cltt, state) = match random.below(12) {
            0 | 1 => (0, LATE, 0),
            2 => (u32::MAX, LATE, 3),
            3 => (u32::MAX, LATE, 2),
            4 => (100, seconds_since_1970() - 97, 0),
            _ => (u32::MAX, LATE, 0),
        };
        let lease = Lease { client, subnet, length, relay, end: u32::MAX };
        let row = row(address, &lease, valid, cltt, state);
        match (valid, state) {
            (u32::MAX, 0) => drop(self.leases.insert(address, lease)),
            (100, _) => {
                let end = cltt + valid;
                self.last_end = self.last_end.max(end);
                self.leases.insert(address, Lease { end, ..lease });
            }
            _ => drop(self.leases.remove(&address)),
        }
        row
    }

    /// Rows that renew each lease that has not ended, with lifetimes of [`TOUCHED`].
    pub fn touch_all(&self) -> String {
        let left = self.leases.iter().filter(|(_, lease)| lease.end == u32::MAX);
        left.map(|(&address, lease)| row(address, lease, TOUCHED, LATE, 0)).collect()
    }

    /// Number of bindings of a filter that have no end soon.
    pub fn len_within(&self, filter: &Filter) -> usize {
        self.within(filter, u32::MAX - 1).len()
    }

    /// Bindings of a filter at this second, with their holders.
    pub fn within(&self, filter: &Filter, now: u32) -> BTreeMap<(Ipv6Addr, u8), Vec<u8>> {
        let is_within =
            |&(address, lease): &(&Ipv6Addr, &Lease)| now < lease.end && filter.matches(*address, lease);
        let leases = self.leases.iter().filter(is_within);
        leases.map(|(&address, lease)| ((address, lease.length), duid(lease.client))).collect()
    }
}

/// LQ_QUERY of a reader.
#[derive(Clone, Debug)]
pub enum Filter {
    All,
    Address(Ipv6Addr),
    Client(usize),
    RelayId(usize, Option<u16>),
    Link(u16),
    RemoteId(usize, Option<u16>),
}

impl Filter {
    /// A random filter of each kind in turn.
    pub fn random(random: &mut Random, number: usize) -> Self {
        let subnet = 1 + u16::try_from(random.below(SUBNETS.into())).expect("a small number");
        let low = u16::try_from(random.below(ADDRESSES)).expect("a small number");
        let link = (random.below(2) == 0).then_some(subnet);
        match number % 6 {
            0 => Self::All,
            1 if link.is_some() => Self::Address(Ipv6Addr::new(0x2001, 0xdb8, subnet, 0, 0, 0, 7, low)),
            // Inside a prefix that may be delegated.
            1 => Self::Address(Ipv6Addr::new(
                0x2001,
                0xdb8,
                0xa000 + (subnet << 8),
                (low << 8) | 9,
                0,
                0,
                0,
                1,
            )),
            2 => Self::Client(random.below(CLIENTS)),
            3 => Self::RelayId(random.below(RELAYS), link),
            4 => Self::Link(subnet),
            _ => Self::RemoteId(random.below(RELAYS), link),
        }
    }

    /// Options of the query, with base-time requested.
    pub fn options(&self, start: Option<u32>) -> String {
        let link = |link: &Option<u16>| link.map_or("::".to_owned(), link_address);
        let query = match self {
            Self::All => String::new(),
            Self::Address(address) => format!("002c {{ 01 ::  0005 {{ {address} $zero }} }}"),
            Self::Client(client) => format!("002c {{ 02 ::  0001 {{ {} }} }}", hex(&duid(*client))),
            Self::RelayId(relay, on) => {
                format!("002c {{ 03 {}  0035 {{ {} }} }}", link(on), relay_id(*relay))
            }
            Self::Link(subnet) => format!("002c {{ 04 {} }}", link_address(*subnet)),
            Self::RemoteId(relay, on) => {
                format!("002c {{ 05 {}  0025 {{ {} }} }}", link(on), remote_id(*relay))
            }
        };
        let start = start.map_or_else(String::new, |start| format!("0065 {{ {start:08x} }}"));
        format!("0006 {{ 0064 }}  {start}  {query}")
    }

    fn matches(&self, address: Ipv6Addr, lease: &Lease) -> bool {
        let is_on = |link: &Option<u16>| link.is_none_or(|link| link_of(link) == link_of(lease.subnet));
        match self {
            Self::All => true,
            Self::Address(wanted) => contains(address, lease.length, *wanted),
            Self::Client(client) => *client == lease.client,
            Self::RelayId(relay, link) | Self::RemoteId(relay, link) => {
                lease.relay == Some(*relay) && is_on(link)
            }
            Self::Link(subnet) => is_on(&Some(*subnet)),
        }
    }

    /// Whether a binding at this address may be one of the filter.
    pub fn may_name(&self, address: Ipv6Addr) -> bool {
        match self {
            Self::Address(wanted) => {
                let length = if u128::from(address).trailing_zeros() >= 72 { 56 } else { 128 };
                contains(address, length, *wanted)
            }
            _ => true,
        }
    }
}

fn contains(first: Ipv6Addr, length: u8, address: Ipv6Addr) -> bool {
    let drop = 128 - u32::from(length);
    u128::from(first) >> drop == u128::from(address) >> drop
}

fn link_of(subnet: u16) -> u16 {
    subnet.min(SUBNETS - 1)
}

fn link_address(subnet: u16) -> String {
    format!("2001:db8:{subnet:x}::99")
}

fn duid(client: usize) -> Vec<u8> {
    let client = u8::try_from(client).expect("a small number");
    vec![0, 3, 0, 1, 2, 0, 0, 0, 0xdd, client]
}

fn relay_id(relay: usize) -> String {
    format!("00030001020000000a{relay:02x}")
}

fn remote_id(relay: usize) -> String {
    format!("00000009aa{relay:02x}")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Writes a row as Kea does; `expire` is the time of the transaction and the valid lifetime.
fn row(address: Ipv6Addr, lease: &Lease, valid: u32, cltt: u32, state: u8) -> String {
    let Lease { client, subnet, length, relay, .. } = lease;
    let duid: Vec<String> = duid(*client).iter().map(|octet| format!("{octet:02x}")).collect();
    let context = relay.map_or_else(String::new, |relay| {
        let options = format!("0035000A{}00250006{}", relay_id(relay), remote_id(relay)).to_uppercase();
        format!(
            r#"{{ "ISC": {{ "relay-info": [ {{ "hop": 0&#x2c "link": "2001:db8:{subnet:x}::1"&#x2c "options": "0x{options}"&#x2c "peer": "fe80::1" }} ] }} }}"#
        )
    });
    let kind = if *length == 128 { 0 } else { 2 };
    let expire = u64::from(cltt) + u64::from(valid);
    let mut row = format!("{address},{},{valid},{expire},{subnet},{valid},", duid.join(":"));
    let _ = writeln!(row, "{kind},1,{length},0,0,,,{state},{context},1,0,0");
    row
}

/// The configuration of all subnets.
pub fn kea_config() -> String {
    let subnet = |id: u16| {
        format!(
            r#"{{ "id": {id}, "subnet": "2001:db8:{id:x}::/64", "pd-pools": [ {{ "prefix": "2001:db8:a{id:x}00::", "prefix-len": 40, "delegated-len": 56 }} ] }}"#
        )
    };
    let subnets: Vec<_> = (1..SUBNETS - 1).map(subnet).collect();
    format!(
        r#"{{ "Dhcp6": {{
            "server-id": {{ "type": "LL", "htype": 1, "identifier": "02005E005301", "persist": false }},
            "lease-database": {{ "type": "memfile", "name": "@LEASES@", "lfc-interval": 0 }},
            "subnet6": [ {} ],
            "shared-networks": [ {{ "name": "shared", "subnet6": [ {}, {} ] }} ]
        }} }}"#,
        subnets.join(", "),
        subnet(SUBNETS - 1),
        subnet(SUBNETS)
    )
}

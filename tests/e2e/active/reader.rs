//! A server with `--active insecure`, and a requestor that reads option by option, by hand.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddrV6};

use crate::bulk::server::{frame, start, with_admin};
use crate::support::octets::octets;
use crate::support::stream::{Connection, Received};
use crate::support::{Fixture, Lqd};

/// ACTIVELEASEQUERY without OPTION_LQ_QUERY: all changes (RFC 7653 §6.2.1).
const ALL: &str = "16 a00001  $me";

/// Seconds from 1970-01-01 to 2000-01-01 UTC (RFC 7653 §2).
const EPOCH: u32 = 946_684_800;

/// Status CatchUpComplete, DataMissing, QueryTerminated and NotAllowed.
pub const CATCH_UP_COMPLETE: u16 = 13;
pub const DATA_MISSING: u16 = 12;
pub const QUERY_TERMINATED: u16 = 11;
pub const NOT_ALLOWED: u16 = 10;

/// Parts of a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Message type: 15 LEASEQUERY-REPLY, 16 -DONE, 17 -DATA.
    pub kind: u8,
    pub status: Option<u16>,
    pub base_time: Option<u32>,
    /// DUID of the client.
    pub client: Option<Vec<u8>>,
    /// Preferred and valid lifetime by address or first address of a prefix.
    pub bindings: BTreeMap<Ipv6Addr, (u32, u32)>,
}

/// A requestor of an active query.
pub struct Reader(pub Connection);

impl Reader {
    /// Begins an active query about all changes; the reply has no status.
    pub fn all(server: SocketAddrV6) -> Self {
        let mut reader = Self::ask(server, ALL);
        let reply = reader.told();
        assert_eq!((reply.kind, reply.status), (15, None), "{reply:?}");
        reader
    }

    /// Begins one about all changes since this second of 1970, with base-time.
    pub fn since(server: SocketAddrV6, unix: u32) -> Self {
        // OPTION_ORO for OPTION_LQ_BASE_TIME at message level, and OPTION_LQ_START_TIME.
        Self::ask(server, &format!("{ALL}  0006 0002 0064  0065 0004 {:08x}", unix.wrapping_sub(EPOCH)))
    }

    /// Sends a message.
    pub fn ask(server: SocketAddrV6, message: &str) -> Self {
        let mut connection = Connection::new(server);
        connection.send(&frame(&octets(message)));
        Self(connection)
    }

    /// Waits for a message.
    pub fn told(&mut self) -> Told {
        match self.0.receive() {
            Received::Message(message) => told(&message),
            other => panic!("no message but {other:?}"),
        }
    }

    /// Waits for the message about a client, over others.
    pub fn about(&mut self, client: u8) -> Told {
        loop {
            let told = self.told();
            if told.client == Some(octets(&format!("0003 0001 0200 0000 00{client:02x}"))) {
                return told;
            }
        }
    }

    /// Checks that the server closes the connection.
    pub fn assert_closed(&mut self) {
        assert_eq!(self.0.receive(), Received::Closed);
    }
}

/// Starts a server with an admin socket.
pub fn serve(fixture: &Fixture, more: &[&str]) -> (Lqd, SocketAddrV6) {
    start(&with_admin(fixture, &[&["--active=insecure"], more].concat()))
}

/// Returns a network whose lease file has these rows.
pub fn fixture(rows: &str) -> Fixture {
    Fixture::new(include_str!("../../data/conformance/bulk/kea-dhcp6.conf"), rows)
}

/// Returns the address of a client.
pub fn address(client: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, client.into())
}

/// Returns the row of a client's address, in the notation of [`Fixture::rows`]: valid seconds, time of the
/// last transaction and state (0 leased, 2 reclaimed, 3 released).
pub fn row(client: u8, valid: u32, cltt: &str, state: u8) -> String {
    format!(
        "{},00:03:00:01:02:00:00:00:00:{client:02x},{valid},{cltt},1,{valid},0,1,128,0,0,,,{state},,1,0,0\n",
        address(client)
    )
}

/// Appends such a row to the lease file.
pub fn append(fixture: &Fixture, client: u8, valid: u32, cltt: &str, state: u8) {
    fixture.append_leases(&fixture.rows(&row(client, valid, cltt, state)));
}

fn told(message: &[u8]) -> Told {
    let mut told = Told { kind: message[0], ..Told::default() };
    assert_eq!(message[1..4], [0xa0, 0, 1], "transaction-id");
    for (code, value) in options(&message[4..]) {
        match code {
            13 => told.status = Some(u16::from_be_bytes([value[0], value[1]])),
            100 => told.base_time = Some(word(value, 0)),
            45 => client_data(value, &mut told),
            _ => {}
        }
    }
    told
}

fn client_data(value: &[u8], told: &mut Told) {
    for (code, value) in options(value) {
        let address = |at: usize| Ipv6Addr::from(*value[at..].first_chunk::<16>().expect("an address"));
        match code {
            1 => told.client = Some(value.to_vec()),
            5 => drop(told.bindings.insert(address(0), (word(value, 16), word(value, 20)))),
            26 => drop(told.bindings.insert(address(9), (word(value, 0), word(value, 4)))),
            _ => {}
        }
    }
}

fn word(octets: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(*octets[at..].first_chunk().expect("four octets"))
}

/// Returns codes and values of options.
fn options(mut octets: &[u8]) -> Vec<(u16, &[u8])> {
    let mut options = Vec::new();
    while let Some(([a, b, c, d], rest)) = octets.split_first_chunk() {
        let (value, rest) = rest.split_at(usize::from(u16::from_be_bytes([*c, *d])));
        options.push((u16::from_be_bytes([*a, *b]), value));
        octets = rest;
    }
    options
}

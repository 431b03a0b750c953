//! What is sent in a flood.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use clap::ValueEnum;
use lqd_wire::{MessageType, NoRoomError, OptionCode, TransactionId, Writer};

use crate::fault::Fault;
use crate::leases::{self, Clients};
use crate::query::{Encoder, Query, Subject};
use crate::random::Random;
use crate::run::unix_seconds;

/// Requestor of the queries: of type EN, with the enterprise number for documentation (RFC 5612).
const REQUESTOR: [u8; 12] = [0, 2, 0, 0, 0x7e, 0xd9, b'f', b'l', b'o', b'o', b'd', 0];
/// Octets of garbage: about as long as a query.
const GARBAGE_LEN: usize = 73;
/// Options that hold most.
const EVERYTHING: [u16; 4] = [47, 39, 79, 23];
/// A query in so many levels of relays: 38 octets for each, and 1,000 for the query.
const LEN_MAX: usize = 64 * 48 + 1_000;

/// Kinds of floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Random octets
    Garbage,
    /// A query whose last option is cut short
    Truncated,
    /// Right queries for addresses of the lease file, or for free ones without it
    Query,
    /// The same in RELAY-FORW, --levels deep
    Relayed,
    /// The client with the most leases, with all options: the longest reply
    Largest,
}

/// Datagrams without end.
pub(crate) struct Datagrams {
    kind: Kind,
    levels: u8,
    clients: Option<Clients>,
    /// Client of [`Kind::Largest`].
    largest: u32,
    encoder: Encoder,
    random: Random,
    octets: Vec<u8>,
    ends: Vec<usize>,
}

impl Datagrams {
    /// Reads the leases, where there are any to read.
    pub(super) fn new(kind: Kind, levels: u8, files: &[PathBuf]) -> Result<Self, Fault> {
        let clients = match files {
            [] => None,
            files => Some(leases::read(files, unix_seconds())?.0),
        };
        if kind == Kind::Largest && clients.is_none() {
            return Err(Fault::NeedsLeases { what: "--kind largest" });
        }
        let leases_of = |clients: &Clients, client: u32| clients.get(client).leases().count();
        let largest = clients
            .as_ref()
            .and_then(|clients| clients.with_duid().max_by_key(|&client| leases_of(clients, client)));
        let asked = if kind == Kind::Largest { &EVERYTHING[..] } else { &[] };
        Ok(Self {
            kind,
            levels,
            clients,
            largest: largest.unwrap_or(0),
            encoder: Encoder::new(&REQUESTOR, asked),
            random: Random::new(1),
            octets: Vec::new(),
            ends: Vec::new(),
        })
    }

    /// The next `count` datagrams: their octets, and where each ends.
    pub(super) fn next(&mut self, count: usize) -> (&[u8], &[usize]) {
        let mut room = [0; LEN_MAX];
        self.octets.clear();
        self.ends.clear();
        for _ in 0..count {
            let mut writer = Writer::new(&mut room);
            self.write(&mut writer).expect("room for the longest");
            self.octets.extend_from_slice(writer.written());
            self.ends.push(self.octets.len());
        }
        (&self.octets, &self.ends)
    }

    fn write(&mut self, w: &mut Writer<'_>) -> Result<(), NoRoomError> {
        if self.kind == Kind::Garbage {
            let mut garbage = [0; GARBAGE_LEN];
            garbage.chunks_mut(8).for_each(|chunk| {
                chunk.copy_from_slice(&self.random.next().to_be_bytes()[..chunk.len()]);
            });
            return w.put(&garbage);
        }
        if self.kind == Kind::Relayed {
            return self.write_relayed(w, self.levels);
        }
        self.write_query(w)?;
        if self.kind == Kind::Truncated {
            w.truncate(w.position() - 1);
        }
        Ok(())
    }

    fn write_query(&mut self, w: &mut Writer<'_>) -> Result<(), NoRoomError> {
        let [a, b, c, ..] = self.random.next().to_be_bytes();
        let subject = if self.kind == Kind::Largest { Subject::ClientId } else { Subject::Address };
        let mut query = Query { subject, relayed: false, lease: 0, client: self.largest, salt: 0 };
        let Some(clients) = &self.clients else {
            let free = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from_be_bytes([b, c]));
            return self.encoder.write_for(w, TransactionId([a, b, c]), query, free, &[]);
        };
        if self.kind != Kind::Largest {
            query.client = self.random.below(u64::from(clients.len())) as u32;
        }
        self.encoder.write(w, TransactionId([a, b, c]), query, clients)
    }

    /// Levels as access networks nest them, the outermost first, each to be given back in the reply.
    fn write_relayed(&mut self, w: &mut Writer<'_>, levels: u8) -> Result<(), NoRoomError> {
        let Some(inside) = levels.checked_sub(1) else { return self.write_query(w) };
        w.put(&[MessageType::RELAY_FORW.0, inside])?;
        w.put(&Ipv6Addr::UNSPECIFIED.octets())?;
        w.put(&Ipv6Addr::LOCALHOST.octets())?;
        // Without it the answers of the outermost level go to port 547 (RFC 8357 §5.2).
        w.option(OptionCode::RELAY_SOURCE_PORT, |w| w.put(&[0, 0]))?;
        w.option(OptionCode::RELAY_MSG, |w| self.write_relayed(w, inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(kind: Kind, levels: u8) -> Vec<u8> {
        let mut datagrams = Datagrams::new(kind, levels, &[]).unwrap_or_else(|fault| panic!("{fault}"));
        let (octets, ends) = datagrams.next(2);
        octets[..ends[0]].to_vec()
    }

    #[test]
    fn each_kind_is_what_it_says() {
        assert_eq!(first(Kind::Garbage, 1).len(), GARBAGE_LEN);
        let query = first(Kind::Query, 1);
        assert_eq!((query[0], &query[4..8]), (14, &[0, 1, 0, 12][..]), "LEASEQUERY, OPTION_CLIENTID");
        let cut = first(Kind::Truncated, 1);
        assert_eq!(cut, query[..query.len() - 1], "the last octet is missing, the lengths are as before");
        assert!(Datagrams::new(Kind::Largest, 1, &[]).is_err());
    }

    #[test]
    fn relays_nest_as_deep_as_asked() {
        // RELAY-FORW (12), hop-count, two addresses, option 135 (6 octets), header of OPTION_RELAY_MSG (4).
        const LEVEL: usize = 34 + 6 + 4;
        let query = first(Kind::Query, 1).len();
        for levels in [1, 32, 64] {
            let octets = first(Kind::Relayed, levels);
            assert_eq!(octets.len(), query + usize::from(levels) * LEVEL);
            for level in 0..usize::from(levels) {
                let [kind, hops] = octets[level * LEVEL..][..2] else { panic!("two octets") };
                assert_eq!((kind, usize::from(hops)), (12, usize::from(levels) - 1 - level));
            }
            assert_eq!(octets[usize::from(levels) * LEVEL], 14);
        }
    }
}

//! The datagrams of a flood.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use clap::ValueEnum;
use lqd_wire::{MessageType, NoRoomError, OptionCode, TransactionId, Writer};

use crate::clock::unix_seconds;
use crate::error::Error;
use crate::leases::{self, Clients};
use crate::query::{Encoder, Query, Subject};
use crate::random::Random;

/// Requestor of the queries: a DUID-EN with the enterprise number for documentation (RFC 5612).
const REQUESTOR: [u8; 12] = [0, 2, 0, 0, 0x7e, 0xd9, b'f', b'l', b'o', b'o', b'd', 0];
/// Length of garbage in octets, about that of a query.
const GARBAGE_LEN: usize = 73;
/// Options with the longest values.
const EVERYTHING: [u16; 4] = [47, 39, 79, 23];
/// Longest query: 48 octets for each hop, and 1,000 for the query.
const LEN_MAX: usize = 64 * 48 + 1_000;

/// Kinds of floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DatagramKind {
    /// Random octets
    Garbage,
    /// A query whose last option is truncated
    Truncated,
    /// A valid query for an address of the lease file, or for a free one without that file
    Query,
    /// The same inside RELAY-FORW, nested --hops deep
    Relayed,
    /// A query for the client with the most leases and every option: the longest reply
    Largest,
}

/// An endless sequence of datagrams.
pub(crate) struct Datagrams {
    kind: DatagramKind,
    hops: u8,
    clients: Option<Clients>,
    /// The client of [`DatagramKind::Largest`].
    largest: u32,
    encoder: Encoder,
    random: Random,
    octets: Vec<u8>,
    ends: Vec<usize>,
}

impl Datagrams {
    /// Reads the leases, if files are given.
    pub(super) fn new(kind: DatagramKind, hops: u8, files: &[PathBuf]) -> Result<Self, Error> {
        let clients = match files {
            // Without leases the datagrams still have their form, which is enough for most kinds.
            [] => None,
            files => Some(leases::read(files, unix_seconds())?.0),
        };
        // Free addresses have no client with many leases.
        if kind == DatagramKind::Largest && clients.is_none() {
            return Err(Error::NeedsLeases { flag: "--kind largest" });
        }
        let leases_of = |clients: &Clients, client: u32| clients.get(client).leases().count();
        // Searched once, not for each datagram.
        let largest = clients
            .as_ref()
            .and_then(|clients| clients.with_duid().max_by_key(|&client| leases_of(clients, client)));
        let asked = if kind == DatagramKind::Largest { &EVERYTHING[..] } else { &[] };
        Ok(Self {
            kind,
            hops,
            clients,
            largest: largest.unwrap_or(0),
            encoder: Encoder::new(&REQUESTOR, asked),
            // A fixed seed, so that two floods send the same octets.
            random: Random::new(1),
            octets: Vec::new(),
            ends: Vec::new(),
        })
    }

    /// Returns the next `count` datagrams: their octets, and the end of each.
    pub(super) fn next(&mut self, count: usize) -> (&[u8], &[usize]) {
        // One buffer for all of them, as the encoder writes into a slice.
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
        // Octets that are no message cost the server only the parse of a type.
        if self.kind == DatagramKind::Garbage {
            let mut garbage = [0; GARBAGE_LEN];
            garbage.chunks_mut(8).for_each(|chunk| {
                chunk.copy_from_slice(&self.random.next().to_be_bytes()[..chunk.len()]);
            });
            return w.put(&garbage);
        }
        if self.kind == DatagramKind::Relayed {
            return self.write_relayed(w, self.hops);
        }
        self.write_query(w)?;
        // The lengths stay, so that the fault is found at the very end.
        if self.kind == DatagramKind::Truncated {
            w.truncate(w.position() - 1);
        }
        Ok(())
    }

    fn write_query(&mut self, w: &mut Writer<'_>) -> Result<(), NoRoomError> {
        let [a, b, c, ..] = self.random.next().to_be_bytes();
        let subject = if self.kind == DatagramKind::Largest { Subject::ClientId } else { Subject::Address };
        let mut query = Query { subject, relayed: false, lease: 0, client: self.largest, salt: 0 };
        let Some(clients) = &self.clients else {
            // Addresses vary, so that the server's lookups do not stay in its cache.
            let free = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from_be_bytes([b, c]));
            return self.encoder.write_for(w, TransactionId([a, b, c]), query, free, &[]);
        };
        if self.kind != DatagramKind::Largest {
            // Any client will do, as only its address is asked for.
            query.client = self.random.below(u64::from(clients.len())) as u32;
        }
        self.encoder.write(w, TransactionId([a, b, c]), query, clients)
    }

    /// Nests RELAY-FORW as access networks do, the outermost first; the reply must return each.
    fn write_relayed(&mut self, w: &mut Writer<'_>, hops: u8) -> Result<(), NoRoomError> {
        // The innermost level holds the query itself.
        let Some(inside) = hops.checked_sub(1) else { return self.write_query(w) };
        w.put(&[MessageType::RELAY_FORW.0, inside])?;
        w.put(&Ipv6Addr::UNSPECIFIED.octets())?;
        w.put(&Ipv6Addr::LOCALHOST.octets())?;
        // RFC 8357 §5.2: without it the outermost hop's answer goes to port 547.
        w.option(OptionCode::RELAY_SOURCE_PORT, |w| w.put(&[0, 0]))?;
        w.option(OptionCode::RELAY_MSG, |w| self.write_relayed(w, inside))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(kind: DatagramKind, hops: u8) -> Vec<u8> {
        let mut datagrams = Datagrams::new(kind, hops, &[]).unwrap_or_else(|error| panic!("{error}"));
        let (octets, ends) = datagrams.next(2);
        octets[..ends[0]].to_vec()
    }

    #[test]
    fn each_kind_has_its_octets() {
        assert_eq!(first(DatagramKind::Garbage, 1).len(), GARBAGE_LEN);
        let query = first(DatagramKind::Query, 1);
        assert_eq!((query[0], &query[4..8]), (14, &[0, 1, 0, 12][..]), "LEASEQUERY, OPTION_CLIENTID");
        let cut = first(DatagramKind::Truncated, 1);
        assert_eq!(cut, query[..query.len() - 1], "the last octet is missing, the lengths are as before");
        assert!(Datagrams::new(DatagramKind::Largest, 1, &[]).is_err());
    }

    #[test]
    fn relays_nest_as_deep_as_requested() {
        // RELAY-FORW (12), hop-count, two addresses, option 135 (6 octets), header of OPTION_RELAY_MSG (4).
        const HOP: usize = 34 + 6 + 4;
        let query = first(DatagramKind::Query, 1).len();
        for hops in [1, 32, 64] {
            let octets = first(DatagramKind::Relayed, hops);
            assert_eq!(octets.len(), query + usize::from(hops) * HOP);
            for hop in 0..usize::from(hops) {
                let [kind, hop_count] = octets[hop * HOP..][..2] else { panic!("two octets") };
                assert_eq!((kind, usize::from(hop_count)), (12, usize::from(hops) - 1 - hop));
            }
            assert_eq!(octets[usize::from(hops) * HOP], 14);
        }
    }
}

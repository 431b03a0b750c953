//! One query in the log, of fixed size so that a worker can queue it without allocating.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lqd_answer::bulk::{BulkOutcome, BulkSubject, FinishedQuery};
use lqd_answer::{Outcome, QueryClass, Reply, Subject};
use lqd_wire::hex::Hex;
use lqd_wire::{Duid, StatusCode, TransactionId};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// One query and its outcome.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Start of its batch, since 1970-01-01 UTC; of a bulk query, its end.
    pub(crate) at: Duration,
    /// Sender.
    pub(crate) source: SocketAddrV6,
    /// Name of the sender's certificate in its access rule, over TLS.
    pub(crate) certificate: Option<Arc<str>>,
    pub(crate) ending: Ending,
    /// Content of the query, if it parsed so far.
    pub(crate) about: Option<About>,
}

/// Outcome of a query.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    /// Outcome of a datagram.
    Datagram {
        outcome: Outcome,
        /// Length of the reply in octets; 0 if there is none.
        reply_len: usize,
        /// Time from the start of its batch.
        took: Duration,
    },
    /// Outcome of a bulk query.
    Bulk {
        outcome: BulkOutcome,
        /// Bindings in its answer.
        bindings: u64,
        /// Messages of its answer.
        messages: u64,
    },
}

/// Content of a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    class: QueryClass,
    transaction_id: TransactionId,
    relays: u8,
    link_address: Option<Ipv6Addr>,
    subject: Option<KeptSubject>,
}

/// A copy of a query's [`Subject`].
#[derive(Clone, Copy, Debug)]
enum KeptSubject {
    Address(Ipv6Addr),
    Duid {
        octets: [u8; Duid::LEN_MAX],
        len: u8,
    },
    /// A Remote-ID, as far as there is room.
    RemoteId {
        octets: [u8; Duid::LEN_MAX],
        len: u8,
    },
}

impl KeptSubject {
    fn duid(duid: &[u8]) -> Self {
        let (octets, len) = kept(duid);
        Self::Duid { octets, len }
    }

    fn of_bulk(subject: &BulkSubject) -> Self {
        match subject {
            BulkSubject::Address(address) => Self::Address(*address),
            BulkSubject::Duid(duid) => Self::duid(duid),
            BulkSubject::RemoteId(id) => {
                let (octets, len) = kept(id);
                Self::RemoteId { octets, len }
            }
        }
    }
}

/// Copies the beginning of octets; returns its length, too.
fn kept(octets: &[u8]) -> ([u8; Duid::LEN_MAX], u8) {
    let len = octets.len().min(Duid::LEN_MAX);
    let mut copy = [0; Duid::LEN_MAX];
    copy[..len].copy_from_slice(&octets[..len]);
    (copy, len as u8) // at most LEN_MAX
}

impl About {
    /// Copies it from a finished bulk query; `None` if no message header was received.
    fn of_bulk(query: &FinishedQuery) -> Option<Self> {
        let class = query.class;
        Some(Self {
            class,
            transaction_id: query.transaction_id?,
            relays: 0,
            // Of a query by link, it is the subject.
            link_address: query.link_address.filter(|_| class != QueryClass::ByLinkAddress),
            subject: query.subject.as_ref().map(KeptSubject::of_bulk),
        })
    }

    /// Copies it from the query of a reply.
    pub(crate) fn of(reply: &Reply<'_>) -> Self {
        let kept = |subject| match subject {
            Subject::Address(address) => KeptSubject::Address(address),
            Subject::Duid(duid) => KeptSubject::duid(duid.octets()),
        };
        Self {
            class: reply.query_class(),
            transaction_id: reply.transaction_id(),
            relays: reply.relay_hops(),
            link_address: reply.link_address(),
            subject: reply.subject().map(kept),
        }
    }
}

/// Fields of the line; unknown ones are omitted.
#[derive(Serialize)]
struct Line<'a> {
    time: Displayed<humantime::Rfc3339Timestamp>,
    requestor: Ipv6Addr,
    port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<Displayed<TransactionHex>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relays: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'static str>,
    #[serde(flatten)]
    subject: Option<NamedSubject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<Ipv6Addr>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(flatten)]
    result: Figures,
}

/// Figures of the answer.
#[derive(Serialize)]
#[serde(untagged)]
enum Figures {
    Datagram { reply_octets: usize, microseconds: u64 },
    Bulk { bindings: u64, messages: u64 },
}

/// A value serialized by its `Display`.
struct Displayed<T>(T);

impl<T: fmt::Display> Serialize for Displayed<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// A subject under the field name of its query class.
struct NamedSubject {
    field: &'static str,
    subject: KeptSubject,
}

impl Serialize for NamedSubject {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(1))?;
        match &self.subject {
            KeptSubject::Address(address) => map.serialize_entry(self.field, address)?,
            KeptSubject::Duid { octets, len } => {
                map.serialize_entry(self.field, &Duid::new(&octets[..usize::from(*len)]).map(Displayed))?;
            }
            KeptSubject::RemoteId { octets, len } => {
                map.serialize_entry(self.field, &Displayed(Hex::divided(&octets[..usize::from(*len)], ':')))?;
            }
        }
        map.end()
    }
}

/// A transaction id as packet dissectors show it.
struct TransactionHex(TransactionId);

impl fmt::Display for TransactionHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex::undivided(&self.0.0).fmt(f)
    }
}

impl Record {
    /// Makes the record of a finished bulk query.
    pub(crate) fn of_bulk(
        at: Duration,
        source: SocketAddrV6,
        certificate: Option<Arc<str>>,
        query: &FinishedQuery,
    ) -> Self {
        let &FinishedQuery { outcome, bindings, messages, .. } = query;
        let ending = Ending::Bulk { outcome, bindings, messages };
        Self { at, source, certificate, ending, about: About::of_bulk(query) }
    }

    /// Appends the record as one line of JSON.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let about = self.about.as_ref();
        let subject = about.and_then(|about| {
            Some(NamedSubject { field: about.class.subject_field()?, subject: about.subject? })
        });
        let is_bulk = matches!(self.ending, Ending::Bulk { .. });
        let (outcome, status, result) = self.ending.fields();
        let line = Line {
            time: Displayed(humantime::format_rfc3339_micros(time(self.at))),
            requestor: *self.source.ip(),
            port: self.source.port(),
            transport: is_bulk.then_some(if self.certificate.is_some() { "tls" } else { "tcp" }),
            certificate: self.certificate.as_deref(),
            transaction: about.map(|about| Displayed(TransactionHex(about.transaction_id))),
            relays: about.filter(|_| !is_bulk).map(|about| about.relays),
            query: about.map(|about| about.class.name()),
            subject,
            link: about.and_then(|about| about.link_address),
            outcome,
            status: status.and_then(StatusCode::name),
            result,
        };
        serde_json::to_writer(&mut *out, &line)
            .expect("texts and numbers have a JSON form, and memory takes them");
        out.push(b'\n');
    }
}

impl Ending {
    /// Returns name and status of the outcome, and the figures.
    fn fields(&self) -> (&'static str, Option<StatusCode>, Figures) {
        match *self {
            Self::Datagram { outcome, reply_len, took } => {
                let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                let figures = Figures::Datagram { reply_octets: reply_len, microseconds };
                (outcome.name(), outcome.status(), figures)
            }
            Self::Bulk { outcome, bindings, messages } => {
                (outcome.name(), outcome.status(), Figures::Bulk { bindings, messages })
            }
        }
    }
}

/// Converts to a time before the year 10000, the end of RFC 3339.
fn time(since_1970: Duration) -> SystemTime {
    UNIX_EPOCH + since_1970.min(Duration::from_secs(253_402_300_799))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(outcome: Outcome, reply_len: usize) -> Ending {
        Ending::Datagram { outcome, reply_len, took: Duration::from_nanos(4_999) }
    }

    #[test]
    fn each_record_is_one_line_of_json() {
        let record = Record {
            at: Duration::new(1_700_000_000, 123_456_789),
            source: "[2001:db8::7]:547".parse().unwrap(),
            certificate: None,
            ending: ending(Outcome::DropNoQuery, 0),
            about: None,
        };
        let about = About {
            class: QueryClass::ByClientId,
            transaction_id: TransactionId([0, 0xa1, 2]),
            relays: 1,
            link_address: Some("2001:db8:1::".parse().unwrap()),
            subject: Some(KeptSubject::Duid { octets: [7; 130], len: 3 }),
        };
        let by_address = About {
            class: QueryClass::ByAddress,
            relays: 0,
            link_address: None,
            subject: Some(KeptSubject::Address("2001:db8:1::5".parse().unwrap())),
            ..about
        };
        let answered = Record { ending: ending(Outcome::Answered, 99), ..record.clone() };
        for (record, want) in [
            (
                record,
                r#"{"time":"2023-11-14T22:13:20.123456Z","requestor":"2001:db8::7","port":547,"outcome":"drop_no_query","reply_octets":0,"microseconds":4}"#,
            ),
            (
                Record { about: Some(about), ..answered.clone() },
                r#"{"time":"2023-11-14T22:13:20.123456Z","requestor":"2001:db8::7","port":547,"transaction":"00a102","relays":1,"query":"by_client_id","client_id":"07:07:07","link":"2001:db8:1::","outcome":"answered","status":"Success","reply_octets":99,"microseconds":4}"#,
            ),
            (
                Record { about: Some(by_address), at: Duration::MAX, ..answered },
                r#"{"time":"9999-12-31T23:59:59.000000Z","requestor":"2001:db8::7","port":547,"transaction":"00a102","relays":0,"query":"by_address","address":"2001:db8:1::5","outcome":"answered","status":"Success","reply_octets":99,"microseconds":4}"#,
            ),
        ] {
            let mut line = b"before\n".to_vec();
            record.write_json(&mut line);
            assert_eq!(String::from_utf8(line).unwrap(), format!("before\n{want}\n"));
        }
    }

    #[test]
    fn a_record_is_small() {
        assert!(size_of::<Record>() <= 256, "{} octets, 8192 times each worker", size_of::<Record>());
    }
}

//! One query in the log, of fixed size so that a worker can queue it without allocating.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lqd_answer::{Outcome, QueryClass, Reply, Subject};
use lqd_wire::{Duid, TransactionId};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// One datagram and its outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// Start of its batch, since 1970-01-01 UTC.
    pub(crate) at: Duration,
    /// Time from there to its outcome.
    pub(crate) took: Duration,
    /// Sender.
    pub(crate) source: SocketAddrV6,
    pub(crate) outcome: Outcome,
    /// Length of the reply in octets; 0 if there is none.
    pub(crate) reply_len: usize,
    /// Content of the query, if it parsed so far.
    pub(crate) about: Option<About>,
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
    Duid { octets: [u8; Duid::LEN_MAX], len: u8 },
}

impl About {
    /// Copies it from the query of a reply.
    pub(crate) fn of(reply: &Reply<'_>) -> Self {
        let kept = |subject| match subject {
            Subject::Address(address) => KeptSubject::Address(address),
            Subject::Duid(duid) => {
                let mut octets = [0; Duid::LEN_MAX];
                octets[..duid.octets().len()].copy_from_slice(duid.octets());
                KeptSubject::Duid { octets, len: duid.octets().len() as u8 } // at most LEN_MAX
            }
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
struct Line {
    time: Displayed<humantime::Rfc3339Timestamp>,
    requestor: Ipv6Addr,
    port: u16,
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
    reply_octets: usize,
    microseconds: u64,
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
        }
        map.end()
    }
}

/// A transaction id as packet dissectors show it.
struct TransactionHex(TransactionId);

impl fmt::Display for TransactionHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lqd_wire::hex::Hex::undivided(&self.0.0).fmt(f)
    }
}

impl Record {
    /// Appends the record as one line of JSON.
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let about = self.about.as_ref();
        let subject = about.and_then(|about| {
            Some(NamedSubject { field: about.class.subject_field()?, subject: about.subject? })
        });
        let line = Line {
            time: Displayed(humantime::format_rfc3339_micros(time(self.at))),
            requestor: *self.source.ip(),
            port: self.source.port(),
            transaction: about.map(|about| Displayed(TransactionHex(about.transaction_id))),
            relays: about.map(|about| about.relays),
            query: about.map(|about| about.class.name()),
            subject,
            link: about.and_then(|about| about.link_address),
            outcome: self.outcome.name(),
            status: self.outcome.status().and_then(lqd_wire::StatusCode::name),
            reply_octets: self.reply_len,
            microseconds: u64::try_from(self.took.as_micros()).unwrap_or(u64::MAX),
        };
        serde_json::to_writer(&mut *out, &line)
            .expect("texts and numbers have a JSON form, and memory takes them");
        out.push(b'\n');
    }
}

/// Converts to a time before the year 10000, the end of RFC 3339.
fn time(since_1970: Duration) -> SystemTime {
    UNIX_EPOCH + since_1970.min(Duration::from_secs(253_402_300_799))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_is_one_line_of_json() {
        let record = Record {
            at: Duration::new(1_700_000_000, 123_456_789),
            took: Duration::from_nanos(4_999),
            source: "[2001:db8::7]:547".parse().unwrap(),
            outcome: Outcome::DropNoQuery,
            reply_len: 0,
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
        let answered = Record { outcome: Outcome::Answered, reply_len: 99, ..record };
        for (record, want) in [
            (
                record,
                r#"{"time":"2023-11-14T22:13:20.123456Z","requestor":"2001:db8::7","port":547,"outcome":"drop_no_query","reply_octets":0,"microseconds":4}"#,
            ),
            (
                Record { about: Some(about), ..answered },
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

//! Active and bulk answers as octets by hand, and the events that follow from them.

use std::time::UNIX_EPOCH;

use lqd_wire::TransactionId;

use super::*;
use crate::Deviation;
use crate::bulk::{ProtocolError, Received, Session};
use crate::tests::octets;

const ID: TransactionId = TransactionId([1, 2, 3]);
const OWN: [u8; 4] = [0, 4, 0xaa, 0xbb];
/// CLIENTID of the requestor and SERVERID.
const IDS: &str = "0001 0004 0004aabb 0002 0003 0004ee";
const MISSING: &str = "000d 0002 000c";
const COMPLETE: &str = "000d 0002 000d";

/// OPTION_CLIENT_DATA of client 0004NN with 2001:db8::MM, valid for this many seconds, heard of 9 s ago.
fn data(client: u8, address: u8, valid: u32) -> String {
    format!(
        "002d 002b 0001 0003 0004{client:02x} 002e 0004 00000009
         0005 0018 20010db80000000000000000000000{address:02x} {valid:08x} {valid:08x}"
    )
}

/// OPTION_LQ_BASE_TIME.
fn base(time: u32) -> String {
    format!("0064 0004 {time:08x} ")
}

fn frame(kind: u8, options: &str) -> Vec<u8> {
    let message = [&[kind, 1, 2, 3][..], &octets(options)].concat();
    [&(message.len() as u16).to_be_bytes()[..], &message].concat()
}

fn query() -> Query {
    Query::new(Target::Link("2001:db8::".parse().expect("an address")))
}

/// A follower with the sessions of its two connections.
struct Lab {
    follower: Follower,
    active: Session,
    bulk: Session,
}

impl Lab {
    fn new() -> Self {
        let own = || Session::new(Duid::new(OWN).expect("a DUID"));
        Self { follower: Follower::new(query(), 100), active: own(), bulk: own() }
    }

    /// Connects and sends the active query; returns its start time.
    fn connect(&mut self) -> Option<u32> {
        *self = Self { follower: std::mem::replace(self, Self::new()).follower, ..Self::new() };
        let query = self.follower.connected();
        self.active.follow(&query, ID).expect("a short query");
        query.start.map(|time| time.0)
    }

    /// Takes a message of the active connection; returns the deviations.
    fn active(&mut self, kind: u8, options: &str) -> Vec<Deviation> {
        let message = receive(&mut self.active, kind, options);
        self.follower.take_active(&message, UNIX_EPOCH).expect("room");
        message.deviations
    }

    /// Sends the next bulk query; returns what it is for.
    fn ask(&mut self) -> Option<Target> {
        let query = self.follower.next_bulk()?;
        self.bulk = Session::new(Duid::new(OWN).expect("a DUID"));
        self.bulk.ask(&query, ID).expect("a short query");
        Some(query.target)
    }

    fn bulk(&mut self, kind: u8, options: &str) {
        let message = receive(&mut self.bulk, kind, options);
        self.follower.take_bulk(&message, UNIX_EPOCH).expect("room");
    }

    /// The events since the last call, as words.
    fn events(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.follower.next_event()).filter_map(|event| word(&event)).collect()
    }

    /// Brings it to a table with `::1` of client 1 and `::2` of client 2, live, resumable at 110.
    fn fill(&mut self) {
        assert_eq!(self.connect(), None);
        self.active(15, &format!("{IDS} {}", base(100)));
        assert_eq!(self.ask(), Some(query().target));
        self.bulk(15, &format!("{IDS} {} {}", base(105), data(1, 1, 60)));
        self.bulk(17, &(base(105) + &data(2, 2, 60)));
        self.active(17, &base(110));
        self.bulk(16, "");
        let want = ["connected", "filling", "put 1 of 01", "put 2 of 02", "live"];
        assert_eq!(self.events(), want);
    }
}

fn receive(session: &mut Session, kind: u8, options: &str) -> Message {
    match session.receive(&mut &frame(kind, options)[..]) {
        Some(Ok(Received::Message(message))) => *message,
        other => panic!("{other:?}"),
    }
}

fn word(event: &Event) -> Option<String> {
    let last = |resource: &AddressOrPrefix| match resource {
        AddressOrPrefix::Address(address) => address.octets()[15],
        AddressOrPrefix::Prefix(_) => panic!("no prefix was told"),
    };
    let client = |client: &Duid| format!("{:02x}", client.octets()[2]);
    Some(match event {
        Event::Put { lease, client: data, .. } => {
            format!("put {} of {}", last(&lease.resource), client(&data.client))
        }
        Event::Remove { client: duid, resource, reason } => {
            format!("remove {} of {}: {}", last(resource), client(duid), reason.code())
        }
        Event::State(state) => state.code().to_owned(),
        Event::Deviations(_) => return None,
    })
}

/// AR5: RFC 7653 §8.4, §8.6.3.
#[test]
fn a_table_is_filled_and_then_changed() {
    let mut lab = Lab::new();
    lab.fill();
    assert_eq!(lab.follower.resume(), Some(LqTime(110)));
    assert_eq!(lab.active(17, &(base(120) + &data(3, 3, 60))), []);
    // A removal has lifetimes of 0, and comes with the client's other bindings.
    let left = "0005 0018 20010db8000000000000000000000003 0000003c 0000003c";
    let both = format!("{} {left}", data(3, 4, 0)).replace("002d 002b", "002d 0047");
    assert_eq!(lab.active(17, &(base(121) + &both)), []);
    lab.active(17, &(base(122) + &data(1, 1, 0)));
    // Client 1 has no say about the binding of client 2.
    lab.active(17, &(base(123) + &data(1, 2, 0)));
    assert_eq!(lab.events(), ["put 3 of 03", "put 3 of 03", "remove 1 of 01: told"]);
    lab.active(17, &(base(124) + &data(3, 2, 60)));
    assert_eq!(lab.events(), ["remove 2 of 02: moved", "put 2 of 03"]);
    assert_eq!((lab.follower.len(), lab.follower.resume()), (2, Some(LqTime(124))));
    let mut digest = Digest::default();
    for (resource, client) in lab.follower.bindings() {
        digest.insert(client, resource);
    }
    assert_eq!(lab.follower.digest(), digest);
}

/// AR7: RFC 7653 §8.4: an idle server sends LEASEQUERY-DATA without client data.
#[test]
fn a_keep_alive_moves_the_resume_point() {
    let mut lab = Lab::new();
    lab.fill();
    assert_eq!(lab.active(17, &base(170)), []);
    assert_eq!((lab.events().len(), lab.follower.resume()), (0, Some(LqTime(170))));
    // Without the requested time it moves nothing.
    assert_eq!(lab.active(17, ""), [Deviation::NoBaseTime]);
    assert_eq!(lab.follower.resume(), Some(LqTime(170)));
}

/// AR6, AR8: RFC 7653 §8.3, §8.4.1: base-times of a catch-up are not kept.
#[test]
fn a_catch_up_resumes_at_the_time_before_it() {
    let mut lab = Lab::new();
    lab.fill();
    for _ in 0..2 {
        lab.follower.disconnected();
        assert_eq!(lab.connect(), Some(110));
        lab.active(15, &format!("{IDS} {}", base(200)));
        lab.active(17, &(base(205) + &data(1, 1, 60)));
        assert_eq!(lab.ask(), None, "no bulk query");
        assert_eq!(lab.events(), ["lost", "connected", "catching-up", "put 1 of 01"]);
    }
    assert_eq!(lab.active(17, &(base(210) + COMPLETE)), []);
    assert_eq!((lab.events(), lab.follower.resume()), (vec!["live".to_owned()], Some(LqTime(210))));
    assert_eq!(lab.active(17, &(base(211) + COMPLETE)).len(), 1, "a second one is out of place");
}

/// AR9: RFC 7653 §8.4.1: DataMissing does not end the query; a whole bulk answer replaces the table.
#[test]
fn missing_data_is_fetched_and_the_rest_removed() {
    for in_reply in [true, false] {
        let mut lab = Lab::new();
        lab.fill();
        lab.follower.disconnected();
        assert_eq!(lab.connect(), Some(110));
        if in_reply {
            lab.active(15, &format!("{IDS} {} {MISSING}", base(200)));
        } else {
            lab.active(15, &format!("{IDS} {}", base(200)));
            lab.active(17, &(base(200) + MISSING));
        }
        assert_eq!(lab.follower.resume(), None);
        lab.active(17, &(base(201) + &data(3, 3, 60)));
        assert_eq!(lab.ask(), Some(query().target));
        lab.bulk(15, &format!("{IDS} {} {}", base(202), data(2, 2, 60)));
        lab.bulk(17, &(base(202) + &data(3, 3, 60)));
        lab.events();
        lab.bulk(16, "");
        assert_eq!(lab.events(), ["remove 1 of 01: missing", "live"]);
        assert_eq!(lab.follower.resume(), Some(LqTime(201)));
    }
}

#[test]
fn a_part_of_a_bulk_answer_removes_nothing() {
    let ends: [&[(u8, &str)]; 3] = [
        &[(16, "000d 0002 000b")],
        // Client data without CLT_TIME is discarded.
        &[(17, "002d 0007 0001 0003 0004cc"), (16, "")],
        &[],
    ];
    for end in ends {
        let mut lab = Lab::new();
        lab.fill();
        lab.follower.disconnected();
        lab.connect();
        lab.active(15, &format!("{IDS} {} {MISSING}", base(200)));
        lab.ask();
        lab.bulk(15, &format!("{IDS} {} {}", base(202), data(2, 2, 60)));
        for (kind, options) in end {
            lab.bulk(*kind, options);
        }
        if end.is_empty() {
            lab.follower.bulk_failed();
        }
        assert_eq!((lab.follower.len(), lab.follower.state()), (2, State::Filling), "{end:?}");
        assert_eq!(lab.ask(), Some(query().target), "once more");
    }
}

/// AR10: a removal that is heard while the bulk answer comes is not revived by an older message of it; with
/// the same second the server is queried again.
#[test]
fn a_removal_during_the_bulk_answer_stays() {
    // Seconds of the bulk message; whether the server is queried again; its answer; the result.
    let rows =
        [(149, None, false), (150, Some(false), false), (150, Some(true), true), (151, Some(false), false)];
    for (time, answer, is_bound) in rows {
        let mut lab = Lab::new();
        lab.connect();
        lab.active(15, &format!("{IDS} {}", base(100)));
        lab.ask();
        lab.active(17, &(base(150) + &data(1, 1, 0)));
        lab.bulk(15, &format!("{IDS} {} {}", base(time), data(1, 1, 60)));
        lab.bulk(16, "");
        if let Some(has_binding) = answer {
            assert_eq!(lab.ask(), Some(Target::Address("2001:db8::1".parse().expect("an address"))));
            if has_binding {
                lab.bulk(15, &format!("{IDS} {} {}", base(160), data(1, 1, 60)));
                lab.bulk(16, "");
            } else {
                lab.bulk(15, &format!("{IDS} {}", base(160)));
            }
        }
        assert_eq!((lab.follower.len() == 1, lab.follower.state()), (is_bound, State::Live), "{time}");
    }
}

#[test]
fn a_refused_second_query_leaves_the_removal() {
    let mut lab = Lab::new();
    lab.connect();
    lab.active(15, &format!("{IDS} {}", base(100)));
    lab.ask();
    lab.active(17, &(base(150) + &data(1, 1, 0)));
    lab.bulk(15, &format!("{IDS} {} {}", base(150), data(1, 1, 60)));
    lab.bulk(16, "");
    assert!(lab.ask().is_some());
    lab.bulk(15, &format!("{IDS} {} 000d 0002 000a", base(151)));
    assert_eq!((lab.follower.len(), lab.follower.state()), (0, State::Live));
}

#[test]
fn a_change_during_a_second_query_wins() {
    let mut lab = Lab::new();
    lab.connect();
    lab.active(15, &format!("{IDS} {}", base(100)));
    lab.ask();
    lab.active(17, &(base(150) + &data(1, 1, 0)));
    lab.bulk(15, &format!("{IDS} {} {}", base(150), data(1, 1, 60)));
    lab.bulk(16, "");
    lab.ask();
    lab.active(17, &(base(155) + &data(2, 1, 60)));
    lab.bulk(15, &format!("{IDS} {}", base(154)));
    assert_eq!(lab.follower.state(), State::Live);
    let client = Duid::new([0, 4, 2]).expect("a DUID");
    assert_eq!(lab.follower.bindings().map(|(_, client)| client).collect::<Vec<_>>(), [&client]);
}

/// AR11: RFC 7653 §8.5: times are those of one server.
#[test]
fn another_server_at_the_address_is_not_resumed() {
    let mut lab = Lab::new();
    lab.fill();
    lab.follower.disconnected();
    assert_eq!(lab.connect(), Some(110));
    lab.active(15, &format!("0001 0004 0004aabb 0002 0003 0004ff {}", base(5)));
    assert_eq!((lab.follower.state(), lab.follower.resume()), (State::Filling, None));
    assert_eq!(lab.ask(), Some(query().target));
}

#[test]
fn a_change_that_cannot_be_read_is_missed() {
    let mut lab = Lab::new();
    lab.fill();
    lab.active(17, &(base(150) + "002d 0007 0001 0003 0004cc"));
    assert_eq!((lab.follower.resume(), lab.ask()), (None, Some(query().target)));
}

/// AR12: RFC 7653 §8.4, §8.6.1.
#[test]
fn a_refusal_and_an_end_complete_the_query() {
    let rows = [(15, format!("{IDS} 000d 0002 000e"), Outcome::Refused)];
    for (kind, options, outcome) in rows {
        let mut lab = Lab::new();
        lab.connect();
        let message = receive(&mut lab.active, kind, &options);
        assert_eq!(message.completion.map(|end| end.outcome), Some(outcome));
    }
    for (status, outcome) in [("000d 0002 000b", Outcome::Terminated), ("", Outcome::Done)] {
        let mut lab = Lab::new();
        lab.fill();
        let message = receive(&mut lab.active, 16, &(base(180) + status));
        assert_eq!(message.completion.map(|end| end.outcome), Some(outcome));
        lab.follower.take_active(&message, UNIX_EPOCH).expect("room");
        assert_eq!(lab.follower.resume(), Some(LqTime(180)));
        let again = lab.active.receive(&mut &frame(16, "")[..]);
        assert_eq!(again, Some(Err(ProtocolError::UnknownDone(ID))));
    }
}

#[test]
fn statuses_out_of_place_are_deviations() {
    let mut lab = Lab::new();
    lab.fill();
    for status in [COMPLETE, "000d 0002 0001"] {
        let codes: Vec<_> = lab.active(17, &(base(150) + status)).iter().map(Deviation::code).collect();
        assert_eq!(codes, ["status-out-of-place"], "{status}");
    }
    assert_eq!(lab.follower.state(), State::Live);
    lab.active(17, &(base(151) + MISSING));
    assert_eq!(lab.follower.state(), State::Filling, "the server knows best what it missed");
}

#[test]
fn a_full_table_is_an_error() {
    let mut follower = Follower::new(query(), 1);
    let mut session = Session::new(Duid::new(OWN).expect("a DUID"));
    session.follow(&follower.connected(), ID).expect("a short query");
    for (kind, options, want) in [
        (15, format!("{IDS} {}", data(1, 1, 60)), Ok(())),
        (17, data(2, 1, 60), Ok(())),
        (17, data(1, 2, 60), Err(FollowError::Full(1))),
    ] {
        let message = receive(&mut session, kind, &options);
        assert_eq!(follower.take_active(&message, UNIX_EPOCH), want);
    }
}

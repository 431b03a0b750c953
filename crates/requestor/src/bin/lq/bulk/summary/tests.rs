//! Exit status and summary of answers by hand.

use std::net::Ipv6Addr;

use lqd_requestor::bulk::{Error, ProtocolError};

use super::*;

const FROM: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 547, 0, 0);

fn answer(outcome: Option<Outcome>, bindings: u64, lost: u64) -> Answer {
    let tally = Tally { clients: bindings, bindings, expired: 0, lost };
    let completion = outcome.map(|outcome| Completion { outcome, tally });
    Answer { tally, completion, ..Answer::new(FROM) }
}

fn failed(error: ProtocolError, bindings: u64) -> Answer {
    let error = Error::Protocol { server: FROM, error };
    Answer { error: Some(error), ..answer(None, bindings, 0) }
}

#[test]
fn the_exit_status_tells_a_part_from_the_whole() {
    let rows = [
        (answer(Some(Outcome::Done), 2, 0), Exit::Found),
        (answer(Some(Outcome::Done), 2, 1), Exit::Incomplete),
        (answer(Some(Outcome::Done), 0, 1), Exit::Refused),
        (answer(Some(Outcome::Terminated), 2, 0), Exit::Incomplete),
        (answer(Some(Outcome::Terminated), 0, 0), Exit::Refused),
        (answer(Some(Outcome::NoBinding), 0, 0), Exit::NoBinding),
        (answer(Some(Outcome::Refused), 0, 0), Exit::Refused),
        (answer(Some(Outcome::Unusable), 2, 0), Exit::Refused),
        (failed(ProtocolError::Closed, 0), Exit::NoReply),
        (failed(ProtocolError::Closed, 3), Exit::Incomplete),
        (failed(ProtocolError::Cut(1), 3), Exit::Incomplete),
        (failed(ProtocolError::UnexpectedType(lqd_requestor::MessageType(14)), 0), Exit::Refused),
    ];
    for (answer, want) in rows {
        assert_eq!(exit(std::slice::from_ref(&answer)), want, "{answer:?}");
    }
}

/// BR12.
#[test]
fn a_server_that_failed_leaves_the_result_incomplete() {
    let found = || answer(Some(Outcome::Done), 2, 0);
    let none = || answer(Some(Outcome::NoBinding), 0, 0);
    let silent = || failed(ProtocolError::Closed, 0);
    let rows = [
        (vec![found(), none()], Exit::Found),
        (vec![found(), silent()], Exit::Incomplete),
        (vec![none(), silent()], Exit::NoReply),
        (vec![none(), answer(Some(Outcome::Refused), 0, 0)], Exit::Refused),
        (vec![none(), none()], Exit::NoBinding),
    ];
    for (answers, want) in rows {
        assert_eq!(exit(&answers), want, "{answers:?}");
    }
}

#[test]
fn the_summary_escapes_the_text_of_a_server() {
    let mut refused = answer(Some(Outcome::Refused), 0, 0);
    let code = lqd_requestor::StatusCode::NOT_ALLOWED;
    refused.status = Some(Status { code, text: "\u{1b}[2J".to_owned() });
    let text = refused.summary(Duration::from_secs(1));
    let want = "lq: [::1]:547: 0 clients, 0 bindings in 1.0 s: refused, NotAllowed(10) \"\\u{1b}[2J\"\n";
    assert_eq!(text, want);
}

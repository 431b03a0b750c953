//! STARTTLS: which message may come when.

use super::*;

const OUTCOMES_MAX: usize = 8;

fn starttls() -> Vec<u8> {
    framed(23, 1, &[])
}

fn outcomes(session: &mut BulkSession) -> Vec<BulkOutcome> {
    std::iter::from_fn(|| session.finished()).take(OUTCOMES_MAX).map(|query| query.outcome).collect()
}

#[test]
fn a_starttls_is_answered_and_nothing_is_read_until_the_handshake_is_done() {
    for tls in [Tls::Offered, Tls::Required] {
        let mut rig = Rig::new(&[row(1, "2001:db8:1::1", 128, 1)]);
        let mut session = Rig::session().with_tls(tls).require_tls_for_active();
        // An option is ignored (RFC 7653 §8.2).
        rig.receive(&mut session, &framed(23, 1, &[option(1, REQUESTOR)]));
        assert!(!session.wants_octets());
        let mut out = Vec::new();
        assert_eq!(rig.send(&mut session, &mut out), Progress::Octets(6));
        assert_eq!(out, [0, 4, 7, 0, 0, 1]);
        assert_eq!(rig.send(&mut session, &mut out), Progress::StartTls);
        assert_eq!(outcomes(&mut session), [BulkOutcome::TlsStarted]);
        assert!(!session.wants_octets());
        session.secured();
        assert!(session.wants_octets());
        assert_eq!(rig.send(&mut session, &mut out), Progress::Idle);
        rig.receive(&mut session, &by_relay_id(1));
        assert_eq!(rig.drain(&mut session), rig.answer(&by_relay_id(1)));
    }
}

#[test]
fn octets_between_starttls_and_handshake_close_without_an_answer() {
    let (starttls, query) = (starttls(), by_relay_id(2));
    for extra in [&query[..], &[0], &[22, 3, 1]] {
        for is_one_read in [true, false] {
            let mut rig = Rig::new(&[]);
            let mut session = Rig::session().with_tls(Tls::Offered);
            if is_one_read {
                rig.receive(&mut session, &[&starttls, extra].concat());
                assert_eq!(rig.drain(&mut session), (vec![], true));
            } else {
                rig.receive(&mut session, &starttls);
                rig.receive(&mut session, extra);
                assert_eq!(rig.drain(&mut session), (vec![], true));
            }
            assert_eq!(outcomes(&mut session), [BulkOutcome::CloseEarlyOctets]);
        }
    }
}

#[test]
fn a_starttls_must_be_the_first_message() {
    let mut rig = Rig::new(&[row(1, "2001:db8:1::1", 128, 1)]);
    let mut session = Rig::session().with_tls(Tls::Offered);
    rig.receive(&mut session, &[by_relay_id(5), starttls()].concat());
    // The answer owed is sent.
    assert_eq!(rig.drain(&mut session), (rig.answer(&by_relay_id(5)).0, true));
    assert_eq!(outcomes(&mut session), [BulkOutcome::CloseLateTls, BulkOutcome::Complete]);

    let mut session = Rig::session().with_tls(Tls::Offered);
    rig.receive(&mut session, &starttls());
    let mut out = Vec::new();
    assert_eq!(rig.send(&mut session, &mut out), Progress::Octets(6));
    session.secured();
    rig.receive(&mut session, &starttls());
    assert_eq!(rig.drain(&mut session), (vec![], true));
    assert_eq!(outcomes(&mut session), [BulkOutcome::TlsStarted, BulkOutcome::CloseLateTls]);
}

#[test]
fn messages_without_tls_close_where_it_is_required() {
    let cases: [(Vec<u8>, BulkOutcome); 3] = [
        (by_relay_id(1), BulkOutcome::CloseWithoutTls),
        (framed(22, 1, &[option(1, REQUESTOR)]), BulkOutcome::CloseWithoutTls),
        (framed(1, 1, &[]), BulkOutcome::CloseWithoutTls),
    ];
    for (message, outcome) in cases {
        let mut rig = Rig::new(&[]);
        let mut session = Rig::session().with_tls(Tls::Required);
        rig.receive(&mut session, &message);
        assert_eq!(rig.drain(&mut session), (vec![], true));
        assert_eq!(outcomes(&mut session), [outcome]);
    }
    let mut rig = Rig::new(&[]);
    let mut session = Rig::session().with_tls(Tls::Offered).require_tls_for_active();
    rig.receive(&mut session, &framed(22, 1, &[option(1, REQUESTOR)]));
    assert_eq!(rig.drain(&mut session), (vec![], true));
    assert_eq!(outcomes(&mut session), [BulkOutcome::CloseActiveWithoutTls]);
}

#[test]
fn an_end_or_a_stop_before_the_handshake_closes() {
    for is_stop in [true, false] {
        let mut rig = Rig::new(&[]);
        let mut session = Rig::session().with_tls(Tls::Required);
        rig.receive(&mut session, &starttls());
        if is_stop {
            session.terminate();
        } else {
            session.receive_end();
        }
        assert_eq!(rig.drain(&mut session), (vec![0, 4, 7, 0, 0, 1], true));
    }
}

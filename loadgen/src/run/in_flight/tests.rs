use super::*;

const TIMEOUT: Duration = Duration::from_secs(1);

fn at(milliseconds: u64) -> Since {
    Duration::from_millis(milliseconds)
}

/// Number of queries that are given up at this time.
fn lost<Q: Copy>(flight: &mut InFlight<Q>, now: Since) -> usize {
    let expiries = std::iter::from_fn(|| flight.expire(now));
    expiries.filter(|expiry| matches!(expiry, Expiry::Lost { .. })).count()
}

#[test]
fn answers_are_in_time_duplicate_late_or_unknown() {
    let mut flight = InFlight::new(8, TIMEOUT, 0);
    let first = flight.start(11_u32, at(0), at(0)).unwrap();
    let second = flight.start(22, at(400), at(500)).unwrap();
    assert_eq!(flight.waiting(), 2);
    assert_eq!(flight.complete(first), Arrival::InTime { query: 11, due: at(0) });
    assert_eq!(flight.complete(first), Arrival::Duplicate);
    assert_eq!(lost(&mut flight, at(1499)), 0);
    assert_eq!(flight.next_deadline(), Some(at(1500)));
    assert_eq!(lost(&mut flight, at(1500)), 1);
    assert_eq!(flight.complete(second), Arrival::Late);
    assert_eq!(flight.complete(TransactionId([0xff, 0xff, 0xff])), Arrival::Unknown);
    assert_eq!((flight.waiting(), flight.next_deadline()), (0, None));
}

#[test]
fn a_late_answer_is_recognized_after_its_slot_was_reused() {
    let mut flight = InFlight::new(1, TIMEOUT, 0);
    let given_up = flight.start(0_u32, at(0), at(0)).unwrap();
    assert_eq!(lost(&mut flight, at(1000)), 1);
    for query in 0..5_000 {
        let id = flight.start(query, at(900), at(1000)).unwrap();
        assert_eq!(flight.complete(id), Arrival::InTime { query, due: at(900) });
    }
    assert_eq!(flight.complete(given_up), Arrival::Late);
}

#[test]
fn an_id_is_unused_for_a_while_before_it_returns() {
    let mut flight = InFlight::new(4, TIMEOUT, 0);
    let first = flight.start(0_u32, at(0), at(0)).unwrap();
    flight.complete(first);
    for query in 1..1024 {
        let id = flight.start(query, at(0), at(0)).unwrap();
        assert_ne!(id, first);
        assert_eq!(flight.complete(first), Arrival::Duplicate, "after {query} others");
        assert_eq!(flight.complete(id), Arrival::InTime { query, due: at(0) });
    }
    let reused = flight.start(7, at(0), at(0)).unwrap();
    let slot = |id: TransactionId| u16::from_be_bytes([id.0[1], id.0[2]]) & 1023;
    assert_eq!(slot(reused), slot(first));
    assert_ne!(reused, first);
    assert_eq!(flight.complete(first), Arrival::Unknown, "of an older generation");
    assert_eq!(flight.complete(reused), Arrival::InTime { query: 7, due: at(0) });
}

#[test]
fn a_query_is_retransmitted_under_its_id_and_finally_given_up() {
    let mut flight = InFlight::new(8, TIMEOUT, 2);
    let id = flight.start(5_u32, at(0), at(0)).unwrap();
    let other = flight.start(6, at(900), at(900)).unwrap();
    assert_eq!(flight.expire(at(1000)), Some(Expiry::Again { id, query: 5 }));
    assert_eq!(flight.expire(at(1000)), None);
    assert_eq!(flight.complete(other), Arrival::InTime { query: 6, due: at(900) });
    assert_eq!(flight.expire(at(1999)), None);
    assert_eq!(flight.next_deadline(), Some(at(2000)));
    assert_eq!(flight.expire(at(2100)), Some(Expiry::Again { id, query: 5 }));
    assert_eq!(flight.expire(at(3100)), Some(Expiry::Lost { due: at(0) }));
    assert_eq!(flight.complete(id), Arrival::Late);
}

#[test]
fn two_answers_to_a_retransmitted_query_are_no_defect() {
    let mut flight = InFlight::new(8, TIMEOUT, 1);
    let id = flight.start(5_u32, at(0), at(0)).unwrap();
    assert_eq!(flight.expire(at(1000)), Some(Expiry::Again { id, query: 5 }));
    assert_eq!(flight.complete(id), Arrival::InTime { query: 5, due: at(0) });
    assert_eq!(flight.complete(id), Arrival::Late);
}

#[test]
fn room_is_bounded_and_is_released() {
    let mut flight = InFlight::new(InFlight::<u32>::CAPACITY_MAX, TIMEOUT, 0);
    let mut room = 0;
    while flight.start(room, at(0), at(0)).is_some() {
        room += 1;
    }
    assert!(room >= InFlight::<u32>::CAPACITY_MAX);
    assert_eq!(lost(&mut flight, at(1000)), room as usize);
    assert!(flight.start(0, at(1000), at(1000)).is_some());
}

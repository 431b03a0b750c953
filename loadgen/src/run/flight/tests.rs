use super::*;

const TIMEOUT: Duration = Duration::from_secs(1);

fn at(milliseconds: u64) -> Since {
    Duration::from_millis(milliseconds)
}

/// How many queries are given up at this time.
fn lost<Q: Copy>(flight: &mut Flight<Q>, now: Since) -> usize {
    let expiries = std::iter::from_fn(|| flight.expire(now));
    expiries.filter(|expiry| matches!(expiry, Expiry::Lost { .. })).count()
}

#[test]
fn answers_in_time_again_late_and_out_of_nowhere() {
    let mut flight = Flight::new(8, TIMEOUT, 0);
    let first = flight.launch(11_u32, at(0), at(0)).unwrap();
    let second = flight.launch(22, at(400), at(500)).unwrap();
    assert_eq!(flight.waiting(), 2);
    assert_eq!(flight.land(first), Landing::InTime { query: 11, due: at(0) });
    assert_eq!(flight.land(first), Landing::Again);
    assert_eq!(lost(&mut flight, at(1499)), 0);
    assert_eq!(flight.next_deadline(), Some(at(1500)));
    assert_eq!(lost(&mut flight, at(1500)), 1);
    assert_eq!(flight.land(second), Landing::Late);
    assert_eq!(flight.land(TransactionId([0xff, 0xff, 0xff])), Landing::Unknown);
    assert_eq!((flight.waiting(), flight.next_deadline()), (0, None));
}

#[test]
fn a_late_answer_is_known_after_its_slot_was_used_again() {
    let mut flight = Flight::new(1, TIMEOUT, 0);
    let given_up = flight.launch(0_u32, at(0), at(0)).unwrap();
    assert_eq!(lost(&mut flight, at(1000)), 1);
    for query in 0..5_000 {
        let id = flight.launch(query, at(900), at(1000)).unwrap();
        assert_eq!(flight.land(id), Landing::InTime { query, due: at(900) });
    }
    assert_eq!(flight.land(given_up), Landing::Late);
}

#[test]
fn an_id_rests_before_it_comes_back() {
    let mut flight = Flight::new(4, TIMEOUT, 0);
    let first = flight.launch(0_u32, at(0), at(0)).unwrap();
    flight.land(first);
    for query in 1..1024 {
        let id = flight.launch(query, at(0), at(0)).unwrap();
        assert_ne!(id, first);
        assert_eq!(flight.land(first), Landing::Again, "after {query} others");
        assert_eq!(flight.land(id), Landing::InTime { query, due: at(0) });
    }
    let reused = flight.launch(7, at(0), at(0)).unwrap();
    let slot = |id: TransactionId| u16::from_be_bytes([id.0[1], id.0[2]]) & 1023;
    assert_eq!(slot(reused), slot(first));
    assert_ne!(reused, first);
    assert_eq!(flight.land(first), Landing::Unknown, "of an older generation");
    assert_eq!(flight.land(reused), Landing::InTime { query: 7, due: at(0) });
}

#[test]
fn a_query_is_sent_again_under_its_id_and_given_up_in_the_end() {
    let mut flight = Flight::new(8, TIMEOUT, 2);
    let id = flight.launch(5_u32, at(0), at(0)).unwrap();
    let other = flight.launch(6, at(900), at(900)).unwrap();
    assert_eq!(flight.expire(at(1000)), Some(Expiry::Again { id, query: 5 }));
    assert_eq!(flight.expire(at(1000)), None);
    assert_eq!(flight.land(other), Landing::InTime { query: 6, due: at(900) });
    assert_eq!(flight.expire(at(1999)), None);
    assert_eq!(flight.next_deadline(), Some(at(2000)));
    assert_eq!(flight.expire(at(2100)), Some(Expiry::Again { id, query: 5 }));
    assert_eq!(flight.expire(at(3100)), Some(Expiry::Lost { due: at(0) }));
    assert_eq!(flight.land(id), Landing::Late);
}

#[test]
fn two_answers_to_a_query_sent_twice_are_no_fault() {
    let mut flight = Flight::new(8, TIMEOUT, 1);
    let id = flight.launch(5_u32, at(0), at(0)).unwrap();
    assert_eq!(flight.expire(at(1000)), Some(Expiry::Again { id, query: 5 }));
    assert_eq!(flight.land(id), Landing::InTime { query: 5, due: at(0) });
    assert_eq!(flight.land(id), Landing::Late);
}

#[test]
fn room_ends_and_comes_back() {
    let mut flight = Flight::new(Flight::<u32>::CAPACITY_MAX, TIMEOUT, 0);
    let mut room = 0;
    while flight.launch(room, at(0), at(0)).is_some() {
        room += 1;
    }
    assert!(room >= Flight::<u32>::CAPACITY_MAX);
    assert_eq!(lost(&mut flight, at(1000)), room as usize);
    assert!(flight.launch(0, at(1000), at(1000)).is_some());
}

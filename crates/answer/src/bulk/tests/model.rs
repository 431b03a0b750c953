//! Replies against a naive model, whatever the leases, the query, and the pieces in which octets come.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const RELAY_IDS: [&[u8]; 2] = [RELAY_ID, &[0, 3, 0, 1, 0x78]];
const REMOTE_IDS: [&[u8]; 2] = [REMOTE_ID, &[0, 0, 0, 9, 0x62]];

/// A binding: DUID, link, first address, prefix length.
type Told = (Vec<u8>, Option<usize>, Ipv6Addr, u8);
/// The same without the link, which a message does not tell.
pub(super) type Binding = (Vec<u8>, Ipv6Addr, u8);

fn any_row() -> impl Strategy<Value = Row> {
    let place = prop_oneof![9 => 1_u32..=3, 1 => Just(7_u32)];
    (
        0_u8..6,
        place,
        0_u8..40,
        any::<bool>(),
        0_usize..2,
        0_usize..3,
        prop_oneof![4 => Just(100_u32), 1 => Just(3000)],
    )
        .prop_map(|(duid, subnet_id, host, is_prefix, relay_id, remote_id, age)| {
            let text = if is_prefix {
                format!("2001:db8:{subnet_id}00:{host:x}00::")
            } else {
                format!("2001:db8:{subnet_id}::{host:x}")
            };
            let mut row = row(duid, &text, if is_prefix { 56 } else { 128 }, subnet_id);
            row.cltt = NOW - age;
            // Every third row came without a relay agent.
            row.options = match REMOTE_IDS.get(remote_id) {
                Some(remote_id) => relay_data(RELAY_IDS[relay_id], remote_id),
                None => Vec::new(),
            };
            row
        })
}

/// A subject, as the number of its query-type and the value of its option, and a link.
fn any_query() -> impl Strategy<Value = (u8, usize, Option<u32>)> {
    prop_oneof![
        (Just(3_u8), 0_usize..2, prop::option::of(1_u32..=3)),
        (Just(5_u8), 0_usize..2, prop::option::of(1_u32..=3)),
        (Just(4_u8), Just(0), (1_u32..=3).prop_map(Some)),
    ]
}

/// The latest row of each address.
fn held(rows: &[Row]) -> Vec<&Row> {
    let is_last = |at: usize, row: &Row| !rows[at + 1..].iter().any(|later| later.address == row.address);
    rows.iter().enumerate().filter(|&(at, row)| is_last(at, row)).map(|(_, row)| row).collect()
}

fn expected(rows: &[Row], (query_type, id, link): (u8, usize, Option<u32>)) -> BTreeSet<Told> {
    let has = |row: &Row| match query_type {
        3 => row.options.windows(RELAY_IDS[id].len()).any(|octets| octets == RELAY_IDS[id]),
        5 => row.options.windows(REMOTE_IDS[id].len()).any(|octets| octets == REMOTE_IDS[id]),
        _ => true,
    };
    let is_live = |row: &Row| NOW - row.cltt < 2000;
    let on = |row: &Row| link.is_none_or(|link| row.subnet_id == link);
    let place = |row: &Row| (row.subnet_id <= 3).then_some(row.subnet_id as usize);
    held(rows)
        .into_iter()
        .filter(|row| is_live(row) && on(row) && has(row))
        .map(|row| (row.duid.clone(), place(row), row.address, row.prefix_len))
        .collect()
}

/// Reads a reply without the code under test: message kinds, and the bindings of each message.
pub(super) fn read(mut reply: &[u8]) -> (Vec<u8>, Vec<Vec<Binding>>) {
    let (mut kinds, mut messages) = (Vec::new(), Vec::new());
    while !reply.is_empty() {
        let len = usize::from(u16::from_be_bytes([reply[0], reply[1]]));
        let message = &reply[2..2 + len];
        reply = &reply[2 + len..];
        kinds.push(message[0]);
        for (code, value) in options(&message[4..]) {
            if code == 45 {
                messages.push(bindings(value));
            }
        }
    }
    (kinds, messages)
}

pub(super) fn options(mut octets: &[u8]) -> Vec<(u16, &[u8])> {
    let mut found = Vec::new();
    while !octets.is_empty() {
        let code = u16::from_be_bytes([octets[0], octets[1]]);
        let len = usize::from(u16::from_be_bytes([octets[2], octets[3]]));
        found.push((code, &octets[4..4 + len]));
        octets = &octets[4 + len..];
    }
    found
}

fn bindings(data: &[u8]) -> Vec<Binding> {
    let address = |octets: &[u8]| Ipv6Addr::from(<[u8; 16]>::try_from(octets).unwrap());
    let (mut duid, mut found) = (Vec::new(), Vec::new());
    for (code, value) in options(data) {
        match code {
            1 => duid = value.to_vec(),
            5 => found.push((duid.clone(), address(&value[..16]), 128)),
            26 => found.push((duid.clone(), address(&value[9..25]), value[8])),
            _ => {}
        }
    }
    found
}

proptest! {
    #[test]
    fn every_binding_comes_once_by_client_and_link(
        rows in prop::collection::vec(any_row(), 0..60),
        asked in any_query(),
        has_indexes in any::<bool>(),
        piece in 1_usize..60,
    ) {
        let mut rig = Rig::with(&rows, has_indexes, "::1/128");
        let (query_type, id, link) = asked;
        let subject = match query_type {
            3 => vec![option(53, RELAY_IDS[id])],
            5 => vec![option(37, REMOTE_IDS[id])],
            _ => vec![],
        };
        let link = link.map_or("::".to_owned(), |link| format!("2001:db8:{link}::1"));
        let mut session = Rig::session();
        for piece in query(1, query_type, &link, &subject).chunks(piece) {
            rig.receive(&mut session, piece);
        }
        let (reply, is_closed) = rig.drain(&mut session);
        prop_assert!(!is_closed);
        let (kinds, messages) = read(&reply);
        let expected = expected(&rows, asked);
        // One message for each client and link.
        let groups: BTreeSet<_> = expected.iter().map(|(duid, place, ..)| (duid.clone(), *place)).collect();
        prop_assert_eq!(messages.len(), groups.len());
        let mut told = BTreeSet::new();
        for message in &messages {
            for (duid, address, len) in message {
                let subnet = usize::from(address.segments()[2]);
                let place = if subnet > 0xff { subnet >> 8 } else { subnet };
                let is_new = told.insert((duid.clone(), (place <= 3).then_some(place), *address, *len));
                prop_assert!(is_new, "{} came twice", address);
            }
        }
        prop_assert_eq!(told, expected);
        let last = if messages.is_empty() { None } else { Some(16) };
        let mut order = vec![15];
        order.extend(vec![17; messages.len().saturating_sub(1)]);
        order.extend(last);
        prop_assert_eq!(kinds, order);
    }
}

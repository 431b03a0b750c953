//! A lease is over at its second, with no row in the lease file that says so.

use std::net::Ipv6Addr;

use serde_json::json;

use super::Stage;
use super::agreement::data_agrees;
use super::answer::Answer;
use super::client::{Client, Wants};
use super::kea::Lease;
use crate::support::Until;
use crate::support::fixture::seconds_since_1970;

/// Leases of five seconds, asked for all the time: right until they are over, and denied from that second on.
pub(super) fn at_its_second(stage: &mut Stage) {
    let mut client = Client::new(0x7a, 1, Vec::new());
    client.solicit(&stage.lab, Wants::Both);
    stage.agree();
    let leases = stage.kea.leases();
    let rows = std::fs::read(stage.kea.lease_file()).expect("the lease file is there");
    watch_expiry(stage, &leases);
    let rows_after = std::fs::read(stage.kea.lease_file()).expect("the lease file is there");
    assert_eq!(rows, rows_after, "no row was needed");

    stage.kea.command("leases-reclaim", json!({ "remove": false }));
    stage.agree();
    assert!(stage.kea.leases().iter().all(|lease| lease.state == 2), "Kea keeps the leases as reclaimed");
    client.solicit(&stage.lab, Wants::Both);
    assert_eq!(stage.agree().leases, 2, "the client is back");
    let leases: Vec<Lease> = stage.kea.leases().into_iter().filter(|lease| lease.state == 0).collect();
    watch_expiry(stage, &leases);
    stage.kea.command("leases-reclaim", json!({ "remove": true }));
    assert_eq!(stage.agree().leases, 0);
    assert!(stage.kea.leases().is_empty(), "Kea has removed the leases");
}

/// Asks for these leases of one client until all are over and a second beyond.
fn watch_expiry(stage: &Stage, leases: &[Lease]) {
    let end = leases.iter().map(Lease::expire).max().expect("there are leases");
    let (mut bound, mut denied) = (0, 0);
    let until = Until::patience();
    while u64::from(seconds_since_1970()) <= end {
        for lease in leases {
            let asks: [&dyn Fn() -> Result<Answer, String>; 2] =
                [&|| stage.asker.by_address(lease.address), &|| {
                    stage.asker.by_client_id(&lease.duid, Ipv6Addr::UNSPECIFIED)
                }];
            for ask in asks {
                let before = u64::from(seconds_since_1970());
                let answer = ask().unwrap_or_else(|e| panic!("{e}"));
                let now = before..=u64::from(seconds_since_1970());
                match answer {
                    Answer::Bindings(_) => bound += 1,
                    _ => denied += 1,
                }
                let right = now.clone().any(|second| is_right(&answer, lease, leases, second));
                assert!(right, "{:?} at {now:?}, with {leases:02x?}: {answer:02x?}", lease.address);
            }
        }
        assert!(until.pending(), "the leases do not end");
    }
    assert!(bound > 0 && denied > 0, "{bound} answers with bindings, {denied} without");
}

/// The answer about one of the client's leases is what it has to be in this second.
fn is_right(answer: &Answer, asked: &Lease, leases: &[Lease], second: u64) -> bool {
    let alive: Vec<&Lease> = leases.iter().filter(|lease| lease.expire() > second).collect();
    match answer {
        Answer::Bindings(data) => data_agrees(data, &alive, &(second..=second)).is_ok(),
        Answer::NoBinding => asked.expire() <= second,
        _ => false,
    }
}

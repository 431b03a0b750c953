//! Expiry of leases at their second, without a row in the lease file.

use std::net::Ipv6Addr;

use serde_json::json;

use super::Stage;
use super::agreement::data_agrees;
use super::answer::Answer;
use super::client::{Client, Wants};
use super::kea::Lease;
use crate::support::Until;
use crate::support::fixture::seconds_since_1970;

/// Leases of some seconds, queried all the time: right until they expire, and denied from that second on.
pub(super) fn at_its_second(stage: &mut Stage) {
    let mut client = Client::new(0x7a, 1, Vec::new());
    watch_expiry(stage, &mut client);

    stage.kea.command("leases-reclaim", json!({ "remove": false }));
    stage.agree();
    assert!(stage.kea.leases().iter().all(|lease| lease.state == 2), "Kea keeps the leases as reclaimed");
    watch_expiry(stage, &mut client);
    stage.kea.command("leases-reclaim", json!({ "remove": true }));
    assert_eq!(stage.agree().leases, 0);
    assert!(stage.kea.leases().is_empty(), "Kea has removed the leases");
}

/// Gives the client leases and watches them expire; repeats if a busy host let them expire before the first
/// query.
fn watch_expiry(stage: &mut Stage, client: &mut Client) {
    let until = Until::patience();
    loop {
        client.solicit(&stage.lab, Wants::Both);
        stage.agree();
        let leases: Vec<Lease> = stage.kea.leases().into_iter().filter(|lease| lease.state == 0).collect();
        assert_eq!(leases.len(), 2, "the client has an address and a prefix: {leases:02x?}");
        let rows = || std::fs::read(stage.kea.lease_file()).expect("the lease file is there");
        let before = rows();
        let (bound, denied) = ask_until_over(stage, &leases);
        assert_eq!(before, rows(), "no row was needed");
        assert!(denied > 0, "the leases do not expire");
        if bound > 0 {
            return;
        }
        assert!(until.pending(), "the leases always expire before the first query");
    }
}

/// Queries these leases of one client until after all have expired; returns the numbers of answers with
/// bindings and without.
fn ask_until_over(stage: &Stage, leases: &[Lease]) -> (u32, u32) {
    let end = leases.iter().map(Lease::expire).max().expect("there are leases");
    let (mut bound, mut denied) = (0, 0);
    let until = Until::patience();
    let mut over = false;
    while !over {
        over = u64::from(seconds_since_1970()) > end;
        for lease in leases {
            let asks: [&dyn Fn() -> Result<Answer, String>; 2] =
                [&|| stage.requestor.by_address(lease.address), &|| {
                    stage.requestor.by_client_id(&lease.duid, Ipv6Addr::UNSPECIFIED)
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
        assert!(over || until.pending(), "the leases do not expire");
    }
    (bound, denied)
}

/// Returns whether the answer about one of the client's leases is right at this second.
fn is_right(answer: &Answer, queried: &Lease, leases: &[Lease], second: u64) -> bool {
    let alive: Vec<&Lease> = leases.iter().filter(|lease| lease.expire() > second).collect();
    match answer {
        Answer::Bindings(data) => data_agrees(data, &alive, &(second..=second)).is_ok(),
        Answer::NoBinding => queried.expire() <= second,
        _ => false,
    }
}

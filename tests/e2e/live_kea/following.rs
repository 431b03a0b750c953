//! Following of Kea's leases and lease file.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;

use serde_json::json;

use super::agreement::Tally;
use super::answer::{Answer, LiveRequestor};
use super::client::{Client, Wants};
use super::perfdhcp::Perfdhcp;
use super::plan::{self, subnet};
use super::{Stage, follower};
use crate::support::Until;
use crate::support::fixture::seconds_since_1970;
use crate::support::message::Relay;

/// Direct and relayed clients, which renew while others leave, and one that declines.
pub(super) fn clients_come_and_leave(stage: &mut Stage) {
    let runs =
        ["-R 60 -r 100 -n 120 -f 20 -F 20", "-A 1 -L 547 -R 40 -r 80 -n 60 -F 20 -b mac=00:0c:02:02:02:02"];
    run_perfdhcp_until(stage, &runs, |tally| tally.leases > 100 && tally.denied > 20);

    let mut clients: Vec<Client> =
        (1..=12).map(|number| Client::new(0x5a, number, shared_network())).collect();
    for client in &mut clients {
        client.solicit(&stage.lab, Wants::Both);
    }
    let mut direct = Client::new(0x5a, 1, Vec::new()); // same DUID as the first of them, on a second link
    direct.solicit(&stage.lab, Wants::Both);
    let tally = stage.agree();
    assert_eq!(tally.spread_clients, 1, "{tally:?}");
    let subnets: BTreeSet<u32> = stage.kea.leases().iter().map(|lease| lease.subnet_id).collect();
    assert!(
        subnets.contains(&subnet::SHARED_SMALL) && subnets.contains(&subnet::SHARED_LARGE),
        "{subnets:?}"
    );

    next_second();
    for client in &mut clients[..6] {
        client.renew(&stage.lab);
    }
    for client in &mut clients[6..10] {
        client.release(&stage.lab);
    }
    clients[10].decline(&stage.lab);
    clients[11].renew_prefix(&stage.lab);
    direct.release(&stage.lab);
    let tally = stage.agree();
    assert_eq!(tally.spread_clients, 0, "{tally:?}");
    assert!(stage.kea.leases().iter().any(|lease| lease.state == 1), "Kea has a declined lease");
}

/// Runs perfdhcp with each of these arguments until enough happened: on a busy host it gives up many
/// exchanges. Kea is paused while leases are compared.
fn run_perfdhcp_until(stage: &mut Stage, runs: &[&str], enough: impl Fn(&Tally) -> bool) -> Tally {
    let until = Until::patience();
    loop {
        runs.iter().for_each(|arguments| Perfdhcp::start(&stage.lab, arguments).wait());
        stage.kea.pause_service();
        let tally = stage.agree();
        stage.kea.resume_service();
        if enough(&tally) {
            return tally;
        }
        assert!(until.pending(), "too few leases to compare: {tally:?}");
    }
}

/// Arguments for three seconds of clients, some of which renew and some of which leave.
const CLIENTS: &str = "-R 100 -r 60 -p 3 -f 15 -F 15";
/// Number of new lease files, one per cleanup, that must be seen.
const CLEANUPS: usize = 4;

/// A cleanup each second while clients come, renew and leave; a client that stays is never denied.
pub(super) fn cleanup_under_way(stage: &mut Stage) {
    let mut steady = Client::new(0x5b, 1, Vec::new());
    steady.solicit(&stage.lab, Wants::Both);
    stage.agree();
    let mut load = Perfdhcp::start(&stage.lab, CLIENTS);
    let mut files = BTreeSet::new();
    let until = Until::patience();
    loop {
        assert_bound(&stage.requestor, &steady);
        files.extend(std::fs::metadata(stage.kea.lease_file()).map(|file| file.ino()));
        stage.ledger.note(&stage.kea);
        if !load.is_running() {
            if files.len() >= CLEANUPS {
                break;
            }
            load = Perfdhcp::start(&stage.lab, CLIENTS);
        }
        assert!(until.pending(), "Kea replaced its lease file only {} times", files.len());
    }
    drop(load);
    let tally = stage.agree();
    if tally.leases <= 50 || tally.denied <= 20 {
        run_perfdhcp_until(stage, &[CLIENTS], |tally| tally.leases > 50 && tally.denied > 20);
    }
    assert_bound(&stage.requestor, &steady);
}

/// `lease6-add`, `-update`, `-bulk-apply`, `-del` and `-wipe`.
pub(super) fn leases_change_by_command(stage: &mut Stage) {
    let lease = |address: &str, valid_s: u32| {
        json!({
            "ip-address": address, "duid": "00:03:00:01:02:00:00:00:5c:01", "iaid": 7,
            "subnet-id": subnet::DIRECT, "valid-lft": valid_s, "preferred-lft": 300,
            "hw-address": "02:00:00:00:5c:01",
        })
    };
    let prefix = |address: &str, len: u8| {
        let mut prefix = lease(address, 900);
        prefix["type"] = json!("IA_PD");
        prefix["prefix-len"] = json!(len);
        prefix
    };
    const CLIENTS: &[&str] = &["-A 1 -L 547 -R 20 -r 60 -n 20"];
    run_perfdhcp_until(stage, CLIENTS, |tally| tally.leases > 0);
    stage.kea.pause_service(); // commands alone change leases
    let leases = stage.agree().leases;
    stage.kea.command("lease6-add", lease("2001:db8:1::5c01", 600));
    stage.kea.command("lease6-add", prefix("2001:db8:1:8540::", 60));
    assert_eq!(stage.agree().leases, leases + 2);
    stage.kea.command("lease6-update", lease("2001:db8:1::5c01", 90_000));
    assert_eq!(stage.agree().leases, leases + 2);
    let swap = json!({
        "deleted-leases": [{ "type": "IA_NA", "ip-address": "2001:db8:1::5c01" }],
        "leases": [lease("2001:db8:1::5c02", 600), prefix("2001:db8:1:8550::", 60)],
    });
    stage.kea.command("lease6-bulk-apply", swap);
    assert_eq!(stage.agree().leases, leases + 3);
    stage.kea.command("lease6-del", json!({ "type": "IA_PD", "ip-address": "2001:db8:1:8540::" }));
    assert_eq!(stage.agree().leases, leases + 2);
    stage.kea.command("lease6-wipe", json!({ "subnet-id": subnet::RELAYED }));
    assert_eq!(stage.agree().leases, 2);
    stage.kea.resume_service();
    run_perfdhcp_until(stage, CLIENTS, |tally| tally.leases > 2);
}

/// Kea is ended, killed and restarted, with clients before and after; then lqd itself restarts.
pub(super) fn kea_restarts(stage: &mut Stage) {
    run_perfdhcp_until(stage, &["-R 60 -r 100 -n 100 -f 20 -F 20"], |tally| tally.leases > 0);
    stage.kea.pause_service();
    let before = stage.agree().leases;
    let last = stage.kea.leases();
    stage.kea.terminate();
    let tally = stage.ledger.agree_with(&stage.requestor, || last.clone(), &stage.kea);
    assert_eq!(tally.leases, before, "leases outlive their server");
    stage.kea.resume(&stage.lab);
    assert_eq!(stage.agree().leases, before, "Kea has its leases back");
    run_perfdhcp_until(stage, &["-R 30 -r 100 -n 60 -F 20 -b mac=00:0c:03:03:03:03"], |tally| {
        tally.leases > before
    });

    stage.kea.kill();
    stage.kea.resume(&stage.lab);
    run_perfdhcp_until(stage, &["-A 1 -L 547 -R 30 -r 100 -n 30 -b mac=00:0c:04:04:04:04"], |_| true);
    stage.kea.pause_service();
    let tally = stage.agree();
    let late = follower(&stage.kea);
    let late_tally = stage.ledger.agree(&stage.kea, &LiveRequestor::new(late.address));
    assert_eq!(
        late_tally.leases, tally.leases,
        "an lqd that starts late loads the leases that the other has followed"
    );
    assert!(stage.lqd.is_running());
}

fn shared_network() -> Vec<Relay> {
    let peer = "fe80::5a".parse().expect("an address");
    vec![Relay { link: plan::SHARED_LINK, peer, options: Vec::new() }]
}

/// Waits for the clock's next second, so that a renewal gets a new cltt.
fn next_second() {
    let (second, until) = (seconds_since_1970(), Until::patience());
    while seconds_since_1970() == second {
        assert!(until.pending(), "the clock stands still");
    }
}

/// Checks that both leases of this client are answered, by address and by client-id.
fn assert_bound(requestor: &LiveRequestor, client: &Client) {
    let (address, prefix) = (client.address.expect("it has one"), client.prefix.expect("it has one"));
    let answers = [
        requestor.by_address(address),
        requestor.by_address(prefix.0),
        requestor.by_client_id(&client.duid, std::net::Ipv6Addr::UNSPECIFIED),
    ];
    for answer in answers {
        let Ok(Answer::Bindings(data)) = answer else {
            panic!("a client that stays is denied: {answer:02x?}")
        };
        let leases: BTreeSet<_> = data.leases.into_keys().collect();
        assert_eq!(leases, BTreeSet::from([(address, None), (prefix.0, Some(prefix.1))]));
    }
}

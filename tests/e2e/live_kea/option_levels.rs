//! Options configured at several levels: an answer holds the value that Kea sends to the client, or leaves
//! the option out where the leases do not determine it.

use std::path::Path;

use libtest_mimic::Failed;
use serde_json::{Value, json};

use super::answer::LiveRequestor;
use super::client::{Client, Wants};
use super::kea::Kea;
use super::lab::{self, Lab};
use super::option_types::{answered, of};
use super::{DEFAULT, follower, plan};
use crate::support::hex::colon_hex;

/// First code of the definitions below.
const FIRST: u16 = 2000;

/// Level of Kea's configuration that sets an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Global,
    /// A class that matches all clients.
    AllClients,
    /// A class that matches no client.
    NoClient,
    Network,
    Subnet,
    Pool,
    PdPool,
    /// The reservation of the second client.
    Host,
    /// The reservation of another client, by its hardware address.
    OtherClient,
}
use Level::{AllClients, Global, Host, Network, NoClient, OtherClient, PdPool, Pool, Subnet};

/// Clients of the test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TestClient {
    Plain,
    Reserved,
    PrefixOnly,
}
use TestClient::{Plain, PrefixOnly, Reserved};

/// Levels with their values, and the clients whose answers must leave the option out.
type LevelCase = (&'static [(Level, u8)], &'static [TestClient]);

const ROWS: &[LevelCase] = &[
    (&[(Global, 1)], &[]),
    (&[(Network, 1)], &[]),
    (&[(Subnet, 1)], &[]),
    (&[(Pool, 1)], &[]),
    (&[(PdPool, 1)], &[]),
    (&[(Global, 1), (Network, 2)], &[]),
    (&[(Network, 1), (Subnet, 2)], &[]),
    (&[(Global, 1), (Subnet, 2)], &[]),
    (&[(Subnet, 1), (Pool, 2)], &[]),
    (&[(Subnet, 1), (PdPool, 2)], &[]),
    (&[(Global, 1), (Network, 2), (Subnet, 3), (Pool, 4), (PdPool, 4)], &[]),
    // The pool with the lower address wins; leases do not show whether both came in one message.
    (&[(Subnet, 1), (Pool, 2), (PdPool, 3)], &[Plain, Reserved]),
    (&[(Global, 1), (AllClients, 2)], &[Plain, Reserved, PrefixOnly]),
    (&[(Global, 1), (NoClient, 2)], &[Plain, Reserved, PrefixOnly]),
    (&[(AllClients, 1)], &[Plain, Reserved, PrefixOnly]),
    (&[(Network, 1), (AllClients, 2)], &[]),
    (&[(Subnet, 1), (AllClients, 2)], &[]),
    (&[(Global, 1), (AllClients, 2), (Pool, 3)], &[PrefixOnly]),
    (&[(Global, 1), (Host, 2)], &[Reserved]),
    (&[(Subnet, 1), (Pool, 2), (Host, 3)], &[Reserved]),
    (&[(Host, 1)], &[Reserved]),
    (&[(Subnet, 1), (OtherClient, 2)], &[Plain, Reserved, PrefixOnly]),
    (&[(Pool, 1), (OtherClient, 2)], &[Plain, Reserved, PrefixOnly]),
];

pub(super) fn every_level() -> Result<(), Failed> {
    if plan::lease_cmds_hook().is_none() {
        return Err(Failed::from("Kea's hook libdhcp_lease_cmds.so is not installed"));
    }
    let lab = Lab::new();
    let kea = Kea::start_with(&lab, config);
    let lqd = follower(&kea);
    let requestor = LiveRequestor::new(lqd.address);
    let codes: Vec<u16> = (FIRST..).zip(ROWS).map(|(code, _)| code).collect();
    for kind in [Plain, Reserved, PrefixOnly] {
        let mut client = client(kind);
        let wants = if kind == PrefixOnly { Wants::Prefix } else { Wants::Both };
        let sent = client.solicit_asking(&lab, wants, &codes);
        let answered = answered(&requestor, &client.duid, wants, &codes);
        for (&code, (levels, left_out)) in codes.iter().zip(ROWS) {
            let want = if left_out.contains(&kind) { Vec::new() } else { of(&sent, code) };
            assert_eq!(of(&answered, code), want, "{kind:?}: option {code} with {levels:?}");
        }
    }
    Ok(())
}

fn client(kind: TestClient) -> Client {
    Client::new(0x71, kind as u8, Vec::new())
}

fn config(directory: &Path) -> Value {
    let definition = |code: u16| json!({ "name": format!("o-{code}"), "code": code, "type": "uint8" });
    let definitions: Vec<Value> = (FIRST..).zip(ROWS).map(|(code, _)| definition(code)).collect();
    let duid = colon_hex(&client(Reserved).duid);
    let subnet = json!({
        "id": 1, "subnet": "2001:db8:1::/48", "interface": lab::SERVER_INTERFACE, "rapid-commit": true,
        "option-data": data(Subnet),
        "pools": [
            { "pool": "2001:db8:1::/112", "option-data": data(Pool) },
            { "pool": "2001:db8:1:0:1::/112" },
        ],
        "pd-pools": [{
            "prefix": "2001:db8:1:8000::", "prefix-len": 49, "delegated-len": 60, "option-data": data(PdPool),
        }],
        "reservations": [
            { "duid": duid, "option-data": data(Host) },
            { "hw-address": "02:ff:ff:ff:ff:ff", "option-data": data(OtherClient) },
        ],
    });
    let mut config = plan::kea_config(directory, DEFAULT);
    config["Dhcp6"]["option-def"] = Value::from(definitions);
    config["Dhcp6"]["option-data"] = data(Global);
    config["Dhcp6"]["client-classes"] = json!([
        { "name": "everyone", "test": "member('ALL')", "option-data": data(AllClients) },
        { "name": "no-client", "test": "not member('ALL')", "option-data": data(NoClient) },
    ]);
    config["Dhcp6"]["subnet6"] = json!([]);
    config["Dhcp6"]["shared-networks"] = json!([{ "name": "home", "interface": lab::SERVER_INTERFACE, "option-data": data(Network), "subnet6": [subnet] }]);
    config
}

/// Returns the `option-data` of a level.
fn data(level: Level) -> Value {
    let rows = (FIRST..).zip(ROWS);
    let values = rows.flat_map(|(code, (levels, _))| levels.iter().map(move |given| (code, given)));
    let own = values.filter(|(_, given)| given.0 == level);
    own.map(|(code, given)| json!({ "code": code, "data": given.1.to_string() })).collect()
}

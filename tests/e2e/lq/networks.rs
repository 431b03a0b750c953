//! Untidy networks: `lq` finds every lease of Kea by following the links that `lqd` reports.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use super::sample::duid;
use crate::support::{Fixture, Lqd, lq};

pub fn trials() -> Vec<Trial> {
    tests! {
        modems_and_cpes_behind_one_relay,
        links_that_begin_at_one_address,
        covered_link_is_named_by_the_operator,
        lease_checks_discard_addresses_only,
    }
}

/// Returns a fixture with these subnets, in Kea's notation.
pub(super) fn network(subnets: &str, rows: &str) -> Fixture {
    Fixture::new(&kea_config(subnets), rows)
}

/// Returns a configuration with these subnets.
pub(super) fn kea_config(subnets: &str) -> String {
    format!(
        r#"{{ "Dhcp6": {{
            "interfaces-config": {{ "interfaces": [ ] }},
            "server-id": {{ "type": "LL", "htype": 1, "identifier": "02005E005301", "persist": false }},
            "lease-database": {{ "type": "memfile", "name": "@LEASES@", "lfc-interval": 0 }},
            {subnets}
        }} }}"#
    )
}

/// Returns an infinite lease of the client with this last octet: an address, or a /56 if the text has a
/// slash.
fn row(lease: &str, client: &str, subnet: u32) -> String {
    let (address, kind, len) = match lease.split_once('/') {
        Some((address, len)) => (address, 2, len),
        None => (lease, 0, "128"),
    };
    format!(
        "{address},00:03:00:01:02:00:00:00:00:{client},4294967295,4102444800,{subnet},4294967295,{kind},1,{len},\
         0,0,,,0,,1,0,0\n"
    )
}

/// Runs `lq` with a question, and returns `result` and all leases.
pub(super) fn ask(lqd: &Lqd, question: &[&str]) -> (String, Vec<String>) {
    let server = lqd.address.to_string();
    let answer = lq::json(&[&["-s", &server], question].concat());
    let clients = answer["clients"].as_array().cloned().unwrap_or_default();
    let leases = clients.iter().flat_map(|client| client["leases"].as_array().cloned().unwrap_or_default());
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut leases: Vec<_> = leases.map(|lease| text(&lease["value"])).collect();
    leases.sort();
    (text(&answer["result"]), leases)
}

fn found(leases: &[&str]) -> (String, Vec<String>) {
    ("found".to_owned(), leases.iter().map(|&lease| lease.to_owned()).collect())
}

/// Kea's manual for cable networks: the CMTS has an address in the modems' subnet, and both subnets name it.
fn modems_and_cpes_behind_one_relay() -> Result<(), Failed> {
    let fixture = network(
        r#""client-classes": [ { "name": "DOCSIS", "test": "substring(option[16].hex,0,6) == 'docsis'" } ],
           "subnet6": [
            { "id": 1, "subnet": "3000::/64", "relay": { "ip-addresses": [ "3000::1" ] },
              "pools": [ { "pool": "3000::2 - 3000::ffff" } ], "client-class": "DOCSIS" },
            { "id": 2, "subnet": "2001:db8:1::/64", "relay": { "ip-addresses": [ "3000::1" ] },
              "pools": [ { "pool": "2001:db8:1::1 - 2001:db8:1::ffff" } ] } ]"#,
        &(row("3000::2", "01", 1) + &row("2001:db8:1::1", "02", 2)),
    );
    let lqd = Lqd::start(&fixture.flags());
    let cpe = found(&["2001:db8:1::1"]);
    assert_eq!(ask(&lqd, &["--link", "3000::1", "duid", &duid("02")]), cpe);
    assert_eq!(ask(&lqd, &["--link", "3000::1", "addr", "2001:db8:1::1"]), cpe);
    assert_eq!(ask(&lqd, &["duid", &duid("02")]), cpe);
    assert_eq!(ask(&lqd, &["--link", "3000::1", "duid", &duid("01")]), found(&["3000::2"]));
    assert!(!lqd.log().contains("several links"), "that is no fault: {}", lqd.log());
    Ok(())
}

/// Each of these links begins at the address of another link, a pd-pool or a relay.
fn links_that_begin_at_one_address() -> Result<(), Failed> {
    let all = [
        "2001:db8:0:1::5",
        "2001:db8:1::5",
        "2001:db8:8000::/56",
        "2001:db8:8000:ff00::5",
        "2001:db9::5",
        "2001:dba::5",
    ];
    let rows = row(all[0], "01", 2)
        + &row(all[1], "01", 1)
        + &row(all[2], "01", 3)
        + &row(all[3], "01", 4)
        + &row(all[4], "01", 5)
        + &row(all[5], "01", 6);
    let fixture = network(
        r#""subnet6": [
            { "id": 1, "subnet": "2001:db8::/32" },
            { "id": 2, "subnet": "2001:db8::/48" },
            { "id": 3, "subnet": "2001:db8:7::/64",
              "pd-pools": [ { "prefix": "2001:db8:8000::", "prefix-len": 40, "delegated-len": 56 } ] },
            { "id": 4, "subnet": "2001:db8:8000::/48" },
            { "id": 5, "subnet": "2001:db9::/64" },
            { "id": 6, "subnet": "2001:dba::/64", "relay": { "ip-addresses": [ "2001:db9::" ] } } ]"#,
        &rows,
    );
    let lqd = Lqd::start(&fixture.flags());
    assert_eq!(ask(&lqd, &["duid", &duid("01")]), found(&all));
    Ok(())
}

/// A link fully covered by longer prefixes of other links: `lqd check` warns, and the operator names its
/// address.
fn covered_link_is_named_by_the_operator() -> Result<(), Failed> {
    let fixture = network(
        r#""subnet6": [
            { "id": 1, "subnet": "2001:db8::/63" },
            { "id": 2, "subnet": "2001:db8::/64" },
            { "id": 3, "subnet": "2001:db8:0:1::/64" } ]"#,
        &(row("2001:db8::5", "01", 1) + &row("2001:db8:0:1::5", "01", 3)),
    );
    let check = |more: &[&str]| {
        let more = more.iter().map(|&flag| flag.to_owned()).collect::<Vec<_>>();
        Lqd::run(&[vec!["check".to_owned()], fixture.flags(), more].concat())
    };
    let warned = check(&[]);
    assert!(warned.stdout.contains("give it one with --link-address"), "{warned:?}");
    let named = ["--link-address", "1=2001:db8:ffff::1"];
    assert!(!check(&named).stdout.contains("--link-address"));
    let unknown = check(&["--link-address", "9=2001:db8:ffff::1"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.stderr.contains("no subnet with the id 9"), "{unknown:?}");

    let lqd = Lqd::start(&[fixture.flags(), named.map(str::to_owned).to_vec()].concat());
    assert_eq!(ask(&lqd, &["duid", &duid("01")]), found(&["2001:db8:0:1::5", "2001:db8::5"]));
    Ok(())
}

/// Kea discards an address outside all subnets (`fix-del`), or outside that of its id (`del`), but no
/// prefixes.
fn lease_checks_discard_addresses_only() -> Result<(), Failed> {
    let rows =
        row("2001:db8:1::5", "01", 9) + &row("2001:db8:9::5", "02", 1) + &row("2001:db8:f000::/56", "03", 9);
    let results = |checks: &str| {
        let checks = format!(
            r#""sanity-checks": {{ "lease-checks": "{checks}" }},
               "subnet6": [ {{ "id": 1, "subnet": "2001:db8:1::/64",
                 "pd-pools": [ {{ "prefix": "2001:db8:f000::", "prefix-len": 40, "delegated-len": 56 }} ] }} ]"#
        );
        let fixture = network(&checks, &rows);
        let lqd = Lqd::start(&fixture.flags());
        ["01", "02", "03"].map(|client| ask(&lqd, &["duid", &duid(client)]).0)
    };
    for checks in ["none", "warn", "fix"] {
        assert_eq!(results(checks), ["found", "refused", "found"], "{checks}");
    }
    assert_eq!(results("fix-del"), ["found", "no-binding", "found"]);
    assert_eq!(results("del"), ["no-binding", "no-binding", "found"]);
    Ok(())
}

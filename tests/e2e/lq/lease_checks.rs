//! `lease-checks` of Kea's `sanity-checks`: rows that Kea discards at load are ignored.
//!
//! A naive model of Kea's loader (`lease_file_loader.h`, `sanity_checker.cc`), compared with Kea 2.2, gives
//! the expected leases: only rows of IA_NA are checked, an older row of the address stays, and a discarded
//! row that would end it is ignored.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use libtest_mimic::{Failed, Trial};

use super::networks::{ask, kea_config, network};
use super::sample::duid;
use crate::support::{Fixture, Lqd, Until};

pub(super) fn trials() -> Vec<Trial> {
    tests! {
        discarded_rows_leave_older_rows,
        appended_rows_are_not_checked,
    }
}

const SUBNETS: &str =
    r#""subnet6": [ { "id": 1, "subnet": "2001:db8:1::/64" }, { "id": 2, "subnet": "2001:db8:2::/64" } ]"#;

/// Host (of subnet 1, or of none if it is above 0x90), client, subnet id, lease type, valid lifetime.
type LeaseRow = (u16, &'static str, u32, u8, u32);

const ROWS: &[LeaseRow] = &[
    // A valid row, then one that is discarded.
    (0x10, "10", 1, 0, 4_294_967_295),
    (0x10, "11", 2, 0, 4_294_967_295),
    // A discarded row that would end the lease.
    (0x11, "12", 1, 0, 4_294_967_295),
    (0x11, "12", 9, 0, 0),
    // A temporary address is not checked.
    (0x12, "13", 1, 0, 4_294_967_295),
    (0x12, "14", 2, 1, 4_294_967_295),
    // Both rows are discarded.
    (0x13, "15", 2, 0, 4_294_967_295),
    (0x13, "16", 9, 0, 4_294_967_295),
    // One row is discarded, the other is not.
    (0x14, "17", 2, 0, 4_294_967_295),
    (0x14, "18", 1, 0, 4_294_967_295),
];

fn text((host, client, subnet_id, lease_type, valid_lifetime): LeaseRow) -> String {
    format!(
        "2001:db8:1::{host:x},{},{valid_lifetime},4102444800,{subnet_id},{valid_lifetime},{lease_type},1,128,0,0,,,0,,1,0,0\n",
        duid(client)
    )
}

/// Models Kea's loader: returns the client of each host, without discarded rows if `discards`.
fn loaded(discards: bool) -> BTreeMap<u16, &'static str> {
    let mut holders = BTreeMap::new();
    for &(host, client, subnet_id, lease_type, valid_lifetime) in ROWS {
        if discards && lease_type == 0 && subnet_id != 1 {
            continue;
        }
        if valid_lifetime == 0 {
            holders.remove(&host)
        } else {
            holders.insert(host, client)
        };
    }
    holders
}

fn config(checks: &str) -> String {
    format!(r#""sanity-checks": {{ "lease-checks": "{checks}" }}, {SUBNETS}"#)
}

fn start(checks: &str) -> (Fixture, Lqd) {
    let mut rows = String::new();
    ROWS.iter().for_each(|&row| write!(rows, "{}", text(row)).unwrap_or_default());
    let fixture = network(&config(checks), &rows);
    let lqd = Lqd::start(&fixture.flags());
    (fixture, lqd)
}

fn discarded_rows_leave_older_rows() -> Result<(), Failed> {
    for (checks, discards) in [("del", true), ("fix", false), ("none", false), ("fix-del", false)] {
        let (_fixture, lqd) = start(checks);
        let holders = loaded(discards);
        for client in ["10", "11", "12", "13", "14", "15", "16", "17", "18"] {
            let held: Vec<_> = holders.iter().filter(|(_, holder)| **holder == client).collect();
            let (result, addresses) = ask(&lqd, &["duid", &duid(client)]);
            let expected: Vec<_> = held.iter().map(|(host, _)| format!("2001:db8:1::{host:x}")).collect();
            assert_eq!(addresses, expected, "client {client}, {checks}: {result}");
        }
    }
    Ok(())
}

/// Kea checks leases only at load: it keeps rows that it appends itself, until a changed configuration makes
/// it reload.
fn appended_rows_are_not_checked() -> Result<(), Failed> {
    let (fixture, lqd) = start("del");
    let row = (0x20, "20", 2, 0, 4_294_967_295);
    fixture.append_leases(&text(row));
    let await_result = |wanted: &str| {
        let until = Until::patience();
        while ask(&lqd, &["duid", &duid("20")]).0 != wanted {
            assert!(until.pending(), "never {wanted}: {}", lqd.log());
        }
    };
    await_result("found");
    lqd.signal("HUP");
    await_result("no-binding");
    fixture.write_kea_config(&kea_config(&config("none")));
    lqd.signal("HUP");
    await_result("found");
    Ok(())
}

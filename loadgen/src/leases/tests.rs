use std::path::PathBuf;

use super::read::ReadSummary;
use super::*;
use crate::error::Error;

const HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,prefix_len,\
                      fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id\n";

/// Reads a file with these rows at time 1000.
fn read_rows(rows: &str) -> Result<(Clients, ReadSummary), Error> {
    read_files(&[&format!("{HEADER}{rows}")])
}

fn read_files(files: &[&str]) -> Result<(Clients, ReadSummary), Error> {
    let directory = tempfile::tempdir().unwrap();
    let write = |(number, text): (usize, &&str)| -> PathBuf {
        let path = directory.path().join(number.to_string());
        std::fs::write(&path, text).unwrap();
        path
    };
    let paths: Vec<PathBuf> = files.iter().enumerate().map(write).collect();
    read(&paths, 1000)
}

fn address(address: &str, duid: &str) -> String {
    format!("{address},{duid},4000,5000,1,3000,0,1,128,0,0,,,0,,,,0\n")
}

fn prefix(address: &str, len: u8, duid: &str) -> String {
    format!("{address},{duid},4000,5000,1,3000,2,1,{len},0,0,,,0,,,,0\n")
}

/// Renders each client as text, in order.
fn shown(clients: &Clients) -> Vec<String> {
    let one = |number| {
        let client = clients.get(number);
        let leases: Vec<String> = client
            .leases()
            .map(|lease| match lease.kind {
                LeaseKind::Address => lease.address.to_string(),
                LeaseKind::Prefix(len) => format!("{}/{len}", lease.address),
            })
            .collect();
        format!("{:?} {}", client.duid, leases.join(" "))
    };
    (0..clients.len()).map(one).collect()
}

#[test]
fn rows_are_grouped_by_client_and_kinds_are_ranges() {
    let rows = [
        prefix("2001:db8:a00::", 56, "00:01"),
        address("2001:db8::2", "00:02"),
        address("2001:db8::3", "00:03"),
        prefix("2001:db8:b00::", 40, "00:02"),
        address("2001:db8::4", "00:02"),
    ]
    .concat();
    let (clients, summary) = read_rows(&rows).unwrap();
    let expected = [
        "[0, 3] 2001:db8::3",
        "[0, 2] 2001:db8::2 2001:db8::4 2001:db8:b00::/40",
        "[0, 1] 2001:db8:a00::/56",
    ];
    assert_eq!(shown(&clients), expected);
    assert_eq!((clients.with_address(), clients.with_prefix()), (0..2, 1..3));
    assert_eq!((clients.leases(), summary.rows, summary.bad), (5, 5, 0));
}

#[test]
fn the_last_row_of_an_address_wins() {
    let rows = [
        address("2001:db8::1", "00:01"),
        address("2001:db8::2", "00:01"),
        address("2001:db8::3", "00:01"),
        address("2001:db8::1", "00:02"),
        address("2001:db8::2", "00:01").replace(",4000,5000,", ",0,1000,"),
    ]
    .concat();
    let (clients, _) = read_rows(&rows).unwrap();
    assert_eq!(shown(&clients), ["[0, 1] 2001:db8::3", "[0, 2] 2001:db8::1"]);
    let later = format!("{HEADER}{}", address("2001:db8::3", "00:03"));
    let (clients, _) = read_files(&[&format!("{HEADER}{rows}"), &later]).unwrap();
    assert_eq!(shown(&clients), ["[0, 2] 2001:db8::1", "[0, 3] 2001:db8::3"], "a later file wins, too");
}

#[test]
fn expired_leases_are_not_kept() {
    let over = address("2001:db8::1", "00:01").replace(",5000,", ",1000,");
    let endless = address("2001:db8::2", "00:02").replace(",4000,5000,", ",4294967295,4294967395,");
    let (clients, _) = read_rows(&[over, endless].concat()).unwrap();
    assert_eq!(shown(&clients), ["[0, 2] 2001:db8::2"]);
    assert_eq!(clients.get(0).leases().next().unwrap().expire(), NEVER);
}

#[test]
fn prefixes_of_every_length_survive_packing() {
    for len in 0..=128 {
        let (clients, _) =
            read_rows(&prefix("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", len, "00:01")).unwrap();
        let bits = "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".parse::<Ipv6Addr>().unwrap().to_bits();
        let network = bits & !u128::MAX.checked_shr(u32::from(len)).unwrap_or(0);
        let lease = clients.get(0).leases().next().unwrap();
        assert_eq!((lease.kind, lease.address.to_bits()), (LeaseKind::Prefix(len), network));
    }
}

#[test]
fn a_common_lease_takes_under_42_bytes() {
    let client = |n: u32| {
        let duid = format!("00:01:00:01:00:00:00:00:02:00:{:02x}:{:02x}:00:00", n >> 8, n & 255);
        address(&format!("3fff::{n:x}"), &duid) + &prefix(&format!("3fff:800:{n:x}::"), 56, &duid)
    };
    let (clients, _) = read_rows(&(0..1000).map(client).collect::<String>()).unwrap();
    let octets = clients.records.capacity() + 4 * clients.starts.len();
    assert_eq!(clients.leases(), 2000);
    assert!(octets <= 41 * 2000, "{octets} bytes for 2,000 leases");
}

#[test]
fn unreadable_rows_are_counted_and_the_first_is_named() {
    let rows = ["\n", &address("2001:db8::1", "00:01"), "rubbish\n", &address("2001:db8::2", "")].concat();
    let (clients, summary) = read_rows(&rows).unwrap();
    assert_eq!((clients.leases(), summary.rows, summary.bad), (1, 3, 2));
    assert!(summary.first_bad.unwrap().ends_with("0:4: a missing column"));
}

#[test]
fn useless_files_are_refused() {
    assert!(matches!(read_files(&[""]), Err(Error::Header { .. })));
    assert!(matches!(read_files(&["address,hwaddr\n"]), Err(Error::Header { .. })));
    assert!(matches!(read_rows(""), Err(Error::NoLeases { rows: 0, .. })));
    let error = read_rows("rubbish\n").unwrap_err().to_string();
    assert!(error.contains("1 rows read, 1 of them unreadable, first "), "{error}");
    let missing = read(&[PathBuf::from("/no/such/leases.csv")], 0).unwrap_err();
    assert!(missing.to_string().starts_with("/no/such/leases.csv: "), "{missing}");
}

#[test]
fn the_last_transaction_about_expired_leases_is_kept() {
    let row = |address: &str, valid: u32, expire: u32| {
        format!("{address},00:01,{valid},{expire},1,50,0,1,128,0,0,,,0,,,,0\n")
    };
    let rows =
        [row("2001:db8::1", 900, 1600), row("2001:db8::2", 10, 910), row("2001:db8::3", 10, 990)].concat();
    let (clients, _) = read_rows(&rows).unwrap();
    assert_eq!(shown(&clients), ["[0, 1] 2001:db8::1"]);
    let client = clients.get(0);
    assert_eq!((client.heard, client.leases().next().unwrap().cltt), (980, 700));
}

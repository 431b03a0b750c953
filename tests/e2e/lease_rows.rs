//! Odd rows of a lease file: lqd must make the same leases of them as Kea.
//!
//! `kea-lfc` reads lease files with the server's own code and writes the remaining leases. Each odd row
//! follows a good one for the same address, which shows Kea's verdict: the older lease stays, goes, or is
//! replaced. lqd's verdict is the result of an index lookup. Kea's output is parsed here, column by column,
//! without lqd's code.

mod host_bits;
mod odd;

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv6Addr;
use std::num::NonZeroUsize;

use libtest_mimic::{Failed, Trial};
use lqd_feed::kea_memfile::{Columns, KeaMemfile, RowParser};
use lqd_feed::{LeaseSource, LoadRequest};
use lqd_index::{Batch, Change, Covering, LeaseKind, Links, Lookup, StoredOptions, Writer};

use crate::support::hex::parse_hex;
use crate::support::kea_lfc::{kea_lfc, with_suffix};
use crate::support::need::trial;
use crate::support::random::Random;
use crate::support::{Need, all_passed};
use odd::{Case, HEADER};

/// Time of all lookups: before any lease expires.
const NOW: u32 = 0;

/// Most odd rows in a file: kea-lfc gives up at the 101st that it drops.
const ROWS_MAX: usize = 100;

pub(crate) fn trials() -> Vec<Trial> {
    let needs = &[Need::KeaLfc];
    vec![
        trial("lease_rows: each odd value gives Kea's lease", needs, every_odd_value),
        trial("lease_rows: rows with several odd values give Kea's leases", needs, several_odd_values),
        trial("lease_rows: rows of any number of columns give Kea's leases", needs, numbers_of_columns),
        trial("lease_rows: colliding prefixes with host bits give Kea's leases", needs, host_bits::collide),
        trial("lease_rows: a file is read if and only if Kea reads its header", needs, headers),
    ]
}

fn every_odd_value() -> Result<(), Failed> {
    compare(&odd::one_by_one())
}

fn several_odd_values() -> Result<(), Failed> {
    let mut random = Random(11);
    for _ in 0..6 {
        compare(&(0..500).map(|number| odd::mixed(number, &mut random)).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// Schemas of every version of Kea; rows shorter or longer than their header.
fn numbers_of_columns() -> Result<(), Failed> {
    let names: Vec<&str> = HEADER.split(',').collect();
    // A lone value may be half an address, and lqd ignores it; a row of two values is complete.
    for count in 12..=20 {
        let header: Vec<&str> = names.iter().copied().chain(["new_1", "new_2"]).take(count).collect();
        let cases: Vec<Case> = (2..=22).map(odd::of_values).collect();
        compare_with(&header.join(","), &cases)?;
    }
    Ok(())
}

fn headers() -> Result<(), Failed> {
    let row = "2001:db8::1,00:03:00:01:02,4000,1700004000,1,3000,0,7,128,0,0,,,0,,1,0,0";
    let names = |count| HEADER.split(',').take(count).collect::<Vec<_>>().join(",");
    let files = [
        format!("{HEADER}\n{row}\n"),
        format!("\n\n{HEADER}\n\n{row}\n\n"),
        format!("\n{HEADER}\n{row}"),
        format!("\r\n{HEADER}\n{row}\n"),
        format!(" \n{HEADER}\n{row}\n"),
        format!("{}\r\n{row}\r\n", names(17)),
        format!(" {HEADER}\n{row}\n"),
        format!("\u{feff}{HEADER}\n{row}\n"),
        format!("{HEADER},\n{row}\n"),
        format!("{HEADER},x,y\n{row}\n"),
        format!("{},\n{row}\n", names(12)),
        format!("{}\n{row}\n", names(12)),
        format!("{}\n{row}\n", names(11)),
        format!("{},x\n{row}\n", names(12)),
        format!("{},x\n{row}\n", names(11)),
        format!("{}\n{row}\n", HEADER.replace("duid", "DUID")),
        format!("{}\n{row}\n", HEADER.replace("duid", "\"duid\"")),
        format!("{}\n{row}\n", HEADER.replace("hwtype,hwaddr_source", "hwaddr_source,hwtype")),
        format!("{}\n{row}\n", HEADER.replace("address,duid", "duid,address")),
        format!("{}\n{row}\n", HEADER.replace(',', ", ")),
        format!("{}\n{row}\n", HEADER.replace(',', ";")),
        format!("# comment\n{HEADER}\n{row}\n"),
        format!("{row}\n"),
    ];
    for text in files {
        let kea = kea(text.as_bytes());
        let lqd = Lqd::read(text.as_bytes());
        let rows = |found: Option<usize>| found.map_or("refused".into(), |count| format!("{count} leases"));
        let (kea, lqd) = (kea.map(|rows| rows.len()), lqd.ok().map(|lqd| lqd.leases));
        if kea != lqd {
            return Err(format!("{text:?}: Kea {}, lqd {}", rows(kea), rows(lqd)).into());
        }
    }
    Ok(())
}

fn compare(cases: &[Case]) -> Result<(), Failed> {
    compare_with(HEADER, cases)
}

fn compare_with(header: &str, cases: &[Case]) -> Result<(), Failed> {
    let mut failures = Vec::new();
    for cases in cases.chunks(ROWS_MAX) {
        failures.extend(compare_file(header, cases)?);
    }
    all_passed(&failures)
}

/// Returns the differences between Kea and lqd.
fn compare_file(header: &str, cases: &[Case]) -> Result<Vec<String>, Failed> {
    let mut text = format!("{header}\n").into_bytes();
    for case in cases {
        text.extend_from_slice(case.older.as_bytes());
        text.push(b'\n');
        text.extend_from_slice(&case.odd);
        text.push(b'\n');
    }
    let rows = kea(&text).ok_or("Kea refuses the file")?;
    let kea: BTreeMap<Ipv6Addr, &KeaRow> = rows.iter().filter_map(|row| Some((row.address?, row))).collect();
    let mut lqd = Lqd::read(&text)?;
    let mut failures = Vec::new();
    for case in cases {
        let (by_kea, by_lqd) = (outcome(kea.get(&case.address).copied()), lqd.look_up(case.address));
        if !agree(case, by_kea.clone(), by_lqd.clone()) {
            failures.push(format!("{}\n  Kea {by_kea:?}\n  lqd {by_lqd:?}", case.odd.escape_ascii()));
        }
    }
    Ok(failures)
}

/// Verdict on an address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// Kea: the odd row was dropped, and the older lease stays. lqd: the row is unreadable, and the address
    /// uncertain.
    Dropped,
    /// No lease, or one in a state that is no binding.
    Gone,
    /// The lease of the odd row.
    New(Box<Lease>),
    /// lqd: the older lease stays.
    Old,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Lease {
    duid: Vec<u8>,
    valid_lifetime: u32,
    preferred_lifetime: u32,
    cltt: u32,
    subnet_id: u32,
    lease_type: i64,
    /// Prefix length; 128 for addresses.
    prefix_len: u8,
    /// All options, in wire form.
    options: Vec<u8>,
}

/// Returns whether both verdicts agree, but for leases that Kea 2.2 keeps although no reply could hold them:
/// neither an address nor a prefix, a prefix of impossible length, Kea 3's mark for no DUID.
///
/// If lqd cannot read the address, nor can Kea, and there is no lease to mark.
fn agree(case: &Case, kea: Outcome, lqd: Outcome) -> bool {
    let value = |column| {
        case.odd.split(|&octet| octet == b',').nth(column).and_then(|value| str::from_utf8(value).ok())
    };
    match (kea, lqd) {
        (Outcome::Dropped, Outcome::Old) => {
            value(0).is_none_or(|address| address.parse::<Ipv6Addr>().is_err())
        }
        // Only Kea 2.2 reads the prefix length of an address.
        (Outcome::Dropped, Outcome::New(lqd)) => {
            lqd.lease_type == 0 && value(8).is_none_or(|len| len.parse::<i32>().is_err())
        }
        (Outcome::Gone, Outcome::Dropped) => matches!(value(1), Some("00:00:00" | "000000")),
        (Outcome::New(kea), Outcome::Dropped) => {
            !(0..=2).contains(&kea.lease_type)
                || kea.lease_type == 2 && !(48..=128).contains(&kea.prefix_len)
                || kea.duid == [0, 0, 0]
        }
        (Outcome::New(kea), Outcome::New(lqd)) => {
            let lease_type = if kea.lease_type == 1 { 0 } else { kea.lease_type };
            Lease { lease_type, ..*kea } == *lqd
        }
        (kea, lqd) => kea == lqd,
    }
}

/// A row that Kea wrote.
struct KeaRow {
    /// `None` for an IPv4 address, or one with a zone.
    address: Option<Ipv6Addr>,
    state: u32,
    lease: Lease,
}

/// Parses a row of Kea's output.
fn kea_row(line: &str) -> KeaRow {
    let values: Vec<&str> = line.split(',').collect();
    let number = |column: usize| values[column].parse::<u64>().expect("Kea writes numbers");
    let lease_type = values[6].parse().expect("Kea writes numbers");
    let valid_lifetime = number(2) as u32;
    let lease = Lease {
        duid: parse_hex(values[1]).expect("Kea writes octets"),
        valid_lifetime,
        preferred_lifetime: number(5) as u32,
        cltt: (number(3) as u32).wrapping_sub(valid_lifetime),
        subnet_id: number(4) as u32,
        lease_type,
        prefix_len: if lease_type == 2 { number(8) as u8 } else { 128 },
        options: options(line),
    };
    KeaRow { address: values[0].parse().ok(), state: number(13) as u32, lease }
}

/// Parses the options of a row that Kea wrote; this uses lqd's code, which its own tests check against the
/// RFCs.
fn options(line: &str) -> Vec<u8> {
    let columns = Columns::from_header(HEADER.as_bytes()).expect("a header");
    let mut batch = Batch::new();
    let _ = RowParser::new().parse(columns, line.as_bytes(), &mut batch);
    let options = batch.changes().find_map(|change| match change {
        Change::Put(lease) => Some(lease.options.to_vec()),
        _ => None,
    });
    options.unwrap_or_default()
}

fn outcome(row: Option<&KeaRow>) -> Outcome {
    match row {
        Some(row) if row.lease.duid == odd::OLDER_DUID => Outcome::Dropped,
        Some(row) if row.state == 0 => Outcome::New(Box::new(row.lease.clone())),
        _ => Outcome::Gone,
    }
}

/// Returns the addresses of Kea's leases from this file; `None` for other than IPv6 addresses.
pub(crate) fn kept_by_kea(text: &[u8]) -> Result<Vec<Option<Ipv6Addr>>, Failed> {
    let rows = kea(text).ok_or("Kea refuses the file")?;
    Ok(rows.iter().map(|row| row.address).collect())
}

/// Runs Kea's cleanup on this file, and returns the remaining leases; `None` if Kea rejects the file.
fn kea(text: &[u8]) -> Option<Vec<KeaRow>> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let current = folder.path().join("leases");
    fs::write(with_suffix(&current, ".1"), text).expect("the folder is writable");
    if !kea_lfc(&current).expect("kea-lfc runs").status.success() {
        return None;
    }
    let output = fs::read(with_suffix(&current, ".2")).ok()?;
    let output = String::from_utf8_lossy(&output);
    Some(output.lines().skip(1).map(kea_row).collect())
}

/// An index loaded from a lease file.
struct Lqd {
    reader: lqd_index::Reader,
    leases: usize,
}

impl Lqd {
    fn read(text: &[u8]) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("kea-leases6.csv");
        // Loaded as a file that Kea has rotated away, whose last line needs no end.
        fs::write(file.with_extension("csv.1"), text)?;
        fs::write(&file, format!("{HEADER}\n"))?;
        let links = Links::default();
        let request = LoadRequest::new(&links, NonZeroUsize::MIN, true);
        let loaded = KeaMemfile::new(file).load(&request)?;
        let (mut writer, store) = Writer::new();
        let leases = writer.replace_by(loaded.rows.into_loader(), None).put;
        Ok(Self { reader: store.reader().ok_or("no place for a reader")?, leases })
    }

    fn look_up(&mut self, address: Ipv6Addr) -> Outcome {
        let leases = self.reader.pin();
        let found = leases.find(Lookup::Covering(address), NOW);
        let Some(found) = found else { return Outcome::Gone };
        if found.client.is_unreadable() {
            return Outcome::Dropped;
        }
        let Some(binding) = found.covering().map(Covering::binding) else { return Outcome::Gone };
        let mut duid = vec![0; found.client.duid_len()];
        found.client.copy_duid(&mut duid);
        if duid == odd::OLDER_DUID {
            return Outcome::Old;
        }
        Outcome::New(Box::new(Lease {
            duid,
            valid_lifetime: binding.valid_lifetime,
            preferred_lifetime: binding.preferred_lifetime,
            cltt: binding.cltt,
            subnet_id: binding.subnet_id,
            lease_type: if binding.kind == LeaseKind::Prefix { 2 } else { 0 },
            prefix_len: binding.prefix_len,
            options: octets(found.client.options(&binding)),
        }))
    }
}

/// Returns options in wire form.
fn octets(options: StoredOptions<'_>) -> Vec<u8> {
    let mut octets = Vec::new();
    for (_, option) in options.iter() {
        let start = octets.len();
        octets.resize(start + option.wire_len(), 0);
        option.copy_into(&mut octets[start..]);
    }
    octets
}

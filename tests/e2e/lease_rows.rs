//! Odd rows of a lease file: Kea and lqd must make the same leases of them.
//!
//! Kea is the judge, by `kea-lfc`, which reads lease files with the server's own code and writes the leases that are left.
//! Each odd row comes after a good one for the same address, so that what Kea made of it shows: the older lease stays, or
//! is gone, or is replaced. What lqd made of it is what a look-up in the index finds. What Kea writes is read here, column
//! by column, without lqd's code.

mod host_bits;
mod odd;

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv6Addr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use lqd_feed::kea_memfile::{Columns, KeaMemfile, RowParser};
use lqd_feed::{LeaseSource, LoadRequest};
use lqd_index::{Batch, Change, Covering, LeaseKind, Links, LookUp, StoredOptions, Writer};

use crate::support::Need;
use crate::support::need::trial;
use odd::{Case, HEADER, Random};

/// When all leases are looked up: no lease is over before it began.
const NOW: u32 = 0;

/// Odd rows in a file: kea-lfc gives up at the 101st that it drops.
const ROWS_MAX: usize = 100;

pub(crate) fn trials() -> Vec<Trial> {
    let needs = &[Need::KeaLfc];
    vec![
        trial("lease_rows: every odd value gives the lease that Kea makes of it", needs, every_odd_value),
        trial("lease_rows: rows with several odd values give Kea's leases", needs, several_odd_values),
        trial("lease_rows: rows of any number of columns give Kea's leases", needs, numbers_of_columns),
        trial("lease_rows: prefixes with host bits that collide are Kea's leases", needs, host_bits::collide),
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

/// Schemas of every version of Kea, and rows that are shorter or longer than their header.
fn numbers_of_columns() -> Result<(), Failed> {
    let names: Vec<&str> = HEADER.split(',').collect();
    // An address alone may be the half of one, and lqd makes nothing of it; from two values on, it is whole.
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
    let mut faults = Vec::new();
    for cases in cases.chunks(ROWS_MAX) {
        faults.extend(compare_file(header, cases)?);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

/// Where Kea and lqd differ.
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
    let mut faults = Vec::new();
    for case in cases {
        let (by_kea, by_lqd) = (outcome(kea.get(&case.address).copied()), lqd.look_up(case.address));
        if !agree(case, by_kea.clone(), by_lqd.clone()) {
            faults.push(format!("{}\n  Kea {by_kea:?}\n  lqd {by_lqd:?}", case.odd.escape_ascii()));
        }
    }
    Ok(faults)
}

/// What became of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// Kea: the odd row was dropped, and the older lease stands. lqd: it cannot be read, and nobody is said to hold it.
    Dropped,
    /// No lease, or one in a state that is no binding.
    Gone,
    /// A lease of the odd row.
    New(Box<Lease>),
    /// lqd: the older lease stands.
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
    /// 128 but for prefixes.
    prefix_len: u8,
    /// All of them, in wire form.
    options: Vec<u8>,
}

/// Both are right. The same, but for leases that Kea 2.2 keeps and nobody could be told of: neither an address nor a
/// prefix, a prefix of no possible length, and Kea 3's mark for no DUID, which Kea 2.2 does not know.
///
/// Where lqd cannot read the address, no more than Kea, it has nothing to mark.
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

/// A row that Kea writes.
struct KeaRow {
    /// None: an IPv4 address, or one with a zone.
    address: Option<Ipv6Addr>,
    state: u32,
    lease: Lease,
}

/// By the columns that Kea writes, none of them odd.
fn kea_row(line: &str) -> KeaRow {
    let values: Vec<&str> = line.split(',').collect();
    let number = |column: usize| values[column].parse::<u64>().expect("Kea writes numbers");
    let octet = |text: &str| u8::from_str_radix(text, 16).expect("Kea writes octets");
    let lease_type = values[6].parse().expect("Kea writes numbers");
    let valid_lifetime = number(2) as u32;
    let lease = Lease {
        duid: values[1].split(':').map(octet).collect(),
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

/// What lqd makes of the options in a row as Kea writes it, which its own tests hold to the RFCs.
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

/// The addresses of the leases that Kea makes of this file, as far as they are IPv6 addresses.
pub(crate) fn kept_by_kea(text: &[u8]) -> Result<Vec<Option<Ipv6Addr>>, Failed> {
    let rows = kea(text).ok_or("Kea refuses the file")?;
    Ok(rows.iter().map(|row| row.address).collect())
}

/// The leases that Kea's clean-up leaves of this file; none if it refuses the file.
fn kea(text: &[u8]) -> Option<Vec<KeaRow>> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = |suffix: &str| folder.path().join(format!("leases.{suffix}"));
    fs::write(file("1"), text).expect("the folder is writable");
    let mut command = Command::new("kea-lfc");
    command.arg("-6").arg("-c").arg(Path::new("unused"));
    for (flag, suffix) in [("-x", "2"), ("-i", "1"), ("-o", "output"), ("-f", "completed"), ("-p", "pid")] {
        command.arg(flag).arg(file(suffix));
    }
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin")).env("KEA_LOCKFILE_DIR", folder.path());
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !status.expect("kea-lfc runs").success() {
        return None;
    }
    let output = fs::read(file("2")).ok()?;
    let output = String::from_utf8_lossy(&output);
    Some(output.lines().skip(1).map(kea_row).collect())
}

/// A lease file, read and indexed.
struct Lqd {
    reader: lqd_index::Reader,
    leases: usize,
}

impl Lqd {
    fn read(text: &[u8]) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("kea-leases6.csv");
        // As a file that Kea has left, whose last line needs no end.
        fs::write(file.with_extension("csv.1"), text)?;
        fs::write(&file, format!("{HEADER}\n"))?;
        let request = LoadRequest { links: &Links::default(), threads: NonZeroUsize::MIN, replaces: true };
        let loaded = KeaMemfile::new(file).load(&request)?;
        let (mut writer, store) = Writer::new();
        let leases = writer.replace_by(loaded.rows, None).put;
        Ok(Self { reader: store.reader().ok_or("no place for a reader")?, leases })
    }

    fn look_up(&mut self, address: Ipv6Addr) -> Outcome {
        let leases = self.reader.pin();
        let mut found = [None];
        leases.look_up(NOW, &[LookUp::Covering(address)], &mut found);
        let Some(found) = found[0] else { return Outcome::Gone };
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

/// Options in wire form.
fn octets(options: StoredOptions<'_>) -> Vec<u8> {
    let mut octets = Vec::new();
    for (_, option) in options.iter() {
        let start = octets.len();
        octets.resize(start + option.len(), 0);
        option.copy_into(&mut octets[start..]);
    }
    octets
}

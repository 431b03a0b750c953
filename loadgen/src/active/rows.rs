//! Rows of the churn, as Kea writes them, and the leases that they leave.
//!
//! Valid and preferred lifetime of a lease differ by the number of its row. Both count down together, so the
//! difference tells the row at any later time, in the file and on the wire.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use super::churn::{Change, Removal};
use super::pool::Pool;
use super::table::Table;
use crate::error::Error;
use crate::leases::{self, LeaseKind, LeaseRow};
use crate::make_leases::{put_address, put_decimal, put_hex};

/// Valid lifetime in seconds: more than the largest row number, and its end fits 32 bits until 2090.
pub(super) const VALID: u32 = 500_000_000;
/// Lifetimes of leases that Kea reclaims, which have ended a second ago.
const SHORT: u32 = 3600;
/// Probation period of a declined address.
const PROBATION: u32 = 86_400;
/// Longest row: two texts of 39 and 41 characters, numbers, and the end of the line.
pub(super) const ROW_LEN_MAX: usize = 160;

/// Numbers of a row that differ by the kind of change.
struct Fields {
    valid: u32,
    expire: u32,
    preferred: u32,
    state: u8,
}

impl Fields {
    fn new(change: &Change, now: u32) -> Self {
        let (valid, expire, preferred, state) = match change.removal {
            None => (VALID, now + VALID, VALID - change.row, 0),
            // Kea deletes a lease by a row without lifetimes, as it writes a release with lease affinity.
            Some(Removal::Deleted) => (0, now, 0, 0),
            Some(Removal::Released) => (0, now, 0, 3),
            Some(Removal::Reclaimed) => (SHORT, now - 1, SHORT / 2, 2),
            Some(Removal::Declined) => (PROBATION, now + PROBATION, 0, 1),
        };
        Self { valid, expire, preferred, state }
    }
}

/// Appends the row of a change at this time, seconds since 1970.
pub(super) fn put(out: &mut Vec<u8>, pool: &Pool, change: &Change, now: u32) {
    let fields = Fields::new(change, now);
    let (address, len) = pool.address(change.slot);
    put_address(out, address);
    out.push(b',');
    // A declined lease belongs to no client.
    let declined = change.removal == Some(Removal::Declined);
    let duid = pool.duid(change.client);
    put_hex(out, if declined { &[0; 3] } else { &duid[..] }, Some(b':'));
    let lease_type = if len == 128 { 0 } else { 2 };
    let subnet_id = pool.subnet(change.slot).id;
    for number in
        [fields.valid, fields.expire, subnet_id, fields.preferred, lease_type, change.client, len.into()]
    {
        out.push(b',');
        put_decimal(out, number.into());
    }
    out.extend_from_slice(b",0,0,,,");
    put_decimal(out, fields.state.into());
    out.extend_from_slice(b",,,,0\n");
}

/// Reads the rows from this offset on, and returns the leases that they leave.
pub(super) fn read(path: &Path, from: u64, pool: &Pool) -> Result<Table, Error> {
    let mut file = File::open(path).map_err(Error::file(path))?;
    file.seek(SeekFrom::Start(from)).map_err(Error::file(path))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut table, mut line, mut duid) = (Table::new(pool.slots()), Vec::new(), Vec::new());
    while reader.read_until(b'\n', &mut line).map_err(Error::file(path))? > 0 {
        let row = leases::parse(line.trim_ascii_end(), &mut duid);
        row.ok()
            .and_then(|row| apply(&mut table, pool, &row, &duid))
            .ok_or_else(|| Error::ForeignWriter(path.into()))?;
        line.clear();
    }
    Ok(table)
}

/// Applies a row; none if it is not of this run.
fn apply(table: &mut Table, pool: &Pool, row: &LeaseRow, duid: &[u8]) -> Option<()> {
    let len = match row.lease.kind {
        LeaseKind::Address => 128,
        LeaseKind::Prefix(len) => len,
    };
    let slot = pool.slot(row.lease.address, len)?;
    if row.assigned {
        table.put(slot, pool.client(duid)?, row.lease.valid.checked_sub(row.lease.preferred)?);
    } else if let Some(holder) = table.entry(slot).holder {
        table.remove(slot, holder);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::super::churn::Churn;
    use super::super::pool::tests::leases;
    use super::*;

    fn row(slot: u32, client: u32, removal: Option<Removal>) -> String {
        let pool = Pool::new(&leases(""), 8, 1).unwrap();
        let mut out = Vec::new();
        put(&mut out, &pool, &Change { row: 9, slot, client, removal }, 1_700_000_000);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_those_of_kea() {
        let duid = "00:02:00:00:7e:d9:00:00:00:01:00:00:00:03";
        assert_eq!(
            row(0, 3, None),
            format!("2001:db8:0:0:fffe::,{duid},500000000,2200000000,1,499999991,0,3,128,0,0,,,0,,,,0\n")
        );
        assert_eq!(
            row(3, 3, Some(Removal::Released)),
            format!("2001:db8:7:0:ffff:0:3:0,{duid},0,1700000000,7,0,2,3,112,0,0,,,3,,,,0\n")
        );
        assert!(row(0, 3, Some(Removal::Deleted)).ends_with(",0,1700000000,1,0,0,3,128,0,0,,,0,,,,0\n"));
        assert!(
            row(0, 3, Some(Removal::Reclaimed)).contains(",3600,1699999999,1,1800,0,3,128,0,0,,,2,,,,0\n")
        );
        let declined = "2001:db8:0:0:fffe::,00:00:00,86400,1700086400,1,0,0,3,128,0,0,,,1,,,,0\n";
        assert_eq!(row(0, 3, Some(Removal::Declined)), declined);
    }

    #[test]
    fn the_file_leaves_the_leases_that_were_drawn() {
        let pool = Pool::new(&leases(""), 50, 1).unwrap();
        let (mut churn, mut text) = (Churn::new(&pool, 5), b"skipped,".to_vec());
        for _ in 0..2000 {
            let len = text.len();
            put(&mut text, &pool, &churn.next(), 1_700_000_000);
            assert!(text.len() - len <= ROW_LEN_MAX);
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("leases");
        std::fs::write(&path, &text).unwrap();
        let read = read(&path, 8, &pool).unwrap();
        assert_eq!(read.digest(), churn.table().digest());
        assert!((10..50).contains(&read.digest().0));
        let counts = churn.counts;
        assert!(counts.new > 100 && counts.renewed > 500 && counts.moved > 100 && counts.removed > 100);
        assert!(matches!(super::read(&path, 0, &pool), Err(Error::ForeignWriter(_))));
    }
}

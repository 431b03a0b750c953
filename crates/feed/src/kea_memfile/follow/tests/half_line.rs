//! A last line without end, which Kea takes as a row when it loads the file: its address is never said to be
//! free.

use crate::source::LoadRequest;
use lqd_index::{LeaseKind, Links};

use super::cases::{agree, lease, setting};
use super::kea::{Kea, line};
use super::*;
use crate::kea_memfile::follow::FileTrouble;
use crate::kea_memfile::lines::LINE_LEN_MAX;
use crate::kea_memfile::load::Position;

/// A line without end that is seen to stand, and is waited for.
const STANDS: Times = Times { written_within: Duration::ZERO, left_after: NEVER };
/// A line without end that its writer has left.
const LEFT: Times = Times { written_within: Duration::ZERO, left_after: Duration::ZERO };

/// A file that ends with the beginning of a row of lease 2, and its load.
fn loaded(text: &str) -> (Kea, Position, Batch) {
    let mut kea = Kea::new();
    kea.append(lease(1));
    kea.write(text);
    let loaded =
        load::<Batches>(&kea.files, &LoadRequest::new(&Links::default(), NonZeroUsize::MIN, true)).unwrap();
    assert_eq!((loaded.files[0].tally.rows, loaded.files[0].tally.bad_rows), (1, 0));
    let mut known = Batch::new();
    for batch in loaded.rows.into_batches() {
        batch.changes().for_each(|change| known.push(change).unwrap());
    }
    (kea, loaded.position, known)
}

/// The result for lease 2; `None` if there is none, not even that it cannot be read.
fn said(batches: &[&Batch]) -> Option<Option<(u32, u32)>> {
    let changes = batches.iter().flat_map(|batch| batch.changes());
    changes
        .filter_map(|change| match change {
            Change::Put(lease) if lease.address == super::cases::lease(2).0 => {
                assert_eq!((lease.kind, lease.duid), (LeaseKind::Address, &[0, 1, 2, 3][..]));
                Some(Some((lease.subnet_id, lease.cltt)))
            }
            Change::Unreadable { address, .. } if address == super::cases::lease(2).0 => Some(None),
            _ => None,
        })
        .last()
}

/// The row at each length: from its load on, and once it is not continued.
#[test]
fn the_address_of_half_a_row_is_unreadable_and_a_whole_row_a_lease() {
    let row = line(lease(2));
    let row = row.trim_end();
    let address_len = row.find(',').unwrap();
    let duid_end = address_len + 1 + row[address_len + 1..].find(',').unwrap();
    let last_column = row.rfind(',').unwrap() + 1;
    for len in 1..=row.len() {
        let (mut kea, position, known) = loaded(&row[..len]);
        let marked = (len > address_len).then_some(None);
        assert_eq!(said(&[&known]), marked, "{len} octets, loaded");
        let mut follower = Follower::new(&kea.files, position).unwrap();
        follower.times = STANDS;
        assert!(follower.status().is_incomplete, "it may go on with any lease");
        let mut rows = (0, 0);
        while let FileStep::Rows { tally, .. } = follower.poll(Duration::ZERO) {
            count(&mut rows, tally);
        }
        let status = follower.status();
        assert_eq!((status.is_incomplete, status.trouble), (true, Some(FileTrouble::HalfLine)));

        follower.times = LEFT;
        let mut later = Batch::new();
        while let FileStep::Rows { batch, tally } = follower.poll(Duration::ZERO) {
            count(&mut rows, tally);
            batch.changes().for_each(|change| later.push(change).unwrap());
        }
        let status = follower.status();
        let is_whole = len > last_column;
        let expected = if is_whole { Some(lease(2).1) } else { marked };
        assert_eq!(said(&[&known, &later]), expected, "{len} octets, left");
        assert_eq!(status.is_incomplete, len <= duid_end, "{len} octets: whose lease is not known");
        assert_eq!(status.trouble, (!is_whole).then_some(FileTrouble::HalfLine), "{len} octets");
        assert_eq!((status.lag, rows.0), (if is_whole { 0 } else { len as u64 }, 0));

        kea.write(&row[len..]);
        kea.write("\n");
        let mut rest = Batch::new();
        while let FileStep::Rows { batch, tally } = follower.poll(Duration::ZERO) {
            count(&mut rows, tally);
            batch.changes().for_each(|change| rest.push(change).unwrap());
        }
        assert_eq!(said(&[&rest]), Some(lease(2).1), "{len} octets, and the rest");
        let status = follower.status();
        assert_eq!((status.is_incomplete, status.trouble, status.lag), (false, None, 0));
        assert_eq!(rows, (1, 0));
    }
}

/// Kea could not write more, and goes on with the next row behind the part that it wrote: it holds both
/// leases.
#[test]
fn a_row_behind_half_a_row_is_not_answered_with_no_binding() {
    let (first, second) = (line(lease(2)), line(lease(3)));
    // Such a half goes on with another address as with the rest of its own.
    let unclear = ["2001:", "2001:db8:"];
    for len in (1..first.len()).filter(|&len| !unclear.contains(&&first[..len])) {
        let (mut kea, mut reader) = setting(&[1]);
        kea.write(&first[..len]);
        reader.follower.times = LEFT;
        reader.settle();
        kea.write(&second);
        let FileStep::Rows { batch, .. } = reader.follower.poll(Duration::ZERO) else { panic!("no rows") };
        let marked = |batch: &Batch, number| {
            batch.changes().any(|change| match change {
                Change::Unreadable { address, .. } => address == lease(number).0,
                _ => false,
            })
        };
        assert!(marked(batch, 3), "{len} octets, followed");
        let put = |change| matches!(change, Change::Put(put) if put.address == lease(2).0);
        assert!(len <= 11 || marked(batch, 2) || batch.changes().any(put), "{len} octets, followed");
        let loaded =
            load::<Batches>(&kea.files, &LoadRequest::new(&Links::default(), NonZeroUsize::MIN, true))
                .unwrap()
                .rows
                .into_batches();
        assert!(loaded.iter().any(|batch| marked(batch, 3)), "{len} octets, loaded");
    }
}

/// A bad row is one row as a rule, and only its address is in doubt.
#[test]
fn a_bad_row_is_about_one_address() {
    let (mut kea, mut reader) = setting(&[1]);
    for (bad, marks) in [("2001:db8:1::1,00,never", 1), ("b8:1::1,00,never", 1), ("x2001:db8::1,00,never", 1)]
    {
        kea.append_no_row(&format!("{bad}{}", ",0".repeat(15)));
        let FileStep::Rows { batch, tally } = reader.follower.poll(Duration::ZERO) else { panic!("no rows") };
        assert_eq!((batch.len(), tally.bad_rows), (marks, 1), "{bad}");
    }
}

/// A row that Kea is writing is no reason to answer differently.
#[test]
fn a_row_that_is_being_written_changes_nothing() {
    let (mut kea, mut reader) = setting(&[1, 2]);
    let row = line((lease(2).0, Some((7, 1_700_000_100))));
    kea.write(&row[..40]);
    reader.settle();
    let status = reader.follower.status();
    assert_eq!((reader.leases.len(), status.trouble, status.is_incomplete), (2, None, false));
    kea.write(&row[40..]);
    reader.settle();
    assert_eq!(reader.leases[&lease(2).0], (7, 1_700_000_100));
}

/// A known lease may end by the row that is being written.
#[test]
fn a_known_lease_gives_way_to_half_a_row_that_stands() {
    let (mut kea, mut reader) = setting(&[1, 2]);
    kea.write(&line(lease(2))[..40]);
    reader.follower.times = STANDS;
    reader.settle();
    assert!(!reader.leases.contains_key(&lease(2).0) && reader.leases.contains_key(&lease(1).0));
    assert!(reader.follower.status().is_incomplete);
    reader.follower.times = LEFT;
    reader.settle();
    let status = reader.follower.status();
    assert_eq!((status.is_incomplete, status.trouble), (false, Some(FileTrouble::HalfLine)));
}

/// Half a row that is gone again before anybody followed it.
#[test]
fn half_a_row_that_vanishes_is_forgotten() {
    for after in [&[][..], &[3, 4]] {
        let mut kea = Kea::new();
        kea.append(lease(2));
        kea.rotate();
        kea.write(&line(lease(2))[..40]);
        let mut reader = Reader::new(kea.files.clone());
        assert!(!reader.leases.contains_key(&lease(2).0));
        kea.truncate();
        after.iter().for_each(|&number| kea.append(lease(number)));
        agree(&kea, &mut reader, &[Reload::Rewritten]);
        assert!(!reader.follower.status().is_incomplete);
    }
}

/// A copy that goes on while its first part is loaded: the leases to come may be any.
#[test]
fn leases_are_incomplete_until_a_copy_has_ended() {
    let text: String = (2..40).map(|number| line(lease(number))).collect();
    let (mut kea, position, _) = loaded(&text[..30]);
    let mut follower = Follower::new(&kea.files, position).unwrap();
    follower.times = STANDS;
    let (mut written, mut rows) = (30, (0, 0));
    let follow = |follower: &mut Follower, rows: &mut (u64, u64)| {
        while let FileStep::Rows { tally, .. } = follower.poll(Duration::ZERO) {
            count(rows, tally);
        }
    };
    while written < text.len() {
        follow(&mut follower, &mut rows);
        // A copy that ends at the end of a row cannot be told from a whole file.
        let is_half = !text[..written].ends_with('\n');
        assert_eq!(follower.status().is_incomplete, is_half, "{written} of {} octets", text.len());
        let end = text.len().min(written + 67);
        kea.write(&text[written..end]);
        written = end;
    }
    follow(&mut follower, &mut rows);
    let status = follower.status();
    assert_eq!((status.is_incomplete, status.trouble, rows.0), (false, None, 38));
}

/// Kea's file before its header: nothing is known.
#[test]
fn leases_are_incomplete_until_there_is_a_header() {
    for len in [0, 1, 50, super::kea::HEADER.len() - 1] {
        let kea = Kea::new();
        std::fs::write(kea.files.current(), &super::kea::HEADER[..len]).unwrap();
        let mut reader = Reader::new(kea.files.clone());
        reader.follower.times = LEFT;
        reader.settle();
        let status = reader.follower.status();
        assert_eq!((status.is_incomplete, status.trouble), (true, Some(FileTrouble::Headless)), "{len}");
        let mut kea = kea;
        kea.write(&super::kea::HEADER[len..]);
        kea.append(lease(1));
        agree(&kea, &mut reader, &[]);
        let status = reader.follower.status();
        assert_eq!((status.is_incomplete, status.trouble), (false, None), "{len}");
    }
}

/// A line that is too long to be a row is forgotten, but not whose it may be.
#[test]
fn the_address_of_an_endless_line_is_unreadable() {
    let (mut kea, mut reader) = setting(&[1, 2]);
    kea.write(&(lease(2).0.to_string() + "," + &"x".repeat(LINE_LEN_MAX)));
    reader.settle();
    assert!(!reader.leases.contains_key(&lease(2).0) && reader.leases.contains_key(&lease(1).0));
    reader.follower.times = LEFT;
    reader.settle();
    let status = reader.follower.status();
    assert_eq!((status.is_incomplete, status.trouble), (false, Some(FileTrouble::HalfLine)));
}

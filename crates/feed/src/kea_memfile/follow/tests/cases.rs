use std::fs;
use std::os::fd::AsRawFd as _;
use std::thread;

use crate::source::LoadRequest;
use lqd_index::Links;

use super::kea::{HEADER, Kea, line};
use super::*;
use crate::kea_memfile::follow::{Advance, FileTrouble};
use crate::kea_memfile::lines::{BadRow, LINE_LEN_MAX};
use crate::kea_memfile::load::load_first;
use crate::kea_memfile::{RowError, RowErrorKind};

fn address(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number)
}

pub(super) fn lease(number: u16) -> (Ipv6Addr, Option<(u32, u32)>) {
    (address(number), Some((1, 1_700_000_000 + u32::from(number))))
}

pub(super) fn setting(numbers: &[u16]) -> (Kea, Reader) {
    let mut kea = Kea::new();
    numbers.iter().for_each(|&number| kea.append(lease(number)));
    let mut reader = Reader::new(kea.files.clone());
    reader.settle();
    (kea, reader)
}

/// Asserts that the reader holds the leases of the files after the next polls, with these reloads.
pub(super) fn agree(kea: &Kea, reader: &mut Reader, reloads: &[Reload]) {
    reader.settle();
    assert_eq!(reader.leases, kea.leases());
    assert_eq!(reader.reloads, reloads);
}

#[test]
fn appended_rows() {
    let (mut kea, mut reader) = setting(&[1]);
    kea.append(lease(2));
    kea.append((address(1), None));
    agree(&kea, &mut reader, &[]);
    let status = reader.follower.status();
    assert_eq!((reader.rows, status.lag, status.trouble), ((2, 0), 0, None));
    assert_eq!(status.offset, fs::metadata(kea.files.current()).unwrap().len());
}

#[test]
fn a_waiting_follower_sees_a_row_when_it_is_written() {
    let (mut kea, mut reader) = setting(&[]);
    let files = kea.files.clone();
    let writer = thread::spawn(move || {
        kea.append(lease(1));
        kea
    });
    // Far longer than the recheck interval, so that a wait that misses events fails by its length.
    assert!(reader.step(LIMIT));
    let kea = writer.join().unwrap();
    assert_eq!((reader.leases, &kea.files), (kea.leases(), &files));
}

#[test]
fn rows_in_pieces() {
    let (mut kea, mut reader) = setting(&[]);
    let text = line(lease(7));
    for end in 1..text.len() {
        kea.write(&text[end - 1..end]);
        assert!(!reader.step(Duration::ZERO), "{end} octets are no row");
    }
    assert_eq!(reader.follower.status().lag, text.len() as u64 - 1);
    kea.write("\n");
    reader.settle();
    assert_eq!(reader.leases, Leases::from([(address(7), (1, 1_700_000_007))]));
}

#[test]
fn bad_rows_are_reported_with_their_line() {
    let (mut kea, mut reader) = setting(&[1]);
    kea.append_no_row("");
    kea.append_no_row("address");
    kea.append(lease(2));
    let FileStep::Rows { batch, tally } = reader.follower.poll(Duration::ZERO) else { panic!("no rows") };
    assert_eq!((batch.len(), tally.bad_rows), (1, 1));
    let BadRow { line, error: RowError { kind, .. } } = tally.first_bad_rows[0];
    assert_eq!((line, kind), (4, RowErrorKind::Missing));
}

#[test]
fn an_endless_line_is_one_bad_row() {
    let (mut kea, mut reader) = setting(&[1]);
    let piece = "x".repeat(LINE_LEN_MAX / 2);
    let start = reader.follower.status().offset;
    for pieces in 1..=5 {
        kea.write(&piece);
        reader.settle();
        let status = reader.follower.status();
        assert_eq!((status.offset, status.lag), (start, pieces * piece.len() as u64), "it is not taken");
    }
    kea.append_no_row("");
    kea.append(lease(2));
    agree(&kea, &mut reader, &[]);
    let status = reader.follower.status();
    assert_eq!((reader.rows, status.lag), ((1, 1), 0));
}

#[test]
fn a_rotation_before_the_first_poll_is_a_continuation() {
    let mut kea = Kea::new();
    kea.append(lease(1));
    let mut reader = Reader::new(kea.files.clone());
    kea.rotate();
    kea.append(lease(2));
    (0..4).for_each(|step| kea.clean_up(step));
    agree(&kea, &mut reader, &[]);
    assert_eq!(reader.follower.status().rotations, 1);
}

#[test]
fn a_rotation_is_a_continuation() {
    let (mut kea, mut reader) = setting(&[1, 2]);
    kea.append(lease(3));
    kea.rotate_away();
    reader.settle();
    let status = reader.follower.status();
    assert_eq!((status.trouble, status.is_incomplete), (Some(FileTrouble::Missing), false));
    kea.rotate_and_recreate(10);
    reader.settle();
    assert!(!reader.follower.status().is_incomplete);
    kea.append(lease(4));
    agree(&kea, &mut reader, &[]);
    for step in 0..4 {
        kea.clean_up(step);
        agree(&kea, &mut reader, &[]);
        assert!(!reader.follower.status().is_incomplete);
    }
    let status = reader.follower.status();
    assert_eq!((status.rotations, status.trouble, reader.rows), (1, None, (2, 0)));
}

#[test]
fn a_rotation_and_the_whole_clean_up_between_two_polls() {
    let (mut kea, mut reader) = setting(&[1, 2]);
    kea.append(lease(3));
    kea.rotate();
    kea.append((address(1), None));
    (0..4).for_each(|step| kea.clean_up(step));
    agree(&kea, &mut reader, &[]);
    assert_eq!(reader.follower.status().rotations, 1);
}

#[test]
fn two_rotations_between_two_polls() {
    let (mut kea, mut reader) = setting(&[1, 2]);
    kea.rotate();
    kea.append((address(1), None));
    (0..4).for_each(|step| kea.clean_up(step));
    kea.rotate();
    kea.append(lease(3));
    agree(&kea, &mut reader, &[Reload::Replaced]);
}

#[test]
fn a_row_without_end_is_taken_when_its_file_is_left() {
    let (mut kea, mut reader) = setting(&[1]);
    let last = line(lease(2));
    kea.write(last.trim_end());
    reader.settle();
    assert_eq!(reader.leases.len(), 1);
    kea.rotate();
    reader.settle();
    assert_eq!(reader.leases.len(), 2);
    assert_eq!((reader.follower.status().rotations, reader.reloads.len()), (1, 0));
}

#[test]
fn a_full_dump_in_its_place_is_not_a_continuation() {
    let (mut kea, mut reader) = setting(&[1, 2]);
    kea.replace_by_dump(Some(address(1)), || {});
    kea.append(lease(3));
    agree(&kea, &mut reader, &[Reload::Replaced]);
    kea.append(lease(4));
    agree(&kea, &mut reader, &[Reload::Replaced]);
}

#[test]
fn a_dump_after_a_rotation_is_not_a_continuation_although_the_old_file_is_still_there() {
    let (mut kea, mut reader) = setting(&[1, 2]);
    kea.rotate();
    kea.append((address(1), None));
    kea.append(lease(3));
    kea.replace_by_dump(Some(address(3)), || {});
    agree(&kea, &mut reader, &[Reload::Replaced]);
}

#[test]
fn a_missing_file_is_waited_for() {
    let (mut kea, mut reader) = setting(&[1, 2]);
    let mut troubles = Vec::new();
    kea.replace_by_dump(None, || {
        reader.settle();
        troubles.push(reader.follower.status().trouble);
    });
    assert_eq!(troubles, [Some(FileTrouble::Missing)]);
    agree(&kea, &mut reader, &[Reload::Replaced]);
    assert_eq!(reader.follower.status().trouble, None);
}

#[test]
fn a_file_that_comes_back_is_followed_on() {
    let (mut kea, mut reader) = setting(&[1]);
    let away = kea.files.with_suffix(".away");
    fs::rename(kea.files.current(), &away).unwrap();
    reader.settle();
    kea.append(lease(2));
    fs::rename(&away, kea.files.current()).unwrap();
    agree(&kea, &mut reader, &[]);
    kea.rotate();
    kea.append(lease(3));
    agree(&kea, &mut reader, &[]);
}

#[test]
fn truncation() {
    let (mut kea, mut reader) = setting(&[1, 2, 3]);
    kea.truncate();
    agree(&kea, &mut reader, &[Reload::Rewritten]);
    kea.append(lease(4));
    kea.append(lease(5));
    agree(&kea, &mut reader, &[Reload::Rewritten]);
    kea.truncate();
    (6..20).for_each(|number| kea.append(lease(number)));
    agree(&kea, &mut reader, &[Reload::Rewritten; 2]);
}

#[test]
fn a_new_file_of_the_same_name() {
    let (mut kea, mut reader) = setting(&[1, 2]);
    kea.remove_and_create();
    kea.append(lease(3));
    agree(&kea, &mut reader, &[Reload::Replaced]);
}

#[test]
fn an_inode_number_in_use_is_not_given_to_another_file() {
    let (mut kea, mut reader) = setting(&[1]);
    for number in 2..50 {
        let before = reader.follower.status().file;
        kea.remove_and_create();
        kea.append(lease(number));
        reader.settle();
        assert_ne!(reader.follower.status().file, before);
        assert_eq!(reader.leases, kea.leases());
    }
    assert_eq!(reader.reloads.len(), 48);
}

/// lqd starts between Kea's rename and its new file, or while Kea is down after that, at any step of
/// kea-lfc's.
#[test]
fn a_start_without_current_file_goes_on_when_there_is_one() {
    for steps in 0..=4 {
        let (mut kea, _) = setting(&[1, 2]);
        kea.rotate_away();
        (0..steps).for_each(|step| kea.clean_up(step));
        let loaded =
            load_first::<Batches>(&kea.files, &LoadRequest::new(&Links::default(), NonZeroUsize::MIN, true))
                .unwrap();
        let follower = Follower::new(&kea.files, loaded.position).unwrap();
        let mut leases = Leases::new();
        loaded.rows.into_batches().iter().for_each(|batch| apply(&mut leases, batch));
        let mut reader =
            Reader { files: kea.files.clone(), follower, leases, reloads: Vec::new(), rows: (0, 0) };
        reader.follower.still_for = Duration::from_secs(100_000);
        assert_eq!(reader.follower.status().trouble, Some(FileTrouble::Missing));
        reader.settle();
        assert_eq!(
            (&reader.leases, reader.follower.status().trouble),
            (&kea.leases(), Some(FileTrouble::Missing))
        );
        kea.rotate_and_recreate(HEADER.len());
        kea.append(lease(3));
        agree(&kea, &mut reader, &[Reload::Replaced]);
        assert_eq!(reader.follower.status().trouble, None);
        kea.append(lease(4));
        agree(&kea, &mut reader, &[Reload::Replaced]);
    }
}

/// A file deleted by Kea's clean-up that the name goes on showing, as the mount of a single file does.
#[test]
fn a_deleted_file_that_its_name_still_shows_is_trouble() {
    let (mut kea, _) = setting(&[1]);
    let held = fs::File::open(kea.files.current()).unwrap();
    let mut reader = Reader::new(LeaseFiles::new(format!("/proc/self/fd/{}", held.as_raw_fd())));
    reader.settle();
    assert_eq!(reader.follower.status().trouble, None);
    let leases = kea.leases();
    kea.rotate();
    (0..4).for_each(|step| kea.clean_up(step));
    kea.append(lease(2));
    reader.settle();
    assert_eq!((&reader.leases, reader.follower.status().trouble), (&leases, Some(FileTrouble::Deleted)));
    assert!(reader.follower.status().is_incomplete, "Kea's new file is hidden");
}

#[test]
fn a_directory_in_its_place_is_waited_out() {
    let (mut kea, mut reader) = setting(&[1]);
    kea.rotate_away();
    fs::create_dir(kea.files.current()).unwrap();
    reader.settle();
    assert_eq!(reader.follower.status().trouble, Some(FileTrouble::NotAFile));
    fs::remove_dir(kea.files.current()).unwrap();
    kea.rotate_and_recreate(HEADER.len());
    kea.append(lease(2));
    reader.settle();
    assert_eq!(reader.leases, kea.leases());
}

#[test]
fn a_directory_that_is_moved_away_and_comes_back() {
    let (mut kea, mut reader) = setting(&[1]);
    let directory = kea.files.current().parent().unwrap().to_owned();
    let away = directory.with_extension("away");
    fs::rename(&directory, &away).unwrap();
    reader.settle();
    assert_eq!(reader.follower.status().trouble, Some(FileTrouble::Missing));
    assert!(!reader.follower.status().watching);
    fs::rename(&away, &directory).unwrap();
    kea.append(lease(2));
    agree(&kea, &mut reader, &[]);
    assert!(reader.follower.status().watching);
    kea.rotate();
    kea.append(lease(3));
    agree(&kea, &mut reader, &[]);
}

#[test]
fn a_new_file_with_another_header() {
    let (mut kea, mut reader) = setting(&[1]);
    kea.rotate_away();
    fs::write(kea.files.current(), "address,hwaddr\n").unwrap();
    assert!(matches!(reader.follower.poll(Duration::ZERO), FileStep::Reload(Reload::Header)));
    assert!(
        load::<Batches>(&kea.files, &LoadRequest::new(&Links::default(), NonZeroUsize::MIN, true)).is_err()
    );
}

#[test]
fn many_rows_come_in_steps() {
    let (mut kea, mut reader) = setting(&[]);
    let text: String = (0..20_000u32).map(|cltt| line((address(1), Some((1, cltt))))).collect();
    kea.write(&text);
    reader.settle();
    assert_eq!(reader.leases, Leases::from([(address(1), (1, 19_999))]));
    assert_eq!(reader.rows, (20_000, 0));
}

#[test]
fn a_waker_ends_the_waiting() {
    let (_kea, mut reader) = setting(&[]);
    let waker = reader.follower.waker();
    waker.wake_by_ref();
    assert!(!reader.step(LIMIT), "asked before");
    let asker = thread::spawn(move || waker.wake());
    assert!(!reader.step(LIMIT * 10), "asked meanwhile");
    asker.join().unwrap();
}

#[test]
fn other_files_do_not_matter() {
    let (kea, mut reader) = setting(&[1]);
    for name in ["kea-leases4.csv", "kea-leases6.csv.pid", "kea-leases6.csv.output"] {
        let path = kea.files.current().with_file_name(name);
        fs::write(&path, "x").unwrap();
        fs::rename(&path, path.with_extension("y")).unwrap();
    }
    agree(&kea, &mut reader, &[]);
}

#[test]
fn a_file_rewritten_between_load_and_following() {
    let mut kea = Kea::new();
    (1..5).for_each(|number| kea.append(lease(number)));
    let position = load::<Batches>(&kea.files, &LoadRequest::new(&Links::default(), NonZeroUsize::MIN, true))
        .unwrap()
        .position;
    kea.truncate();
    (5..20).for_each(|number| kea.append(lease(number)));
    let mut follower = Follower::new(&kea.files, position).unwrap();
    follower.still_for = Duration::ZERO;
    assert!(matches!(follower.poll(Duration::ZERO), FileStep::Reload(Reload::Rewritten)));
}

#[test]
fn rows_written_between_the_look_at_the_file_and_its_rotation() {
    let (mut kea, mut reader) = setting(&[1]);
    kea.append(lease(2));
    kea.rotate();
    // As if row 2 had come after the file was read to its end, and before its name was looked at.
    let next = kea.files.open_current().unwrap().unwrap();
    assert!(matches!(reader.follower.follow_to(kea.files.clone(), next), Advance::Rows));
    apply(&mut reader.leases, &reader.follower.batch);
    agree(&kea, &mut reader, &[]);
    assert_eq!(reader.follower.status().rotations, 1);
}

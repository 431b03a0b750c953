//! Files that are rewritten: half a file is never taken for the whole.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;

use super::cases::{agree, lease, setting};
use super::kea::{HEADER, Kea, line};
use super::*;
use crate::kea_memfile::files::{self, FileId, Look};
use crate::kea_memfile::follow::FileTrouble;
use crate::kea_memfile::follow::stillness::{EndWatch, ROWS_FOR, Rewrite, STILL_FOR, STILL_WITHIN};

fn row(number: u16) -> String {
    line(lease(number))
}

/// Polls until there is nothing more to do; as long as the file is written, the leases stay.
fn keeps(reader: &mut Reader, leases: &Leases) {
    reader.settle();
    assert_eq!((&reader.leases, reader.reloads.len()), (leases, 0));
    let status = reader.follower.status();
    assert_eq!((status.trouble, status.is_incomplete), (Some(FileTrouble::Rewriting), true));
}

/// Lets the file count as still, and asserts that its leases are known.
fn comes_to(reader: &mut Reader, reason: Reload, numbers: &[u16]) {
    reader.follower.still_for = Duration::ZERO;
    reader.settle();
    let expected = numbers.iter().map(|&number| (lease(number).0, lease(number).1.unwrap()));
    assert_eq!(reader.leases, expected.collect::<Leases>());
    assert_eq!(reader.reloads, [reason]);
    let status = reader.follower.status();
    assert_eq!((status.trouble, status.is_incomplete), (None, false));
}

fn watched() -> (Kea, Reader, Leases) {
    let (kea, mut reader) = setting(&[1, 2, 3]);
    reader.follower.still_for = NEVER;
    let leases = reader.leases.clone();
    (kea, reader, leases)
}

/// cp, rsync --inplace and editors: the file is emptied, then filled.
#[test]
fn half_of_a_file_rewritten_in_place_is_not_published() {
    let (kea, mut reader, leases) = watched();
    let mut file = File::create(kea.files.current()).unwrap();
    keeps(&mut reader, &leases);
    for piece in [HEADER, &row(1), &row(2)[..10], &row(2)[10..], &row(9)] {
        file.write_all(piece.as_bytes()).unwrap();
        keeps(&mut reader, &leases);
    }
    comes_to(&mut reader, Reload::Rewritten, &[1, 2, 9]);
}

/// Longer than before from its first look on: only the guard shows it.
#[test]
fn half_of_a_longer_file_in_place_is_not_published() {
    let (kea, mut reader, leases) = watched();
    let first: String = (10..20).map(row).collect();
    fs::write(kea.files.current(), HEADER.to_owned() + &first).unwrap();
    keeps(&mut reader, &leases);
    let mut file = OpenOptions::new().append(true).open(kea.files.current()).unwrap();
    file.write_all(row(1).as_bytes()).unwrap();
    keeps(&mut reader, &leases);
    comes_to(&mut reader, Reload::Rewritten, &[10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 1]);
}

/// rm, then cp: a new file, but one that is being filled.
#[test]
fn half_of_a_new_file_is_not_published() {
    let (kea, mut reader, leases) = watched();
    fs::remove_file(kea.files.current()).unwrap();
    reader.settle();
    assert_eq!(reader.follower.status().trouble, Some(FileTrouble::Missing));
    let mut file = File::create_new(kea.files.current()).unwrap();
    for piece in [HEADER, &row(4)] {
        file.write_all(piece.as_bytes()).unwrap();
        keeps(&mut reader, &leases);
    }
    comes_to(&mut reader, Reload::Replaced, &[4]);
}

/// A file that is renamed into its place is whole, and loaded at once.
#[test]
fn a_renamed_file_is_loaded_at_once() {
    let (mut kea, mut reader, _) = watched();
    kea.replace_by_dump(Some(lease(1).0), || {});
    agree(&kea, &mut reader, &[Reload::Replaced]);
}

/// A new file after missed rotations is Kea's own, which never stands still on a busy server.
#[test]
fn a_missed_rotation_is_loaded_at_once() {
    let (mut kea, mut reader, _) = watched();
    kea.rotate();
    kea.append(lease(4));
    reader.follower.watch.unsettle();
    agree(&kea, &mut reader, &[Reload::Replaced]);
}

fn look(len: u64) -> Look {
    Look { id: FileId { device: 1, inode: 2 }, len, modified: (0, 0), names: 1 }
}

/// The loading waits for stillness, but not for ever; a copy, whose last line has no end, may take longer
/// than Kea's rows.
#[test]
fn a_file_that_never_stands_still_is_loaded_in_the_end() {
    for (has_end, wait) in [(true, ROWS_FOR), (false, STILL_WITHIN)] {
        let mut rewrite = Rewrite::new(Reload::Rewritten);
        for len in 0..3 {
            assert!(!rewrite.stands_still(look(len), || has_end, NEVER));
            rewrite.age(wait - Duration::from_secs(1));
            assert!(!rewrite.stands_still(look(len + 10), || has_end, NEVER));
            rewrite = Rewrite::new(Reload::Rewritten);
        }
        assert!(!rewrite.stands_still(look(0), || has_end, NEVER));
        rewrite.age(wait);
        assert!(rewrite.stands_still(look(1), || has_end, NEVER));
    }
}

/// A copy that pauses within a line is not complete; one that pauses between two lines cannot be told from a
/// complete one.
#[test]
fn a_pause_within_a_line_is_waited_out() {
    for (has_end, is_still) in [(true, true), (false, false)] {
        let mut rewrite = Rewrite::new(Reload::Rewritten);
        assert!(!rewrite.stands_still(look(7), || has_end, STILL_FOR));
        rewrite.age(STILL_FOR);
        assert_eq!(rewrite.stands_still(look(7), || panic!("it did not change"), STILL_FOR), is_still);
        rewrite.age(STILL_FOR * 9);
        assert!(rewrite.stands_still(look(7), || panic!("it did not change"), STILL_FOR));
    }
}

/// Kea's header comes a moment later than its file, after which only the end of its first line is missing.
#[test]
fn the_end_of_a_file_is_seen() {
    let (kea, _) = setting(&[1]);
    let ends = |text: &str| {
        fs::write(kea.files.current(), text).unwrap();
        files::ends_with_line(kea.files.current())
    };
    assert!(ends("") && ends("a\n") && ends("a\nb\n"));
    assert!(!ends("a") && !ends("a\nb"));
    fs::remove_file(kea.files.current()).unwrap();
    assert!(files::ends_with_line(kea.files.current()), "a load will report that it is gone");
}

/// rsync --inplace with as many octets, and the same ones where the follower looks.
#[test]
fn content_exchanged_at_the_same_length_is_noticed() {
    let (mut kea, mut reader) = setting(&[1, 2]);
    (10..40).for_each(|number| kea.append(lease(number)));
    reader.settle();
    let text = fs::read_to_string(kea.files.current()).unwrap().replace(&row(2), &row(3));
    let file = OpenOptions::new().write(true).open(kea.files.current()).unwrap();
    file.write_all_at(text.as_bytes(), 0).unwrap();
    let limit = Instant::now() + LIMIT;
    while reader.reloads.is_empty() {
        assert!(Instant::now() < limit, "not noticed");
        reader.step(Duration::from_millis(100));
    }
    assert_eq!(reader.reloads, [Reload::Rewritten]);
    assert!(reader.leases.contains_key(&lease(3).0) && !reader.leases.contains_key(&lease(2).0));
}

#[test]
fn an_append_is_no_modification_although_its_time_shows_first() {
    let look = |len, time| Look { id: FileId { device: 1, inode: 2 }, len, modified: (time, 0), names: 1 };
    let mut end = EndWatch::default();
    assert!(!end.was_modified_within(look(10, 1), 10, Duration::ZERO));
    assert!(!end.was_modified_within(look(10, 1), 10, Duration::ZERO));
    assert!(!end.was_modified_within(look(10, 2), 10, NEVER), "an append may be under way");
    assert!(!end.was_modified_within(look(15, 2), 10, Duration::ZERO));
    assert!(!end.was_modified_within(look(15, 2), 15, Duration::ZERO));
    assert!(end.was_modified_within(look(15, 3), 15, Duration::ZERO));
}

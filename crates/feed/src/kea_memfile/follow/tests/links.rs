//! Lease files behind symbolic links: the set is found where Kea keeps it, whichever link moves.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::cases::{agree, lease, setting};
use super::kea::{HEADER, Kea, line};
use super::*;

/// The files of a Kea as seen by their own name, through a link to the file, or through one to the folder.
pub(super) fn behind_links(kea: &Kea, way: u64) -> (tempfile::TempDir, LeaseFiles) {
    let links = tempfile::tempdir().unwrap();
    let target = kea.files.current();
    let name = links.path().join("link");
    let files = match way % 3 {
        0 => kea.files.clone(),
        1 => {
            symlink(target, &name).unwrap();
            LeaseFiles::new(name)
        }
        _ => {
            symlink(target.parent().unwrap(), &name).unwrap();
            symlink(name.join(target.file_name().unwrap()), links.path().join("leases")).unwrap();
            LeaseFiles::new(links.path().join("leases"))
        }
    };
    (links, files)
}

fn linked(way: u64) -> (Kea, tempfile::TempDir, Reader) {
    let (kea, _) = setting(&[1, 2]);
    let (links, files) = behind_links(&kea, way);
    let mut reader = Reader::new(files);
    reader.settle();
    (kea, links, reader)
}

/// `.1`, `.2` and `.completed` are the target's: no lease is lost after a rotation, not by a new load either.
#[test]
fn a_rotation_behind_links_is_a_continuation() {
    for way in 0..3 {
        let (mut kea, _links, mut reader) = linked(way);
        for round in 0..3 {
            kea.rotate();
            kea.append(lease(10 + round));
            agree(&kea, &mut reader, &[]);
            for step in 0..4 {
                kea.clean_up(step);
                agree(&kea, &mut reader, &[]);
                assert_eq!(Reader::new(reader.files.clone()).leases, kea.leases(), "reloaded");
            }
        }
        assert_eq!(reader.follower.status().rotations, 3);
    }
}

/// Kea's configuration names the link: Kea renames the link itself, and goes on in its folder.
#[test]
fn a_rotation_that_renames_the_link_is_a_continuation() {
    let (mut kea, _) = setting(&[1, 2]);
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("leases");
    fs::rename(kea.files.current(), &target).unwrap();
    symlink(&target, kea.files.current()).unwrap();
    let mut reader = Reader::new(kea.files.clone());
    reader.settle();
    for round in 0..3 {
        kea.append(lease(20 + round));
        kea.rotate();
        kea.append(lease(10 + round));
        agree(&kea, &mut reader, &[]);
        for step in 0..4 {
            kea.clean_up(step);
            agree(&kea, &mut reader, &[]);
            assert_eq!(Reader::new(reader.files.clone()).leases, kea.leases(), "reloaded");
        }
    }
    assert_eq!(reader.follower.status().rotations, 3);
}

fn leases(path: &Path, numbers: &[u16]) -> Leases {
    fs::create_dir_all(path).unwrap();
    let rows: String = numbers.iter().map(|&number| line(lease(number))).collect();
    fs::write(path.join("leases"), HEADER.to_owned() + &rows).unwrap();
    numbers.iter().map(|&number| (lease(number).0, lease(number).1.unwrap())).collect()
}

fn append(path: &Path, number: u16) {
    let mut text = fs::read_to_string(path).unwrap();
    text += &line(lease(number));
    fs::write(path.with_extension("new"), text).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
}

/// Kubernetes: leases → ..data/leases, ..data → ..1, and ..data is replaced by a rename.
#[test]
fn a_folder_link_that_is_replaced_leads_to_other_leases() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut expected = leases(&at("..1"), &[1, 2]);
    symlink("..1", at("..data")).unwrap();
    symlink("..data/leases", at("leases")).unwrap();
    let mut reader = Reader::new(LeaseFiles::new(at("leases")));
    assert_eq!(reader.leases, expected);
    for round in 2..6 {
        let next = format!("..{round}");
        expected = leases(&at(&next), &[round, round + 1]);
        fs::write(at(&next).join("leases.2"), HEADER.to_owned() + &line(lease(100 + round))).unwrap();
        expected.insert(lease(100 + round).0, lease(100 + round).1.unwrap());
        symlink(&next, at("..tmp")).unwrap();
        fs::rename(at("..tmp"), at("..data")).unwrap();
        fs::remove_dir_all(at(&format!("..{}", round - 1))).unwrap();
        reader.settle();
        assert_eq!((&reader.leases, reader.reloads.len()), (&expected, usize::from(round) - 1));
    }
    // The new folder is the one that is watched.
    append(&at("..5/leases"), 9);
    assert!(reader.step(LIMIT));
    assert!(reader.leases.contains_key(&lease(9).0));
    assert!(reader.follower.status().watching);
}

/// A release link that is removed and created again, to another folder.
#[test]
fn a_link_that_is_removed_and_created_again() {
    let (one, two, links) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let before = leases(one.path(), &[1]);
    let after = leases(two.path(), &[2]);
    let link = links.path().join("current");
    symlink(one.path(), &link).unwrap();
    let mut reader = Reader::new(LeaseFiles::new(link.join("leases")));
    fs::remove_file(&link).unwrap();
    reader.settle();
    assert_eq!((&reader.leases, reader.follower.status().trouble.is_some()), (&before, true));
    symlink(two.path(), &link).unwrap();
    reader.settle();
    assert_eq!((&reader.leases, reader.follower.status().trouble), (&after, None));
    assert_eq!(reader.reloads, [Reload::Replaced]);
}

/// The same file by another name, in a folder with other files.
#[test]
fn a_link_to_another_name_of_the_same_file() {
    let (one, two, links) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut expected = leases(one.path(), &[1]);
    fs::hard_link(one.path().join("leases"), two.path().join("leases")).unwrap();
    fs::write(two.path().join("leases.2"), HEADER.to_owned() + &line(lease(3))).unwrap();
    let link = links.path().join("leases");
    symlink(one.path().join("leases"), &link).unwrap();
    let mut reader = Reader::new(LeaseFiles::new(&link));
    assert_eq!(reader.leases, expected);
    fs::remove_file(&link).unwrap();
    symlink(two.path().join("leases"), &link).unwrap();
    reader.settle();
    expected.insert(lease(3).0, lease(3).1.unwrap());
    assert_eq!(reader.leases, expected);
}

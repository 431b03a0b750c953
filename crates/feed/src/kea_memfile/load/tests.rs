use super::*;
use crate::kea_memfile::RowErrorKind;
use crate::source::LoadRequest;
use lqd_index::{Change, Links};
use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::sync::Mutex;

const HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,\
                      prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,\
                      hwaddr_source,pool_id\n";
const OLD_HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,\
                          prefix_len,fqdn_fwd,fqdn_rev,hostname\n";

/// A row of the first schema; `hostname` gives it its length.
fn old_row(number: usize, hostname: &str) -> String {
    format!("2001:db8::{number:x},00:01:02,100,{},1,50,0,1,128,0,0,{hostname}", 1000 + number)
}

fn row(number: usize, hostname: &str) -> String {
    format!("{},,0,,1,0,0", old_row(number, hostname))
}

fn set() -> (tempfile::TempDir, LeaseFiles) {
    let directory = tempfile::tempdir().unwrap();
    let files = LeaseFiles::new(directory.path().join("kea-leases6.csv"));
    (directory, files)
}

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// Batches with the numbers of their first rows.
#[derive(Debug, Default)]
pub(in crate::kea_memfile) struct Batches(Mutex<BTreeMap<u64, Batch>>);

impl Rows for Batches {
    fn take(&self, first: u64, batch: &mut Batch) {
        let before = self.0.lock().unwrap().insert(first, std::mem::take(batch));
        assert!(before.is_none_or(|before| before.is_empty()), "two rows of number {first}");
    }
}

impl Batches {
    /// Returns the batches in the order of their numbers, which do not overlap.
    pub(in crate::kea_memfile) fn into_batches(self) -> Vec<Batch> {
        let batches = self.0.into_inner().unwrap();
        let spans: Vec<_> =
            batches.iter().map(|(first, batch)| (*first, first + batch.len() as u64)).collect();
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?}");
        batches.into_values().collect()
    }
}

/// Last digits of the addresses, in the order of the changes.
fn numbers(rows: Batches) -> Vec<usize> {
    let batches = rows.into_batches();
    let changes = batches.iter().flat_map(Batch::changes);
    changes
        .map(|change| match change {
            Change::Put(lease) => lease.cltt as usize - 900,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn files_are_read_in_keas_order_each_with_its_own_header() {
    let (_directory, files) = set();
    fs::write(files.with_suffix(".2"), format!("{OLD_HEADER}{}\n", old_row(1, ""))).unwrap();
    fs::write(files.with_suffix(".1"), format!("{HEADER}{}\n{}", row(2, ""), row(3, ""))).unwrap();
    fs::write(files.current(), format!("{HEADER}{}\nbad\n\n{}\n2001:db8::", row(4, ""), row(5, ""))).unwrap();
    let loaded = load::<Batches>(&files, &LoadRequest::new(&Links::default(), threads(2), true)).unwrap();
    assert_eq!(numbers(loaded.rows), [1, 2, 3, 4, 5]);
    let rows: Vec<_> = loaded.files.iter().map(|file| (file.tally.rows, file.tally.bad_rows)).collect();
    assert_eq!(rows, [(1, 0), (2, 0), (2, 1)]);
    let bad_row = loaded.files[2].tally.first_bad_rows[0];
    assert_eq!((bad_row.line, bad_row.error.kind), (3, RowErrorKind::Missing));
    assert_eq!(loaded.position.lines, 5);
    let text = fs::read(files.current()).unwrap();
    assert_eq!(&text[loaded.position.offset as usize..], b"2001:db8::");
}

#[test]
fn chunks_of_any_length_give_the_same_as_one() {
    let (_directory, files) = set();
    let mut text = HEADER.to_owned();
    let mut expected = Vec::new();
    let mut bad_lines = Vec::new();
    for number in 1..60 {
        match number % 7 {
            3 => text += "\n",
            5 => {
                text += "no row\n";
                bad_lines.push(number as u64 + 1);
            }
            _ => {
                text += &row(number, &"x".repeat(number % 5));
                text += "\n";
                expected.push(number);
            }
        }
    }
    let whole = text.len() as u64;
    fs::write(files.current(), text.clone() + "2001:db8::7").unwrap();
    for chunk_len in (1..200).chain([300, 1000, whole - 1, whole, whole + 100]) {
        let loaded = load_in_chunks::<Batches>(
            files.open().unwrap(),
            &LoadRequest::new(&Links::default(), threads(3), true),
            chunk_len,
        )
        .unwrap();
        assert_eq!(numbers(loaded.rows), expected, "chunks of {chunk_len}");
        assert_eq!((loaded.position.offset, loaded.position.lines), (whole, 60), "chunks of {chunk_len}");
        let tally = &loaded.files[0].tally;
        assert_eq!((tally.rows, tally.bad_rows), (expected.len() as u64, bad_lines.len() as u64));
        let lines: Vec<_> = tally.first_bad_rows.iter().map(|bad_row| bad_row.line).collect();
        assert_eq!(lines, bad_lines[..lines.len()], "chunks of {chunk_len}");
    }
}

#[test]
fn the_header_may_be_missing_or_half_written() {
    let (_directory, files) = set();
    for text in ["", "address,du"] {
        fs::write(files.current(), text).unwrap();
        let Loaded { rows, position, .. } =
            load::<Batches>(&files, &LoadRequest::new(&Links::default(), threads(1), true)).unwrap();
        assert!(rows.into_batches().is_empty());
        assert_eq!((position.offset, position.lines, position.columns), (0, 0, None));
    }
    fs::write(files.current(), HEADER).unwrap();
    let Loaded { position, .. } =
        load::<Batches>(&files, &LoadRequest::new(&Links::default(), threads(1), true)).unwrap();
    assert_eq!((position.offset, position.lines), (HEADER.len() as u64, 1));
    assert!(position.columns.is_some());
}

#[test]
fn a_wrong_header_is_refused_with_the_files_name_and_the_fix() {
    let (_directory, files) = set();
    fs::write(files.current(), HEADER).unwrap();
    fs::write(files.with_suffix(".1"), "address,hwaddr,client_id,valid_lifetime\n").unwrap();
    let error = load::<Batches>(&files, &LoadRequest::new(&Links::default(), threads(1), true))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("kea-leases6.csv.1: not a DHCPv6 lease file of Kea: column 2"), "{error}");
    assert!(error.contains("name Kea's kea-leases6.csv"), "{error}");
    fs::write(files.with_suffix(".1"), "x".repeat(HEADER_LEN_MAX + 1)).unwrap();
    let error =
        load::<Batches>(&files, &LoadRequest::new(&Links::default(), threads(1), true)).err().unwrap();
    assert!(matches!(error, SnapshotError::Header { source: HeaderError::Endless, .. }), "{error}");
}

#[test]
fn endless_lines_are_one_bad_row_each() {
    let (_directory, files) = set();
    let long = "x".repeat(LINE_LEN_MAX + EXTENSION_LEN as usize + 1);
    let text = format!("{HEADER}{}\n{long}\n{}\n", row(1, ""), row(2, ""));
    fs::write(files.with_suffix(".1"), format!("{text}{long}")).unwrap();
    fs::write(files.current(), format!("{text}{long}")).unwrap();
    for chunk_len in [100, 4096, LINE_LEN_MAX as u64, CHUNK_LEN] {
        let loaded = load_in_chunks::<Batches>(
            files.open().unwrap(),
            &LoadRequest::new(&Links::default(), threads(2), true),
            chunk_len,
        )
        .unwrap();
        assert_eq!(numbers(loaded.rows), [1, 2, 1, 2], "chunks of {chunk_len}");
        let bad: Vec<_> = loaded.files.iter().map(|file| file.tally.first_bad_rows.clone()).collect();
        let lines = |file: usize| bad[file].iter().map(|bad| (bad.line, bad.error.kind)).collect::<Vec<_>>();
        assert_eq!(
            lines(0),
            [(3, RowErrorKind::TooLong), (5, RowErrorKind::TooLong)],
            "chunks of {chunk_len}"
        );
        assert_eq!(lines(1), [(3, RowErrorKind::TooLong)], "chunks of {chunk_len}");
        assert_eq!(loaded.position.offset, text.len() as u64, "chunks of {chunk_len}");
    }
}

#[test]
fn a_file_that_becomes_shorter_is_an_error() {
    let (_directory, files) = set();
    fs::write(files.current(), format!("{HEADER}{}\n", row(1, ""))).unwrap();
    let snapshot = files.open().unwrap();
    let text = Text::new(snapshot.current.as_ref().unwrap(), true).unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(files.current())
        .unwrap()
        .set_len(HEADER.len() as u64 + 3)
        .unwrap();
    let chunk = text.chunks(0, CHUNK_LEN).next().unwrap();
    let error = text
        .parse(
            (text.columns.unwrap(), &Links::default()),
            chunk,
            &mut Vec::new(),
            &mut Batch::new(),
            &mut Known::new(),
        )
        .err()
        .unwrap();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

/// Rows of a file that is rewritten with the same length while its first chunk is taken.
#[derive(Default)]
struct RewrittenMeanwhile;

static NEW_TEXT: Mutex<Option<(PathBuf, String)>> = Mutex::new(None);

impl Rows for RewrittenMeanwhile {
    fn take(&self, _: u64, _: &mut Batch) {
        if let Some((path, text)) = NEW_TEXT.lock().unwrap().take() {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.write_all_at(text.as_bytes(), 0).unwrap();
        }
    }
}

#[test]
fn a_file_rewritten_in_place_during_the_load_is_an_error() {
    let (_directory, files) = set();
    let text = |hostname| (0..40).map(|n| row(n, hostname) + "\n").collect::<String>();
    let (old, new) = (format!("{HEADER}{}", text("old")), format!("{HEADER}{}", text("new")));
    for (text, chunk_len, changes) in [(&old, 100, false), (&new, 100, true), (&new, CHUNK_LEN, true)] {
        fs::write(files.current(), &old).unwrap();
        *NEW_TEXT.lock().unwrap() = Some((files.current().to_owned(), text.clone() + &row(99, "") + "\n"));
        let result = load_in_chunks::<RewrittenMeanwhile>(
            files.open().unwrap(),
            &LoadRequest::new(&Links::default(), threads(1), true),
            chunk_len,
        );
        match result {
            Ok(_) => assert!(!changes, "in chunks of {chunk_len}"),
            Err(SnapshotError::Read { source, .. }) => {
                assert!(changes && source.kind() == io::ErrorKind::InvalidData, "{source}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    // Once it stands still, it is loaded.
    fs::write(files.current(), &old).unwrap();
    *NEW_TEXT.lock().unwrap() = Some((files.current().to_owned(), new));
    assert_eq!(
        load::<RewrittenMeanwhile>(&files, &LoadRequest::new(&Links::default(), threads(1), true))
            .unwrap()
            .files[0]
            .tally
            .rows,
        40
    );
    assert!(NEW_TEXT.lock().unwrap().is_none());
}

/// An index that is full.
#[derive(Debug, Default)]
struct Full;

impl Rows for Full {
    fn take(&self, _: u64, _: &mut Batch) {
        std::panic::panic_any(NoRoomError::Full { mebibytes: 16 });
    }
}

#[test]
fn leases_that_do_not_fit_are_an_error() {
    let (_directory, files) = set();
    fs::write(files.current(), format!("{HEADER}{}\n", row(1, ""))).unwrap();
    let error = load::<Full>(&files, &LoadRequest::new(&Links::default(), threads(2), true)).err().unwrap();
    assert!(matches!(error, SnapshotError::NoRoomError(NoRoomError::Full { mebibytes: 16 })), "{error}");
    assert!(error.to_string().contains("LimitAS="), "{error}");
}

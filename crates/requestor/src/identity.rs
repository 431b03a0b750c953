//! The requestor's own DUID, kept across starts (RFC 8415 §11: it SHOULD NOT change over time).

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Duid, DuidError};

/// An error in reading or storing the own DUID.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// An error of the file or its directory.
    #[error("own DUID in {path}: {source}; make the directory writable, or give the DUID explicitly")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file without a valid DUID.
    #[error("own DUID in {path}: {source}; write one DUID into it, or remove it to get a new one")]
    Content {
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: DuidError,
    },
}

/// Reads the DUID in this file, or generates a DUID-UUID and stores it there.
///
/// A UUID rather than a link-layer address, since no interface is known to stay with the machine for good, as
/// a DUID-LL requires (RFC 8415 §11.4). Processes that start at once for the first time all get the same
/// DUID.
pub fn load_or_create(path: &Path) -> Result<Duid, IdentityError> {
    let file_error = |source| IdentityError::File { path: path.to_owned(), source };
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path).map_err(file_error)?,
        Err(source) => return Err(file_error(source)),
        Ok(_) => {}
    }
    // Read again even after `create`: another process may have linked its DUID first.
    let text = fs::read_to_string(path).map_err(file_error)?;
    text.parse().map_err(|source| IdentityError::Content { path: path.to_owned(), source })
}

/// Writes a new DUID to a draft file and links it into place, which succeeds for one process only.
fn create(path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    // A random name, so that concurrent first starts do not share a draft.
    let draft = path.with_extension(format!("new-{:08x}", rand::random::<u32>()));
    let written = fs::File::create_new(&draft)
        .and_then(|mut file| writeln!(file, "{}", Duid::random()).and_then(|()| file.sync_all()))
        .and_then(|()| match fs::hard_link(&draft, path) {
            // A lost race is fine: the winner's DUID is read afterwards.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        });
    // The draft is of no use, whether it was linked or not.
    let _ = fs::remove_file(&draft);
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn the_duid_is_generated_once_and_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("state/lq/duid");
        let starters: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                thread::spawn(move || load_or_create(&path).expect("made or read"))
            })
            .collect();
        let duids: Vec<Duid> = starters.into_iter().map(|one| one.join().expect("no panic")).collect();
        assert!(duids.iter().all(|duid| *duid == duids[0]), "{duids:?}");
        assert_eq!(load_or_create(&path).expect("read"), duids[0]);
        let names = fs::read_dir(path.parent().expect("a parent")).expect("readable").count();
        assert_eq!(names, 1, "no draft is left");
    }

    #[test]
    fn errors_name_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("duid");
        fs::write(&path, "not a DUID").expect("writable");
        let error = load_or_create(&path).expect_err("not a DUID").to_string();
        assert!(error.contains("duid: must be octets in hexadecimal"), "{error}");
        let below_a_file = path.join("duid");
        assert!(matches!(load_or_create(&below_a_file), Err(IdentityError::File { .. })));
    }
}

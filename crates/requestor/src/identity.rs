//! The requestor's own DUID, the same at every start (RFC 8415 §11: it SHOULD NOT change over time).

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::{Duid, DuidError};

/// Why the own DUID cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file or its directory.
    #[error("own DUID in {path}: {source}; make the directory writable, or name the DUID yourself")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("own DUID in {path}: {source}; write one DUID into it, or remove it for a new one")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: DuidError,
    },
}

/// Reads the DUID in this file; if there is none, makes a DUID-UUID and keeps it there.
///
/// A UUID and not a link-layer address: nothing tells which interface stays with the machine for good, which a
/// DUID-LL requires (RFC 8415 §11.4). Of several processes that start at once for the first time, all get the same.
pub fn load_or_create(path: &Path) -> Result<Duid, IdentityError> {
    let fault = |source| IdentityError::File { path: path.to_owned(), source };
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path).map_err(fault)?,
        Err(error) => return Err(fault(error)),
        Ok(_) => {}
    }
    let text = fs::read_to_string(path).map_err(fault)?;
    text.parse().map_err(|source| IdentityError::Content { path: path.to_owned(), source })
}

/// Writes a new DUID beside its place and links it there, which only the first of several does.
fn create(path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let draft = path.with_extension(format!("new-{:08x}", rand::random::<u32>()));
    let written = fs::File::create_new(&draft)
        .and_then(|mut file| writeln!(file, "{}", Duid::random()).and_then(|()| file.sync_all()))
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        });
    let _ = fs::remove_file(&draft);
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn made_once_and_kept() {
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
    fn faults_name_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("duid");
        fs::write(&path, "not a DUID").expect("writable");
        let error = load_or_create(&path).expect_err("not a DUID").to_string();
        assert!(error.contains("duid: must be octets in hexadecimal"), "{error}");
        let below_a_file = path.join("duid");
        assert!(matches!(load_or_create(&below_a_file), Err(IdentityError::File { .. })));
    }
}

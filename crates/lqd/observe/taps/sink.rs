//! Targets of the query log: file, journal, standard error.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lqd_feed::{Access, OUT_OF_REACH, is_out_of_reach};

use crate::log::{self, WholeLines};
use crate::settings::LogTarget;

/// Socket of journald (systemd.journal-fields(7), "Native Journal Protocol").
const JOURNAL: &str = "/run/systemd/journal/socket";

/// Longest wait for the journal, for each line.
const JOURNAL_WAIT_MAX: Duration = Duration::from_secs(1);

/// File mode, for owner and group: the log tells which client is where.
const FILE_MODE: u32 = 0o640;

/// An open target.
pub(super) enum Sink {
    /// End of a file.
    File(WholeLines<File>),
    /// Standard error, between the lines of the program's own log and through the same queue.
    Stderr,
    /// The journal, a message for each line.
    Journal(UnixDatagram),
}

/// Error of opening a target.
#[derive(Debug, thiserror::Error)]
pub(super) enum SinkError {
    /// Opening the file failed.
    #[error("query-log: {}: {}", file.display(), refused(file, cause))]
    File {
        /// Path as given.
        file: PathBuf,
        /// Error of the system.
        cause: io::Error,
    },
    /// The file is a pipe: opening it and writing to it would wait for a reader.
    #[error("query-log: {}: is a pipe, whose reader could hold lqd up; name a file", file.display())]
    Pipe {
        /// Path as given.
        file: PathBuf,
    },
    /// Connecting to the journal failed.
    #[error("query-log: journald: {JOURNAL}: {cause}; start systemd-journald, or name a file")]
    Journal {
        /// Error of the system.
        cause: io::Error,
    },
}

fn refused(file: &Path, cause: &io::Error) -> String {
    match is_out_of_reach(file, cause.kind(), Access::Append) {
        true => OUT_OF_REACH.to_owned(),
        false => format!("{cause}; name a file that lqd may write, in a folder that exists"),
    }
}

impl Sink {
    /// Opens a target.
    pub(super) fn open(target: &LogTarget) -> Result<Self, SinkError> {
        match target {
            LogTarget::Stderr => Ok(Self::Stderr),
            LogTarget::Journald => {
                Self::journal(Path::new(JOURNAL)).map_err(|cause| SinkError::Journal { cause })
            }
            LogTarget::File(file) => {
                if fs::metadata(file).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
                    return Err(SinkError::Pipe { file: file.clone() });
                }
                let opened = OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(file);
                opened
                    .map(|opened| Self::File(WholeLines::new(opened)))
                    .map_err(|cause| SinkError::File { file: file.clone(), cause })
            }
        }
    }

    fn journal(socket: &Path) -> io::Result<Self> {
        let journal = UnixDatagram::unbound()?;
        journal.connect(socket)?;
        journal.set_write_timeout(Some(JOURNAL_WAIT_MAX))?;
        Ok(Self::Journal(journal))
    }

    /// Writes whole lines; returns the number written, and the error that stopped the others.
    pub(super) fn write(&mut self, lines: &[u8]) -> (usize, Option<io::Error>) {
        match self {
            Self::File(file) => {
                let (written, error) = file.write(lines);
                (written - usize::from(file.cut()), error)
            }
            Self::Stderr if log::say_queries(lines) => (log::count(lines), None),
            Self::Stderr => (0, Some(io::Error::other("standard error: its reader is too slow"))),
            Self::Journal(journal) => {
                let mut written = 0;
                for line in lines.split_inclusive(|&octet| octet == b'\n') {
                    // JSON has no newline inside, so the simple form of a field is enough.
                    let message = [b"PRIORITY=6\nSYSLOG_IDENTIFIER=lqd-query\nMESSAGE=", line].concat();
                    match journal.send(&message) {
                        Ok(_) => written += 1,
                        Err(error) => return (written, Some(error)),
                    }
                }
                (written, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_file_is_appended_to_and_readable_by_owner_and_group_only() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("queries.log");
        for _ in 0..2 {
            let mut sink = Sink::open(&LogTarget::File(file.clone())).unwrap();
            assert_eq!(sink.write(b"one\ntwo\n").0, 2);
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "one\ntwo\none\ntwo\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o137, 0);
        let fault = Sink::open(&LogTarget::File(folder.path().join("no/queries.log"))).err().unwrap();
        assert!(fault.to_string().contains("no/queries.log: No such file"), "{fault}");
        let pipe = folder.path().join("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let fault = Sink::open(&LogTarget::File(pipe)).err().unwrap();
        assert!(fault.to_string().contains("is a pipe"), "{fault}");
    }

    #[test]
    fn each_line_is_a_message_to_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        assert!(Sink::journal(&socket).is_err(), "no journal listens");
        let journal = UnixDatagram::bind(&socket).unwrap();
        let (written, fault) = Sink::journal(&socket).unwrap().write(b"{1}\n{2}\n");
        assert!((written, fault.is_none()) == (2, true));
        for line in ["{1}", "{2}"] {
            let mut message = [0; 128];
            let len = journal.recv(&mut message).unwrap();
            let want = format!("PRIORITY=6\nSYSLOG_IDENTIFIER=lqd-query\nMESSAGE={line}\n");
            assert_eq!(str::from_utf8(&message[..len]).unwrap(), want);
        }
    }
}

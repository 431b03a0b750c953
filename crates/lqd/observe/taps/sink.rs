//! Where the query log goes.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lqd_feed::{Access, OUT_OF_REACH, is_out_of_reach};

use crate::log::{self, WholeLines};
use crate::settings::LogTarget;

/// Where journald takes messages (systemd.journal-fields(7), "Native Journal Protocol").
const JOURNAL: &str = "/run/systemd/journal/socket";

/// How long the journal may make the writer wait for each line.
const JOURNAL_WAIT_MAX: Duration = Duration::from_secs(1);

/// Owner and group: the log says which client is where.
const FILE_MODE: u32 = 0o640;

/// Where lines are written.
pub(super) enum Sink {
    /// To the end of a file.
    File(WholeLines<File>),
    /// Standard error, between the lines of the program's own log and through the same queue.
    Stderr,
    /// The journal, a message for each line.
    Journal(UnixDatagram),
}

/// Why it cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum SinkFault {
    /// A file.
    #[error("query-log: {}: {}", file.display(), refused(file, cause))]
    File {
        /// As named.
        file: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A pipe: opening it would wait for a reader, and writing to it, too.
    #[error("query-log: {}: is a pipe, whose reader could hold lqd up; name a file", file.display())]
    Pipe {
        /// As named.
        file: PathBuf,
    },
    /// The journal.
    #[error("query-log: journald: {JOURNAL}: {cause}; start systemd-journald, or name a file")]
    Journal {
        /// What the system says.
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
    pub(super) fn open(target: &LogTarget) -> Result<Self, SinkFault> {
        match target {
            LogTarget::Stderr => Ok(Self::Stderr),
            LogTarget::Journald => {
                Self::journal(Path::new(JOURNAL)).map_err(|cause| SinkFault::Journal { cause })
            }
            LogTarget::File(file) => {
                if fs::metadata(file).is_ok_and(|metadata| metadata.file_type().is_fifo()) {
                    return Err(SinkFault::Pipe { file: file.clone() });
                }
                let opened = OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(file);
                opened
                    .map(|opened| Self::File(WholeLines::new(opened)))
                    .map_err(|cause| SinkFault::File { file: file.clone(), cause })
            }
        }
    }

    fn journal(socket: &Path) -> io::Result<Self> {
        let journal = UnixDatagram::unbound()?;
        journal.connect(socket)?;
        journal.set_write_timeout(Some(JOURNAL_WAIT_MAX))?;
        Ok(Self::Journal(journal))
    }

    /// Writes whole lines; how many of them were written, and why not the others.
    pub(super) fn write(&mut self, lines: &[u8]) -> (usize, Option<io::Error>) {
        match self {
            Self::File(file) => {
                let (written, fault) = file.write(lines);
                (written - usize::from(file.cut()), fault)
            }
            Self::Stderr if log::say_queries(lines) => (log::count(lines), None),
            Self::Stderr => (0, Some(io::Error::other("standard error: its reader is too slow"))),
            Self::Journal(journal) => {
                let mut written = 0;
                for line in lines.split_inclusive(|&octet| octet == b'\n') {
                    // JSON has no newline inside, so that the simple form of a field does.
                    let message = [b"PRIORITY=6\nSYSLOG_IDENTIFIER=lqd-query\nMESSAGE=", line].concat();
                    match journal.send(&message) {
                        Ok(_) => written += 1,
                        Err(fault) => return (written, Some(fault)),
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
    fn a_file_grows_and_is_not_for_all() {
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
    fn the_journal_gets_a_message_for_each_line() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        assert!(Sink::journal(&socket).is_err(), "nobody listens");
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

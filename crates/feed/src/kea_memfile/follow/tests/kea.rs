//! Kea's side: the files, step by step as Kea writes them, and what they say according to the plainest
//! reading.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use super::Leases;
use crate::kea_memfile::files::LeaseFiles;

pub(super) const HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,\
                      prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,\
                      hwaddr_source,pool_id\n";

/// A row of the model; `None` in place of a lease ends it.
pub(super) type Event = (Ipv6Addr, Option<(u32, u32)>);

/// A lease file set in a directory of its own, and the rows of each file.
pub(super) struct Kea {
    pub(super) files: LeaseFiles,
    current: File,
    /// Rows of `.2` (or `.completed`), `.1` and the current file.
    previous: Vec<Event>,
    input: Option<Vec<Event>>,
    rows: Vec<Event>,
    /// The current file's last line has no end yet; the rest of it, and the row that it will be.
    half: Option<(String, Option<Event>)>,
    _directory: tempfile::TempDir,
}

pub(super) fn line((address, lease): Event) -> String {
    match lease {
        Some((subnet, cltt)) => {
            let expire = u64::from(cltt) + 4000;
            format!("{address},00:01:02:03,4000,{expire},{subnet},3000,0,1,128,0,0,,,0,,1,0,0\n")
        }
        None => format!("{address},00:01:02:03,0,1700000000,1,0,0,1,128,0,0,,,0,,1,0,0\n"),
    }
}

impl Kea {
    pub(super) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let files = LeaseFiles::new(directory.path().join("kea-leases6.csv"));
        fs::write(files.current(), HEADER).unwrap();
        let current = OpenOptions::new().append(true).open(files.current()).unwrap();
        let (previous, rows) = (Vec::new(), Vec::new());
        Self { files, current, previous, input: None, rows, half: None, _directory: directory }
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.files.with_suffix(suffix)
    }

    /// The leases of the files.
    pub(super) fn leases(&self) -> Leases {
        let mut leases = Leases::new();
        for &(address, lease) in self.previous.iter().chain(self.input.iter().flatten()).chain(&self.rows) {
            match lease {
                Some(lease) => leases.insert(address, lease),
                None => leases.remove(&address),
            };
        }
        leases
    }

    /// The same without the lease whose row is half written, as its state depends on the time of the look.
    pub(super) fn without_half(&self, leases: &Leases) -> Leases {
        let mut leases = leases.clone();
        if let Some((_, Some((address, _)))) = &self.half {
            leases.remove(address);
        }
        leases
    }

    pub(super) fn write(&mut self, text: &str) {
        self.current.write_all(text.as_bytes()).unwrap();
    }

    /// The second half of a row of which only the first was written.
    pub(super) fn finish_row(&mut self) {
        if let Some((rest, event)) = self.half.take() {
            self.write(&rest);
            self.rows.extend(event);
        }
    }

    pub(super) fn append(&mut self, event: Event) {
        self.finish_row();
        self.write(&line(event));
        self.rows.push(event);
    }

    /// Writes the first octets of a row only.
    pub(super) fn append_half(&mut self, event: Event, cut: usize) {
        self.finish_row();
        let line = line(event);
        let (first, rest) = line.split_at(cut % line.len());
        self.write(first);
        self.half = Some((rest.to_owned(), Some(event)));
    }

    /// Text that is no row, or none at all.
    pub(super) fn append_no_row(&mut self, text: &str) {
        self.finish_row();
        self.write(text);
        self.write("\n");
    }

    pub(super) fn can_rotate(&self) -> bool {
        self.input.is_none()
    }

    /// LFC, Kea's step: the current file becomes `.1`.
    pub(super) fn rotate_away(&mut self) {
        self.finish_row();
        assert!(self.input.replace(std::mem::take(&mut self.rows)).is_none());
        fs::rename(self.files.current(), self.path(".1")).unwrap();
    }

    /// LFC, Kea's step: a new current file with so many octets of its header.
    pub(super) fn rotate_and_recreate(&mut self, cut: usize) {
        self.current = OpenOptions::new().append(true).create_new(true).open(self.files.current()).unwrap();
        let (first, rest) = HEADER.split_at(cut);
        self.write(first);
        self.half = (!rest.is_empty()).then(|| (rest.to_owned(), None));
    }

    pub(super) fn rotate(&mut self) {
        self.rotate_away();
        self.rotate_and_recreate(HEADER.len());
    }

    /// LFC, kea-lfc's steps 0 to 3. All of them leave the same leases in the set.
    pub(super) fn clean_up(&mut self, step: usize) {
        match step {
            0 => {
                let output = self.compacted();
                fs::write(self.path(".output"), output).unwrap();
                fs::rename(self.path(".output"), self.path(".completed")).unwrap();
            }
            1 => drop(fs::remove_file(self.path(".2"))),
            2 => fs::remove_file(self.path(".1")).unwrap(),
            _ => {
                fs::rename(self.path(".completed"), self.path(".2")).unwrap();
                self.previous.extend(self.input.take().unwrap());
            }
        }
    }

    fn compacted(&self) -> String {
        let mut leases = Leases::new();
        for &(address, lease) in self.previous.iter().chain(self.input.iter().flatten()) {
            match lease {
                Some(lease) => leases.insert(address, lease),
                None => leases.remove(&address),
            };
        }
        HEADER.to_owned()
            + &leases.into_iter().map(|(address, lease)| line((address, Some(lease)))).collect::<String>()
    }

    /// `lease6-write` onto the current file: `forgotten` is not in the dump. `between` is the time without a
    /// file.
    pub(super) fn replace_by_dump(&mut self, forgotten: Option<Ipv6Addr>, between: impl FnOnce()) {
        self.finish_row();
        let leases = self.leases();
        let dump: Vec<Event> = leases
            .into_iter()
            .filter(|&(address, _)| Some(address) != forgotten)
            .map(|(address, lease)| (address, Some(lease)))
            .collect();
        let text: String = dump.iter().map(|&event| line(event)).collect();
        fs::write(self.path(".tmp1"), HEADER.to_owned() + &text).unwrap();
        fs::rename(self.files.current(), self.path(".bak1")).unwrap();
        between();
        fs::rename(self.path(".tmp1"), self.files.current()).unwrap();
        self.current = OpenOptions::new().append(true).open(self.files.current()).unwrap();
        self.rows = dump;
    }

    /// An administrator empties the file; Kea's next row starts with a header here, so that it stays a lease
    /// file.
    pub(super) fn truncate(&mut self) {
        self.half = None;
        self.rows.clear();
        self.current.set_len(0).unwrap();
        self.write(HEADER);
    }

    /// Removed and created again, perhaps with the same inode number.
    pub(super) fn remove_and_create(&mut self) {
        self.half = None;
        self.rows.clear();
        fs::remove_file(self.files.current()).unwrap();
        self.current = OpenOptions::new().append(true).create_new(true).open(self.files.current()).unwrap();
        self.write(HEADER);
    }
}

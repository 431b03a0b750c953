//! Sample data in a temporary directory: Kea's configuration and lease file, as a server on a Kea host finds them.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

/// Header of Kea's lease file, schema 5.0.
pub const LEASES_HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,\
    prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id";

/// Where the configuration names its lease file.
const LEASES_PLACE: &str = "@LEASES@";

/// The files of one test; removed when dropped.
pub struct Fixture {
    directory: TempDir,
    /// When the lease file was written, which its relative times count from: seconds since 1970.
    pub now: u32,
}

impl Fixture {
    /// Writes both files. `@LEASES@` in the configuration becomes the lease file's path.
    ///
    /// # Panics
    /// If they cannot be written, or a row's times cannot be read.
    pub fn new(kea_config: &str, rows: &str) -> Self {
        let now = seconds_since_1970();
        let fixture = Self { directory: TempDir::new().expect("a temporary directory"), now };
        fixture.write_kea_config(kea_config);
        fixture.write_leases(&format!("{LEASES_HEADER}\n{}", fixture.rows(rows)));
        fixture
    }

    /// The directory that holds all files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// `kea-dhcp6.conf`.
    pub fn kea_config(&self) -> PathBuf {
        self.directory().join("kea-dhcp6.conf")
    }

    /// `kea-leases6.csv`.
    pub fn leases(&self) -> PathBuf {
        self.directory().join("kea-leases6.csv")
    }

    /// The flags that make a server read these files.
    pub fn flags(&self) -> Vec<String> {
        vec!["--kea-config".into(), self.kea_config().to_str().expect("the path is UTF-8").into()]
    }

    /// Replaces the configuration.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write_kea_config(&self, text: &str) {
        let leases = self.leases();
        let text = text.replace(LEASES_PLACE, leases.to_str().expect("the path is UTF-8"));
        fs::write(self.kea_config(), text).expect("the configuration is written");
    }

    /// Replaces the content of the lease file, header and all.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write_leases(&self, text: &str) {
        fs::write(self.leases(), text).expect("the lease file is written");
    }

    /// Appends rows to the lease file.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn append_leases(&self, rows: &str) {
        let file = OpenOptions::new().append(true).open(self.leases());
        let written = file.and_then(|mut file| file.write_all(rows.as_bytes()));
        written.expect("the lease file is written");
    }

    /// Rows of Kea's lease file from rows whose column `expire` holds the time of the last transaction (cltt).
    ///
    /// The cltt is a number of seconds since 1970, or `now`, `now-100`, `now+100`; Kea stores cltt + valid lifetime.
    /// Lines that are empty or begin with `#` are left out.
    ///
    /// # Panics
    /// If a row's times cannot be read.
    pub fn rows(&self, rows: &str) -> String {
        let rows = rows.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        rows.map(|row| self.row(row) + "\n").collect()
    }

    fn row(&self, row: &str) -> String {
        let mut columns: Vec<String> = row.split(',').map(str::to_owned).collect();
        let valid: u64 = columns[2].parse().unwrap_or_else(|_| panic!("valid lifetime of {row}"));
        let cltt: i64 = match columns[3].strip_prefix("now") {
            Some("") => i64::from(self.now),
            Some(offset) => i64::from(self.now) + offset.parse::<i64>().expect("seconds after `now`"),
            None => columns[3].parse().unwrap_or_else(|_| panic!("cltt of {row}")),
        };
        columns[3] = (u64::try_from(cltt).expect("a time after 1970") + valid).to_string();
        columns.join(",")
    }
}

/// The time as the server sees it: seconds since 1970.
pub fn seconds_since_1970() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u32::try_from(now.as_secs()).expect("the clock is before 2106")
}

//! Sample data in a temporary directory: Kea's configuration and lease file, laid out as on a Kea host.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

/// Header of Kea's lease file, schema 5.0.
pub const LEASES_HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,\
    prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,hwaddr_source,pool_id";

/// Placeholder of the lease file's path in configurations.
const LEASES_PLACE: &str = "@LEASES@";

/// Files of one test; removed when dropped.
pub struct Fixture {
    directory: TempDir,
    /// Time at which the lease file was written, in seconds since 1970; relative times count from it.
    pub now: u32,
}

impl Fixture {
    /// Writes both files; `@LEASES@` in the configuration becomes the lease file's path.
    ///
    /// # Panics
    /// If they cannot be written, or a row's times cannot be parsed.
    pub fn new(kea_config: &str, rows: &str) -> Self {
        let now = seconds_since_1970();
        let fixture = Self { directory: TempDir::new().expect("a temporary directory"), now };
        fixture.write_kea_config(kea_config);
        fixture.replace_leases(rows);
        fixture
    }

    /// Returns the directory of all files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Path of `kea-dhcp6.conf`.
    pub fn kea_config(&self) -> PathBuf {
        self.directory().join("kea-dhcp6.conf")
    }

    /// Path of `kea-leases6.csv`.
    pub fn leases(&self) -> PathBuf {
        self.directory().join("kea-leases6.csv")
    }

    /// Returns the flags that make a server read these files.
    pub fn flags(&self) -> Vec<String> {
        vec!["--kea-config".into(), self.kea_config().to_str().expect("the path is UTF-8").into()]
    }

    /// Path of the admin port's Unix socket, which [`Self::admin_flag`] opens.
    pub fn admin_socket(&self) -> PathBuf {
        self.directory().join("admin.sock")
    }

    /// Returns the flag that opens an admin port at [`Self::admin_socket`].
    pub fn admin_flag(&self) -> String {
        format!("--admin=unix:{}", self.admin_socket().display())
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

    /// Replaces the content of the lease file, including its header.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write_leases(&self, text: &str) {
        fs::write(self.leases(), text).expect("the lease file is written");
    }

    /// Replaces the lease file by one with these rows, in the notation of [`Self::rows`].
    ///
    /// # Panics
    /// If it cannot be written, or a row's times cannot be parsed.
    pub fn replace_leases(&self, rows: &str) {
        self.write_leases(&self.lease_file(rows));
    }

    /// Returns the text of a lease file with these rows, in the notation of [`Self::rows`].
    ///
    /// # Panics
    /// If a row's times cannot be parsed.
    pub fn lease_file(&self, rows: &str) -> String {
        format!("{LEASES_HEADER}\n{}", self.rows(rows))
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

    /// Converts rows whose column `expire` holds the time of the last transaction (cltt) to rows as Kea
    /// writes them.
    ///
    /// The cltt is in seconds since 1970, or `now`, `now-100`, `now+100`; Kea stores cltt + valid lifetime.
    /// Skips empty lines, and lines that begin with `#`.
    ///
    /// # Panics
    /// If a row's times cannot be parsed.
    pub fn rows(&self, rows: &str) -> String {
        rows_at(rows, self.now)
    }
}

/// Converts rows as [`Fixture::rows`], with this time as `now`.
///
/// # Panics
/// If a row's times cannot be parsed.
pub fn rows_at(rows: &str, now: u32) -> String {
    let rows = rows.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    rows.map(|row| row_at(row, now) + "\n").collect()
}

fn row_at(row: &str, now: u32) -> String {
    let mut columns: Vec<String> = row.split(',').map(str::to_owned).collect();
    let valid: u64 = columns[2].parse().unwrap_or_else(|_| panic!("valid lifetime of {row}"));
    let cltt: i64 = match columns[3].strip_prefix("now") {
        Some("") => i64::from(now),
        Some(offset) => i64::from(now) + offset.parse::<i64>().expect("seconds after `now`"),
        None => columns[3].parse().unwrap_or_else(|_| panic!("cltt of {row}")),
    };
    columns[3] = (u64::try_from(cltt).expect("a time after 1970") + valid).to_string();
    columns.join(",")
}

/// Returns the current time in seconds since 1970, as the server sees it.
pub fn seconds_since_1970() -> u32 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u32::try_from(now.as_secs()).expect("the clock is before 2106")
}

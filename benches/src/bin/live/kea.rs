//! Simulated Kea: appends rows at a rate, renames its file as the clean-up does, and knows every lease.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use lqd_benches::leases::PREFERRED_LIFETIME;
use lqd_benches::network::{Client, DELEGATED_LEN};
use lqd_benches::rows::HEADER;

use crate::LiveError;

/// Interval of writes; Kea writes each row alone, which wakes the follower no more often than it can read.
const TICK: Duration = Duration::from_millis(1);
/// Base of the valid lifetime, plus one second per renewal: it tells the version of a lease.
const LIFETIME: u32 = 100_000;
/// Share of releases: one row in this many.
const RELEASE_ONE_IN: u64 = 10;

/// The last row written, to measure how soon it is visible.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) client: u32,
    /// Valid lifetime; 0 is a release.
    pub(crate) valid_lifetime: u32,
    pub(crate) written: Instant,
}

pub(crate) struct Kea {
    path: PathBuf,
    file: File,
    /// Times a client's address lease was granted or renewed.
    renewals: Vec<u32>,
    bound: Vec<bool>,
    cltt: u32,
    random: u64,
    text: String,
    pub(crate) rows: u64,
}

impl Kea {
    /// Writes a lease file in which the first half of the clients has an address and a prefix.
    ///
    /// `cltt` is ahead of the clock, so that lqd reports lifetimes as they were granted.
    pub(crate) fn new(path: &Path, clients: u32, cltt: u32) -> Result<Self, LiveError> {
        let mut text = format!("{HEADER}\n");
        let mut bound = vec![false; clients as usize];
        // Half of the clients, so that there are leases to grant and to release.
        for number in 0..clients / 2 {
            let client = Client::new(number);
            put_row(&mut text, &client, LIFETIME, cltt);
            put_prefix_row(&mut text, &client, cltt);
            bound[number as usize] = true;
        }
        fs::write(path, text).map_err(LiveError::file(path))?;
        // Kea appends, and so does this.
        let file = OpenOptions::new().append(true).open(path).map_err(LiveError::file(path))?;
        let renewals = vec![0; clients as usize];
        Ok(Self {
            path: path.to_owned(),
            file,
            renewals,
            bound,
            cltt,
            random: 7,
            text: String::new(),
            rows: 0,
        })
    }

    /// Valid lifetime of a client's address in the file, 0 without a lease.
    pub(crate) fn valid_lifetime(&self, client: u32) -> u32 {
        let client = client as usize;
        if self.bound[client] { LIFETIME + self.renewals[client] } else { 0 }
    }

    pub(crate) fn clients(&self) -> u32 {
        self.bound.len() as u32 // as many as were asked for, a u32
    }

    /// Appends `rate` rows a second for `length`, and publishes the last row of each write; returns the
    /// maximum delay of a row.
    ///
    /// `rotate` after the start, renames the file as Kea's clean-up does, which ends a tenth of a second
    /// later.
    pub(crate) fn run(
        &mut self,
        rate: u64,
        length: Duration,
        rotate: Option<Duration>,
        latest: &Mutex<Option<Mark>>,
    ) -> Result<Duration, LiveError> {
        let (start, mut written, mut late) = (Instant::now(), 0, Duration::ZERO);
        let mut clean_up = rotate.map(|at| (at, CleanUp::Rotate));
        while start.elapsed() < length {
            // Rows are due by the clock: a slow write does not lower the rate.
            let due = (start.elapsed().as_secs_f64() * rate as f64) as u64;
            if due > written {
                late = late.max(Duration::from_secs_f64((due - written) as f64 / rate as f64));
                let mark = self.append(due - written)?;
                *latest.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(mark);
                written = due;
            }
            if let Some((at, step)) = clean_up.filter(|(at, _)| start.elapsed() >= *at) {
                clean_up = self.clean_up(step)?.map(|next| (at + Duration::from_millis(100), next));
            }
            std::thread::sleep(TICK);
        }
        Ok(late)
    }

    /// Writes `rows` rows, at least one, with one call.
    fn append(&mut self, rows: u64) -> Result<Mark, LiveError> {
        self.text.clear();
        let mut mark = (0, 0);
        for _ in 0..rows {
            let random = self.next_random();
            let number = (random >> 32) as u32 % self.clients();
            let (at, client) = (number as usize, Client::new(number));
            // Only a lease that is bound can be released.
            let release = self.bound[at] && random.is_multiple_of(RELEASE_ONE_IN);
            self.bound[at] = !release;
            self.renewals[at] += 1;
            let valid_lifetime = self.valid_lifetime(number);
            put_row(&mut self.text, &client, valid_lifetime, self.cltt);
            mark = (number, valid_lifetime);
        }
        self.file.write_all(self.text.as_bytes()).map_err(LiveError::file(&self.path))?;
        self.rows += rows;
        // The time is taken when the row is in the file.
        Ok(Mark { client: mark.0, valid_lifetime: mark.1, written: Instant::now() })
    }

    /// Does a step of kea-lfc; returns the next. Its work, without effect on the leases here, is to merge
    /// rows.
    fn clean_up(&mut self, step: CleanUp) -> Result<Option<CleanUp>, LiveError> {
        let name = |suffix: &str| PathBuf::from(format!("{}{suffix}", self.path.display()));
        let rename =
            |from: &str, to: &str| fs::rename(name(from), name(to)).map_err(LiveError::file(&self.path));
        match step {
            CleanUp::Rotate => {
                // Renamed before the new file is made, as Kea does.
                rename("", ".1")?;
                let mut file = File::create_new(&self.path).map_err(LiveError::file(&self.path))?;
                writeln!(file, "{HEADER}").map_err(LiveError::file(&self.path))?;
                self.file = file;
                Ok(Some(CleanUp::Complete))
            }
            // lqd must follow each of these names without losing a row.
            CleanUp::Complete => rename(".1", ".completed").map(|()| Some(CleanUp::Keep)),
            CleanUp::Keep => rename(".completed", ".2").map(|()| None),
        }
    }

    /// Next number of SplitMix64.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
    }
}

#[derive(Clone, Copy)]
enum CleanUp {
    Rotate,
    Complete,
    Keep,
}

/// Writes the row of a client's address; valid lifetime 0 is a release.
fn put_row(out: &mut String, client: &Client, valid_lifetime: u32, cltt: u32) {
    let (address, expire) = (client.address, u64::from(cltt) + u64::from(valid_lifetime));
    put_duid(out, &address, &client.duid);
    let subnet = client.subnet_id;
    // Writing to a String does not fail.
    let _ = writeln!(out, "{valid_lifetime},{expire},{subnet},{PREFERRED_LIFETIME},0,7,128,0,0,,,0,,,,0");
}

fn put_prefix_row(out: &mut String, client: &Client, cltt: u32) {
    put_duid(out, &client.prefix, &client.duid);
    let (expire, subnet) = (u64::from(cltt) + u64::from(LIFETIME), client.subnet_id);
    let _ =
        writeln!(out, "{LIFETIME},{expire},{subnet},{PREFERRED_LIFETIME},2,7,{DELEGATED_LEN},0,0,,,0,,,,0");
}

fn put_duid(out: &mut String, address: &std::net::Ipv6Addr, duid: &[u8]) {
    let _ = write!(out, "{address}");
    // Kea separates octets by colons.
    for (position, octet) in duid.iter().enumerate() {
        let _ = write!(out, "{}{octet:02x}", if position == 0 { ',' } else { ':' });
    }
    out.push(',');
}

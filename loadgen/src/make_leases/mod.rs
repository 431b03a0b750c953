//! `lqload make-leases`: leases as Kea would have written them, and the configuration they belong to.
//!
//! Everything follows from the seed and the client's number, so that nothing is kept: fifty million leases
//! take no more memory than one.

mod csv;
mod kea_config;
mod plan;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::fault::Fault;
use crate::report::text::thousands;
use crate::share;
use csv::RowWriter;
use plan::{Lifetimes, Plan};

const LEASE_FILE: &str = "kea-leases6.csv";
const CONFIG_FILE: &str = "kea-dhcp6.conf";

/// Write a lease file of Kea and the kea-dhcp6.conf that belongs to it.
///
/// Each client has one address in the /64 of its link and one delegated /56 from the link's pd-pool, both
/// valid for a day or more from now.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Clients, each with two leases.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    clients: u64,
    /// Links over which the clients are spread evenly; each eighth is a shared network of two subnets.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    links: u32,
    /// Share of clients behind relay agents whose data Kea has stored, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    relay_data: f64,
    /// Share of clients whose link-layer address Kea has stored, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    hwaddr: f64,
    /// Leases never expire.
    #[arg(long)]
    infinite: bool,
    /// Same seed, same clients.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Write lifetimes as of this time, seconds since 1970, instead of now: same time, same file octet for
    /// octet.
    #[arg(long, value_name = "SECONDS")]
    now: Option<u32>,
    /// Directory for kea-leases6.csv and kea-dhcp6.conf, made if it is missing; neither may exist there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes both files.
pub(crate) fn make(options: &Options) -> Result<(), Fault> {
    let started = Instant::now();
    fs::create_dir_all(&options.out).map_err(Fault::file(&options.out))?;
    let directory = fs::canonicalize(&options.out).map_err(Fault::file(&options.out))?;
    let (lease_file, config_file) = (directory.join(LEASE_FILE), directory.join(CONFIG_FILE));
    for file in [&lease_file, &config_file] {
        if file.try_exists().map_err(Fault::file(file))? {
            return Err(Fault::Exists(file.clone()));
        }
    }
    let lifetimes = Lifetimes { now: options.now.unwrap_or_else(unix_seconds), infinite: options.infinite };
    let plan = Plan::new(options.clients, options.links, options.seed);
    write_whole(&lease_file, |file| write_leases(file, options, &plan, lifetimes))?;
    write_whole(&config_file, |file| kea_config::write(file, &plan, &lease_file, options.infinite))?;
    println!(
        "wrote {} leases of {} clients on {} links to {} in {:.1} s",
        thousands(2 * options.clients),
        thousands(options.clients),
        thousands(u64::from(options.links)),
        directory.display(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn unix_seconds() -> u32 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(since_1970).unwrap_or(u32::MAX)
}

fn write_leases(
    out: &mut impl Write,
    options: &Options,
    plan: &Plan,
    lifetimes: Lifetimes,
) -> io::Result<()> {
    out.write_all(csv::HEADER.as_bytes())?;
    let mut rows = RowWriter::new(options.relay_data, options.hwaddr, lifetimes);
    for number in 0..options.clients {
        out.write_all(rows.client(&plan.client(number)))?;
    }
    Ok(())
}

/// Writes a file under another name first: one that has its name is whole.
fn write_whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), Fault> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = File::create(&partial).and_then(|file| {
        let mut file = BufWriter::with_capacity(1 << 20, file);
        write(&mut file)?;
        file.flush()?;
        fs::rename(&partial, path)
    });
    written.map_err(Fault::file(path))
}

#[cfg(test)]
mod tests;

//! `lqload make-leases`: leases as Kea would have written them, with their configuration.
//!
//! Everything is derived from the seed and the client's number, so nothing is stored: fifty million leases
//! take no more memory than one.

mod csv;
mod kea_config;
mod plan;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::clock::unix_seconds;
use crate::error::Error;
use crate::report::text::thousands;
use crate::value::share;
use csv::RowWriter;
pub(crate) use csv::{HEADER, put_address, put_decimal, put_hex};
use plan::{AddressPlan, Lifetimes};

const LEASE_FILE: &str = "kea-leases6.csv";
const CONFIG_FILE: &str = "kea-dhcp6.conf";

/// Writes a lease file of Kea and the matching kea-dhcp6.conf.
///
/// Each client has an address in the /64 of its link and a delegated /56 from the link's pd-pool, both valid
/// for a day or more from now.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Number of clients, each with two leases
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    clients: u64,
    /// Number of links, over which the clients are spread evenly; every eighth is a shared network of two
    /// subnets
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    links: u32,
    /// Share of clients behind relay agents whose data Kea stored, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    relay_data: f64,
    /// Share of clients whose link-layer address Kea stored, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    hwaddr: f64,
    /// Makes leases that never expire
    #[arg(long)]
    infinite: bool,
    /// Seed of the random numbers; the same seed makes the same clients
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Time of the leases in seconds since 1970, instead of now; the same time makes the same file
    #[arg(long, value_name = "SECONDS")]
    now: Option<u32>,
    /// Directory for kea-leases6.csv and kea-dhcp6.conf, created if missing; neither file may exist there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes both files.
pub(crate) fn make(options: &Options) -> Result<(), Error> {
    let started = Instant::now();
    // Created first, since a path that does not exist has no canonical form.
    fs::create_dir_all(&options.out).map_err(Error::file(&options.out))?;
    // Kea's configuration needs an absolute path.
    let directory = fs::canonicalize(&options.out).map_err(Error::file(&options.out))?;
    let (lease_file, config_file) = (directory.join(LEASE_FILE), directory.join(CONFIG_FILE));
    for file in [&lease_file, &config_file] {
        // Checked for both before either is written: a server may use the files.
        if file.try_exists().map_err(Error::file(file))? {
            return Err(Error::Exists(file.clone()));
        }
    }
    let lifetimes = Lifetimes { now: options.now.unwrap_or_else(unix_seconds), infinite: options.infinite };
    // The plan is made before the files, so that both describe the same clients.
    let plan = AddressPlan::new(options.clients, options.links, options.seed);
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

fn write_leases(
    out: &mut impl Write,
    options: &Options,
    plan: &AddressPlan,
    lifetimes: Lifetimes,
) -> io::Result<()> {
    // Kea refuses a file without header.
    out.write_all(HEADER.as_bytes())?;
    let mut rows = RowWriter::new(options.relay_data, options.hwaddr, lifetimes);
    for number in 0..options.clients {
        out.write_all(rows.client(&plan.client(number)))?;
    }
    Ok(())
}

/// Writes a file under another name and renames it, so that a file with its final name is complete.
fn write_whole(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), Error> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    // Under another name until it is complete.
    let written = File::create(&partial).and_then(|file| {
        let mut file = BufWriter::with_capacity(1 << 20, file);
        write(&mut file)?;
        file.flush()?;
        // A server that watches the folder never sees half a file.
        fs::rename(&partial, path)
    });
    // The error names the file that was wanted, not its partial name.
    written.map_err(Error::file(path))
}

#[cfg(test)]
mod tests;

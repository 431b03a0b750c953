//! Kea's DHCPv6 configuration, as far as a leasequery server needs it: links, the options of each subnet, the
//! lease file, the server's DUID, the requestors that are allowed.
//!
//! Kea reads a language of its own: JSON with comments (`#`, `//`, `/* */`), `<?include "file"?>`, surplus
//! commas, numbers such as `.5` and `01`, strings of octets in any encoding, and any depth. No JSON, JSON5 or
//! JSONC crate reads it, so lexer and parser are here ([`read`]). They refuse the same texts as Kea's lexer
//! and its grammar of plain values, but for equal keys in a map (the last counts) and numbers beyond 64 bits.
//!
//! Keys that are not used here are not looked at: Kea has hundreds, and judging them is Kea's work
//! (`kea-dhcp6 -t`). A key that *is* used must have its type, else the error names its place in the file and
//! its path in the tree. A setting that cannot be served, but does no harm when left out, is a [`Warning`].

mod address;
mod document;
mod error;
mod hex;
mod lease_database;
mod lexer;
mod links;
mod node;
mod option_data;
mod option_def;
mod option_field;
mod option_set;
mod option_table;
mod overrides;
mod requesters;
mod server_duid;
#[cfg(test)]
mod tests;
mod tree;

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use lqd_index::{LeaseChecks, Link};

pub use document::{Document, Include, read};
pub use error::{ConfigError, TextPosition, Warning};
pub use lease_database::LeaseDatabase;
pub use links::ExtendedInfo;
pub use server_duid::ServerDuid;

use node::Node;

/// Folder of Kea's files, unless configured otherwise.
const DATA_DIRECTORY: &str = "/var/lib/kea";

/// Settings of `Dhcp6` that a leasequery server needs.
#[derive(Debug)]
pub struct KeaConfig {
    /// A link for each shared network, and for each subnet outside one; in the order in which Kea numbers
    /// them.
    pub links: Vec<Link>,
    /// Kea's check of leases whose subnet id does not fit their address.
    pub lease_checks: LeaseChecks,
    /// The place of the leases.
    pub lease_database: LeaseDatabase,
    /// The origin of the server's DUID.
    pub server_duid: ServerDuid,
    /// Requestors allowed by the lease_query hook; `None` without the hook.
    pub requesters: Option<Vec<IpNet>>,
    /// The subnets that keep relay information with their leases.
    pub extended_info: ExtendedInfo,
    /// Settings that are not served, and fixes.
    pub warnings: Vec<Warning>,
}

impl KeaConfig {
    /// Reads the settings of a configuration.
    ///
    /// `data_dir` is the folder of lease file and server id when the configuration has no `data-directory`:
    /// the environment variable `KEA_DHCP_DATA_DIR` of Kea's service, if it is set there; else
    /// `/var/lib/kea`.
    ///
    /// Reads no file; [`ServerDuid::resolve`] does.
    pub fn from_document(document: &Document, data_dir: Option<&Path>) -> Result<Self, ConfigError> {
        let root = Node::root(document);
        // A configuration of kea-dhcp4 parses as well, so the missing key is the only sign.
        let Some(dhcp6) = root.key("Dhcp6")? else {
            return Err(
                root.error("has no \"Dhcp6\"; give the configuration of kea-dhcp6, not of another server")
            );
        };
        let mut warnings = document.warnings();
        let data_dir = data_directory(&dhcp6, data_dir)?;
        let lease_database = lease_database::read(&dhcp6, &data_dir)?;
        let networks = links::read(&dhcp6, &mut warnings)?;
        warn_of_database(&dhcp6, &mut warnings)?;
        Ok(Self {
            links: networks.links,
            lease_checks: links::lease_checks(&dhcp6)?,
            server_duid: server_duid::read(&dhcp6, &data_dir, &lease_database)?,
            lease_database,
            requesters: requesters::read(&dhcp6)?,
            extended_info: networks.extended_info,
            warnings,
        })
    }
}

fn data_directory(dhcp6: &Node<'_>, outside: Option<&Path>) -> Result<PathBuf, ConfigError> {
    Ok(match dhcp6.key("data-directory")? {
        Some(configured) => configured.file()?.to_owned(),
        None => outside.unwrap_or(Path::new(DATA_DIRECTORY)).to_owned(),
    })
}

/// Subnets in Kea's configuration backend are in SQL, where this reader cannot see them.
fn warn_of_database(dhcp6: &Node<'_>, warnings: &mut Vec<Warning>) -> Result<(), ConfigError> {
    if let Some(databases) = overrides::config_databases(dhcp6)? {
        warnings.push(databases.warning(
            "Kea takes subnets and options from a database too, which lqd does not see; queries for those subnets \
             are answered NotConfigured until they are in the file, and no configured options are served",
        ));
    }
    Ok(())
}

//! `lease-database`: the place in which Kea keeps its leases.

use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::node::Node;

/// Name of the lease file unless `name` gives another.
const LEASE_FILE: &str = "kea-leases6.csv";

/// Place of the leases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseDatabase {
    /// Leases in a file.
    Memfile {
        /// The current lease file; its `.1`, `.2`, … lie beside it.
        file: PathBuf,
        /// Interval of Kea's clean-up of the file, in seconds; 0 = never, `None` = not configured (Kea:
        /// 3600).
        lfc_interval: Option<u32>,
    },
    /// Leases in memory only: `persist` is false.
    Memory,
    /// Leases in a database of this type.
    Sql(String),
}

impl LeaseDatabase {
    /// Returns the file to follow.
    ///
    /// # Errors
    /// If there is none. [`super::KeaConfig::from_document`] does not fail by it, as another flag may name a
    /// file.
    pub fn lease_file(&self) -> Result<&Path, ConfigError> {
        let error = match self {
            // The first fitting reason is returned by `lease_file`, not at parsing: a flag may override it.
            Self::Memfile { file, .. } => return Ok(file),
            Self::Memory => {
                "Dhcp6.lease-database: \"persist\" is false, so Kea writes no lease file that could be \
                             followed; set it to true"
                    .to_owned()
            }
            Self::Sql(kind) => format!(
                "Dhcp6.lease-database: the leases are in {kind}; lqd follows memfile only; use \
                 \"type\": \"memfile\", or name a lease file with --kea-leases"
            ),
        };
        Err(ConfigError::Missing(error))
    }
}

pub(super) fn read(dhcp6: &Node<'_>, data_dir: &Path) -> Result<LeaseDatabase, ConfigError> {
    // An absent database is memfile in Kea too.
    let default = LeaseDatabase::Memfile { file: data_dir.join(LEASE_FILE), lfc_interval: None };
    let Some(database) = dhcp6.key("lease-database")? else { return Ok(default) };
    let kind = database.required("type")?;
    match kind.text()? {
        "memfile" => {}
        sql @ ("mysql" | "postgresql") => return Ok(LeaseDatabase::Sql(sql.to_owned())),
        _ => return Err(kind.not("\"memfile\", \"mysql\" or \"postgresql\"")),
    }
    // Without persistence the name in the configuration is of no effect.
    if let Some(persist) = database.key("persist")?
        && !persist.flag()?
    {
        return Ok(LeaseDatabase::Memory);
    }
    let name = database.key("name")?.map_or(Ok(Path::new(LEASE_FILE)), |name| name.file())?;
    let lfc_interval = database.key("lfc-interval")?.map(|seconds| seconds.number(u32::MAX)).transpose()?;
    // `join` takes an absolute name as it is.
    Ok(LeaseDatabase::Memfile { file: data_dir.join(name), lfc_interval })
}

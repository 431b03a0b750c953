//! The DUID by which Kea names itself in OPTION_SERVERID.
//!
//! Kea builds it from `server-id`, fills parts left open from the file of the last run, and writes the
//! outcome to that file. So a `server-id` that leaves nothing open is the DUID, and otherwise the file is.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::confinement::{Access, OUT_OF_REACH, is_out_of_reach};

use super::error::ConfigError;
use super::hex;
use super::lease_database::LeaseDatabase;
use super::node::Node;

/// Name of the file in which Kea keeps its DUID.
const FILE: &str = "kea-dhcp6-serverid";
/// Length of a DUID in octets: a type, and at most 128 octets of identifier (RFC 8415 §11.1).
const LEN: std::ops::RangeInclusive<usize> = 3..=130;
/// Hardware type Ethernet (IANA), with which Kea fills an absent `htype`.
const ETHERNET: u16 = 1;
/// ISC's enterprise number (IANA), with which Kea fills an absent `enterprise-id`.
const ISC: u32 = 2495;

/// Origin of the server's DUID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerDuid {
    /// Given by `server-id` with all its parts.
    Configured(Vec<u8>),
    /// Kept in a file that Kea writes.
    File {
        /// Possible places; the first file that exists is read.
        candidates: Vec<PathBuf>,
        /// The DUID that Kea would build from `server-id` if it had no file, if that is certain.
        otherwise: Option<Vec<u8>>,
    },
    /// Kea makes up a new one at each start.
    Changing,
}

impl ServerDuid {
    /// Returns the DUID, from the file if the configuration does not give all of it.
    pub fn resolve(&self) -> Result<Vec<u8>, ConfigError> {
        let (candidates, otherwise) = match self {
            Self::Configured(duid) => return Ok(duid.clone()),
            Self::Changing => return Err(ConfigError::Missing(CHANGING.to_owned())),
            // A file given by Kea wins over parts: Kea keeps its DUID even when `server-id` changes.
            Self::File { candidates, otherwise } => (candidates, otherwise),
        };
        // A file in a folder that may not be entered counts as there: the read returns the error.
        if let Some(file) = candidates.iter().find(|file| file.try_exists().unwrap_or(true)) {
            return from_file(file);
        }
        otherwise.clone().ok_or_else(|| {
            let files: Vec<_> = candidates.iter().map(|file| file.display().to_string()).collect();
            ConfigError::NotYet(format!(
                "the server's DUID is not known: Dhcp6.server-id does not give all its parts, and Kea's file \
                 {} does not exist; start Kea once, or complete server-id, or give the DUID with \
                 --server-duid",
                files.join(" or ")
            ))
        })
    }
}

const CHANGING: &str = "Dhcp6.server-id: \"persist\" is false and parts of the DUID are not given, so Kea \
                        makes a new one at each start; give all parts, or set persist to true, or give the \
                        DUID with --server-duid";

/// Parts that `server-id` gives; 0 and empty mean open, as in Kea.
struct Parts {
    kind: Kind,
    identifier: Vec<u8>,
    htype: u16,
    time: u32,
    enterprise: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    LinkLayerTime,
    Enterprise,
    LinkLayer,
}

impl Parts {
    /// Whether nothing is left for Kea to fill in.
    fn complete(&self) -> bool {
        let rest = match self.kind {
            // Kea fills an open time with the present moment, so the DUID cannot be foreseen.
            Kind::LinkLayerTime => self.htype != 0 && self.time != 0,
            Kind::Enterprise => self.enterprise != 0,
            Kind::LinkLayer => self.htype != 0,
        };
        rest && !self.identifier.is_empty()
    }

    /// Returns the DUID (RFC 8415 §11.2–§11.4), open numbers filled as by Kea; `None` if they cannot be
    /// foreseen.
    fn duid(&self) -> Option<Vec<u8>> {
        let or = |number: u16, default| if number == 0 { default } else { number };
        let head = match self.kind {
            // An open time is the moment of Kea's first start.
            Kind::LinkLayerTime if self.time == 0 => return None,
            Kind::LinkLayerTime => {
                [&[0, 1][..], &or(self.htype, ETHERNET).to_be_bytes(), &self.time.to_be_bytes()].concat()
            }
            Kind::Enterprise => {
                let enterprise = if self.enterprise == 0 { ISC } else { self.enterprise };
                [&[0, 2][..], &enterprise.to_be_bytes()].concat()
            }
            Kind::LinkLayer => [&[0, 3][..], &or(self.htype, ETHERNET).to_be_bytes()].concat(),
        };
        (!self.identifier.is_empty()).then(|| [head, self.identifier.clone()].concat())
    }
}

pub(super) fn read(
    dhcp6: &Node<'_>,
    data_dir: &Path,
    leases: &LeaseDatabase,
) -> Result<ServerDuid, ConfigError> {
    // The data directory comes first: it is where Kea keeps its files by default.
    let mut candidates = vec![data_dir.join(FILE)];
    if let LeaseDatabase::Memfile { file, .. } = leases
        && let Some(folder) = file.parent()
        && folder != data_dir
    {
        candidates.push(folder.join(FILE));
    }
    let Some(server_id) = dhcp6.key("server-id")? else {
        return Ok(ServerDuid::File { candidates, otherwise: None });
    };
    let parts = parts(&server_id)?;
    let persist = server_id.key("persist")?.map_or(Ok(true), |persist| persist.flag())?;
    let duid = parts.duid();
    // A DUID that RFC 8415 does not allow would make every reply malformed.
    if let Some(duid) = &duid
        && !LEN.contains(&duid.len())
    {
        return Err(server_id.error("makes a DUID of more than 130 octets; shorten the identifier"));
    }
    Ok(match duid {
        // Without persistence Kea has no file, so a DUID that can be foreseen is the one it uses.
        Some(duid) if parts.complete() || !persist => ServerDuid::Configured(duid),
        otherwise if persist => ServerDuid::File { candidates, otherwise },
        _ => ServerDuid::Changing,
    })
}

fn parts(server_id: &Node<'_>) -> Result<Parts, ConfigError> {
    let kind = server_id.key("type")?.map_or(Ok(Kind::LinkLayerTime), |kind| {
        kind.parsed("\"LLT\", \"EN\" or \"LL\"", |text| match text {
            "LLT" => Some(Kind::LinkLayerTime),
            "EN" => Some(Kind::Enterprise),
            "LL" => Some(Kind::LinkLayer),
            _ => None,
        })
    })?;
    let number = |key| server_id.key(key)?.map_or(Ok(0), |node| node.number(u32::MAX));
    let identifier = server_id.key("identifier")?;
    Ok(Parts {
        kind,
        // Kea takes pairs alone, and white space between any digits; other texts are read as elsewhere.
        identifier: identifier.map_or(Ok(Vec::new()), |node| {
            node.parsed("hexadecimal digits", |text| {
                hex::pairs(text.as_bytes()).or_else(|| hex::octets(text))
            })
        })?,
        htype: server_id.key("htype")?.map_or(Ok(0), |node| node.number(u16::MAX))?,
        time: number("time")?,
        enterprise: number("enterprise-id")?,
    })
}

/// Reads Kea's file: one DUID as `00:01:…`, spaces anywhere.
fn from_file(file: &Path) -> Result<Vec<u8>, ConfigError> {
    let error = |kind, reason| ConfigError::File { file: file.to_owned(), kind, reason };
    let mut text = String::new();
    // A DUID is at most 130 octets: a bound keeps a wrong file from filling memory.
    let opened = File::open(file).and_then(|open| open.take(4096).read_to_string(&mut text));
    opened.map_err(|cause| {
        let reason = match is_out_of_reach(file, cause.kind(), Access::Read) {
            true => format!("the server's DUID {OUT_OF_REACH}, or give --server-duid"),
            false => {
                format!("the server's DUID cannot be read: {cause}; let lqd read it, or give --server-duid")
            }
        };
        error(cause.kind(), reason)
    })?;
    // Kea 2 writes a line end, and operators wrap lines.
    let joined: String = text.split_ascii_whitespace().collect();
    let duid = hex::octets(&joined).filter(|duid| LEN.contains(&duid.len()));
    duid.ok_or_else(|| {
        error(
            ErrorKind::InvalidData,
            "does not hold a DUID, such as 00:03:00:01:0a:00:27:00:00:01; let Kea write it, or give \
               --server-duid"
                .into(),
        )
    })
}

//! Lease sources: `[[source]]` of the file, or the flags as the short form of a single one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::link_address::{self, LinkAddress};
use super::spelled::list;
use super::{Flags, SettingsError};

/// Name of the source that the flags give.
const SOLE: &str = "kea";

/// Longest name of a source, in characters.
const NAME_LEN_MAX: usize = 64;

/// One `[[source]]` of the file, as typed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct TypedSource {
    name: String,
    kea_config: PathBuf,
    #[serde(default)]
    kea_leases: Option<PathBuf>,
    #[serde(default, deserialize_with = "list")]
    link_address: Option<Vec<LinkAddress>>,
}

impl TypedSource {
    /// Makes relative paths start from `folder`.
    pub(super) fn below(&mut self, folder: &Path) {
        for path in [Some(&mut self.kea_config), self.kea_leases.as_mut()].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
}

/// A Kea server whose leases are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceSettings {
    /// The operator's name for it, which no other source has: 1..=64 letters, digits, `.`, `_`, `-`.
    pub(crate) name: String,
    /// Kea's configuration file.
    pub(crate) kea_config: PathBuf,
    /// Kea's lease file, if other than in its configuration.
    pub(crate) kea_leases: Option<PathBuf>,
    /// Addresses reported for its links, each subnet and each address once.
    pub(crate) link_addresses: Vec<LinkAddress>,
}

/// Resolves the lease sources: at least one.
pub(super) fn sources(typed: &Flags) -> Result<Vec<SourceSettings>, SettingsError> {
    let (kea_config, kea_leases) = (typed.kea_config.clone(), typed.kea_leases.clone());
    let link_address = typed.link_address.clone();
    let Some(sources) = typed.source.clone() else {
        return Ok(vec![SourceSettings {
            name: SOLE.to_owned(),
            kea_config: kea_config.ok_or(SettingsError::NoKeaConfig)?,
            kea_leases,
            link_addresses: link_address::each_once(link_address.unwrap_or_default())?,
        }]);
    };
    let beside = [
        ("kea-config", kea_config.is_some()),
        ("kea-leases", kea_leases.is_some()),
        ("link-address", link_address.is_some()),
    ];
    if let Some((setting, _)) = beside.into_iter().find(|(_, is_given)| *is_given) {
        return Err(fault(setting, "is for a single source; move it into its [[source]]"));
    }
    if sources.is_empty() {
        return Err(SettingsError::Empty { setting: "source" });
    }
    let sources: Result<Vec<_>, _> = sources.into_iter().map(source).collect();
    let sources = sources?;
    let mut names = HashSet::new();
    if let Some(twice) = sources.iter().find(|source| !names.insert(&source.name)) {
        return Err(fault(&twice.name, "is the name of two sources; give each its own"));
    }
    let all = sources.iter().flat_map(|source| &source.link_addresses);
    let mut addresses = HashSet::new();
    if let Some(twice) = all.into_iter().find(|given| !addresses.insert(given.address)) {
        let value = twice.to_string();
        let fault = "is given for a link of another source, too; give each its own".to_owned();
        return Err(SettingsError::Value { setting: "link-address", value, fault });
    }
    Ok(sources)
}

fn source(typed: TypedSource) -> Result<SourceSettings, SettingsError> {
    let TypedSource { name, kea_config, kea_leases, link_address } = typed;
    let is_fit = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if name.is_empty() || name.len() > NAME_LEN_MAX || !name.chars().all(is_fit) {
        return Err(fault(&name, "must be 1 to 64 letters, digits, dots, dashes and underscores"));
    }
    let link_addresses = link_address::each_once(link_address.unwrap_or_default())?;
    Ok(SourceSettings { name, kea_config, kea_leases, link_addresses })
}

fn fault(value: &str, fault: &str) -> SettingsError {
    SettingsError::Value { setting: "source", value: value.to_owned(), fault: fault.to_owned() }
}

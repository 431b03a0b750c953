//! Lease sources as configured.

use std::collections::BTreeSet;

use lqd_index::{LeaseChecks, Link, Links, LinksError};
use tracing::warn;

use crate::source::{LeaseSource, Seen};
use crate::subnet_numbers::{SourceNumber, SubnetNumbers};

/// A lease source and the links that it has leases of.
pub struct SourceConfig {
    pub(crate) label: String,
    pub(crate) source: Box<dyn LeaseSource>,
    links: Vec<Link>,
    /// The same as a table, with the source's own subnet ids.
    pub(crate) own_links: Links,
}

impl SourceConfig {
    /// `label`: the operator's name for the source, which no other has. `lease_checks`: those that the source
    /// applies.
    ///
    /// # Errors
    /// If the links cannot be used.
    pub fn new(
        label: impl Into<String>,
        source: Box<dyn LeaseSource>,
        links: Vec<Link>,
        lease_checks: LeaseChecks,
    ) -> Result<Self, LinksError> {
        // Checked with the source alone, so that the error names the right configuration.
        let own_links = Links::new(links.clone())?.with_lease_checks(lease_checks);
        Ok(Self { label: label.into(), source, links, own_links })
    }

    /// The operator's name for the source.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The source.
    pub fn source(&self) -> &dyn LeaseSource {
        &*self.source
    }

    pub(crate) fn numbered_links(&self, numbers: &SubnetNumbers, source: SourceNumber) -> Vec<Link> {
        numbers.links(source, &self.links)
    }

    /// Logs the first few subnet ids of leases that the source's configuration does not have.
    pub(crate) fn unknown_subnets(&self, seen: &Seen) -> UnknownSubnets {
        UnknownSubnets::of(&self.label, &seen.subnet_ids, &self.own_links)
    }
}

/// The links of all sources as one table.
///
/// # Errors
/// As [`Links::new`]; none if the links of each source can be used.
pub fn links_of(sources: &[SourceConfig]) -> Result<Links, LinksError> {
    // Numbers of a check are thrown away: nothing was loaded by them.
    let numbers = SubnetNumbers::default();
    let links = (0..).zip(sources);
    let links = links.flat_map(|(n, config)| config.numbered_links(&numbers, SourceNumber(n))).collect();
    joint_links(links, sources)
}

/// The table of these links, which are those of `sources`.
pub(crate) fn joint_links(links: Vec<Link>, sources: &[SourceConfig]) -> Result<Links, LinksError> {
    // Only servers beside each other have one subnet twice; in one server's configuration its links stay
    // apart.
    if sources.len() > 1 { Links::of_several_sources(links) } else { Links::new(links) }
}

/// Subnet ids that leases of a source name, and that its configuration does not have: such leases are located
/// by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSubnets {
    label: String,
    /// The first few.
    pub ids: Vec<u32>,
}

impl UnknownSubnets {
    pub(crate) fn of(label: &str, seen: &BTreeSet<u32>, links: &Links) -> Self {
        // A wrong configuration can lack thousands of subnets: a few show the pattern.
        const NAMED_MAX: usize = 16;
        let unknown = seen.iter().copied().filter(|&id| !links.has_subnet(id));
        Self { label: label.to_owned(), ids: unknown.take(NAMED_MAX).collect() }
    }

    /// Warns of them, if there are any.
    pub fn log(&self) {
        if !self.ids.is_empty() {
            warn!(
                source = self.label,
                subnet_ids = ?self.ids,
                "leases name subnets that Kea's configuration does not have: they count for the link that contains \
                 their address, and get NotConfigured where none does; give the subnets their former ids"
            );
        }
    }
}

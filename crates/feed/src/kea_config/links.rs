//! Shared networks and subnets: the links.

use std::net::Ipv6Addr;

use lqd_index::{LeaseChecks, Link, Prefix, Subnet};

use super::address::{address, masked, prefix};
use super::error::{ConfigError, Warning};
use super::node::Node;
use super::option_data::{OptionReader, OptionSet};

/// Which subnets keep relay information with their leases (`store-extended-info`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtendedInfo {
    /// All of them.
    All,
    /// Those with these ids.
    Some(Vec<u32>),
    /// None: OPTION_LQ_RELAY_DATA can never be answered.
    None,
}

pub(super) struct Networks {
    pub(super) links: Vec<Link>,
    pub(super) extended_info: ExtendedInfo,
}

/// What Kea does with leases whose subnet id does not fit their address (`sanity-checks`).
pub(super) fn lease_checks(dhcp6: &Node<'_>) -> Result<LeaseChecks, ConfigError> {
    let Some(checks) = dhcp6.key("sanity-checks")? else { return Ok(LeaseChecks::Keep) };
    let Some(checks) = checks.key("lease-checks")? else { return Ok(LeaseChecks::Keep) };
    checks.parsed("\"none\", \"warn\", \"fix\", \"fix-del\" or \"del\"", |text| match text {
        "none" | "warn" | "fix" => Some(LeaseChecks::Keep),
        "fix-del" => Some(LeaseChecks::DiscardOutside),
        "del" => Some(LeaseChecks::Discard),
        _ => None,
    })
}

/// Reads all links.
///
/// In Kea's order, shared networks before other subnets: by it, Kea numbers subnets that have no id.
pub(super) fn read(dhcp6: &Node<'_>, warnings: &mut Vec<Warning>) -> Result<Networks, ConfigError> {
    let options = OptionReader::new(dhcp6, warnings)?;
    let mut reader =
        Reader { options, warnings, next_id: 1, links: Vec::new(), storing: Vec::new(), subnets: 0 };
    let global = reader.level(dhcp6, &Level::default())?;
    for network in dhcp6.list("shared-networks")? {
        reader.shared_network(&network, &global)?;
    }
    for subnet in dhcp6.list("subnet6")? {
        let mut link = Link { address: None, subnets: Vec::new(), relay_addresses: Vec::new() };
        reader.subnet(&subnet, &global, &mut link)?;
        reader.links.push(link);
    }
    let Reader { links, storing, subnets, next_id, .. } = reader;
    if next_id > 1 {
        warnings.push(dhcp6.warning(format_args!(
            "{} subnet(s) have no id and were numbered as Kea 2 does, from 1 in the order of the file, \
             shared networks first; give each an id, so that leases keep their subnet when the file changes",
            next_id - 1
        )));
    }
    let extended_info = match storing.len() {
        0 => ExtendedInfo::None,
        all if all == subnets => ExtendedInfo::All,
        _ => ExtendedInfo::Some(storing),
    };
    Ok(Networks { links, extended_info })
}

struct Reader<'a, 'w> {
    options: OptionReader<'a>,
    warnings: &'w mut Vec<Warning>,
    /// The id of the next subnet without one.
    next_id: u32,
    links: Vec<Link>,
    /// Ids of the subnets that store extended info.
    storing: Vec<u32>,
    subnets: usize,
}

/// What a level hands down to those within it.
#[derive(Default)]
struct Level {
    options: OptionSet,
    extended_info: bool,
}

impl<'a> Reader<'a, '_> {
    fn level(&mut self, node: &Node<'a>, outer: &Level) -> Result<Level, ConfigError> {
        let stored = node.key("store-extended-info")?;
        Ok(Level {
            options: self.options.read(node, &outer.options, self.warnings)?,
            extended_info: stored.map_or(Ok(outer.extended_info), |flag| flag.flag())?,
        })
    }

    fn shared_network(&mut self, node: &Node<'a>, global: &Level) -> Result<(), ConfigError> {
        let level = self.level(node, global)?;
        let mut link = Link { address: None, subnets: Vec::new(), relay_addresses: relay_addresses(node)? };
        for subnet in node.list("subnet6")? {
            self.subnet(&subnet, &level, &mut link)?;
        }
        if !link.subnets.is_empty() {
            self.links.push(link);
        }
        Ok(())
    }

    fn subnet(&mut self, node: &Node<'a>, outer: &Level, link: &mut Link) -> Result<(), ConfigError> {
        let level = self.level(node, outer)?;
        let id = self.id(node)?;
        if level.extended_info {
            self.storing.push(id);
        }
        self.subnets += 1;
        let wanted = "an IPv6 prefix, such as \"2001:db8:1::/64\"";
        link.subnets.push(Subnet {
            id,
            prefix: node.required("subnet")?.parsed(wanted, prefix)?,
            pd_pools: node.list("pd-pools")?.iter().map(pd_pool).collect::<Result<_, _>>()?,
            options: level.options.wire(),
        });
        link.relay_addresses.extend(relay_addresses(node)?);
        Ok(())
    }

    /// The id of a subnet; absent or 0, the next number, whatever ids others were given (as Kea up to 2.x).
    fn id(&mut self, node: &Node<'a>) -> Result<u32, ConfigError> {
        let given = node.key("id")?.map_or(Ok(0), |id| id.number(u32::MAX - 1))?;
        if given != 0 {
            return Ok(given);
        }
        self.next_id += 1;
        Ok(self.next_id - 1)
    }
}

fn pd_pool(node: &Node<'_>) -> Result<Prefix, ConfigError> {
    let prefix = node.required("prefix")?;
    let address = prefix.parsed("an IPv6 prefix without length", address)?;
    let len = node.required("prefix-len")?.number(128_u8)?;
    masked(address, len).ok_or_else(|| prefix.not("an IPv6 prefix without length"))
}

/// Relay addresses of a level, from both syntaxes; `::` is none.
fn relay_addresses(node: &Node<'_>) -> Result<Vec<Ipv6Addr>, ConfigError> {
    let Some(relay) = node.key("relay")? else { return Ok(Vec::new()) };
    let mut nodes = relay.list("ip-addresses")?;
    nodes.extend(relay.key("ip-address")?);
    let relay = |node: &Node<'_>| node.parsed("an IPv6 address", address);
    let addresses: Vec<_> = nodes.iter().map(relay).collect::<Result<_, _>>()?;
    Ok(addresses.into_iter().filter(|address| !address.is_unspecified()).collect())
}

//! Shared networks and subnets: the links.

use std::net::Ipv6Addr;

use lqd_index::{LeaseChecks, Link, PoolOptions, Prefix, Subnet, SubnetOptions};

use super::address::{address, ends, masked, pool, prefix};
use super::error::{ConfigError, Warning};
use super::node::Node;
use super::option_data::OptionReader;
use super::option_set::OptionSet;
use super::overrides::{self, Modes, Reserved};

/// Subnets that keep relay information with their leases (`store-extended-info`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtendedInfo {
    /// Every subnet.
    All,
    /// Some, with these ids.
    Some(Vec<u32>),
    /// None: OPTION_LQ_RELAY_DATA can never be answered.
    None,
}

pub(super) struct Networks {
    pub(super) links: Vec<Link>,
    pub(super) extended_info: ExtendedInfo,
}

/// Reads Kea's check of leases whose subnet id does not fit their address (`sanity-checks`).
pub(super) fn lease_checks(dhcp6: &Node<'_>) -> Result<LeaseChecks, ConfigError> {
    let Some(checks) = dhcp6.key("sanity-checks")? else { return Ok(LeaseChecks::Keep) };
    let Some(checks) = checks.key("lease-checks")? else { return Ok(LeaseChecks::Keep) };
    checks.parsed("\"none\", \"warn\", \"fix\", \"fix-del\" or \"del\"", |text| match text {
        // `warn` and `fix` keep the lease, whatever they correct in Kea's memory.
        "none" | "warn" | "fix" => Some(LeaseChecks::Keep),
        "fix-del" => Some(LeaseChecks::DiscardOutside),
        "del" => Some(LeaseChecks::Discard),
        _ => None,
    })
}

/// Reads all links.
///
/// Shared networks come before other subnets, the order in which Kea numbers subnets without id.
pub(super) fn read(dhcp6: &Node<'_>, warnings: &mut Vec<Warning>) -> Result<Networks, ConfigError> {
    // Definitions come first: every later level is encoded by them.
    let options = OptionReader::new(dhcp6, warnings)?;
    let global_reservations = overrides::reservations(dhcp6, &options)?;
    let mut reader = Reader {
        options,
        global_reservations,
        // A single foreign source of options makes all configured ones uncertain.
        elsewhere: overrides::hosts_elsewhere(dhcp6)?.or(overrides::config_databases(dhcp6)?).is_some(),
        warnings,
        next_id: 1,
        links: Vec::new(),
        storing: Vec::new(),
        subnets: 0,
    };
    let global = reader.global(dhcp6)?;
    for network in dhcp6.list("shared-networks")? {
        reader.shared_network(&network, &global)?;
    }
    for subnet in dhcp6.list("subnet6")? {
        // A subnet outside shared networks is a link by itself.
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
        // `all` stands after 0, as without subnets both would match.
        0 => ExtendedInfo::None,
        all if all == subnets => ExtendedInfo::All,
        _ => ExtendedInfo::Some(storing),
    };
    Ok(Networks { links, extended_info })
}

struct Reader<'a, 'w> {
    options: OptionReader<'a>,
    global_reservations: Reserved,
    /// Options may come from a place that is not read.
    elsewhere: bool,
    warnings: &'w mut Vec<Warning>,
    /// The id of the next subnet without one.
    next_id: u32,
    links: Vec<Link>,
    /// Ids of the subnets that store extended info.
    storing: Vec<u32>,
    subnets: usize,
}

/// Settings that a level hands down to those within it.
struct Level {
    options: OptionSet,
    extended_info: bool,
    reservations: Modes,
}

impl<'a> Reader<'a, '_> {
    fn global(&mut self, dhcp6: &Node<'a>) -> Result<Level, ConfigError> {
        let nothing =
            Level { options: OptionSet::default(), extended_info: false, reservations: Modes::DEFAULT };
        let mut level = self.level(dhcp6, &nothing)?;
        overrides::classes_and_hooks(dhcp6, &self.options, &mut level.options, self.warnings)?;
        if let Some(place) = overrides::hosts_elsewhere(dhcp6)? {
            self.warnings.push(place.warning(
                "this place may give any client any option, and lqd does not see it; no configured options are \
                 served",
            ));
        }
        Ok(level)
    }

    fn level(&mut self, node: &Node<'a>, outer: &Level) -> Result<Level, ConfigError> {
        let stored = node.key("store-extended-info")?;
        Ok(Level {
            // Inner values win over outer ones, field by field.
            options: self.options.read(node, self.warnings)?.within(&outer.options),
            extended_info: stored.map_or(Ok(outer.extended_info), |flag| flag.flag())?,
            reservations: Modes::read(node, outer.reservations)?,
        })
    }

    /// The options of the leases of a subnet.
    fn lease_options(&mut self, subnet: &Node<'a>, level: Level) -> Result<SubnetOptions, ConfigError> {
        let Level { mut options, reservations: modes, .. } = level;
        // A database or RADIUS may give any client another value, so no option is certain.
        if self.elsewhere {
            return Ok(SubnetOptions::default());
        }
        let own = modes.in_subnet.then(|| overrides::reservations(subnet, &self.options)).transpose()?;
        let own = own.unwrap_or_default();
        let global = modes.global.then(|| self.global_reservations.clone());
        // Leases name clients by DUID only: a reservation by hardware address may apply to any of them.
        let of_others = own.of_others.iter().chain(global.iter().flat_map(|global| &global.of_others));
        of_others.for_each(|&code| options.cancel(code));
        Ok(SubnetOptions {
            given: options.wire(),
            pools: self.pools(subnet, "pools", &options)?,
            pd_pools: self.pools(subnet, "pd-pools", &options)?,
            reservations: own.by_duid,
            global_reservations: global.map(|global| global.by_duid),
        })
    }

    /// Pools of a subnet with options of their own, ascending.
    fn pools(
        &mut self,
        subnet: &Node<'a>,
        key: &'a str,
        outer: &OptionSet,
    ) -> Result<Vec<PoolOptions>, ConfigError> {
        let mut pools = Vec::new();
        for node in subnet.list_if_any(key) {
            let own = self.options.read(&node, self.warnings)?;
            let full = own.within(outer);
            let mut given = Vec::new();
            // Codes that the pool mentions and does not send still hide those of outer levels.
            let hidden: Vec<u16> = own.codes().filter(|&code| !full.write(code, &mut given)).collect();
            // A pool without options of its own is answered as its subnet is.
            if given.is_empty() && hidden.is_empty() {
                continue;
            }
            let (first, last) = match key {
                "pools" => {
                    node.required("pool")?.parsed("a pool, such as \"2001:db8::1 - 2001:db8::ff\"", pool)?
                }
                _ => ends(pd_pool(&node)?),
            };
            pools.push(PoolOptions { first, last, given, hidden });
        }
        // Lookups search pools by first address.
        pools.sort_by_key(|pool| pool.first);
        Ok(pools)
    }

    fn shared_network(&mut self, node: &Node<'a>, global: &Level) -> Result<(), ConfigError> {
        let level = self.level(node, global)?;
        let mut link = Link { address: None, subnets: Vec::new(), relay_addresses: relay_addresses(node)? };
        for subnet in node.list("subnet6")? {
            self.subnet(&subnet, &level, &mut link)?;
        }
        // Kea accepts a shared network without subnets; a link needs one.
        if !link.subnets.is_empty() {
            self.links.push(link);
        }
        Ok(())
    }

    fn subnet(&mut self, node: &Node<'a>, outer: &Level, link: &mut Link) -> Result<(), ConfigError> {
        let level = self.level(node, outer)?;
        let id = self.id(node)?;
        if level.extended_info {
            // The ids are counted against all subnets at the end, to tell "all" from "some".
            self.storing.push(id);
        }
        self.subnets += 1;
        let wanted = "an IPv6 prefix, such as \"2001:db8:1::/64\"";
        link.subnets.push(Subnet {
            id,
            prefix: node.required("subnet")?.parsed(wanted, prefix)?,
            pd_pools: node.list("pd-pools")?.iter().map(pd_pool).collect::<Result<_, _>>()?,
            options: self.lease_options(node, level)?,
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
    // `::` is the value of a relay that is not set.
    Ok(addresses.into_iter().filter(|address| !address.is_unspecified()).collect())
}

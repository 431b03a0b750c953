//! Requestors that Kea's own leasequery hook allows.

use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};

use super::error::ConfigError;
use super::node::Node;

/// File name of the hook library; Kea 3 takes it without a folder.
const LIBRARY: &str = "libdhcp_lease_query.so";

/// Addresses and prefixes in `requesters`; `None` if the hook is not loaded.
pub(super) fn read(dhcp6: &Node<'_>) -> Result<Option<Vec<IpNet>>, ConfigError> {
    for hook in dhcp6.list("hooks-libraries")? {
        if !hook.required("library")?.text()?.ends_with(LIBRARY) {
            continue;
        }
        let parameters = hook.required("parameters")?;
        let requesters = parameters.required("requesters")?.items()?;
        let wanted = "an IPv6 address or prefix, such as \"2001:db8::1\" or \"2001:db8::/64\"";
        return requesters
            .iter()
            .map(|requester| requester.parsed(wanted, network))
            .collect::<Result<_, _>>()
            .map(Some);
    }
    Ok(None)
}

fn network(text: &str) -> Option<IpNet> {
    let single = |address: Ipv6Addr| Ipv6Net::from(address);
    // An address stands for its own /128.
    let network = text.parse().map(single).or_else(|_| text.parse::<Ipv6Net>()).ok()?;
    Some(IpNet::V6(network.trunc()))
}

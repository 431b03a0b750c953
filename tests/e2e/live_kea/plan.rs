//! Address plan of the live tests: Kea's configuration, and the parts of it that expectations need.

use std::net::Ipv6Addr;
use std::path::Path;

use serde_json::{Value, json};

use super::kea::Settings;
use super::lab;

pub(super) const LEASE_FILE: &str = "kea-leases6.csv";
pub(super) const CONTROL_SOCKET: &str = "control";
pub(super) const LOG_FILE: &str = "kea.log";

/// Finds the hook with the lease commands, where Debian installs it for this architecture.
pub(super) fn lease_cmds_hook() -> Option<String> {
    let directories = std::fs::read_dir("/usr/lib").ok()?.flatten().map(|entry| entry.path());
    let mut hooks = directories.map(|directory| directory.join("kea/hooks/libdhcp_lease_cmds.so"));
    hooks.find(|hook| hook.is_file()).map(|hook| hook.display().to_string())
}

/// Subnets by role, with their Kea subnet ids.
pub(super) mod subnet {
    /// Clients on the server's own link.
    pub(crate) const DIRECT: u32 = 1;
    /// Behind perfdhcp's relay, found by the relay's address alone.
    pub(crate) const RELAYED: u32 = 2;
    /// First subnet of the shared network: eight addresses, no prefixes.
    pub(crate) const SHARED_SMALL: u32 = 3;
    /// Second subnet of the shared network: takes the leases that do not fit in the first.
    pub(crate) const SHARED_LARGE: u32 = 4;
    /// Behind our own relays, found by link-address; its prefixes lie outside the subnet.
    pub(crate) const DEEP: u32 = 5;
}

/// Link-address of a relay in the shared network.
pub(super) const SHARED_LINK: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 1);
/// Link-address of a relay in `subnet::DEEP`.
pub(super) const DEEP_LINK: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 5, 0, 0, 0, 0, 1);

/// Pool addresses that no client gets, and one inside each pd-pool.
pub(super) const FREE: [&str; 8] = [
    "2001:db8:1::fff0",
    "2001:db8:1:fff0::1",
    "2001:db8:2::fff0",
    "2001:db8:2:ffff::1",
    "2001:db8:4::fff0",
    "2001:db8:4:ffff::1",
    "2001:db8:5::fff0",
    "2001:db8:a5ff:ff00::1",
];

/// Addresses outside every subnet and pd-pool.
pub(super) const ELSEWHERE: [&str; 3] = ["2001:db8:6::1", "2001:db8:ffff::9", "fd00::1"];

/// Returns the address that answers report for the link of this subnet: its network address, or that of the
/// first subnet of its shared network.
pub(super) fn link_of(subnet_id: u32) -> Option<Ipv6Addr> {
    let group = match subnet_id {
        subnet::DIRECT | subnet::RELAYED | subnet::SHARED_SMALL => u16::try_from(subnet_id).ok()?,
        subnet::SHARED_LARGE => 3,
        subnet::DEEP => 5,
        _ => return None,
    };
    Some(Ipv6Addr::new(0x2001, 0xdb8, group, 0, 0, 0, 0, 0))
}

/// Returns the whole `kea-dhcp6.conf`.
pub(super) fn kea_config(directory: &Path, settings: Settings) -> Value {
    let path = |name: &str| directory.join(name).display().to_string();
    let hooks: Vec<Value> = lease_cmds_hook().into_iter().map(|hook| json!({ "library": hook })).collect();
    json!({ "Dhcp6": {
        "interfaces-config": {
            "interfaces": [lab::SERVER_INTERFACE, format!("{}/{}", lab::SERVER_INTERFACE, lab::SERVER)],
        },
        "server-id": { "type": "EN", "enterprise-id": 2495, "identifier": "A1B2C3D4", "persist": false },
        "data-directory": path(""),
        "control-socket": { "socket-type": "unix", "socket-name": path(CONTROL_SOCKET) },
        "hooks-libraries": hooks,
        "lease-database": {
            "type": "memfile", "persist": true, "name": path(LEASE_FILE),
            "lfc-interval": settings.lfc_interval_s,
        },
        // Kea writes rows for expired leases only on command.
        "expired-leases-processing": { "reclaim-timer-wait-time": 0, "flush-reclaimed-timer-wait-time": 0 },
        "store-extended-info": true,
        // The relay's option first, then the DUID, whose guess lqd must not report as the relay's.
        "mac-sources": ["client-link-addr-option", "duid"],
        "valid-lifetime": settings.valid_s,
        "preferred-lifetime": settings.valid_s / 2,
        "subnet6": [direct(), relayed(), deep()],
        "shared-networks": [shared()],
        "loggers": [{
            "name": "kea-dhcp6", "severity": "INFO",
            "output_options": [{ "output": path(LOG_FILE), "flush": true }],
        }],
    }})
}

fn direct() -> Value {
    json!({
        "id": subnet::DIRECT, "subnet": "2001:db8:1::/48",
        "interface": lab::SERVER_INTERFACE, "rapid-commit": true,
        "pools": [{ "pool": "2001:db8:1::/112" }],
        "pd-pools": [{ "prefix": "2001:db8:1:8000::", "prefix-len": 49, "delegated-len": 60 }],
    })
}

fn relayed() -> Value {
    json!({
        "id": subnet::RELAYED, "subnet": "2001:db8:2::/48",
        "relay": { "ip-addresses": [lab::PERFDHCP.to_string()] },
        "pools": [{ "pool": "2001:db8:2::1 - 2001:db8:2::ffff" }],
        "pd-pools": [{ "prefix": "2001:db8:2:8000::", "prefix-len": 49, "delegated-len": 62 }],
    })
}

fn deep() -> Value {
    json!({
        "id": subnet::DEEP, "subnet": "2001:db8:5::/64", "rapid-commit": true,
        "pools": [{ "pool": "2001:db8:5::/112" }],
        "pd-pools": [
            { "prefix": "2001:db8:a500::", "prefix-len": 40, "delegated-len": 56 },
            { "prefix": "2001:db8:b500::", "prefix-len": 46, "delegated-len": 48 },
        ],
    })
}

fn shared() -> Value {
    json!({
        "name": "metro",
        "subnet6": [{
            "id": subnet::SHARED_SMALL, "subnet": "2001:db8:3::/48", "rapid-commit": true,
            "pools": [{ "pool": "2001:db8:3::8 - 2001:db8:3::f" }],
        }, {
            "id": subnet::SHARED_LARGE, "subnet": "2001:db8:4::/48", "rapid-commit": true,
            "pools": [{ "pool": "2001:db8:4::1 - 2001:db8:4::ffff" }],
            "pd-pools": [{ "prefix": "2001:db8:4:8000::", "prefix-len": 49, "delegated-len": 64 }],
        }],
    })
}

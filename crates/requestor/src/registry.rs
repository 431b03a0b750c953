//! Names of some IANA numbers, for display of DUIDs and remote-ids.

/// The name of a hardware type (IANA ARP parameters), if it is common in DUIDs.
pub fn hardware_name(hardware: u16) -> Option<&'static str> {
    Some(match hardware {
        1 => "Ethernet",
        6 => "IEEE 802",
        18 => "Fibre Channel",
        24 => "IEEE 1394",
        27 => "EUI-64",
        32 => "InfiniBand",
        _ => return None,
    })
}

/// The holder of a private enterprise number (IANA), if it is common in access networks.
pub fn enterprise_name(number: u32) -> Option<&'static str> {
    Some(match number {
        9 => "Cisco",
        11 => "HP",
        311 => "Microsoft",
        343 => "Intel",
        674 => "Dell",
        872 => "AVM",
        890 => "Zyxel",
        2011 => "Huawei",
        2352 => "Redback",
        2495 => "ISC",
        2636 => "Juniper",
        3561 => "Broadband Forum",
        3902 => "ZTE",
        4413 => "Broadcom",
        4491 => "CableLabs",
        6527 => "Nokia",
        14_988 => "MikroTik",
        43_793 => "systemd",
        _ => return None,
    })
}

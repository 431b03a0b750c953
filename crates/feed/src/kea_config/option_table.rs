//! The DHCPv6 options whose format Kea knows, by the name that it gives them.
//!
//! One row each: code (IANA, "Dynamic Host Configuration Protocol for IPv6 (DHCPv6)", option codes), name,
//! fields, whether the last field repeats. Left out are options that are never configured as data: those of a
//! lease ([`OF_A_LEASE`]) and those that clients and relays send.

use super::option_field::Field::{self, *};

/// A standard option.
pub(super) type StandardOption = (u16, &'static str, &'static [Field], bool);

/// Options that describe a lease or an exchange, not a subnet: CLIENT_DATA gets those from the lease, or has
/// no use for them. A configured one would be a second, false, value.
pub(super) const OF_A_LEASE: [(u16, &str); 23] = [
    (1, "clientid"),
    (2, "serverid"),
    (3, "ia-na"),
    (4, "ia-ta"),
    (5, "iaaddr"),
    (6, "oro"),
    (8, "elapsed-time"),
    (9, "relay-msg"),
    (11, "auth"),
    (13, "status-code"),
    (19, "reconf-msg"),
    (25, "ia-pd"),
    (26, "iaprefix"),
    (39, "client-fqdn"),
    (44, "lq-query"),
    (45, "client-data"),
    (46, "clt-time"),
    (47, "lq-relay-data"),
    (48, "lq-client-link"),
    (67, "pd-exclude"),
    (79, "client-linklayer-addr"),
    (87, "dhcpv4-message"),
    (135, "relay-source-port"),
];

#[rustfmt::skip]
pub(super) const STANDARD: [StandardOption; 52] = [
    (7, "preference", &[Uint8], false),
    (12, "unicast", &[Ipv6Address], false),
    (14, "rapid-commit", &[], false),
    (15, "user-class", &[Binary], false),
    (16, "vendor-class", &[Uint32, Binary], false),
    (17, "vendor-opts", &[Uint32], false),
    (18, "interface-id", &[Binary], false),
    (20, "reconf-accept", &[], false),
    (21, "sip-server-dns", &[Fqdn], true),
    (22, "sip-server-addr", &[Ipv6Address], true),
    (23, "dns-servers", &[Ipv6Address], true),
    (24, "domain-search", &[Fqdn], true),
    (27, "nis-servers", &[Ipv6Address], true),
    (28, "nisp-servers", &[Ipv6Address], true),
    (29, "nis-domain-name", &[Fqdn], true),
    (30, "nisp-domain-name", &[Fqdn], true),
    (31, "sntp-servers", &[Ipv6Address], true),
    (32, "information-refresh-time", &[Uint32], false),
    (33, "bcmcs-server-dns", &[Fqdn], true),
    (34, "bcmcs-server-addr", &[Ipv6Address], true),
    (36, "geoconf-civic", &[Uint8, Uint16, Binary], false),
    (37, "remote-id", &[Uint32, Binary], false),
    (38, "subscriber-id", &[Binary], false),
    (40, "pana-agent", &[Ipv6Address], true),
    (41, "new-posix-timezone", &[String], false),
    (42, "new-tzdb-timezone", &[String], false),
    (43, "ero", &[Uint16], true),
    (51, "v6-lost", &[Fqdn], false),
    (52, "capwap-ac-v6", &[Ipv6Address], true),
    (53, "relay-id", &[Binary], false),
    (56, "ntp-server", &[], false),
    (57, "v6-access-domain", &[Fqdn], false),
    (58, "sip-ua-cs-list", &[Fqdn], true),
    (59, "bootfile-url", &[String], false),
    (60, "bootfile-param", &[Tuple], true),
    (61, "client-arch-type", &[Uint16], true),
    (62, "nii", &[Uint8, Uint8, Uint8], false),
    (64, "aftr-name", &[Fqdn], false),
    (65, "erp-local-domain-name", &[Fqdn], false),
    (66, "rsoo", &[], false),
    (74, "rdnss-selection", &[Ipv6Address, Uint8, Fqdn], true),
    (80, "link-address", &[Ipv6Address], false),
    (82, "solmax-rt", &[Uint32], false),
    (83, "inf-max-rt", &[Uint32], false),
    (88, "dhcp4o6-server-addr", &[Ipv6Address], true),
    (94, "s46-cont-mape", &[], false),
    (95, "s46-cont-mapt", &[], false),
    (96, "s46-cont-lw", &[], false),
    (103, "v6-captive-portal", &[String], false),
    (136, "v6-sztp-redirect", &[Tuple], true),
    (143, "ipv6-address-andsf", &[Ipv6Address], true),
    (148, "addr-reg-enable", &[], false),
];

/// The option space whose options fill an option, for those that are not whole without. [`super::option_def`]
/// adds that of the enterprise for vendor-opts.
pub(super) const ENCAPSULATES: [(u16, &str); 6] = [
    (17, "vendor-opts-space"),
    (56, "v6-ntp-server-suboptions"),
    (66, "rsoo-opts"),
    (94, "s46-cont-mape-options"),
    (95, "s46-cont-mapt-options"),
    (96, "s46-cont-lw-options"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_ascend_and_names_are_unique() {
        assert!(STANDARD.is_sorted_by(|a, b| a.0 < b.0));
        assert!(OF_A_LEASE.is_sorted_by(|a, b| a.0 < b.0));
        let mut names: Vec<_> =
            STANDARD.iter().map(|row| row.1).chain(OF_A_LEASE.iter().map(|row| row.1)).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}

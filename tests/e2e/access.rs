//! Access control (RFC 5007 §4.4.1, §4.4.2, §5): a table of queries from many sources, against the engine and
//! against the binary over UDP; rates; reload of the access rules.

mod engine;
mod rates;
mod reload;
mod rows;
mod udp;

use libtest_mimic::Trial;
use lqd_answer::{Access, Deny, Relayed, Rights};
use lqd_wire::{OptionCode, QueryType};

pub(crate) fn trials() -> Vec<Trial> {
    [engine::trials, udp::trials, rates::trials, reload::trials]
        .into_iter()
        .flat_map(|trials| trials())
        .collect()
}

/// One query from one source, and the required reply.
pub(crate) struct AccessCase {
    /// Description, unique in the table.
    pub(crate) name: &'static str,
    /// Section of the RFC that demands it, or leaves it to the server.
    pub(crate) rfc: &'static str,
    /// Configuration of the server.
    pub(crate) setup: Setup,
    /// Address of the requestor.
    pub(crate) source: &'static str,
    /// Datagram, in the notation of [`crate::support::octets`].
    pub(crate) query: &'static str,
    /// Pattern of the whole reply; `None` for silence.
    pub(crate) want: Option<&'static str>,
    /// Name of the outcome.
    pub(crate) outcome: &'static str,
}

/// Configuration of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// Nested access rules of all kinds.
    Rows,
    /// Restricted requestors: each gets only bindings of its own relays.
    Restricted,
    /// The same, with silence for refused queries.
    RestrictedSilently,
}

/// Source address of probes, which must always be answered.
pub(crate) const PROBER: &str = "2001:db8:ffff::f";

impl Setup {
    /// All variants.
    pub(crate) const ALL: [Self; 3] = [Self::Rows, Self::Restricted, Self::RestrictedSilently];

    /// Keys of the configuration file.
    pub(crate) fn toml(self) -> &'static str {
        match self {
            Self::Rows => {
                r#"
                allow = ["2001:db8:ffff::/56"]
                [[access]]
                prefix = "2001:db8:ffff:1::/64"
                query-types = ["address"]
                [[access]]
                prefix = "2001:db8:ffff:1::1/128"
                query-types = ["client-id"]
                deny = "drop"
                [[access]]
                prefix = "2001:db8:ffff:2::/64"
                allow = false
                [[access]]
                prefix = "2001:db8:ffff:2::1/128"
                allow = false
                deny = "drop"
                [[access]]
                prefix = "2001:db8:ffff:2::2/128"
                [[access]]
                prefix = "2001:db8:ffff:3::/64"
                relayed = "drop"
                [[access]]
                prefix = "2001:db8:ffff:4::/64"
                sensitive-options = [23]
                [[access]]
                prefix = "2001:db8:ffff:5::/64"
                max-reply = 512
                [[access]]
                prefix = "2001:db8:fffe::/48"
                allow = true
                "#
            }
            Self::Restricted => {
                r#"
                allow = ["2001:db8::/32"]
                restricted-requestor = true
                [[access]]
                prefix = "2001:db8:ffff::a/128"
                relay-addresses = ["2001:db8:ffff::20/124", "fe80::/10", "::/128"]
                [[access]]
                prefix = "2001:db8:ffff::b/128"
                relay-addresses = ["2001:db8:ffff::2"]
                [[access]]
                prefix = "2001:db8:ffff::f/128"
                restricted-requestor = false
                "#
            }
            Self::RestrictedSilently => {
                r#"
                allow = ["2001:db8::/32"]
                restricted-requestor = true
                deny = "drop"
                "#
            }
        }
    }

    /// The same access rules as the engine's type.
    pub(crate) fn access(self) -> Access {
        let open = Rights { allow: true, ..Rights::default() };
        let restricted = Rights { restricted: true, ..open.clone() };
        let only = |query_type| [query_type].into_iter().collect();
        let (by_address, by_client_id) = (only(QueryType::BY_ADDRESS), only(QueryType::BY_CLIENT_ID));
        let net = |text: &str| text.parse().expect("a prefix");
        let (others, rows) = match self {
            Self::Rows => (
                Rights::default(),
                vec![
                    ("2001:db8:ffff::/56", open.clone()),
                    ("2001:db8:ffff:1::/64", Rights { query_types: by_address, ..open.clone() }),
                    (
                        "2001:db8:ffff:1::1/128",
                        Rights { query_types: by_client_id, deny: Deny::Drop, ..open.clone() },
                    ),
                    ("2001:db8:ffff:2::/64", Rights::default()),
                    ("2001:db8:ffff:2::1/128", Rights { deny: Deny::Drop, ..Rights::default() }),
                    ("2001:db8:ffff:2::2/128", open.clone()),
                    ("2001:db8:ffff:3::/64", Rights { relayed: Relayed::Drop, ..open.clone() }),
                    ("2001:db8:ffff:4::/64", Rights { sensitive: vec![OptionCode(23)], ..open.clone() }),
                    ("2001:db8:ffff:5::/64", Rights { reply_len_max: 512, ..open.clone() }),
                    ("2001:db8:fffe::/48", open),
                ],
            ),
            Self::Restricted => {
                let of = |addresses: &[&str]| Rights {
                    relay_addresses: addresses.iter().map(|text| net(text)).collect(),
                    ..restricted.clone()
                };
                (
                    // Sources of no rule are refused in both forms.
                    Rights { allow: false, ..restricted.clone() },
                    vec![
                        ("2001:db8::/32", restricted.clone()),
                        ("2001:db8:ffff::a/128", of(&["2001:db8:ffff::20/124", "fe80::/10", "::/128"])),
                        ("2001:db8:ffff::b/128", of(&["2001:db8:ffff::2/128"])),
                        ("2001:db8:ffff::f/128", open),
                    ],
                )
            }
            Self::RestrictedSilently => (
                Rights { allow: false, deny: Deny::Drop, ..restricted.clone() },
                vec![("2001:db8::/32", Rights { deny: Deny::Drop, ..restricted })],
            ),
        };
        let rows = rows.into_iter().map(|(prefix, rights)| (net(prefix), rights)).collect();
        Access::new(others, rows).expect("a table that can be used")
    }
}

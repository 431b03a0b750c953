//! The rows of the table, by subject. The network and the leases at the start are those of the bulk table.

/// Row of a lease file: client NN (as `$cNN`) has this address with infinite lifetimes; its last transaction
/// is in 2100, so that OPTION_CLT_TIME is 0 at any time (A5).
macro_rules! address {
    ($address:literal, $client:literal, $subnet:literal) => {
        address!($address, $client, $subnet, "4294967295", "0", "")
    };
    ($address:literal, $client:literal, $subnet:literal, $valid:literal, $state:literal, $context:expr) => {
        concat!(
            $address,
            ",00:03:00:01:02:00:00:00:00:",
            $client,
            ",",
            $valid,
            ",4102444800,",
            $subnet,
            ",",
            $valid,
            ",0,1,128,0,0,,,",
            $state,
            ",",
            $context,
            ",1,0,0\n"
        )
    };
}

/// The same of a delegated prefix of 56 bits.
macro_rules! prefix {
    ($address:literal, $client:literal, $subnet:literal) => {
        prefix!($address, $client, $subnet, "4294967295", "")
    };
    ($address:literal, $client:literal, $subnet:literal, $valid:literal, $context:expr) => {
        concat!(
            $address,
            ",00:03:00:01:02:00:00:00:00:",
            $client,
            ",",
            $valid,
            ",4102444800,",
            $subnet,
            ",",
            $valid,
            ",2,1,56,0,0,,,0,",
            $context,
            ",1,0,0\n"
        )
    };
}

/// Row by which Kea deletes a lease: its valid lifetime is 0.
macro_rules! gone {
    ($address:literal, $client:literal, $subnet:literal) => {
        address!($address, $client, $subnet, "0", "0", "")
    };
}

/// Relay information as Kea stores it in a lease: link-address, and options in hexadecimal.
macro_rules! relay {
    ($link:literal, $options:literal) => {
        concat!(
            r#"{ "ISC": { "relay-info": [ { "hop": 0&#x2c "link": ""#,
            $link,
            r#""&#x2c "options": "0x"#,
            $options,
            r#""&#x2c "peer": "fe80::5" } ] } }"#
        )
    };
}

mod changes;
mod closing;
mod filters;
mod messages;
mod options;
mod refusals;
mod times;

use super::row::Row;

/// The whole table.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    [messages::ROWS, refusals::ROWS, changes::ROWS, filters::ROWS, options::ROWS, times::ROWS, closing::ROWS]
        .into_iter()
        .flatten()
}

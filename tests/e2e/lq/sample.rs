//! Sample leases for `lq`.

use crate::support::Fixture;

/// Two links; client 01 on the first, client 02 on both.
const KEA_CONFIG: &str = r#"{ "Dhcp6": {
    "server-id": { "type": "LL", "htype": 1, "identifier": "02005E005301", "persist": false },
    "lease-database": { "type": "memfile", "persist": true, "name": "@LEASES@" },
    "subnet6": [{
        "id": 1, "subnet": "2001:db8:1::/48", "pools": [{ "pool": "2001:db8:1::/64" }],
        "pd-pools": [{ "prefix": "2001:db8:1:8000::", "prefix-len": 49, "delegated-len": 56 }],
        "option-data": [{ "name": "dns-servers", "data": "2001:db8::53" }]
    }, {
        "id": 2, "subnet": "2001:db8:2::/48", "pools": [{ "pool": "2001:db8:2::/64" }]
    }]
}}"#;

/// The lease of client 01 has a name, a link-layer address, and came through two relay agents.
const LEASES: &str = concat!(
    "2001:db8:1::1,00:03:00:01:02:00:00:00:00:01,90000,now-100,1,50000,0,1,128,1,0,host.example.org.,02:00:00:00:00:01,0,",
    r#"{ "ISC": { "relay-info": [ { "hop": 1&#x2c "link": "2001:db8:1::ffff"&#x2c "peer": "2001:db8:1::fffe"&#x2c "#,
    r#""options": "0x0012000461676731" }&#x2c { "hop": 0&#x2c "link": "2001:db8:1::fffe"&#x2c "peer": "fe80::1"&#x2c "#,
    r#""options": "0x001200066F6C74312F310025000A0000118B020000000001" } ] } },1,8,0"#,
    "
2001:db8:1:8100::,00:03:00:01:02:00:00:00:00:01,90000,now-100,1,50000,2,1,56,1,0,host.example.org.,02:00:00:00:00:01,0,,1,8,0
2001:db8:1::2,00:03:00:01:02:00:00:00:00:02,90000,now-50,1,50000,0,1,128,0,0,,,0,,1,0,0
2001:db8:2::2,00:03:00:01:02:00:00:00:00:02,90000,now-20,2,50000,0,1,128,0,0,,,0,,1,0,0
"
);

/// Returns the sample network and leases.
pub fn fixture() -> Fixture {
    Fixture::new(KEA_CONFIG, LEASES)
}

/// Returns the same network with other leases.
pub fn fixture_of(leases: &str) -> Fixture {
    Fixture::new(KEA_CONFIG, leases)
}

/// Returns a lease of client 01 alone, such as `2001:db8:1::1`, in the notation of [`Fixture::rows`].
pub fn lease(address: &str, cltt: &str, valid_s: u32) -> String {
    format!(
        "2001:db8:1::{address},00:03:00:01:02:00:00:00:00:01,{valid_s},{cltt},1,100,0,1,128,0,0,,,0,,1,0,0\n"
    )
}

/// Returns the DUID-LL of client `client`, two hexadecimal digits.
pub fn duid(client: &str) -> String {
    format!("00:03:00:01:02:00:00:00:00:{client}")
}

//! Clients as rows of Kea's lease file (schema 5.0, Kea 2.4 and newer).

use std::fmt::Write;

use crate::leases::{CLTT, PREFERRED_LIFETIME, VALID_LIFETIME};
use crate::network::{self, Client, DELEGATED_LEN};

/// First line of the file, without its end.
pub const HEADER: &str = "address,duid,valid_lifetime,expire,subnet_id,pref_lifetime,lease_type,iaid,\
                          prefix_len,fqdn_fwd,fqdn_rev,hostname,hwaddr,state,user_context,hwtype,\
                          hwaddr_source,pool_id";

/// Lease file of the first `clients` clients, two rows each.
pub fn file(clients: u32, relay_data: bool) -> String {
    let mut text = format!("{HEADER}\n");
    for client in Client::first(clients) {
        for row in rows(&client, relay_data) {
            text.push_str(&row);
            text.push('\n');
        }
    }
    text
}

/// Rows of a client, without line ends: its address, its prefix.
pub fn rows(client: &Client, relay_data: bool) -> [String; 2] {
    let duid = hex(&client.duid, ":");
    let context = if relay_data { user_context(client) } else { String::new() };
    let expire = CLTT + VALID_LIFETIME;
    let subnet_id = client.subnet_id;
    let row = |address, lease_type, prefix_len| {
        format!(
            "{address},{duid},{VALID_LIFETIME},{expire},{subnet_id},{PREFERRED_LIFETIME},{lease_type},7,\
             {prefix_len},0,0,,,0,{context},,,0"
        )
    };
    [row(client.address, 0, 128), row(client.prefix, 2, DELEGATED_LEN)]
}

/// `user_context` as Kea writes it with `store-extended-info`: one relay agent's Interface-Id and Remote-ID.
fn user_context(client: &Client) -> String {
    let remote_id = format!("00007ED9{}", hex(&client.duid[8..], "").to_uppercase());
    format!(
        "{{ \"ISC\": {{ \"relay-info\": [ {{ \"hop\": 0&#x2c \"link\": \"{link}\"&#x2c \
         \"options\": \"0x001200086F6C742D312F32320025000A{remote_id}\"&#x2c \"peer\": \"fe80::1\"&#x2c \
         \"remote-id\": \"0x{remote_id}\" }} ] }} }}",
        link = network::subnet(client.subnet_id)
    )
}

fn hex(octets: &[u8], separator: &str) -> String {
    let mut text = String::new();
    for (position, octet) in octets.iter().enumerate() {
        let separator = if position == 0 { "" } else { separator };
        // Writing to a String does not fail.
        let _ = write!(text, "{separator}{octet:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use lqd_feed::LeftOut;
    use lqd_feed::kea_memfile::{Columns, RowParser};
    use lqd_index::{Batch, Change};

    #[test]
    fn rows_are_parsed_as_intended() {
        let columns = Columns::from_header(HEADER.as_bytes()).unwrap();
        for relay_data in [false, true] {
            let (mut parser, mut batch) = (RowParser::new(), Batch::new());
            let client = Client::new(12_345);
            for row in rows(&client, relay_data) {
                parser.parse(columns, row.as_bytes(), &mut batch).unwrap();
            }
            assert_eq!(parser.take_left_out(), LeftOut::default());
            let changes: Vec<_> = batch.changes().collect();
            let [Change::Put(address), Change::Put(prefix)] = changes[..] else { panic!("{changes:?}") };
            assert_eq!((address.address, prefix.address), (client.address, client.prefix));
            assert_eq!((address.duid, prefix.duid), (&client.duid[..], &client.duid[..]));
            assert_eq!((address.cltt, prefix.prefix_len), (CLTT, DELEGATED_LEN));
            assert_eq!(address.options.is_empty(), !relay_data);
        }
    }
}

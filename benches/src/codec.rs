//! Work of `lqd-wire` for a query and a reply, as the answering engine uses it.
//!
//! Shared by the criterion bench and the instruction counts, so that both measure the same work.

use lqd_wire::{
    IaAddress, IaPrefix, Message, MessageType, NoRoomError, OptionCode, Query, TransactionId, Writer,
};

use crate::leases::{PREFERRED_LIFETIME, VALID_LIFETIME};
use crate::network::{Client, DELEGATED_LEN};

/// DUID of the server: DUID-LL with the documentation MAC address (RFC 7042 §2.1.2).
pub const SERVER_DUID: [u8; 10] = [0, 3, 0, 1, 0x00, 0x00, 0x5e, 0x00, 0x53, 0x01];

/// Walks all options of a LEASEQUERY and of its OPTION_LQ_QUERY; returns their number.
///
/// `None` if the message does not parse.
pub fn parse_query(octets: &[u8]) -> Option<usize> {
    let message = Message::parse(octets)?;
    let mut options = 0;
    for option in message.options {
        let (code, value) = option.ok()?;
        options += 1;
        if code == OptionCode::LQ_QUERY {
            for option in Query::parse(value).ok()?.options {
                let (code, value) = option.ok()?;
                options += 1;
                if code == OptionCode::IAADDR {
                    IaAddress::parse(value).ok()?;
                }
            }
        }
    }
    Some(options)
}

/// Writes the LEASEQUERY-REPLY about a client with an address and a prefix; returns its length in octets.
///
/// # Errors
/// The buffer is too short.
pub fn write_reply(client: &Client, requestor: &[u8], buffer: &mut [u8]) -> Result<usize, NoRoomError> {
    let mut w = Writer::new(buffer);
    let (preferred_lifetime, valid_lifetime) = (PREFERRED_LIFETIME, VALID_LIFETIME);
    w.header(MessageType::LEASEQUERY_REPLY, TransactionId([1, 2, 3]))?;
    w.option(OptionCode::CLIENTID, |w| w.put(requestor))?;
    w.option(OptionCode::SERVERID, |w| w.put(&SERVER_DUID))?;
    w.option(OptionCode::CLIENT_DATA, |w| {
        w.option(OptionCode::CLIENTID, |w| w.put(&client.duid))?;
        IaAddress { address: client.address, preferred_lifetime, valid_lifetime }.write(w)?;
        let prefix_len = DELEGATED_LEN;
        IaPrefix { address: client.prefix, prefix_len, preferred_lifetime, valid_lifetime }.write(w)?;
        w.option(OptionCode::CLT_TIME, |w| w.put(&3600_u32.to_be_bytes()))
    })?;
    Ok(w.position())
}

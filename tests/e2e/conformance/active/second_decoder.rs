//! Second opinion on the messages of an active query: `dhcproto` decodes each, and a requestor accepts it
//! (RFC 7653 §8.4).

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use dhcproto::v6::{DhcpOption, DhcpOptions, Message, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};

/// Message types (RFC 5007 §4.1.1, RFC 5460 §5.2, RFC 8415 §7.3).
const PLAIN_REPLY: u8 = 7;
const REPLY: u8 = 15;
const DONE: u8 = 16;
const DATA: u8 = 17;

/// OPTION_LQ_BASE_TIME (RFC 7653 §6.3.1).
const BASE_TIME: u16 = 100;

/// A message as a requestor reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Message type.
    pub kind: u8,
    /// Status code.
    pub status: Option<u16>,
    /// Value of OPTION_LQ_BASE_TIME.
    pub base_time: Option<u32>,
    /// OPTION_CLIENT_DATA.
    pub data: Option<ClientData>,
}

/// OPTION_CLIENT_DATA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientData {
    /// DUID of the client.
    pub duid: Vec<u8>,
    /// Addresses and prefixes with length, preferred and valid lifetime; addresses have a length of 128.
    pub leases: Vec<(Ipv6Addr, u8, u32, u32)>,
}

/// Decodes a message.
///
/// # Errors
/// The reason why a requestor must not accept it.
pub fn accept(octets: &[u8]) -> Result<Update, String> {
    let message = Message::decode(&mut Decoder::new(octets)).map_err(|error| format!("dhcproto: {error}"))?;
    if encoded_len(message.opts())? + 4 != octets.len() {
        return Err("dhcproto does not read the whole message".into());
    }
    let options = message.opts();
    let update = Update {
        kind: octets[0],
        status: status(options)?,
        base_time: base_time(options)?,
        data: client_data(options)?,
    };
    let ids = [OptionCode::ClientId, OptionCode::ServerId].map(|code| options.get(code).is_some());
    let is_right = match update.kind {
        PLAIN_REPLY => true,
        // The first message has both ids, and no later one has any (RFC 5460 §5.2.1).
        REPLY => ids == [true, true] && (update.status.is_none() || update.data.is_none()),
        DATA | DONE => ids == [false, false],
        _ => false,
    };
    if !is_right {
        return Err(format!("message type {} with ids {ids:?}: {update:?}", update.kind));
    }
    if update.kind == DONE && (update.status.is_none() || update.data.is_some()) {
        return Err("DONE of an active query without a status, or with data".into());
    }
    if options.get(OptionCode::LqClientLink).is_some() {
        return Err("CLIENT_LINK, which RFC 5460 §6.3 forbids".into());
    }
    Ok(update)
}

fn status(options: &DhcpOptions) -> Result<Option<u16>, String> {
    match options.get_all(OptionCode::StatusCode).unwrap_or_default() {
        [] => Ok(None),
        [DhcpOption::StatusCode(status)] => Ok(Some(u16::from(status.status))),
        more => Err(format!("status options: {more:?}")),
    }
}

fn base_time(options: &DhcpOptions) -> Result<Option<u32>, String> {
    match options.get_all(OptionCode::from(BASE_TIME)).unwrap_or_default() {
        [] => Ok(None),
        [DhcpOption::Unknown(time)] => match time.data().try_into() {
            Ok(octets) => Ok(Some(u32::from_be_bytes(octets))),
            Err(_) => Err(format!("a base-time of {} octets", time.data().len())),
        },
        more => Err(format!("base-times: {more:?}")),
    }
}

/// Returns OPTION_CLIENT_DATA, which must have the minimum of RFC 5007 §4.4.2.
fn client_data(options: &DhcpOptions) -> Result<Option<ClientData>, String> {
    let data = match options.get_all(OptionCode::ClientData).unwrap_or_default() {
        [] => return Ok(None),
        [DhcpOption::Unknown(data)] => data.data(),
        more => return Err(format!("{} times CLIENT_DATA", more.len())),
    };
    let options = DhcpOptions::decode(&mut Decoder::new(data)).map_err(|error| error.to_string())?;
    if encoded_len(&options)? != data.len() {
        return Err("dhcproto does not read all of CLIENT_DATA".into());
    }
    let Some(DhcpOption::ClientId(duid)) = options.get(OptionCode::ClientId) else {
        return Err("CLIENT_DATA without CLIENTID".into());
    };
    if !matches!(options.get(OptionCode::CltTime), Some(DhcpOption::Unknown(time)) if time.data().len() == 4)
    {
        return Err("CLIENT_DATA without CLT_TIME".into());
    }
    let mut leases = Vec::new();
    for option in options.iter() {
        leases.push(match option {
            DhcpOption::IAAddr(address) => (address.addr, 128, address.preferred_life, address.valid_life),
            DhcpOption::IAPrefix(prefix) => {
                (prefix.prefix_ip, prefix.prefix_len, prefix.preferred_lifetime, prefix.valid_lifetime)
            }
            _ => continue,
        });
    }
    let distinct: BTreeSet<_> = leases.iter().map(|(address, length, ..)| (address, length)).collect();
    let lifetimes = leases.iter().all(|(_, _, preferred, valid)| preferred <= valid);
    if leases.is_empty() || distinct.len() != leases.len() || !lifetimes {
        return Err(format!("bindings of {duid:02x?}: {leases:?}"));
    }
    Ok(Some(ClientData { duid: duid.clone(), leases }))
}

fn encoded_len(options: &DhcpOptions) -> Result<usize, String> {
    options.to_vec().map(|octets| octets.len()).map_err(|error| format!("dhcproto: {error}"))
}

//! Second opinion on answers: `dhcproto` decodes each message, and together they are one that a requestor
//! accepts (RFC 5460 §6.3).

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use dhcproto::v6::{DhcpOption, DhcpOptions, Message, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable};

/// Message types (RFC 5007 §4.1.1, RFC 5460 §5.2, RFC 8415 §7.3).
const REPLY: u8 = 15;
const DONE: u8 = 16;
const DATA: u8 = 17;
const PLAIN_REPLY: u8 = 7;

/// Bindings of one client in one message: DUID, addresses and prefixes with their lengths.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bindings {
    /// DUID of the client.
    pub duid: Vec<u8>,
    /// Addresses have a length of 128.
    pub leases: Vec<(Ipv6Addr, u8)>,
}

/// Checks that a requestor accepts these messages as the whole answer to one query; returns the bindings of
/// each.
///
/// # Errors
/// The reason why not.
pub fn accepts(messages: &[Vec<u8>]) -> Result<Vec<Bindings>, String> {
    let (first, rest) = messages.split_first().ok_or("no message")?;
    let (kind, reply) = whole_message(first)?;
    if kind == PLAIN_REPLY {
        return if rest.is_empty() { Ok(Vec::new()) } else { Err("messages behind a REPLY".into()) };
    }
    if kind != REPLY {
        return Err(format!("message type {kind} comes first"));
    }
    for (code, name) in [(OptionCode::ClientId, "CLIENTID"), (OptionCode::ServerId, "SERVERID")] {
        reply.opts().get(code).ok_or_else(|| format!("the first message has no {name}"))?;
    }
    let Some(data) = client_data(&reply)? else {
        // RFC 5460 §6.3: no DONE follows.
        return if rest.is_empty() {
            Ok(Vec::new())
        } else {
            Err("messages behind a REPLY without data".into())
        };
    };
    if reply.opts().get(OptionCode::StatusCode).is_some() {
        return Err("a status beside data".into());
    }
    let (done, more) = rest.split_last().ok_or("no DONE")?;
    let mut all = vec![data];
    for octets in more {
        let (kind, message) = whole_message(octets)?;
        if kind != DATA || message.xid() != reply.xid() {
            return Err(format!("message type {kind} with transaction-id {:02x?} among DATA", message.xid()));
        }
        for code in [OptionCode::ClientId, OptionCode::ServerId, OptionCode::StatusCode] {
            if message.opts().get(code).is_some() {
                return Err(format!("{code:?} in DATA"));
            }
        }
        all.push(client_data(&message)?.ok_or("DATA without CLIENT_DATA")?);
    }
    let (kind, done) = whole_message(done)?;
    if kind != DONE || done.xid() != reply.xid() || done.opts().get(OptionCode::ClientData).is_some() {
        return Err(format!("message type {kind} instead of DONE at the end"));
    }
    Ok(all)
}

/// Decodes a message, and checks that dhcproto read all of it.
fn whole_message(octets: &[u8]) -> Result<(u8, Message), String> {
    let message = Message::decode(&mut Decoder::new(octets)).map_err(|error| format!("dhcproto: {error}"))?;
    let read = encoded_len(message.opts())? + 4;
    if read == octets.len() {
        Ok((octets[0], message))
    } else {
        Err(format!("dhcproto reads {read} of {} octets", octets.len()))
    }
}

/// Returns the bindings in OPTION_CLIENT_DATA, which must have the minimum of RFC 5007 §4.4.2.
fn client_data(message: &Message) -> Result<Option<Bindings>, String> {
    if message.opts().get(OptionCode::LqClientLink).is_some() {
        return Err("CLIENT_LINK, which RFC 5460 §6.3 forbids".into());
    }
    let data = match message.opts().get_all(OptionCode::ClientData).unwrap_or_default() {
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
        let (lease, preferred, valid) = match option {
            DhcpOption::IAAddr(address) => ((address.addr, 128), address.preferred_life, address.valid_life),
            DhcpOption::IAPrefix(prefix) => {
                ((prefix.prefix_ip, prefix.prefix_len), prefix.preferred_lifetime, prefix.valid_lifetime)
            }
            _ => continue,
        };
        if valid == 0 || preferred > valid {
            return Err(format!("lifetimes of {option:?}"));
        }
        leases.push(lease);
    }
    let distinct: BTreeSet<_> = leases.iter().collect();
    if leases.is_empty() || distinct.len() != leases.len() {
        return Err(format!("bindings of {duid:02x?}: {leases:?}"));
    }
    Ok(Some(Bindings { duid: duid.clone(), leases }))
}

fn encoded_len(options: &DhcpOptions) -> Result<usize, String> {
    options.to_vec().map(|octets| octets.len()).map_err(|error| format!("dhcproto: {error}"))
}

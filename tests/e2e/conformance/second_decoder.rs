//! Second opinion on replies: `dhcproto` decodes them, and they pass the checks of a requestor (RFC 5007
//! §4.2.2).
//!
//! dhcproto knows no leasequery option, so those come as opaque octets, which are decoded in a second step.
//! It also accepts a cut option as the end of the message: encoding again and comparing lengths shows that it
//! read everything.

use dhcproto::v6::{DhcpOption, DhcpOptions, Message, MessageType, OptionCode, Status};
use dhcproto::{Decodable, Decoder, Encodable};

use crate::support::message::{RELAY_HEADER_LEN, code, msg, split_option};

const CLT_TIME_LEN: usize = 4;

/// Checks that the query's sender must accept the reply, and that dhcproto reads all of it.
///
/// # Errors
/// The reason why not.
pub fn agrees(query: &[u8], reply: &[u8]) -> Result<(), String> {
    let (query_levels, query) = unwrap_relays(query, msg::RELAY_FORW)?;
    let (reply_levels, reply) = unwrap_relays(reply, msg::RELAY_REPL)?;
    // RFC 8415 §19.3: one RELAY-REPL for each RELAY-FORW.
    equal("number of relay hops", &reply_levels, &query_levels)?;
    let (query, reply) = (message(query)?, whole_message(reply)?);
    equal("message type", &reply.msg_type(), &MessageType::LeaseQueryReply)?;
    equal("transaction-id", &reply.xid(), &query.xid())?;
    equal("CLIENTID", &reply.opts().get(OptionCode::ClientId), &query.opts().get(OptionCode::ClientId))?;
    if reply.opts().get(OptionCode::ServerId).is_none() {
        return Err("the reply has no SERVERID".into());
    }
    let data = opaque(reply.opts(), OptionCode::ClientData)?;
    let links = opaque(reply.opts(), OptionCode::LqClientLink)?;
    if let Some(DhcpOption::StatusCode(status)) = reply.opts().get(OptionCode::StatusCode)
        && status.status != Status::Success
        && (data.is_some() || links.is_some())
    {
        return Err(format!("data beside the error {status:?}"));
    }
    match (data, links) {
        (Some(_), Some(_)) => Err("both CLIENT_DATA and LQ_CLIENT_LINK".into()),
        (Some(data), None) => client_data(data),
        (None, Some(links)) if links.is_empty() || links.len() % 16 != 0 => Err("odd LQ_CLIENT_LINK".into()),
        _ => Ok(()),
    }
}

/// Checks that CLIENT_DATA holds the minimum of RFC 5007 §4.4.2.
fn client_data(data: &[u8]) -> Result<(), String> {
    let options = DhcpOptions::decode(&mut Decoder::new(data)).map_err(|error| error.to_string())?;
    equal("octets of CLIENT_DATA read", &encoded_len(&options)?, &data.len())?;
    if !matches!(options.get(OptionCode::ClientId), Some(DhcpOption::ClientId(duid)) if !duid.is_empty()) {
        return Err("CLIENT_DATA without CLIENTID".into());
    }
    let mut bindings = 0;
    for option in options.iter() {
        let (DhcpOption::IAAddr(dhcproto::v6::IAAddr { preferred_life, valid_life, .. })
        | DhcpOption::IAPrefix(dhcproto::v6::IAPrefix {
            preferred_lifetime: preferred_life,
            valid_lifetime: valid_life,
            ..
        })) = option
        else {
            continue;
        };
        bindings += 1;
        if *valid_life == 0 || preferred_life > valid_life {
            return Err(format!("lifetimes of {option:?}"));
        }
    }
    if bindings == 0 {
        return Err("CLIENT_DATA without a binding".into());
    }
    let clt_time = opaque(&options, OptionCode::CltTime)?.map(<[u8]>::len);
    equal("length of CLT_TIME", &clt_time, &Some(CLT_TIME_LEN))
}

/// Returns the body of an option that dhcproto does not know, which must not be repeated.
fn opaque(options: &DhcpOptions, code: OptionCode) -> Result<Option<&[u8]>, String> {
    match options.get_all(code).unwrap_or_default() {
        [] => Ok(None),
        [DhcpOption::Unknown(option)] => Ok(Some(option.data())),
        more => Err(format!("{} times option {code:?}", more.len())),
    }
}

fn message(octets: &[u8]) -> Result<Message, String> {
    Message::decode(&mut Decoder::new(octets)).map_err(|error| format!("dhcproto: {error}"))
}

fn whole_message(octets: &[u8]) -> Result<Message, String> {
    let message = message(octets)?;
    equal("octets read", &(encoded_len(message.opts())? + 4), &octets.len())?;
    Ok(message)
}

fn encoded_len(options: &DhcpOptions) -> Result<usize, String> {
    options.to_vec().map(|octets| octets.len()).map_err(|error| format!("dhcproto: {error}"))
}

/// Counts the relay hops, and returns the message within. (dhcproto takes every relayed message for a
/// relay's.)
fn unwrap_relays(mut octets: &[u8], relay: u8) -> Result<(usize, &[u8]), String> {
    let mut levels = 0;
    while octets.first() == Some(&relay) {
        let options = octets.get(RELAY_HEADER_LEN..).ok_or("relay header is cut")?;
        octets = option(options, code::RELAY_MSG).ok_or("relay level without RELAY_MSG")?;
        levels += 1;
    }
    Ok((levels, octets))
}

/// Returns the body of the first option with this code.
fn option(mut options: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (code, body, rest) = split_option(options)?;
        if code == wanted {
            return Some(body);
        }
        options = rest;
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, got: &T, wanted: &T) -> Result<(), String> {
    if got == wanted { Ok(()) } else { Err(format!("{what}: got {got:?}, wanted {wanted:?}")) }
}

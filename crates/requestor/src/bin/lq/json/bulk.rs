//! A client of a bulk answer as one line of JSON.

use std::net::SocketAddrV6;
use std::time::{Duration, SystemTime};

use lqd_requestor::bulk::Message;
use lqd_requestor::{ClientOnLink, LqTime};
use lqd_wire::hex::Hex;
use serde::Serialize;

use super::{ClientJson, DeviationJson, OptionJson, SCHEMA, to_line};
use crate::format::rfc_3339;

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    /// The server.
    from: SocketAddrV6,
    /// DUID of the server, only in the first line of its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(flatten)]
    client: ClientJson,
    /// Arrival of the message, from which ages and lifetimes count.
    received: String,
    /// The server's time when it made the message, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    base_time: Option<String>,
    deviations: Vec<DeviationJson>,
    /// Options beside the client.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    message_options: &'a [OptionJson],
    #[serde(skip_serializing_if = "Option::is_none")]
    message_hex: Option<String>,
}

/// Returns the line of a client, without line feed.
pub(crate) fn line(
    from: SocketAddrV6,
    message: &Message,
    client: &ClientOnLink,
    received: SystemTime,
    with_hex: bool,
) -> String {
    let options: Vec<OptionJson> = message.other.iter().map(OptionJson::of).collect();
    to_line(&Document {
        schema: SCHEMA,
        from,
        server: message.server.as_ref().map(ToString::to_string),
        client: ClientJson::of(client),
        received: rfc_3339(received),
        base_time: message.base_time.map(|time| rfc_3339(system_time(time))),
        deviations: message.deviations.iter().map(DeviationJson::of).collect(),
        message_options: &options,
        message_hex: with_hex.then(|| Hex::undivided(&message.octets).to_string()),
    })
}

/// Converts a time on the wire, taken for one of 1970 to 2106.
pub(crate) fn system_time(time: LqTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.to_unix().into())
}

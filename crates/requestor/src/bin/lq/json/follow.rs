//! Events of `lq follow` as lines of JSON.

use std::net::SocketAddrV6;
use std::time::SystemTime;

use lqd_requestor::follow::{Event, Follower, State};
use lqd_requestor::{AddressOrPrefix, ClientOnLink, Duid, Source};
use serde::Serialize;

use super::bulk::system_time;
use super::{ClientJson, SCHEMA, kind, to_line};
use crate::format::rfc_3339;

/// A line of `"event": "put"`: a binding that is new, or whose lifetimes or options were told again.
#[derive(Serialize)]
struct Put {
    schema: u32,
    event: &'static str,
    /// The client, with this lease alone in `leases`.
    #[serde(flatten)]
    client: ClientJson,
    /// Arrival of the message, from which ages and lifetimes count.
    received: String,
    /// The server's time of the message.
    base_time: Option<String>,
}

/// A line of `"event": "remove"`: a binding that is no longer one.
#[derive(Serialize)]
struct Remove {
    schema: u32,
    event: &'static str,
    /// DUID of the client that held it.
    client: String,
    /// `address` or `prefix`.
    kind: &'static str,
    value: String,
    /// `told` by the server, `moved` to another client, or `missing` in a whole bulk answer.
    reason: &'static str,
}

/// A line of `"event": "state"`: a new state, or new counts after changes.
#[derive(Serialize)]
struct StateJson<'a> {
    schema: u32,
    event: &'static str,
    /// `connected`, `catching-up`, `filling`, `live` or `lost`. Bindings are complete in `live` alone.
    state: &'static str,
    time: String,
    from: SocketAddrV6,
    /// DUID of the server, once known.
    server: Option<String>,
    bindings: usize,
    /// Digest of client, address and prefix length of all bindings; the manual defines it.
    digest: String,
    /// The server's time from which a new connection would continue; null if with a bulk query.
    resume: Option<String>,
    /// The reason of an interruption.
    reason: Option<&'a str>,
}

/// Returns the line of an event, without line feed; `None` if it has none.
pub(crate) fn line(
    from: SocketAddrV6,
    follower: &Follower,
    event: &Event,
    reason: Option<&str>,
) -> Option<String> {
    Some(match event {
        Event::Put { client, received, base_time, .. } => {
            let server = follower.server().cloned().unwrap_or_else(|| Duid::from_uuid([0; 16]));
            let source =
                Source { server, from, link: None, received: *received, data: client.as_ref().clone() };
            to_line(&Put {
                schema: SCHEMA,
                event: "put",
                client: ClientJson::of(&ClientOnLink::from(source)),
                received: rfc_3339(*received),
                base_time: base_time.map(|time| rfc_3339(system_time(time))),
            })
        }
        Event::Remove { client, resource, reason } => remove(client, *resource, reason.code()),
        Event::State(state) => self::state(from, follower, *state, reason),
        _ => return None,
    })
}

fn remove(client: &Duid, resource: AddressOrPrefix, reason: &'static str) -> String {
    to_line(&Remove {
        schema: SCHEMA,
        event: "remove",
        client: client.to_string(),
        kind: kind(resource),
        value: resource.to_string(),
        reason,
    })
}

fn state(from: SocketAddrV6, follower: &Follower, state: State, reason: Option<&str>) -> String {
    to_line(&StateJson {
        schema: SCHEMA,
        event: "state",
        state: state.code(),
        time: rfc_3339(SystemTime::now()),
        from,
        server: follower.server().map(ToString::to_string),
        bindings: follower.len(),
        digest: follower.digest().to_string(),
        resume: follower.resume().map(|time| rfc_3339(system_time(time))),
        reason,
    })
}

//! A requestor, a plan and a query from the flags.

use std::net::{Ipv6Addr, SocketAddrV6};
use std::path::PathBuf;
use std::time::Duration;

use lqd_requestor::{
    ALL_DHCP_RELAY_AGENTS_AND_SERVERS, ALL_DHCP_SERVERS, Duid, Observer, Plan, Query, RelayHop, RelayPath,
    Requestor, SERVER_PORT, Settings, Target, Timers, interface_index, load_or_create,
};

use crate::command_line::{Group, Options};
use crate::error::Error;

/// LQ_TIMEOUT (RFC 5007 §4.1.4).
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(1);

/// LQ_MAX_RT (RFC 5007 §4.1.4).
const TIMEOUT_MAX: Duration = Duration::from_secs(10);

/// The server that is queried if none is named.
pub(crate) const DEFAULT_SERVER: SocketAddrV6 = SocketAddrV6::new(Ipv6Addr::LOCALHOST, SERVER_PORT, 0, 0);

/// A requestor and the servers it queries.
pub(crate) struct Setup {
    pub(crate) requestor: Requestor,
    pub(crate) plan: Plan,
}

/// Makes the query for this target, with the restrictions of the flags.
pub(crate) fn query(target: Target, options: &Options) -> Query {
    Query {
        target,
        link: options.query.link.filter(|link| !link.is_unspecified()),
        requested: options.query.request.clone(),
        server: options.servers.server_id.clone(),
    }
}

impl Setup {
    /// Resolves server names and opens the socket.
    pub(crate) async fn new(options: &Options, observer: Option<Observer>) -> Result<Self, Error> {
        let relays = relays(options)?;
        let interface = options.servers.interface.as_deref().map(interface_index).transpose()?;
        let plan = plan(options, interface).await?;
        let sending = &options.sending;
        let timeout = sending.timeout.unwrap_or(TIMEOUT_DEFAULT);
        let local = SocketAddrV6::new(
            sending.source.unwrap_or(Ipv6Addr::UNSPECIFIED),
            sending.source_port,
            0,
            interface.unwrap_or(0),
        );
        let settings = Settings {
            local: Some(local),
            interface,
            timers: Timers {
                initial: timeout,
                // A --timeout above LQ_MAX_RT is meant: it must not be capped.
                max: TIMEOUT_MAX.max(timeout),
                transmissions_max: sending.retries + 1, // at most 1001
                gather: sending.gather,
            },
            relays,
            any_source: sending.any_source,
            observer,
            ..Settings::default()
        };
        Ok(Self { requestor: Requestor::bind(own_duid(options)?, settings)?, plan })
    }
}

/// Plans for the named servers; without any, for the group of the interface, else for this host.
async fn plan(options: &Options, interface: Option<u32>) -> Result<Plan, Error> {
    let mut servers = Vec::new();
    for name in &options.servers.servers {
        servers.push(name.resolve().await?);
    }
    let to_group = interface.map(|interface| Plan::multicast(group(options.servers.group), interface));
    if servers.is_empty() {
        return Ok(to_group.unwrap_or_else(|| Plan::server(DEFAULT_SERVER)));
    }
    let named = if options.servers.in_turn { Plan::in_turn(servers) } else { Plan::together(servers) };
    match to_group {
        // --interface beside named servers only selects the local interface.
        _ if !options.servers.or_group => Ok(named),
        Some(to_group) => Ok(named.or_else(to_group)),
        None => Err(Error::GroupWithoutInterface),
    }
}

fn group(group: Group) -> Ipv6Addr {
    match group {
        Group::Site => ALL_DHCP_SERVERS,
        Group::Link => ALL_DHCP_RELAY_AGENTS_AND_SERVERS,
    }
}

fn relays(options: &Options) -> Result<RelayPath, Error> {
    let relay = &options.relay;
    let Some(link_address) = relay.link_address else {
        // Ignoring them would send an unrelayed query that looks relayed.
        if relay.interface_id.is_some() || !relay.peer_address.is_unspecified() {
            return Err(Error::RelayFlagsAlone);
        }
        return Ok(RelayPath::default());
    };
    let interface_id = relay.interface_id.as_ref().map(|id| id.0.clone());
    Ok(RelayPath(vec![RelayHop { link_address, peer_address: relay.peer_address, interface_id }]))
}

/// Returns the requestor's DUID: the same for every run, if a file can be kept.
pub(crate) fn own_duid(options: &Options) -> Result<Duid, Error> {
    if let Some(duid) = &options.sending.own_duid {
        return Ok(duid.clone());
    }
    if let Some(path) = &options.sending.duid_file {
        return Ok(load_or_create(path)?);
    }
    // Unlike a file that was named, the default one may fail: any DUID serves a single run.
    let kept = default_duid_file().map(|path| load_or_create(&path));
    match kept {
        Some(Ok(duid)) => Ok(duid),
        Some(Err(error)) => {
            crate::trace::say(format_args!("lq: {error}; this run uses a new one\n"));
            Ok(Duid::random())
        }
        None => Ok(Duid::random()), // no home directory to store one in
    }
}

/// Returns the DUID file's path by the XDG base directory specification.
fn default_duid_file() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    Some(state.or_else(home)?.join("lq/duid"))
}

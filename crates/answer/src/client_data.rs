//! The writer of OPTION_CLIENT_DATA (RFC 5007 §4.1.2.2, §4.4.2), independent of the transport.

mod configured;
mod options;
mod relay_data;

use std::net::Ipv6Addr;

use lqd_index::{Binding, Client, LeaseKind, Left};
use lqd_wire::{Free, IaAddress, IaPrefix, NoRoomError, OptionCode, OptionRequest, Writer};

use crate::Rights;
use crate::select::{OnLinks, View, is_on_link_of};
use options::ClientOptions;

/// The options about a client that a query requests.
#[derive(Clone, Copy)]
pub(crate) struct Requested<'a> {
    /// Their codes in the requested order.
    pub(crate) codes: OptionRequest<'a>,
    /// The requestor's rights, which name the sensitive options.
    pub(crate) rights: &'a Rights,
}

/// Writes OPTION_CLIENT_DATA with the client's bindings on these links that `view` shows.
///
/// Addresses come before prefixes, as in the record. `now` is in UNIX seconds.
#[inline]
pub(crate) fn write(
    w: &mut Writer<'_>,
    view: &View<'_>,
    now: u32,
    client: &Client<'_>,
    on_links: &OnLinks<'_>,
    requested: Requested<'_>,
) -> Result<(), NoRoomError> {
    w.option(OptionCode::CLIENT_DATA, |w| contents(w, view, now, client, on_links, requested))
}

/// Writes OPTION_CLIENT_DATA with these unexpired bindings of the client.
///
/// `newest`: the latest `cltt` of the client's bindings on these links, in UNIX seconds. Requested options
/// are those of all its bindings there.
#[expect(clippy::too_many_arguments, reason = "each is a different thing, as for `write`")]
pub(crate) fn write_bindings(
    w: &mut Writer<'_>,
    view: &View<'_>,
    now: u32,
    client: &Client<'_>,
    bindings: impl Iterator<Item = Binding>,
    newest: u32,
    on_links: &OnLinks<'_>,
    requested: Requested<'_>,
) -> Result<(), NoRoomError> {
    w.option(OptionCode::CLIENT_DATA, |w| {
        w.extend(|free| {
            let duid_len = client.duid_len() as u16; // at most DUID_LEN_MAX, 130
            client.copy_duid(free.option_room(OptionCode::CLIENTID, duid_len)?);
            for binding in bindings {
                put_binding(free, &binding, binding.left(now))?;
            }
            put_clt_time(free, now, newest)
        })?;
        if requested.codes.is_empty() {
            return Ok(());
        }
        let options = ClientOptions::collect(*view, *client, *on_links, newest);
        options.write(w, requested.rights, requested.codes)
    })
}

/// A binding that a client has no longer.
#[derive(Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) address: Ipv6Addr,
    pub(crate) prefix_len: u8,
    pub(crate) kind: LeaseKind,
}

/// The client of a change, and its links that the message is about.
#[derive(Clone, Copy)]
pub(crate) struct Changed<'a> {
    pub(crate) duid: &'a [u8],
    /// `None` if the client is gone.
    pub(crate) client: Option<(Client<'a>, OnLinks<'a>)>,
    /// As for [`write_bindings`].
    pub(crate) newest: u32,
}

/// Writes OPTION_CLIENT_DATA with lost bindings, whose lifetimes are 0, and these unexpired ones.
pub(crate) fn write_change(
    w: &mut Writer<'_>,
    view: &View<'_>,
    now: u32,
    changed: Changed<'_>,
    ended: impl Iterator<Item = Ended>,
    bindings: impl Iterator<Item = Binding>,
    requested: Requested<'_>,
) -> Result<(), NoRoomError> {
    w.option(OptionCode::CLIENT_DATA, |w| {
        w.extend(|free| {
            free.option_with(OptionCode::CLIENTID, changed.duid)?;
            for Ended { address, prefix_len, kind } in ended {
                put_lease(
                    free,
                    address,
                    prefix_len,
                    kind,
                    Left { valid_lifetime: 0, preferred_lifetime: 0 },
                )?;
            }
            for binding in bindings {
                put_binding(free, &binding, binding.left(now))?;
            }
            put_clt_time(free, now, changed.newest)
        })?;
        match changed.client {
            Some((client, on_links)) if !requested.codes.is_empty() => {
                let options = ClientOptions::collect(*view, client, on_links, changed.newest);
                options.write(w, requested.rights, requested.codes)
            }
            _ => Ok(()),
        }
    })
}

#[inline]
fn contents(
    w: &mut Writer<'_>,
    view: &View<'_>,
    now: u32,
    client: &Client<'_>,
    on_links: &OnLinks<'_>,
    requested: Requested<'_>,
) -> Result<(), NoRoomError> {
    let newest = w.extend(|free| {
        let duid_len = client.duid_len() as u8; // at most DUID_LEN_MAX, 130
        match client.short_duid() {
            // At most 7 surplus octets follow, which OPTION_CLT_TIME at the latest overwrites.
            Some(duid) => free.option_within(OptionCode::CLIENTID, duid, duid_len)?,
            None => client.copy_duid(free.option_room(OptionCode::CLIENTID, duid_len.into())?),
        }
        leases(free, view, now, client, on_links)
    })?;
    // Few queries request options; collecting them walks the bindings again.
    if !requested.codes.is_empty() {
        let options = ClientOptions::collect(*view, *client, *on_links, newest);
        options.write(w, requested.rights, requested.codes)?;
    }
    Ok(())
}

/// Writes addresses, prefixes and CLT_TIME; returns the latest `cltt` in UNIX seconds.
#[inline(always)]
fn leases(
    free: &mut Free<'_>,
    view: &View<'_>,
    now: u32,
    client: &Client<'_>,
    on_links: &OnLinks<'_>,
) -> Result<u32, NoRoomError> {
    // One loop for each case, so that common ones test no case for each binding.
    match on_links {
        OnLinks::Whole => leases_that(free, now, client, |_| true),
        OnLinks::OwnSubnet(subnet) if view.is_whole() => {
            leases_that(free, now, client, |binding| is_on_link_of(*subnet, view, binding))
        }
        _ => leases_on(free, view, now, client, on_links),
    }
}

#[inline(never)]
fn leases_on(
    free: &mut Free<'_>,
    view: &View<'_>,
    now: u32,
    client: &Client<'_>,
    on_links: &OnLinks<'_>,
) -> Result<u32, NoRoomError> {
    leases_that(free, now, client, |binding| on_links.has(view, *client, binding))
}

#[inline(always)]
fn leases_that(
    free: &mut Free<'_>,
    now: u32,
    client: &Client<'_>,
    is_on_links: impl Fn(&Binding) -> bool,
) -> Result<u32, NoRoomError> {
    let mut newest = 0;
    for binding in client.bindings() {
        if !is_on_links(&binding) {
            continue;
        }
        // An expired lease is no binding, but shows when the client last communicated.
        newest = newest.max(binding.cltt);
        let left = binding.left(now);
        if left.valid_lifetime > 0 {
            put_binding(free, &binding, left)?;
        }
    }
    put_clt_time(free, now, newest)?;
    Ok(newest)
}

#[inline(always)]
fn put_binding(free: &mut Free<'_>, binding: &Binding, left: Left) -> Result<(), NoRoomError> {
    put_lease(free, binding.address, binding.prefix_len, binding.kind, left)
}

#[inline(always)]
fn put_lease(
    free: &mut Free<'_>,
    address: Ipv6Addr,
    prefix_len: u8,
    kind: LeaseKind,
    left: Left,
) -> Result<(), NoRoomError> {
    let Left { valid_lifetime, preferred_lifetime } = left;
    match kind {
        LeaseKind::Address => IaAddress { address, preferred_lifetime, valid_lifetime }.fill(free),
        LeaseKind::Prefix => IaPrefix { address, prefix_len, preferred_lifetime, valid_lifetime }.fill(free),
    }
}

#[inline(always)]
fn put_clt_time(free: &mut Free<'_>, now: u32, newest: u32) -> Result<(), NoRoomError> {
    let option = free.take::<8>()?;
    option[..2].copy_from_slice(&OptionCode::CLT_TIME.0.to_be_bytes());
    option[2..4].copy_from_slice(&4_u16.to_be_bytes());
    // 0 if the lease source's clock is ahead.
    option[4..].copy_from_slice(&now.saturating_sub(newest).to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests;

//! The bindings that a query selects from a client's record, and the messages that they fill.
//!
//! Each message has the bindings of one client on one link (RFC 5460 §5.2.1); more than fit into one are
//! spread over several.

use lqd_index::{Binding, CLIENT_LEASES_MAX, Client, LinkId, LinkSet};
use lqd_wire::{NoRoomError, OptionCode};

use super::Room;
use super::query::Wanted;
use super::reply::Envelope;
use crate::client_data::{self, Requested};
use crate::select::{OnLinks, View};

/// Place of the bindings on no configured link.
const NO_LINK: usize = usize::MAX;
/// The bindings that a query selects.
pub(super) struct Selection<'s, 'p> {
    pub(super) view: View<'p>,
    /// UNIX seconds.
    pub(super) now: u32,
    pub(super) on_links: OnLinks<'p>,
    /// Option that a relay agent must have sent with the binding, and its value.
    pub(super) relay_option: Option<(OptionCode, &'s [u8])>,
    /// The query, whose start and end times count.
    pub(super) wanted: &'s Wanted,
}

/// Memory that is used again for each client.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Selected bindings with their places, in the order in which they are sent.
    selected: Vec<(usize, Binding)>,
    option: Vec<u8>,
}

/// The last binding that was sent of a client, when the buffer was full.
#[derive(Debug)]
pub(super) struct Resume {
    duid: Box<[u8]>,
    place: usize,
    last: Binding,
}

/// The buffer of a send, and counts of what was written.
pub(super) struct Out<'a, 'b> {
    pub(super) room: &'a mut Room<'b>,
    pub(super) envelope: Envelope<'a>,
    pub(super) requested: Requested<'a>,
    pub(super) bindings: u64,
    pub(super) messages: u64,
    /// Whether a binding was left out, as it fits into no message.
    pub(super) has_unsent: bool,
}

/// Whether all messages of a client were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    All,
    /// The buffer has no room for one more message.
    Part,
}

impl Selection<'_, '_> {
    fn selects(&self, client: Client<'_>, binding: &Binding, scratch: &mut Vec<u8>) -> bool {
        binding.valid_left(self.now) > 0
            && self.wanted.takes_time(binding.cltt)
            && self.on_links.has(&self.view, client, binding)
            && self.view.shows(client, binding)
            // Last, as it reads the relay data.
            && self.relay_option.is_none_or(|(code, value)| client.has_relay_option(binding, code, value, scratch))
    }

    fn place(&self, binding: &Binding) -> usize {
        self.view.locate(binding).link().map_or(NO_LINK, LinkId::number)
    }

    /// Writes the messages of a client, after the binding of `resume` if that is of this client.
    pub(super) fn write(
        &self,
        out: &mut Out<'_, '_>,
        client: Client<'_>,
        scratch: &mut Scratch,
        resume: &mut Option<Resume>,
    ) -> Wrote {
        let Scratch { selected, option } = scratch;
        selected.clear();
        for binding in client.bindings() {
            if self.selects(client, &binding, option) {
                selected.push((self.place(&binding), binding));
            }
        }
        // Stable: within a place, bindings keep the order of the record.
        selected.sort_by_key(|&(place, _)| place);
        let mut rest = after(selected, client, resume.take());
        while let Some(&(place, _)) = rest.first() {
            if !out.room.has_room() {
                let sent = selected.len() - rest.len();
                *resume = selected[..sent].last().map(|&(place, last)| Resume {
                    duid: duid_of(client),
                    place,
                    last,
                });
                return Wrote::Part;
            }
            let group = rest.partition_point(|&(other, _)| other == place);
            let written = self.write_group(out, client, place, &rest[..group]);
            rest = &rest[written..];
        }
        Wrote::All
    }

    /// Writes a message with as many bindings of a place as fit; returns how many.
    fn write_group(
        &self,
        out: &mut Out<'_, '_>,
        client: Client<'_>,
        place: usize,
        group: &[(usize, Binding)],
    ) -> usize {
        let on_links = match place {
            NO_LINK => OnLinks::NoLink,
            number => OnLinks::Links(LinkSet::of_link(self.view.links(), self.view.links().nth(number))),
        };
        let newest = self.newest(client, &on_links, group);
        let mut count = group.len().min(CLIENT_LEASES_MAX);
        loop {
            let bindings = group[..count].iter().map(|&(_, binding)| binding);
            let (view, now, requested) = (&self.view, self.now, out.requested);
            let written = out.envelope.data(&mut out.room.w, |w| {
                client_data::write_bindings(w, view, now, &client, bindings, newest, &on_links, requested)
            });
            match written {
                Ok(()) => {
                    out.envelope.is_replied = true;
                    out.messages += 1;
                    out.bindings += count as u64;
                    return count;
                }
                // Requested options take room, too: fewer bindings may fit beside them.
                Err(NoRoomError) if count > 1 => count -= count.div_ceil(8),
                Err(NoRoomError) => {
                    out.has_unsent = true;
                    return 1;
                }
            }
        }
    }

    /// Returns the latest `cltt` of the client's bindings on these links, expired ones included.
    fn newest(&self, client: Client<'_>, on_links: &OnLinks<'_>, group: &[(usize, Binding)]) -> u32 {
        let of_group = || group.iter().map(|(_, binding)| binding.cltt).max();
        // The common case: all bindings of the client are in the message.
        if group.len() == client.len() {
            return of_group().unwrap_or_default();
        }
        let on = client.bindings().filter(|binding| on_links.has(&self.view, client, binding));
        on.map(|binding| binding.cltt).max().max(of_group()).unwrap_or_default()
    }
}

/// Returns the bindings after the one that was sent last, if that was of this client.
fn after<'s>(
    selected: &'s [(usize, Binding)],
    client: Client<'_>,
    resume: Option<Resume>,
) -> &'s [(usize, Binding)] {
    let Some(Resume { place, last, .. }) = resume.filter(|resume| client.has_duid(&resume.duid)) else {
        return selected;
    };
    let is_sent =
        |&(other, ref binding): &(usize, Binding)| (other, binding.order()) <= (place, last.order());
    &selected[selected.partition_point(is_sent)..]
}

pub(super) fn duid_of(client: Client<'_>) -> Box<[u8]> {
    let mut duid = vec![0; client.duid_len()];
    client.copy_duid(&mut duid);
    duid.into()
}
